//! Allocates time slots for booking and rescheduling.

use std::time::Duration;

use crate::appointments::bookable_service::BookableService;
use crate::appointments::days::{DayEdits, dates_around, day_keys, slot_unavailable};
use crate::appointments::{
    Appointment, AppointmentId, Days, HoldPolicy, ReservedSlot, ServiceId, ServiceRecord, StaffId, StaffRow,
    UsageGuard, VisitHold, VisitId,
};
use crate::booking::{Booking, Calendar, SlotRules};
use crate::identity::ClientScope;
use crate::table::{BatchItems, BatchKeys, Store, Transaction};
use crate::value::Instant;
use crate::web::{ErrorCode, Problem, Result};

/// A requested slot.
#[derive(Clone, Copy, Debug)]
pub struct BookingRequest {
    /// The service.
    pub service: ServiceId,
    /// The staff member. Without one, any staff member who offers the service.
    pub staff: Option<StaffId>,
    /// The start.
    pub start: Instant,
    /// Whether to skip the checks for working hours, slot grid, notice and horizon.
    ///
    /// Conflicts with bookings and time off are never skipped.
    pub force: bool,
    /// Whether holds block their time.
    pub holds: HoldPolicy,
}

/// What a reservation replaces in the same transaction: each with its days.
#[derive(Clone, Copy, Default)]
pub struct Replaced<'a> {
    /// The appointment before it is rescheduled.
    pub appointment: Option<(&'a Appointment, &'a Days)>,
    /// The hold of the visitor's session.
    pub hold: Option<(&'a VisitHold, &'a Days)>,
}

/// Allocates slots from a service and the schedules of its staff members.
///
/// A reservation is committed only if neither the service nor the schedules have changed since their read.
pub struct SlotAllocator {
    service: ServiceRecord,
    schedules: Vec<StaffSchedule>,
}

/// The maximum number of live holds on one day of a staff member.
const MAX_HOLDS_PER_DAY: usize = 20;

/// A limit on holds is reached; the first of them expires within ten minutes.
pub(super) fn too_many_holds(detail: &'static str) -> Problem {
    Problem::new(ErrorCode::TooManyHolds, detail).retry_after(60)
}

/// A staff member and their days around the requested start.
struct StaffSchedule {
    staff: StaffRow,
    days: Days,
    /// When the staff member was last assigned an appointment; only read if the request names no staff member.
    assigned_at: Option<Instant>,
}

impl SlotAllocator {
    /// Reads the service and the schedules for a request.
    ///
    /// With a staff member, one BatchGetItem. Without, one BatchGetItem and one Query at the same time, and one
    /// BatchGetItem for each 16 staff members.
    pub async fn read(store: &Store, client: ClientScope, request: &BookingRequest) -> Result<Self> {
        let keys = |keys: BatchKeys, staff| {
            let keys = keys.and_all(&day_keys(client, staff, dates_around(request.start)));
            // Which of several staff members was assigned last only matters if the request names none.
            if request.staff.is_some() { keys } else { keys.and(&client.staff_guard(staff)) }
        };
        let (BookableService { service, staff, .. }, items) =
            BookableService::read(store, client, (request.service, request.staff), None, keys).await?;
        let schedule = |staff| StaffSchedule::from_batch(&items, client, staff, request);
        Ok(Self { service, schedules: staff.into_iter().map(schedule).collect::<Result<_>>()? })
    }

    /// Allocates a slot with the least busy staff member who is available.
    ///
    /// This is the staff member with the least booked time on that day; of several, the one who was assigned an
    /// appointment least recently, then the one created first.
    ///
    /// `409 slot_unavailable` if no staff member is available. `moving` is the appointment that is
    /// rescheduled: it does not conflict with its own booking, and may keep its staff member even if they no
    /// longer offer the service.
    pub fn allocate(
        &self,
        request: &BookingRequest,
        moving: Option<&Appointment>,
        now: Instant,
    ) -> Result<ReservedSlot> {
        if let Some(staff) = request.staff.filter(|staff| moving.is_none_or(|moving| moving.staff_id != *staff)) {
            self.service.fields.require_offered_by(staff)?;
        }
        let (rules, moving) = (self.service.fields.slot_rules(), moving.map(|moving| moving.id));
        let available = self.schedules.iter().filter(|schedule| schedule.is_available(&rules, request, moving, now));
        let least_busy = available.min_by_key(|schedule| schedule.load_on_day_of(request.start, moving));
        let detail = "No staff member who offers the service is available then. Choose a start from the availability.";
        let schedule = least_busy.ok_or_else(|| slot_unavailable(detail))?;
        Ok(ReservedSlot {
            service: self.service.id,
            staff: schedule.staff.id(),
            span: rules.without_buffers(request.start),
            buffers: rules.buffers,
        })
    }

    /// The service.
    pub const fn service(&self) -> &ServiceRecord {
        &self.service
    }

    /// The staff member of a slot.
    pub fn staff(&self, slot: &ReservedSlot) -> Result<&StaffRow> {
        Ok(&self.schedule(slot.staff)?.staff)
    }

    /// Writes the booking of an appointment in a slot.
    ///
    /// A conflict if anything that the slot was allocated from has changed since its read.
    pub(super) fn write_reservation(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        replaced: Replaced<'_>,
        slot: &ReservedSlot,
        appointment: &Appointment,
    ) -> Result<()> {
        let (schedule, now) = (self.schedule(slot.staff)?, appointment.meta.updated_at);
        let mut days = Self::edits(schedule, replaced, now);
        days.of(&schedule.days).added = Some(appointment.booking());
        days.write(transaction, client)?;
        let before = replaced.appointment.map(|(before, _)| before.staff_id);
        let staff = client.staff_guard(slot.staff);
        if before == Some(slot.staff) {
            UsageGuard::require(transaction, &staff, schedule.staff.revision)?;
        } else {
            UsageGuard::assign(transaction, &staff, schedule.staff.revision, now)?;
        }
        if let Some(before) = before.filter(|before| *before != slot.staff) {
            UsageGuard::decrement(transaction, &client.staff_guard(before))?;
        }
        let (service, revision) = (client.service_guard(self.service.id), self.service.meta.version);
        if before.is_some() {
            Ok(UsageGuard::require(transaction, &service, revision)?)
        } else {
            Ok(UsageGuard::increment(transaction, &service, revision)?)
        }
    }

    /// Writes a hold of a slot, instead of the session's hold before.
    ///
    /// `429 too_many_holds` if a day of the staff member has 20 holds of other sessions. A conflict if anything that the
    /// slot was allocated from has changed since its read.
    pub(super) fn write_hold(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        (slot, visit): (&ReservedSlot, VisitId),
        (hold, previous): (&VisitHold, Option<(&VisitHold, &Days)>),
        now: Instant,
    ) -> Result<()> {
        let schedule = self.schedule(slot.staff)?;
        if schedule.days.most_holds(hold.time(), HoldPolicy::Respect(Some(visit)), now) >= MAX_HOLDS_PER_DAY {
            return Err(too_many_holds("Other visitors hold too many starts of that day."));
        }
        let mut days = Self::edits(schedule, Replaced { appointment: None, hold: previous }, now);
        days.of(&schedule.days).held = Some(hold.in_day(visit));
        days.write(transaction, client)?;
        UsageGuard::require(transaction, &client.staff_guard(slot.staff), schedule.staff.revision)?;
        Ok(UsageGuard::require(transaction, &client.service_guard(self.service.id), self.service.meta.version)?)
    }

    /// The removal of what is replaced; the days of the schedule come first.
    fn edits(schedule: &StaffSchedule, replaced: Replaced<'_>, now: Instant) -> DayEdits {
        let mut edits = DayEdits::new(now);
        edits.of(&schedule.days);
        if let Some((before, days)) = replaced.appointment {
            edits.of(days).removed = Some(before.booking());
        }
        if let Some((hold, days)) = replaced.hold {
            edits.of(days).released = Some(*hold);
        }
        edits
    }

    fn schedule(&self, staff: StaffId) -> Result<&StaffSchedule> {
        let schedule = self.schedules.iter().find(|schedule| schedule.staff.id() == staff);
        schedule.ok_or_else(|| Problem::internal("the schedule of the slot's staff member was not read"))
    }
}

impl StaffSchedule {
    /// Takes the days around the start, and the last assignment, from `items`.
    fn from_batch(items: &BatchItems, client: ClientScope, staff: StaffRow, request: &BookingRequest) -> Result<Self> {
        let days = Days::from_batch(items, client, staff.id(), dates_around(request.start))?;
        let guard = items.get(&client.staff_guard(staff.id()))?;
        Ok(Self { staff, days, assigned_at: guard.and_then(|guard| guard.assigned_at) })
    }

    fn is_available(
        &self,
        rules: &SlotRules,
        request: &BookingRequest,
        moving: Option<AppointmentId>,
        now: Instant,
    ) -> bool {
        let is_available = |calendar: Calendar<'_>| {
            if request.force {
                calendar.is_free(rules, request.start)
            } else {
                calendar.offers(rules, now, request.start)
            }
        };
        let (hours, time_off) = (self.staff.staff.fields.hours(), self.staff.time_off());
        let bookings = self.days.busy(moving, request.holds, now);
        let calendar = Calendar { hours: &hours, time_off: &time_off, bookings: &bookings };
        self.staff.staff.fields.active && is_available(calendar)
    }

    /// The booked time on the local day of `start`, then the last assignment, then the id.
    fn load_on_day_of(&self, start: Instant, moving: Option<AppointmentId>) -> (Duration, Option<Instant>, StaffId) {
        let zone = self.staff.staff.fields.time_zone;
        let is_that_day = |booking: &Booking| zone.date_at(booking.span.start) == zone.date_at(start);
        let lengths = self.days.bookings(moving).into_iter().filter(is_that_day).map(|booking| booking.span.length());
        (lengths.sum(), self.assigned_at, self.staff.id())
    }
}
