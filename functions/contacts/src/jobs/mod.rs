//! What does not fit one call: taking a deleted tag off thousands of contacts, a deleted contact off thousands of deals, and reading
//! large files. Each is a row that this service advances, woken by the table's stream and every minute by the index of what is due.

mod references;
mod tags;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use lambda_http::http::StatusCode;
use serde_json::{Value, json};
use shared::auth::ClientScope;
use shared::entity::{ContactWork, Gone};
use shared::event::Wake;
use shared::job::Job;
use shared::keys::{CONTACT_JOBS_DUE, Key};
use shared::lambda::Error;
use shared::store::{Store, Transaction};
use shared::{App, Problem, Result};
use tokio::time::Instant;
use uuid::Uuid;

use crate::import;

/// How long after its start an invocation begins new steps. A step takes less than 30 s, and the function's timeout is 300 s.
const BEGINS_FOR: Duration = Duration::from_mins(4);

/// For how long a job is nobody else's: longer than an invocation takes.
const LEASE: Duration = Duration::from_secs(330);

/// How long what is gone is remembered after the last reference to it went: longer than any request that may have read one takes,
/// and longer than an index takes to follow the table.
const MOURNING: Duration = Duration::from_mins(1);

/// How many jobs are advanced at a time.
const AT_A_TIME: usize = 4;

/// How many jobs are asked for at a time.
const PAGE: i32 = 50;

/// How often in a row an import may go wrong, a minute apart, before it is given up. What clears references never is.
const MOST_FAILURES: u32 = 120;

pub(crate) type ContactJob = Job<ContactWork>;

/// How a step ended.
pub(crate) enum Step {
    /// There is more to do.
    Again,
    /// There is this to do, after so long.
    Then(ContactWork, Duration),
    /// There is no more to do.
    Done,
}

/// Adds a job that clears the references to something that the transaction deletes. Until it is done, `gone` tells readers to leave
/// those references out.
pub(crate) fn accept(
    transaction: &mut Transaction,
    app: &App,
    client: ClientScope,
    gone: Option<&Gone>,
    id: Uuid,
    work: ContactWork,
) -> Result<()> {
    if gone.is_some_and(Gone::is_full) {
        let detail = "Too many deletions are under way. Try again in a minute.";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_deletions", detail).retry_after(60));
    }
    let now = app.clock().now();
    transaction.bury(&client.gone(), id)?;
    transaction.create(&client.contact_job(app.ids().make()), &Job::new(work, now, now))
}

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
        let stop = Instant::now() + BEGINS_FOR;
        let wake: Wake = serde_json::from_value(event).map_err(|_| "neither a stream's event nor a schedule's")?;
        let keys = if wake.is_scheduled() {
            let due = self.app.store_for_event().due(&CONTACT_JOBS_DUE, self.app.clock().now(), PAGE).await;
            due.map_err(|problem| format!("what is due could not be read: {}", problem.code()))?
        } else {
            wake.rows(&CONTACT_JOBS_DUE)
        };
        let advancing = stream::iter(keys).map(|key| async move { self.advance(&key, stop).await });
        let advanced =
            advancing.buffer_unordered(AT_A_TIME).filter(|took_up| std::future::ready(*took_up)).count().await;
        Ok(json!({ "advanced": advanced }))
    }

    /// Advances one job as far as there is time, unless it is gone, not due, or somebody else is at it. Says whether it was taken up.
    async fn advance(&self, key: &Key<ContactJob>, stop: Instant) -> bool {
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

    async fn take_up(&self, key: &Key<ContactJob>) -> Result<Option<(ClientScope, ContactJob)>> {
        let store = self.app.store_for_event();
        let now = self.app.clock().now();
        let Some(job) = store.get(key).await?.filter(|job| job.due <= now) else { return Ok(None) };
        let client = key.client().ok_or_else(|| Problem::internal("a job that is no client's"))?;
        let begun = job.begun(now, LEASE);
        Ok(put(&store, key, &begun, job.attempts).await?.then_some((client, begun)))
    }

    /// Makes steps until there is nothing more to do, or no more time.
    async fn work(&self, key: &Key<ContactJob>, client: ClientScope, job: &ContactJob, stop: Instant) -> Result<()> {
        loop {
            let made = self.step(client, job, stop).await;
            let (store, now) = (self.app.store_for_event(), self.app.clock().now());
            let next = match made {
                Ok(Step::Again) if Instant::now() < stop => continue,
                Ok(Step::Again) => job.resting(job.work.clone(), now),
                Ok(Step::Then(work, pause)) => job.resting(work, now.after(pause)),
                Ok(Step::Done) => return end(&store, key, job.attempts).await,
                Err(problem) => {
                    put(&store, key, &job.failed(now), job.attempts).await?;
                    return Err(problem);
                }
            };
            return put(&store, key, &next, job.attempts).await.map(drop);
        }
    }

    async fn step(&self, client: ClientScope, job: &ContactJob, stop: Instant) -> Result<Step> {
        let store = self.app.store_for_event();
        match &job.work {
            ContactWork::Untag { tag } => tags::untag(&self.app, &store, client, *tag).await,
            ContactWork::Unrefer { contact } => references::unrefer(&self.app, &store, client, *contact).await,
            ContactWork::Forget { id } => forget(&store, client, *id).await,
            ContactWork::Import { import } if job.failures < MOST_FAILURES => {
                import::go_on(&self.app, client, *import, stop).await
            }
            ContactWork::Import { import } => import::give_up(&self.app, client, *import).await,
        }
    }
}

/// Writes a job as it goes on; false if somebody else has taken it up.
async fn put(store: &Store, key: &Key<ContactJob>, job: &ContactJob, attempts: u64) -> Result<bool> {
    let mut transaction = store.transaction();
    transaction.put_job(key, job, attempts, taken())?;
    unless_taken(transaction.commit().await)
}

async fn end(store: &Store, key: &Key<ContactJob>, attempts: u64) -> Result<()> {
    let mut transaction = store.transaction();
    transaction.end_job(key, attempts, taken())?;
    unless_taken(transaction.commit().await).map(drop)
}

/// Somebody else has taken a job up.
pub(crate) fn taken() -> Problem {
    Problem::conflict("job_taken", "Somebody else is at this job.")
}

fn unless_taken(committed: Result<()>) -> Result<bool> {
    match committed {
        Ok(()) => Ok(true),
        Err(problem) if problem.code() == taken().code() => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// The step after the last reference to something went.
fn mourn(id: Uuid) -> Step {
    Step::Then(ContactWork::Forget { id }, MOURNING)
}

async fn forget(store: &Store, client: ClientScope, id: Uuid) -> Result<Step> {
    let gone = client.gone();
    let decide = |read: &Option<Gone>, transaction: &mut Transaction| match read {
        Some(read) if read.names(id) => transaction.forget(&gone, id, read.is_one()),
        _ => Ok(()),
    };
    store.decide(|| store.get(&gone), decide).await?;
    Ok(Step::Done)
}
