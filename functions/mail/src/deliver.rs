//! From a row of the queue to a mail that is sent, or to one that nobody tries any more.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use shared::Problem;
use shared::keys::{Key, MAIL_DUE};
use shared::lambda::Error;
use shared::mail::{Mail, QueuedMail};
use shared::store::Store;
use tokio::time::{Instant, timeout};

use crate::Service;
use crate::mailer::{Mailer, SendError};
use crate::render::EmailMessage;

/// How many mails are tried at a time.
const MAX_CONCURRENCY: usize = 4;

/// How many due mails are asked for at a time.
const PAGE: i32 = 50;

/// How long a letter may take to be handed over. With the table's patience of 8 s before and after it, a try ends well within
/// the minute for which the row is claimed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// How many mails ended how.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    sent: usize,
    later: usize,
    given_up: usize,
    /// The table did not answer: if they are due, they stay so.
    unknown: usize,
}

/// How a try ended.
struct Tried {
    outcome: Outcome,
    attempts: u64,
    /// What was wrong, if anything was.
    reason: Option<String>,
}

#[derive(Clone, Copy)]
enum Outcome {
    Sent,
    Later,
    GivenUp,
}

impl Report {
    fn count(&mut self, tried: &Result<Option<Tried>, Problem>) {
        match tried {
            Ok(None) => {}
            Ok(Some(Tried { outcome: Outcome::Sent, .. })) => self.sent += 1,
            Ok(Some(Tried { outcome: Outcome::Later, .. })) => self.later += 1,
            Ok(Some(Tried { outcome: Outcome::GivenUp, .. })) => self.given_up += 1,
            Err(_) => self.unknown += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.later += other.later;
        self.given_up += other.given_up;
        self.unknown += other.unknown;
    }

    /// How many are no longer due.
    fn progress(&self) -> usize {
        self.sent + self.later + self.given_up
    }
}

impl Service {
    /// Tries all mails that are due; those that are not begun by `stop` are left for the next time.
    pub(crate) async fn deliver_due(&self, stop: Instant) -> Result<Report, Error> {
        let mut report = Report::default();
        loop {
            let due = self.app.store_for_event().due(&MAIL_DUE, self.app.clock().now(), PAGE).await;
            let keys = due.map_err(|problem| format!("what is due could not be read: {}", problem.code()))?;
            let last = i32::try_from(keys.len()) != Ok(PAGE);
            let page = self.deliver_all(keys, stop).await;
            report.add(&page);
            // A page none of which moved would only come again.
            if last || page.progress() == 0 || Instant::now() >= stop {
                return Ok(report);
            }
        }
    }

    /// Tries these mails, a few at a time.
    pub(crate) async fn deliver_all(&self, keys: Vec<Key<QueuedMail>>, stop: Instant) -> Report {
        let tries = stream::iter(keys).map(|key| async move {
            if Instant::now() >= stop {
                return Ok(None);
            }
            let tried = self.deliver(&key).await;
            log(key.id(), &tried);
            tried
        });
        let count = |mut report: Report, tried| async move {
            report.count(&tried);
            report
        };
        tries.buffer_unordered(MAX_CONCURRENCY).fold(Report::default(), count).await
    }

    /// Tries one mail, unless it is gone, not due, or somebody else tries it.
    async fn deliver(&self, key: &Key<QueuedMail>) -> Result<Option<Tried>, Problem> {
        let store = self.app.store_for_event();
        let now = self.app.clock().now();
        let Some(row) = store.get(key).await?.filter(|row| row.is_due(now)) else { return Ok(None) };
        let Ok(mail) = self.app.open_mail(&row) else {
            return self.give_up(key, &row, "sealed with another key").await;
        };
        if now >= mail.until {
            return self.give_up(key, &row, "too late").await;
        }
        let begun = row.begun(now);
        if !claim(&store, key, &begun).await? {
            return Ok(None);
        }
        match self.send(key, &mail).await {
            // A row that stays makes the mail be sent again, and does not make it unsent.
            Ok(()) => {
                let reason = self.remove(key).await.err().map(|problem| format!("still queued: {}", problem.code()));
                Ok(Some(Tried { outcome: Outcome::Sent, attempts: begun.attempts, reason }))
            }
            Err(SendError::Later(reason)) if begun.due < mail.until => {
                Ok(Some(Tried { outcome: Outcome::Later, attempts: begun.attempts, reason: Some(reason) }))
            }
            Err(SendError::Later(reason) | SendError::Refused(reason)) => self.give_up(key, &begun, reason).await,
        }
    }

    async fn send(&self, key: &Key<QueuedMail>, mail: &Mail) -> Result<(), SendError> {
        let letter = EmailMessage::new(key.id(), mail, &self.links)?;
        let sent = timeout(REQUEST_TIMEOUT, self.transport.send(&letter)).await;
        sent.unwrap_or_else(|_| Err(SendError::Later("timeout".to_owned())))
    }

    /// Removes the row of a mail that was sent.
    async fn remove(&self, key: &Key<QueuedMail>) -> Result<(), Problem> {
        let mut transaction = self.app.store_for_event().transaction();
        transaction.remove(key)?;
        transaction.commit().await
    }

    /// Takes a row that is as it was read out of the queue, and keeps it for the operator to see.
    async fn give_up(
        &self,
        key: &Key<QueuedMail>,
        row: &QueuedMail,
        reason: impl Into<String>,
    ) -> Result<Option<Tried>, Problem> {
        let mut transaction = self.app.store_for_event().transaction();
        transaction.give_up(key, &row.given_up(self.app.clock().now()), taken())?;
        let tried = Tried { outcome: Outcome::GivenUp, attempts: row.attempts, reason: Some(reason.into()) };
        Ok(unless_taken(transaction.commit().await)?.then_some(tried))
    }
}

/// Makes a try ours, and the row due again should we never end it; false when somebody else was first.
async fn claim(store: &Store, key: &Key<QueuedMail>, begun: &QueuedMail) -> Result<bool, Problem> {
    let mut transaction = store.transaction();
    transaction.begin_try(key, begun, taken())?;
    unless_taken(transaction.commit().await)
}

fn taken() -> Problem {
    Problem::conflict("mail_taken", "Somebody else tries this mail.")
}

fn unless_taken(committed: Result<(), Problem>) -> Result<bool, Problem> {
    match committed {
        Ok(()) => Ok(true),
        Err(problem) if problem.code() == taken().code() => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// The one line about a try: which mail it was and how it ended, never to whom or what it said.
fn log(mail: &str, tried: &Result<Option<Tried>, Problem>) {
    match tried {
        Ok(None) => {}
        Ok(Some(Tried { outcome: Outcome::GivenUp, attempts, reason })) => {
            tracing::error!(mail, outcome = "given_up", attempts, reason, "mail");
        }
        Ok(Some(Tried { outcome: Outcome::Later, attempts, reason })) => {
            tracing::warn!(mail, outcome = "later", attempts, reason, "mail");
        }
        Ok(Some(Tried { outcome: Outcome::Sent, attempts, reason })) => {
            tracing::info!(mail, outcome = "sent", attempts, reason, "mail");
        }
        Err(problem) => {
            let cause = problem.cause().map(tracing::field::display);
            tracing::error!(mail, outcome = "unknown", code = problem.code(), cause, "mail");
        }
    }
}
