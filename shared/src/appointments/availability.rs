//! What can be booked, and why the rest cannot.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::days::Days;
use super::offering::{BookableService, MAX_CONCURRENCY};
use crate::Result;
use crate::auth::ClientScope;
use crate::booking::{Calendar, ClosedPeriod, SlotRules, UnavailableReason, reach};
use crate::entity::{ServiceId, StaffId, StaffRow};
use crate::store::Store;
use crate::value::Instant;
use crate::value::TimeRange;

/// When a service is offered, and by whom.
pub struct Availability {
    terms: SlotRules,
    /// Of each member of the staff who was asked, in the order of their ids.
    pub offers: Vec<StaffAvailability>,
}

/// When one member of the staff offers it.
pub struct StaffAvailability {
    /// Who.
    pub staff: StaffId,
    /// The starts, in order.
    pub starts: Vec<Instant>,
    /// What is closed, and by which rule, if that was asked for.
    pub closed: Vec<ClosedPeriod>,
}

/// A time that can be booked.
pub struct Slot {
    /// From when to when.
    pub span: TimeRange,
    /// With whom.
    pub staff: Vec<StaffId>,
}

impl Availability {
    /// Reads the starts in a stretch of time that can be booked: with one member of the staff one BatchGetItem and one Query, else a
    /// Query for each who offers the service.
    pub async fn read(
        store: &Store,
        client: ClientScope,
        (service, staff): (ServiceId, Option<StaffId>),
        range: TimeRange,
        explain: bool,
        now: Instant,
    ) -> Result<Self> {
        let (offering, _) = BookableService::read(store, client, service, staff, |_| Vec::new()).await?;
        if let Some(staff) = staff {
            offering.service.fields.require_offered_by(staff)?;
        }
        let terms = offering.service.fields.terms();
        let offers = stream::iter(offering.staff)
            .map(|row| async move { offer(store, client, &row, &terms, range, explain, now).await })
            .buffered(MAX_CONCURRENCY)
            .try_collect()
            .await?;
        Ok(Self { terms, offers })
    }

    /// The times at which anybody offers it, in order.
    pub fn slots(&self) -> Vec<Slot> {
        let mut by_start: BTreeMap<Instant, Vec<StaffId>> = BTreeMap::new();
        for offer in &self.offers {
            for start in &offer.starts {
                by_start.entry(*start).or_default().push(offer.staff);
            }
        }
        by_start.into_iter().map(|(start, staff)| Slot { span: self.terms.without_buffers(start), staff }).collect()
    }
}

async fn offer(
    store: &Store,
    client: ClientScope,
    row: &StaffRow,
    terms: &SlotRules,
    range: TimeRange,
    explain: bool,
    now: Instant,
) -> Result<StaffAvailability> {
    if !row.staff.fields.active {
        let closed = ClosedPeriod { span: range, rule: UnavailableReason::Inactive };
        return Ok(StaffAvailability {
            staff: row.id(),
            starts: Vec::new(),
            closed: explain.then_some(closed).into_iter().collect(),
        });
    }
    let (hours, off) = (row.staff.fields.hours(), row.time_off());
    let bookings = Days::within(store, client, row.id(), reach(&hours, terms, now, range)).await?.bookings(None);
    let calendar = Calendar { hours: &hours, time_off: &off, bookings: &bookings };
    let closed = if explain { calendar.closed(terms, now, range) } else { Vec::new() };
    Ok(StaffAvailability { staff: row.id(), starts: calendar.slots(terms, now, range), closed })
}
