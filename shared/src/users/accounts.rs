//! Emails of users: lookup, reservation and proof.
//!
//! The pointer from an email makes it unique. It records whether its user has proved access to the mailbox, by
//! redeeming a token from a mail: an email cannot be kept from its owner by reserving it.

use super::keys::email_pointer;
use super::{Account, EmailPointer, User};
use crate::identity::{DataKey, HomeScope};
use crate::table::{Condition, Failure, Key, Operand, Store, StoreError, Transaction};
use crate::value::{Email, InvalidValue};
use crate::web::{App, ErrorCode, Problem, Result};

/// A user and the user's home.
pub struct FoundUser {
    /// The user's home.
    pub home: HomeScope,
    /// The user as stored.
    pub account: Account,
}

/// Finds a user by email.
///
/// Always two reads, so that the response time does not reveal whether the email is in use.
pub async fn by_email(app: &App, store: &Store, email: &Email) -> Result<Option<FoundUser>> {
    let pointer = store.get(&email_key(app, email)?).await?;
    let home = pointer.and_then(|pointer| pointer.home.scope());
    let (Some(pointer), Some(home)) = (pointer, home) else {
        store.ping().await?;
        return Ok(None);
    };
    let account = store.get(&home.user(pointer.user_id)).await?;
    Ok(account.map(|account| FoundUser { home, account }))
}

/// Reserves the email of a new user, or of a user with a new email.
///
/// `holder` is the current pointer of the email. `409 email_taken` if it does not [give way](EmailPointer::gives_way);
/// a conflict if it has changed. An invitation to an email that gives way reserves nothing: the email changes hands
/// when the invitation is accepted.
pub fn reserve_email(
    app: &App,
    transaction: &mut Transaction,
    home: HomeScope,
    user: &User,
    holder: Option<&EmailPointer>,
) -> Result<()> {
    let key = email_key(app, &user.email)?;
    match holder {
        None => {
            let pointer = EmailPointer::new(user.id, home, false);
            Ok(transaction.create_or(&key, &pointer, Failure::Conflict)?)
        }
        Some(holder) if holder.gives_way(home, user.status) => {
            let unchanged =
                Condition::equal("userId", holder.user_id).and(Condition::equal("proved", Operand::serialize(&false)?));
            Ok(transaction.check(&key, unchanged, Failure::Conflict)?)
        }
        // A concurrent request has made the same change: read it again.
        Some(holder) if holder.user_id == user.id => Err(StoreError::Conflict.into()),
        Some(_) => Err(email_taken()),
    }
}

/// Reserves the email of a user created by the operator; `409 email_taken` if another user has it.
#[cfg(feature = "operator")]
pub(super) fn reserve_proved_email(
    app: &App,
    transaction: &mut Transaction,
    home: HomeScope,
    user: &User,
) -> Result<()> {
    let pointer = EmailPointer::new(user.id, home, true);
    Ok(transaction.create_or(&email_key(app, &user.email)?, &pointer, email_taken())?)
}

/// Gives the email to a user who has proved access to the mailbox.
///
/// A user who never proved it loses the email. Fails with `on_taken` if another user has proved it.
pub fn prove_email(
    app: &App,
    transaction: &mut Transaction,
    home: HomeScope,
    user: &User,
    on_taken: Problem,
) -> Result<()> {
    let is_free = Condition::NotExists
        .or(Condition::equal("userId", user.id))
        .or(Condition::equal("proved", Operand::serialize(&false)?));
    let pointer = EmailPointer::new(user.id, home, true);
    Ok(transaction.put(&email_key(app, &user.email)?, &pointer, is_free, Failure::from(on_taken))?)
}

/// Releases the email of a user, so that another user can have it.
///
/// `holder` is the current pointer of the email. Does nothing if it leads to another user; a conflict if it has
/// changed.
pub fn release_email(
    app: &App,
    transaction: &mut Transaction,
    user: &User,
    holder: Option<&EmailPointer>,
) -> Result<()> {
    if holder.is_none_or(|holder| holder.user_id != user.id) {
        return Ok(());
    }
    let unchanged = Condition::equal("userId", user.id);
    Ok(transaction.delete_if(&email_key(app, &user.email)?, unchanged, Failure::Conflict)?)
}

/// The problem of an email that another user has.
pub fn email_taken() -> Problem {
    let taken = Problem::new(ErrorCode::EmailTaken, "Another user has this email.");
    taken.at("/email", InvalidValue::new("taken", "is taken"))
}

/// The key of the pointer from an email to its user.
pub fn email_key(app: &App, email: &Email) -> Result<Key<EmailPointer>> {
    Ok(email_pointer(&app.hasher(DataKey::Users, "email")?.hash(&email.folded())))
}
