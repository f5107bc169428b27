use chrono::{DateTime, NaiveDate};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use uuid::Uuid;

use super::super::{Booking, Buffers, Calendar, Hours, SlotRules};
use super::Staff;
use crate::entity::AppointmentId;
use crate::value::Instant;
use crate::value::TimeRange;

/// Zones, and dates shortly before something happens to their clocks.
const PLACES: [(&str, &str); 19] = [
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
    // At midnight, at one past, and by half an hour.
    ("America/Sao_Paulo", "2018-11-02"),
    ("America/Sao_Paulo", "2018-02-16"),
    ("America/Havana", "2026-03-06"),
    ("America/St_Johns", "2010-11-05"),
    ("America/St_Johns", "2011-03-11"),
    ("Asia/Pyongyang", "2018-05-03"),
];

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) const DAY: i64 = 24 * 60;

/// From one minute of a day to another.
pub(super) type Minutes = (i64, i64);

/// A question about somebody's time, in minutes since 1970 and minutes of the day, by UTC and by local clocks.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) staff: Staff,
    /// The first of some days in which something happens.
    pub(super) first: i64,
    pub(super) weekly: Vec<([bool; 7], Minutes)>,
    /// By days since 1970.
    pub(super) overrides: Vec<(i64, Vec<Minutes>)>,
    pub(super) time_off: Vec<TimeRange>,
    pub(super) bookings: Vec<Booking>,
    pub(super) terms: SlotRules,
    pub(super) now: Instant,
    pub(super) range: TimeRange,
}

impl Case {
    /// Asks of it what the closure asks.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&Calendar) -> T) -> T {
        self.ask_of(&self.staff.hours(), ask)
    }

    fn ask_of<T>(&self, hours: &Hours, ask: impl FnOnce(&Calendar) -> T) -> T {
        ask(&Calendar { hours, time_off: &self.time_off, bookings: &self.bookings })
    }

    pub(super) fn slots(&self, range: TimeRange) -> Vec<Instant> {
        self.ask(|calendar| calendar.slots(&self.terms, self.now, range))
    }

    /// What is booked if it is booked at `start`.
    pub(super) fn booked(&self, start: Instant) -> Booking {
        let end = start.after(std::time::Duration::from_mins(self.terms.duration.into()));
        Booking {
            appointment: AppointmentId::from_uuid(Uuid::nil()),
            span: TimeRange { start, end },
            buffers: self.terms.buffers,
        }
    }
}

pub(super) fn minute(minute: i64) -> Instant {
    Instant::from(DateTime::from_timestamp(minute * 60, 0).unwrap())
}

/// Any.
pub(super) fn cases() -> impl Strategy<Value = Case> {
    (select(&PLACES[..]), weekly(), overrides(), days(), terms()).prop_map(
        |((zone, date), weekly, overrides, days, terms)| {
            let first = date.parse::<NaiveDate>().unwrap().to_epoch_days();
            let overrides: Vec<_> =
                overrides.into_iter().map(|(day, windows)| (i64::from(first) + day, windows)).collect();
            let first = i64::from(first) * DAY;
            let moved = |(start, length): Minutes| TimeRange {
                start: minute(first + start),
                end: minute(first + start + length),
            };
            let booking = |(span, buffers)| Booking {
                appointment: AppointmentId::from_uuid(Uuid::nil()),
                span: moved(span),
                buffers,
            };
            Case {
                staff: staff(zone, &weekly, &overrides),
                first,
                weekly,
                overrides,
                time_off: days.time_off.into_iter().map(moved).collect(),
                bookings: days.bookings.into_iter().map(booking).collect(),
                terms,
                now: minute(first).after(days.now),
                range: moved(days.range),
            }
        },
    )
}

/// What happens in the days of a case, in minutes from the first one on.
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
    let few = || prop_oneof![1 => Just(0), 2 => 0..50_u16];
    (few(), few()).prop_map(|(before, after)| Buffers { before, after })
}

fn terms() -> impl Strategy<Value = SlotRules> {
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
    let any_day = prop::array::uniform7(any::<bool>()).prop_filter("names a day", |days| days.contains(&true));
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

/// Often at the hours in which clocks change, and at midnight.
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
        .prop_filter("has time", |(one, other)| one != other)
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
