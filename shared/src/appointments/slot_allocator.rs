//! Allocates time slots for booking and rescheduling.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::appointments::bookable_service::{BookableService, MAX_CONCURRENCY};
use crate::appointments::days::{dates_around, day_keys};
use crate::appointments::{
    Appointment, AppointmentId, Days, ReservedSlot, ServiceId, ServiceRecord, StaffId, StaffRow, UsageGuard,
};
use crate::booking::{Booking, Calendar, SlotRules, reach};
use crate::identity::ClientScope;
use crate::table::{BatchItems, Store, Transaction};
use crate::value::{Instant, TimeRange};
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
}

/// Allocates slots from a service and the schedules of its staff members.
///
/// A reservation is committed only if neither the service nor the schedules have changed since their read.
pub struct SlotAllocator {
    service: ServiceRecord,
    schedules: Vec<StaffSchedule>,
}

/// A staff member and their days around the requested start.
struct StaffSchedule {
    staff: StaffRow,
    days: Days,
}

impl SlotAllocator {
    /// Reads the service and the schedules for a request.
    ///
    /// With a staff member, one BatchGetItem. Without, one GetItem, one Query if every staff member offers
    /// the service, and one BatchGetItem for each 20 staff members. One more Query for each staff member with
    /// a slot grid that may be counted from before the previous day.
    pub async fn read(store: &Store, client: ClientScope, request: &BookingRequest, now: Instant) -> Result<Self> {
        let day_keys = |staff| day_keys(client, staff, dates_around(request.start));
        let (BookableService { service, staff }, items) =
            BookableService::read(store, client, request.service, request.staff, day_keys).await?;
        let rules = &service.fields.slot_rules();
        let schedules =
            stream::iter(staff).map(|staff| StaffSchedule::read(store, client, &items, staff, rules, request, now));
        let schedules = schedules.buffered(MAX_CONCURRENCY).try_collect().await?;
        Ok(Self { service, schedules })
    }

    /// Allocates a slot with the least busy staff member who is available.
    ///
    /// This is the staff member with the least booked time on that day.
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
        let schedule = least_busy.ok_or_else(slot_unavailable)?;
        Ok(ReservedSlot {
            service: self.service.id,
            staff: schedule.staff.id(),
            span: rules.without_buffers(request.start),
            buffers: rules.buffers,
            counted_from: schedule.counted_from(&rules, request, moving, now),
        })
    }

    /// Writes the booking of an appointment in a slot.
    ///
    /// `previous` is the appointment before the change, with its days.
    ///
    /// A conflict if anything that the slot was allocated from has changed since its read.
    pub(super) fn write_reservation(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        previous: Option<(&Appointment, &Days)>,
        slot: &ReservedSlot,
        appointment: &Appointment,
    ) -> Result<()> {
        let schedule = self.schedule(slot.staff)?;
        let (service, staff) = (client.service_guard(self.service.id), client.staff_guard(slot.staff));
        let (revision, new) = (self.service.meta.version, appointment.booking());
        match previous {
            Some((before, days)) if before.staff_id == slot.staff => {
                let (days, old) = (schedule.days.merged(days), before.booking());
                days.write(transaction, client, Some(&old), Some(&new), slot.counted_from)?;
                UsageGuard::require(transaction, &staff, schedule.staff.revision)?;
            }
            previous => {
                if let Some((before, days)) = previous {
                    days.remove(transaction, client, &before.booking())?;
                    UsageGuard::decrement(transaction, &client.staff_guard(before.staff_id))?;
                }
                schedule.days.write(transaction, client, None, Some(&new), slot.counted_from)?;
                UsageGuard::increment(transaction, &staff, schedule.staff.revision)?;
            }
        }
        if previous.is_some() {
            Ok(UsageGuard::require(transaction, &service, revision)?)
        } else {
            Ok(UsageGuard::increment(transaction, &service, revision)?)
        }
    }

    fn schedule(&self, staff: StaffId) -> Result<&StaffSchedule> {
        let schedule = self.schedules.iter().find(|schedule| schedule.staff.id() == staff);
        schedule.ok_or_else(|| Problem::internal("the schedule of the slot's staff member was not read"))
    }
}

impl StaffSchedule {
    /// Takes the days around the start from `items`.
    ///
    /// Reads earlier days if the slot grid may be counted from there.
    async fn read(
        store: &Store,
        client: ClientScope,
        items: &BatchItems,
        staff: StaffRow,
        rules: &SlotRules,
        request: &BookingRequest,
        now: Instant,
    ) -> Result<Self> {
        let mut days = Days::from_batch(items, client, staff.id(), dates_around(request.start))?;
        if !request.force {
            let range = TimeRange { start: request.start, end: request.start.next() };
            let reach = reach(&staff.staff.fields.hours(), rules, now, range);
            days = days.extended_to(store, client, reach.start).await?;
        }
        Ok(Self { staff, days })
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
        self.staff.staff.fields.active && self.with_calendar(moving, is_available)
    }

    fn counted_from(
        &self,
        rules: &SlotRules,
        request: &BookingRequest,
        moving: Option<AppointmentId>,
        now: Instant,
    ) -> Option<Instant> {
        if request.force {
            return None;
        }
        self.with_calendar(moving, |calendar| calendar.counted_from(rules, now, request.start))
    }

    fn with_calendar<T>(&self, moving: Option<AppointmentId>, evaluate: impl FnOnce(Calendar<'_>) -> T) -> T {
        let (hours, time_off) = (self.staff.staff.fields.hours(), self.staff.time_off());
        let bookings = self.days.bookings(moving);
        evaluate(Calendar { hours: &hours, time_off: &time_off, bookings: &bookings })
    }

    /// The booked time on the local day of `start`, then the id.
    ///
    /// Of two staff members with equal load, the one created first is chosen.
    fn load_on_day_of(&self, start: Instant, moving: Option<AppointmentId>) -> (Duration, StaffId) {
        let zone = self.staff.staff.fields.time_zone;
        let is_that_day = |booking: &Booking| zone.date_at(booking.span.start) == zone.date_at(start);
        let lengths = self.days.bookings(moving).into_iter().filter(is_that_day).map(|booking| booking.span.length());
        (lengths.sum(), self.staff.id())
    }
}

fn slot_unavailable() -> Problem {
    let detail = "No staff member who offers the service is available then. Choose a start from the availability.";
    Problem::new(ErrorCode::SlotUnavailable, detail)
}
