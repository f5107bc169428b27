use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Meta, UserId};
use crate::auth::{AgencyId, ClientId, HomeScope, Role, TenantId};
use crate::value::{Email, Instant, Invalid, Name};

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

/// A user as stored: with the password's hash, which the API never shows.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What the API shows.
    #[serde(flatten)]
    pub user: User,
    /// Argon2id in PHC format; absent until an invitation is accepted.
    pub password_hash: Option<String>,
}

/// What a user may change of themselves.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = Invalid, rename_all = camelCase, deny_unknown_fields)]
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
pub struct AccountPointer {
    /// The user.
    pub user_id: UserId,
    /// The tenant of their home.
    pub tenant_id: Option<TenantId>,
    /// The agency of their home.
    pub agency_id: Option<AgencyId>,
    /// The client that is their home.
    pub client_id: Option<ClientId>,
}

impl From<&User> for AccountPointer {
    fn from(user: &User) -> Self {
        Self { user_id: user.id, tenant_id: user.tenant_id, agency_id: user.agency_id, client_id: user.client_id }
    }
}

/// A sign-in that is still good. Its refresh token is good once: each use makes the next generation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Counts the refreshes, from 1.
    pub generation: u64,
    /// Good until then.
    pub expires: Instant,
    /// The same in Unix seconds; DynamoDB deletes the row some time after.
    pub ttl: i64,
}
