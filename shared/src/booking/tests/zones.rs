use serde_json::json;

use crate::booking::tests::{Staff, at, span};
use crate::booking::{Buffers, Calendar, SlotRules};
use crate::value::TimeRange;

/// Ten days before and after a date.
fn around(date: &str) -> TimeRange {
    let noon = at(&format!("{date}T12:00:00Z"));
    let ten_days = std::time::Duration::from_hours(240);
    TimeRange { start: noon.before(ten_days), end: noon.after(ten_days) }
}

#[test]
fn each_bound_of_a_window_is_converted_on_its_own() {
    for (zone, date, start, end, utc) in [
        // At 02:00 clocks go forward to 03:00.
        ("America/New_York", "2026-03-08", "01:30", "03:30", Some(("2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"))),
        ("America/New_York", "2026-03-08", "02:30", "04:00", Some(("2026-03-08T07:30:00Z", "2026-03-08T08:00:00Z"))),
        ("America/New_York", "2026-03-08", "02:15", "02:45", Some(("2026-03-08T07:15:00Z", "2026-03-08T07:45:00Z"))),
        ("America/New_York", "2026-03-08", "02:30", "03:00", None),
        ("America/New_York", "2026-03-08", "02:30", "03:30", None),
        ("America/New_York", "2026-03-08", "00:00", "24:00", Some(("2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"))),
        // At 02:00 clocks go back to 01:00.
        ("America/New_York", "2026-11-01", "00:30", "01:30", Some(("2026-11-01T04:30:00Z", "2026-11-01T05:30:00Z"))),
        ("America/New_York", "2026-11-01", "01:00", "02:00", Some(("2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"))),
        ("America/New_York", "2026-11-01", "01:30", "02:30", Some(("2026-11-01T05:30:00Z", "2026-11-01T07:30:00Z"))),
        ("America/New_York", "2026-11-01", "00:00", "24:00", Some(("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"))),
        // Clocks go forward from 01:00 to 02:00, and back from 02:00 to 01:00.
        ("Europe/London", "2026-03-29", "00:30", "02:30", Some(("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"))),
        ("Europe/London", "2026-03-29", "01:30", "02:30", None),
        ("Europe/London", "2026-03-29", "01:30", "03:00", Some(("2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"))),
        ("Europe/London", "2026-10-25", "01:30", "02:30", Some(("2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"))),
        ("Europe/London", "2026-10-25", "01:00", "01:30", Some(("2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"))),
        // In the southern hemisphere clocks go back in April.
        ("Australia/Sydney", "2026-04-05", "02:30", "03:30", Some(("2026-04-04T15:30:00Z", "2026-04-04T17:30:00Z"))),
        ("Australia/Sydney", "2026-10-04", "02:30", "04:00", Some(("2026-10-03T16:30:00Z", "2026-10-03T17:00:00Z"))),
        ("Australia/Sydney", "2026-10-04", "01:00", "09:00", Some(("2026-10-03T15:00:00Z", "2026-10-03T22:00:00Z"))),
        // Changes by half an hour.
        ("Australia/Lord_Howe", "2026-04-05", "01:30", "02:00", Some(("2026-04-04T14:30:00Z", "2026-04-04T15:30:00Z"))),
        ("Australia/Lord_Howe", "2026-04-05", "01:45", "02:15", Some(("2026-04-04T14:45:00Z", "2026-04-04T15:45:00Z"))),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "03:00", Some(("2026-10-03T15:45:00Z", "2026-10-03T16:00:00Z"))),
        ("Australia/Lord_Howe", "2026-10-04", "00:00", "24:00", Some(("2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"))),
        ("Asia/Kolkata", "2026-06-01", "09:00", "17:30", Some(("2026-06-01T03:30:00Z", "2026-06-01T12:00:00Z"))),
        ("Asia/Kathmandu", "2026-06-01", "09:00", "17:30", Some(("2026-06-01T03:15:00Z", "2026-06-01T11:45:00Z"))),
        // Samoa skipped 2011-12-30.
        ("Pacific/Apia", "2011-12-29", "09:00", "17:00", Some(("2011-12-29T19:00:00Z", "2011-12-30T03:00:00Z"))),
        ("Pacific/Apia", "2011-12-29", "00:00", "24:00", Some(("2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"))),
        ("Pacific/Apia", "2011-12-30", "00:00", "24:00", None),
        ("Pacific/Apia", "2011-12-30", "09:00", "17:00", None),
        ("Pacific/Apia", "2011-12-31", "09:00", "17:00", Some(("2011-12-30T19:00:00Z", "2011-12-31T03:00:00Z"))),
        ("Pacific/Apia", "2011-12-31", "00:00", "24:00", Some(("2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"))),
        // Changes at midnight: forward to 01:00, or back to 23:00.
        ("America/Sao_Paulo", "2018-11-04", "00:00", "24:00", Some(("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"))),
        ("America/Sao_Paulo", "2018-11-03", "22:00", "24:00", Some(("2018-11-04T01:00:00Z", "2018-11-04T03:00:00Z"))),
        ("America/Sao_Paulo", "2018-02-17", "22:00", "24:00", Some(("2018-02-18T00:00:00Z", "2018-02-18T03:00:00Z"))),
    ] {
        let windows = Staff::on(zone, date, start, end).hours().windows(around(date));
        let expected: Vec<_> = utc.into_iter().map(|(start, end)| span(start, end)).collect();
        assert_eq!(windows, expected, "{zone} {date} {start} {end}");
    }
}

#[test]
fn windows_merge_across_midnight_and_offset_changes() {
    let night = json!([
        { "days": ["sat"], "start": "22:00", "end": "24:00" },
        { "days": ["sun"], "start": "00:00", "end": "03:00" },
        { "days": ["sun"], "start": "02:00", "end": "04:00" },
        { "days": ["sun"], "start": "04:00", "end": "05:00" },
        { "days": ["sun"], "start": "05:01", "end": "06:00" },
    ]);
    for (date, first, second) in [
        (
            "2026-03-08",
            ("2026-03-08T03:00:00Z", "2026-03-08T09:00:00Z"),
            ("2026-03-08T09:01:00Z", "2026-03-08T10:00:00Z"),
        ),
        (
            "2026-11-01",
            ("2026-11-01T02:00:00Z", "2026-11-01T10:00:00Z"),
            ("2026-11-01T10:01:00Z", "2026-11-01T11:00:00Z"),
        ),
    ] {
        let staff = Staff::new("America/New_York", night.clone(), json!({}));
        let within = span(&format!("{date}T03:30:00Z"), &format!("{date}T12:00:00Z"));
        assert_eq!(staff.hours().windows(within), [first, second].map(|(start, end)| span(start, end)));
    }
}

#[test]
fn hours_without_a_break_continue_over_a_skipped_date() {
    let always =
        json!([{ "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:00", "end": "24:00" }]);
    let windows = Staff::new("Pacific/Apia", always, json!({})).hours().windows(around("2011-12-30"));
    assert_eq!(windows.len(), 1, "{windows:?}");
}

#[test]
fn starts_follow_in_elapsed_time_from_the_beginning_of_the_window() {
    for (zone, date, start, end, starts) in [
        ("America/New_York", "2026-03-08", "00:00", "04:00", &["05:00", "06:00", "07:00"][..]),
        ("America/New_York", "2026-11-01", "00:00", "03:00", &["04:00", "05:00", "06:00", "07:00"]),
        ("Europe/London", "2026-03-29", "00:10", "04:00", &["00:10", "01:10"]),
        ("Europe/London", "2026-10-24", "23:00", "24:00", &["22:00"]),
        ("Australia/Lord_Howe", "2026-04-05", "01:00", "03:00", &["14:00", "15:00"]),
        ("Australia/Lord_Howe", "2026-04-05", "01:40", "04:00", &["14:40", "15:40"]),
        ("Australia/Lord_Howe", "2026-10-04", "01:10", "04:00", &["14:40", "15:40"]),
        ("Asia/Kolkata", "2026-06-01", "09:10", "12:00", &["03:40", "04:40"]),
        ("Pacific/Apia", "2011-12-30", "09:00", "12:00", &[]),
        ("Pacific/Apia", "2011-12-31", "10:00", "12:00", &["20:00", "21:00"]),
        // At 23:30 clocks go forward to midnight, so that 23:45 is 00:15 of the next date.
        ("Asia/Pyongyang", "2018-05-04", "22:15", "23:45", &["13:45"]),
    ] {
        let staff = Staff::on(zone, date, start, end);
        let rules =
            SlotRules { duration: 60, slot_interval: 60, buffers: Buffers::default(), min_notice: 0, horizon_days: 60 };
        let calendar = Calendar { hours: &staff.hours(), time_off: &[], bookings: &[] };
        let range = around(date);
        let slots: Vec<_> =
            calendar.slots(&rules, range.start, range).iter().map(|at| at.to_string()[11..16].to_owned()).collect();
        assert_eq!(slots, starts, "{zone} {date} {start} {end}");
    }
}
