//! Invitations and password resets: a random token, told by mail alone and stored as its hash, good once and for a while.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::{HomeScope, KeyError};
use crate::entity::{Account, EmailPointer, Status, UserId};
use crate::keys::{self, Key};
use crate::mail::{Mail, Message};
use crate::store::{Store, Transaction};
use crate::value::Instant;
use crate::{App, Problem, Result};

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// To choose the first password.
    Invitation,
    /// To choose another.
    Reset,
}

impl Purpose {
    /// What a user in this state can be mailed, if anything.
    pub const fn of(status: Status) -> Option<Self> {
        match status {
            Status::Invited => Some(Self::Invitation),
            Status::Active => Some(Self::Reset),
            Status::Disabled => None,
        }
    }

    /// How long a token is good.
    const fn lasts(self) -> Duration {
        match self {
            Self::Invitation => Duration::days(7),
            Self::Reset => Duration::hours(1),
        }
    }
}

/// Whose a token is, under its hash. It counts only while the user is as they were when it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    #[serde(flatten)]
    whose: EmailPointer,
    purpose: Purpose,
    /// See [`Account::epoch`].
    epoch: u64,
    expires: Instant,
    /// The same in Unix seconds; DynamoDB deletes the row some time after.
    ttl: i64,
}

/// A token that was found to be somebody's.
pub struct OneTimeToken {
    /// Their home.
    pub home: HomeScope,
    /// The user.
    pub user: UserId,
    credential: Credential,
    key: Key<Credential>,
}

/// Makes a token for a user and mails it to them.
pub fn mail(
    app: &App,
    transaction: &mut Transaction,
    home: HomeScope,
    account: &Account,
    purpose: Purpose,
) -> Result<()> {
    let (token, user, now) = (random().map_err(Problem::internal)?, &account.user, app.clock().now());
    let expires = Instant::from(now.to_utc() + purpose.lasts());
    let whose = EmailPointer::from(user);
    let credential = Credential { whose, purpose, epoch: account.epoch, expires, ttl: expires.unix_seconds() };
    transaction.create(&keys::credential(&hash(&token)), &credential)?;
    let first_name = user.first_name.clone();
    let message = match purpose {
        Purpose::Invitation => Message::Invitation { first_name, token },
        Purpose::Reset => Message::PasswordReset { first_name, token },
    };
    transaction.mail(app, home, &Mail { to: user.email.clone(), message, until: expires })
}

/// Finds whose a token is; `None` if it is nobody's, for something else, or too old.
pub async fn find(store: &Store, token: &str, purpose: Purpose, now: Instant) -> Result<Option<OneTimeToken>> {
    let key = keys::credential(&hash(token));
    let credential = store.get(&key).await?;
    let credential = credential.filter(|credential| credential.purpose == purpose && now < credential.expires);
    Ok(credential.and_then(|credential| {
        let home = credential.whose.home()?;
        Some(OneTimeToken { home, user: credential.whose.user_id, credential, key })
    }))
}

impl OneTimeToken {
    /// Whether the user is still as they were when it was made.
    pub fn fits(&self, account: &Account) -> bool {
        self.credential.epoch == account.epoch && Purpose::of(account.user.status) == Some(self.credential.purpose)
    }

    /// Uses it up; `otherwise` says what it means if it was used before.
    pub fn consume(&self, transaction: &mut Transaction, otherwise: Problem) -> Result<()> {
        transaction.consume(&self.key, otherwise)
    }
}

/// 256 random bits: nobody guesses them, and a plain hash hides them.
fn random() -> std::result::Result<String, KeyError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(BASE64URL.encode(bytes))
}

fn hash(token: &str) -> String {
    BASE64URL.encode(digest(&SHA256, token.as_bytes()))
}
