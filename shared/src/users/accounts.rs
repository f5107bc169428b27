//! Lookup of users by email.

use super::keys::email_pointer;
use super::{Account, EmailPointer, User};
use crate::identity::HomeScope;
use crate::table::{Key, Store, Transaction};
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
    let pointer = store.get(&pointer(app, email)?).await?;
    let home = pointer.and_then(|pointer| pointer.home.scope());
    let (Some(pointer), Some(home)) = (pointer, home) else {
        store.ping().await?;
        return Ok(None);
    };
    let account = store.get(&home.user(pointer.user_id)).await?;
    Ok(account.map(|account| FoundUser { home, account }))
}

/// Reserves the email of a user; `409 email_taken` if another user has it.
pub fn reserve_email(app: &App, transaction: &mut Transaction, home: HomeScope, user: &User) -> Result<()> {
    let taken = Problem::new(ErrorCode::EmailTaken, "Another user has this email.");
    let taken = taken.at("/email", InvalidValue::new("taken", "is taken"));
    Ok(transaction.create_or(&pointer(app, &user.email)?, &EmailPointer::new(user.id, home), taken)?)
}

/// Releases the email of a user, so that another user can have it.
pub fn release_email(app: &App, transaction: &mut Transaction, user: &User) -> Result<()> {
    Ok(transaction.remove(&pointer(app, &user.email)?)?)
}

fn pointer(app: &App, email: &Email) -> Result<Key<EmailPointer>> {
    Ok(email_pointer(&app.hasher("email")?.hash(&email.folded())))
}
