//! Each rule on its own, in a zone whose clocks never change.

use serde_json::json;
use uuid::Uuid;

use super::super::{Booking, Buffers, Calendar, ClosedPeriod, SlotRules, UnavailableReason, reach};
use super::{Staff, at, span};
use crate::entity::AppointmentId;
use crate::value::Instant;
use crate::value::TimeRange;

/// An hour every hour, at any time within 60 days.
const HOURLY: SlotRules = SlotRules {
    duration: 60,
    slot_interval: 60,
    buffers: Buffers { before: 0, after: 0 },
    min_notice: 0,
    horizon_days: 60,
};

/// Long before.
const NOW: &str = "2026-05-28T00:00:00Z";

/// A time of the Monday on which everything happens.
fn monday(time: &str) -> Instant {
    at(&format!("2026-06-01T{time}:00Z"))
}

fn stretch(start: &str, end: &str) -> TimeRange {
    TimeRange { start: monday(start), end: monday(end) }
}

fn booking(start: &str, end: &str, before: u16, after: u16) -> Booking {
    Booking {
        appointment: AppointmentId::from_uuid(Uuid::nil()),
        span: stretch(start, end),
        buffers: Buffers { before, after },
    }
}

/// Works Mondays, in these windows.
fn mondays(windows: &[(&str, &str)]) -> Staff {
    let entry = |(start, end): &(&str, &str)| json!({ "days": ["mon"], "start": start, "end": end });
    Staff::new("UTC", windows.iter().map(entry).collect(), json!({}))
}

fn always() -> Staff {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    Staff::new("UTC", json!([{ "days": days, "start": "00:00", "end": "24:00" }]), json!({}))
}

/// The slots of that Monday, as times.
fn slots(staff: &Staff, terms: &SlotRules, now: &str, time_off: &[TimeRange], bookings: &[Booking]) -> Vec<String> {
    let hours = staff.hours();
    let calendar = Calendar { hours: &hours, time_off, bookings };
    let day = span("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z");
    calendar.slots(terms, at(now), day).iter().map(|slot| slot.to_string()[11..16].to_owned()).collect()
}

#[test]
fn windows_that_overlap_or_touch_are_one() {
    let staff = mondays(&[("09:00", "10:30"), ("10:00", "11:00"), ("11:00", "11:30"), ("12:00", "13:00")]);
    let day = span("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z");
    assert_eq!(staff.hours().windows(day), [stretch("09:00", "11:30"), stretch("12:00", "13:00")]);
    // An hour that begins in one of them and ends in the next.
    let half_hourly = SlotRules { slot_interval: 30, ..HOURLY };
    assert_eq!(slots(&staff, &half_hourly, NOW, &[], &[]), ["09:00", "09:30", "10:00", "10:30", "12:00"]);
}

#[test]
fn a_window_is_whole_though_only_a_part_is_asked_for() {
    let staff = mondays(&[("09:00", "17:00")]);
    assert_eq!(staff.hours().windows(stretch("16:59", "23:00")), [stretch("09:00", "17:00")]);
    assert_eq!(staff.hours().windows(stretch("17:00", "23:00")), []);
    assert_eq!(staff.hours().windows(stretch("08:00", "09:00")), []);
}

#[test]
fn an_override_replaces_the_hours_of_its_date() {
    let weekly = json!([{ "days": ["mon"], "start": "09:00", "end": "12:00" }]);
    let on_monday = |windows| Staff::new("UTC", weekly.clone(), json!({ "2026-06-01": windows }));
    let afternoon = on_monday(json!([{ "start": "14:00", "end": "16:00" }]));
    assert_eq!(slots(&afternoon, &HOURLY, NOW, &[], &[]), ["14:00", "15:00"]);
    assert!(slots(&on_monday(json!([])), &HOURLY, NOW, &[], &[]).is_empty());
    let elsewhen = Staff::new("UTC", weekly, json!({ "2026-06-08": [] }));
    assert_eq!(slots(&elsewhen, &HOURLY, NOW, &[], &[]), ["09:00", "10:00", "11:00"]);
}

#[test]
fn starts_are_counted_from_the_window_rounded_up_to_the_grid() {
    let staff = mondays(&[("09:10", "12:00")]);
    assert_eq!(slots(&staff, &HOURLY, NOW, &[], &[]), ["10:00", "11:00"]);
    // The grid of 45 is 15, and from there it is every 45 minutes.
    let terms = SlotRules { duration: 30, slot_interval: 45, ..HOURLY };
    assert_eq!(slots(&staff, &terms, NOW, &[], &[]), ["09:15", "10:00", "10:45", "11:30"]);
    let terms = SlotRules { duration: 30, slot_interval: 50, ..HOURLY };
    assert_eq!(slots(&staff, &terms, NOW, &[], &[]), ["09:10", "10:00", "10:50"]);
}

#[test]
fn starts_are_counted_from_where_notice_ends() {
    let staff = mondays(&[("09:00", "14:00")]);
    let terms = SlotRules { duration: 30, slot_interval: 45, min_notice: 60, ..HOURLY };
    assert_eq!(slots(&staff, &terms, "2026-06-01T09:00:00Z", &[], &[]), ["10:00", "10:45", "11:30", "12:15", "13:00"]);
    assert_eq!(
        slots(&staff, &terms, "2026-06-01T09:15:00.001Z", &[], &[]),
        ["10:30", "11:15", "12:00", "12:45", "13:30"]
    );
}

#[test]
fn what_is_left_after_a_busy_period_is_a_window_of_its_own() {
    let staff = mondays(&[("09:00", "14:00")]);
    let terms = SlotRules { duration: 30, slot_interval: 45, ..HOURLY };
    let busy = [booking("09:40", "10:20", 0, 0)];
    assert_eq!(slots(&staff, &terms, NOW, &[], &busy), ["09:00", "10:30", "11:15", "12:00", "12:45", "13:30"]);
    assert_eq!(slots(&staff, &terms, NOW, &[busy[0].span], &[]), slots(&staff, &terms, NOW, &[], &busy));
}

#[test]
fn a_slot_ends_in_the_window_and_its_buffers_may_not() {
    let staff = mondays(&[("09:00", "12:00")]);
    let terms = SlotRules { buffers: Buffers { before: 30, after: 30 }, ..HOURLY };
    assert_eq!(slots(&staff, &terms, NOW, &[], &[]), ["09:00", "10:00", "11:00"]);
    let terms = SlotRules { duration: 61, ..HOURLY };
    assert_eq!(slots(&staff, &terms, NOW, &[], &[]), ["09:00", "10:00"]);
}

#[test]
fn notice_and_horizon_are_inclusive() {
    let staff = mondays(&[("09:00", "12:00")]);
    let terms = SlotRules { min_notice: 120, horizon_days: 1, ..HOURLY };
    assert_eq!(slots(&staff, &terms, "2026-06-01T08:00:00Z", &[], &[]), ["10:00", "11:00"]);
    assert_eq!(slots(&staff, &terms, "2026-06-01T08:00:00.001Z", &[], &[]), ["11:00"]);
    assert_eq!(slots(&staff, &terms, "2026-05-31T10:00:00Z", &[], &[]), ["09:00", "10:00"]);
    assert_eq!(slots(&staff, &terms, "2026-05-31T09:59:59.999Z", &[], &[]), ["09:00"]);
}

#[test]
fn a_list_runs_over_starts_from_its_first_moment_to_before_its_last() {
    let staff = mondays(&[("09:00", "14:00")]);
    let hours = staff.hours();
    let calendar = Calendar { hours: &hours, time_off: &[], bookings: &[] };
    let within = |start, end| calendar.slots(&HOURLY, at(NOW), stretch(start, end));
    assert_eq!(within("10:00", "12:00"), ["10:00", "11:00"].map(monday));
    assert_eq!(within("10:01", "12:01"), ["11:00", "12:00"].map(monday));
    assert_eq!(within("12:00", "12:00"), []);
    assert_eq!(within("12:00", "10:00"), []);
}

#[test]
fn buffers_of_both_are_kept_between_two_bookings() {
    let staff = mondays(&[("09:00", "15:00")]);
    let terms = SlotRules { duration: 30, slot_interval: 5, buffers: Buffers { before: 10, after: 5 }, ..HOURLY };
    let old = [booking("11:00", "12:00", 15, 20)];
    let slots = slots(&staff, &terms, NOW, &[], &old);
    // Before it 15 + 5 minutes are free, after it 20 + 10.
    assert!(slots.contains(&"10:10".to_owned()) && !slots.contains(&"10:15".to_owned()), "{slots:?}");
    assert!(slots.contains(&"12:30".to_owned()) && !slots.contains(&"12:25".to_owned()), "{slots:?}");
}

#[test]
fn time_off_has_no_buffers_but_a_booking_keeps_its_own_from_it() {
    let staff = mondays(&[("09:00", "15:00")]);
    let off = [stretch("11:00", "12:00")];
    let terms = SlotRules { duration: 30, slot_interval: 5, buffers: Buffers { before: 10, after: 5 }, ..HOURLY };
    let slots = slots(&staff, &terms, NOW, &off, &[]);
    assert!(slots.contains(&"10:25".to_owned()) && !slots.contains(&"10:30".to_owned()), "{slots:?}");
    assert!(slots.contains(&"12:10".to_owned()) && !slots.contains(&"12:05".to_owned()), "{slots:?}");
}

#[test]
fn what_is_free_is_so_out_of_hours_and_without_notice() {
    let staff = mondays(&[]);
    let calendar = Calendar { hours: &staff.hours(), time_off: &[], bookings: &[booking("11:00", "12:00", 0, 0)] };
    for (start, free) in [("10:00", true), ("10:01", false), ("11:30", false), ("12:00", true)] {
        assert_eq!(calendar.is_free(&HOURLY, monday(start)), free, "{start}");
    }
}

#[test]
fn a_reach_begins_with_the_window_and_ends_with_the_last_slot() {
    let staff = mondays(&[("09:00", "17:00")]);
    let buffers = Buffers { before: 10, after: 20 };
    // Every hour and a half, which is another hour each time.
    let terms = SlotRules { buffers, slot_interval: 90, ..HOURLY };
    let told = |staff: &Staff, now, start, end| reach(&staff.hours(), &terms, at(now), stretch(start, end));
    assert_eq!(told(&staff, NOW, "12:00", "14:00"), stretch("08:50", "15:20"));
    assert_eq!(told(&staff, NOW, "17:00", "18:00"), stretch("16:50", "19:20"));
    assert_eq!(told(&staff, "2026-06-01T11:30:00Z", "12:00", "14:00"), stretch("11:20", "15:20"));
    assert_eq!(told(&staff, "2026-06-01T12:30:00Z", "12:00", "14:00"), stretch("12:20", "15:20"));
    assert!(told(&staff, "2026-06-01T14:00:00Z", "12:00", "14:00").is_empty());
    assert!(told(&staff, "2026-04-01T14:00:00Z", "12:00", "14:00").is_empty());
    // Hours that never close are known since notice ended.
    assert_eq!(
        told(&always(), NOW, "12:00", "14:00"),
        TimeRange { start: at("2026-05-27T23:50:00Z"), ..stretch("12:00", "15:20") }
    );
    // Where each point of the grid is a start, none of that matters.
    let hourly = SlotRules { buffers, ..HOURLY };
    assert_eq!(reach(&always().hours(), &hourly, at(NOW), stretch("12:00", "14:00")), stretch("11:50", "15:20"));
}

#[test]
fn a_start_is_counted_from_the_beginning_of_its_free_time_if_that_matters() {
    let staff = mondays(&[("09:00", "17:00")]);
    let calendar = Calendar { hours: &staff.hours(), time_off: &[], bookings: &[booking("10:15", "11:00", 0, 0)] };
    let odd = SlotRules { slot_interval: 90, ..HOURLY };
    for (start, from) in [("09:00", "09:00"), ("11:00", "11:00"), ("14:00", "11:00")] {
        assert_eq!(calendar.counted_from(&odd, at(NOW), monday(start)), Some(monday(from)), "{start}");
    }
    assert_eq!(calendar.counted_from(&odd, monday("12:10"), monday("14:00")), Some(monday("12:10")));
    assert_eq!(calendar.counted_from(&HOURLY, at(NOW), monday("14:00")), None);
    // Lord Howe's clocks go back by half an hour: each hour from before is no longer on the hour.
    let sundays = json!([{ "days": ["sun"], "start": "00:00", "end": "24:00" }]);
    let lord_howe = Staff::new("Australia/Lord_Howe", sundays, json!({}));
    let calendar = Calendar { hours: &lord_howe.hours(), time_off: &[], bookings: &[] };
    let (before, after) = (at("2026-04-04T14:00:00Z"), at("2026-04-04T17:30:00Z"));
    assert_eq!(calendar.counted_from(&HOURLY, at("2026-04-01T00:00:00Z"), before), None);
    assert!(calendar.counted_from(&HOURLY, at("2026-04-01T00:00:00Z"), after).is_some());
}

#[test]
fn each_closed_stretch_names_the_rule_that_closed_it() {
    let weekly = json!([{ "days": ["mon", "tue"], "start": "09:00", "end": "17:00" }]);
    let staff = Staff::new("UTC", weekly, json!({ "2026-06-02": [] }));
    let hours = staff.hours();
    let calendar = Calendar {
        hours: &hours,
        time_off: &[stretch("11:00", "12:00")],
        bookings: &[booking("11:30", "12:30", 0, 15), booking("12:30", "13:00", 0, 0)],
    };
    let terms = SlotRules { min_notice: 60, horizon_days: 2, ..HOURLY };
    let range = span("2026-06-01T00:00:00Z", "2026-06-04T00:00:00Z");
    let closed = calendar.closed(&terms, at("2026-06-01T09:00:00Z"), range);
    let expected = [
        ("2026-06-01T00:00:00Z", "2026-06-01T10:00:00Z", UnavailableReason::Notice),
        ("2026-06-01T11:00:00Z", "2026-06-01T12:00:00Z", UnavailableReason::TimeOff),
        ("2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z", UnavailableReason::Booking),
        ("2026-06-01T17:00:00Z", "2026-06-02T00:00:00Z", UnavailableReason::Hours),
        ("2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z", UnavailableReason::Override),
        ("2026-06-03T00:00:00Z", "2026-06-03T09:00:00.001Z", UnavailableReason::Hours),
        ("2026-06-03T09:00:00.001Z", "2026-06-04T00:00:00Z", UnavailableReason::Horizon),
    ];
    assert_eq!(closed, expected.map(|(start, end, rule)| ClosedPeriod { span: span(start, end), rule }));
    let shown = json!({ "start": "2026-06-01T11:00:00.000Z", "end": "2026-06-01T12:00:00.000Z", "rule": "TIME_OFF" });
    assert_eq!(json!(closed[1]), shown);
}

#[test]
fn near_to_what_is_taken_it_is_closed_by_the_buffers_of_both() {
    let staff = mondays(&[("09:00", "17:00")]);
    let hours = staff.hours();
    let calendar = Calendar { hours: &hours, time_off: &[], bookings: &[booking("11:00", "12:00", 10, 20)] };
    let terms = SlotRules { buffers: Buffers { before: 5, after: 15 }, ..HOURLY };
    let closed = calendar.closed(&terms, at(NOW), stretch("09:00", "17:00"));
    let expected = [
        ("10:35", "11:00", UnavailableReason::Buffer),
        ("11:00", "12:00", UnavailableReason::Booking),
        ("12:00", "12:25", UnavailableReason::Buffer),
    ];
    assert_eq!(closed, expected.map(|(start, end, rule)| ClosedPeriod { span: stretch(start, end), rule }));
}
