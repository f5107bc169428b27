//! Many rows by their keys, and rows that stand alone.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};

use super::Store;
use super::failure::{StoreError, Wait, in_time};
use super::item::{Item, decode, encode, key_attributes, text};
use crate::keys::Key;
use crate::{Problem, Result};

type Attributes = HashMap<String, AttributeValue>;

/// The most keys of a BatchGetItem (a limit of DynamoDB).
pub const MAX_BATCH: usize = 100;

/// Rows of any types that are to be read at once, by their keys.
#[derive(Default)]
pub struct BatchKeys {
    keys: HashMap<RowKey, Attributes>,
}

/// A row's partition and sort key.
type RowKey = (String, String);

impl BatchKeys {
    /// With one row more.
    #[must_use]
    pub fn and<T>(mut self, key: &Key<T>) -> Self {
        // DynamoDB refuses a batch that names a key twice.
        self.keys.insert((key.pk.clone(), key.sk.clone()), key_attributes(key));
        self
    }

    /// With these rows more.
    #[must_use]
    pub fn and_all<T>(self, keys: &[Key<T>]) -> Self {
        keys.iter().fold(self, Self::and)
    }
}

/// What was found of what was wanted.
pub struct BatchItems {
    rows: HashMap<RowKey, Attributes>,
}

impl BatchItems {
    /// The row of this key, if it is there.
    pub fn get<T: Item>(&self, key: &Key<T>) -> Result<Option<T>> {
        let row = self.rows.get(&(key.pk.clone(), key.sk.clone())).cloned();
        row.map(|row| decode(row, &key.pk)).transpose()
    }
}

impl Store {
    /// Reads these rows, in the order of their keys; see [`get_each`](Self::get_each).
    pub async fn get_all<T: Item>(&self, keys: &[Key<T>]) -> Result<Vec<Option<T>>> {
        let found = self.get_each(BatchKeys::default().and_all(keys)).await?;
        keys.iter().map(|key| found.get(key)).collect()
    }

    /// Reads rows: one BatchGetItem for each [`MAX_BATCH`] of them, and one more for what the table leaves unread when it is busy or
    /// when the rows are large. No keys, no call.
    pub async fn get_each(&self, wanted: BatchKeys) -> Result<BatchItems> {
        let mut unread: Vec<_> = wanted.keys.into_values().collect();
        let mut found = BatchItems { rows: HashMap::new() };
        let mut wait = Wait::new(self.trace.deadline());
        while !unread.is_empty() {
            let later = unread.split_off(unread.len().min(MAX_BATCH));
            let asked = unread.len();
            let rows;
            (rows, unread) = self.get_some(unread).await?;
            let is_busy = unread.len() == asked;
            unread.extend(later);
            for row in rows {
                let place = |name| text(&row, name).map(str::to_owned);
                let place = place("pk").zip(place("sk")).ok_or_else(|| Problem::internal("a row without a key"))?;
                found.rows.insert(place, row);
            }
            if is_busy && !wait.again().await {
                return Err(Problem::unavailable(StoreError::Contended));
            }
        }
        Ok(found)
    }

    /// Writes a row that no other depends on, whatever lies there: one PutItem.
    pub async fn put_alone<T: Item>(&self, key: &Key<T>, value: &T) -> Result<()> {
        let request = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(encode(key, value)?))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        self.trace.cost().round_trip();
        let answer = in_time(self.trace.deadline(), Box::pin(request.send())).await?;
        self.trace.cost().wrote(answer.consumed_capacity.as_slice());
        Ok(())
    }

    /// Deletes a row that no other depends on, if it is there: one DeleteItem.
    pub async fn remove_alone<T>(&self, key: &Key<T>) -> Result<()> {
        let request = self
            .client
            .delete_item()
            .table_name(&*self.table)
            .set_key(Some(key_attributes(key)))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        self.trace.cost().round_trip();
        let answer = in_time(self.trace.deadline(), Box::pin(request.send())).await?;
        self.trace.cost().wrote(answer.consumed_capacity.as_slice());
        Ok(())
    }

    /// One BatchGetItem: what it found, and the keys that it left unread.
    async fn get_some(&self, keys: Vec<Attributes>) -> Result<(Vec<Attributes>, Vec<Attributes>)> {
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let request = self
            .client
            .batch_get_item()
            .request_items(&*self.table, wanted.map_err(Problem::internal)?)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        self.trace.cost().round_trip();
        let answer = in_time(self.trace.deadline(), Box::pin(request.send())).await?;
        for consumed in answer.consumed_capacity() {
            self.trace.cost().read(Some(consumed));
        }
        let found = answer.responses.unwrap_or_default().into_values().flatten().collect();
        let unread = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|keys| keys.keys).collect();
        Ok((found, unread))
    }
}
