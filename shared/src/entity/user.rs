use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Meta, UserId};
use std::str::FromStr;

use crate::auth::{AgencyId, ClientId, HomeScope, Role, TenantId};
use crate::value::{Email, Instant, InvalidValue, Name, ValidationErrors, parsed_value};

/// Somebody who may sign in, as the API shows them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Unique on the whole platform, whatever its case.
    pub email: Email,
    /// Given name.
    pub first_name: Name,
    /// Family name.
    pub last_name: Name,
    /// What they may do in their home.
    pub role: Role,
    /// The tenant of their home.
    pub tenant_id: Option<TenantId>,
    /// The agency of their home.
    pub agency_id: Option<AgencyId>,
    /// The client that is their home.
    pub client_id: Option<ClientId>,
    /// Whether they may sign in.
    pub status: Status,
    /// When they last signed in.
    pub last_login_at: Option<Instant>,
    /// Version and times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// Whether a user may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Not before the invitation is accepted.
    Invited,
    /// Yes.
    Active,
    /// No longer.
    Disabled,
}

impl FromStr for Status {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "INVITED" => Ok(Self::Invited),
            "ACTIVE" => Ok(Self::Active),
            "DISABLED" => Ok(Self::Disabled),
            _ => Err(InvalidValue::new("invalid_value", "must be one of INVITED, ACTIVE, DISABLED")),
        }
    }
}

parsed_value!([] Status);

/// A user as stored: with the password's hash, which the API never shows.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What the API shows.
    #[serde(flatten)]
    pub user: User,
    /// Argon2id in PHC format; absent until an invitation is accepted.
    pub password_hash: Option<String>,
    /// Counts what ends sessions and open invitations and resets: a new password, another email, being disabled. What was
    /// made in an earlier epoch is good no longer.
    #[serde(default)]
    pub epoch: u64,
}

impl Account {
    /// The same in the next epoch.
    #[must_use]
    pub fn next_epoch(self) -> Self {
        Self { epoch: self.epoch + 1, ..self }
    }
}

/// What those who manage users may change of one.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct UserFields {
    /// Unique on the whole platform, whatever its case.
    pub email: Email,
    /// Given name.
    pub first_name: Name,
    /// Family name.
    pub last_name: Name,
    /// One of the roles of their home.
    pub role: Role,
    /// `DISABLED` and back to `ACTIVE`, or to `INVITED` for whoever never chose a password.
    pub status: Status,
}

/// How many users come (or go), and how many admins who can act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserCountChange {
    /// Users.
    pub users: i8,
    /// Admins who can act.
    pub admins: i8,
}

impl UserCountChange {
    /// From what was to what is.
    pub fn between(before: Option<&User>, after: Option<&User>) -> Self {
        let admins = |user: Option<&User>| i8::from(user.is_some_and(User::is_acting_admin));
        Self { users: i8::from(after.is_some()) - i8::from(before.is_some()), admins: admins(after) - admins(before) }
    }
}

/// What a user may change of themselves.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct Profile {
    /// Given name.
    pub first_name: Name,
    /// Family name.
    pub last_name: Name,
}

impl User {
    /// A new user of `home`, created now.
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
            status: Status::Active,
            last_login_at: None,
            meta: Meta::created(now),
        }
    }

    /// Whether they administer their home, now.
    pub fn is_acting_admin(&self) -> bool {
        self.status == Status::Active && self.role.is_admin()
    }

    /// What those who manage users may change, as it is.
    pub fn fields(&self) -> UserFields {
        UserFields {
            email: self.email.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            role: self.role,
            status: self.status,
        }
    }

    /// The same user with other fields, changed now.
    #[must_use]
    pub fn with_fields(&self, fields: UserFields, now: Instant) -> Self {
        let UserFields { email, first_name, last_name, role, status } = fields;
        Self { email, first_name, last_name, role, status, meta: self.meta.changed(now), ..self.clone() }
    }

    /// What the user may change of themselves, as it is.
    pub fn profile(&self) -> Profile {
        Profile { first_name: self.first_name.clone(), last_name: self.last_name.clone() }
    }

    /// The same user with another profile, changed now.
    #[must_use]
    pub fn with_profile(&self, profile: Profile, now: Instant) -> Self {
        Self {
            first_name: profile.first_name,
            last_name: profile.last_name,
            meta: self.meta.changed(now),
            ..self.clone()
        }
    }
}

/// Whose an email is: the user and their home.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailPointer {
    /// The user.
    pub user_id: UserId,
    /// The tenant of their home.
    pub tenant_id: Option<TenantId>,
    /// The agency of their home.
    pub agency_id: Option<AgencyId>,
    /// The client that is their home.
    pub client_id: Option<ClientId>,
}

impl From<&User> for EmailPointer {
    fn from(user: &User) -> Self {
        Self { user_id: user.id, tenant_id: user.tenant_id, agency_id: user.agency_id, client_id: user.client_id }
    }
}

/// A source from which a user signed in before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownIp {
    /// Known until then.
    pub until: Instant,
    /// The same in Unix seconds; DynamoDB deletes the row some time after.
    pub ttl: i64,
}

/// A sign-in that is still good. Its refresh token is good once: each use makes the next generation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Counts the refreshes, from 1.
    pub generation: u64,
    /// The user's epoch: see [`Account::epoch`].
    #[serde(default)]
    pub epoch: u64,
    /// Good until then.
    pub expires: Instant,
    /// The same in Unix seconds; DynamoDB deletes the row some time after.
    pub ttl: i64,
}
