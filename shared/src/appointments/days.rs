//! Days of a member of the staff, as they were read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::auth::ClientScope;
use crate::booking::Booking;
use crate::entity::{Appointment, AppointmentId, Day, StaffId};
use crate::keys::Key;
use crate::store::{BatchItems, BatchKeys, Store, Transaction};
use crate::value::TimeRange;
use crate::value::{Date, Instant};
use crate::{Problem, Result};

/// On how many days before a booking its transaction makes a condition at most. Only starts that are counted from longer ago, through as
/// many days without a booking, could be given although they have just ceased to be offered, and never a time that is taken.
const MOST_BEFORE: usize = 30;

/// The days that were read, those on which nothing was ever booked too.
pub struct Days {
    staff: StaffId,
    days: BTreeMap<Date, Day>,
}

/// The days, by UTC, that a stretch of time touches.
pub(super) fn touched(span: TimeRange) -> impl Iterator<Item = Date> {
    // Half-open: what ends at midnight does not touch the day that begins there.
    let last = Date::of(span.end.before(Duration::from_millis(1)));
    Date::of(span.start).through(last)
}

/// The days that a booking may touch that begins at an instant: it takes a day at most, and so does the time around it on each side.
pub(super) fn around(start: Instant) -> impl Iterator<Item = Date> {
    let day = Date::of(start);
    day.previous().through(day.next().next())
}

/// Where these days of a member of the staff lie.
pub(super) fn keys(client: ClientScope, staff: StaffId, dates: impl Iterator<Item = Date>) -> Vec<Key<Day>> {
    dates.map(|date| client.day(staff, date)).collect()
}

impl Days {
    /// Those of these dates, which were among what was looked for.
    pub fn found(
        found: &BatchItems,
        client: ClientScope,
        staff: StaffId,
        dates: impl Iterator<Item = Date>,
    ) -> Result<Self> {
        let day = |date| Ok((date, found.get(&client.day(staff, date))?.unwrap_or_default()));
        Ok(Self { staff, days: dates.map(day).collect::<Result<_>>()? })
    }

    /// Reads the days that an appointment takes a part of: one BatchGetItem.
    pub async fn of(store: &Store, client: ClientScope, appointment: &Appointment) -> Result<Self> {
        let (staff, extent) = (appointment.staff_id, appointment.booking().with_buffers());
        let found = store.get_each(BatchKeys::default().and_all(&keys(client, staff, touched(extent)))).await?;
        Self::found(&found, client, staff, touched(extent))
    }

    /// Reads the days that a stretch of time touches: one Query, and more where that is over 1 MB.
    pub async fn within(store: &Store, client: ClientScope, staff: StaffId, span: TimeRange) -> Result<Self> {
        let mut days = Self { staff, days: touched(span).map(|date| (date, Day::default())).collect() };
        days.add(store, client).await?;
        Ok(days)
    }

    /// Reads what came before, back to the day of an instant, if that is not known yet: one Query.
    pub async fn back_to(mut self, store: &Store, client: ClientScope, from: Instant) -> Result<Self> {
        let first = Date::of(from);
        let known = self.days.keys().next().copied();
        if let Some(known) = known.filter(|known| first < *known) {
            let mut earlier = Self { staff: self.staff, days: first.through(known.previous()).map(empty).collect() };
            earlier.add(store, client).await?;
            self.days.append(&mut earlier.days);
        }
        Ok(self)
    }

    async fn add(&mut self, store: &Store, client: ClientScope) -> Result<()> {
        let (Some((first, _)), Some((last, _))) = (self.days.first_key_value(), self.days.last_key_value()) else {
            return Ok(());
        };
        for (position, day) in store.query_all(&client.days_between(self.staff, *first, *last)).await? {
            let date = position.sort_key().parse().map_err(|_| Problem::internal("a day without a date"))?;
            self.days.insert(date, day);
        }
        Ok(())
    }

    /// What is booked, by its start, but for one appointment.
    pub fn bookings(&self, but: Option<AppointmentId>) -> Vec<Booking> {
        // A booking stands in each of its days.
        let all = self.days.values().flat_map(|day| &day.bookings);
        let distinct: BTreeMap<_, _> =
            all.map(|booking| ((booking.span.start, booking.appointment), booking)).collect();
        distinct.into_values().filter(|booking| Some(booking.appointment) != but).copied().collect()
    }

    /// Adds that one booking goes and another comes, in each day that they touch. What comes was counted from an instant, if it matters:
    /// the days since then are required to be as they were read, up to [`MOST_BEFORE`] of them. Stale if one of all these has changed.
    pub(super) fn write(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        gone: Option<&Booking>,
        new: Option<&Booking>,
        counted_from: Option<Instant>,
    ) -> Result<()> {
        let dates =
            |booking: Option<&Booking>| booking.map(|booking| touched(booking.with_buffers())).into_iter().flatten();
        let written: BTreeSet<_> = dates(gone).chain(dates(new)).collect();
        for date in &written {
            let read = self.days.get(date).ok_or_else(|| Problem::internal("a day that was not read"))?;
            let comes = new.filter(|new| touched(new.with_buffers()).any(|touched| touched == *date));
            let next = read.changed(gone.map(|gone| gone.appointment), comes);
            transaction.write_day(&client.day(self.staff, *date), read, &next)?;
        }
        if let (Some(from), Some(new)) = (counted_from, new) {
            let since = touched(TimeRange { start: from.before(Duration::from_millis(1)), end: new.span.start });
            let since = since.filter(|date| !written.contains(date)).filter_map(|date| self.days.get_key_value(&date));
            let since: Vec<_> = since.collect();
            for (date, read) in since.iter().rev().take(MOST_BEFORE) {
                transaction.require_day(&client.day(self.staff, **date), read)?;
            }
        }
        Ok(())
    }

    /// Adds that a booking goes; stale if one of its days has changed.
    pub(super) fn free(&self, transaction: &mut Transaction, client: ClientScope, gone: &Booking) -> Result<()> {
        self.write(transaction, client, Some(gone), None, None)
    }

    /// These days and others of the same member of the staff, each as one of both has read it.
    pub(super) fn and(&self, others: &Self) -> Self {
        let days = others.days.iter().chain(&self.days).map(|(date, day)| (*date, day.clone())).collect();
        Self { staff: self.staff, days }
    }

    /// Requires that all of them are as they were read.
    pub fn require(&self, transaction: &mut Transaction, client: ClientScope) -> Result<()> {
        self.days.iter().try_for_each(|(date, read)| transaction.require_day(&client.day(self.staff, *date), read))
    }
}

fn empty(date: Date) -> (Date, Day) {
    (date, Day::default())
}
