//! The worker: acquires leases of jobs and runs the jobs.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::job::{COLLECTION, DUE_JOBS, JobContext, JobItem, JobOutcome};
use super::lease::commit_leased;
use super::registry::JobRegistry;
use super::trigger::Trigger;
use crate::identity::ClientScope;
use crate::table::{Key, StoreError, Transaction};
use crate::web::{App, Problem, Result};

/// The time after the start of an invocation in which new steps begin.
///
/// A step takes less than 30 s, and the function's timeout is 300 s.
const STEP_DEADLINE: Duration = Duration::from_mins(4);

/// The duration of a lease: longer than an invocation.
const LEASE: Duration = Duration::from_secs(330);

/// The maximum number of jobs that run concurrently.
const MAX_CONCURRENCY: usize = 4;

/// Runs the jobs of all modules.
pub struct JobRunner {
    app: App,
    registry: JobRegistry,
}

impl JobRunner {
    /// A worker for these types of jobs.
    pub const fn new(app: App, registry: JobRegistry) -> Self {
        Self { app, registry }
    }

    /// Runs the jobs of a stream event or, for a schedule, all due jobs.
    ///
    /// Returns the number of jobs that ran. Fails if the due jobs cannot be read; a failed job does not fail
    /// the invocation.
    pub async fn handle(&self, event: Value) -> std::result::Result<Value, lambda_http::Error> {
        let stop = Instant::now() + STEP_DEADLINE;
        let trigger: Trigger =
            serde_json::from_value(event).map_err(|_| "neither a stream event nor a schedule event")?;
        let keys = if trigger.is_scheduled() {
            let due = self.app.store_for_event().due(&DUE_JOBS, self.app.now()).await;
            due.map_err(|error| format!("due jobs could not be read: {error}"))?
        } else {
            trigger.items(&DUE_JOBS)
        };
        let running = stream::iter(keys).map(|key| async move { self.run(&key, stop).await });
        let ran = running.buffer_unordered(MAX_CONCURRENCY).filter(|ran| std::future::ready(*ran)).count().await;
        Ok(json!({ "advanced": ran }))
    }

    /// Runs a job until the deadline.
    ///
    /// Skips it (false) if it no longer exists, is not due, or is leased by another worker.
    async fn run(&self, key: &Key<JobItem>, stop: Instant) -> bool {
        if Instant::now() >= stop {
            return false;
        }
        let result = match self.acquire_lease(key).await {
            Ok(None) => return false,
            Ok(Some((client, job))) => self.resume(key, client, &job, stop).await,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = result {
            let cause = problem.cause().map(tracing::field::display);
            tracing::error!(job = key.sort_key(), code = problem.code(), cause, "job failed");
        }
        true
    }

    async fn acquire_lease(&self, key: &Key<JobItem>) -> Result<Option<(ClientScope, JobItem)>> {
        let now = self.app.now();
        let Some(job) = self.app.store_for_event().get(key).await?.filter(|job| job.due <= now) else {
            return Ok(None);
        };
        let client = key.scope_prefix(COLLECTION).and_then(ClientScope::of_prefix);
        let client = client.ok_or_else(|| Problem::internal("a job outside of a client"))?;
        let leased = job.leased(now, LEASE);
        Ok(self.save(key, &leased, job.attempts).await?.then_some((client, leased)))
    }

    /// Runs steps until the job is done or the deadline has passed.
    async fn resume(&self, key: &Key<JobItem>, client: ClientScope, job: &JobItem, stop: Instant) -> Result<()> {
        let context = JobContext { app: &self.app, client, failures: job.failures, stop };
        loop {
            let outcome = self.registry.step(&job.payload, context).await;
            let now = self.app.now();
            let next = match outcome {
                Ok(JobOutcome::Continue) if Instant::now() < stop => continue,
                Ok(JobOutcome::RetryAfter(pause)) if Instant::now() + pause < stop => {
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Ok(JobOutcome::Continue | JobOutcome::RetryAfter(_)) => job.continued(job.payload.clone(), now),
                Ok(JobOutcome::Next(payload, pause)) => job.continued(payload, now.after(pause)),
                Ok(JobOutcome::Done) => return self.complete(key, job).await,
                Err(problem) => {
                    self.save(key, &job.failed(now), job.attempts).await?;
                    return Err(problem);
                }
            };
            return self.save(key, &next, job.attempts).await.map(drop);
        }
    }

    /// Stores the state of a job; false if another worker has acquired a lease.
    async fn save(&self, key: &Key<JobItem>, job: &JobItem, attempts: u64) -> Result<bool> {
        self.commit(|transaction| job.save(transaction, key, attempts)).await
    }

    async fn complete(&self, key: &Key<JobItem>, job: &JobItem) -> Result<()> {
        self.commit(|transaction| job.complete(transaction, key)).await.map(drop)
    }

    async fn commit(&self, add: impl FnOnce(&mut Transaction) -> Result<(), StoreError>) -> Result<bool> {
        let mut transaction = self.app.store_for_event().transaction();
        add(&mut transaction)?;
        Ok(commit_leased(transaction).await?)
    }
}
