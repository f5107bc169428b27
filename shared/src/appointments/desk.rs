//! Where times are given out: to whoever books, and to whoever moves an appointment.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::days::{Days, around, keys};
use super::offering::{BookableService, MAX_CONCURRENCY};
use crate::auth::ClientScope;
use crate::booking::{Booking, Calendar, SlotRules, reach};
use crate::entity::{Appointment, AppointmentId, ReservedSlot, ServiceId, ServiceRecord, StaffId, StaffRow};
use crate::store::{BatchItems, Store, Transaction};
use crate::value::Instant;
use crate::value::TimeRange;
use crate::{Problem, Result};

/// What somebody wishes for.
#[derive(Clone, Copy, Debug)]
pub struct BookingRequest {
    /// What is to be done.
    pub service: ServiceId,
    /// By whom; by anybody who offers it unless it is said.
    pub staff: Option<StaffId>,
    /// When it is to begin.
    pub start: Instant,
    /// Whether working hours, notice, horizon and grid are not minded. What is booked and times off always are.
    pub force: bool,
}

/// What decides on a wish, as it was read. What it gives out is good if the transaction finds that unchanged.
pub struct SlotAllocator {
    service: ServiceRecord,
    books: Vec<StaffSchedule>,
}

/// A member of the staff, with their days around the time that is wished for.
struct StaffSchedule {
    staff: StaffRow,
    days: Days,
}

impl SlotAllocator {
    /// Reads what decides on a wish: one BatchGetItem if it says by whom; if not, one GetItem, one Query if anybody offers the service,
    /// and one BatchGetItem for each 20 members of the staff. One Query more for each of them whose free time may have begun before the
    /// day before, if starts are counted from there.
    pub async fn read(store: &Store, client: ClientScope, wish: &BookingRequest, now: Instant) -> Result<Self> {
        let day_keys = |staff| keys(client, staff, around(wish.start));
        let (BookableService { service, staff }, found) =
            BookableService::read(store, client, wish.service, wish.staff, day_keys).await?;
        let terms = &service.fields.terms();
        let books =
            stream::iter(staff).map(|staff| StaffSchedule::read(store, client, &found, staff, terms, wish, now));
        let books = books.buffered(MAX_CONCURRENCY).try_collect().await?;
        Ok(Self { service, books })
    }

    /// A seat for a wish: of those who are free, with the one who is booked for the least time on that day. `409 slot_unavailable` if
    /// nobody is free. `moving` is an appointment that is not in its own way, and that stays with who has it, even if they no longer
    /// offer the service.
    pub fn seat(&self, wish: &BookingRequest, moving: Option<&Appointment>, now: Instant) -> Result<ReservedSlot> {
        if let Some(staff) = wish.staff.filter(|staff| moving.is_none_or(|moving| moving.staff_id != *staff)) {
            self.service.fields.require_offered_by(staff)?;
        }
        let (terms, moving) = (self.service.fields.terms(), moving.map(|moving| moving.id));
        let free = self.books.iter().filter(|book| book.is_free(&terms, wish, moving, now));
        let least_busy = free.min_by_key(|book| book.booked_on_the_day_of(wish.start, moving));
        let book = least_busy.ok_or_else(unavailable)?;
        Ok(ReservedSlot {
            service: self.service.id,
            staff: book.staff.id(),
            span: terms.without_buffers(wish.start),
            buffers: terms.buffers,
            counted_from: book.counted_from(&terms, wish, moving, now),
        })
    }

    /// Adds that an appointment takes a seat; `from` is what it was before and the days that it leaves. Stale if anything that decided
    /// on it has changed.
    pub(super) fn take(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        from: Option<(&Appointment, &Days)>,
        seat: &ReservedSlot,
        appointment: &Appointment,
    ) -> Result<()> {
        let book = self.book(seat.staff)?;
        let (service, staff) = (client.service_uses(self.service.id), client.staff_uses(seat.staff));
        let (revision, new) = (self.service.meta.version, appointment.booking());
        let stays = from.filter(|(before, _)| before.staff_id == seat.staff);
        match (stays, from) {
            (Some((before, left)), _) => {
                book.days.and(left).write(
                    transaction,
                    client,
                    Some(&before.booking()),
                    Some(&new),
                    seat.counted_from,
                )?;
                transaction.require_revision(&staff, book.staff.revision)?;
            }
            (None, from) => {
                if let Some((before, left)) = from {
                    left.free(transaction, client, &before.booking())?;
                    transaction.unuse(&client.staff_uses(before.staff_id))?;
                }
                book.days.write(transaction, client, None, Some(&new), seat.counted_from)?;
                transaction.use_as_read(&staff, book.staff.revision)?;
            }
        }
        if from.is_some() {
            transaction.require_revision(&service, revision)
        } else {
            transaction.use_as_read(&service, revision)
        }
    }

    fn book(&self, staff: StaffId) -> Result<&StaffSchedule> {
        let found = self.books.iter().find(|book| book.staff.id() == staff);
        found.ok_or_else(|| Problem::internal("a seat with somebody who was not asked"))
    }
}

impl StaffSchedule {
    /// Reads what is not among what was found already: the days before, if the starts of the window are counted from there that is
    /// wished for.
    async fn read(
        store: &Store,
        client: ClientScope,
        found: &BatchItems,
        staff: StaffRow,
        terms: &SlotRules,
        wish: &BookingRequest,
        now: Instant,
    ) -> Result<Self> {
        let mut days = Days::found(found, client, staff.id(), around(wish.start))?;
        if !wish.force {
            let range = TimeRange { start: wish.start, end: wish.start.next() };
            let reach = reach(&staff.staff.fields.hours(), terms, now, range);
            days = days.back_to(store, client, reach.start).await?;
        }
        Ok(Self { staff, days })
    }

    fn is_free(&self, terms: &SlotRules, wish: &BookingRequest, moving: Option<AppointmentId>, now: Instant) -> bool {
        self.staff.staff.fields.active
            && self.ask(moving, |calendar| {
                if wish.force { calendar.is_free(terms, wish.start) } else { calendar.offers(terms, now, wish.start) }
            })
    }

    fn counted_from(
        &self,
        terms: &SlotRules,
        wish: &BookingRequest,
        moving: Option<AppointmentId>,
        now: Instant,
    ) -> Option<Instant> {
        if wish.force { None } else { self.ask(moving, |calendar| calendar.counted_from(terms, now, wish.start)) }
    }

    fn ask<T>(&self, moving: Option<AppointmentId>, question: impl FnOnce(Calendar<'_>) -> T) -> T {
        let (hours, off) = (self.staff.staff.fields.hours(), self.staff.time_off());
        let bookings = self.days.bookings(moving);
        question(Calendar { hours: &hours, time_off: &off, bookings: &bookings })
    }

    /// For how long they are booked on a day of their calendar; whoever came first to the staff goes first among equals.
    fn booked_on_the_day_of(&self, start: Instant, moving: Option<AppointmentId>) -> (Duration, StaffId) {
        let zone = self.staff.staff.fields.time_zone;
        let is_that_day = |booking: &Booking| zone.date_at(booking.span.start) == zone.date_at(start);
        let lengths = self.days.bookings(moving).into_iter().filter(is_that_day).map(|booking| booking.span.length());
        (lengths.sum(), self.staff.id())
    }
}

fn unavailable() -> Problem {
    let detail = "Nobody who offers the service is free then. Ask for the availability and choose another start.";
    Problem::conflict("slot_unavailable", detail)
}
