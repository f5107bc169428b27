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
