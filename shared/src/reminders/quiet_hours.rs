//! The time of day without reminders.

use std::time::Duration;

use deserr::{Deserr, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::{Date, Instant, InvalidValue, TimeRange, TimeZone, ValidationErrors, WallTime};

/// A time of day without reminders, in local time; across midnight if it ends before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, deny_unknown_fields, validate = QuietHours::check_differ -> ValidationErrors)]
pub struct QuietHours {
    /// The start.
    #[schema(example = "21:00")]
    start: WallTime,
    /// The end; it is not quiet any more.
    #[schema(example = "08:00")]
    end: WallTime,
}

impl QuietHours {
    fn check_differ(self, location: ValuePointerRef) -> Result<Self, ValidationErrors> {
        if self.start.minutes() % MINUTES_PER_DAY != self.end.minutes() % MINUTES_PER_DAY {
            return Ok(self);
        }
        let error = InvalidValue::new("equal_to_start", "must differ from the start");
        Err(ValidationErrors::at(location.push_key("end"), error))
    }

    /// The time at which a reminder that is due at `due` is sent; `None` if there is no such time.
    ///
    /// A reminder in quiet hours waits for their end if that is before the start of the appointment. Otherwise it is
    /// sent a minute before they begin, if that is still ahead.
    pub(super) fn avoid(self, due: Instant, zone: TimeZone, now: Instant, start: Instant) -> Option<Instant> {
        let Some(quiet) = self.period_around(due, zone) else { return Some(due) };
        if quiet.end < start {
            return Some(quiet.end);
        }
        Some(quiet.start.before(Duration::from_mins(1))).filter(|before| *before > now)
    }

    /// The quiet hours that contain an instant.
    fn period_around(self, at: Instant, zone: TimeZone) -> Option<TimeRange> {
        let today = zone.date_at(at);
        [today.previous(), today].into_iter().map(|date| self.beginning_on(date, zone)).find(|quiet| quiet.contains(at))
    }

    /// The quiet hours that begin on a local date. Each bound is converted on its own.
    fn beginning_on(self, date: Date, zone: TimeZone) -> TimeRange {
        let last = if self.start < self.end { date } else { date.next() };
        TimeRange { start: zone.instant(date, self.start), end: zone.instant(last, self.end) }
    }
}

const MINUTES_PER_DAY: u16 = 24 * 60;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn quiet(start: &str, end: &str) -> QuietHours {
        QuietHours { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    fn zone(name: &str) -> TimeZone {
        name.parse().unwrap()
    }

    #[test]
    fn reminder_in_quiet_hours_waits_for_their_end() {
        let night = quiet("21:00", "08:00");
        let berlin = zone("Europe/Berlin");
        let now = at("2026-03-01T12:00:00Z");
        for (due, sent) in [
            ("2026-03-02T20:00:00Z", "2026-03-03T07:00:00.000Z"),
            ("2026-03-03T06:59:59Z", "2026-03-03T07:00:00.000Z"),
            ("2026-03-03T07:00:00Z", "2026-03-03T07:00:00.000Z"),
            ("2026-03-02T19:59:59Z", "2026-03-02T19:59:59.000Z"),
        ] {
            let avoided = night.avoid(at(due), berlin, now, at("2026-03-03T12:00:00Z"));
            assert_eq!(avoided, Some(at(sent)), "{due}");
        }
    }

    #[test]
    fn reminder_is_sent_before_quiet_hours_that_end_after_the_start() {
        let (night, start) = (quiet("21:00", "08:00"), at("2026-03-03T07:00:00Z"));
        let avoid = |now: &str| night.avoid(at("2026-03-03T06:00:00Z"), zone("Europe/Berlin"), at(now), start);
        assert_eq!(avoid("2026-03-02T12:00:00Z"), Some(at("2026-03-02T19:59:00Z")));
        assert_eq!(avoid("2026-03-02T19:59:00Z"), None, "booked during the last minute");
        assert_eq!(avoid("2026-03-02T22:00:00Z"), None, "booked during the quiet hours");
    }

    #[test]
    fn bounds_follow_the_wall_clock_across_a_change_of_time() {
        let (night, berlin, now) = (quiet("22:00", "06:00"), zone("Europe/Berlin"), at("2026-03-01T00:00:00Z"));
        // The clocks of 29 March go from 02:00 to 03:00; those of 25 October from 03:00 to 02:00.
        for (due, end) in
            [("2026-03-29T00:30:00Z", "2026-03-29T04:00:00Z"), ("2026-10-25T01:30:00Z", "2026-10-25T05:00:00Z")]
        {
            assert_eq!(night.avoid(at(due), berlin, now, at("2026-12-01T00:00:00Z")), Some(at(end)), "{due}");
        }
    }

    proptest! {
        #[test]
        fn reminder_is_never_sent_in_quiet_hours_nor_after_the_start(
            [start, end] in [0_u16..1440, 0_u16..1440],
            due_minute in 0_i64..40_000,
            before_start in 5_u64..43_200,
            notice in 1_u64..43_200,
            name in prop::sample::select(vec!["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"]),
        ) {
            prop_assume!(start != end);
            let [from, to] = [start, end].map(|minutes| WallTime::from_minutes(minutes).unwrap());
            let hours = QuietHours { start: from, end: to };
            let due = Instant::from_unix_millis(1_772_323_200_000 + due_minute * 60_000).unwrap();
            let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
            let (start, now) = (due.after(minutes(before_start)), due.before(minutes(notice)));
            if let Some(sent) = hours.avoid(due, zone(name), now, start) {
                prop_assert!(hours.period_around(sent, zone(name)).is_none(), "{} is quiet", sent);
                prop_assert!(now < sent && sent < start);
            }
        }
    }
}
