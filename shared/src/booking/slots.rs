use super::busy::minutes;
use super::grid::Grid;
use super::{Booking, Buffers, Hours};
use crate::value::{Instant, TimeRange, merge, subtract};

/// The rules of a service for its time slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRules {
    /// The duration of an appointment, in minutes.
    pub duration: u16,
    /// The elapsed time from one start to the next, in minutes.
    pub slot_interval: u16,
    /// The buffers around an appointment.
    pub buffers: Buffers,
    /// The minimum time from the booking to the start, in minutes.
    pub min_notice: u32,
    /// The maximum time from the booking to the start, in days of 24 hours.
    pub horizon_days: u16,
}

/// The hours, time off and bookings of a staff member.
///
/// Must include the time off and the bookings within [`reach`], and may include more.
#[derive(Clone, Copy, Debug)]
pub struct Calendar<'a> {
    /// The working hours.
    pub hours: &'a Hours<'a>,
    /// The time off.
    ///
    /// Time off has no buffers of its own; the buffers of an appointment must not overlap it.
    pub time_off: &'a [TimeRange],
    /// The bookings.
    pub bookings: &'a [Booking],
}

impl SlotRules {
    /// The first instant at which an appointment may start.
    pub(super) fn earliest(&self, now: Instant) -> Instant {
        now.after(minutes(self.min_notice))
    }

    /// The first instant after the horizon.
    ///
    /// An appointment may start exactly at the horizon.
    pub(super) fn after_horizon(&self, now: Instant) -> Instant {
        now.after(minutes(u32::from(self.horizon_days) * 24 * 60)).next()
    }

    /// The part of `range` that minimum notice and horizon allow.
    fn allowed_starts(&self, now: Instant, range: TimeRange) -> TimeRange {
        TimeRange { start: range.start.max(self.earliest(now)), end: range.end.min(self.after_horizon(now)) }
    }

    /// The time of an appointment from its start to its end, without buffers.
    pub fn without_buffers(&self, start: Instant) -> TimeRange {
        TimeRange { start, end: start.after(minutes(self.duration)) }
    }
}

/// The time range of the bookings and time off that determine the slots of `range`.
///
/// Bookings count with their buffers. The same range determines the unavailable periods. It begins with the
/// working window that contains the start of `range` if starts are counted from there. It is empty if no
/// start is allowed.
pub fn reach(hours: &Hours, rules: &SlotRules, now: Instant, range: TimeRange) -> TimeRange {
    let starts = rules.allowed_starts(now, range);
    if starts.is_empty() {
        return TimeRange { start: range.start, end: range.start };
    }
    let occupied = occupied(hours, rules, now, starts);
    let before = TimeRange { start: occupied.start, end: starts.start };
    let grid = Grid::of(hours.time_zone, rules.slot_interval);
    let start = if grid.has_all(rules.slot_interval, before) { starts.start } else { occupied.start };
    rules.buffers.around(TimeRange { start, ..occupied })
}

/// The time from the opening before `starts` to the end of the last appointment.
///
/// The first of `starts` is counted from that opening.
fn occupied(hours: &Hours, rules: &SlotRules, now: Instant, starts: TimeRange) -> TimeRange {
    TimeRange { start: hours.opening(starts.start, rules.earliest(now)), end: rules.without_buffers(starts.end).end }
}

impl Calendar<'_> {
    /// The available starts in `range`.
    ///
    /// Free time is working time without bookings and time off, with the buffers of both sides. Each period
    /// of free time has a first start: its beginning, or the end of the minimum notice if that is later,
    /// rounded up to the grid of local time. From there a start follows every slot interval, provided that
    /// the appointment ends within the window. Buffers may extend beyond the window.
    pub fn slots(&self, rules: &SlotRules, now: Instant, range: TimeRange) -> Vec<Instant> {
        let starts = rules.allowed_starts(now, range);
        if starts.is_empty() {
            return Vec::new();
        }
        let windows = self.hours.windows(occupied(self.hours, rules, now, starts));
        let free = subtract(&windows, &merge(self.blocked(rules).collect()));
        let relevant = free.into_iter().filter(|free| free.end > starts.start);
        relevant.flat_map(|free| self.starts_in(free, rules, now, starts)).collect()
    }

    /// Whether `start` is available.
    ///
    /// An available start is among the [`slots`](Self::slots) of any range that contains it.
    pub fn offers(&self, rules: &SlotRules, now: Instant, start: Instant) -> bool {
        !self.slots(rules, now, TimeRange { start, end: start.next() }).is_empty()
    }

    /// Whether an appointment at `start` has no conflict with a booking or time off.
    ///
    /// Working hours, minimum notice and horizon are not checked.
    pub fn is_free(&self, rules: &SlotRules, start: Instant) -> bool {
        let appointment = rules.without_buffers(start);
        !self.blocked(rules).any(|blocked| blocked.overlaps(&appointment))
    }

    /// The instant from which `start` is counted.
    ///
    /// This is the beginning of the free time, or the end of the minimum notice if that is later.
    /// `None` if each grid point is a start: then the result does not depend on this instant.
    pub fn counted_from(&self, rules: &SlotRules, now: Instant, start: Instant) -> Option<Instant> {
        let opening = self.hours.opening(start, rules.earliest(now));
        let grid = Grid::of(self.hours.time_zone, rules.slot_interval);
        if grid.has_all(rules.slot_interval, TimeRange { start: opening, end: start }) {
            return None;
        }
        let ends_before = self.blocked(rules).map(|blocked| blocked.end).filter(|end| *end <= start);
        Some(ends_before.fold(opening, Instant::max))
    }

    /// The time that an appointment, without its buffers, must not overlap.
    pub(super) fn blocked(&self, rules: &SlotRules) -> impl Iterator<Item = TimeRange> {
        let occupied = self.time_off.iter().copied().chain(self.bookings.iter().map(Booking::with_buffers));
        occupied.map(|occupied| rules.buffers.blocked_around(occupied))
    }

    /// The starts within `starts` that a period of free time offers.
    fn starts_in(
        &self,
        free: TimeRange,
        rules: &SlotRules,
        now: Instant,
        starts: TimeRange,
    ) -> impl Iterator<Item = Instant> {
        let grid = Grid::of(self.hours.time_zone, rules.slot_interval);
        let interval = minutes(rules.slot_interval.max(1));
        let first = grid.round_up(free.start.max(rules.earliest(now)));
        let end = starts.end.min(free.end.before(minutes(rules.duration)).next());
        let skipped = starts.start.since(first).as_millis().div_ceil(interval.as_millis());
        let next = first.after(interval * u32::try_from(skipped).unwrap_or(u32::MAX));
        std::iter::successors(Some(next), move |start| Some(start.after(interval)))
            .take_while(move |start| *start < end)
    }
}
