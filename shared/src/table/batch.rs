//! Batch reads of items, and writes of single items outside of transactions.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};

use super::Store;
use super::entity::{Attributes, Entity, decode, encode, key_attributes, text};
use super::error::{Backoff, NoAnswer, StoreError};
use super::key::Key;

/// The maximum number of keys of a BatchGetItem (a limit of DynamoDB).
pub const MAX_BATCH: usize = 100;

/// The keys of items of any types that are read together.
#[derive(Default)]
pub struct BatchKeys {
    keys: HashMap<PrimaryKey, Attributes>,
}

/// The partition key and the sort key of an item.
type PrimaryKey = (String, String);

impl BatchKeys {
    /// Adds a key.
    #[must_use]
    pub fn and<T>(mut self, key: &Key<T>) -> Self {
        // DynamoDB rejects a batch with duplicate keys.
        self.keys.insert(primary_key(key), key_attributes(key));
        self
    }

    /// Adds keys.
    #[must_use]
    pub fn and_all<T>(self, keys: &[Key<T>]) -> Self {
        keys.iter().fold(self, Self::and)
    }
}

/// The items of a batch that exist.
pub struct BatchItems {
    items: HashMap<PrimaryKey, Attributes>,
}

impl BatchItems {
    /// The item with this key, if it exists.
    pub fn get<T: Entity>(&self, key: &Key<T>) -> Result<Option<T>, StoreError> {
        let item = self.items.get(&primary_key(key)).cloned();
        item.map(|item| decode(item, &key.pk)).transpose()
    }
}

fn primary_key<T>(key: &Key<T>) -> PrimaryKey {
    (key.pk.clone(), key.sk.clone())
}

impl Store {
    /// Reads items of one type, in the order of `keys`.
    ///
    /// See [`get_batch`](Self::get_batch).
    pub async fn get_all<T: Entity>(&self, keys: &[Key<T>]) -> Result<Vec<Option<T>>, StoreError> {
        let items = self.get_batch(BatchKeys::default().and_all(keys)).await?;
        keys.iter().map(|key| items.get(key)).collect()
    }

    /// Reads items: one BatchGetItem for each [`MAX_BATCH`] keys, no call without keys.
    ///
    /// Keys that DynamoDB leaves unprocessed, because it is busy or the items are large, are requested again.
    pub async fn get_batch(&self, batch: BatchKeys) -> Result<BatchItems, StoreError> {
        let mut pending: Vec<_> = batch.keys.into_values().collect();
        let mut items = HashMap::new();
        let mut backoff = Backoff::new(self.budget.deadline());
        while !pending.is_empty() {
            let later = pending.split_off(pending.len().min(MAX_BATCH));
            let requested = pending.len();
            let (found, unprocessed) = self.batch_get_item(pending).await?;
            for item in found {
                let attribute = |name| text(&item, name).map(str::to_owned);
                let key = attribute("pk").zip(attribute("sk"));
                let key = key.ok_or_else(|| StoreError::internal("an item without a key"))?;
                items.insert(key, item);
            }
            let is_busy = unprocessed.len() == requested;
            pending = unprocessed;
            pending.extend(later);
            if is_busy && !backoff.pause().await {
                return Err(StoreError::unavailable(NoAnswer::Contended));
            }
        }
        Ok(BatchItems { items })
    }

    /// One BatchGetItem: the items, and the keys that were not processed.
    async fn batch_get_item(&self, keys: Vec<Attributes>) -> Result<(Vec<Attributes>, Vec<Attributes>), StoreError> {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let request = self
            .client
            .batch_get_item()
            .request_items(&*self.table, keys.map_err(StoreError::internal)?)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = self.call(request.send()).await?;
        for consumed in response.consumed_capacity() {
            self.budget.count_read(Some(consumed));
        }
        let items = response.responses.unwrap_or_default().into_values().flatten().collect();
        let unprocessed = response.unprocessed_keys.unwrap_or_default().into_values();
        Ok((items, unprocessed.flat_map(|keys| keys.keys).collect()))
    }

    /// Writes one item without a condition: one PutItem.
    ///
    /// Only for items on which no other item depends.
    pub async fn put_item<T: Entity>(&self, key: &Key<T>, value: &T) -> Result<(), StoreError> {
        let request = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(encode(key, value)?))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = self.call(request.send()).await?;
        self.budget.count_write(response.consumed_capacity.as_slice());
        Ok(())
    }

    /// Deletes one item, if it exists: one DeleteItem.
    ///
    /// Only for items on which no other item depends.
    pub async fn delete_item<T>(&self, key: &Key<T>) -> Result<(), StoreError> {
        let request = self
            .client
            .delete_item()
            .table_name(&*self.table)
            .set_key(Some(key_attributes(key)))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = self.call(request.send()).await?;
        self.budget.count_write(response.consumed_capacity.as_slice());
        Ok(())
    }
}
