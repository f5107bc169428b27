//! Days of one staff member, with the versions that were read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::appointments::{Appointment, AppointmentId, Day, StaffId};
use crate::booking::Booking;
use crate::identity::ClientScope;
use crate::table::{BatchItems, BatchKeys, Key, Store, StoreError, Transaction};
use crate::value::{Date, Instant, TimeRange};
use crate::web::{ErrorCode, Problem, Result};

/// Days of one staff member, including those without any booking.
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
        let (staff, range) = (appointment.staff_id, appointment.booking().with_buffers());
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

    /// Removes one booking and adds another, in each day that they overlap.
    ///
    /// A conflict if one of these days has changed since its read.
    pub(super) fn write(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        removed: Option<&Booking>,
        added: Option<&Booking>,
    ) -> Result<()> {
        let dates =
            |booking: Option<&Booking>| booking.map(|booking| dates_in(booking.with_buffers())).into_iter().flatten();
        let written: BTreeSet<_> = dates(removed).chain(dates(added)).collect();
        for date in &written {
            let day = self.days.get(date).ok_or_else(|| Problem::internal("a changed day was not read"))?;
            let added_here = added.filter(|_| dates(added).any(|overlapped| overlapped == *date));
            let next = day.changed(removed.map(|removed| removed.appointment), added_here);
            day.write(transaction, &client.day(self.staff, *date), &next)?;
        }
        Ok(())
    }

    /// Removes a booking; a conflict if one of its days has changed since its read.
    pub(super) fn remove(&self, transaction: &mut Transaction, client: ClientScope, booking: &Booking) -> Result<()> {
        self.write(transaction, client, Some(booking), None)
    }

    /// Adds the booking of an appointment that had freed its time.
    ///
    /// `409 slot_unavailable` if another booking has taken the time; a conflict if one of its days has changed since
    /// its read. Working hours, notice, horizon and time off are not checked.
    pub(super) fn restore(&self, transaction: &mut Transaction, client: ClientScope, booking: &Booking) -> Result<()> {
        if self.bookings(Some(booking.appointment)).iter().any(|other| other.conflicts_with(booking)) {
            return Err(slot_unavailable("The time of the appointment has been booked since."));
        }
        self.write(transaction, client, None, Some(booking))
    }

    /// These days together with others of the same staff member.
    ///
    /// If both have a day, the day of `self` is kept.
    pub(super) fn merged(&self, others: &Self) -> Self {
        let days = others.days.iter().chain(&self.days).map(|(date, day)| (*date, day.clone())).collect();
        Self { staff: self.staff, days }
    }

    /// Requires that none of the days has changed since its read: a conflict otherwise.
    pub fn require(&self, transaction: &mut Transaction, client: ClientScope) -> Result<(), StoreError> {
        self.days.iter().try_for_each(|(date, day)| day.require(transaction, &client.day(self.staff, *date)))
    }
}

/// The problem of a start that cannot be booked.
pub(super) fn slot_unavailable(detail: &'static str) -> Problem {
    Problem::new(ErrorCode::SlotUnavailable, detail)
}
