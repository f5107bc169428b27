//! Rules for the index of due rows.

use uuid::Uuid;

use super::Row;
use super::partition::{Partition, SHARDS};
use super::scope_rows::text;

/// Reports the rows with keys in the index that differ from their due time or their shard.
pub(super) fn violations(rows: &[Row<'_>]) -> Vec<String> {
    let wrong = rows.iter().filter(|row| {
        let key = index_key(row).map_or([None, None], |(partition, sort)| [Some(partition), Some(sort)]);
        ["dp", "ds"].map(|name| row.value[name].as_str()) != key.each_ref().map(Option::as_deref)
    });
    wrong.map(|row| row.violation("has keys in the index of due rows that differ from its due time")).collect()
}

/// The partition and the sort key of a row in the index; `None` for a row that is never due.
fn index_key(row: &Row<'_>) -> Option<(String, String)> {
    let Partition::Scoped { scope, collection } = &row.partition else { return None };
    let shard_id = match collection.as_str() {
        "JOB" => scope.id()?,
        "MAIL" if row.value["failedAt"].is_null() => row.sk.parse::<Uuid>().ok()?,
        "REMINDER" if row.value["status"] == "PENDING" => row.sk.split('#').next()?.parse::<Uuid>().ok()?,
        _ => return None,
    };
    let shard = shard_id.as_u128() % SHARDS;
    Some((format!("DUE#{collection}#{shard:02}"), format!("{}#{}", text(row.value, "due"), row.sk)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn violations_of(row: &Value) -> usize {
        violations(&[Row::parse(row).unwrap()]).len()
    }

    fn with(row: &Value, name: &str, value: Value) -> Value {
        let mut row = row.clone();
        row[name] = value;
        row
    }

    #[test]
    fn due_row_in_another_shard_or_at_another_time_is_reported() {
        let id = |last: u128| Uuid::from_u128(last).to_string();
        let client = format!("T#{}#A#{}#C#{}#", id(1), id(2), id(0x1b));
        let job = json!({
            "pk": format!("{client}JOB"), "sk": id(7), "due": "2026-03-08T06:30:00.000Z",
            "dp": "DUE#JOB#11", "ds": format!("2026-03-08T06:30:00.000Z#{}", id(7)),
        });
        let mail = with(&with(&job, "pk", json!("PLATFORM#MAIL")), "dp", json!("DUE#MAIL#07"));
        for row in [&job, &mail] {
            assert_eq!(violations_of(row), 0, "{row}");
            for (name, value) in
                [("dp", json!("DUE#JOB#12")), ("due", json!("2026-03-08T06:31:00.000Z")), ("dp", Value::Null)]
            {
                assert_eq!(violations_of(&with(row, name, value)), 1, "{name} of {row}");
            }
        }
        let failed = with(&mail, "failedAt", json!("2026-03-08T06:30:00.000Z"));
        assert_eq!(violations_of(&failed), 1);
        let removed = json!({ "pk": "PLATFORM#MAIL", "sk": id(7), "failedAt": "2026-03-08T06:30:00.000Z" });
        assert_eq!(violations_of(&removed), 0);
        assert_eq!(violations_of(&with(&job, "pk", json!(format!("{client}CONTACT")))), 1);
    }
}
