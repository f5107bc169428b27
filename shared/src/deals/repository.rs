//! Reads and writes of deals.
//!
//! A transaction that changes a deal also changes the totals of its stages, its history, the reference count
//! of its contact and the child count of the client. Only this file writes deals, so that all these items agree.

use super::{Deal, DealChange, DealId, PipelineId, StageTotals, StageTotalsChanges};
use crate::contacts::{ContactOrigin, ContactReference, ReferenceCount, find_reference};
use crate::identity::ClientScope;
use crate::table::{Failure, Store, StoreError, Transaction};
use crate::users::{UserId, require_assignee};
use crate::web::Problem;

/// Reads a deal, with a deleted contact hidden.
pub async fn find(store: &Store, client: ClientScope, id: DealId) -> Result<Deal, StoreError> {
    find_reference(store, client, &client.deal(id)).await
}

/// Adds a new deal that the user `by` creates, or a visitor of the client's website.
pub fn create(
    transaction: &mut Transaction,
    client: ClientScope,
    (new, contact): (&Deal, ContactOrigin),
    by: Option<UserId>,
) -> Result<(), StoreError> {
    transaction.increment_children(client)?;
    transaction.create(&client.deal(new.id), new)?;
    write_assignee_and_totals(transaction, client, None, Some(new))?;
    if let Some(id) = new.fields.contact_id {
        ReferenceCount::add(transaction, client, id, contact)?;
    }
    write_history(transaction, client, None, new, by)
}

/// Adds the next version of a deal that the user `by` changes.
pub fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    read: &Deal,
    next: &Deal,
    by: UserId,
) -> Result<(), StoreError> {
    transaction.replace(&client.deal(next.id), next, read.stored_version())?;
    write_related(transaction, client, Some(read), Some(next))?;
    write_history(transaction, client, Some(read), next, Some(by))
}

/// Adds that a deal is deleted.
pub fn delete(transaction: &mut Transaction, client: ClientScope, read: &Deal) -> Result<(), StoreError> {
    transaction.decrement_children(client)?;
    transaction.delete(&client.deal(read.id), read.stored_version())?;
    write_related(transaction, client, Some(read), None)
}

/// Adds moves of deals by the user `by`, each before and after its move.
///
/// Returns the changes of the stage totals, which the caller adds with [`change_totals`].
pub fn relocate(
    transaction: &mut Transaction,
    client: ClientScope,
    moves: &[(Deal, Deal)],
    by: UserId,
) -> Result<StageTotalsChanges, StoreError> {
    let mut changes = StageTotalsChanges::new();
    for (read, next) in moves {
        transaction.replace_or_retry(&client.deal(next.id), next, read.stored_version())?;
        write_history(transaction, client, Some(read), next, Some(by))?;
        count(&mut changes, Some(read), Some(next));
    }
    Ok(changes)
}

/// Adds changes of stage totals.
///
/// A stage that deals are added to must belong to the pipeline `to` and must not be in deletion. If not, it
/// is a conflict.
pub fn change_totals(
    transaction: &mut Transaction,
    client: ClientScope,
    changes: StageTotalsChanges,
    to: Option<PipelineId>,
) -> Result<(), StoreError> {
    for (stage, change) in changes.into_iter().filter(|(_, change)| !change.is_none()) {
        let pipeline = to.filter(|_| change.n > 0 || change.inbound > 0);
        StageTotals::change(transaction, &client.stage_totals(stage), &change, pipeline, Failure::Conflict)?;
    }
    Ok(())
}

/// Checks a new assignee, and changes the stage totals and the reference count.
fn write_related(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&Deal>,
    after: Option<&Deal>,
) -> Result<(), StoreError> {
    write_assignee_and_totals(transaction, client, before, after)?;
    let (had, has) = (before.and_then(Deal::stored_contact), after.and_then(|deal| deal.fields.contact_id));
    ReferenceCount::change(transaction, client, had, has)
}

fn write_assignee_and_totals(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&Deal>,
    after: Option<&Deal>,
) -> Result<(), StoreError> {
    let assignee = |deal: Option<&Deal>| deal.and_then(|deal| deal.fields.assigned_to_id);
    if let Some(user) = assignee(after).filter(|_| assignee(before) != assignee(after)) {
        let unresolved = Problem::unresolved_reference("/assignedToId");
        require_assignee(transaction, client, user, unresolved)?;
    }
    let mut changes = StageTotalsChanges::new();
    count(&mut changes, before, after);
    change_totals(transaction, client, changes, after.map(|deal| deal.fields.pipeline_id))
}

fn count(changes: &mut StageTotalsChanges, before: Option<&Deal>, after: Option<&Deal>) {
    for (deal, by) in before.map(|deal| (deal, -1)).into_iter().chain(after.map(|deal| (deal, 1))) {
        changes.entry(deal.fields.stage_id).or_default().count(deal, by);
    }
}

fn write_history(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&Deal>,
    after: &Deal,
    by: Option<UserId>,
) -> Result<(), StoreError> {
    let Some(change) = DealChange::between(before, after, by) else { return Ok(()) };
    transaction.create(&client.deal_change(after.id, change.version), &change)
}
