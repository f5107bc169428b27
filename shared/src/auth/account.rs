//! Users by their email.

use super::HomeScope;
use crate::entity::{Account, AccountPointer};
use crate::keys::{self, Key};
use crate::store::Store;
use crate::value::Email;
use crate::{App, Result};

/// A user who was found by their email.
pub struct Found {
    /// Their home.
    pub home: HomeScope,
    /// The user as stored.
    pub account: Account,
}

/// Finds a user by email: two reads, also when there is none, so that the time it takes does not tell.
pub async fn by_email(app: &App, store: &Store, email: &Email) -> Result<Option<Found>> {
    let pointer = store.get(&pointer(app, email)).await?;
    let home = pointer.as_ref().and_then(AccountPointer::home);
    let (Some(pointer), Some(home)) = (pointer, home) else {
        store.probe().await?;
        return Ok(None);
    };
    let account = store.get(&home.user(pointer.user_id)).await?;
    Ok(account.map(|account| Found { home, account }))
}

pub(super) fn pointer(app: &App, email: &Email) -> Key<AccountPointer> {
    keys::account_pointer(&app.emails().hash(&email.folded()))
}
