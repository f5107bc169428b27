//! The table's rows: putting them back after a request, what they weigh, and what writing them costs.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynoxide::types::{TRANSACTIONAL_CAPACITY_FACTOR, number_size, table_write_capacity_units};
use harness::call::{Call, Touch};

type Row = HashMap<String, AttributeValue>;

/// Every row of the table at one moment, by partition and sort key.
pub(crate) struct Rows {
    client: Client,
    table: String,
    by_key: BTreeMap<(String, String), Row>,
}

impl Rows {
    /// The rows as they are now.
    pub(crate) async fn read(client: &Client, table: &str) -> Self {
        let pages = client.scan().table_name(table).into_paginator().items().send();
        let rows: Vec<Row> = pages.try_collect().await.expect("the table can be read");
        let by_key = rows.into_iter().map(|row| ((text(&row, "pk"), text(&row, "sk")), row)).collect();
        Self { client: client.clone(), table: table.to_owned(), by_key }
    }

    /// Makes the table what it was when these rows were read.
    pub(crate) async fn restore(&self) {
        let now = Self::read(&self.client, &self.table).await;
        for (key, row) in &self.by_key {
            if now.by_key.get(key) != Some(row) {
                let put = self.client.put_item().table_name(&self.table).set_item(Some(row.clone()));
                put.send().await.expect("a row can be put back");
            }
        }
        for (pk, sk) in now.by_key.keys().filter(|key| !self.by_key.contains_key(key)) {
            let delete = self.client.delete_item().table_name(&self.table);
            let delete = delete.key("pk", AttributeValue::S(pk.clone())).key("sk", AttributeValue::S(sk.clone()));
            delete.send().await.expect("a row can be deleted");
        }
    }

    /// The write units of calls that made these rows into `after`.
    pub(crate) fn write_units(&self, after: &Self, calls: &[Call]) -> f64 {
        let units = |touch: &Touch| {
            let sizes = [self, after].map(|rows| rows.touched(touch).map(size));
            table_write_capacity_units(sizes[0], sizes[1])
        };
        // An entry of an index is one unit, written once the transaction is done.
        let indexed = calls.iter().flat_map(|call| &call.touches).map(|touch| touch.index_keys.len());
        let units = calls.iter().map(|call| match call.operation.as_str() {
            "TransactWriteItems" => call.touches.iter().map(units).sum::<f64>() * TRANSACTIONAL_CAPACITY_FACTOR,
            _ => call.touches.iter().filter(|touch| touch.is_write()).map(units).sum(),
        });
        units.sum::<f64>() + f64::from(u32::try_from(indexed.sum::<usize>()).unwrap_or(u32::MAX))
    }

    /// The bytes of the row with this sort key: the whole, and its keys alone.
    pub(crate) fn weigh(&self, sort: &str) -> (usize, usize) {
        let ((pk, sk), row) = self.by_key.iter().find(|((_, sk), _)| sk == sort).expect("there is such a row");
        (size(row), "pk".len() + pk.len() + "sk".len() + sk.len())
    }

    fn touched(&self, touch: &Touch) -> Option<&Row> {
        let key = touch.key.clone()?;
        self.by_key.get(&(key.partition, key.sort?))
    }
}

fn text(row: &Row, name: &str) -> String {
    row[name].as_s().expect("keys are text").clone()
}

/// The bytes of a row: "Item sizes and formats" in the `DynamoDB` developer guide.
fn size(row: &Row) -> usize {
    row.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_size(number),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(values) => 3 + values.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        AttributeValue::M(members) => 3 + members.len() + size(members),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        other => panic!("no row has this yet: {other:?}"),
    }
}
