//! The worker: sends the mails about appointments that are due.
//!
//! Each mail is claimed, sent and settled. The claim leases its item in a transaction that requires that the appointment
//! is still at the version that was read: a change that commits before the claim prevents the mail, and one that commits
//! after it may be overtaken by the mail for at most the time of an attempt. A worker that ends in between leaves a lease
//! that expires, and the mail is sent again, with the same id.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use shared::appointments::Appointment;
use shared::identity::ClientScope;
use shared::mailer::{Mailer, SendError};
use shared::reminders::{DUE_REMINDERS, Reminder, ReminderStatus};
use shared::table::{Condition, DUE_PER_SHARD, Failure, Key, StoreError, Transaction};
use shared::tenants::WidgetsUrl;
use shared::web::{App, Problem, Result};
use tokio::time::{Instant, timeout};

use crate::facts::{Facts, People, Verdict};
use crate::message::{self, Setting};
use crate::metrics;

/// The time after the start of a run in which attempts begin.
///
/// An attempt takes at most 45 s: reads, the claim, 10 s for sending, and the settlement. The timeout of the function is
/// 90 s.
const STEP_DEADLINE: Duration = Duration::from_secs(40);

/// The maximum number of mails that are sent concurrently.
const MAX_CONCURRENCY: usize = 8;

/// The timeout for sending: the longest time by which a mail may overtake a change of the appointment.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a mail is read again if it or its appointment changes before the claim.
const MAX_READS: usize = 3;

/// Sends the mails that are due.
pub struct Worker<M> {
    app: App,
    mailer: M,
    widgets_url: WidgetsUrl,
}

/// The number of mails by outcome.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Sent.
    pub sent: usize,
    /// Not sent, because no longer wanted or possible.
    pub skipped: usize,
    /// Failed, and tried again later.
    pub failed: usize,
    /// Abandoned.
    pub dead: usize,
    /// A table request failed: the mails are due again.
    pub unknown: usize,
    /// How long the oldest of the mails had been due, in seconds.
    pub oldest_due_seconds: u64,
}

/// What has become of a mail that was due.
enum Outcome {
    Sent,
    Skipped,
    Failed,
    Dead,
    /// Another worker has it, it was deleted, or it changed repeatedly.
    Left,
}

/// The outcome, and how long the mail had been due.
struct Handled {
    outcome: Outcome,
    waited: Duration,
}

/// Why a mail was not claimed.
enum Unclaimed {
    /// The mail or its appointment has changed since it was read.
    Changed,
    Failed(Problem),
}

impl Report {
    fn count(&mut self, handled: &Result<Option<Handled>>) {
        match handled {
            Ok(None) => {}
            Ok(Some(Handled { outcome, waited })) => {
                self.oldest_due_seconds = self.oldest_due_seconds.max(waited.as_secs());
                match outcome {
                    Outcome::Sent => self.sent += 1,
                    Outcome::Skipped => self.skipped += 1,
                    Outcome::Failed => self.failed += 1,
                    Outcome::Dead => self.dead += 1,
                    Outcome::Left => {}
                }
            }
            Err(_) => self.unknown += 1,
        }
    }

    /// The number of mails that are no longer due.
    const fn progress(&self) -> usize {
        self.sent + self.skipped + self.failed + self.dead
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.dead += other.dead;
        self.unknown += other.unknown;
        self.oldest_due_seconds = self.oldest_due_seconds.max(other.oldest_due_seconds);
    }
}

impl<M: Mailer> Worker<M> {
    /// A worker with a transport; `widgets_url` is the base of the links in mails.
    pub const fn new(app: App, mailer: M, widgets_url: WidgetsUrl) -> Self {
        Self { app, mailer, widgets_url }
    }

    /// Sends the mails that are due, oldest first, until there are none or the time of the run is over.
    ///
    /// Several runs at the same time share the work.
    pub async fn run(&self) -> Result<Report, StoreError> {
        let stop = Instant::now() + STEP_DEADLINE;
        let mut report = Report::default();
        loop {
            let keys = self.app.store_for_event().due(&DUE_REMINDERS, self.app.now()).await?;
            // With fewer keys than the limit of one shard, no shard has more.
            let is_last = keys.len() < usize::from(DUE_PER_SHARD);
            let page = self.handle_all(keys, stop).await;
            report.add(&page);
            // Without progress, the next page would be the same.
            if is_last || page.progress() == 0 || Instant::now() >= stop {
                break;
            }
        }
        metrics::write(&report);
        Ok(report)
    }

    async fn handle_all(&self, keys: Vec<Key<Reminder>>, stop: Instant) -> Report {
        let attempts = stream::iter(keys).map(|key| async move {
            if Instant::now() >= stop {
                return Ok(None);
            }
            let handled = self.handle(&key).await;
            if let Err(problem) = &handled {
                let cause = problem.cause().map(tracing::field::display);
                tracing::error!(mail = key.sort_key(), code = problem.code(), cause, "reminder");
            }
            handled.map(Some)
        });
        let count = |mut report: Report, handled| async move {
            report.count(&handled);
            report
        };
        attempts.buffer_unordered(MAX_CONCURRENCY).fold(Report::default(), count).await
    }

    /// Handles one mail that is due. It is read again if it changes before the claim.
    async fn handle(&self, key: &Key<Reminder>) -> Result<Handled> {
        let client = key.appointment().map(|(client, _)| client);
        let client = client.ok_or_else(|| Problem::internal("a mail outside of a client"))?;
        let mut waited = Duration::ZERO;
        for _ in 0..MAX_READS {
            let facts = Facts::read(&self.app.store_for_event(), client, key).await?;
            let Some(facts) = facts.filter(|facts| facts.mail.is_due(self.app.now())) else { break };
            waited = self.app.now().since(facts.mail.due);
            let outcome = match self.attempt(client, key, &facts).await {
                Err(problem) if problem.status() != StatusCode::SERVICE_UNAVAILABLE => {
                    self.postpone(key, &facts.mail, &problem).await?
                }
                done => done?,
            };
            if let Some(outcome) = outcome {
                return Ok(Handled { outcome, waited });
            }
        }
        Ok(Handled { outcome: Outcome::Left, waited })
    }

    /// Stores that an attempt failed because of a bug, so that other mails are not held up.
    async fn postpone(&self, key: &Key<Reminder>, mail: &Reminder, problem: &Problem) -> Result<Option<Outcome>> {
        let cause = problem.cause().map(tracing::field::display);
        tracing::error!(mail = key.sort_key(), code = problem.code(), cause, "reminder");
        let now = self.app.now();
        self.settle(key, mail, &mail.begun(now).failed(problem.code(), now, random())).await
    }

    /// Claims, sends and settles a mail; `None` if it or its appointment has changed since it was read.
    async fn attempt(&self, client: ClientScope, key: &Key<Reminder>, facts: &Facts) -> Result<Option<Outcome>> {
        let now = self.app.now();
        let appointment = match facts.judge(now) {
            Verdict::Send(appointment) => appointment,
            Verdict::Skip(reason) => return self.settle(key, &facts.mail, &facts.mail.skipped(reason, now)).await,
            Verdict::Remove => return self.remove(key, &facts.mail).await,
        };
        if facts.mail.is_exhausted() {
            // The workers of all attempts ended before they stored a result.
            return self.settle(key, &facts.mail, &facts.mail.dead("interrupted", now)).await;
        }
        let people = People::read(&self.app.store_for_event(), client, appointment).await?;
        let to = match facts.address(&people) {
            Ok(to) => to,
            Err(reason) => return self.settle(key, &facts.mail, &facts.mail.skipped(reason, now)).await,
        };
        let setting = Setting { app: &self.app, scope: client, widgets_url: &self.widgets_url };
        let message = message::compose(&setting, (key, facts), appointment, &people, to)?;
        let begun = match self.claim(client, key, facts, appointment).await {
            Ok(begun) => begun,
            Err(Unclaimed::Changed) => return Ok(None),
            Err(Unclaimed::Failed(problem)) => return Err(problem),
        };
        let sent = match message {
            Some(message) => timeout(SEND_TIMEOUT, self.mailer.send(&message)).await,
            None => Ok(Err(SendError::Rejected("address".to_owned()))),
        };
        let settled = match sent.unwrap_or_else(|_| Err(SendError::Retryable("timeout".to_owned()))) {
            Ok(()) => begun.sent(self.app.now()),
            Err(SendError::Rejected(reason)) => begun.dead(reason, self.app.now()),
            Err(SendError::Retryable(reason)) => begun.failed(reason, self.app.now(), random()),
        };
        log(key.sort_key(), &settled);
        self.settle(key, &begun, &settled).await.map(|outcome| outcome.or(Some(Outcome::Left)))
    }

    /// Leases a mail for one attempt, if neither it nor its appointment has changed since they were read.
    async fn claim(
        &self,
        client: ClientScope,
        key: &Key<Reminder>,
        facts: &Facts,
        appointment: &Appointment,
    ) -> Result<Reminder, Unclaimed> {
        let begun = facts.mail.begun(self.app.now());
        let write = |transaction: &mut Transaction| {
            transaction.put(key, &begun, facts.mail.is_unchanged(), Failure::Conflict)?;
            let unchanged = Condition::version(appointment.meta.version);
            transaction.check(&client.appointment(appointment.id), unchanged, Failure::Conflict)
        };
        match self.commit(write).await {
            Ok(true) => Ok(begun),
            Ok(false) => Err(Unclaimed::Changed),
            Err(problem) => Err(Unclaimed::Failed(problem)),
        }
    }

    /// Stores the result of an attempt; `None` if the mail has changed since.
    async fn settle(&self, key: &Key<Reminder>, before: &Reminder, after: &Reminder) -> Result<Option<Outcome>> {
        let write =
            |transaction: &mut Transaction| transaction.put(key, after, before.is_unchanged(), Failure::Conflict);
        let outcome = match after.status {
            ReminderStatus::Sent => Outcome::Sent,
            ReminderStatus::Skipped => Outcome::Skipped,
            ReminderStatus::Dead => Outcome::Dead,
            ReminderStatus::Pending => Outcome::Failed,
        };
        Ok(self.commit(write).await?.then_some(outcome))
    }

    /// Deletes a mail of a deleted appointment.
    async fn remove(&self, key: &Key<Reminder>, mail: &Reminder) -> Result<Option<Outcome>> {
        let write = |transaction: &mut Transaction| transaction.delete_if(key, mail.is_unchanged(), Failure::Conflict);
        Ok(self.commit(write).await?.then_some(Outcome::Skipped))
    }

    /// Commits a transaction; false if a condition failed.
    async fn commit(&self, add: impl FnOnce(&mut Transaction) -> Result<(), StoreError>) -> Result<bool> {
        let mut transaction = self.app.store_for_event().transaction();
        add(&mut transaction)?;
        match transaction.commit().await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A random number from 0 to 1.
fn random() -> f64 {
    let [byte, ..] = *uuid::Uuid::new_v4().as_bytes();
    f64::from(byte) / 255.0
}

/// Logs one line about an attempt: the id of the mail and the outcome, never the recipient or the content.
fn log(mail: &str, settled: &Reminder) {
    let Reminder { attempts, failure, .. } = settled;
    match settled.status {
        ReminderStatus::Dead => tracing::error!(mail, outcome = "dead", attempts, failure, "reminder"),
        ReminderStatus::Pending => tracing::warn!(mail, outcome = "failed", attempts, failure, "reminder"),
        ReminderStatus::Sent | ReminderStatus::Skipped => tracing::info!(mail, outcome = "sent", attempts, "reminder"),
    }
}
