//! Tombstones: ids of deleted entities that other items still refer to.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::identity::ClientScope;
use crate::jobs::{Job, enqueue};
use crate::table::{Condition, Failure, Operand, StoreError, Transaction, Update};
use crate::value::Id;
use crate::web::{App, ErrorCode, Problem, Result};

/// The ids of deleted entities of a client that other items still refer to.
///
/// A job removes the references; until then every read hides them. The set is small: only entities with many
/// references are added.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tombstones {
    #[serde(default)]
    ids: HashSet<Uuid>,
}

/// The largest number of ids.
///
/// 1,000 ids take 40 KB, which is added to each read of a tagged contact.
const MAX_TOMBSTONES: usize = 1000;

impl Tombstones {
    /// Whether the entity with this id was deleted.
    pub fn contains<T>(&self, id: Id<T>) -> bool {
        self.ids.contains(&id.uuid())
    }

    /// Whether no more ids can be added.
    pub fn is_full(&self) -> bool {
        self.ids.len() >= MAX_TOMBSTONES
    }
}

/// Hides and later removes the references to a deleted entity.
///
/// Adds a tombstone that hides them, and a job that removes them.
///
/// # Errors
/// 429 `too_many_deletions` if there are too many tombstones.
pub fn delete_later<J: Job>(
    transaction: &mut Transaction,
    app: &App,
    client: ClientScope,
    tombstones: Option<&Tombstones>,
    id: Uuid,
    job: &J,
) -> Result<()> {
    if tombstones.is_some_and(Tombstones::is_full) {
        let detail = "Too many deletions are in progress. Try again in a minute.";
        return Err(Problem::new(ErrorCode::TooManyDeletions, detail).retry_after(60));
    }
    add_tombstone(transaction, client, id)?;
    enqueue(transaction, app, client, job)
}

fn add_tombstone(transaction: &mut Transaction, client: ClientScope, id: Uuid) -> Result<(), StoreError> {
    let update = Update::default().add("ids", Operand::set_of(&id));
    transaction.update(
        &client.tombstones(),
        update,
        Condition::Always,
        Failure::Unexpected("an unconditional update failed"),
    )
}

/// Removes a tombstone.
///
/// Deletes the item with its last id: an empty item would never be deleted.
pub(super) fn remove_tombstone(
    transaction: &mut Transaction,
    client: ClientScope,
    current: &Tombstones,
    id: Uuid,
) -> Result<(), StoreError> {
    if !current.ids.contains(&id) {
        return Ok(());
    }
    let only = Operand::set_of(&id);
    if current.ids.len() == 1 {
        return transaction.delete_if(&client.tombstones(), Condition::equal("ids", only), Failure::Conflict);
    }
    let others = Condition::contains("ids", id.to_string()).and(Condition::not_equal("ids", only.clone()));
    transaction.update(&client.tombstones(), Update::default().delete("ids", only), others, Failure::Conflict)
}
