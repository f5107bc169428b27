//! What changes together with a deal: what its stages hold, its history, what refers to its contact, and how many deals there are.
//! Whoever writes a deal does it here, so that none of these is ever without the others.

use std::collections::BTreeMap;

pub use crate::contacts::referring::shown;

use crate::auth::{ClientScope, HomeScope, PlatformScope};
use crate::contacts::referring::{self, Referring};
use crate::entity::{Deal, DealChange, DealId, PipelineId, StageId, StageTotalsChange, UserId};
use crate::keys::Scope;
use crate::store::{Store, Transaction};
use crate::{Problem, Result};

/// A deal as it is to be shown: 404 without it.
pub async fn find(store: &Store, client: ClientScope, id: DealId) -> Result<Deal> {
    referring::find(store, client, &client.deal(id)).await
}

/// Adds a new deal, which `by` makes. `home` is where its assignee is looked for, if it has one.
pub fn create(
    transaction: &mut Transaction,
    client: ClientScope,
    new: &Deal,
    by: UserId,
    home: Option<AssigneeHome>,
) -> Result<()> {
    transaction.hold(&client.holdings())?;
    transaction.create(&client.deal(new.id), new)?;
    follow(transaction, client, None, Some(new), home)?;
    note_change(transaction, client, None, new, by)
}

/// Adds the next version of a deal, which `by` makes; stale if it has changed since it was read. `home` is where its assignee is
/// looked for, if that may be another one.
pub fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    read: &Deal,
    next: &Deal,
    by: UserId,
    home: Option<AssigneeHome>,
) -> Result<()> {
    transaction.replace(&client.deal(next.id), next, read.stored_version())?;
    follow(transaction, client, Some(read), Some(next), home)?;
    note_change(transaction, client, Some(read), next, by)
}

/// Adds that a deal is deleted; stale if it has changed since it was read.
pub fn delete(transaction: &mut Transaction, client: ClientScope, read: &Deal) -> Result<()> {
    transaction.let_go(&client.holdings())?;
    transaction.delete(&client.deal(read.id), read.stored_version())?;
    follow(transaction, client, Some(read), None, None)
}

/// What changes of deals add to what stages hold.
pub type StageTotalsChanges = BTreeMap<StageId, StageTotalsChange>;

/// Adds that deals go to other places, which `by` does; stale if one of them has changed since it was read. What that adds to the
/// tallies is the caller's to add.
pub fn relocate(
    transaction: &mut Transaction,
    client: ClientScope,
    moves: &[(Deal, Deal)],
    by: UserId,
) -> Result<StageTotalsChanges> {
    let mut changes = StageTotalsChanges::new();
    for (read, next) in moves {
        transaction.replace_anew(&client.deal(next.id), next, read.stored_version())?;
        note_change(transaction, client, Some(read), next, by)?;
        note_tallies(&mut changes, Some(read), Some(next));
    }
    Ok(changes)
}

/// Adds to what stages hold. The stage to which deals come must be of the pipeline `to`, and stay; stale otherwise.
pub fn tally(
    transaction: &mut Transaction,
    client: ClientScope,
    changes: StageTotalsChanges,
    to: Option<PipelineId>,
) -> Result<()> {
    for (stage, change) in changes.into_iter().filter(|(_, change)| !change.is_none()) {
        let of = to.filter(|_| change.n > 0 || change.inbound > 0);
        transaction.tally(&client.stage(stage), &change, of, Problem::stale())?;
    }
    Ok(())
}

/// Where a user may be at home who may act in a client: which of them it is, their id does not say.
#[derive(Clone, Copy, Debug)]
pub struct AssigneeHome {
    home: HomeScope,
    /// Whether there is no other place left to look.
    is_last: bool,
}

/// Makes a change whose deal has an assignee: with each home that the assignee may have, until it is the right one. Nothing else tells
/// where that is, as only conditions look at users' rows, which hold what no other function may read.
pub async fn with_assignee<T, F: Future<Output = Result<T>>>(
    client: ClientScope,
    attempt: impl Fn(AssigneeHome) -> F,
) -> Result<T> {
    for home in [HomeScope::Client(client), HomeScope::Agency(client.agency())] {
        match attempt(AssigneeHome { home, is_last: false }).await {
            Err(problem) if problem.code() == ELSEWHERE => {}
            made => return made,
        }
    }
    let platform = PlatformScope::of(client.agency().tenant());
    attempt(AssigneeHome { home: platform.into(), is_last: true }).await
}

/// The code of a problem that nobody sees.
const ELSEWHERE: &str = "assignee_elsewhere";

impl AssigneeHome {
    fn otherwise(self) -> Problem {
        let elsewhere = Problem::conflict(ELSEWHERE, "The assignee is at home elsewhere.");
        if self.is_last { Problem::unresolved_reference("/assignedToId") } else { elsewhere }
    }
}

/// What stages hold and whom a deal names, from the one version to the other.
fn follow(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&Deal>,
    after: Option<&Deal>,
    home: Option<AssigneeHome>,
) -> Result<()> {
    let assignee = |deal: Option<&Deal>| deal.and_then(|deal| deal.fields.assigned_to_id);
    if let (Some(user), Some(home)) = (assignee(after).filter(|_| assignee(before) != assignee(after)), home) {
        transaction.require_user(&home.home.user(user), home.otherwise())?;
    }
    let mut changes = StageTotalsChanges::new();
    note_tallies(&mut changes, before, after);
    tally(transaction, client, changes, after.map(|deal| deal.fields.pipeline_id))?;
    refer(transaction, client, before, after)
}

fn note_tallies(changes: &mut StageTotalsChanges, before: Option<&Deal>, after: Option<&Deal>) {
    for (deal, by) in before.map(|deal| (deal, -1)).into_iter().chain(after.map(|deal| (deal, 1))) {
        changes.entry(deal.fields.stage_id).or_default().count(deal, by);
    }
}

/// Counts what refers to the contacts that a deal named and names.
fn refer(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&Deal>,
    after: Option<&Deal>,
) -> Result<()> {
    let (had, has) = (before.and_then(Deal::stored_contact), after.and_then(|deal| deal.fields.contact_id));
    if had == has {
        return Ok(());
    }
    if let Some(contact) = had {
        transaction.unrefer(&client.references(contact), 1)?;
    }
    if let Some(contact) = has {
        let otherwise = Problem::unresolved_reference("/contactId");
        transaction.refer(&client.contact(contact), &client.references(contact), otherwise)?;
    }
    Ok(())
}

fn note_change(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&Deal>,
    after: &Deal,
    by: UserId,
) -> Result<()> {
    let Some(change) = DealChange::between(before, after, by) else { return Ok(()) };
    transaction.create(&client.deal_change(after.id, change.version), &change)
}
