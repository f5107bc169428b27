use super::busy::minutes;
use super::{Booking, Buffers, Hours};
use crate::value::{Instant, TimeRange, merge, subtract};

/// The rules of a service for its time slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRules {
    /// The duration of an appointment, in minutes.
    pub duration: u16,
    /// The elapsed time from one start of a window to the next, in minutes.
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

    /// The time from the first start to the end of the last appointment.
    fn occupied(&self, starts: TimeRange) -> TimeRange {
        TimeRange { end: self.without_buffers(starts.end).end, ..starts }
    }

    /// The time of an appointment from its start to its end, without buffers.
    pub fn without_buffers(&self, start: Instant) -> TimeRange {
        TimeRange { start, end: start.after(minutes(self.duration)) }
    }
}

/// The time range of the bookings and time off that determine the slots of `range`.
///
/// Bookings count with their buffers. The same range determines the unavailable periods. It is empty if no start
/// is allowed.
pub fn reach(rules: &SlotRules, now: Instant, range: TimeRange) -> TimeRange {
    let starts = rules.allowed_starts(now, range);
    if starts.is_empty() {
        return TimeRange { start: range.start, end: range.start };
    }
    rules.buffers.around(rules.occupied(starts))
}

impl Calendar<'_> {
    /// The available starts in `range`, in order.
    ///
    /// Each window of a local date has a start at its beginning and after every slot interval of elapsed time,
    /// until it ends. A start is available if the appointment ends within the working time, which may continue
    /// on the next date, and has no conflict with a booking or time off, with the buffers of both sides.
    /// Buffers may extend beyond the working time.
    pub fn slots(&self, rules: &SlotRules, now: Instant, range: TimeRange) -> Vec<Instant> {
        let starts = rules.allowed_starts(now, range);
        if starts.is_empty() {
            return Vec::new();
        }
        let by_date = self.hours.windows_by_date(rules.occupied(starts));
        let free = subtract(&merge(by_date.concat()), &merge(self.blocked(rules).collect()));
        let in_windows = by_date.iter().flatten().flat_map(|window| starts_in(*window, rules.slot_interval, starts));
        let mut available: Vec<_> = in_windows.filter(|start| fits(&free, rules.without_buffers(*start))).collect();
        // Windows of two dates can overlap if clocks go forward at midnight.
        available.sort_unstable();
        available.dedup();
        available
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

    /// The time that an appointment, without its buffers, must not overlap.
    pub(super) fn blocked(&self, rules: &SlotRules) -> impl Iterator<Item = TimeRange> {
        let occupied = self.time_off.iter().copied().chain(self.bookings.iter().map(Booking::with_buffers));
        occupied.map(|occupied| rules.buffers.blocked_around(occupied))
    }
}

/// The starts that a window has within `allowed`.
fn starts_in(window: TimeRange, interval: u16, allowed: TimeRange) -> impl Iterator<Item = Instant> {
    let interval = minutes(interval.max(1));
    let skipped = allowed.start.since(window.start).as_millis().div_ceil(interval.as_millis());
    let first = window.start.after(interval * u32::try_from(skipped).unwrap_or(u32::MAX));
    let end = window.end.min(allowed.end);
    std::iter::successors(Some(first), move |start| Some(start.after(interval))).take_while(move |start| *start < end)
}

/// Whether one of the sorted, disjoint ranges `free` contains all of `appointment`.
fn fits(free: &[TimeRange], appointment: TimeRange) -> bool {
    let after = free.partition_point(|free| free.start <= appointment.start);
    after.checked_sub(1).is_some_and(|containing| appointment.end <= free[containing].end)
}
