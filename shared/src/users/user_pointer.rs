//! Pointers to users: home, role and status, found by the user's id.
//!
//! Other modules check these instead of the users' own items, which contain password hashes.

use serde::{Deserialize, Serialize};

use super::keys::user_pointer;
use super::{User, UserId, UserStatus};
use crate::identity::{ClientScope, HomeScope, Role};
use crate::table::{Condition, Failure, Operand, StoreError, Transaction};

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

/// Requires that a user is still active and has this role.
///
/// An access token only states what was true when it was issued.
pub fn require_active_role(
    transaction: &mut Transaction,
    user: UserId,
    role: Role,
    on_failed: impl Into<Failure>,
) -> Result<(), StoreError> {
    let has_role = Condition::equal("role", Operand::serialize(&role)?);
    let is_active = Condition::equal("status", Operand::serialize(&UserStatus::Active)?);
    transaction.check(&user_pointer(user), has_role.and(is_active), on_failed.into())
}
