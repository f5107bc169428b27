use deserr::Deserr;
use serde::{Deserialize, Serialize};
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::identity::{AgencyId, ClientId, HomeScope, Role, StoredHome, TenantId};
use crate::table::{Meta, Versioned};
use crate::users::UserId;
use crate::value::{Email, Instant, Name, ValidationErrors, enum_value};

/// A user of the platform, an agency or a client.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id.
    pub id: UserId,
    /// Email; unique on the whole platform, regardless of case.
    #[schema(example = "ada@example.com")]
    pub email: Email,
    /// Given name.
    #[schema(example = "Ada")]
    pub first_name: Name,
    /// Family name.
    #[schema(example = "Lovelace")]
    pub last_name: Name,
    /// The role, which determines the permissions.
    pub role: Role,
    /// The tenant of the user's home; `null` for an `ADMIN`.
    #[schema(required)]
    pub tenant_id: Option<TenantId>,
    /// The agency of the user's home; `null` for an `ADMIN`.
    #[schema(required)]
    pub agency_id: Option<AgencyId>,
    /// The client of the user's home; `null` for users of an agency or an `ADMIN`.
    #[schema(required)]
    pub client_id: Option<ClientId>,
    /// Whether the user may sign in.
    pub status: UserStatus,
    /// When the user last signed in; `null` before the first sign-in.
    #[schema(required)]
    pub last_login_at: Option<Instant>,
    /// The version and the times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// Whether a user may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, EnumString, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserStatus {
    /// Invited; may sign in after accepting the invitation.
    Invited,
    /// Active; may sign in.
    Active,
    /// Disabled; may not sign in.
    Disabled,
}

enum_value!(UserStatus);

/// A user as stored, with the hash of the password.
///
/// The API never returns the hash.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The user as the API returns it.
    #[serde(flatten)]
    pub user: User,
    /// Argon2id hash in PHC format; `None` until the user accepts the invitation.
    pub password_hash: Option<String>,
    /// Counts the changes that end sessions and invalidate open one-time tokens.
    ///
    /// These are a new password, another email and disabling the user. Sessions and tokens of an earlier epoch
    /// are invalid.
    #[serde(default)]
    pub epoch: u64,
    /// A random number that seals the recorded response with the user's data.
    #[serde(default)]
    pub seal: u64,
}

impl Account {
    /// The account of a new user.
    pub fn new(user: User, password_hash: Option<String>) -> Self {
        Self { user, password_hash, epoch: 0, seal: Uuid::new_v4().as_u64_pair().1 }
    }

    /// The account in the next epoch.
    #[must_use]
    pub fn next_epoch(self) -> Self {
        Self { epoch: self.epoch + 1, ..self }
    }
}

/// The fields of a user that an admin may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "email": "ada@example.com",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "status": "ACTIVE",
}))]
pub struct UserFields {
    /// Email; unique on the whole platform, regardless of case.
    #[schema(example = "ada@example.com")]
    pub email: Email,
    /// Given name.
    #[schema(example = "Ada")]
    pub first_name: Name,
    /// Family name.
    #[schema(example = "Lovelace")]
    pub last_name: Name,
    /// The role: one of the roles of the user's home.
    pub role: Role,
    /// The status.
    ///
    /// `DISABLED` disables the user. `ACTIVE`, or `INVITED` for a user without a password, enables the user again.
    pub status: UserStatus,
}

/// The change of a home's numbers of users and active admins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserCountChange {
    /// The change of the number of users.
    pub users: i8,
    /// The change of the number of active admins.
    pub admins: i8,
}

impl UserCountChange {
    /// The change from `before` to `after`; `None` is a user that does not exist.
    pub fn between(before: Option<&User>, after: Option<&User>) -> Self {
        let admins = |user: Option<&User>| i8::from(user.is_some_and(User::is_active_admin));
        Self { users: i8::from(after.is_some()) - i8::from(before.is_some()), admins: admins(after) - admins(before) }
    }
}

/// The fields of a user that the user may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({ "firstName": "Ada", "lastName": "Lovelace" }))]
pub struct Profile {
    /// Given name.
    #[schema(example = "Ada")]
    pub first_name: Name,
    /// Family name.
    #[schema(example = "Lovelace")]
    pub last_name: Name,
}

impl User {
    /// A new active user of `home`, created now.
    pub fn new(id: UserId, home: HomeScope, role: Role, email: Email, profile: Profile, now: Instant) -> Self {
        let (tenant_id, agency_id, client_id) = home.ids();
        Self {
            id,
            email,
            first_name: profile.first_name,
            last_name: profile.last_name,
            role,
            tenant_id,
            agency_id,
            client_id,
            status: UserStatus::Active,
            last_login_at: None,
            meta: Meta::created(now),
        }
    }

    /// Whether the user is an active admin of the user's home.
    pub fn is_active_admin(&self) -> bool {
        self.status == UserStatus::Active && self.role.is_admin()
    }

    /// The fields that an admin may change.
    pub fn fields(&self) -> UserFields {
        UserFields {
            email: self.email.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            role: self.role,
            status: self.status,
        }
    }

    /// The next version with these fields, or the current version if they are the same.
    #[must_use]
    pub fn with_fields(&self, fields: UserFields, now: Instant) -> Self {
        let meta = self.meta.changed_if(fields != self.fields(), now);
        let UserFields { email, first_name, last_name, role, status } = fields;
        Self { email, first_name, last_name, role, status, meta, ..self.clone() }
    }

    /// The fields that the user may change.
    pub fn profile(&self) -> Profile {
        Profile { first_name: self.first_name.clone(), last_name: self.last_name.clone() }
    }

    /// The next version with this profile, or the current version if it is the same.
    #[must_use]
    pub fn with_profile(&self, profile: Profile, now: Instant) -> Self {
        let meta = self.meta.changed_if(profile != self.profile(), now);
        Self { first_name: profile.first_name, last_name: profile.last_name, meta, ..self.clone() }
    }
}

/// The pointer from an email to the user and the user's home.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailPointer {
    /// The user.
    pub user_id: UserId,
    /// Whether the user has proved access to the mailbox.
    pub proved: bool,
    /// The user's home.
    #[serde(flatten)]
    pub home: StoredHome,
}

impl EmailPointer {
    /// A pointer to a user of a home.
    pub fn new(user_id: UserId, home: HomeScope, proved: bool) -> Self {
        Self { user_id, proved, home: home.into() }
    }

    /// Whether the user is in this home.
    pub fn is_in(&self, home: HomeScope) -> bool {
        self.home == home.into()
    }

    /// Whether a user with this status may be created in `home` with the same email.
    ///
    /// Only an invited user, who has to prove access to the mailbox, and only in another tenant, where the existing
    /// user is not visible.
    pub fn gives_way(&self, home: HomeScope, status: UserStatus) -> bool {
        !self.proved && status == UserStatus::Invited && self.home.is_of_other_tenant(home)
    }
}

impl Versioned for User {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl Versioned for Account {
    fn meta(&self) -> &Meta {
        &self.user.meta
    }
}

/// A source address from which a user has signed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownIp {
    /// When the source is no longer known.
    pub until: Instant,
    /// `until` in Unix seconds, for DynamoDB's time to live.
    pub ttl: i64,
}

/// A session of a user.
///
/// The refresh token of a session is valid once: each use creates the token of the next generation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The generation of the valid refresh token, from 1.
    pub generation: u64,
    /// The user's epoch, see [`Account::epoch`].
    #[serde(default)]
    pub epoch: u64,
    /// When the session expires.
    pub expires: Instant,
    /// `expires` in Unix seconds, for DynamoDB's time to live.
    pub ttl: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::assert_names_agree;

    #[test]
    fn status_names_agree() {
        assert_names_agree::<UserStatus>();
    }
}
