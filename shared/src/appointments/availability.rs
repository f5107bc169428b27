//! Available slots of a service, and the reasons why other times are unavailable.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::appointments::bookable_service::{BookableService, MAX_CONCURRENCY};
use crate::appointments::{Days, ServiceId, StaffId, StaffRow};
use crate::booking::{Calendar, SlotRules, UnavailablePeriod, UnavailableReason, reach};
use crate::identity::ClientScope;
use crate::table::Store;
use crate::value::{Instant, TimeRange};
use crate::web::Result;

/// The availability of a service.
pub struct Availability {
    rules: SlotRules,
    /// The availability of each staff member, by id.
    pub staff: Vec<StaffAvailability>,
}

/// The availability of a service with one staff member.
pub struct StaffAvailability {
    /// The staff member.
    pub staff: StaffId,
    /// The available starts, in order.
    pub starts: Vec<Instant>,
    /// The unavailable periods and their reasons, if requested.
    pub closed: Vec<UnavailablePeriod>,
}

/// A time that can be booked.
pub struct Slot {
    /// The time without buffers.
    pub span: TimeRange,
    /// The staff members who are available.
    pub staff: Vec<StaffId>,
}

impl Availability {
    /// Reads the available starts in a time range.
    ///
    /// With a staff member, one BatchGetItem and one Query; without, one Query for each staff member who
    /// offers the service, after the reads of `BookableService::read`. `explain` requests the unavailable
    /// periods.
    pub async fn read(
        store: &Store,
        client: ClientScope,
        (service, staff): (ServiceId, Option<StaffId>),
        range: TimeRange,
        explain: bool,
        now: Instant,
    ) -> Result<Self> {
        let (bookable, _) = BookableService::read(store, client, service, staff, |_| Vec::new()).await?;
        if let Some(staff) = staff {
            bookable.service.fields.require_offered_by(staff)?;
        }
        let rules = bookable.service.fields.slot_rules();
        let staff = stream::iter(bookable.staff)
            .map(|row| async move { staff_availability(store, client, &row, &rules, range, explain, now).await })
            .buffered(MAX_CONCURRENCY)
            .try_collect()
            .await?;
        Ok(Self { rules, staff })
    }

    /// The available slots of all staff members, by start.
    pub fn slots(&self) -> Vec<Slot> {
        let mut by_start: BTreeMap<Instant, Vec<StaffId>> = BTreeMap::new();
        for availability in &self.staff {
            for start in &availability.starts {
                by_start.entry(*start).or_default().push(availability.staff);
            }
        }
        by_start.into_iter().map(|(start, staff)| Slot { span: self.rules.without_buffers(start), staff }).collect()
    }
}

async fn staff_availability(
    store: &Store,
    client: ClientScope,
    row: &StaffRow,
    rules: &SlotRules,
    range: TimeRange,
    explain: bool,
    now: Instant,
) -> Result<StaffAvailability> {
    if !row.staff.fields.active {
        let closed = UnavailablePeriod { span: range, rule: UnavailableReason::Inactive };
        return Ok(StaffAvailability {
            staff: row.id(),
            starts: Vec::new(),
            closed: explain.then_some(closed).into_iter().collect(),
        });
    }
    let (hours, time_off) = (row.staff.fields.hours(), row.time_off());
    let days = Days::in_range(store, client, row.id(), reach(&hours, rules, now, range)).await?;
    let bookings = days.bookings(None);
    let calendar = Calendar { hours: &hours, time_off: &time_off, bookings: &bookings };
    let closed = if explain { calendar.unavailable(rules, now, range) } else { Vec::new() };
    Ok(StaffAvailability { staff: row.id(), starts: calendar.slots(rules, now, range), closed })
}
