//! Mail: what is to be sent is a row, written in the transaction of the change that it tells about, so that neither is
//! without the other. The mail function sends it, and tries again from the row when it cannot.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::auth::Sealer;
use crate::keys::Key;
use crate::value::{Email, Instant, Name};
use crate::{Problem, Result};

/// A mail to one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// To whom.
    pub to: Email,
    /// What it says.
    pub message: Message,
    /// When it is of no more use to them.
    pub until: Instant,
}

impl Mail {
    /// A mail that tells of something that happened: of use for a day.
    pub fn notice(to: Email, message: Message, now: Instant) -> Self {
        Self { to, message, until: Instant::from(now.to_utc() + Duration::days(1)) }
    }
}

/// What a mail says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Message {
    /// Somebody made them a user: here they choose a password.
    Invitation {
        /// How to address them.
        first_name: Name,
        /// For `POST /v1/auth/invitations/accept`; in the mail, part of a link.
        token: String,
    },
    /// They, or somebody who knows their email, asked for a new password.
    PasswordReset {
        /// How to address them.
        first_name: Name,
        /// For `POST /v1/auth/password/reset`; in the mail, part of a link.
        token: String,
    },
    /// Their email is another now: this goes to the one before.
    EmailChanged {
        /// How to address them.
        first_name: Name,
    },
    /// Their password is another now: so that they learn of it if it was not they who changed it.
    PasswordChanged {
        /// How to address them.
        first_name: Name,
    },
}

/// A mail as its row keeps it. What it says holds a token that is good for an account, and so it is sealed: whoever can read
/// the table alone cannot use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedMail {
    sealed: String,
    /// How often it was tried, the try under way included.
    pub attempts: u64,
    /// When it is tried next.
    pub due: Instant,
    /// When it was written.
    pub created_at: Instant,
    /// Since when nobody tries any more.
    pub failed_at: Option<Instant>,
    /// Unix seconds; once nobody tries any more, DynamoDB deletes the row some time after.
    pub ttl: Option<i64>,
}

/// How long a row that nobody could send is kept for the operator to see.
const FAILED_DAYS: i64 = 30;

impl QueuedMail {
    /// A mail to send from now on.
    pub(crate) fn new(sealer: &Sealer, mail: &Mail, now: Instant) -> Result<Self> {
        let plain = serde_json::to_vec(mail).map_err(Problem::internal)?;
        let content = sealer.seal("", &plain).map_err(Problem::internal)?;
        Ok(Self { sealed: content, attempts: 0, due: now, created_at: now, failed_at: None, ttl: None })
    }

    pub(crate) fn open(&self, sealer: &Sealer) -> Result<Mail> {
        let plain = sealer.open("", &self.sealed).ok_or_else(|| Problem::internal("a mail does not open"))?;
        serde_json::from_slice(&plain).map_err(Problem::internal)
    }

    /// Whether it is to be tried now. It is not while somebody else tries.
    pub fn is_due(&self, now: Instant) -> bool {
        self.failed_at.is_none() && self.due <= now
    }

    /// The same at the start of a try: due again later, should this one fail or never end.
    #[must_use]
    pub fn begun(&self, now: Instant) -> Self {
        let attempts = self.attempts + 1;
        Self { attempts, due: Instant::from(now.to_utc() + pause(attempts)), ..self.clone() }
    }

    /// The same when nobody is to try any more.
    #[must_use]
    pub fn given_up(&self, now: Instant) -> Self {
        let ttl = (now.to_utc() + Duration::days(FAILED_DAYS)).timestamp();
        Self { failed_at: Some(now), ttl: Some(ttl), ..self.clone() }
    }
}

impl Key<QueuedMail> {
    /// Names the mail, in the log and to whoever delivers it.
    pub fn id(&self) -> &str {
        &self.sk
    }
}

/// How long to wait after so many tries: a minute, then twice as long each time, up to an hour.
fn pause(attempts: u64) -> Duration {
    const MOST_MINUTES: i64 = 60;
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    Duration::minutes(
        1_i64.checked_shl(doublings).filter(|minutes| (1..MOST_MINUTES).contains(minutes)).unwrap_or(MOST_MINUTES),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let minutes = |attempts| pause(attempts).num_minutes();
        assert_eq!([1, 2, 3, 6, 7, 8, 63, 64, 65, u64::MAX].map(minutes), [1, 2, 4, 32, 60, 60, 60, 60, 60, 60]);
    }

    #[test]
    fn what_a_row_keeps_tells_nothing_and_opens_again() {
        let sealer = Secret::new(&[7; 32]).unwrap().sealer("mail").unwrap();
        let now: Instant = "2026-03-08T06:30:00Z".parse().unwrap();
        let message = Message::PasswordReset { first_name: "Ada".parse().unwrap(), token: "secret".to_owned() };
        let mail = Mail { to: "ada@example.com".parse().unwrap(), message, until: now };
        let row = QueuedMail::new(&sealer, &mail, now).unwrap();
        let stored = serde_json::to_string(&row).unwrap();
        assert!(!stored.contains("secret") && !stored.contains("ada@"), "{stored}");
        assert_eq!(row.open(&sealer).unwrap(), mail);
    }

    #[test]
    fn a_mail_rests_while_it_is_tried_and_for_good_once_given_up() {
        let sealer = Secret::new(&[7; 32]).unwrap().sealer("mail").unwrap();
        let now: Instant = "2026-03-08T06:30:00Z".parse().unwrap();
        let later: Instant = "2026-03-08T06:31:00Z".parse().unwrap();
        let message = Message::PasswordChanged { first_name: "Ada".parse().unwrap() };
        let mail = Mail { to: "ada@example.com".parse().unwrap(), message, until: now };
        let row = QueuedMail::new(&sealer, &mail, now).unwrap();
        assert!(row.is_due(now));
        let begun = row.begun(now);
        assert!(!begun.is_due(now) && begun.is_due(later));
        assert!(!begun.given_up(later).is_due(later));
    }
}
