//! Users by their email.

use super::HomeScope;
use crate::entity::{Account, EmailPointer, User};
use crate::keys::{self, Key};
use crate::store::{Store, Transaction};
use crate::value::{Email, InvalidValue};
use crate::{App, Problem, Result};

/// A user who was found by their email.
pub struct FoundUser {
    /// Their home.
    pub home: HomeScope,
    /// The user as stored.
    pub account: Account,
}

/// Finds a user by email: two reads, also when there is none, so that the time it takes does not tell.
pub async fn by_email(app: &App, store: &Store, email: &Email) -> Result<Option<FoundUser>> {
    let pointer = store.get(&pointer(app, email)).await?;
    let home = pointer.as_ref().and_then(EmailPointer::home);
    let (Some(pointer), Some(home)) = (pointer, home) else {
        store.ping().await?;
        return Ok(None);
    };
    let account = store.get(&home.user(pointer.user_id)).await?;
    Ok(account.map(|account| FoundUser { home, account }))
}

/// Makes a user's email theirs: `409 email_taken` if it is somebody's.
pub fn take_email(app: &App, transaction: &mut Transaction, user: &User) -> Result<()> {
    let taken = Problem::conflict("email_taken", "Somebody has this email.");
    let taken = taken.at("/email", InvalidValue::new("taken", "is taken"));
    transaction.create_or(&pointer(app, &user.email), &EmailPointer::from(user), taken)
}

/// Makes a user's email free for others.
pub fn free_email(app: &App, transaction: &mut Transaction, user: &User) -> Result<()> {
    transaction.remove(&pointer(app, &user.email))
}

fn pointer(app: &App, email: &Email) -> Key<EmailPointer> {
    keys::account_pointer(&app.emails().hash(&email.folded()))
}
