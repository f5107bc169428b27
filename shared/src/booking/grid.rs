use std::time::Duration;

use crate::value::TimeRange;
use crate::value::{Instant, TimeZone};

/// The minutes of the hour, local time, at which starts begin to be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    zone: TimeZone,
    minutes: u16,
}

impl Grid {
    /// The widest one that a start every `interval` minutes keeps.
    pub(super) fn of(zone: TimeZone, interval: u16) -> Self {
        let minutes = [60, 30, 20, 15, 10, 5].into_iter().find(|minutes| interval.is_multiple_of(*minutes));
        Self { zone, minutes: minutes.unwrap_or(1) }
    }

    /// Whether a start every `interval` minutes is each of its points at the end of `span`, from wherever in it they are counted: then
    /// clocks must not have changed in it by a part of the grid.
    pub(super) fn has_all(self, interval: u16, span: TimeRange) -> bool {
        const LOOK: Duration = Duration::from_hours(24 * 7);
        let phase = |at: Instant| self.zone.offset_at(at).rem_euclid(i32::from(self.minutes) * 60);
        let phases = |from: Instant| std::iter::successors(Some(from), |at| Some(at.after(LOOK)));
        interval == self.minutes
            && phases(span.start).take_while(|at| *at < span.end).all(|at| phase(at) == phase(span.end))
    }

    /// The first moment on it that is not before `at`.
    pub(super) fn round_up(self, at: Instant) -> Instant {
        let there = self.ahead(at);
        if self.zone.offset_at(there) == self.zone.offset_at(at) {
            return there;
        }
        // Clocks change between both: what was ahead before the change may be off the grid, or behind a point of it that is new.
        let by_minute = Self { minutes: 1, ..self };
        std::iter::successors(Some(by_minute.ahead(at)), |minute| Some(by_minute.ahead(minute.next())))
            .find(|minute| self.ahead(*minute) == *minute)
            .unwrap_or(there)
    }

    /// The same, as if clocks never changed.
    fn ahead(self, at: Instant) -> Instant {
        let period = i64::from(self.minutes) * 60_000;
        let local = at.unix_millis() + i64::from(self.zone.offset_at(at)) * 1000;
        let missing = (-local).rem_euclid(period);
        at.after(std::time::Duration::from_millis(missing.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_the_widest_that_the_interval_keeps() {
        for (interval, minutes) in [
            (60, 60),
            (120, 60),
            (1440, 60),
            (30, 30),
            (90, 30),
            (20, 20),
            (40, 20),
            (15, 15),
            (45, 15),
            (75, 15),
            (10, 10),
            (50, 10),
            (5, 5),
            (25, 5),
            (35, 5),
            (1, 1),
            (12, 1),
            (7, 1),
        ] {
            assert_eq!(Grid::of(TimeZone::UTC, interval).minutes, minutes, "{interval}");
        }
    }

    #[test]
    fn starts_are_rounded_up_in_local_minutes_of_the_hour() {
        for (zone, interval, at, on_grid) in [
            ("UTC", 60, "2026-06-01T09:00:00Z", "2026-06-01T09:00:00Z"),
            ("UTC", 60, "2026-06-01T09:00:00.001Z", "2026-06-01T10:00:00Z"),
            ("UTC", 1, "2026-06-01T09:00:30Z", "2026-06-01T09:01:00Z"),
            ("UTC", 12, "2026-06-01T09:07:00Z", "2026-06-01T09:07:00Z"),
            ("UTC", 20, "2026-06-01T09:20:30Z", "2026-06-01T09:40:00Z"),
            ("UTC", 45, "2026-06-01T23:46:00Z", "2026-06-02T00:00:00Z"),
            ("UTC", 15, "1969-12-31T23:01:00Z", "1969-12-31T23:15:00Z"),
            ("Asia/Kolkata", 60, "2026-06-01T03:40:00Z", "2026-06-01T04:30:00Z"),
            ("Asia/Kolkata", 30, "2026-06-01T03:40:00Z", "2026-06-01T04:00:00Z"),
            ("Asia/Kathmandu", 60, "2026-06-01T03:40:00Z", "2026-06-01T04:15:00Z"),
            ("Asia/Kathmandu", 15, "2026-06-01T03:40:00Z", "2026-06-01T03:45:00Z"),
            // A whole hour more or less leaves the minutes as they are.
            ("America/New_York", 60, "2026-03-08T06:10:00Z", "2026-03-08T07:00:00Z"),
            ("America/New_York", 60, "2026-11-01T05:10:00Z", "2026-11-01T06:00:00Z"),
            // 02:00 is 01:30 again: the next full hour is 02:00, once more.
            ("Australia/Lord_Howe", 60, "2026-04-04T14:40:00Z", "2026-04-04T15:30:00Z"),
            ("Australia/Lord_Howe", 30, "2026-04-04T14:40:00Z", "2026-04-04T15:00:00Z"),
            // 02:00 is 02:30 at once: the next full hour is 03:00.
            ("Australia/Lord_Howe", 60, "2026-10-03T14:40:00Z", "2026-10-03T16:00:00Z"),
            // 23:30 is midnight at once: a full hour, sooner than the clock promised.
            ("Asia/Pyongyang", 60, "2018-05-04T14:40:00Z", "2018-05-04T15:00:00Z"),
            // 00:00 is 00:44:30 at once: the hour that was ahead does not come.
            ("Africa/Monrovia", 60, "1972-01-07T00:20:00Z", "1972-01-07T01:00:00Z"),
        ] {
            let rounded = Grid::of(zone.parse().unwrap(), interval).round_up(at.parse().unwrap());
            assert_eq!(rounded, on_grid.parse().unwrap(), "{zone} {interval} {at}");
        }
    }
}
