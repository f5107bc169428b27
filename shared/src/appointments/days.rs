//! Days of one staff member, with the versions that were read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::appointments::{Appointment, AppointmentId, Day, DayEdit, HoldPolicy, StaffId, VisitHold};
use crate::booking::Booking;
use crate::identity::ClientScope;
use crate::table::{BatchItems, BatchKeys, Key, Store, StoreError, Transaction};
use crate::value::{Date, Instant, TimeRange};
use crate::web::{ErrorCode, Problem, Result};

/// Days of one staff member, including those without any booking.
#[derive(Clone)]
pub struct Days {
    staff: StaffId,
    days: BTreeMap<Date, Day>,
}

/// The UTC days that a time range overlaps.
pub(super) fn dates_in(range: TimeRange) -> impl Iterator<Item = Date> {
    // Half-open: a range that ends at midnight does not overlap the next day.
    let last = Date::of(range.end.before(Duration::from_millis(1)));
    Date::of(range.start).through(last)
}

/// The UTC days that a booking with this start can overlap.
///
/// The duration and each buffer of a booking are at most one day long.
pub(super) fn dates_around(start: Instant) -> impl Iterator<Item = Date> {
    let day = Date::of(start);
    day.previous().through(day.next().next())
}

/// The keys of days of a staff member.
pub(super) fn day_keys(client: ClientScope, staff: StaffId, dates: impl Iterator<Item = Date>) -> Vec<Key<Day>> {
    dates.map(|date| client.day(staff, date)).collect()
}

impl Days {
    /// The days on these dates, from a batch that included their keys.
    pub(super) fn from_batch(
        items: &BatchItems,
        client: ClientScope,
        staff: StaffId,
        dates: impl Iterator<Item = Date>,
    ) -> Result<Self> {
        let day = |date| Ok((date, items.get(&client.day(staff, date))?.unwrap_or_default()));
        Ok(Self { staff, days: dates.map(day).collect::<Result<_>>()? })
    }

    /// Reads the days that an appointment overlaps: one BatchGetItem.
    pub async fn of_appointment(store: &Store, client: ClientScope, appointment: &Appointment) -> Result<Self> {
        Self::of_booking(store, client, appointment.staff_id, &appointment.booking()).await
    }

    /// Reads the days that a hold overlaps: one BatchGetItem.
    pub async fn of_hold(store: &Store, client: ClientScope, hold: &VisitHold) -> Result<Self> {
        Self::of_booking(store, client, hold.staff_id, hold.time()).await
    }

    async fn of_booking(store: &Store, client: ClientScope, staff: StaffId, booking: &Booking) -> Result<Self> {
        let range = booking.with_buffers();
        let keys = BatchKeys::default().and_all(&day_keys(client, staff, dates_in(range)));
        Self::from_batch(&store.get_batch(keys).await?, client, staff, dates_in(range))
    }

    /// Reads the days that a time range overlaps: one Query for each 1 MB.
    pub async fn in_range(store: &Store, client: ClientScope, staff: StaffId, range: TimeRange) -> Result<Self> {
        let mut days: BTreeMap<_, _> = dates_in(range).map(|date| (date, Day::default())).collect();
        let (Some((first, _)), Some((last, _))) = (days.first_key_value(), days.last_key_value()) else {
            return Ok(Self { staff, days });
        };
        for (position, day) in store.query_all(&client.days_between(staff, *first, *last)).await? {
            let date = position.sort_key().parse().map_err(|_| Problem::internal("the key of a day has no date"))?;
            days.insert(date, day);
        }
        Ok(Self { staff, days })
    }

    /// The bookings by start, except that of one appointment.
    pub fn bookings(&self, except: Option<AppointmentId>) -> Vec<Booking> {
        // A booking is in each day that it overlaps.
        let all = self.days.values().flat_map(|day| &day.bookings);
        let distinct: BTreeMap<_, _> =
            all.map(|booking| ((booking.span.start, booking.appointment), booking)).collect();
        distinct.into_values().filter(|booking| Some(booking.appointment) != except).copied().collect()
    }

    /// The bookings, and the holds that block their time for a request with this policy.
    pub(super) fn busy(&self, except: Option<AppointmentId>, policy: HoldPolicy, now: Instant) -> Vec<Booking> {
        let holds = self.days.values().flat_map(|day| &day.holds).filter(|hold| hold.blocks(policy, now));
        self.bookings(except).into_iter().chain(holds.map(|hold| *hold.time())).collect()
    }

    /// The largest number of live holds on one of the days that a booking overlaps, except those of a session.
    pub(super) fn most_holds(&self, booking: &Booking, policy: HoldPolicy, now: Instant) -> usize {
        let days = dates_in(booking.with_buffers()).filter_map(|date| self.days.get(&date));
        days.map(|day| day.holds.iter().filter(|hold| hold.blocks(policy, now)).count()).max().unwrap_or_default()
    }

    /// Requires that the time of an appointment that had freed it is not booked.
    ///
    /// `409 slot_unavailable` if another booking has taken the time. Working hours, notice, horizon, holds and time off
    /// are not checked.
    pub(super) fn require_free(&self, booking: &Booking) -> Result<()> {
        if self.bookings(Some(booking.appointment)).iter().any(|other| other.conflicts_with(booking)) {
            return Err(slot_unavailable("The time of the appointment has been booked since."));
        }
        Ok(())
    }

    /// Requires that none of the days has changed since its read: a conflict otherwise.
    pub fn require(&self, transaction: &mut Transaction, client: ClientScope) -> Result<(), StoreError> {
        self.days.iter().try_for_each(|(date, day)| day.require(transaction, &client.day(self.staff, *date)))
    }
}

/// Changes of the days of one or several staff members, written together.
pub(super) struct DayEdits {
    now: Instant,
    edits: BTreeMap<StaffId, (Days, DayEdit)>,
}

impl DayEdits {
    /// No changes yet.
    pub(super) const fn new(now: Instant) -> Self {
        Self { now, edits: BTreeMap::new() }
    }

    /// The change of a staff member.
    ///
    /// `days` must include each day that the change overlaps. If several calls have a day, the first one counts.
    pub(super) fn of(&mut self, days: &Days) -> &mut DayEdit {
        let (known, edit) = self.edits.entry(days.staff).or_insert_with(|| (days.clone(), DayEdit::default()));
        for (date, day) in &days.days {
            known.days.entry(*date).or_insert_with(|| day.clone());
        }
        edit
    }

    /// Writes each changed day; a conflict if one has changed since its read.
    pub(super) fn write(&self, transaction: &mut Transaction, client: ClientScope) -> Result<()> {
        self.edits.values().try_for_each(|(days, edit)| days.write(transaction, client, edit, self.now))
    }
}

impl Days {
    fn write(&self, transaction: &mut Transaction, client: ClientScope, edit: &DayEdit, now: Instant) -> Result<()> {
        let written: BTreeSet<_> = edit.times().flat_map(|time| dates_in(time.with_buffers())).collect();
        for date in written {
            let day = self.days.get(&date).ok_or_else(|| Problem::internal("a changed day was not read"))?;
            let is_here = |time: &Booking| dates_in(time.with_buffers()).any(|overlapped| overlapped == date);
            let here = DayEdit {
                added: edit.added.filter(is_here),
                held: edit.held.filter(|hold| is_here(hold.time())),
                ..*edit
            };
            day.write(transaction, &client.day(self.staff, date), &day.changed(&here, now))?;
        }
        Ok(())
    }
}

/// The problem of a start that cannot be booked.
pub(super) fn slot_unavailable(detail: &'static str) -> Problem {
    Problem::new(ErrorCode::SlotUnavailable, detail)
}
