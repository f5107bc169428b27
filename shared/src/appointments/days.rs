//! Days of one staff member, with the versions that were read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::appointments::{Appointment, AppointmentId, Day, StaffId};
use crate::booking::Booking;
use crate::identity::ClientScope;
use crate::table::{BatchItems, BatchKeys, Key, Store, StoreError, Transaction};
use crate::value::{Date, Instant, TimeRange};
use crate::web::{Problem, Result};

/// The maximum number of days before a booking that its transaction checks.
///
/// If the slot grid is counted from an earlier day, it may change before the commit: the booked start is then no
/// longer on the grid. Double bookings are impossible in any case.
const MAX_CHECKED_DAYS: usize = 30;

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
        let mut days = Self { staff, days: dates_in(range).map(empty).collect() };
        days.load(store, client).await?;
        Ok(days)
    }

    /// Also reads the earlier days, back to the day of `from`: at most one Query.
    pub(super) async fn extended_to(mut self, store: &Store, client: ClientScope, from: Instant) -> Result<Self> {
        let first = Date::of(from);
        let loaded = self.days.keys().next().copied();
        if let Some(loaded) = loaded.filter(|loaded| first < *loaded) {
            let mut earlier = Self { staff: self.staff, days: first.through(loaded.previous()).map(empty).collect() };
            earlier.load(store, client).await?;
            self.days.append(&mut earlier.days);
        }
        Ok(self)
    }

    async fn load(&mut self, store: &Store, client: ClientScope) -> Result<()> {
        let (Some((first, _)), Some((last, _))) = (self.days.first_key_value(), self.days.last_key_value()) else {
            return Ok(());
        };
        for (position, day) in store.query_all(&client.days_between(self.staff, *first, *last)).await? {
            let date = position.sort_key().parse().map_err(|_| Problem::internal("the key of a day has no date"))?;
            self.days.insert(date, day);
        }
        Ok(())
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
    /// If the start of the added booking depends on the instant `counted_from`, the days since then must not
    /// have changed either, up to [`MAX_CHECKED_DAYS`] of them. A conflict if one of all these days has
    /// changed since its read.
    pub(super) fn write(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        removed: Option<&Booking>,
        added: Option<&Booking>,
        counted_from: Option<Instant>,
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
        if let (Some(from), Some(added)) = (counted_from, added) {
            let range = TimeRange { start: from.before(Duration::from_millis(1)), end: added.span.start };
            let unwritten = dates_in(range).filter(|date| !written.contains(date));
            let checked: Vec<_> = unwritten.filter_map(|date| self.days.get_key_value(&date)).collect();
            for (date, day) in checked.iter().rev().take(MAX_CHECKED_DAYS) {
                day.require(transaction, &client.day(self.staff, **date))?;
            }
        }
        Ok(())
    }

    /// Removes a booking; a conflict if one of its days has changed since its read.
    pub(super) fn remove(&self, transaction: &mut Transaction, client: ClientScope, booking: &Booking) -> Result<()> {
        self.write(transaction, client, Some(booking), None, None)
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

fn empty(date: Date) -> (Date, Day) {
    (date, Day::default())
}
