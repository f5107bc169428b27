//! What must be true of a client's appointments, and of the days that hold them: nobody serves two at a time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::owners::{Owner, text};

/// A moment, in milliseconds since 1970.
type Millis = i64;

/// Everything about appointments that is not as it must be.
pub(super) fn damages(owner: &Owner<'_>) -> Vec<String> {
    let found = [
        overlaps(owner),
        wrong_days(owner),
        wrong_appointments(owner),
        wrong_uses(owner),
        wrong_times_off(owner),
        owner.strays("STAFF"),
        wrong_team(owner),
    ];
    found.concat()
}

/// An appointment that takes its staff's time, with the time around it.
struct Taken<'a> {
    id: &'a str,
    row: &'a Value,
    start: Millis,
    end: Millis,
}

/// What takes the time of each member of the staff, computed from the appointments.
fn taken<'a>(owner: &Owner<'a>) -> BTreeMap<&'a str, Vec<Taken<'a>>> {
    let mut taken: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (id, row) in owner.all("APPOINTMENT") {
        if matches!(text(row, "status"), "SCHEDULED" | "CONFIRMED" | "COMPLETED") {
            let start = millis(row, "startTime") - minutes(row, "bufferBefore");
            let end = millis(row, "endTime") + minutes(row, "bufferAfter");
            taken.entry(text(row, "staffId")).or_default().push(Taken { id, row, start, end });
        }
    }
    for taken in taken.values_mut() {
        taken.sort_by_key(|one| (one.start, one.end));
    }
    taken
}

/// No two appointments of somebody meet, with the time around them.
fn overlaps(owner: &Owner<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for taken in taken(owner).values() {
        let mut latest: Option<&Taken<'_>> = None;
        for next in taken {
            if let Some(earlier) = latest.filter(|earlier| next.start < earlier.end) {
                wrong.push(owner.at("APPOINTMENT", next.id, format_args!("overlaps {}", earlier.id)));
            }
            latest = latest.filter(|latest| latest.end >= next.end).or(Some(next));
        }
    }
    wrong
}

/// A day holds what of its staff's appointments lies in it, and nothing else.
fn wrong_days(owner: &Owner<'_>) -> Vec<String> {
    let mut due: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for (staff, taken) in taken(owner) {
        for one in taken {
            for date in dates(one.start, one.end) {
                due.entry((format!("STAFF#{staff}#DAY"), date)).or_default().push(booking(&one));
            }
        }
    }
    let mut wrong = Vec::new();
    for collection in owner.collections().filter(|name| name.starts_with("STAFF#") && name.ends_with("#DAY")) {
        for (date, day) in owner.all(collection) {
            let mut due = due.remove(&(collection.to_owned(), date.to_owned())).unwrap_or_default();
            let mut holds: Vec<_> = day["bookings"].as_array().into_iter().flatten().map(whole).collect();
            due.sort_by_key(Value::to_string);
            holds.sort_by_key(Value::to_string);
            if holds != due {
                wrong.push(owner.at(collection, date, format_args!("holds {holds:?} instead of {due:?}")));
            }
        }
    }
    let missing = due.into_keys().map(|(collection, date)| owner.at(&collection, &date, "is missing"));
    wrong.extend(missing);
    wrong
}

/// What a day says of a booking.
fn booking(one: &Taken<'_>) -> Value {
    json!({
        "i": one.id,
        "s": millis(one.row, "startTime"),
        "e": millis(one.row, "endTime"),
        "b": number(&one.row["bufferBefore"]),
        "a": number(&one.row["bufferAfter"]),
    })
}

/// The same as it is stored: numbers of DynamoDB are read as floats.
fn whole(stored: &Value) -> Value {
    let mut booking = stored.clone();
    for name in ["s", "e", "b", "a"] {
        booking[name] = json!(number(&stored[name]));
    }
    booking
}

/// An appointment is for a service and with somebody who are there, is over once, and stands in the indexes where it says.
fn wrong_appointments(owner: &Owner<'_>) -> Vec<String> {
    let is_right = |id: &str, row: &Value| {
        let start = format!("{}#{id}", text(row, "startTime"));
        let month = text(row, "startTime").get(..7).unwrap_or_default();
        let placed = [
            ("sorted", format!("APPOINTMENT#{month}")),
            ("pipeline", format!("APPOINTMENT#{}", text(row, "status"))),
            ("assignee", format!("STAFF#{}#APPOINTMENT", text(row, "staffId"))),
        ];
        let stands = |(index, partition): &(&str, String)| {
            row[format!("{index}_pk")] == format!("{}{partition}", owner.prefix) && row[format!("{index}_sk")] == start
        };
        owner.has("SERVICE", text(row, "serviceId"))
            && owner.has("STAFF", text(row, "staffId"))
            && millis(row, "startTime") < millis(row, "endTime")
            && (row["cancelledReason"].is_null() || row["status"] == "CANCELLED")
            && placed.iter().all(stands)
    };
    let wrong = owner.all("APPOINTMENT").filter(|(id, row)| !is_right(id, row));
    wrong.map(|(id, _)| owner.at("APPOINTMENT", id, "is not what it says, or not where")).collect()
}

/// How many rows refer to a service and to a member of the staff is counted, with the revision of each.
fn wrong_uses(owner: &Owner<'_>) -> Vec<String> {
    let mut due: BTreeMap<&str, (u32, i64)> = BTreeMap::new();
    due.extend(owner.all("SERVICE").map(|(id, service)| (id, (0, number(&service["version"])))));
    due.extend(owner.all("STAFF").map(|(id, staff)| (id, (0, number(&staff["revision"])))));
    let booked = owner.all("APPOINTMENT").flat_map(|(_, row)| ["serviceId", "staffId"].map(|name| text(row, name)));
    let named = owner.all("SERVICE").flat_map(|(_, service)| service["staffIds"].as_array().into_iter().flatten());
    let named = named.map(|staff| staff.as_str().unwrap_or_default());
    let mut wrong = Vec::new();
    for id in booked.chain(named) {
        match due.get_mut(id) {
            Some((uses, _)) => *uses += 1,
            None => wrong.push(owner.at("USED", id, "is named and not there")),
        }
    }
    let used = owner.all("USED").map(|(id, row)| (id, (number(&row["n"]), number(&row["revision"]))));
    let (used, due): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (used.collect(), due.into_iter().map(|(id, (uses, revision))| (id, (i64::from(uses), revision))).collect());
    let ids: BTreeSet<_> = used.keys().chain(due.keys()).copied().collect();
    let differing = ids.into_iter().filter(|id| used.get(id) != due.get(id));
    wrong.extend(
        differing.map(|id| owner.at("USED", id, format_args!("{:?} instead of {:?}", used.get(id), due.get(id)))),
    );
    wrong
}

/// A staff member's row has those of their times off that are not over, and knows of no others.
fn wrong_times_off(owner: &Owner<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for collection in owner.collections() {
        let staff = collection.strip_prefix("STAFF#").and_then(|rest| rest.strip_suffix("#OFF"));
        let Some(staff) = staff else { continue };
        let Some(row) = owner.find("STAFF", staff) else { continue };
        let known = row["off"].as_array().into_iter().flatten();
        let stray = known.filter(|known| {
            let off = owner.find(collection, text(known, "id"));
            !off.is_some_and(|off| ["start", "end"].iter().all(|name| off[*name] == known[*name]))
        });
        wrong.extend(stray.map(|known| owner.at("STAFF", staff, format_args!("is off as nothing says: {known}"))));
        let known: BTreeSet<_> = row["off"].as_array().into_iter().flatten().map(|known| text(known, "id")).collect();
        let forgotten = owner.all(collection).filter(|(id, off)| {
            // Texts of instants sort as the instants do.
            !known.contains(id) && text(off, "end") > text(row, "offSince")
        });
        wrong.extend(forgotten.map(|(id, _)| owner.at(collection, id, "is not known to the staff member's row")));
    }
    wrong
}

/// The staff is counted.
fn wrong_team(owner: &Owner<'_>) -> Vec<String> {
    let counted = owner.find("TEAM", "COUNT").map_or(0, |team| number(&team["n"]));
    let found = owner.all("STAFF").count();
    if usize::try_from(counted) == Ok(found) {
        return Vec::new();
    }
    vec![owner.at("TEAM", "COUNT", format_args!("counts {counted} and is {found}"))]
}

fn moment(row: &Value, name: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text(row, name)).ok().map(|moment| moment.to_utc())
}

fn millis(row: &Value, name: &str) -> Millis {
    moment(row, name).map_or(0, |moment| moment.timestamp_millis())
}

fn minutes(row: &Value, name: &str) -> Millis {
    number(&row[name]) * 60_000
}

/// A whole number, which may be absent. Numbers of DynamoDB are read as floats.
fn number(value: &Value) -> i64 {
    let read = value.as_i64().or_else(|| value.to_string().trim_end_matches(".0").parse().ok());
    read.unwrap_or_default()
}

/// The days, by UTC, of a stretch of time.
fn dates(start: Millis, end: Millis) -> impl Iterator<Item = String> {
    let day = |at| DateTime::from_timestamp_millis(at).unwrap_or_default().date_naive();
    let last = day(end - 1);
    (0..)
        .map(move |days| day(start) + TimeDelta::days(days))
        .take_while(move |day| *day <= last)
        .map(|day| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::owners::owners;
    use super::super::placed;
    use super::*;

    const CLIENT: &str = "T#00000000-0000-0000-0000-000000000001#A#00000000-0000-0000-0000-000000000002#C#00000000-0000-0000-0000-000000000003#";

    fn row(collection: &str, sk: &str, mut row: Value) -> Value {
        row["pk"] = json!(format!("{CLIENT}{collection}"));
        row["sk"] = json!(sk);
        row
    }

    fn appointment(id: &str, start: &str, end: &str) -> Value {
        let placed = [
            ("sorted", format!("APPOINTMENT#{}", &start[..7])),
            ("pipeline", "APPOINTMENT#SCHEDULED".to_owned()),
            ("assignee", "STAFF#ann#APPOINTMENT".to_owned()),
        ];
        let mut appointment = json!({
            "startTime": start, "endTime": end, "status": "SCHEDULED", "serviceId": "cut", "staffId": "ann",
            "bufferBefore": 0, "bufferAfter": 10,
        });
        for (index, partition) in placed {
            appointment[format!("{index}_pk")] = json!(format!("{CLIENT}{partition}"));
            appointment[format!("{index}_sk")] = json!(format!("{start}#{id}"));
        }
        row("APPOINTMENT", id, appointment)
    }

    /// A client with a service, somebody who does it, an appointment until five to midnight and one on the next day.
    fn table() -> Vec<Value> {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
        let [late, over, early, done] =
            ["2026-03-09T23:30:00Z", "2026-03-09T23:55:00Z", "2026-03-10T08:00:00Z", "2026-03-10T08:25:00Z"];
        let late_booking = json!({ "i": "late", "s": at(late), "e": at(over), "b": 0, "a": 10 });
        let early_booking = json!({ "i": "early", "s": at(early), "e": at(done), "b": 0, "a": 10 });
        let off = json!({ "start": "2026-04-01T00:00:00.000Z", "end": "2026-04-02T00:00:00.000Z" });
        let mut known = off.clone();
        known["id"] = json!("easter");
        vec![
            row("SERVICE", "cut", json!({ "version": 2, "staffIds": ["ann"] })),
            row("STAFF", "ann", json!({ "revision": 4, "off": [known] })),
            row("USED", "cut", json!({ "n": 2.0, "revision": 2 })),
            row("USED", "ann", json!({ "n": 3.0, "revision": 4 })),
            row("TEAM", "COUNT", json!({ "n": 1.0 })),
            row("STAFF#ann#OFF", "easter", off),
            appointment("late", late, over),
            appointment("early", early, done),
            row("STAFF#ann#DAY", "2026-03-09", json!({ "bookings": [late_booking], "version": 1 })),
            row("STAFF#ann#DAY", "2026-03-10", json!({ "bookings": [late_booking, early_booking], "version": 2 })),
        ]
    }

    fn found(change: impl FnOnce(&mut Vec<Value>)) -> usize {
        let mut rows = table();
        change(&mut rows);
        let (rows, astray) = placed(&rows);
        assert_eq!(astray, Vec::<String>::new());
        let all: Vec<_> = owners(&rows).values().flat_map(damages).collect();
        all.len()
    }

    #[test]
    fn a_whole_client_has_no_damage() {
        assert_eq!(found(|_| {}), 0);
    }

    #[test]
    fn whatever_is_not_as_it_must_be_is_found() {
        let change =
            |row: usize, name: &'static str, value: Value| move |rows: &mut Vec<Value>| rows[row][name] = value;
        assert_eq!(found(change(0, "version", json!(3))), 1, "a revision");
        assert_eq!(found(change(1, "off", json!([]))), 1, "a time off that is not known");
        assert_eq!(found(change(1, "off", json!([{ "id": "noel" }]))), 2, "another one, which nothing says");
        assert_eq!(
            found(
                |rows| rows[1] = row("STAFF", "ann", json!({ "revision": 4, "offSince": "2026-05-01T00:00:00.000Z" }))
            ),
            0,
            "one that is over"
        );
        assert_eq!(found(change(2, "n", json!(1.0))), 1, "a use");
        assert_eq!(found(change(4, "n", json!(2.0))), 1, "a count of the staff");
        assert_eq!(found(change(5, "end", json!("2026-04-03T00:00:00.000Z"))), 1, "a time off that differs");
        assert_eq!(found(change(6, "sorted_sk", json!("x"))), 1, "a place in an index");
        assert_eq!(found(change(6, "cancelledReason", json!("ill"))), 1, "a reason for what was not cancelled");
        assert_eq!(found(change(9, "bookings", json!([]))), 1, "a day that does not hold what lies in it");
        assert_eq!(found(|rows| drop(rows.remove(8))), 1, "a day that is missing");
        assert_eq!(found(|rows| rows.push(row("STAFF#ben#DAY", "2026-03-09", json!({})))), 1, "a day of nobody");
        assert_eq!(found(|rows| rows.push(row("STAFF#ben#OFF", "noel", json!({})))), 1, "a time off of nobody");
        let cleared = |rows: &mut Vec<Value>| {
            rows.extend([row("STAFF#ben#DAY", "x", json!({})), row("JOB", "x", json!({ "staff": "ben" }))]);
        };
        assert_eq!(found(cleared), 0, "a day that a job clears");
        // Its time, its place in an index, and the time that its days say.
        assert_eq!(found(change(7, "startTime", json!("2026-03-09T23:58:00Z"))), 4, "an overlap, by ten minutes");
        assert_eq!(found(|rows| rows[7]["status"] = json!("CANCELLED")), 2, "a day that holds what was cancelled");
    }
}
