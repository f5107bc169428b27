//! What wakes a function that answers no request: the table's stream, or a schedule.

use serde::Deserialize;

use crate::keys::{DueQueue, Key};

/// An event of the table's stream, which names the rows that it is about, or of a schedule, which names none.
///
/// Source: "Using AWS Lambda with Amazon DynamoDB" in the Lambda developer guide.
#[derive(Debug, Deserialize)]
pub struct Trigger {
    #[serde(rename = "Records", default)]
    records: Vec<StreamRecord>,
}

#[derive(Debug, Deserialize)]
struct StreamRecord {
    dynamodb: StreamChange,
}

#[derive(Debug, Deserialize)]
struct StreamChange {
    #[serde(rename = "Keys")]
    keys: RowKey,
}

#[derive(Debug, Deserialize)]
struct RowKey {
    pk: Text,
    sk: Text,
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(rename = "S")]
    s: String,
}

impl Trigger {
    /// Whether it is a schedule's.
    pub fn is_scheduled(&self) -> bool {
        self.records.is_empty()
    }

    /// The rows of an agenda that it names.
    pub fn rows<T>(&self, agenda: &DueQueue<T>) -> Vec<Key<T>> {
        let keys = self.records.iter().map(|record| &record.dynamodb.keys);
        keys.filter_map(|key| agenda.row(&key.pk.s, &key.sk.s)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MAIL_DUE;
    use serde_json::json;

    #[test]
    fn a_stream_names_rows_and_a_schedule_none() {
        let record = |pk: &str| json!({ "eventName": "INSERT", "dynamodb": { "Keys": { "pk": { "S": pk }, "sk": { "S": "x" } } } });
        let event = json!({ "Records": [record("PLATFORM#MAIL"), record("PLATFORM#USER")] });
        let wake: Trigger = serde_json::from_value(event).unwrap();
        assert!(!wake.is_scheduled());
        assert_eq!(wake.rows(&MAIL_DUE).len(), 1);
        let tick: Trigger = serde_json::from_value(json!({ "source": "aws.events", "detail": {} })).unwrap();
        assert!(tick.is_scheduled());
    }
}
