//! Triggers: events, other than requests, that invoke a function.

use serde::Deserialize;

use crate::table::{DueQueue, Key, in_turns};

/// An event of the table's stream or of a schedule.
///
/// Only events of the stream have items: the changed ones.
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
    keys: ItemKey,
}

#[derive(Debug, Deserialize)]
struct ItemKey {
    pk: Text,
    sk: Text,
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(rename = "S")]
    s: String,
}

impl Trigger {
    /// Whether it is an event of a schedule.
    pub fn is_scheduled(&self) -> bool {
        self.records.is_empty()
    }

    /// The keys of the event's items that belong to a queue.
    ///
    /// Tenants take turns, and within a tenant its scopes.
    pub fn items<T>(&self, queue: &DueQueue<T>) -> Vec<Key<T>> {
        let keys = self.records.iter().map(|record| &record.dynamodb.keys);
        in_turns(keys.filter_map(|key| queue.item(&key.pk.s, &key.sk.s)).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::ShardBy;

    const MAIL: DueQueue<()> = DueQueue::new("MAIL", ShardBy::Item);

    #[test]
    fn stream_event_has_items_and_schedule_event_has_none() {
        let record = |pk: &str| json!({ "eventName": "INSERT", "dynamodb": { "Keys": { "pk": { "S": pk }, "sk": { "S": "x" } } } });
        let event = json!({ "Records": [record("PLATFORM#MAIL"), record("PLATFORM#USER")] });
        let trigger: Trigger = serde_json::from_value(event).unwrap();
        assert!(!trigger.is_scheduled());
        assert_eq!(trigger.items(&MAIL).len(), 1);
        let tick: Trigger = serde_json::from_value(json!({ "source": "aws.events", "detail": {} })).unwrap();
        assert!(tick.is_scheduled());
    }
}
