//! Advances the jobs of all modules: work that does not fit one call. It is woken by the table's stream, of which AWS advises at most
//! two readers, and every minute by the index of what is due.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use shared::auth::ClientScope;
use shared::belongings;
use shared::event::Trigger;
use shared::job::{Job, JobOutcome, Work, taken};
use shared::keys::{JOBS_DUE, Key};
use shared::lambda::Error;
use shared::store::Store;
use shared::{App, Problem, Result};
use tokio::time::Instant;

/// How long after its start an invocation begins new steps. A step takes less than 30 s, and the function's timeout is 300 s.
const STEP_DEADLINE: Duration = Duration::from_mins(4);

/// For how long a job is nobody else's: longer than an invocation takes.
const LEASE: Duration = Duration::from_secs(330);

/// How many jobs are advanced at a time.
const MAX_CONCURRENCY: usize = 4;

/// How many jobs are asked for at a time.
const PAGE: i32 = 50;

/// The function that advances the jobs.
pub struct Service {
    app: App,
}

impl Service {
    /// The function on this app.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    /// Advances the jobs that an event of the table's stream names, or at a schedule's all that are due, and says how many it took
    /// up. It fails when it cannot tell what is due, and never for one job.
    pub async fn handle(&self, event: Value) -> std::result::Result<Value, Error> {
        let stop = Instant::now() + STEP_DEADLINE;
        let wake: Trigger = serde_json::from_value(event).map_err(|_| "neither a stream's event nor a schedule's")?;
        let keys = if wake.is_scheduled() {
            let due = self.app.store_for_event().due(&JOBS_DUE, self.app.clock().now(), PAGE).await;
            due.map_err(|problem| format!("what is due could not be read: {}", problem.code()))?
        } else {
            wake.rows(&JOBS_DUE)
        };
        let advancing = stream::iter(keys).map(|key| async move { self.advance(&key, stop).await });
        let advanced =
            advancing.buffer_unordered(MAX_CONCURRENCY).filter(|took_up| std::future::ready(*took_up)).count().await;
        Ok(json!({ "advanced": advanced }))
    }

    /// Advances one job as far as there is time, unless it is gone, not due, or somebody else is at it. Says whether it was taken up.
    async fn advance(&self, key: &Key<Job>, stop: Instant) -> bool {
        if Instant::now() >= stop {
            return false;
        }
        let taken_up = self.take_up(key).await;
        let advanced = match taken_up {
            Ok(None) => return false,
            Ok(Some((client, job))) => self.work(key, client, &job, stop).await,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = advanced {
            let cause = problem.cause().map(tracing::field::display);
            tracing::error!(job = key.id(), code = problem.code(), cause, "a job did not get on");
        }
        true
    }

    async fn take_up(&self, key: &Key<Job>) -> Result<Option<(ClientScope, Job)>> {
        let store = self.app.store_for_event();
        let now = self.app.clock().now();
        let Some(job) = store.get(key).await?.filter(|job| job.due <= now) else { return Ok(None) };
        let client = key.client().ok_or_else(|| Problem::internal("a job that is no client's"))?;
        let begun = job.begun(now, LEASE);
        Ok(put(&store, key, &begun, job.attempts).await?.then_some((client, begun)))
    }

    /// Makes steps until there is nothing more to do, or no more time.
    async fn work(&self, key: &Key<Job>, client: ClientScope, job: &Job, stop: Instant) -> Result<()> {
        loop {
            let made = self.step(client, job, stop).await;
            let (store, now) = (self.app.store_for_event(), self.app.clock().now());
            let next = match made {
                Ok(JobOutcome::Continue) if Instant::now() < stop => continue,
                Ok(JobOutcome::RetryAfter(pause)) if Instant::now() + pause < stop => {
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Ok(JobOutcome::Continue | JobOutcome::RetryAfter(_)) => job.resting(job.work.clone(), now),
                Ok(JobOutcome::Next(work, pause)) => job.resting(work, now.after(pause)),
                Ok(JobOutcome::Done) => return end(&store, key, job.attempts).await,
                Err(problem) => {
                    put(&store, key, &job.failed(now), job.attempts).await?;
                    return Err(problem);
                }
            };
            return put(&store, key, &next, job.attempts).await.map(drop);
        }
    }

    async fn step(&self, client: ClientScope, job: &Job, stop: Instant) -> Result<JobOutcome> {
        let app = &self.app;
        match &job.work {
            Work::Untag { tag } => contacts::jobs::untag(app, client, *tag).await,
            Work::Unrefer { contact } => contacts::jobs::unrefer(app, client, *contact).await,
            Work::ClearDeal { deal } => belongings::clear(app, client.belongings_of_deal(*deal)).await,
            Work::ClearStaff { staff } => belongings::clear(app, client.belongings_of_staff(*staff)).await,
            Work::Forget { id } => contacts::jobs::forget(app, client, *id).await,
            Work::Import { import } => contacts::jobs::import(app, client, *import, job.failures, stop).await,
            Work::Vacate(vacating) => deals::vacate(app, client, vacating, stop).await,
        }
    }
}

/// Writes a job as it goes on; false if somebody else has taken it up.
async fn put(store: &Store, key: &Key<Job>, job: &Job, attempts: u64) -> Result<bool> {
    let mut transaction = store.transaction();
    transaction.put_job(key, job, attempts, taken())?;
    unless_taken(transaction.commit().await)
}

async fn end(store: &Store, key: &Key<Job>, attempts: u64) -> Result<()> {
    let mut transaction = store.transaction();
    transaction.end_job(key, attempts, taken())?;
    unless_taken(transaction.commit().await).map(drop)
}

fn unless_taken(committed: Result<()>) -> Result<bool> {
    match committed {
        Ok(()) => Ok(true),
        Err(problem) if problem.code() == taken().code() => Ok(false),
        Err(problem) => Err(problem),
    }
}
