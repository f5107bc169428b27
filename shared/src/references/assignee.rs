//! Removes a deleted user from the deals that are assigned to them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant as Timer;

use super::GSI_LAG;
use crate::contacts::jobs::TOMBSTONE_TTL;
use crate::deals::{Deal, repository};
use crate::identity::{ClientId, ClientScope, HomeScope};
use crate::jobs::{Job, JobContext, JobOutcome, Payload, enqueue};
use crate::table::{Order, Store, StoreError, Transaction};
use crate::users::UserId;
use crate::web::{App, Result};

/// Deals per step.
///
/// A transaction has at most 100 parts, and each deal takes two: its next version and an entry of its history.
const BATCH: i32 = 40;

/// Clients of an agency per read.
const CLIENTS: i32 = 100;

/// The result of an attempt to remove the user from deals of a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Batch {
    /// The index has no deals of the user.
    None,
    /// The index has only deals that are no longer assigned to the user.
    Stale,
    /// Deals were changed.
    Cleared,
}

/// Removes a deleted user from the deals that are assigned to them.
///
/// No deal can be assigned to the user again: every change of an assignee requires that the user exists. Deals are found
/// in an eventually consistent index, so a second pass follows when the index has caught up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClearAssignee {
    /// The deleted user.
    user: UserId,
    /// The user who deleted them, for the history of the deals.
    by: UserId,
    /// Whether the user could be assigned in all clients of the agency.
    whole_agency: bool,
    /// The next client of the agency; without it, the first one.
    #[serde(default)]
    next: Option<ClientId>,
    #[serde(default)]
    is_second_pass: bool,
}

impl ClearAssignee {
    /// Adds the job to the transaction that deletes a user of `home`.
    ///
    /// `first` is the first client of the agency, for a user of an agency with clients.
    pub fn enqueue(
        transaction: &mut Transaction,
        app: &App,
        (home, first): (HomeScope, Option<ClientScope>),
        (user, by): (UserId, UserId),
    ) -> Result<()> {
        let (client, whole_agency) = match home {
            HomeScope::Client(client) => (Some(client), false),
            HomeScope::Agency(_) => (first, true),
            // No route deletes a user of the platform.
            HomeScope::Platform(_) => (None, false),
        };
        let job = Self { user, by, whole_agency, next: None, is_second_pass: false };
        client.map_or(Ok(()), |client| enqueue(transaction, app, client, &job))
    }

    /// Removes the user from a batch of deals of a client.
    ///
    /// The index finds the deals, and the table has their current versions.
    async fn clear(&self, app: &App, store: &Store, client: ClientScope) -> Result<Batch> {
        let deals = client.deals_of_assignee(self.user);
        let read = async || {
            let found = store.query(&deals, None, Order::Asc, BATCH).await?.items;
            let keys: Vec<_> = found.iter().map(|(_, deal)| client.deal(deal.id)).collect();
            let current = store.get_all(&keys).await?.into_iter().flatten();
            let assigned = current.filter(|deal| deal.fields.assigned_to_id == Some(self.user)).collect();
            Ok((keys.is_empty(), assigned))
        };
        let decide = |(is_empty, assigned): &(bool, Vec<Deal>), transaction: &mut Transaction| {
            let now = app.now();
            let moves: Vec<_> = assigned.iter().map(|deal| (deal.clone(), deal.without_assignee(now))).collect();
            let totals = repository::relocate(transaction, client, &moves, self.by)?;
            repository::change_totals(transaction, client, totals, None)?;
            Ok(match (is_empty, moves.is_empty()) {
                (true, _) => Batch::None,
                (false, true) => Batch::Stale,
                (false, false) => Batch::Cleared,
            })
        };
        store.retry_on_conflict(read, decide).await
    }

    /// Clears deals in the clients of the agency from `next` on, until one has deals or the turn ends.
    ///
    /// The result for the client at which to continue; `None` after the last one.
    async fn clear_agency(&self, app: &App, client: ClientScope, stop: Timer) -> Result<Option<(ClientId, Batch)>> {
        let (store, agency) = (app.store_for_event(), client.agency());
        let mut clients = self.clients(&store, client).await?;
        while let Some(id) = clients.pop() {
            let batch = self.clear(app, &store, agency.client(id)).await?;
            if batch != Batch::None {
                return Ok(Some((id, batch)));
            }
            if clients.is_empty() {
                clients = Self { next: Some(id), ..self.clone() }.clients(&store, client).await?;
                clients.retain(|other| *other != id);
            }
            if let Some(next) = clients.last().filter(|_| Timer::now() >= stop) {
                return Ok(Some((*next, Batch::None)));
            }
        }
        Ok(None)
    }

    /// The next clients of the agency, last one first.
    async fn clients(&self, store: &Store, client: ClientScope) -> Result<Vec<ClientId>, StoreError> {
        let list = client.agency().clients_from(self.next);
        let page = store.query(&list, None, Order::Asc, CLIENTS).await?;
        Ok(page.items.into_iter().rev().map(|(_, record)| record.id).collect())
    }

    /// The outcome after a pass: the second pass, or the end.
    fn after_pass(&self) -> Result<JobOutcome> {
        if self.is_second_pass {
            return Ok(JobOutcome::Done);
        }
        let second = Self { next: None, is_second_pass: true, ..self.clone() };
        Ok(JobOutcome::Next(Payload::new(&second)?, TOMBSTONE_TTL))
    }
}

impl Job for ClearAssignee {
    const NAME: &'static str = "clearAssignee";

    async fn step(&self, &JobContext { app, client, stop, .. }: &JobContext<'_>) -> Result<JobOutcome> {
        if !self.whole_agency {
            return match self.clear(app, &app.store_for_event(), client).await? {
                Batch::None => self.after_pass(),
                Batch::Stale => Ok(JobOutcome::RetryAfter(GSI_LAG)),
                Batch::Cleared => Ok(JobOutcome::Continue),
            };
        }
        match self.clear_agency(app, client, stop).await? {
            Some((next, Batch::Stale)) if self.next == Some(next) => Ok(JobOutcome::RetryAfter(GSI_LAG)),
            Some((next, _)) if self.next == Some(next) => Ok(JobOutcome::Continue),
            Some((next, _)) => {
                let continued = Self { next: Some(next), ..self.clone() };
                Ok(JobOutcome::Next(Payload::new(&continued)?, Duration::ZERO))
            }
            None => self.after_pass(),
        }
    }
}
