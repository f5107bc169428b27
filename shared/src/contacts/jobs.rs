//! Jobs: remove deleted tags and tombstones, and import large files.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::repository::{self, ConflictPolicy};
use super::tombstones::remove_tombstone;
use super::{ContactRow, ImportId, TagAssignment, TagId, Tombstones, import};
use crate::identity::ClientScope;
use crate::jobs::{Job, JobContext, JobOutcome, JobRegistry, Payload};
use crate::table::{Order, Store, StoreError, Transaction};
use crate::value::Instant;
use crate::web::{Problem, Result};

/// Registers the jobs of the module.
pub fn register(registry: &mut JobRegistry) {
    registry.register::<RemoveTag>();
    registry.register::<RemoveTombstone>();
    registry.register::<ImportContacts>();
}

/// How long a tombstone is kept after the last reference was removed.
///
/// Longer than a request that may have read a reference, and longer than the replication lag of an index.
pub const TOMBSTONE_TTL: Duration = Duration::from_mins(1);

/// Consecutive failures of an import, a minute apart, after which it is abandoned.
const MAX_FAILURES: u32 = 120;

/// Contacts per step of [`RemoveTag`].
///
/// A transaction has at most 100 parts, and each contact takes two.
const BATCH: i32 = 40;

/// Removes a deleted tag from all contacts.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveTag {
    /// The tag.
    pub tag: TagId,
}

/// Removes a tombstone after all reads that may have seen a reference have ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveTombstone {
    /// The id of the deleted entity.
    pub id: Uuid,
}

/// Continues an import of contacts.
#[derive(Debug, Serialize, Deserialize)]
pub struct ImportContacts {
    /// The import.
    pub import: ImportId,
}

impl Job for RemoveTag {
    const NAME: &'static str = "removeTag";

    /// Removes the tag from a batch of contacts.
    ///
    /// No contact can get the tag again: every change that adds a tag requires that the tag exists.
    async fn step(&self, &JobContext { app, client, .. }: &JobContext<'_>) -> Result<JobOutcome> {
        let store = app.store_for_event();
        let decide =
            |batch: &Vec<(TagAssignment, Option<ContactRow>)>, transaction: &mut Transaction| -> Result<bool> {
                for (assignment, row) in batch {
                    remove_from(transaction, client, self.tag, assignment, row.as_ref(), app.now())?;
                }
                Ok(batch.is_empty())
            };
        let done =
            store.retry_on_conflict(async || Ok(tagged_contacts(&store, client, self.tag).await?), decide).await?;
        if done { RemoveTombstone::later(self.tag.uuid()) } else { Ok(JobOutcome::Continue) }
    }
}

async fn tagged_contacts(
    store: &Store,
    client: ClientScope,
    tag: TagId,
) -> Result<Vec<(TagAssignment, Option<ContactRow>)>, StoreError> {
    let page = store.query(&client.tag_assignments(tag).all(), None, Order::Asc, BATCH).await?;
    let assignments: Vec<_> = page.items.into_iter().map(|(_, assignment)| assignment).collect();
    let keys: Vec<_> = assignments.iter().map(|assignment| client.contact(assignment.owner)).collect();
    Ok(assignments.into_iter().zip(store.get_all(&keys).await?).collect())
}

fn remove_from(
    transaction: &mut Transaction,
    client: ClientScope,
    tag: TagId,
    assignment: &TagAssignment,
    row: Option<&ContactRow>,
    now: Instant,
) -> Result<()> {
    let Some(row) = row.filter(|row| row.contact.fields.tag_ids.contains(&tag)) else {
        return Ok(transaction.remove(&client.tag_assignment(tag, assignment.owner))?);
    };
    let mut fields = row.contact.fields.clone();
    fields.tag_ids.retain(|other| *other != tag);
    let next = row.next(row.contact.changed(fields, now));
    Ok(repository::replace(transaction, client, row, &next, ConflictPolicy::RETRY)?)
}

impl RemoveTombstone {
    /// The outcome of the step that removes the last reference.
    ///
    /// Continues with this job after [`TOMBSTONE_TTL`].
    pub fn later(id: Uuid) -> Result<JobOutcome> {
        Ok(JobOutcome::Next(Payload::new(&Self { id })?, TOMBSTONE_TTL))
    }
}

impl Job for RemoveTombstone {
    const NAME: &'static str = "removeTombstone";

    async fn step(&self, &JobContext { app, client, .. }: &JobContext<'_>) -> Result<JobOutcome> {
        let store = app.store_for_event();
        let key = client.tombstones();
        let decide = |tombstones: &Option<Tombstones>, transaction: &mut Transaction| -> Result<()> {
            match tombstones {
                Some(tombstones) => Ok(remove_tombstone(transaction, client, tombstones, self.id)?),
                None => Ok(()),
            }
        };
        store.retry_on_conflict(async || Ok(store.get(&key).await?), decide).await?;
        Ok(JobOutcome::Done)
    }
}

impl Job for ImportContacts {
    const NAME: &'static str = "importContacts";

    async fn step(&self, &JobContext { app, client, failures, stop }: &JobContext<'_>) -> Result<JobOutcome, Problem> {
        if failures < MAX_FAILURES {
            import::resume(app, client, self.import, stop).await
        } else {
            import::abandon(app, client, self.import).await
        }
    }
}
