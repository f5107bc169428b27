//! One-time tokens of invitations and password resets.
//!
//! A token is random, sent only by mail and stored as a hash. It is valid once and for a limited time.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::keys::one_time_token;
use super::{Account, EmailPointer, UserId, UserStatus};
use crate::identity::{HomeScope, KeyError};
use crate::mail::{self, Mail, Message};
use crate::table::{Condition, Failure, Key, Store, StoreError, Transaction};
use crate::value::Instant;
use crate::web::{App, Problem, Result};

/// The purpose of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// To choose the first password.
    Invitation,
    /// To choose another password.
    Reset,
}

impl Purpose {
    /// The purpose of a token for a user with this status, if the user can get one.
    pub const fn of(status: UserStatus) -> Option<Self> {
        match status {
            UserStatus::Invited => Some(Self::Invitation),
            UserStatus::Active => Some(Self::Reset),
            UserStatus::Disabled => None,
        }
    }

    /// How long a token is valid.
    const fn validity(self) -> Duration {
        match self {
            Self::Invitation => Duration::days(7),
            Self::Reset => Duration::hours(1),
        }
    }
}

/// A token as stored under its hash.
///
/// Valid only while the user has the same epoch and status as when the token was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredToken {
    #[serde(flatten)]
    owner: EmailPointer,
    purpose: Purpose,
    /// See [`Account::epoch`].
    epoch: u64,
    expires: Instant,
    /// `expires` in Unix seconds, for DynamoDB's time to live.
    ttl: i64,
}

/// A token that exists and has not expired.
pub struct OneTimeToken {
    /// The user's home.
    pub home: HomeScope,
    /// The user.
    pub user: UserId,
    stored: StoredToken,
    key: Key<StoredToken>,
}

/// Makes a token for a user and mails it to the user.
pub fn mail(
    app: &App,
    transaction: &mut Transaction,
    home: HomeScope,
    account: &Account,
    purpose: Purpose,
) -> Result<()> {
    let (token, user, now) = (random()?, &account.user, app.now());
    let expires = Instant::from(now.to_utc() + purpose.validity());
    let owner = EmailPointer::new(user.id, home);
    let stored = StoredToken { owner, purpose, epoch: account.epoch, expires, ttl: expires.unix_seconds() };
    transaction.create(&token_key(&token), &stored)?;
    let first_name = user.first_name.clone();
    let message = match purpose {
        Purpose::Invitation => Message::Invitation { first_name, token },
        Purpose::Reset => Message::PasswordReset { first_name, token },
    };
    mail::enqueue(transaction, app, home, &Mail { to: user.email.clone(), message, until: expires })
}

/// Finds a token; `None` if it does not exist, has another purpose or has expired.
pub async fn find(
    store: &Store,
    token: &str,
    purpose: Purpose,
    now: Instant,
) -> Result<Option<OneTimeToken>, StoreError> {
    let key = token_key(token);
    let stored = store.get(&key).await?;
    let stored = stored.filter(|stored| stored.purpose == purpose && now < stored.expires);
    Ok(stored.and_then(|stored| {
        let home = stored.owner.home.scope()?;
        Some(OneTimeToken { home, user: stored.owner.user_id, stored, key })
    }))
}

impl OneTimeToken {
    /// Whether the token is still valid for the user in the current epoch and status.
    pub fn is_valid_for(&self, account: &Account) -> bool {
        self.stored.epoch == account.epoch && Purpose::of(account.user.status) == Some(self.stored.purpose)
    }

    /// Deletes the token; fails with `on_used` if it was used before.
    pub fn consume(&self, transaction: &mut Transaction, on_used: Problem) -> Result<(), StoreError> {
        transaction.delete_if(&self.key, Condition::Exists, Failure::from(on_used))
    }
}

/// Makes a token of 256 random bits.
///
/// They cannot be guessed, so that a hash without a key is sufficient.
fn random() -> std::result::Result<String, KeyError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(BASE64URL.encode(bytes))
}

fn token_key(token: &str) -> Key<StoredToken> {
    one_time_token(&hash(token))
}

fn hash(token: &str) -> String {
    BASE64URL.encode(digest(&SHA256, token.as_bytes()))
}
