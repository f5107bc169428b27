//! The table's rows: putting them back after a request, what they weigh, and what writing them costs.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynoxide::types::{TRANSACTIONAL_CAPACITY_FACTOR, number_size, table_write_capacity_units};
use harness::call::{Call, Touch};
use harness::schema::{KeyNames, TableSchema};
use harness::world::TEMPLATE;

type Row = HashMap<String, AttributeValue>;

/// Rows of the table at one moment, by partition and sort key.
pub(crate) struct Rows {
    client: Client,
    table: String,
    by_key: BTreeMap<(String, String), Row>,
}

impl Rows {
    /// All rows as they are now.
    pub(crate) async fn read(client: &Client, table: &str) -> Self {
        let pages = client.scan().table_name(table).into_paginator().items().send();
        let rows: Vec<Row> = pages.try_collect().await.expect("the table can be read");
        Self::of(rows, client, table)
    }

    /// The rows that these calls named, as they are now: in a table that is too large to be read.
    pub(crate) async fn named_by(calls: &[Call], client: &Client, table: &str) -> Self {
        let keys = calls.iter().flat_map(|call| &call.touches).filter_map(|touch| touch.key.as_ref());
        let mut rows = Vec::new();
        for key in keys {
            let Some(sort) = key.sort.clone() else { continue };
            let [pk, sk] = [key.partition.clone(), sort].map(AttributeValue::S);
            let get = client.get_item().table_name(table).key("pk", pk).key("sk", sk).consistent_read(true);
            rows.extend(get.send().await.expect("a row can be read").item);
        }
        Self::of(rows, client, table)
    }

    fn of(rows: Vec<Row>, client: &Client, table: &str) -> Self {
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
        let images = |touch: &Touch| [self, after].map(|rows| rows.touched(touch));
        let units = |touch: &Touch| {
            let [before, after] = images(touch).map(|row| row.map(size));
            table_write_capacity_units(before, after)
        };
        // The indexes are written once the transaction is done, and are no part of it.
        let touches = calls.iter().flat_map(|call| &call.touches).filter(|touch| touch.is_write());
        let indexed = touches.flat_map(|touch| INDEXES.iter().map(move |index| index.write_units(images(touch))));
        let units = calls.iter().map(|call| match call.operation.as_str() {
            "TransactWriteItems" => call.touches.iter().map(units).sum::<f64>() * TRANSACTIONAL_CAPACITY_FACTOR,
            _ => call.touches.iter().filter(|touch| touch.is_write()).map(units).sum(),
        });
        units.sum::<f64>() + indexed.sum::<f64>()
    }

    /// The bytes of the row with this sort key: the whole, and its keys alone.
    pub(crate) fn weigh(&self, sort: &str) -> (usize, usize) {
        let ((pk, sk), row) = self.by_key.iter().find(|((_, sk), _)| sk == sort).expect("there is such a row");
        (size(row), "pk".len() + pk.len() + "sk".len() + sk.len())
    }

    /// Where the row with this sort key lies, in the table and in each index: the bytes there, and of these its key.
    pub(crate) fn copies(&self, sort: &str) -> Vec<(String, usize, usize)> {
        let row = self.by_key.iter().find(|((_, sk), _)| sk == sort).map(|(_, row)| row).expect("there is such a row");
        let table = ("table".to_owned(), size(row), size(&part(row, &["pk", "sk"])));
        let entries = INDEXES.iter().filter_map(|index| {
            let entry = index.entry(row)?;
            Some((format!("index {}", index.name), size(&entry), size(&part(row, &index.key()))))
        });
        [table].into_iter().chain(entries).collect()
    }

    fn touched(&self, touch: &Touch) -> Option<&Row> {
        let key = touch.key.clone()?;
        self.by_key.get(&(key.partition, key.sort?))
    }
}

/// An index of the table.
struct Index {
    name: String,
    names: KeyNames,
    /// Whether it has all that the rows have, or only keys.
    is_whole: bool,
}

static INDEXES: LazyLock<Vec<Index>> = LazyLock::new(|| {
    let definition = &TEMPLATE.tables["Table"];
    let is_whole = |name: &str| {
        let described = definition["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        described.filter(|index| index["IndexName"] == name).any(|index| index["Projection"]["ProjectionType"] == "ALL")
    };
    let indexes = TableSchema::from_definition(definition).indexes.into_iter();
    indexes.map(|(name, names)| Index { is_whole: is_whole(&name), name, names }).collect()
});

impl Index {
    fn key(&self) -> Vec<&str> {
        [&self.names.partition].into_iter().chain(&self.names.sort).map(String::as_str).collect()
    }

    /// What it holds of a row: nothing of one that lacks a part of its key.
    fn entry(&self, row: &Row) -> Option<Row> {
        let key = self.key();
        let kept: Vec<_> = ["pk", "sk"].into_iter().chain(key.iter().copied()).collect();
        let is_there = key.iter().all(|name| row.contains_key(*name));
        is_there.then(|| if self.is_whole { row.clone() } else { part(row, &kept) })
    }

    /// What a write of a row costs in this index: nothing if its entry stays as it is, and twice if it moves.
    fn write_units(&self, images: [Option<&Row>; 2]) -> f64 {
        let [before, after] = images.map(|row| row.and_then(|row| self.entry(row)));
        let key = |entry: &Row| part(entry, &self.key());
        match (&before, &after) {
            (None, None) => 0.0,
            (Some(before), Some(after)) if before == after => 0.0,
            (Some(before), Some(after)) if key(before) != key(after) => {
                table_write_capacity_units(Some(size(before)), None)
                    + table_write_capacity_units(None, Some(size(after)))
            }
            _ => table_write_capacity_units(before.as_ref().map(size), after.as_ref().map(size)),
        }
    }
}

/// Some attributes of a row.
fn part(row: &Row, names: &[&str]) -> Row {
    row.iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
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
