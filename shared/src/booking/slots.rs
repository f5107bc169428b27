use super::busy::minutes;
use super::grid::Grid;
use super::{Booking, Buffers, Hours};
use crate::value::Instant;
use crate::value::{TimeRange, merge, subtract};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRules {
    /// How many minutes it takes.
    pub duration: u16,
    /// How many minutes of elapsed time after one start the next one is offered.
    pub slot_interval: u16,
    /// What is kept free around it.
    pub buffers: Buffers,
    /// How many minutes ahead it has to be booked at least.
    pub min_notice: u32,
    /// How many times 24 hours ahead it can be booked at most.
    pub horizon_days: u16,
}

/// What is known of a staff member's time: as much as [`reach`] tells, or more.
#[derive(Clone, Copy, Debug)]
pub struct Calendar<'a> {
    /// When they work.
    pub hours: &'a Hours<'a>,
    /// When they do not, all the same. It is as a booking without buffers of its own; those of what is booked keep away from it.
    pub time_off: &'a [TimeRange],
    /// What is booked.
    pub bookings: &'a [Booking],
}

impl SlotRules {
    /// The first moment at which it may start.
    pub(super) fn earliest(&self, now: Instant) -> Instant {
        now.after(minutes(self.min_notice))
    }

    /// The first moment at which it may no longer start: one start is exactly at the horizon.
    pub(super) fn beyond(&self, now: Instant) -> Instant {
        now.after(minutes(u32::from(self.horizon_days) * 24 * 60)).next()
    }

    /// The part of `range` that notice and horizon leave.
    fn starts(&self, now: Instant, range: TimeRange) -> TimeRange {
        TimeRange { start: range.start.max(self.earliest(now)), end: range.end.min(self.beyond(now)) }
    }

    /// From such a start to the end.
    pub fn without_buffers(&self, start: Instant) -> TimeRange {
        TimeRange { start, end: start.after(minutes(self.duration)) }
    }
}

/// The time whose bookings (with their buffers) and time off have to be known to tell the slots of `range`, and what closes it. It
/// begins with the window in which `range` begins, if starts are counted from there; empty if nothing has to be known.
pub fn reach(hours: &Hours, terms: &SlotRules, now: Instant, range: TimeRange) -> TimeRange {
    let starts = terms.starts(now, range);
    if starts.is_empty() {
        return TimeRange { start: range.start, end: range.start };
    }
    let occupied = occupied(hours, terms, now, starts);
    let before = TimeRange { start: occupied.start, end: starts.start };
    let grid = Grid::of(hours.time_zone, terms.slot_interval);
    let start = if grid.has_all(terms.slot_interval, before) { starts.start } else { occupied.start };
    terms.buffers.around(TimeRange { start, ..occupied })
}

/// From where the first of `starts` is counted from to the end of the last one.
fn occupied(hours: &Hours, terms: &SlotRules, now: Instant, starts: TimeRange) -> TimeRange {
    TimeRange { start: hours.opening(starts.start, terms.earliest(now)), end: terms.without_buffers(starts.end).end }
}

impl Calendar<'_> {
    /// The starts in `range` that are offered.
    ///
    /// Free time is windows less what is taken with the buffers of both. From the start of each stretch of it, or from where notice
    /// ends if that is later, rounded up to the grid of local time, there is a start every slot interval, as long as its end is in
    /// the window. Buffers may reach out of the window.
    pub fn slots(&self, terms: &SlotRules, now: Instant, range: TimeRange) -> Vec<Instant> {
        let starts = terms.starts(now, range);
        if starts.is_empty() {
            return Vec::new();
        }
        let windows = self.hours.windows(occupied(self.hours, terms, now, starts));
        let free = subtract(&windows, &merge(self.blocked(terms).collect()));
        let ahead = free.into_iter().filter(|free| free.end > starts.start);
        ahead.flat_map(|free| self.starts_in(free, terms, now, starts)).collect()
    }

    /// Whether `start` is offered: what [`slots`](Self::slots) says of any range that it is in.
    pub fn offers(&self, terms: &SlotRules, now: Instant, start: Instant) -> bool {
        !self.slots(terms, now, TimeRange { start, end: start.next() }).is_empty()
    }

    /// Whether neither a booking nor time off is in the way of `start`, whatever hours, notice and horizon say.
    pub fn is_free(&self, terms: &SlotRules, start: Instant) -> bool {
        let core = terms.without_buffers(start);
        !self.blocked(terms).any(|blocked| blocked.overlaps(&core))
    }

    /// From when on `start` is counted: the beginning of the free time that it is in, or the end of the notice. `None` if it does not
    /// matter, because each point of the grid is a start whatever came before.
    pub fn counted_from(&self, terms: &SlotRules, now: Instant, start: Instant) -> Option<Instant> {
        let opening = self.hours.opening(start, terms.earliest(now));
        if Grid::of(self.hours.time_zone, terms.slot_interval)
            .has_all(terms.slot_interval, TimeRange { start: opening, end: start })
        {
            return None;
        }
        let before = self.blocked(terms).map(|blocked| blocked.end).filter(|end| *end <= start);
        Some(before.fold(opening, Instant::max))
    }

    /// The time that must not be met by what `terms` ask for, from its start to its end.
    pub(super) fn blocked(&self, terms: &SlotRules) -> impl Iterator<Item = TimeRange> {
        let taken = self.time_off.iter().copied().chain(self.bookings.iter().map(Booking::with_buffers));
        taken.map(|extent| terms.buffers.kept_from(extent))
    }

    fn starts_in(
        &self,
        free: TimeRange,
        terms: &SlotRules,
        now: Instant,
        starts: TimeRange,
    ) -> impl Iterator<Item = Instant> {
        let grid = Grid::of(self.hours.time_zone, terms.slot_interval);
        let interval = minutes(terms.slot_interval.max(1));
        let first = grid.round_up(free.start.max(terms.earliest(now)));
        let end = starts.end.min(free.end.before(minutes(terms.duration)).next());
        let passed = starts.start.since(first).as_millis().div_ceil(interval.as_millis());
        let next = first.after(interval * u32::try_from(passed).unwrap_or(u32::MAX));
        std::iter::successors(Some(next), move |start| Some(start.after(interval)))
            .take_while(move |start| *start < end)
    }
}
