//! Pointers to users: home, role and status, found by the user's id.
//!
//! Other modules check these instead of the users' own items, which contain password hashes.

use serde::{Deserialize, Serialize};

use super::keys::user_pointer;
use super::{User, UserId, UserStatus};
use crate::identity::{Actor, ClientScope, HomeScope, Role};
use crate::table::{Condition, Failure, Operand, StoreError, Transaction};
use crate::web::Problem;

/// The home, the role and the status of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserPointer {
    /// The prefix of the home's keys.
    home: String,
    role: Role,
    status: UserStatus,
}

/// Writes the pointer to a new or changed user.
pub(crate) fn write(transaction: &mut Transaction, home: HomeScope, user: &User) -> Result<(), StoreError> {
    let pointer = UserPointer { home: home.to_string(), role: user.role, status: user.status };
    transaction.overwrite(&user_pointer(user.id), &pointer)
}

/// Removes the pointer to a deleted user.
pub(crate) fn remove(transaction: &mut Transaction, user: UserId) -> Result<(), StoreError> {
    transaction.remove(&user_pointer(user))
}

/// Requires that a user may be assigned work in a client.
///
/// The user's home must be the client, its agency or the platform, and the user must not be disabled.
pub fn require_assignee(
    transaction: &mut Transaction,
    client: ClientScope,
    user: UserId,
    on_failed: impl Into<Failure>,
) -> Result<(), StoreError> {
    let [a, b, c] = client.home_prefixes().map(|home| Condition::equal("home", home));
    let active = Condition::not_equal("status", Operand::serialize(&UserStatus::Disabled)?);
    transaction.check(&user_pointer(user), a.or(b).or(c).and(active), on_failed.into())
}

/// Requires that the actor is still active, with the role and the home of the access token.
///
/// A token states what was true when it was issued, up to 15 minutes ago. Operations with lasting effects call
/// this: those that give access, and those that delete users, settings or a part of the tree. A deleted, disabled
/// or demoted user gets a 401, which takes precedence over all other errors; the refresh token of a demoted user
/// gets a token with the current role.
pub fn require_current_actor(transaction: &mut Transaction, actor: &Actor) -> Result<(), StoreError> {
    let is_active = Condition::equal("status", Operand::serialize(&UserStatus::Active)?);
    let has_role = Condition::equal("role", Operand::serialize(&actor.role())?);
    let has_home = Condition::equal("home", actor.home().to_string());
    let on_failed = Failure::Override(Box::new(Problem::unauthenticated()));
    transaction.check(&user_pointer(actor.user()), is_active.and(has_role).and(has_home), on_failed)
}
