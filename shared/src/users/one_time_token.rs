//! One-time tokens of invitations and password resets.
//!
//! A token is random, sent only by mail and stored as a hash. It is valid once and for a limited time.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::accounts::FoundUser;
use super::keys::one_time_token;
use super::{Account, User, UserId, UserStatus};
use crate::identity::{DataKey, HomeScope, KeyError, PlatformScope, Sealer, StoredHome};
use crate::mail::{self, GreetingName, Mail, Message};
use crate::table::{Condition, Failure, Key, Store, StoreError, Transaction};
use crate::value::{Email, Instant};
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
/// All items have the same size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredToken {
    /// The sealed content, with the hash of the token as its context.
    sealed: String,
    /// When the token expires, in Unix seconds, for DynamoDB's time to live.
    ttl: i64,
}

/// What a token is for.
///
/// Valid only while the user has the same epoch and status as when the token was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    user: UserId,
    home: StoredHome,
    purpose: Purpose,
    /// See [`Account::epoch`].
    epoch: u64,
    expires: Instant,
}

/// A token that exists and has not expired.
pub struct OneTimeToken {
    /// The user's home.
    pub home: HomeScope,
    /// The user.
    pub user: UserId,
    content: Content,
    key: Key<StoredToken>,
}

/// The purpose of the key that seals tokens.
const SEAL: &str = "token";

/// The size of a token's content before it is sealed, in bytes.
const PADDED_SIZE: usize = 320;

impl StoredToken {
    /// A token with this content, under this hash; without content, no token is valid.
    fn new(sealer: &Sealer, hash: &str, content: Option<&Content>, expires: Instant) -> Result<Self> {
        let mut plain = serde_json::to_vec(&content).map_err(Problem::internal)?;
        plain.resize(plain.len().max(PADDED_SIZE), b' ');
        Ok(Self { sealed: sealer.seal(hash, &plain)?, ttl: expires.unix_seconds() })
    }

    fn open(&self, sealer: &Sealer, hash: &str) -> Option<Content> {
        serde_json::from_slice(&sealer.open(hash, &self.sealed)?).ok()?
    }
}

/// Makes a token for a user and mails it to the user.
pub fn mail(
    app: &App,
    transaction: &mut Transaction,
    home: HomeScope,
    account: &Account,
    purpose: Purpose,
) -> Result<()> {
    let token = create(app, transaction, Some((home, account)), purpose)?;
    mail::enqueue(transaction, app, home, &token_mail(app, &account.user, purpose, token))
}

/// Makes a token on request of a caller who only knows an email, and mails it to the user with this email.
///
/// Writes as many items of the same keys and sizes if no user has the email, or the user may not sign in, so that the
/// response time does not reveal it. The mail is queued on the platform, because the caller acts in no other scope.
pub fn mail_on_request(
    app: &App,
    transaction: &mut Transaction,
    email: &Email,
    found: Option<&FoundUser>,
) -> Result<()> {
    let recipient = found.and_then(|found| Some((found, Purpose::of(found.account.user.status)?)));
    let owner = recipient.map(|(found, _)| (found.home, &found.account));
    let purpose = recipient.map_or(Purpose::Reset, |(_, purpose)| purpose);
    let token = create(app, transaction, owner, purpose)?;
    let mail = match recipient {
        Some((found, purpose)) => token_mail(app, &found.account.user, purpose, token),
        None => Mail { to: email.clone(), message: Message::Placeholder, until: expiry(app, purpose) },
    };
    mail::enqueue(transaction, app, PlatformScope::root().into(), &mail)
}

/// Adds a new token of a user; without a user, a token that is never valid.
fn create(
    app: &App,
    transaction: &mut Transaction,
    owner: Option<(HomeScope, &Account)>,
    purpose: Purpose,
) -> Result<String> {
    let (token, expires) = (random()?, expiry(app, purpose));
    let content = owner.map(|(home, account)| Content {
        user: account.user.id,
        home: home.into(),
        purpose,
        epoch: account.epoch,
        expires,
    });
    let hash = hash(&token);
    let stored = StoredToken::new(&app.sealer(DataKey::Users, SEAL)?, &hash, content.as_ref(), expires)?;
    transaction.create(&one_time_token(&hash), &stored)?;
    Ok(token)
}

fn token_mail(app: &App, user: &User, purpose: Purpose, token: String) -> Mail {
    let name = GreetingName::from(&user.first_name);
    let message = match purpose {
        Purpose::Invitation => Message::Invitation { name, token },
        Purpose::Reset => Message::PasswordReset { name, token },
    };
    Mail { to: user.email.clone(), message, until: expiry(app, purpose) }
}

/// When a token that is made now expires.
fn expiry(app: &App, purpose: Purpose) -> Instant {
    Instant::from(app.now().to_utc() + purpose.validity())
}

/// Finds a token; `None` if it does not exist, has another purpose or has expired.
pub async fn find(app: &App, store: &Store, token: &str, purpose: Purpose) -> Result<Option<OneTimeToken>> {
    let hash = hash(token);
    let key = one_time_token(&hash);
    let Some(stored) = store.get(&key).await? else { return Ok(None) };
    let content = stored.open(&app.sealer(DataKey::Users, SEAL)?, &hash);
    let content = content.filter(|content| content.purpose == purpose && app.now() < content.expires);
    Ok(content.and_then(|content| Some(OneTimeToken { home: content.home.scope()?, user: content.user, content, key })))
}

impl OneTimeToken {
    /// Whether the token is still valid for the user in the current epoch and status.
    pub fn is_valid_for(&self, account: &Account) -> bool {
        self.content.epoch == account.epoch && Purpose::of(account.user.status) == Some(self.content.purpose)
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

fn hash(token: &str) -> String {
    BASE64URL.encode(digest(&SHA256, token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Secret;
    use crate::value::Id;

    #[test]
    fn stored_tokens_have_one_size_and_open_under_their_hash() {
        let sealer = Secret::new(&[7; 32]).unwrap().sealer(SEAL).unwrap();
        let expires: Instant = "2026-03-08T06:30:00.123Z".parse().unwrap();
        let platform = PlatformScope::root();
        let id = || uuid::Uuid::now_v7();
        let agency = platform.tenant(Id::from_uuid(id())).agency(Id::from_uuid(id()));
        let homes: [HomeScope; 3] = [platform.into(), agency.into(), agency.client(Id::from_uuid(id())).into()];
        let mut sizes = vec![StoredToken::new(&sealer, "hash", None, expires).unwrap().sealed.len()];
        for home in homes {
            for (purpose, epoch) in [(Purpose::Invitation, 0), (Purpose::Reset, u64::from(u32::MAX))] {
                let content = Content { user: Id::from_uuid(id()), home: home.into(), purpose, epoch, expires };
                let stored = StoredToken::new(&sealer, "hash", Some(&content), expires).unwrap();
                assert_eq!(stored.open(&sealer, "hash"), Some(content));
                assert_eq!(stored.open(&sealer, "other"), None);
                sizes.push(stored.sealed.len());
            }
        }
        assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
    }

    #[test]
    fn token_without_content_is_never_valid() {
        let sealer = Secret::new(&[7; 32]).unwrap().sealer(SEAL).unwrap();
        let stored = StoredToken::new(&sealer, "hash", None, "2026-03-08T06:30:00Z".parse().unwrap()).unwrap();
        assert_eq!(stored.open(&sealer, "hash"), None);
    }
}
