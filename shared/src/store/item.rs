//! Between a type and its row.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::Key;
use crate::{Problem, Result};

/// What may lie in the table.
pub trait Item: Serialize + DeserializeOwned + Send {}

impl<T: Serialize + DeserializeOwned + Send> Item for T {}

/// The shape in which rows are written now, kept on every row so that a later shape can tell and upgrade on read.
const SCHEMA_VERSION: u32 = 1;
const SCHEMA_VERSION_NAME: &str = "sv";

type Attributes = HashMap<String, AttributeValue>;

/// `pk` and `sk` of a row.
pub(super) fn key_attributes<T>(key: &Key<T>) -> Attributes {
    let named = |name: &str, value: &String| (name.to_owned(), AttributeValue::S(value.clone()));
    [named("pk", &key.pk), named("sk", &key.sk)].into()
}

/// The whole row. Absent values are left out: they would be paid for.
pub(super) fn encode<T: Item>(key: &Key<T>, value: &T) -> Result<Attributes> {
    let mut row: Attributes = serde_dynamo::aws_sdk_dynamodb_1::to_item(value).map_err(Problem::internal)?;
    row.retain(|_, value| !value.is_null());
    row.extend(key_attributes(key));
    row.extend(key.placed.iter().map(|(name, value)| ((*name).to_owned(), AttributeValue::S(value.clone()))));
    row.insert(SCHEMA_VERSION_NAME.to_owned(), AttributeValue::N(SCHEMA_VERSION.to_string()));
    Ok(row)
}

/// The sort key and the value of a row.
pub(super) fn decode<T: Item>(mut row: Attributes) -> Result<(String, T)> {
    let missing = || Problem::internal("a row without its sort key");
    let sk = row.remove("sk").and_then(|sk| sk.as_s().ok().cloned()).ok_or_else(missing)?;
    let value = serde_dynamo::aws_sdk_dynamodb_1::from_item(row).map_err(Problem::internal)?;
    Ok((sk, value))
}
