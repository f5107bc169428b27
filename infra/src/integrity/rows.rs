//! Rows as they come from the engine.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, Error};
use serde_json::Value;

/// Every row of a table, as JSON: a Scan, which no function may make. It is no snapshot: of what changes meanwhile it may see the one
/// half and not the other.
pub async fn rows(client: &Client, table: &str) -> Result<Vec<Value>, Error> {
    let pages = client.scan().table_name(table).consistent_read(true).into_paginator();
    let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await?;
    Ok(rows.into_iter().map(as_json).collect())
}

/// A row as JSON, in which bytes are text.
fn as_json(mut row: HashMap<String, AttributeValue>) -> Value {
    for value in row.values_mut() {
        if let AttributeValue::B(bytes) = value {
            *value = AttributeValue::S(format!("{:?}", bytes.as_ref()));
        }
    }
    // Nothing else in a row is not JSON; what is becomes a row without a key, which is a damage.
    serde_dynamo::from_item(row).unwrap_or_default()
}
