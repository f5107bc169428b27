//! The type of a job, its stored form, and the outcome of a step.

use std::ops::Not;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant as Timer;

use super::lease::{delete_leased, save_leased};
use crate::identity::ClientScope;
use crate::table::{DueQueue, Entity, IndexKey, Key, Partition, ShardBy, StoreError, Transaction};
use crate::value::{Id, Instant};
use crate::web::{App, Problem, Result};

/// A type of job: its payload and its step.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type's name in stored jobs. It never changes.
    const NAME: &'static str;

    /// Runs one step: reads, and at most one transaction.
    ///
    /// A step may be repeated after a crash.
    fn step(&self, context: &JobContext<'_>) -> impl Future<Output = Result<JobOutcome>> + Send;
}

/// The context of a step.
#[derive(Clone, Copy)]
pub struct JobContext<'a> {
    /// The app.
    pub app: &'a App,
    /// The client that the job belongs to.
    pub client: ClientScope,
    /// The number of consecutive failed attempts.
    pub failures: u32,
    /// The time after which no further step begins.
    pub stop: Timer,
}

/// The outcome of a step.
#[derive(Debug)]
pub enum JobOutcome {
    /// There is more to do.
    Continue,
    /// There is more to do after a short pause, during which the worker waits.
    RetryAfter(Duration),
    /// Another job continues after a pause. The minute schedule triggers it.
    Next(Payload, Duration),
    /// There is no more to do.
    Done,
}

impl JobOutcome {
    /// The outcome of several steps in one, of which an earlier one succeeded and the last one failed.
    ///
    /// The job continues. It counts as failing only if the next step fails at once.
    pub fn after_progress(problem: &Problem) -> Self {
        let cause = problem.cause().map(tracing::field::display);
        tracing::warn!(code = problem.code(), cause, "a step failed after progress");
        Self::Continue
    }
}

/// The type and the payload of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The type: [`Job::NAME`].
    pub(super) job: String,
    /// `null` for a job without fields, which is not stored.
    #[serde(default)]
    pub(super) payload: Value,
}

impl Payload {
    /// The payload of a job.
    pub fn new<J: Job>(job: &J) -> Result<Self> {
        let payload = serde_json::to_value(job).map_err(Problem::internal)?;
        Ok(Self { job: J::NAME.to_owned(), payload })
    }
}

/// A job as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobItem {
    /// The type and the payload.
    #[serde(flatten)]
    pub payload: Payload,
    /// When it is due. During a lease, the end of the lease.
    pub due: Instant,
    /// The number of leases.
    ///
    /// A worker stops when another worker has acquired a later lease.
    pub attempts: u64,
    /// The number of consecutive failed attempts.
    pub failures: u32,
    /// Whether a worker runs the job during the current lease.
    ///
    /// False for the lease of a request.
    #[serde(default, skip_serializing_if = "Not::not")]
    is_running: bool,
    /// When it was created.
    pub created_at: Instant,
}

/// The queue of due jobs.
pub(super) const DUE_JOBS: DueQueue<JobItem> = DueQueue::new(COLLECTION, ShardBy::Client);

/// The collection of a client's jobs.
const COLLECTION: &str = "JOB";

impl Entity for JobItem {
    fn index_keys(&self, key: &Key<Self>) -> Vec<IndexKey> {
        DUE_JOBS.index_key(Some(self.due), key)
    }
}

/// Adds a job to a transaction, due immediately.
pub fn enqueue<J: Job>(transaction: &mut Transaction, app: &App, client: ClientScope, job: &J) -> Result<()> {
    let now = app.now();
    let item = JobItem::new(Payload::new(job)?, now, now);
    Ok(transaction.create(&JobItem::key(client, app.ids().make()), &item)?)
}

impl JobItem {
    /// The key of a job.
    pub fn key(client: ClientScope, id: Id<Self>) -> Key<Self> {
        Self::of_client(client).item(id)
    }

    /// The jobs of a client.
    pub(super) fn of_client(client: ClientScope) -> Partition<Self> {
        Partition::new(client, COLLECTION)
    }

    /// A new job, due at `due`.
    pub const fn new(payload: Payload, due: Instant, now: Instant) -> Self {
        Self { payload, due, attempts: 0, failures: 0, is_running: false, created_at: now }
    }

    /// The same job, leased from now.
    #[must_use]
    pub fn leased(&self, now: Instant, lease: Duration) -> Self {
        Self { attempts: self.attempts + 1, due: now.after(lease), ..self.clone() }
    }

    /// The same job, leased from now to a worker that runs it.
    #[must_use]
    pub(super) fn running(&self, now: Instant, lease: Duration) -> Self {
        Self { is_running: true, ..self.leased(now, lease) }
    }

    /// Whether a worker runs the job.
    pub(super) fn is_running(&self, now: Instant) -> bool {
        self.is_running && self.due > now
    }

    /// The same job, to be continued with `payload` at `due`.
    #[must_use]
    pub fn continued(&self, payload: Payload, due: Instant) -> Self {
        Self { payload, due, failures: 0, is_running: false, ..self.clone() }
    }

    /// The same job after a failed attempt.
    ///
    /// Due after 2, 4, 8 … 60 seconds, then every minute.
    #[must_use]
    pub fn failed(&self, now: Instant) -> Self {
        let failures = self.failures.saturating_add(1);
        let pause = Duration::from_secs(2_u64.saturating_pow(failures).min(60));
        Self { due: now.after(pause), failures, is_running: false, ..self.clone() }
    }

    /// Adds the job in this state, if it has had `attempts` leases.
    ///
    /// See [`commit_leased`](super::commit_leased).
    pub fn save(&self, transaction: &mut Transaction, key: &Key<Self>, attempts: u64) -> Result<(), StoreError> {
        save_leased(transaction, key, self, attempts)
    }

    /// Adds the deletion of the job, if it has had no other lease since.
    pub fn complete(&self, transaction: &mut Transaction, key: &Key<Self>) -> Result<(), StoreError> {
        delete_leased(transaction, key, self.attempts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    #[test]
    fn failed_job_is_due_after_a_pause_that_doubles_up_to_a_minute() {
        let now = at("2026-03-08T06:30:00Z");
        let payload = Payload { job: "test".to_owned(), payload: Value::Null };
        let job = JobItem::new(payload.clone(), now, now).leased(now, Duration::from_secs(90));
        assert_eq!((job.attempts, job.due), (1, at("2026-03-08T06:31:30Z")));
        let mut failed = job;
        let pauses = [2, 4, 8, 16, 32, 60, 60].map(|pause| {
            failed = failed.failed(now);
            (failed.due.to_utc() - now.to_utc()).num_seconds() == pause
        });
        assert_eq!(pauses, [true; 7]);
        assert_eq!(failed.continued(payload, now).failures, 0);
    }

    #[test]
    fn job_is_running_during_the_lease_of_a_worker_only() {
        let now = at("2026-03-08T06:30:00Z");
        let later = at("2026-03-08T06:31:30Z");
        let payload = Payload { job: "test".to_owned(), payload: Value::Null };
        let lease = Duration::from_secs(90);
        let job = JobItem::new(payload.clone(), now, now);
        let running = job.running(now, lease);
        assert!(running.is_running(now) && !running.is_running(later));
        for other in [job.leased(now, lease), running.continued(payload, later), running.failed(now)] {
            assert!(!other.is_running(now), "{other:?}");
        }
    }
}
