//! Rules for appointments: overlaps, day rows, usage counts and time off.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::scope_rows::{ScopeRows, text};

/// A time in milliseconds since the Unix epoch.
type Millis = i64;

/// Reports all violations of the rules for appointments.
pub(super) fn violations(rows: &ScopeRows<'_>) -> Vec<String> {
    let violations = [
        overlaps(rows),
        wrong_days(rows),
        wrong_appointments(rows),
        wrong_usage_counts(rows),
        wrong_reminders(rows),
        wrong_time_off(rows),
        rows.orphaned_children("STAFF"),
        wrong_staff_count(rows),
    ];
    violations.concat()
}

/// An appointment that occupies time of its staff member, including its buffers.
struct Occupied<'a> {
    id: &'a str,
    row: &'a Value,
    start: Millis,
    end: Millis,
}

/// The occupied time of each staff member, sorted by start.
///
/// It is computed from the appointments.
fn occupied<'a>(rows: &ScopeRows<'a>) -> BTreeMap<&'a str, Vec<Occupied<'a>>> {
    let mut by_staff: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (id, row) in rows.all("APPOINTMENT") {
        if matches!(text(row, "status"), "SCHEDULED" | "CONFIRMED" | "COMPLETED") {
            let start = millis(row, "startTime") - minutes(row, "bufferBefore");
            let end = millis(row, "endTime") + minutes(row, "bufferAfter");
            by_staff.entry(text(row, "staffId")).or_default().push(Occupied { id, row, start, end });
        }
    }
    for appointments in by_staff.values_mut() {
        appointments.sort_by_key(|appointment| (appointment.start, appointment.end));
    }
    by_staff
}

/// No two appointments of a staff member overlap, including their buffers.
fn overlaps(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    for appointments in occupied(rows).values() {
        let mut latest: Option<&Occupied<'_>> = None;
        for next in appointments {
            if let Some(earlier) = latest.filter(|earlier| next.start < earlier.end) {
                violations.push(rows.violation("APPOINTMENT", next.id, format_args!("overlaps {}", earlier.id)));
            }
            latest = latest.filter(|latest| latest.end >= next.end).or(Some(next));
        }
    }
    violations
}

/// A day row contains exactly the bookings of its staff member on that day.
fn wrong_days(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut expected: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for (staff, appointments) in occupied(rows) {
        for appointment in appointments {
            for date in dates(appointment.start, appointment.end) {
                expected.entry((format!("STAFF#{staff}#DAY"), date)).or_default().push(booking(&appointment));
            }
        }
    }
    let mut violations = Vec::new();
    for collection in rows.collections().filter(|name| name.starts_with("STAFF#") && name.ends_with("#DAY")) {
        for (date, day) in rows.all(collection) {
            let mut expected = expected.remove(&(collection.to_owned(), date.to_owned())).unwrap_or_default();
            let mut stored: Vec<_> = day["bookings"].as_array().into_iter().flatten().map(with_integers).collect();
            expected.sort_by_key(Value::to_string);
            stored.sort_by_key(Value::to_string);
            if stored != expected {
                let message = format_args!("contains {stored:?} instead of {expected:?}");
                violations.push(rows.violation(collection, date, message));
            }
        }
    }
    let missing = expected.into_keys().map(|(collection, date)| rows.violation(&collection, &date, "is missing"));
    violations.extend(missing);
    violations
}

/// The entry of a booking in a day row.
fn booking(appointment: &Occupied<'_>) -> Value {
    json!({
        "i": appointment.id,
        "s": millis(appointment.row, "startTime"),
        "e": millis(appointment.row, "endTime"),
        "b": number(&appointment.row["bufferBefore"]),
        "a": number(&appointment.row["bufferAfter"]),
    })
}

/// Converts the numbers of a stored booking to integers.
///
/// DynamoDB numbers are read as floats.
fn with_integers(stored: &Value) -> Value {
    let mut booking = stored.clone();
    for name in ["s", "e", "b", "a"] {
        booking[name] = json!(number(&stored[name]));
    }
    booking
}

/// References, index keys and cancellation reasons of appointments are correct.
fn wrong_appointments(rows: &ScopeRows<'_>) -> Vec<String> {
    let is_correct = |id: &str, row: &Value| {
        let sort = format!("{}#{id}", text(row, "startTime"));
        let month = text(row, "startTime").get(..7).unwrap_or_default();
        let index_keys = [
            (1, format!("APPT#{month}")),
            (4, format!("APPT#{}", text(row, "status"))),
            (5, format!("STAFF#{}", text(row, "staffId"))),
        ];
        let has_key = |(index, partition): &(u8, String)| {
            row[format!("p{index}")] == format!("{}{partition}", rows.prefix) && row[format!("s{index}")] == sort
        };
        rows.has("SERVICE", text(row, "serviceId"))
            && rows.has("STAFF", text(row, "staffId"))
            && millis(row, "startTime") < millis(row, "endTime")
            && (row["cancelledReason"].is_null() || row["status"] == "CANCELLED")
            && row["contactId"].is_string() == row["manage"].is_number()
            && index_keys.iter().all(has_key)
    };
    let wrong = rows.all("APPOINTMENT").filter(|(id, row)| !is_correct(id, row));
    wrong.map(|(id, _)| rows.violation("APPOINTMENT", id, "has a wrong reference, field or index key")).collect()
}

/// Each reminder in the plan of an open appointment has a mail for the same start, and each pending mail for that start is in
/// the plan.
fn wrong_reminders(rows: &ScopeRows<'_>) -> Vec<String> {
    let mails: BTreeMap<_, _> = rows.all("REMINDER").collect();
    let mut planned = BTreeSet::new();
    let mut violations = Vec::new();
    for (id, row) in rows.all("APPOINTMENT").filter(|(_, row)| matches!(text(row, "status"), "SCHEDULED" | "CONFIRMED"))
    {
        for item in row["reminders"].as_array().into_iter().flatten() {
            for (flag, recipient) in [(1, "CONTACT"), (2, "STAFF")] {
                if number(&item["r"]) & flag == 0 {
                    continue;
                }
                let key = format!("{id}#BEFORE#{:05}#{recipient}#EMAIL", number(&item["o"]));
                let is_written = mails.get(key.as_str()).is_some_and(|mail| mail["start"] == row["startTime"]);
                if !is_written {
                    violations.push(rows.violation("APPOINTMENT", id, format_args!("has no mail {key}")));
                }
                planned.insert(key);
            }
        }
    }
    let starts: BTreeMap<_, _> = rows.all("APPOINTMENT").map(|(id, row)| (id, text(row, "startTime"))).collect();
    let unplanned = mails.iter().filter(|(key, mail)| {
        let start = key.split('#').next().and_then(|id| starts.get(id)).copied();
        let is_reminder = mail["occasion"] == "REMINDER" && mail["status"] == "PENDING";
        let is_ahead = text(mail, "due") == text(mail, "dueAt") && start == Some(text(mail, "start"));
        is_reminder && is_ahead && !planned.contains(**key) && is_open(rows, key)
    });
    violations
        .extend(unplanned.map(|(key, _)| rows.violation("REMINDER", key, "is not in the plan of its appointment")));
    violations
}

/// Whether the appointment of a mail is open.
fn is_open(rows: &ScopeRows<'_>, mail: &str) -> bool {
    let id = mail.split('#').next().unwrap_or_default();
    rows.all("APPOINTMENT").any(|(other, row)| other == id && matches!(text(row, "status"), "SCHEDULED" | "CONFIRMED"))
}

/// The stored usage count and revision of services and staff are correct.
fn wrong_usage_counts(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut actual: BTreeMap<&str, (u32, i64)> = BTreeMap::new();
    actual.extend(rows.all("SERVICE").map(|(id, service)| (id, (0, number(&service["version"])))));
    actual.extend(rows.all("STAFF").map(|(id, staff)| (id, (0, number(&staff["revision"])))));
    let booked = rows.all("APPOINTMENT").flat_map(|(_, row)| ["serviceId", "staffId"].map(|name| text(row, name)));
    let assigned = rows.all("SERVICE").flat_map(|(_, service)| service["staffIds"].as_array().into_iter().flatten());
    let assigned = assigned.map(|staff| staff.as_str().unwrap_or_default());
    let mut violations = Vec::new();
    for id in booked.chain(assigned) {
        match actual.get_mut(id) {
            Some((uses, _)) => *uses += 1,
            None => violations.push(rows.violation("USED", id, "is referenced, but does not exist")),
        }
    }
    let stored = rows.all("USED").map(|(id, row)| (id, (number(&row["n"]), number(&row["revision"]))));
    let stored: BTreeMap<_, _> = stored.collect();
    let actual: BTreeMap<_, _> =
        actual.into_iter().map(|(id, (uses, revision))| (id, (i64::from(uses), revision))).collect();
    let ids: BTreeSet<_> = stored.keys().chain(actual.keys()).copied().collect();
    let differing = ids.into_iter().filter(|id| stored.get(id) != actual.get(id));
    violations.extend(differing.map(|id| {
        let (stored, actual) = (stored.get(id), actual.get(id));
        rows.violation("USED", id, format_args!("uses and revision: stored {stored:?}, actual {actual:?}"))
    }));
    violations
}

/// The row of a staff member lists exactly their current and future time off.
fn wrong_time_off(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    for collection in rows.collections() {
        let staff = collection.strip_prefix("STAFF#").and_then(|rest| rest.strip_suffix("#OFF"));
        let Some(staff) = staff else { continue };
        let Some(row) = rows.find("STAFF", staff) else { continue };
        let listed = row["off"].as_array().into_iter().flatten();
        let surplus = listed.filter(|listed| {
            let off = rows.find(collection, text(listed, "id"));
            !off.is_some_and(|off| ["start", "end"].iter().all(|name| off[*name] == listed[*name]))
        });
        violations.extend(
            surplus
                .map(|off| rows.violation("STAFF", staff, format_args!("lists the time off {off}, which has no row"))),
        );
        let listed: BTreeSet<_> = row["off"].as_array().into_iter().flatten().map(|off| text(off, "id")).collect();
        let missing = rows.all(collection).filter(|(id, off)| {
            // Stored times sort in chronological order.
            !listed.contains(id) && text(off, "end") > text(row, "offSince")
        });
        violations.extend(
            missing.map(|(id, _)| rows.violation(collection, id, "is not listed in the row of its staff member")),
        );
    }
    violations
}

/// The stored number of staff members is correct.
fn wrong_staff_count(rows: &ScopeRows<'_>) -> Vec<String> {
    let stored = rows.find("TEAM", "COUNT").map_or(0, |count| number(&count["n"]));
    let actual = rows.all("STAFF").count();
    if usize::try_from(stored) == Ok(actual) {
        return Vec::new();
    }
    vec![rows.violation("TEAM", "COUNT", format_args!("stored {stored}, actual {actual}"))]
}

fn timestamp(row: &Value, name: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text(row, name)).ok().map(|time| time.to_utc())
}

fn millis(row: &Value, name: &str) -> Millis {
    timestamp(row, name).map_or(0, |time| time.timestamp_millis())
}

/// A number of minutes in a row, in milliseconds.
fn minutes(row: &Value, name: &str) -> Millis {
    number(&row[name]) * 60_000
}

/// An integer, or 0 if absent. DynamoDB numbers are read as floats.
fn number(value: &Value) -> i64 {
    let parsed = value.as_i64().or_else(|| value.to_string().trim_end_matches(".0").parse().ok());
    parsed.unwrap_or_default()
}

/// The UTC dates that a time range overlaps.
fn dates(start: Millis, end: Millis) -> impl Iterator<Item = String> {
    let date = |time| DateTime::from_timestamp_millis(time).unwrap_or_default().date_naive();
    let last = date(end - 1);
    (0..)
        .map(move |days| date(start) + TimeDelta::days(days))
        .take_while(move |date| *date <= last)
        .map(|date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::parse_rows;
    use super::super::scope_rows::group_by_scope;
    use super::*;

    const CLIENT: &str = "T#00000000-0000-0000-0000-000000000001#A#00000000-0000-0000-0000-000000000002#C#00000000-0000-0000-0000-000000000003#";

    fn row(collection: &str, sk: &str, mut row: Value) -> Value {
        row["pk"] = json!(format!("{CLIENT}{collection}"));
        row["sk"] = json!(sk);
        row
    }

    fn appointment(id: &str, start: &str, end: &str) -> Value {
        let index_keys =
            [(1, format!("APPT#{}", &start[..7])), (4, "APPT#SCHEDULED".to_owned()), (5, "STAFF#ann".to_owned())];
        let mut appointment = json!({
            "startTime": start, "endTime": end, "status": "SCHEDULED", "serviceId": "cut", "staffId": "ann",
            "bufferBefore": 0, "bufferAfter": 10,
        });
        for (index, partition) in index_keys {
            appointment[format!("p{index}")] = json!(format!("{CLIENT}{partition}"));
            appointment[format!("s{index}")] = json!(format!("{start}#{id}"));
        }
        row("APPOINTMENT", id, appointment)
    }

    /// A client with a service, a staff member and two appointments.
    ///
    /// The first appointment ends at 23:55, the second one is on the next day.
    fn table() -> Vec<Value> {
        let timestamp = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
        let [late, late_end, early, early_end] =
            ["2026-03-09T23:30:00Z", "2026-03-09T23:55:00Z", "2026-03-10T08:00:00Z", "2026-03-10T08:25:00Z"];
        let late_booking = json!({ "i": "late", "s": timestamp(late), "e": timestamp(late_end), "b": 0, "a": 10 });
        let early_booking = json!({ "i": "early", "s": timestamp(early), "e": timestamp(early_end), "b": 0, "a": 10 });
        let off = json!({ "start": "2026-04-01T00:00:00.000Z", "end": "2026-04-02T00:00:00.000Z" });
        let mut listed = off.clone();
        listed["id"] = json!("easter");
        vec![
            row("SERVICE", "cut", json!({ "version": 2, "staffIds": ["ann"] })),
            row("STAFF", "ann", json!({ "revision": 4, "off": [listed] })),
            row("USED", "cut", json!({ "n": 2.0, "revision": 2 })),
            row("USED", "ann", json!({ "n": 3.0, "revision": 4 })),
            row("TEAM", "COUNT", json!({ "n": 1.0 })),
            row("STAFF#ann#OFF", "easter", off),
            appointment("late", late, late_end),
            appointment("early", early, early_end),
            row("STAFF#ann#DAY", "2026-03-09", json!({ "bookings": [late_booking], "version": 1 })),
            row("STAFF#ann#DAY", "2026-03-10", json!({ "bookings": [late_booking, early_booking], "version": 2 })),
        ]
    }

    fn count_after(change: impl FnOnce(&mut Vec<Value>)) -> usize {
        let mut rows = table();
        change(&mut rows);
        let (rows, invalid) = parse_rows(&rows);
        assert_eq!(invalid, Vec::<String>::new());
        group_by_scope(&rows).values().flat_map(violations).count()
    }

    #[test]
    fn consistent_client_has_no_violations() {
        assert_eq!(count_after(|_| {}), 0);
    }

    #[test]
    fn each_violation_is_reported() {
        let change =
            |row: usize, name: &'static str, value: Value| move |rows: &mut Vec<Value>| rows[row][name] = value;
        assert_eq!(count_after(change(0, "version", json!(3))), 1, "revision");
        assert_eq!(count_after(change(1, "off", json!([]))), 1, "unlisted time off");
        assert_eq!(
            count_after(change(1, "off", json!([{ "id": "noel" }]))),
            2,
            "unlisted time off, and a listed one without a row"
        );
        assert_eq!(
            count_after(
                |rows| rows[1] = row("STAFF", "ann", json!({ "revision": 4, "offSince": "2026-05-01T00:00:00.000Z" }))
            ),
            0,
            "past time off"
        );
        assert_eq!(count_after(change(2, "n", json!(1.0))), 1, "usage count");
        assert_eq!(count_after(change(4, "n", json!(2.0))), 1, "staff count");
        assert_eq!(
            count_after(change(5, "end", json!("2026-04-03T00:00:00.000Z"))),
            1,
            "listed time off that differs from its row"
        );
        assert_eq!(count_after(change(6, "s1", json!("x"))), 1, "index key");
        assert_eq!(
            count_after(change(6, "cancelledReason", json!("ill"))),
            1,
            "cancellation reason of a scheduled appointment"
        );
        assert_eq!(count_after(change(6, "manage", json!(7.0))), 1, "manage token of an appointment without a contact");
        assert_eq!(count_after(change(9, "bookings", json!([]))), 1, "day row without a booking");
        assert_eq!(count_after(|rows| drop(rows.remove(8))), 1, "missing day row");
        assert_eq!(
            count_after(|rows| rows.push(row("STAFF#ben#DAY", "2026-03-09", json!({})))),
            1,
            "day row without its staff member"
        );
        assert_eq!(
            count_after(|rows| rows.push(row("STAFF#ben#OFF", "noel", json!({})))),
            1,
            "time off without its staff member"
        );
        let being_deleted = |rows: &mut Vec<Value>| {
            rows.extend([row("STAFF#ben#DAY", "x", json!({})), row("JOB", "x", json!({ "staff": "ben" }))]);
        };
        assert_eq!(count_after(being_deleted), 0, "day row that a job deletes");
        // The overlap, the index key and two day rows.
        assert_eq!(count_after(change(7, "startTime", json!("2026-03-09T23:58:00Z"))), 4, "overlap of ten minutes");
        assert_eq!(
            count_after(|rows| rows[7]["status"] = json!("CANCELLED")),
            2,
            "cancelled appointment in a day row, and its index key"
        );
    }
}
