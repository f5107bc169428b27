//! References across modules that are removed when their target is deleted: to contacts and to users.
//!
//! Deals and appointments are kept when their contact or assignee is deleted, without the reference. This layer is above
//! the modules that refer, so that contacts and users do not depend on them.

mod assignee;

pub use assignee::ClearAssignee;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::appointments::Appointment;
use crate::contacts::jobs::RemoveTombstone;
use crate::contacts::{ContactId, ReferenceCount, Tombstones, delete_later};
use crate::deals::Deal;
use crate::identity::ClientScope;
use crate::jobs::{Job, JobContext, JobOutcome, JobRegistry};
use crate::table::{Order, Store, StoreError, Transaction};
use crate::value::Instant;
use crate::web::{App, Result};

/// Registers the jobs of the module.
pub fn register(registry: &mut JobRegistry) {
    registry.register::<ClearContactReferences>();
    registry.register::<ClearAssignee>();
}

/// The pause until an index has caught up with the table.
const GSI_LAG: Duration = Duration::from_secs(5);

/// Removes a deleted contact from the deals and appointments that refer to it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClearContactReferences {
    /// The contact.
    pub contact: ContactId,
}

impl Job for ClearContactReferences {
    const NAME: &'static str = "clearContactReferences";

    /// Removes a batch of references.
    ///
    /// No reference can be added, because a transaction that adds a reference requires that the contact exists. The
    /// strongly consistent count shows whether any references are left; the eventually consistent index shows
    /// which ones.
    async fn step(&self, &JobContext { app, client, .. }: &JobContext<'_>) -> Result<JobOutcome> {
        let (store, contact) = (app.store_for_event(), self.contact);
        let key = client.reference_count(contact);
        let read = || async {
            let count = store.get(&key).await?.unwrap_or_default();
            Ok((count, ContactReferences::read(&store, client, contact).await?))
        };
        let decide = |(count, references): &(ReferenceCount, ContactReferences), transaction: &mut Transaction| {
            match (count.n, references.len()) {
                (0, _) => count.delete(transaction, client, contact)?,
                // The index has not caught up.
                (_, 0) => return Ok(JobOutcome::RetryAfter(GSI_LAG)),
                (_, found) => {
                    references.clear(transaction, client, app.now())?;
                    ReferenceCount::decrement(transaction, client, contact, found)?;
                    return Ok(JobOutcome::Continue);
                }
            }
            RemoveTombstone::later(contact.uuid())
        };
        store.retry_on_conflict(read, decide).await
    }
}

/// The largest number of references to remove in the contact's deletion.
///
/// A job removes more.
const INLINE_LIMIT: usize = 20;

/// Deals and appointments that refer to a contact.
pub struct ContactReferences {
    deals: Vec<Deal>,
    appointments: Vec<Appointment>,
}

impl ContactReferences {
    /// Reads deals and appointments, at most `INLINE_LIMIT` of each.
    ///
    /// Two concurrent, eventually consistent Queries of an index.
    async fn read(store: &Store, client: ClientScope, contact: ContactId) -> Result<Self, StoreError> {
        let (deals, appointments) = (client.deals_of_contact(contact), client.appointments_of_contact(contact, None));
        let limit = i32::try_from(INLINE_LIMIT).unwrap_or(i32::MAX);
        let (deals, appointments) = tokio::try_join!(
            store.query(&deals, None, Order::Asc, limit),
            store.query(&appointments, None, Order::Asc, limit),
        )?;
        let deals = deals.items.into_iter().map(|(_, deal)| deal).collect();
        Ok(Self { deals, appointments: appointments.items.into_iter().map(|(_, appointment)| appointment).collect() })
    }

    /// Reads all references, if they can be removed in one transaction.
    ///
    /// `None` if there are none or more than `INLINE_LIMIT`, or if the index has not as many as `count`.
    pub async fn read_all(
        store: &Store,
        client: ClientScope,
        contact: ContactId,
        count: &ReferenceCount,
    ) -> Result<Option<Self>, StoreError> {
        if !(1..=INLINE_LIMIT).contains(&count.n) {
            return Ok(None);
        }
        let references = Self::read(store, client, contact).await?;
        Ok((references.len() == count.n).then_some(references))
    }

    fn len(&self) -> usize {
        self.deals.len() + self.appointments.len()
    }

    /// Adds the removal of the references.
    ///
    /// A conflict if a deal or an appointment has changed since its read.
    fn clear(&self, transaction: &mut Transaction, client: ClientScope, now: Instant) -> Result<(), StoreError> {
        for deal in &self.deals {
            transaction.replace_or_retry(&client.deal(deal.id), &deal.without_contact(now), deal.meta.version)?;
        }
        for appointment in &self.appointments {
            let next = appointment.without_contact(now);
            transaction.replace_or_retry(&client.appointment(appointment.id), &next, appointment.meta.version)?;
        }
        Ok(())
    }
}

/// Adds the removal of all references to a deleted contact.
///
/// In this transaction if all references were read, otherwise by a job.
///
/// # Errors
/// 429 `too_many_deletions` if a job is needed and there are too many tombstones.
pub fn clear(
    transaction: &mut Transaction,
    app: &App,
    client: ClientScope,
    contact: ContactId,
    (count, references, tombstones): (&ReferenceCount, Option<&ContactReferences>, Option<&Tombstones>),
) -> Result<()> {
    match references {
        Some(references) => references.clear(transaction, client, app.now())?,
        None if count.n == 0 => {}
        None => {
            let job = ClearContactReferences { contact };
            return delete_later(transaction, app, client, tombstones, contact.uuid(), &job);
        }
    }
    Ok(count.delete(transaction, client, contact)?)
}
