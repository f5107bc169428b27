//! Available slots of a service, and the reasons why other times are unavailable.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;

use crate::appointments::bookable_service::{BookableService, MAX_CONCURRENCY};
use crate::appointments::{Appointment, AppointmentId, Days, HoldPolicy, ServiceId, ServiceRecord, StaffId, StaffRow};
use crate::booking::{Calendar, SlotRules, UnavailablePeriod, UnavailableReason, reach};
use crate::identity::ClientScope;
use crate::table::Store;
use crate::value::{Instant, InvalidValue, TimeRange, TimeZone, ValidationErrors};
use crate::web::Result;

/// A request for the available starts of a service.
#[derive(Clone, Copy, Debug)]
pub struct AvailabilityRequest {
    /// The service.
    pub service: ServiceId,
    /// The staff member. Without one, all who offer the service.
    pub staff: Option<StaffId>,
    /// The appointment to be rescheduled, with its own time as free.
    pub rescheduling: Option<AppointmentId>,
    /// The range of the starts.
    pub range: TimeRange,
    /// Whether to return the unavailable periods.
    pub explain: bool,
    /// Whether holds block their time.
    pub holds: HoldPolicy,
}

/// The availability of a service.
pub struct Availability {
    /// The service.
    pub service: ServiceRecord,
    /// The appointment to be rescheduled.
    pub moving: Option<Appointment>,
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

/// A time that can be booked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AvailableSlot {
    /// The start.
    #[schema(example = "2030-03-04T09:00:00.000Z")]
    start: String,
    /// The end.
    #[schema(example = "2030-03-04T09:45:00.000Z")]
    end: String,
    /// The staff members who are available.
    staff_ids: Vec<StaffId>,
}

impl AvailableSlot {
    /// The slot with the UTC offsets of a time zone, or in UTC.
    pub fn new(slot: Slot, zone: Option<TimeZone>) -> Self {
        let format = |instant: Instant| zone.map_or_else(|| instant.to_string(), |zone| zone.format(instant));
        Self { start: format(slot.span.start), end: format(slot.span.end), staff_ids: slot.staff }
    }
}

/// The maximum length of a range of starts, in hours. One of its 31 days may have 25 hours.
const MAX_HOURS: i64 = 31 * 24 + 1;

/// The range of the starts in `[from, to)`.
///
/// # Errors
/// At `/to`, if the range is empty or longer than 31 days.
pub fn range_of_starts(from: Instant, to: Instant) -> Result<TimeRange> {
    let invalid = if to <= from {
        InvalidValue::new("end_not_after_start", "must be after from")
    } else if to.to_utc() - from.to_utc() > TimeDelta::hours(MAX_HOURS) {
        InvalidValue::new("range_too_long", "must be at most 31 days after from")
    } else {
        return Ok(TimeRange { start: from, end: to });
    };
    Err(ValidationErrors::field("/to", invalid).into())
}

impl Availability {
    /// Reads the available starts in a time range.
    ///
    /// With a staff member, one BatchGetItem and one Query; without, one Query for each staff member who
    /// offers the service, after the reads of `BookableService::read`.
    pub async fn read(store: &Store, client: ClientScope, request: &AvailabilityRequest, now: Instant) -> Result<Self> {
        let service = (request.service, request.staff);
        let (bookable, _) = BookableService::read(store, client, service, request.rescheduling, |keys, _| keys).await?;
        bookable.check(request)?;
        let rules = bookable.service.fields.slot_rules();
        let staff = stream::iter(bookable.staff)
            .map(|row| async move { staff_availability(store, client, &row, &rules, request, now).await })
            .buffered(MAX_CONCURRENCY)
            .try_collect()
            .await?;
        Ok(Self { service: bookable.service, moving: bookable.moving, rules, staff })
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

impl BookableService {
    /// Requires that the appointment to be rescheduled is an open one of the service.
    ///
    /// Also requires that the requested staff member offers the service, or is that of the appointment.
    fn check(&self, request: &AvailabilityRequest) -> Result<(), ValidationErrors> {
        if let Some(moving) = &self.moving {
            let invalid = |code, detail| Err(ValidationErrors::field("/rescheduling", InvalidValue::new(code, detail)));
            if moving.service_id != request.service {
                return invalid("other_service", "must be an appointment for the service");
            }
            if !moving.status.is_open() {
                return invalid("not_open", "must be a scheduled or confirmed appointment");
            }
        }
        let is_own = |staff: &StaffId| self.moving.as_ref().is_some_and(|moving| moving.staff_id == *staff);
        let other = request.staff.filter(|staff| !is_own(staff));
        other.map_or(Ok(()), |staff| self.service.fields.require_offered_by(staff))
    }
}

async fn staff_availability(
    store: &Store,
    client: ClientScope,
    row: &StaffRow,
    rules: &SlotRules,
    request: &AvailabilityRequest,
    now: Instant,
) -> Result<StaffAvailability> {
    let AvailabilityRequest { range, explain, rescheduling, holds, .. } = *request;
    if !row.staff.fields.active {
        let closed = UnavailablePeriod { span: range, rule: UnavailableReason::Inactive };
        return Ok(StaffAvailability {
            staff: row.id(),
            starts: Vec::new(),
            closed: explain.then_some(closed).into_iter().collect(),
        });
    }
    let (hours, time_off) = (row.staff.fields.hours(), row.time_off());
    let days = Days::in_range(store, client, row.id(), reach(rules, now, range)).await?;
    let bookings = days.busy(rescheduling, holds, now);
    let calendar = Calendar { hours: &hours, time_off: &time_off, bookings: &bookings };
    let closed = if explain { calendar.unavailable(rules, now, range) } else { Vec::new() };
    Ok(StaffAvailability { staff: row.id(), starts: calendar.slots(rules, now, range), closed })
}
