//! Reads all rows of a table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, Error};
use serde_json::{Map, Value};
use shared::value::Id;

/// Reads all rows of a table as JSON.
///
/// Uses a Scan, which no function is allowed to call. A Scan is not a snapshot: it may return only some of the
/// writes of a concurrent transaction.
pub async fn rows(client: &Client, table: &str) -> Result<Vec<Value>, Error> {
    let pages = client.scan().table_name(table).consistent_read(true).into_paginator();
    let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await?;
    Ok(rows.into_iter().map(|row| readable(as_json(row))).collect())
}

/// Converts a row to JSON, with binary attributes as text.
fn as_json(mut row: HashMap<String, AttributeValue>) -> Value {
    for value in row.values_mut() {
        if let AttributeValue::B(bytes) = value {
            *value = AttributeValue::S(format!("{:?}", bytes.as_ref()));
        }
    }
    // All other attributes convert to JSON. A failure results in a row without a key, which the check reports.
    serde_dynamo::from_item(row).unwrap_or_default()
}

/// The attributes that are keys of the table or of an index.
const KEYS: [&str; 14] = ["pk", "sk", "dp", "ds", "p1", "s1", "p2", "s2", "p3", "s3", "p4", "s4", "p5", "s5"];

/// A row in the form that the checks read.
///
/// Ids in keys have the form of the API, and fields that are stored in one attribute, or in the key alone, are
/// attributes of their own.
fn readable(mut row: Value) -> Value {
    let Some(attributes) = row.as_object_mut() else { return row };
    for key in KEYS {
        if let Some(Value::String(text)) = attributes.get_mut(key) {
            *text = readable_key(text);
        }
    }
    if let Some(Value::Object(mut fields)) = attributes.remove("d") {
        let ids = ids_of_key(attributes);
        for (name, stored) in STORED_NAMES {
            rename(&mut fields, stored, name);
        }
        attributes.extend(fields);
        attributes.extend(ids);
    }
    if let Some(Value::Object(payload)) = attributes.remove("payload") {
        attributes.extend(payload);
    }
    row
}

/// Fields with shorter names in a row with all fields in one attribute.
const STORED_NAMES: [(&str, &str); 3] = [("version", "v"), ("createdAt", "c"), ("updatedAt", "u")];

fn rename(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

/// The ids in the key of an item: its own and that of its client.
fn ids_of_key(attributes: &Map<String, Value>) -> Map<String, Value> {
    let part = |name: &str, at: usize| attributes[name].as_str().and_then(|key| key.split('#').nth(at));
    let ids = [("id", part("sk", 0)), ("clientId", part("pk", 5))];
    ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.into()))).collect()
}

/// The collections with all fields in one attribute.
const DOCUMENTS: [&str; 3] = ["#CONTACT", "#DEAL", "#APPOINTMENT"];

/// A row as it is stored, from the form that the checks read.
///
/// Tests write damaged rows with it.
pub fn stored(row: &Value) -> Value {
    let mut keys = Map::new();
    let mut fields = Map::new();
    for (name, value) in row.as_object().into_iter().flatten() {
        match value.as_str().filter(|_| KEYS.contains(&name.as_str())) {
            Some(key) => keys.insert(name.clone(), stored_key(key).into()),
            None => fields.insert(name.clone(), value.clone()),
        };
    }
    let partition = row["pk"].as_str().unwrap_or_default();
    if DOCUMENTS.iter().any(|collection| partition.ends_with(collection)) && !partition.contains("#TAG#") {
        fields.retain(|name, _| name != "id" && name != "clientId");
        for (name, stored) in STORED_NAMES {
            rename(&mut fields, name, stored);
        }
        keys.insert("d".to_owned(), Value::Object(fields));
    } else {
        keys.extend(fields);
    }
    Value::Object(keys)
}

fn stored_key(key: &str) -> String {
    let parts = key.split_inclusive(['#', '\u{1}']).map(|part| {
        let id = part.trim_end_matches(['#', '\u{1}']);
        id.parse::<Id<()>>().map_or_else(|_| part.to_owned(), |key| format!("{}{}", key.to_key(), &part[id.len()..]))
    });
    parts.collect()
}

/// A key in which ids have the form of the API.
pub fn readable_key(key: &str) -> String {
    let parts = key.split_inclusive(['#', '\u{1}']).map(|part| {
        let id = part.trim_end_matches(['#', '\u{1}']);
        let end = &part[id.len()..];
        match Id::<()>::from_key(id) {
            Some(id) => format!("{id}{end}"),
            None => part.to_owned(),
        }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn readable_row_is_stored_as_it_was() {
        let id = Id::<()>::from_uuid(uuid::Uuid::from_u128(7)).to_key();
        let partition = format!("T#{id}#A#{id}#C#{id}#");
        for row in [
            json!({ "pk": format!("{partition}DEAL"), "sk": id, "p1": format!("{partition}STAGE#{id}"), "s1": "x", "d": { "title": "x" } }),
            json!({ "pk": format!("{partition}TAG"), "sk": id, "name": "x" }),
        ] {
            let readable = readable(row.clone());
            assert_eq!(readable["sk"], "00000000-0000-0000-0000-000000000007");
            assert_eq!(stored(&readable), row);
        }
    }
}
