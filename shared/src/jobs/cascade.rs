//! Cascading deletes: the deletion of the children of a deleted item.
//!
//! The children are in partitions of their own. The transaction that deletes the parent also deletes the first
//! children. A job deletes the others, including children that were added concurrently. No child can be added
//! after its parent was deleted.

use futures_util::future;
use serde::{Deserialize, Serialize};

use super::job::{Job, JobOutcome, enqueue};
use crate::identity::ClientScope;
use crate::table::{Entity, Key, List, Partition, Store, StoreError, Transaction};
use crate::web::{App, Result};

/// A child item, read for its key only.
#[derive(Debug, Serialize, Deserialize)]
pub struct OwnedItem {}

impl Entity for OwnedItem {}

/// The first children of a deleted item.
pub struct CascadeDelete(Vec<Key<OwnedItem>>);

/// The number of items of each of the two partitions that one transaction deletes.
///
/// A transaction has at most 100 parts.
const BATCH: i32 = 40;

impl CascadeDelete {
    /// Reads the first items of these partitions.
    pub async fn read(store: &Store, partitions: [Partition<OwnedItem>; 2]) -> Result<Self, StoreError> {
        let lists = partitions.map(List::from);
        let keys = future::try_join_all(lists.iter().map(|list| store.keys(list, BATCH))).await?;
        Ok(Self(keys.into_iter().flatten().collect()))
    }

    /// Adds the deletion of these items, and `job` to delete the others.
    pub fn delete_with<J: Job>(
        &self,
        transaction: &mut Transaction,
        app: &App,
        client: ClientScope,
        job: &J,
    ) -> Result<()> {
        self.remove(transaction)?;
        enqueue(transaction, app, client, job)
    }

    fn remove(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        self.0.iter().try_for_each(|key| transaction.remove(key))
    }

    /// A step of a job that deletes all items of these partitions.
    pub async fn step(app: &App, partitions: [Partition<OwnedItem>; 2]) -> Result<JobOutcome> {
        let store = app.store_for_event();
        let items = Self::read(&store, partitions).await?;
        if items.0.is_empty() {
            return Ok(JobOutcome::Done);
        }
        let mut transaction = store.transaction();
        items.remove(&mut transaction)?;
        transaction.commit().await?;
        Ok(JobOutcome::Continue)
    }
}
