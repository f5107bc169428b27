//! Each rule on its own, in a time zone without changes of the UTC offset.

use serde_json::json;
use uuid::Uuid;

use super::super::{Booking, Buffers, Calendar, SlotRules, UnavailablePeriod, UnavailableReason, reach};
use super::{Staff, at, span};
use crate::value::{AppointmentId, Instant, TimeRange};

/// One hour every hour, without notice, up to 60 days ahead.
const HOURLY: SlotRules = SlotRules {
    duration: 60,
    slot_interval: 60,
    buffers: Buffers { before: 0, after: 0 },
    min_notice: 0,
    horizon_days: 60,
};

/// Some days before the Monday of the tests.
const NOW: &str = "2026-05-28T00:00:00Z";

/// A time on the Monday of the tests.
fn monday(time: &str) -> Instant {
    at(&format!("2026-06-01T{time}:00Z"))
}

fn monday_range(start: &str, end: &str) -> TimeRange {
    TimeRange { start: monday(start), end: monday(end) }
}

fn booking(start: &str, end: &str, before: u16, after: u16) -> Booking {
    Booking {
        appointment: AppointmentId::from_uuid(Uuid::nil()),
        span: monday_range(start, end),
        buffers: Buffers { before, after },
    }
}

/// A staff member who works on Mondays, in these windows.
fn mondays(windows: &[(&str, &str)]) -> Staff {
    let entry = |(start, end): &(&str, &str)| json!({ "days": ["mon"], "start": start, "end": end });
    Staff::new("UTC", windows.iter().map(entry).collect(), json!({}))
}

fn always() -> Staff {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    Staff::new("UTC", json!([{ "days": days, "start": "00:00", "end": "24:00" }]), json!({}))
}

/// The slots of that Monday, as times of day.
fn slots(staff: &Staff, rules: &SlotRules, now: &str, time_off: &[TimeRange], bookings: &[Booking]) -> Vec<String> {
    let hours = staff.hours();
    let calendar = Calendar { hours: &hours, time_off, bookings };
    let day = span("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z");
    calendar.slots(rules, at(now), day).iter().map(|slot| slot.to_string()[11..16].to_owned()).collect()
}

#[test]
fn overlapping_and_adjacent_windows_are_merged() {
    let staff = mondays(&[("09:00", "10:30"), ("10:00", "11:00"), ("11:00", "11:30"), ("12:00", "13:00")]);
    let day = span("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z");
    assert_eq!(staff.hours().windows(day), [monday_range("09:00", "11:30"), monday_range("12:00", "13:00")]);
    // The slot at 10:30 starts in one window and ends in an adjacent one.
    let half_hourly = SlotRules { slot_interval: 30, ..HOURLY };
    assert_eq!(slots(&staff, &half_hourly, NOW, &[], &[]), ["09:00", "09:30", "10:00", "10:30", "12:00"]);
}

#[test]
fn windows_are_not_cut_to_the_queried_range() {
    let staff = mondays(&[("09:00", "17:00")]);
    assert_eq!(staff.hours().windows(monday_range("16:59", "23:00")), [monday_range("09:00", "17:00")]);
    assert_eq!(staff.hours().windows(monday_range("17:00", "23:00")), []);
    assert_eq!(staff.hours().windows(monday_range("08:00", "09:00")), []);
}

#[test]
fn override_replaces_the_hours_of_its_date() {
    let weekly = json!([{ "days": ["mon"], "start": "09:00", "end": "12:00" }]);
    let on_monday = |windows| Staff::new("UTC", weekly.clone(), json!({ "2026-06-01": windows }));
    let afternoon = on_monday(json!([{ "start": "14:00", "end": "16:00" }]));
    assert_eq!(slots(&afternoon, &HOURLY, NOW, &[], &[]), ["14:00", "15:00"]);
    assert!(slots(&on_monday(json!([])), &HOURLY, NOW, &[], &[]).is_empty());
    let other_date = Staff::new("UTC", weekly, json!({ "2026-06-08": [] }));
    assert_eq!(slots(&other_date, &HOURLY, NOW, &[], &[]), ["09:00", "10:00", "11:00"]);
}

#[test]
fn first_start_of_a_window_is_rounded_up_to_the_grid() {
    let staff = mondays(&[("09:10", "12:00")]);
    assert_eq!(slots(&staff, &HOURLY, NOW, &[], &[]), ["10:00", "11:00"]);
    // An interval of 45 minutes has a grid of 15; starts follow every 45 minutes.
    let rules = SlotRules { duration: 30, slot_interval: 45, ..HOURLY };
    assert_eq!(slots(&staff, &rules, NOW, &[], &[]), ["09:15", "10:00", "10:45", "11:30"]);
    let rules = SlotRules { duration: 30, slot_interval: 50, ..HOURLY };
    assert_eq!(slots(&staff, &rules, NOW, &[], &[]), ["09:10", "10:00", "10:50"]);
}

#[test]
fn starts_are_counted_from_the_end_of_the_notice() {
    let staff = mondays(&[("09:00", "14:00")]);
    let rules = SlotRules { duration: 30, slot_interval: 45, min_notice: 60, ..HOURLY };
    assert_eq!(slots(&staff, &rules, "2026-06-01T09:00:00Z", &[], &[]), ["10:00", "10:45", "11:30", "12:15", "13:00"]);
    assert_eq!(
        slots(&staff, &rules, "2026-06-01T09:15:00.001Z", &[], &[]),
        ["10:30", "11:15", "12:00", "12:45", "13:30"]
    );
}

#[test]
fn starts_are_counted_from_the_end_of_a_booking() {
    let staff = mondays(&[("09:00", "14:00")]);
    let rules = SlotRules { duration: 30, slot_interval: 45, ..HOURLY };
    let busy = [booking("09:40", "10:20", 0, 0)];
    assert_eq!(slots(&staff, &rules, NOW, &[], &busy), ["09:00", "10:30", "11:15", "12:00", "12:45", "13:30"]);
    assert_eq!(slots(&staff, &rules, NOW, &[busy[0].span], &[]), slots(&staff, &rules, NOW, &[], &busy));
}

#[test]
fn slot_ends_within_the_window_without_its_buffers() {
    let staff = mondays(&[("09:00", "12:00")]);
    let rules = SlotRules { buffers: Buffers { before: 30, after: 30 }, ..HOURLY };
    assert_eq!(slots(&staff, &rules, NOW, &[], &[]), ["09:00", "10:00", "11:00"]);
    let rules = SlotRules { duration: 61, ..HOURLY };
    assert_eq!(slots(&staff, &rules, NOW, &[], &[]), ["09:00", "10:00"]);
}

#[test]
fn notice_and_horizon_are_inclusive() {
    let staff = mondays(&[("09:00", "12:00")]);
    let rules = SlotRules { min_notice: 120, horizon_days: 1, ..HOURLY };
    assert_eq!(slots(&staff, &rules, "2026-06-01T08:00:00Z", &[], &[]), ["10:00", "11:00"]);
    assert_eq!(slots(&staff, &rules, "2026-06-01T08:00:00.001Z", &[], &[]), ["11:00"]);
    assert_eq!(slots(&staff, &rules, "2026-05-31T10:00:00Z", &[], &[]), ["09:00", "10:00"]);
    assert_eq!(slots(&staff, &rules, "2026-05-31T09:59:59.999Z", &[], &[]), ["09:00"]);
}

#[test]
fn range_includes_its_start_and_excludes_its_end() {
    let staff = mondays(&[("09:00", "14:00")]);
    let hours = staff.hours();
    let calendar = Calendar { hours: &hours, time_off: &[], bookings: &[] };
    let within = |start, end| calendar.slots(&HOURLY, at(NOW), monday_range(start, end));
    assert_eq!(within("10:00", "12:00"), ["10:00", "11:00"].map(monday));
    assert_eq!(within("10:01", "12:01"), ["11:00", "12:00"].map(monday));
    assert_eq!(within("12:00", "12:00"), []);
    assert_eq!(within("12:00", "10:00"), []);
}

#[test]
fn buffers_of_both_bookings_are_kept() {
    let staff = mondays(&[("09:00", "15:00")]);
    let rules = SlotRules { duration: 30, slot_interval: 5, buffers: Buffers { before: 10, after: 5 }, ..HOURLY };
    let old = [booking("11:00", "12:00", 15, 20)];
    let slots = slots(&staff, &rules, NOW, &[], &old);
    // 15 + 5 minutes before the booking and 20 + 10 after it are kept free.
    assert!(slots.contains(&"10:10".to_owned()) && !slots.contains(&"10:15".to_owned()), "{slots:?}");
    assert!(slots.contains(&"12:30".to_owned()) && !slots.contains(&"12:25".to_owned()), "{slots:?}");
}

#[test]
fn booking_keeps_its_own_buffers_from_time_off() {
    let staff = mondays(&[("09:00", "15:00")]);
    let off = [monday_range("11:00", "12:00")];
    let rules = SlotRules { duration: 30, slot_interval: 5, buffers: Buffers { before: 10, after: 5 }, ..HOURLY };
    let slots = slots(&staff, &rules, NOW, &off, &[]);
    assert!(slots.contains(&"10:25".to_owned()) && !slots.contains(&"10:30".to_owned()), "{slots:?}");
    assert!(slots.contains(&"12:10".to_owned()) && !slots.contains(&"12:05".to_owned()), "{slots:?}");
}

#[test]
fn is_free_ignores_hours_and_notice() {
    let staff = mondays(&[]);
    let calendar = Calendar { hours: &staff.hours(), time_off: &[], bookings: &[booking("11:00", "12:00", 0, 0)] };
    for (start, free) in [("10:00", true), ("10:01", false), ("11:30", false), ("12:00", true)] {
        assert_eq!(calendar.is_free(&HOURLY, monday(start)), free, "{start}");
    }
}

#[test]
fn reach_is_from_the_window_start_to_the_last_slot_end() {
    let staff = mondays(&[("09:00", "17:00")]);
    let buffers = Buffers { before: 10, after: 20 };
    // Starts every 90 minutes depend on where counting begins.
    let rules = SlotRules { buffers, slot_interval: 90, ..HOURLY };
    let reach_of = |staff: &Staff, now, start, end| reach(&staff.hours(), &rules, at(now), monday_range(start, end));
    assert_eq!(reach_of(&staff, NOW, "12:00", "14:00"), monday_range("08:50", "15:20"));
    assert_eq!(reach_of(&staff, NOW, "17:00", "18:00"), monday_range("16:50", "19:20"));
    assert_eq!(reach_of(&staff, "2026-06-01T11:30:00Z", "12:00", "14:00"), monday_range("11:20", "15:20"));
    assert_eq!(reach_of(&staff, "2026-06-01T12:30:00Z", "12:00", "14:00"), monday_range("12:20", "15:20"));
    assert!(reach_of(&staff, "2026-06-01T14:00:00Z", "12:00", "14:00").is_empty());
    assert!(reach_of(&staff, "2026-04-01T14:00:00Z", "12:00", "14:00").is_empty());
    // Hours without a break are searched back to the end of the notice.
    assert_eq!(
        reach_of(&always(), NOW, "12:00", "14:00"),
        TimeRange { start: at("2026-05-27T23:50:00Z"), ..monday_range("12:00", "15:20") }
    );
    // If each grid point is a start, it does not matter where counting begins.
    let hourly = SlotRules { buffers, ..HOURLY };
    assert_eq!(
        reach(&always().hours(), &hourly, at(NOW), monday_range("12:00", "14:00")),
        monday_range("11:50", "15:20")
    );
}

#[test]
fn counted_from_is_the_start_of_the_free_time() {
    let staff = mondays(&[("09:00", "17:00")]);
    let calendar = Calendar { hours: &staff.hours(), time_off: &[], bookings: &[booking("10:15", "11:00", 0, 0)] };
    let ninety_minutes = SlotRules { slot_interval: 90, ..HOURLY };
    for (start, from) in [("09:00", "09:00"), ("11:00", "11:00"), ("14:00", "11:00")] {
        assert_eq!(calendar.counted_from(&ninety_minutes, at(NOW), monday(start)), Some(monday(from)), "{start}");
    }
    assert_eq!(calendar.counted_from(&ninety_minutes, monday("12:10"), monday("14:00")), Some(monday("12:10")));
    assert_eq!(calendar.counted_from(&HOURLY, at(NOW), monday("14:00")), None);
    // On Lord Howe Island clocks go back by half an hour, so that hourly starts are no longer on the hour.
    let sundays = json!([{ "days": ["sun"], "start": "00:00", "end": "24:00" }]);
    let lord_howe = Staff::new("Australia/Lord_Howe", sundays, json!({}));
    let calendar = Calendar { hours: &lord_howe.hours(), time_off: &[], bookings: &[] };
    let (before, after) = (at("2026-04-04T14:00:00Z"), at("2026-04-04T17:30:00Z"));
    assert_eq!(calendar.counted_from(&HOURLY, at("2026-04-01T00:00:00Z"), before), None);
    assert!(calendar.counted_from(&HOURLY, at("2026-04-01T00:00:00Z"), after).is_some());
}

#[test]
fn unavailable_periods_have_the_first_reason() {
    let weekly = json!([{ "days": ["mon", "tue"], "start": "09:00", "end": "17:00" }]);
    let staff = Staff::new("UTC", weekly, json!({ "2026-06-02": [] }));
    let hours = staff.hours();
    let calendar = Calendar {
        hours: &hours,
        time_off: &[monday_range("11:00", "12:00")],
        bookings: &[booking("11:30", "12:30", 0, 15), booking("12:30", "13:00", 0, 0)],
    };
    let rules = SlotRules { min_notice: 60, horizon_days: 2, ..HOURLY };
    let range = span("2026-06-01T00:00:00Z", "2026-06-04T00:00:00Z");
    let periods = calendar.unavailable(&rules, at("2026-06-01T09:00:00Z"), range);
    let expected = [
        ("2026-06-01T00:00:00Z", "2026-06-01T10:00:00Z", UnavailableReason::Notice),
        ("2026-06-01T11:00:00Z", "2026-06-01T12:00:00Z", UnavailableReason::TimeOff),
        ("2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z", UnavailableReason::Booking),
        ("2026-06-01T17:00:00Z", "2026-06-02T00:00:00Z", UnavailableReason::Hours),
        ("2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z", UnavailableReason::Override),
        ("2026-06-03T00:00:00Z", "2026-06-03T09:00:00.001Z", UnavailableReason::Hours),
        ("2026-06-03T09:00:00.001Z", "2026-06-04T00:00:00Z", UnavailableReason::Horizon),
    ];
    assert_eq!(periods, expected.map(|(start, end, rule)| UnavailablePeriod { span: span(start, end), rule }));
    let serialized =
        json!({ "start": "2026-06-01T11:00:00.000Z", "end": "2026-06-01T12:00:00.000Z", "rule": "TIME_OFF" });
    assert_eq!(json!(periods[1]), serialized);
}

#[test]
fn buffers_of_both_are_unavailable_around_a_booking() {
    let staff = mondays(&[("09:00", "17:00")]);
    let hours = staff.hours();
    let calendar = Calendar { hours: &hours, time_off: &[], bookings: &[booking("11:00", "12:00", 10, 20)] };
    let rules = SlotRules { buffers: Buffers { before: 5, after: 15 }, ..HOURLY };
    let periods = calendar.unavailable(&rules, at(NOW), monday_range("09:00", "17:00"));
    let expected = [
        ("10:35", "11:00", UnavailableReason::Buffer),
        ("11:00", "12:00", UnavailableReason::Booking),
        ("12:00", "12:25", UnavailableReason::Buffer),
    ];
    assert_eq!(periods, expected.map(|(start, end, rule)| UnavailablePeriod { span: monday_range(start, end), rule }));
}
