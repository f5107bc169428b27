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
fn starts_are_counted_from_the_beginning_of_each_window() {
    let staff = mondays(&[("09:10", "12:00"), ("13:05", "15:00")]);
    assert_eq!(slots(&staff, &HOURLY, NOW, &[], &[]), ["09:10", "10:10", "13:05"]);
    let rules = SlotRules { duration: 30, slot_interval: 50, ..HOURLY };
    assert_eq!(slots(&staff, &rules, NOW, &[], &[]), ["09:10", "10:00", "10:50", "13:05", "13:55"]);
}

#[test]
fn count_of_starts_begins_again_at_midnight() {
    // After 23:20 the count would reach 01:00; the next date begins its own at 00:00.
    let rules = SlotRules { duration: 45, slot_interval: 100, ..HOURLY };
    let staff = always();
    let calendar = Calendar { hours: &staff.hours(), time_off: &[], bookings: &[] };
    let night = span("2026-06-01T21:00:00Z", "2026-06-02T03:00:00Z");
    let found: Vec<_> = calendar.slots(&rules, at(NOW), night).iter().map(ToString::to_string).collect();
    let expected = ["01T21:40", "01T23:20", "02T00:00", "02T01:40"].map(|start| format!("2026-06-{start}:00.000Z"));
    assert_eq!(found, expected);
}

#[test]
fn whole_day_is_offered_at_midnight() {
    let rules = SlotRules { duration: 1440, slot_interval: 1440, ..HOURLY };
    assert_eq!(slots(&always(), &rules, "2026-05-28T13:17:00Z", &[], &[]), ["00:00"]);
}

#[test]
fn notice_removes_starts_and_shifts_none() {
    let staff = mondays(&[("09:00", "14:00")]);
    let rules = SlotRules { duration: 30, slot_interval: 45, min_notice: 60, ..HOURLY };
    assert_eq!(slots(&staff, &rules, "2026-06-01T09:15:00Z", &[], &[]), ["10:30", "11:15", "12:00", "12:45", "13:30"]);
    assert_eq!(slots(&staff, &rules, "2026-06-01T09:30:00.001Z", &[], &[]), ["11:15", "12:00", "12:45", "13:30"]);
}

#[test]
fn bookings_and_time_off_remove_starts_and_shift_none() {
    let staff = mondays(&[("09:00", "14:00")]);
    let rules = SlotRules { duration: 30, slot_interval: 45, ..HOURLY };
    let busy = [booking("09:40", "10:20", 0, 0)];
    assert_eq!(slots(&staff, &rules, NOW, &[], &busy), ["09:00", "10:30", "11:15", "12:00", "12:45", "13:30"]);
    let busy = [booking("09:40", "10:35", 0, 0)];
    assert_eq!(slots(&staff, &rules, NOW, &[], &busy), ["09:00", "11:15", "12:00", "12:45", "13:30"]);
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
fn reach_is_the_allowed_starts_with_the_last_appointment_and_its_buffers() {
    let rules = SlotRules { buffers: Buffers { before: 10, after: 20 }, ..HOURLY };
    let reach_at = |now| reach(&rules, at(now), monday_range("12:00", "14:00"));
    assert_eq!(reach_at(NOW), monday_range("11:50", "15:20"));
    assert_eq!(reach_at("2026-06-01T12:30:00Z"), monday_range("12:20", "15:20"));
    assert!(reach_at("2026-06-01T14:00:00Z").is_empty());
    assert!(reach_at("2026-04-01T14:00:00Z").is_empty());
}

#[test]
fn free_time_without_a_start_is_too_short() {
    let staff = mondays(&[("09:00", "09:45"), ("10:00", "13:30")]);
    let hours = staff.hours();
    let calendar = Calendar { hours: &hours, time_off: &[], bookings: &[booking("11:00", "12:00", 0, 0)] };
    let rules = SlotRules { duration: 60, slot_interval: 90, ..HOURLY };
    let periods = calendar.unavailable(&rules, at(NOW), monday_range("09:00", "13:30"));
    let expected = [
        ("09:00", "09:45", UnavailableReason::TooShort),
        ("09:45", "10:00", UnavailableReason::Hours),
        ("11:00", "12:00", UnavailableReason::Booking),
        // The starts are 10:00, 11:30 and 13:00.
        ("12:00", "13:30", UnavailableReason::TooShort),
    ];
    assert_eq!(periods, expected.map(|(start, end, rule)| UnavailablePeriod { span: monday_range(start, end), rule }));
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
