use std::time::Duration;

use crate::value::{Instant, TimeRange, TimeZone};

/// The minutes of the local hour to which the first slot of free time is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    zone: TimeZone,
    minutes: u16,
}

impl Grid {
    /// The widest grid that contains a start every `interval` minutes.
    pub(super) fn of(zone: TimeZone, interval: u16) -> Self {
        let widest = [60, 30, 20, 15, 10, 5].into_iter().find(|minutes| interval.is_multiple_of(*minutes));
        Self { zone, minutes: widest.unwrap_or(1) }
    }

    /// Whether each grid point at the end of `range` is a start.
    ///
    /// If so, the starts do not depend on the point in `range` from which `interval` is counted: the
    /// interval equals the grid, and within `range` the UTC offset never differs by a fraction of the grid.
    pub(super) fn has_all(self, interval: u16, range: TimeRange) -> bool {
        // The interval at which the offset is sampled.
        const STEP: Duration = Duration::from_hours(24 * 7);
        let phase = |at: Instant| self.zone.offset_at(at).rem_euclid(i32::from(self.minutes) * 60);
        let samples = |from: Instant| std::iter::successors(Some(from), |at| Some(at.after(STEP)));
        interval == self.minutes
            && samples(range.start).take_while(|at| *at < range.end).all(|at| phase(at) == phase(range.end))
    }

    /// The first grid point at or after `at`.
    pub(super) fn round_up(self, at: Instant) -> Instant {
        let rounded = self.round_up_at_constant_offset(at);
        if self.zone.offset_at(rounded) == self.zone.offset_at(at) {
            return rounded;
        }
        // The offset changes between the two: the rounded instant may be off the new grid, or after an
        // earlier point of it. Search minute by minute.
        let by_minute = Self { minutes: 1, ..self };
        let first = by_minute.round_up_at_constant_offset(at);
        let next_minute = |minute: &Instant| Some(by_minute.round_up_at_constant_offset(minute.next()));
        std::iter::successors(Some(first), next_minute)
            .find(|minute| self.round_up_at_constant_offset(*minute) == *minute)
            .unwrap_or(rounded)
    }

    /// The first grid point at or after `at` if the UTC offset stays that of `at`.
    fn round_up_at_constant_offset(self, at: Instant) -> Instant {
        let period = i64::from(self.minutes) * 60_000;
        let local = at.unix_millis() + i64::from(self.zone.offset_at(at)) * 1000;
        let missing = (-local).rem_euclid(period);
        at.after(Duration::from_millis(missing.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_is_the_widest_divisor_of_the_interval() {
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
    fn starts_are_rounded_up_to_local_minutes() {
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
            // A change by a whole hour does not change the minutes.
            ("America/New_York", 60, "2026-03-08T06:10:00Z", "2026-03-08T07:00:00Z"),
            ("America/New_York", 60, "2026-11-01T05:10:00Z", "2026-11-01T06:00:00Z"),
            // At 02:00 clocks go back to 01:30: the next full hour is the second 02:00.
            ("Australia/Lord_Howe", 60, "2026-04-04T14:40:00Z", "2026-04-04T15:30:00Z"),
            ("Australia/Lord_Howe", 30, "2026-04-04T14:40:00Z", "2026-04-04T15:00:00Z"),
            // At 02:00 clocks go forward to 02:30: the next full hour is 03:00.
            ("Australia/Lord_Howe", 60, "2026-10-03T14:40:00Z", "2026-10-03T16:00:00Z"),
            // At 23:30 clocks go forward to midnight: the full hour is 30 minutes earlier.
            ("Asia/Pyongyang", 60, "2018-05-04T14:40:00Z", "2018-05-04T15:00:00Z"),
            // At 00:00 clocks go forward to 00:44:30: the expected full hour is skipped.
            ("Africa/Monrovia", 60, "1972-01-07T00:20:00Z", "1972-01-07T01:00:00Z"),
        ] {
            let rounded = Grid::of(zone.parse().unwrap(), interval).round_up(at.parse().unwrap());
            assert_eq!(rounded, on_grid.parse().unwrap(), "{zone} {interval} {at}");
        }
    }
}
