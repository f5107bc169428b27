use chrono::{DateTime, NaiveDate};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use uuid::Uuid;

use super::super::{Booking, Buffers, Calendar, SlotRules};
use super::Staff;
use crate::value::{AppointmentId, Instant, TimeRange};

/// Time zones with dates shortly before their UTC offset changes.
const ZONES: [(&str, &str); 19] = [
    ("UTC", "2026-01-30"),
    ("America/New_York", "2026-03-06"),
    ("America/New_York", "2026-10-30"),
    ("Europe/London", "2026-03-27"),
    ("Europe/London", "2026-10-23"),
    ("Australia/Sydney", "2026-04-03"),
    ("Australia/Sydney", "2026-10-02"),
    ("Australia/Lord_Howe", "2026-04-03"),
    ("Australia/Lord_Howe", "2026-10-02"),
    ("Asia/Kolkata", "2026-06-01"),
    ("Asia/Kathmandu", "2026-06-01"),
    ("Pacific/Chatham", "2026-09-25"),
    ("Pacific/Apia", "2011-12-28"),
    // Changes at midnight, at one minute past, and by half an hour.
    ("America/Sao_Paulo", "2018-11-02"),
    ("America/Sao_Paulo", "2018-02-16"),
    ("America/Havana", "2026-03-06"),
    ("America/St_Johns", "2010-11-05"),
    ("America/St_Johns", "2011-03-11"),
    ("Asia/Pyongyang", "2018-05-03"),
];

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) const DAY: i64 = 24 * 60;

/// A range of minutes: start and end, or start and length.
pub(super) type Minutes = (i64, i64);

/// A staff member's schedule, slot rules and a range to query.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) staff: Staff,
    /// The first minute of the first day, in minutes since 1970.
    pub(super) first: i64,
    pub(super) weekly: Vec<([bool; 7], Minutes)>,
    /// Windows by days since 1970.
    pub(super) overrides: Vec<(i64, Vec<Minutes>)>,
    pub(super) time_off: Vec<TimeRange>,
    pub(super) bookings: Vec<Booking>,
    pub(super) rules: SlotRules,
    pub(super) now: Instant,
    pub(super) range: TimeRange,
}

impl Scenario {
    /// Queries the calendar of the staff member.
    pub(super) fn query<T>(&self, query: impl FnOnce(&Calendar) -> T) -> T {
        query(&Calendar { hours: &self.staff.hours(), time_off: &self.time_off, bookings: &self.bookings })
    }

    pub(super) fn slots(&self, range: TimeRange) -> Vec<Instant> {
        self.query(|calendar| calendar.slots(&self.rules, self.now, range))
    }

    /// The booking of an appointment at `start`.
    pub(super) fn booking_at(&self, start: Instant) -> Booking {
        let end = start.after(std::time::Duration::from_mins(self.rules.duration.into()));
        Booking {
            appointment: AppointmentId::from_uuid(Uuid::nil()),
            span: TimeRange { start, end },
            buffers: self.rules.buffers,
        }
    }
}

pub(super) fn minute(minute: i64) -> Instant {
    Instant::from(DateTime::from_timestamp(minute * 60, 0).unwrap())
}

/// Any scenario.
pub(super) fn scenarios() -> impl Strategy<Value = Scenario> {
    (select(&ZONES[..]), weekly(), overrides(), days(), slot_rules()).prop_map(
        |((zone, date), weekly, overrides, days, rules)| {
            let first = date.parse::<NaiveDate>().unwrap().to_epoch_days();
            let overrides: Vec<_> =
                overrides.into_iter().map(|(day, windows)| (i64::from(first) + day, windows)).collect();
            let first = i64::from(first) * DAY;
            let range = |(start, length): Minutes| TimeRange {
                start: minute(first + start),
                end: minute(first + start + length),
            };
            let booking = |(span, buffers)| Booking {
                appointment: AppointmentId::from_uuid(Uuid::nil()),
                span: range(span),
                buffers,
            };
            Scenario {
                staff: staff(zone, &weekly, &overrides),
                first,
                weekly,
                overrides,
                time_off: days.time_off.into_iter().map(range).collect(),
                bookings: days.bookings.into_iter().map(booking).collect(),
                rules,
                now: minute(first).after(days.now),
                range: range(days.range),
            }
        },
    )
}

/// The events in the days of a scenario, in minutes after the first.
#[derive(Clone, Debug)]
struct Days {
    time_off: Vec<Minutes>,
    bookings: Vec<(Minutes, Buffers)>,
    now: std::time::Duration,
    range: Minutes,
}

fn days() -> impl Strategy<Value = Days> {
    let round = |minutes: std::ops::Range<i64>| (minutes.start / 5..minutes.end / 5).prop_map(|fives| fives * 5);
    let start = || prop_oneof![3 => round(-DAY..7 * DAY), 1 => -DAY..7 * DAY];
    let length = || prop_oneof![3 => round(5..300), 1 => 1..2000_i64];
    let time_off = prop::collection::vec((start(), length()), 0..3);
    let bookings = prop::collection::vec(((start(), length()), buffers()), 0..12);
    let now = prop_oneof![round(0..3 * DAY).prop_map(|minutes| minutes * 60_000), 0..3 * DAY * 60_000];
    let now = now.prop_map(|millis| std::time::Duration::from_millis(millis.unsigned_abs()));
    let range = (start(), prop_oneof![0..6 * DAY, 3 * DAY..6 * DAY])
        .prop_map(|(start, length)| (start, length.min(6 * DAY - start).max(0)));
    (time_off, bookings, now, range).prop_map(|(time_off, bookings, now, range)| Days {
        time_off,
        bookings,
        now,
        range,
    })
}

fn buffers() -> impl Strategy<Value = Buffers> {
    let minutes = || prop_oneof![1 => Just(0), 2 => 0..50_u16];
    (minutes(), minutes()).prop_map(|(before, after)| Buffers { before, after })
}

fn slot_rules() -> impl Strategy<Value = SlotRules> {
    let duration = prop_oneof![4 => 1..120_u16, 1 => 1..=1440_u16];
    let interval = select(vec![1, 5, 7, 10, 12, 15, 20, 25, 30, 45, 60, 60, 75, 90, 120]);
    let notice = prop_oneof![Just(0), 0..3000_u32];
    (duration, interval, buffers(), notice, 1..9_u16).prop_map(
        |(duration, slot_interval, buffers, min_notice, horizon_days)| SlotRules {
            duration,
            slot_interval,
            buffers,
            min_notice,
            horizon_days,
        },
    )
}

fn weekly() -> impl Strategy<Value = Vec<([bool; 7], Minutes)>> {
    let any_day = prop::array::uniform7(any::<bool>()).prop_filter("has a day", |days| days.contains(&true));
    let entry = (prop_oneof![Just([true; 7]), any_day], window());
    prop_oneof![
        1 => Just(vec![([true; 7], (0, DAY))]),
        5 => prop::collection::vec(entry, 0..5),
    ]
}

fn overrides() -> impl Strategy<Value = Vec<(i64, Vec<Minutes>)>> {
    let windows = prop::collection::vec(window(), 0..3);
    prop::collection::btree_map(0..6_i64, windows, 0..3).prop_map(|dates| dates.into_iter().collect())
}

/// A window, often at midnight and at the hours in which the UTC offset changes.
fn window() -> impl Strategy<Value = Minutes> {
    let bound = || {
        prop_oneof![
            2 => (0..=96_i64).prop_map(|quarters| quarters * 15),
            2 => (0..=16_i64).prop_map(|quarters| quarters * 15),
            1 => Just(DAY),
            1 => 0..=DAY,
        ]
    };
    (bound(), bound())
        .prop_filter("is not empty", |(one, other)| one != other)
        .prop_map(|(one, other)| (one.min(other), one.max(other)))
}

fn staff(zone: &str, weekly: &[([bool; 7], Minutes)], overrides: &[(i64, Vec<Minutes>)]) -> Staff {
    let time = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    let window = |(start, end): &Minutes| json!({ "start": time(*start), "end": time(*end) });
    let entry = |(days, (start, end)): &([bool; 7], Minutes)| {
        let days: Vec<_> = DAYS.iter().zip(days).filter(|(_, works)| **works).map(|(day, _)| day).collect();
        json!({ "days": days, "start": time(*start), "end": time(*end) })
    };
    let date = |day: i64| minute(day * DAY).to_string()[..10].to_owned();
    let dates: serde_json::Map<_, _> =
        overrides.iter().map(|(day, windows)| (date(*day), windows.iter().map(window).collect())).collect();
    Staff::new(zone, weekly.iter().map(entry).collect(), json!(dates))
}
