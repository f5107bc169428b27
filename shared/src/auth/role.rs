//! Roles, and what each may do: the one table of permissions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::HomeScope;
use crate::value::{InvalidValue, parsed_value};

/// What a user is in their home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Runs the platform.
    Admin,
    /// Runs an agency.
    AgencyAdmin,
    /// Works for an agency.
    AgencyUser,
    /// Runs a client.
    ClientAdmin,
    /// Works for a client.
    ClientUser,
}

impl std::str::FromStr for Role {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "ADMIN" => Ok(Self::Admin),
            "AGENCY_ADMIN" => Ok(Self::AgencyAdmin),
            "AGENCY_USER" => Ok(Self::AgencyUser),
            "CLIENT_ADMIN" => Ok(Self::ClientAdmin),
            "CLIENT_USER" => Ok(Self::ClientUser),
            _ => Err(InvalidValue::new("invalid_role", "must be a role")),
        }
    }
}

parsed_value!([] Role);

impl Role {
    /// Whether it is the role of those who run their home.
    pub const fn is_admin(self) -> bool {
        matches!(self, Self::Admin | Self::AgencyAdmin | Self::ClientAdmin)
    }

    /// Whether users of this home can have it.
    pub const fn is_of(self, home: HomeScope) -> bool {
        match home {
            HomeScope::Platform(_) => matches!(self, Self::Admin),
            HomeScope::Agency(_) => matches!(self, Self::AgencyAdmin | Self::AgencyUser),
            HomeScope::Client(_) => matches!(self, Self::ClientAdmin | Self::ClientUser),
        }
    }

    /// Whether it is above another: the variants are in order, from the top.
    pub const fn is_above(self, other: Self) -> bool {
        (self as u8) < other as u8
    }
}

/// Something that some roles may do. A handler names it in its first argument, [`Access`](super::Access).
pub trait Permission: Send + Sync + 'static {
    /// Whether a user with this role may, in a scope that is theirs.
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
    /// Create, read, list, update and delete tenants; create, list and delete agencies.
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
    /// Change services, staff and when they work, and give out their calendars.
    ManageSchedules: Admin | AgencyAdmin | AgencyUser | ClientAdmin;
    /// Contacts, tags, deals, notes and appointments: everything.
    UseCrm: Admin | AgencyAdmin | AgencyUser | ClientAdmin | ClientUser;
}
