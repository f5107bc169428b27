//! Delivery of queued mails: each mail is sent, retried later, or abandoned.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use shared::jobs::{commit_leased, save_leased};
use shared::lambda::Error;
use shared::mail::{DUE_MAILS, Mail, QueuedMail};
use shared::mailer::{Mailer, SendError};
use shared::table::{DUE_PER_SHARD, Key, Store};
use shared::web::Problem;
use tokio::time::{Instant, timeout};

use crate::Service;
use crate::render::to_message;

/// The maximum number of mails that are sent concurrently.
const MAX_CONCURRENCY: usize = 4;

/// The timeout for handing a message over to the transport.
///
/// With the table's timeout of 8 s before and after, an attempt ends well within the minute for which its row
/// is leased.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The number of mails by outcome.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    sent: usize,
    later: usize,
    given_up: usize,
    /// A table request failed. The due mails remain due.
    unknown: usize,
    /// The number of placeholders that were removed. Not reported, because it is of no use to the operator.
    #[serde(skip)]
    skipped: usize,
}

/// The result of an attempt.
struct Attempt {
    outcome: Outcome,
    attempts: u64,
    /// The cause of a failure.
    reason: Option<String>,
}

#[derive(Clone, Copy)]
enum Outcome {
    Sent,
    /// A placeholder, which is not sent.
    Skipped,
    Later,
    GivenUp,
}

impl Report {
    fn count(&mut self, attempt: &Result<Option<Attempt>, Problem>) {
        match attempt {
            Ok(None) => {}
            Ok(Some(Attempt { outcome: Outcome::Sent, .. })) => self.sent += 1,
            Ok(Some(Attempt { outcome: Outcome::Skipped, .. })) => self.skipped += 1,
            Ok(Some(Attempt { outcome: Outcome::Later, .. })) => self.later += 1,
            Ok(Some(Attempt { outcome: Outcome::GivenUp, .. })) => self.given_up += 1,
            Err(_) => self.unknown += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.later += other.later;
        self.given_up += other.given_up;
        self.unknown += other.unknown;
        self.skipped += other.skipped;
    }

    /// The number of mails that are no longer due.
    fn progress(&self) -> usize {
        self.sent + self.later + self.given_up + self.skipped
    }
}

impl Service {
    /// Sends all due mails.
    ///
    /// The next invocation makes the attempts that have not started by `deadline`.
    pub(crate) async fn deliver_due(&self, deadline: Instant) -> Result<Report, Error> {
        let mut report = Report::default();
        loop {
            let due = self.app.store_for_event().due(&DUE_MAILS, self.app.now()).await;
            let keys = due.map_err(|error| format!("due mails could not be listed: {error}"))?;
            // With fewer keys than the limit of one shard, no shard has more.
            let is_last = keys.len() < usize::from(DUE_PER_SHARD);
            let page = self.deliver_all(keys, deadline).await;
            report.add(&page);
            // Without progress, the next page would be the same.
            if is_last || page.progress() == 0 || Instant::now() >= deadline {
                return Ok(report);
            }
        }
    }

    /// Sends mails, a few of them concurrently.
    pub(crate) async fn deliver_all(&self, keys: Vec<Key<QueuedMail>>, deadline: Instant) -> Report {
        let attempts = stream::iter(keys).map(|key| async move {
            if Instant::now() >= deadline {
                return Ok(None);
            }
            let attempt = self.deliver(&key).await;
            log(key.sort_key(), &attempt);
            attempt
        });
        let count = |mut report: Report, attempt| async move {
            report.count(&attempt);
            report
        };
        attempts.buffer_unordered(MAX_CONCURRENCY).fold(Report::default(), count).await
    }

    /// Sends a mail.
    ///
    /// Skips it if it no longer exists, is not due, or is leased by another worker.
    async fn deliver(&self, key: &Key<QueuedMail>) -> Result<Option<Attempt>, Problem> {
        let store = self.app.store_for_event();
        let now = self.app.now();
        let Some(row) = store.get(key).await?.filter(|row| row.is_due(now)) else { return Ok(None) };
        let Ok(mail) = row.open(&self.app) else {
            return self.give_up(key, &row, "sealed with another key").await;
        };
        if now >= mail.until {
            return self.give_up(key, &row, "expired").await;
        }
        let begun = row.begun(now);
        if !acquire_lease(&store, key, &begun).await? {
            return Ok(None);
        }
        match self.send(key, &mail).await {
            // The mail was sent, even if its row cannot be removed. In that case, it is sent again.
            Ok(outcome) => {
                let reason = self.remove(key).await.err().map(|problem| format!("still queued: {}", problem.code()));
                Ok(Some(Attempt { outcome, attempts: begun.attempts, reason }))
            }
            Err(SendError::Retryable(reason)) if begun.due < mail.until => {
                Ok(Some(Attempt { outcome: Outcome::Later, attempts: begun.attempts, reason: Some(reason) }))
            }
            Err(SendError::Retryable(reason) | SendError::Rejected(reason)) => self.give_up(key, &begun, reason).await,
        }
    }

    async fn send(&self, key: &Key<QueuedMail>, mail: &Mail) -> Result<Outcome, SendError> {
        let Some(message) = to_message(key.sort_key(), mail, &self.links)? else { return Ok(Outcome::Skipped) };
        let sent = timeout(REQUEST_TIMEOUT, self.transport.send(&message)).await;
        sent.unwrap_or_else(|_| Err(SendError::Retryable("timeout".to_owned()))).map(|()| Outcome::Sent)
    }

    /// Removes the row of a sent mail.
    async fn remove(&self, key: &Key<QueuedMail>) -> Result<(), Problem> {
        let mut transaction = self.app.store_for_event().transaction();
        transaction.remove(key)?;
        Ok(transaction.commit().await?)
    }

    /// Removes a failed mail from the queue and keeps its row for the operator.
    ///
    /// Does nothing if the row has changed since it was read.
    async fn give_up(
        &self,
        key: &Key<QueuedMail>,
        row: &QueuedMail,
        reason: impl Into<String>,
    ) -> Result<Option<Attempt>, Problem> {
        let mut transaction = self.app.store_for_event().transaction();
        save_leased(&mut transaction, key, &row.given_up(self.app.now()), row.attempts)?;
        let attempt = Attempt { outcome: Outcome::GivenUp, attempts: row.attempts, reason: Some(reason.into()) };
        Ok(commit_leased(transaction).await?.then_some(attempt))
    }
}

/// Leases a row for one attempt; false if another worker leased it first.
///
/// The row is due again later, even if the attempt never ends.
async fn acquire_lease(store: &Store, key: &Key<QueuedMail>, begun: &QueuedMail) -> Result<bool, Problem> {
    let mut transaction = store.transaction();
    save_leased(&mut transaction, key, begun, begun.attempts - 1)?;
    Ok(commit_leased(transaction).await?)
}

/// Logs one line about an attempt: the id of the mail and the outcome.
///
/// The line never contains the recipient or the content.
fn log(mail: &str, attempt: &Result<Option<Attempt>, Problem>) {
    match attempt {
        Ok(None | Some(Attempt { outcome: Outcome::Skipped, .. })) => {}
        Ok(Some(Attempt { outcome: Outcome::GivenUp, attempts, reason })) => {
            tracing::error!(mail, outcome = "given_up", attempts, reason, "mail");
        }
        Ok(Some(Attempt { outcome: Outcome::Later, attempts, reason })) => {
            tracing::warn!(mail, outcome = "later", attempts, reason, "mail");
        }
        Ok(Some(Attempt { outcome: Outcome::Sent, attempts, reason })) => {
            tracing::info!(mail, outcome = "sent", attempts, reason, "mail");
        }
        Err(problem) => {
            let cause = problem.cause().map(tracing::field::display);
            tracing::error!(mail, outcome = "unknown", code = problem.code(), cause, "mail");
        }
    }
}
