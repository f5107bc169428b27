//! The worker: acquires leases of jobs and runs the jobs.
//!
//! Clients take turns, and so do their tenants. In its turn, a client runs its due jobs, one after another, for at most one slice. A job
//! that is not done by then is due again at once, behind the jobs that other clients have waiting.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::job::{DUE_JOBS, JobContext, JobItem, JobOutcome};
use super::lease::commit_leased;
use super::registry::JobRegistry;
use super::trigger::Trigger;
use super::turns::Turns;
use crate::identity::ClientScope;
use crate::table::{Key, Order, StoreError, Transaction};
use crate::web::{App, Result};

/// The time after the start of an invocation in which turns begin.
///
/// With a slice and a last step of less than 30 s, an invocation ends before the function's timeout of 120 s.
const TURNS_DEADLINE: Duration = Duration::from_mins(1);

/// The duration of a client's turn: steps begin within this time.
const SLICE: Duration = Duration::from_secs(15);

/// The duration of a lease: longer than a slice and a step.
const LEASE: Duration = Duration::from_secs(90);

/// The maximum number of clients with a turn at the same time.
const MAX_CONCURRENCY: usize = 4;

/// The maximum number of jobs of a client that one read considers.
const CLIENT_JOBS: i32 = 1000;

/// Runs the jobs of all modules.
pub struct JobRunner {
    app: App,
    registry: JobRegistry,
    slice: Duration,
}

/// The result of a client's turn.
#[derive(Default)]
struct Turn {
    /// The number of jobs that ran.
    jobs: u64,
    /// Whether the slice ended before the due jobs did.
    is_cut_off: bool,
}

impl JobRunner {
    /// A worker for these types of jobs.
    pub const fn new(app: App, registry: JobRegistry) -> Self {
        Self { app, registry, slice: SLICE }
    }

    /// The same worker with another duration of a client's turn.
    ///
    /// With a duration of zero, each turn is one step.
    #[must_use]
    pub fn with_slice(self, slice: Duration) -> Self {
        Self { slice, ..self }
    }

    /// Runs the due jobs of the clients of a stream event or, for a schedule, of all clients.
    ///
    /// Returns the number of jobs that ran. Fails if the due jobs cannot be read; a failed job does not fail
    /// the invocation.
    pub async fn handle(&self, event: Value) -> std::result::Result<Value, lambda_http::Error> {
        let stop = Instant::now() + TURNS_DEADLINE;
        let trigger: Trigger =
            serde_json::from_value(event).map_err(|_| "neither a stream event nor a schedule event")?;
        let waiting = if trigger.is_scheduled() {
            let due = self.due_clients().await;
            due.map_err(|error| format!("due jobs could not be read: {error}"))?
        } else {
            clients(&trigger.items(&DUE_JOBS))
        };
        let mut turns = Turns::new(waiting, |client: ClientScope| client.agency().tenant().id());
        let mut running = FuturesUnordered::new();
        let mut ran = 0;
        loop {
            while running.len() < MAX_CONCURRENCY && Instant::now() < stop {
                let Some(client) = turns.take() else { break };
                running.push(self.turn(client));
            }
            let Some(turn) = running.next().await else { break };
            ran += turn.jobs;
            // Events of other clients wait in the stream until this invocation ends.
            if turn.is_cut_off && Instant::now() < stop {
                match self.due_clients().await {
                    Ok(clients) => turns.set_waiting(clients),
                    Err(error) => tracing::warn!(%error, "due jobs could not be read"),
                }
            }
        }
        Ok(json!({ "advanced": ran }))
    }

    /// The clients with due jobs, in the order of their turns.
    async fn due_clients(&self) -> Result<Vec<ClientScope>, StoreError> {
        let due = self.app.store_for_event().due(&DUE_JOBS, self.app.now()).await?;
        Ok(clients(&due))
    }

    /// The turn of a client.
    async fn turn(&self, client: ClientScope) -> Turn {
        let mut turn = Turn::default();
        if let Err(problem) = self.run_due(client, &mut turn).await {
            let cause = problem.cause().map(tracing::field::display);
            tracing::error!(client = %client.id(), code = problem.code(), cause, "jobs of a client failed");
        }
        turn
    }

    /// Runs the due jobs of a client, oldest first, until the slice ends.
    async fn run_due(&self, client: ClientScope, turn: &mut Turn) -> Result<()> {
        let stop = Instant::now() + self.slice;
        // Another worker skips the client during this turn. The last read finds what it has skipped.
        loop {
            let due = self.due_jobs(client).await?;
            if due.is_empty() {
                return Ok(());
            }
            for (key, job) in due {
                if turn.jobs > 0 && Instant::now() >= stop {
                    turn.is_cut_off = true;
                    return self.requeue(&key, &job).await;
                }
                let Some(job) = self.acquire_lease(&key, &job).await? else { break };
                turn.jobs += 1;
                if self.resume(client, &key, job, stop).await? {
                    turn.is_cut_off = true;
                    return Ok(());
                }
            }
        }
    }

    /// The due jobs of a client, oldest first; none while another worker runs one of the client's jobs.
    async fn due_jobs(&self, client: ClientScope) -> Result<Vec<(Key<JobItem>, JobItem)>> {
        let list = JobItem::of_client(client).all();
        let found = self.app.store_for_event().query(&list, None, Order::Asc, CLIENT_JOBS).await?;
        let now = self.app.now();
        if found.items.iter().any(|(_, job)| job.is_running(now)) {
            return Ok(Vec::new());
        }
        let due = found.items.into_iter().filter(|(_, job)| job.due <= now);
        let mut due: Vec<_> =
            due.map(|(position, job)| (JobItem::of_client(client).item(position.sort_key()), job)).collect();
        due.sort_by_key(|(_, job)| job.due);
        Ok(due)
    }

    /// Leases a job to this worker; `None` if the job has changed since it was read.
    async fn acquire_lease(&self, key: &Key<JobItem>, job: &JobItem) -> Result<Option<JobItem>> {
        let running = job.running(self.app.now(), LEASE);
        Ok(self.save(key, &running, job.attempts).await?.then_some(running))
    }

    /// Runs steps until the job ends or the slice does; returns whether the slice did.
    async fn resume(&self, client: ClientScope, key: &Key<JobItem>, mut job: JobItem, stop: Instant) -> Result<bool> {
        loop {
            let context = JobContext { app: &self.app, client, failures: job.failures, stop };
            let outcome = self.registry.step(&job.payload, context).await;
            let now = self.app.now();
            let (next, is_cut_off) = match outcome {
                Ok(JobOutcome::Continue) if Instant::now() < stop => {
                    job.failures = 0;
                    continue;
                }
                Ok(JobOutcome::RetryAfter(pause)) if Instant::now() + pause < stop => {
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Ok(JobOutcome::Continue | JobOutcome::RetryAfter(_)) => (job.continued(job.payload.clone(), now), true),
                Ok(JobOutcome::Next(payload, pause)) => (job.continued(payload, now.after(pause)), false),
                Ok(JobOutcome::Done) => return self.complete(key, &job).await.map(|()| false),
                Err(problem) => {
                    let cause = problem.cause().map(tracing::field::display);
                    tracing::error!(job = key.sort_key(), code = problem.code(), cause, "job failed");
                    (job.failed(now), false)
                }
            };
            self.save(key, &next, job.attempts).await?;
            return Ok(is_cut_off);
        }
    }

    /// Triggers the function again for a job that the slice had no time for.
    ///
    /// The stream reports changed items only.
    async fn requeue(&self, key: &Key<JobItem>, job: &JobItem) -> Result<()> {
        let next = job.leased(self.app.now(), Duration::ZERO);
        self.save(key, &next, job.attempts).await.map(drop)
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

/// The clients of these jobs, in the same order.
fn clients(keys: &[Key<JobItem>]) -> Vec<ClientScope> {
    keys.iter().filter_map(Key::client).collect()
}
