//! Writes of users and their sessions, with the items that change together.

use super::user_pointer;
use super::{Account, Session, User, UserCountChange, UserId};
use crate::identity::{HomeScope, SessionId};
use crate::table::{ChildCount, Condition, Failure, Key, OnFailed, Operand, StoreError, Transaction, Update};
use crate::value::Instant;
use crate::web::{ErrorCode, Problem};

/// Creates a user of a home.
///
/// The caller counts the user with [`count_users`].
pub fn create(transaction: &mut Transaction, home: HomeScope, account: &Account) -> Result<(), StoreError> {
    transaction.create(&home.user(account.user.id), account)?;
    user_pointer::write(transaction, home, &account.user)
}

/// Writes the next version of a user.
///
/// A conflict if the user no longer has the version of `before`.
pub fn replace(
    transaction: &mut Transaction,
    home: HomeScope,
    before: &Account,
    next: &Account,
) -> Result<(), StoreError> {
    transaction.replace(&home.user(next.user.id), next, before.user.meta.version)?;
    write_pointer_if_changed(transaction, home, &before.user, &next.user)
}

/// Deletes a user.
///
/// The caller counts the user with [`count_users`].
pub fn delete(transaction: &mut Transaction, home: HomeScope, user: &User) -> Result<(), StoreError> {
    transaction.delete(&home.user(user.id), user.meta.version)?;
    user_pointer::remove(transaction, user.id)
}

/// Writes the pointer to a user if its role or status changes.
pub fn write_pointer_if_changed(
    transaction: &mut Transaction,
    home: HomeScope,
    before: &User,
    next: &User,
) -> Result<(), StoreError> {
    if (before.role, before.status) == (next.role, next.status) {
        return Ok(());
    }
    user_pointer::write(transaction, home, next)
}

/// Counts created, deleted or changed users of a home.
///
/// A home with users keeps at least one active admin, who can help the other users: else `409 last_admin`.
/// Only a caller with `may_delete_last` may delete the last user of a home.
pub fn count_users(
    transaction: &mut Transaction,
    count: &Key<ChildCount>,
    change: UserCountChange,
    may_delete_last: bool,
) -> Result<(), StoreError> {
    let another_admin = Condition::greater("admins", 1_u64);
    let condition = match (change.admins < 0, may_delete_last && change.users < 0) {
        (false, _) => Condition::Exists,
        (true, false) => another_admin,
        (true, true) => another_admin.or(Condition::equal("users", 1_u64)),
    };
    let update = Update::default().add("n", change.users).add("users", change.users).add("admins", change.admins);
    let last_admin = "This user is the last active admin. Make another user an admin first.";
    let last_admin = Problem::new(ErrorCode::LastAdmin, last_admin);
    transaction.update(count, update, condition, OnFailed::exists_or(last_admin.into(), Failure::NotFound))
}

/// Records the time of a sign-in.
///
/// The version stays: `lastLoginAt` is not an editable field, and a form that was opened before the sign-in must not
/// fail. Fails with `on_changed` if the password or the status has changed since the user was read, or the
/// user was deleted.
pub fn record_sign_in(
    transaction: &mut Transaction,
    home: HomeScope,
    read: &Account,
    at: Instant,
    on_changed: Problem,
) -> Result<(), StoreError> {
    let hash = read.password_hash.clone().unwrap_or_default();
    let unchanged =
        Condition::equal("passwordHash", hash).and(Condition::equal("status", Operand::serialize(&read.user.status)?));
    let update = Update::default().set("lastLoginAt", at);
    transaction.update(&home.user(read.user.id), update, unchanged, Failure::from(on_changed))
}

/// Makes the next generation of a session the valid one.
///
/// A conflict if another request was first. All other attributes of the item are unchanged.
pub fn refresh_session(transaction: &mut Transaction, key: &Key<Session>, next: &Session) -> Result<(), StoreError> {
    let update = Update::default().set("generation", next.generation).set("expires", next.expires).set("ttl", next.ttl);
    transaction.update(key, update, Condition::equal("generation", next.generation - 1), Failure::Conflict)
}

/// Keeps a session valid in the user's next epoch, which ends all other sessions.
///
/// Fails with `on_ended` if the session has ended: it was deleted, has expired or is of an earlier epoch.
pub fn keep_session(
    transaction: &mut Transaction,
    home: HomeScope,
    (user, session): (UserId, SessionId),
    next: &Account,
    now: Instant,
    on_ended: Problem,
) -> Result<(), StoreError> {
    let key = home.session(user, session);
    let is_current = Condition::equal("epoch", next.epoch - 1).and(Condition::greater("expires", now));
    transaction.update(&key, Update::default().set("epoch", next.epoch), is_current, Failure::from(on_ended))
}
