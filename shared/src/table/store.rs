//! The store: the table, with the budget of one request.
//!
//! A read of one item is one GetItem, a list is one Query, a change is one TransactWriteItems. Reads of the
//! table itself are strongly consistent: a caller that got a `201` can read what it created.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::budget::Budget;
use super::entity::{Attributes, Entity, decode, key_attributes, text};
use super::error::{Backoff, Retryable, StoreError, in_time, store_error};
use super::key::{DUE, DueQueue, Key};
use super::scope_items::health;
use super::transaction::Transaction;
use super::turns::in_turns;
use crate::value::Instant;

/// The maximum number of attempts at a change that conflicts with other changes.
const MAX_ATTEMPTS: u32 = 24;

/// The maximum number of due items that are read of each shard of a queue.
pub const DUE_PER_SHARD: u16 = 1000;

/// The number of shards of a queue that are read concurrently.
const CONCURRENT_SHARDS: usize = 4;

/// The table, with the budget of one request.
#[derive(Clone)]
pub struct Store {
    pub(super) client: Client,
    pub(super) table: Arc<str>,
    pub(super) budget: Budget,
}

impl Store {
    /// A store for this table.
    pub fn new(client: Client, table: Arc<str>, budget: Budget) -> Self {
        Self { client, table, budget }
    }

    /// Reads one item: one GetItem.
    pub async fn get<T: Entity>(&self, key: &Key<T>) -> Result<Option<T>, StoreError> {
        let request = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(key_attributes(key)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = self.call(request.send()).await?;
        self.budget.count_read(response.consumed_capacity());
        response.item.map(|item| decode(item, &key.pk)).transpose()
    }

    /// Reads two items concurrently: not found if one of them does not exist.
    ///
    /// Both reads always complete, so that the cost does not depend on which of them fails.
    pub async fn find_both<A: Entity, B: Entity>(&self, a: &Key<A>, b: &Key<B>) -> Result<(A, B), StoreError> {
        let (a, b) = tokio::join!(self.find(a), self.find(b));
        Ok((a?, b?))
    }

    /// Reads one item: not found if it does not exist.
    pub async fn find<T: Entity>(&self, key: &Key<T>) -> Result<T, StoreError> {
        self.get(key).await?.ok_or(StoreError::NotFound)
    }

    /// The keys of items of a queue that are due at `now`: one Query for each shard.
    ///
    /// Oldest first, but tenants take turns: the oldest item of each tenant, then the second oldest, and so on.
    /// Within a tenant, its scopes take turns. At most [`DUE_PER_SHARD`] items of each shard. The index is eventually
    /// consistent.
    pub async fn due<T>(&self, queue: &DueQueue<T>, now: Instant) -> Result<Vec<Key<T>>, StoreError> {
        let shards = stream::iter(queue.partitions()).map(|partition| self.due_in(partition, now));
        let mut items = shards.buffer_unordered(CONCURRENT_SHARDS).try_concat().await?;
        items.sort_unstable_by(|a, b| text(a, DUE.sk).cmp(&text(b, DUE.sk)));
        let keys = items.iter().filter_map(|item| queue.item(text(item, "pk")?, text(item, "sk")?)).collect();
        Ok(in_turns(keys))
    }

    /// The items of one partition of the index that are due.
    async fn due_in(&self, partition: String, now: Instant) -> Result<Vec<Attributes>, StoreError> {
        // Sort keys are an instant, `#` and an id; `$` is the next character after `#`.
        let request = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(DUE.name)
            .key_condition_expression(format!("{} = :pk AND {} < :after", DUE.pk, DUE.sk))
            .expression_attribute_values(":pk", AttributeValue::S(partition))
            .expression_attribute_values(":after", AttributeValue::S(format!("{now}$")))
            .limit(DUE_PER_SHARD.into())
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = self.call(request.send()).await?;
        self.budget.count_read(response.consumed_capacity());
        Ok(response.items.unwrap_or_default())
    }

    /// The same store with a new deadline, for the next step of a long operation.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self { budget: self.budget.renewed(), ..self.clone() }
    }

    /// A new transaction.
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.clone())
    }

    /// Reads, makes a transaction with `decide`, and commits it.
    ///
    /// Repeats all three after a conflict.
    pub async fn retry_on_conflict<R, D, E, F>(
        &self,
        read: impl Fn() -> F,
        decide: impl Fn(&R, &mut Transaction) -> Result<D, E>,
    ) -> Result<D, E>
    where
        F: Future<Output = Result<R, E>>,
        E: From<StoreError> + Retryable,
    {
        self.retry_on_conflict_from(None, read, decide).await
    }

    /// Reads, decides and commits, starting with the result of an earlier read.
    ///
    /// Otherwise like [`retry_on_conflict`](Self::retry_on_conflict).
    pub async fn retry_on_conflict_from<R, D, E, F>(
        &self,
        mut first: Option<R>,
        read: impl Fn() -> F,
        decide: impl Fn(&R, &mut Transaction) -> Result<D, E>,
    ) -> Result<D, E>
    where
        F: Future<Output = Result<R, E>>,
        E: From<StoreError> + Retryable,
    {
        let (read, decide) = (&read, &decide);
        self.retry(move || {
            let first = first.take();
            async move {
                let current = match first {
                    Some(first) => first,
                    None => read().await?,
                };
                let mut transaction = self.transaction();
                let decided = decide(&current, &mut transaction)?;
                transaction.commit().await?;
                Ok(decided)
            }
        })
        .await
    }

    /// Repeats an attempt while it conflicts with other changes, with pauses.
    ///
    /// Stops at the deadline or after 24 attempts; the result is then the last conflict.
    pub async fn retry<T, E: Retryable, F: Future<Output = Result<T, E>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E> {
        let mut backoff = Backoff::new(self.budget.deadline());
        let mut attempts = 0;
        loop {
            attempts += 1;
            match attempt().await {
                Err(error) if error.is_conflict() && attempts < MAX_ATTEMPTS && backoff.pause().await => {}
                done => return done.map_err(E::into_final),
            }
        }
    }

    /// Checks that the table is reachable, which also opens a connection.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.get(&health()).await.map(|_| ())
    }

    /// Makes one call, and waits for its response until the deadline.
    ///
    /// The SDK's futures take 16 KiB each. They are boxed to keep the futures of the callers small.
    pub(super) fn call<T, E: ProvideErrorMetadata, R>(
        &self,
        call: impl Future<Output = Result<T, SdkError<E, R>>>,
    ) -> impl Future<Output = Result<T, StoreError>> {
        self.budget.count_round_trip();
        let response = in_time(self.budget.deadline(), Box::pin(call));
        async { response.await?.map_err(|error| store_error(&error)) }
    }
}
