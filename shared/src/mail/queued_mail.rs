//! Mails, and their items in the queue.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::GreetingName;
use crate::identity::{DataKey, HomeScope, Sealer};
use crate::table::Transaction;
use crate::value::{Email, Instant};
use crate::web::{App, Problem, Result};

/// The purpose of the key that seals mails.
const SEAL: &str = "mail";

/// The size of a mail before it is sealed, without the address, in bytes.
///
/// Any mail about a user fits: it has at most 40 characters of the user's name.
const PADDED_SIZE: usize = 384;

/// Queues a mail to a user of a home.
pub fn enqueue(transaction: &mut Transaction, app: &App, home: HomeScope, mail: &Mail) -> Result<()> {
    let queued = QueuedMail::new(&app.sealer(DataKey::Mail, SEAL)?, mail, app.now())?;
    Ok(transaction.create(&home.mail(app.ids().make()), &queued)?)
}

/// A mail to one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The recipient.
    pub to: Email,
    /// The content.
    pub message: Message,
    /// When the mail expires; it is not sent after that.
    pub until: Instant,
}

impl Mail {
    /// A notice of a change, which expires after a day.
    pub fn notice(to: Email, message: Message, now: Instant) -> Self {
        Self { to, message, until: Instant::from(now.to_utc() + Duration::days(1)) }
    }
}

/// The content of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Message {
    /// An invitation to a new user, who chooses a password with the token.
    Invitation {
        /// The recipient's name.
        name: GreetingName,
        /// The token for `POST /v1/auth/invitations/accept`, part of a link in the mail.
        token: String,
    },
    /// A password reset, which any caller who knows the email can request.
    PasswordReset {
        /// The recipient's name.
        name: GreetingName,
        /// The token for `POST /v1/auth/password/reset`, part of a link in the mail.
        token: String,
    },
    /// A notice that the email was changed, to the previous email.
    EmailChanged {
        /// The recipient's name.
        name: GreetingName,
    },
    /// Nothing: the mail is not sent.
    ///
    /// Queued instead of a mail if the response must not reveal whether a mail is sent.
    Placeholder,
    /// A notice that the password was changed, possibly by an attacker.
    PasswordChanged {
        /// The recipient's name.
        name: GreetingName,
    },
}

/// A mail as it is stored in the queue.
///
/// The content is sealed, because it can contain a token that gives access to an account. It cannot be read with
/// access to the table alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedMail {
    sealed: String,
    /// The number of attempts, including one in progress.
    pub attempts: u64,
    /// When the next attempt is due.
    pub due: Instant,
    /// When the mail was queued.
    pub created_at: Instant,
    /// When the mail was abandoned; `None` while it is queued.
    pub failed_at: Option<Instant>,
    /// When DynamoDB may delete an abandoned mail, in Unix seconds.
    pub ttl: Option<i64>,
}

/// The number of days for which an abandoned mail is kept for the operator.
const FAILED_DAYS: i64 = 30;

impl QueuedMail {
    /// A mail that is due now.
    fn new(sealer: &Sealer, mail: &Mail, now: Instant) -> Result<Self> {
        let mut plain = serde_json::to_vec(mail).map_err(Problem::internal)?;
        // All mails to one address have the same size: neither the table nor the time of the write reveals the kind.
        let size = PADDED_SIZE + mail.to.folded().len();
        plain.resize(plain.len().max(size), b' ');
        let sealed_mail = sealer.seal("", &plain).map_err(Problem::internal)?;
        Ok(Self { sealed: sealed_mail, attempts: 0, due: now, created_at: now, failed_at: None, ttl: None })
    }

    /// Unseals the mail.
    pub fn open(&self, app: &App) -> Result<Mail> {
        self.unseal(&app.sealer(DataKey::Mail, SEAL)?)
    }

    fn unseal(&self, sealer: &Sealer) -> Result<Mail> {
        let plain =
            sealer.open("", &self.sealed).ok_or_else(|| Problem::internal("a queued mail cannot be unsealed"))?;
        serde_json::from_slice(&plain).map_err(Problem::internal)
    }

    /// Whether an attempt is due; never during the attempt of another worker.
    pub fn is_due(&self, now: Instant) -> bool {
        self.failed_at.is_none() && self.due <= now
    }

    /// The mail at the start of an attempt.
    ///
    /// Due again later, in case the attempt fails or never ends.
    #[must_use]
    pub fn begun(&self, now: Instant) -> Self {
        let attempts = self.attempts + 1;
        Self { attempts, due: Instant::from(now.to_utc() + pause(attempts)), ..self.clone() }
    }

    /// The abandoned mail.
    #[must_use]
    pub fn given_up(&self, now: Instant) -> Self {
        let ttl = (now.to_utc() + Duration::days(FAILED_DAYS)).timestamp();
        Self { failed_at: Some(now), ttl: Some(ttl), ..self.clone() }
    }
}

/// The pause after a number of attempts.
///
/// One minute, doubled each time, up to an hour.
fn pause(attempts: u64) -> Duration {
    const MAX_MINUTES: i64 = 60;
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    Duration::minutes(
        1_i64.checked_shl(doublings).filter(|minutes| (1..MAX_MINUTES).contains(minutes)).unwrap_or(MAX_MINUTES),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Secret;

    #[test]
    fn pause_doubles_up_to_an_hour() {
        let minutes = |attempts| pause(attempts).num_minutes();
        assert_eq!([1, 2, 3, 6, 7, 8, 63, 64, 65, u64::MAX].map(minutes), [1, 2, 4, 32, 60, 60, 60, 60, 60, 60]);
    }

    fn name(name: &str) -> GreetingName {
        GreetingName::from(&name.parse().unwrap())
    }

    #[test]
    fn all_mails_to_one_address_have_the_same_size() {
        let sealer = Secret::new(&[7; 32]).unwrap().sealer("mail").unwrap();
        let now: Instant = "2026-03-08T06:30:00.123Z".parse().unwrap();
        let sizes = |to: &str| {
            let token = "t".repeat(43);
            let messages = [
                Message::Placeholder,
                Message::PasswordReset { name: name("A"), token: token.clone() },
                Message::PasswordReset { name: name("1"), token: token.clone() },
                Message::Invitation { name: name(&"𠮷".repeat(40)), token },
                Message::EmailChanged { name: name("Ada") },
            ];
            messages.map(|message| {
                QueuedMail::new(&sealer, &Mail { to: to.parse().unwrap(), message, until: now }, now)
                    .unwrap()
                    .sealed
                    .len()
            })
        };
        for to in ["ada@example.com".to_owned(), "ada@bücher.example".to_owned()] {
            let sizes = sizes(&to);
            assert!(sizes.iter().all(|size| *size == sizes[0]), "{to}: {sizes:?}");
        }
    }

    #[test]
    fn stored_mail_is_sealed_and_can_be_opened() {
        let sealer = Secret::new(&[7; 32]).unwrap().sealer("mail").unwrap();
        let now: Instant = "2026-03-08T06:30:00Z".parse().unwrap();
        let message = Message::PasswordReset { name: name("Ada"), token: "secret".to_owned() };
        let mail = Mail { to: "ada@example.com".parse().unwrap(), message, until: now };
        let row = QueuedMail::new(&sealer, &mail, now).unwrap();
        let stored = serde_json::to_string(&row).unwrap();
        assert!(!stored.contains("secret") && !stored.contains("ada@"), "{stored}");
        assert_eq!(row.unseal(&sealer).unwrap(), mail);
    }

    #[test]
    fn mail_is_not_due_during_an_attempt_or_after_it_was_given_up() {
        let sealer = Secret::new(&[7; 32]).unwrap().sealer("mail").unwrap();
        let now: Instant = "2026-03-08T06:30:00Z".parse().unwrap();
        let later: Instant = "2026-03-08T06:31:00Z".parse().unwrap();
        let message = Message::PasswordChanged { name: name("Ada") };
        let mail = Mail { to: "ada@example.com".parse().unwrap(), message, until: now };
        let row = QueuedMail::new(&sealer, &mail, now).unwrap();
        assert!(row.is_due(now));
        let begun = row.begun(now);
        assert!(!begun.is_due(now) && begun.is_due(later));
        assert!(!begun.given_up(later).is_due(later));
    }
}
