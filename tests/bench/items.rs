//! Items of the table: snapshots, sizes, and the cost of writes.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynoxide::types::{TRANSACTIONAL_CAPACITY_FACTOR, number_size, table_write_capacity_units};
use harness::call::{Call, Touch};
use harness::schema::{KeyNames, TableSchema};
use harness::world::TEMPLATE;
use infra::check::{readable_key, stored};
use serde_json::{Value, json};

type Item = HashMap<String, AttributeValue>;

/// Items of the table at one moment, by [readable](readable_key) key.
pub(crate) struct Snapshot {
    client: Client,
    table: String,
    items: BTreeMap<(String, String), Item>,
}

/// The size of an item in one place.
pub(crate) struct ItemCopy {
    /// The place: `table`, or the name of an index.
    pub(crate) place: String,
    /// The size, in bytes.
    pub(crate) bytes: usize,
    /// The part of it that the key of this place takes, in bytes.
    pub(crate) key_bytes: usize,
}

impl Snapshot {
    /// All items of a table.
    pub(crate) async fn of_table(client: &Client, table: &str) -> Self {
        let pages = client.scan().table_name(table).into_paginator().items().send();
        let items: Vec<Item> = pages.try_collect().await.expect("the table can be read");
        Self::new(items, client, table)
    }

    /// The items that calls name, for a table that is too large to be scanned.
    pub(crate) async fn of_calls(calls: &[Call], client: &Client, table: &str) -> Self {
        let keys = calls.iter().flat_map(|call| &call.touches).filter_map(|touch| touch.key.as_ref());
        let mut items = Vec::new();
        for key in keys {
            let Some(sort) = key.sort.clone() else { continue };
            let key = stored(&json!({ "pk": key.partition, "sk": sort }));
            let [pk, sk] =
                ["pk", "sk"].map(|name| AttributeValue::S(key[name].as_str().unwrap_or_default().to_owned()));
            let get = client.get_item().table_name(table).key("pk", pk).key("sk", sk).consistent_read(true);
            items.extend(get.send().await.expect("an item can be read").item);
        }
        Self::new(items, client, table)
    }

    fn new(items: Vec<Item>, client: &Client, table: &str) -> Self {
        let key = |item: &Item| (readable_key(text(item, "pk")), readable_key(text(item, "sk")));
        let items = items.into_iter().map(|item| (key(&item), item)).collect();
        Self { client: client.clone(), table: table.to_owned(), items }
    }

    /// Restores the table to this snapshot.
    pub(crate) async fn restore(&self) {
        let current = Self::of_table(&self.client, &self.table).await;
        for (key, item) in &self.items {
            if current.items.get(key) != Some(item) {
                let put = self.client.put_item().table_name(&self.table).set_item(Some(item.clone()));
                put.send().await.expect("an item can be restored");
            }
        }
        for (_, item) in current.items.iter().filter(|(key, _)| !self.items.contains_key(key)) {
            let delete = self.client.delete_item().table_name(&self.table);
            let delete = delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
            delete.send().await.expect("an item can be deleted");
        }
    }

    /// The write capacity units of calls between this snapshot and a later one.
    pub(crate) fn write_units(&self, after: &Self, calls: &[Call]) -> f64 {
        let images = |touch: &Touch| [self, after].map(|snapshot| snapshot.touched(touch));
        let units = |touch: &Touch| {
            let [before, after] = images(touch).map(|item| item.map(size));
            table_write_capacity_units(before, after)
        };
        // The indexes are written after the transaction, so its factor does not apply to them.
        let touches = calls.iter().flat_map(|call| &call.touches).filter(|touch| touch.is_write());
        let indexed = touches.flat_map(|touch| INDEXES.iter().map(move |index| index.write_units(images(touch))));
        let units = calls.iter().map(|call| match call.operation.as_str() {
            "TransactWriteItems" => call.touches.iter().map(units).sum::<f64>() * TRANSACTIONAL_CAPACITY_FACTOR,
            _ => call.touches.iter().filter(|touch| touch.is_write()).map(units).sum(),
        });
        units.sum::<f64>() + indexed.sum::<f64>()
    }

    /// The copies of an entity: in the table, then in each index that has it.
    ///
    /// The entity is named by the end of its partition key, which is its collection, and by its id.
    pub(crate) fn copies(&self, collection: &str, id: &str) -> Vec<ItemCopy> {
        let item = self.items.iter().find(|((pk, sk), _)| pk.ends_with(collection) && sk == id);
        let (_, item) = item.expect("the entity is in the table");
        let table =
            ItemCopy { place: "table".to_owned(), bytes: size(item), key_bytes: size(&project(item, &["pk", "sk"])) };
        let entries = INDEXES.iter().filter_map(|index| {
            let entry = index.entry(item)?;
            let key_bytes = size(&project(item, &index.key()));
            Some(ItemCopy { place: index.name.clone(), bytes: size(&entry), key_bytes })
        });
        [table].into_iter().chain(entries).collect()
    }

    fn touched(&self, touch: &Touch) -> Option<&Item> {
        let key = touch.key.clone()?;
        self.items.get(&(key.partition, key.sort?))
    }
}

/// A global secondary index of the table.
struct Index {
    name: String,
    names: KeyNames,
    projection: Projection,
}

/// The attributes of an item that an index has besides the keys.
enum Projection {
    All,
    Include(Vec<String>),
}

static INDEXES: LazyLock<Vec<Index>> = LazyLock::new(|| {
    let definition = &TEMPLATE.tables["Table"];
    let definitions = definition["GlobalSecondaryIndexes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let schema = TableSchema::from_definition(definition);
    let indexes = schema.indexes.into_iter().map(|(name, names)| {
        let definition = definitions.iter().find(|index| index["IndexName"] == name.as_str());
        let projection =
            Projection::from_definition(&definition.expect("the template defines the index")["Projection"]);
        Index { name, names, projection }
    });
    indexes.collect()
});

impl Projection {
    fn from_definition(projection: &Value) -> Self {
        if projection["ProjectionType"] == "ALL" {
            return Self::All;
        }
        let names = projection["NonKeyAttributes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Self::Include(names.map(str::to_owned).collect())
    }
}

impl Index {
    fn key(&self) -> Vec<&str> {
        [&self.names.partition].into_iter().chain(&self.names.sort).map(String::as_str).collect()
    }

    /// The index's copy of an item; `None` if the item lacks a part of the index key.
    fn entry(&self, item: &Item) -> Option<Item> {
        let key = self.key();
        if !key.iter().all(|name| item.contains_key(*name)) {
            return None;
        }
        Some(match &self.projection {
            Projection::All => item.clone(),
            Projection::Include(names) => {
                let names = names.iter().map(String::as_str);
                project(item, &["pk", "sk"].into_iter().chain(key).chain(names).collect::<Vec<_>>())
            }
        })
    }

    /// The write capacity units of a change of an item in this index.
    ///
    /// An unchanged entry costs nothing; a changed index key costs a delete and a put.
    fn write_units(&self, images: [Option<&Item>; 2]) -> f64 {
        let [before, after] = images.map(|item| item.and_then(|item| self.entry(item)));
        let key = |entry: &Item| project(entry, &self.key());
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

/// The item reduced to these attributes.
fn project(item: &Item, names: &[&str]) -> Item {
    item.iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().expect("keys are strings")
}

/// The size of an item, in bytes.
///
/// Source: "Item sizes and formats" in the `DynamoDB` developer guide.
fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
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
        other => panic!("no item has had an attribute of this type: {other:?}"),
    }
}
