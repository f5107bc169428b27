//! Between a type and its row.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::credential::Credential;
use crate::auth::tries::AttemptCounter;
use crate::belongings::OwnedRow;
use crate::entity::{
    Account, ChildCount, Day, DealChange, DefaultPipeline, EmailPointer, Fields, Import, ImportFaults, ImportText,
    KnownIp, Note, Pipeline, Record, ReferenceCount, ScopePointer, SearchEntry, Session, StaffCount, StaffRow,
    StageTotals, Tagged, TimeOff, Tombstones, UniqueConstraint, UsageGuard, Widget, WidgetPlace,
};
use crate::http::idempotency::Recorded;
use crate::keys::{IndexKeys, Key};
use crate::{Problem, Result};

/// What may lie in the table.
pub trait Item: Serialize + DeserializeOwned + Send {
    /// Where the row under `key` stands in the indexes, as long as it says what it says now.
    fn placed(&self, key: &Key<Self>) -> Vec<IndexKeys>
    where
        Self: Sized,
    {
        let _ = key;
        Vec::new()
    }
}

macro_rules! items {
    ($($type:ty),* $(,)?) => { $(impl Item for $type {})* };
}

// What stands in no index.
items!(
    Account,
    EmailPointer,
    OwnedRow,
    UniqueConstraint,
    Credential,
    Day,
    DealChange,
    DefaultPipeline,
    Tombstones,
    ChildCount,
    Import,
    ImportFaults,
    ImportText,
    KnownIp,
    Note,
    Pipeline,
    ScopePointer,
    Recorded,
    ReferenceCount,
    Session,
    StaffRow,
    Tagged,
    StageTotals,
    StaffCount,
    SearchEntry,
    TimeOff,
    AttemptCounter,
    UsageGuard,
    Widget,
    WidgetPlace,
);

impl<F: Fields> Item for Record<F> {}

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
    let placed = value.placed(key).into_iter().flatten();
    row.extend(placed.map(|(name, value)| (name.to_owned(), AttributeValue::S(value))));
    row.insert(SCHEMA_VERSION_NAME.to_owned(), AttributeValue::N(SCHEMA_VERSION.to_string()));
    Ok(row)
}

/// The value of a row, which must lie in the partition that was asked for: whatever else an answer holds is nobody's to see.
pub(super) fn decode<T: Item>(row: Attributes, pk: &str) -> Result<T> {
    if text(&row, "pk") != Some(pk) {
        return Err(Problem::internal("a row of another partition"));
    }
    value(row)
}

/// The value of a row that is known to be the right one.
pub(super) fn value<T: Item>(row: Attributes) -> Result<T> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(row).map_err(Problem::internal)
}

/// A text attribute of a row.
pub(super) fn text<'a>(row: &'a Attributes, name: &str) -> Option<&'a str> {
    row.get(name)?.as_s().ok().map(String::as_str)
}
