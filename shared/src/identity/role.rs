//! Roles and their permissions.

use serde::{Deserialize, Serialize};
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;

use crate::identity::HomeScope;
use crate::value::enum_value;

/// The role of a user in the user's home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, EnumString, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Administers the platform.
    Admin,
    /// Administers an agency.
    AgencyAdmin,
    /// Works for an agency, without administering it.
    AgencyUser,
    /// Administers a client.
    ClientAdmin,
    /// Works for a client, without administering it.
    ClientUser,
}

enum_value!(Role);

impl Role {
    /// Whether users with this role administer their home.
    pub const fn is_admin(self) -> bool {
        matches!(self, Self::Admin | Self::AgencyAdmin | Self::ClientAdmin)
    }

    /// Whether users of this home can have this role.
    pub const fn is_of(self, home: HomeScope) -> bool {
        match home {
            HomeScope::Platform(_) => matches!(self, Self::Admin),
            HomeScope::Agency(_) => matches!(self, Self::AgencyAdmin | Self::AgencyUser),
            HomeScope::Client(_) => matches!(self, Self::ClientAdmin | Self::ClientUser),
        }
    }

    /// Whether this role is above another role.
    ///
    /// The variants are in order, the highest first.
    pub const fn is_above(self, other: Self) -> bool {
        (self as u8) < other as u8
    }
}

/// A permission that some roles have.
///
/// The type of a handler's first argument, `web::Access`, has the permission that the handler requires.
pub trait Permission: Send + Sync + 'static {
    /// Whether users with this role have the permission in their scopes.
    fn allows(role: Role) -> bool;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident: $($role:ident)|+;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Permission for $name {
            fn allows(role: Role) -> bool {
                matches!(role, $(Role::$role)|+)
            }
        }
    )+};
}

permissions! {
    /// Create, list, get, update and delete tenants; create, list and delete agencies.
    ManageTenancy: Admin;
    /// Read an agency; list its clients.
    ReadAgency: Admin | AgencyAdmin | AgencyUser;
    /// Update an agency.
    UpdateAgency: Admin | AgencyAdmin;
    /// Create and delete clients.
    ManageClients: Admin | AgencyAdmin;
    /// Read a client.
    ReadClient: Admin | AgencyAdmin | AgencyUser | ClientAdmin | ClientUser;
    /// Update a client.
    UpdateClient: Admin | AgencyAdmin | ClientAdmin;
    /// Read the users of an agency.
    ReadAgencyUsers: Admin | AgencyAdmin | AgencyUser;
    /// Create, invite, update and delete users of an agency.
    ManageAgencyUsers: Admin | AgencyAdmin;
    /// Read the users of a client.
    ReadClientUsers: Admin | AgencyAdmin | AgencyUser | ClientAdmin | ClientUser;
    /// Create, invite, update and delete users of a client.
    ManageClientUsers: Admin | AgencyAdmin | ClientAdmin;
    /// Read a client's domains and its widget key.
    ReadSettings: Admin | AgencyAdmin | AgencyUser | ClientAdmin | ClientUser;
    /// Change a client's domains and its widget key.
    ManageSettings: Admin | AgencyAdmin | ClientAdmin;
    /// Change pipelines and their stages.
    ManagePipelines: Admin | AgencyAdmin | AgencyUser | ClientAdmin;
    /// Change services, staff members and their schedules, and create calendar feeds.
    ManageSchedules: Admin | AgencyAdmin | AgencyUser | ClientAdmin;
    /// Read and change contacts, tags, deals, notes and appointments.
    UseCrm: Admin | AgencyAdmin | AgencyUser | ClientAdmin | ClientUser;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::assert_names_agree;

    #[test]
    fn role_names_agree() {
        assert_names_agree::<Role>();
    }
}
