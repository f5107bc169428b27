//! What belongs to something and is deleted with it: rows of partitions of its own, to which nothing comes without it. What is few goes
//! in the same transaction. A job deletes the rest, and what came while they were read.

use futures_util::future;
use serde::{Deserialize, Serialize};

use crate::auth::ClientScope;
use crate::job::{Job, JobOutcome, Work};
use crate::keys::{Key, List, Partition};
use crate::store::{Store, Transaction};
use crate::{App, Result};

/// A row of which nothing matters but where it lies.
#[derive(Debug, Serialize, Deserialize)]
pub struct OwnedRow {}

/// Some of what belongs to something.
pub struct CascadeDelete(Vec<Key<OwnedRow>>);

/// How many rows of each of the two partitions go at a time: a transaction has at most 100 parts.
const AT_ONCE: i32 = 40;

impl CascadeDelete {
    /// Reads some of the rows of these partitions; none only if there are none.
    pub async fn some(store: &Store, partitions: [Partition<OwnedRow>; 2]) -> Result<Self> {
        let lists = partitions.map(List::from);
        let keys = future::try_join_all(lists.iter().map(|list| store.keys(list, AT_ONCE))).await?;
        Ok(Self(keys.into_iter().flatten().collect()))
    }

    /// Adds that they go with what they belong to, and that a job, `work`, deletes what else there is.
    pub fn go(&self, transaction: &mut Transaction, app: &App, client: ClientScope, work: Work) -> Result<()> {
        self.remove(transaction)?;
        let now = app.clock().now();
        transaction.create(&client.job(app.ids().make()), &Job::new(work, now, now))
    }

    fn remove(&self, transaction: &mut Transaction) -> Result<()> {
        self.0.iter().try_for_each(|key| transaction.remove(key))
    }
}

/// Deletes some of the rows of these partitions, which belonged to something that is deleted.
pub async fn clear(app: &App, partitions: [Partition<OwnedRow>; 2]) -> Result<JobOutcome> {
    let store = app.store_for_event();
    let some = CascadeDelete::some(&store, partitions).await?;
    if some.0.is_empty() {
        return Ok(JobOutcome::Done);
    }
    let mut transaction = store.transaction();
    some.remove(&mut transaction)?;
    transaction.commit().await.map(|()| JobOutcome::Continue)
}
