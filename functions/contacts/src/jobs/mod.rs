//! What does not fit one call: taking a deleted tag off thousands of contacts, a deleted contact off thousands of deals, and reading
//! large files. Each is a job, which the jobs' function advances.

mod references;
mod tags;

use std::time::Duration;

use lambda_http::http::StatusCode;
use shared::auth::ClientScope;
use shared::entity::{ContactId, ImportId, TagId, Tombstones};
use shared::job::{Job, JobOutcome, Work};
use shared::store::Transaction;
use shared::{App, Problem, Result};
use tokio::time::Instant;
use uuid::Uuid;

use crate::import;

/// How long what is gone is remembered after the last reference to it went: longer than any request that may have read one takes,
/// and longer than an index takes to follow the table.
const TOMBSTONE_TTL: Duration = Duration::from_mins(1);

/// How often in a row an import may go wrong, a minute apart, before it is given up. What clears references never is.
const MAX_FAILURES: u32 = 120;

/// Adds a job that clears the references to something that the transaction deletes. Until it is done, `gone` tells readers to leave
/// those references out.
pub(crate) fn accept(
    transaction: &mut Transaction,
    app: &App,
    client: ClientScope,
    gone: Option<&Tombstones>,
    id: Uuid,
    work: Work,
) -> Result<()> {
    if gone.is_some_and(Tombstones::is_full) {
        let detail = "Too many deletions are under way. Try again in a minute.";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_deletions", detail).retry_after(60));
    }
    let now = app.clock().now();
    transaction.bury(&client.gone(), id)?;
    transaction.create(&client.job(app.ids().make()), &Job::new(work, now, now))
}

/// Takes a deleted tag off some contacts.
pub async fn untag(app: &App, client: ClientScope, tag: TagId) -> Result<JobOutcome> {
    tags::untag(app, &app.store_for_event(), client, tag).await
}

/// Takes a deleted contact off some of what refers to it.
pub async fn unrefer(app: &App, client: ClientScope, contact: ContactId) -> Result<JobOutcome> {
    references::unrefer(app, &app.store_for_event(), client, contact).await
}

/// Goes on with an import until `stop`; gives it up when it went wrong too often in a row.
pub async fn import(
    app: &App,
    client: ClientScope,
    import: ImportId,
    failures: u32,
    stop: Instant,
) -> Result<JobOutcome> {
    if failures < MAX_FAILURES {
        import::go_on(app, client, import, stop).await
    } else {
        import::give_up(app, client, import).await
    }
}

/// Forgets that something was deleted.
pub async fn forget(app: &App, client: ClientScope, id: Uuid) -> Result<JobOutcome> {
    let (store, gone) = (app.store_for_event(), client.gone());
    let decide = |read: &Option<Tombstones>, transaction: &mut Transaction| match read {
        Some(read) if read.names(id) => transaction.forget(&gone, id, read.is_one()),
        _ => Ok(()),
    };
    store.decide(|| store.get(&gone), decide).await?;
    Ok(JobOutcome::Done)
}

/// The step after the last reference to something went.
fn mourn(id: Uuid) -> JobOutcome {
    JobOutcome::Next(Work::Forget { id }, TOMBSTONE_TTL)
}
