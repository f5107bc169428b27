//! Transactions: a change with several parts, all or nothing.
//!
//! Each part has a condition, and a meaning for the caller if the condition fails.

use std::collections::{HashMap, HashSet};
use std::error::Error;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update as UpdateItem,
};
use uuid::Uuid;

use super::Store;
use super::condition::{Condition, Expressions, Update};
use super::entity::{Attributes, Entity, decode_unchecked, encode, key_attributes};
use super::error::{Backoff, Failure, NoAnswer, StoreError, in_time, store_error};
use super::key::Key;
use super::scope_items::ChildCount;

/// The maximum number of parts of a transaction (a limit of DynamoDB).
pub const MAX_PARTS: usize = 100;

/// The meaning of a failed condition, which may depend on the stored item.
pub struct OnFailed(Box<dyn FnOnce(Option<Attributes>) -> Result<Failure, StoreError> + Send>);

impl OnFailed {
    /// A meaning that depends on the stored item; `None` if it does not exist.
    pub fn decide<T: Entity>(meaning: impl FnOnce(Option<T>) -> Failure + Send + 'static) -> Self {
        Self(Box::new(|item| item.map(decode_unchecked).transpose().map(meaning)))
    }

    /// One meaning if the item exists, another if it does not.
    pub fn exists_or(exists: Failure, missing: Failure) -> Self {
        Self(Box::new(|item| Ok(if item.is_some() { exists } else { missing })))
    }
}

impl From<Failure> for OnFailed {
    fn from(failure: Failure) -> Self {
        Self(Box::new(|_| Ok(failure)))
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Rejected(Box::new(error))
    }
}

/// The parts of one change, at most [`MAX_PARTS`].
#[must_use = "nothing is written before the commit"]
pub struct Transaction {
    store: Store,
    parts: Vec<TransactWriteItem>,
    meanings: Vec<OnFailed>,
    /// The keys of [`require`](Self::require).
    ///
    /// DynamoDB rejects a transaction with two parts for one item.
    required: HashSet<(String, String)>,
    /// The additions to child counts, each with the index of its part, by partition key.
    counted: HashMap<String, (usize, i64)>,
}

impl Transaction {
    pub(super) fn new(store: Store) -> Self {
        Self { store, parts: Vec::new(), meanings: Vec::new(), required: HashSet::new(), counted: HashMap::new() }
    }

    /// The store that the transaction writes to.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Adds a write of an item, if the condition on the stored one holds.
    pub fn put<T: Entity>(
        &mut self,
        key: &Key<T>,
        value: &T,
        condition: Condition,
        on_failed: impl Into<OnFailed>,
    ) -> Result<(), StoreError> {
        let mut expressions = Expressions::default();
        let put = Put::builder()
            .table_name(&*self.store.table)
            .set_item(Some(encode(key, value)?))
            .set_condition_expression(expressions.condition::<T>(condition))
            .set_expression_attribute_names(non_empty(expressions.names))
            .set_expression_attribute_values(non_empty(expressions.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.add(put.build().map(|put| TransactWriteItem::builder().put(put).build()), on_failed)
    }

    /// Adds a change of single fields of an item, if the condition on it holds.
    pub fn update<T: Entity>(
        &mut self,
        key: &Key<T>,
        update: Update,
        condition: Condition,
        on_failed: impl Into<OnFailed>,
    ) -> Result<(), StoreError> {
        let mut expressions = Expressions::default();
        let update_expression = expressions.update::<T>(update)?;
        let update = UpdateItem::builder()
            .table_name(&*self.store.table)
            .set_key(Some(key_attributes(key)))
            .update_expression(update_expression)
            .set_condition_expression(expressions.condition::<T>(condition))
            .set_expression_attribute_names(non_empty(expressions.names))
            .set_expression_attribute_values(non_empty(expressions.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.add(update.build().map(|update| TransactWriteItem::builder().update(update).build()), on_failed)
    }

    /// Adds the deletion of an item, if the condition on it holds.
    pub fn delete_if<T: Entity>(
        &mut self,
        key: &Key<T>,
        condition: Condition,
        on_failed: impl Into<OnFailed>,
    ) -> Result<(), StoreError> {
        let mut expressions = Expressions::default();
        let delete = Delete::builder()
            .table_name(&*self.store.table)
            .set_key(Some(key_attributes(key)))
            .set_condition_expression(expressions.condition::<T>(condition))
            .set_expression_attribute_names(non_empty(expressions.names))
            .set_expression_attribute_values(non_empty(expressions.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.add(delete.build().map(|delete| TransactWriteItem::builder().delete(delete).build()), on_failed)
    }

    /// Adds a condition on an item that does not change. The item is not read.
    pub fn check<T: Entity>(
        &mut self,
        key: &Key<T>,
        condition: Condition,
        on_failed: impl Into<Failure>,
    ) -> Result<(), StoreError> {
        self.add_check(key, condition, on_failed.into(), ReturnValuesOnConditionCheckFailure::None)
    }

    /// Adds a condition on an item, which is read if the condition fails.
    ///
    /// Only for items of the same module, because it needs the permission to read the item.
    pub fn check_or<T: Entity>(
        &mut self,
        key: &Key<T>,
        condition: Condition,
        on_failed: OnFailed,
    ) -> Result<(), StoreError> {
        self.add_check(key, condition, on_failed, ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn add_check<T: Entity>(
        &mut self,
        key: &Key<T>,
        condition: Condition,
        on_failed: impl Into<OnFailed>,
        on_failed_return: ReturnValuesOnConditionCheckFailure,
    ) -> Result<(), StoreError> {
        let mut expressions = Expressions::default();
        let check = ConditionCheck::builder()
            .table_name(&*self.store.table)
            .set_key(Some(key_attributes(key)))
            .set_condition_expression(expressions.condition::<T>(condition))
            .set_expression_attribute_names(non_empty(expressions.names))
            .set_expression_attribute_values(non_empty(expressions.values))
            .return_values_on_condition_check_failure(on_failed_return);
        self.add(check.build().map(|check| TransactWriteItem::builder().condition_check(check).build()), on_failed)
    }

    /// Adds a new item with a new id: it fails only because of a bug.
    pub fn create<T: Entity>(&mut self, key: &Key<T>, value: &T) -> Result<(), StoreError> {
        self.put(key, value, Condition::NotExists, Failure::Unexpected("a new id exists already"))
    }

    /// Adds a new item; `on_exists` is the failure if it exists.
    pub fn create_or<T: Entity>(
        &mut self,
        key: &Key<T>,
        value: &T,
        on_exists: impl Into<Failure>,
    ) -> Result<(), StoreError> {
        self.put(key, value, Condition::NotExists, on_exists.into())
    }

    /// Adds a new item; `on_exists` makes the failure from the existing item.
    pub fn create_unique<T: Entity>(
        &mut self,
        key: &Key<T>,
        value: &T,
        on_exists: impl FnOnce(&T) -> Failure + Send + 'static,
    ) -> Result<(), StoreError> {
        let on_failed = OnFailed::decide(|existing: Option<T>| match existing {
            Some(existing) => on_exists(&existing),
            None => Failure::Unexpected("an item was rejected as existing, but does not exist"),
        });
        self.put(key, value, Condition::NotExists, on_failed)
    }

    /// Adds a write of an item without a condition.
    ///
    /// For an item that the version of another item in the same transaction guards.
    pub fn overwrite<T: Entity>(&mut self, key: &Key<T>, value: &T) -> Result<(), StoreError> {
        self.put(key, value, Condition::Always, UNCONDITIONAL)
    }

    /// Adds the next version of an entity that was read with `version`.
    ///
    /// A conflict if it was changed since, not found if it was deleted.
    pub fn replace<T: Entity>(&mut self, key: &Key<T>, next: &T, version: u64) -> Result<(), StoreError> {
        self.replace_or(key, next, version, Failure::NotFound)
    }

    /// Adds the next version of an entity; a conflict if it was changed or deleted.
    pub fn replace_or_retry<T: Entity>(&mut self, key: &Key<T>, next: &T, version: u64) -> Result<(), StoreError> {
        self.replace_or(key, next, version, Failure::Conflict)
    }

    /// Adds the next version of an entity; `on_missing` if it was deleted.
    pub fn replace_or<T: Entity>(
        &mut self,
        key: &Key<T>,
        next: &T,
        version: u64,
        on_missing: Failure,
    ) -> Result<(), StoreError> {
        let on_failed = OnFailed::exists_or(Failure::Conflict, on_missing);
        self.put(key, next, Condition::version(version), on_failed)
    }

    /// Adds the deletion of an entity that was read with `version`.
    ///
    /// A conflict if it was changed since, not found if it was deleted.
    pub fn delete<T: Entity>(&mut self, key: &Key<T>, version: u64) -> Result<(), StoreError> {
        let on_failed = OnFailed::exists_or(Failure::Conflict, Failure::NotFound);
        self.delete_if(key, Condition::version(version), on_failed)
    }

    /// Adds the deletion of an item that may no longer exist.
    pub fn remove<T: Entity>(&mut self, key: &Key<T>) -> Result<(), StoreError> {
        self.delete_if(key, Condition::Always, UNCONDITIONAL)
    }

    /// Adds the condition that an item exists, once for each item.
    pub fn require<T: Entity>(&mut self, key: &Key<T>, on_missing: impl Into<Failure>) -> Result<(), StoreError> {
        if !self.required.insert((key.pk.clone(), key.sk.clone())) {
            return Ok(());
        }
        self.check(key, Condition::Exists, on_missing)
    }

    /// Adds an addition to a number of an item, without a condition.
    pub fn increment<T: Entity>(&mut self, key: &Key<T>, field: &str, by: i64) -> Result<(), StoreError> {
        self.update(key, Update::default().add(field, by), Condition::Always, UNCONDITIONAL)
    }

    /// Adds to the child count of a scope; not found if the scope does not exist.
    ///
    /// Several additions to one count are one part.
    pub(super) fn add_children(&mut self, count: &Key<ChildCount>, by: i64) -> Result<(), StoreError> {
        let known = self.counted.get(&count.pk).copied();
        let total = by + known.map_or(0, |(_, earlier)| earlier);
        self.update(count, Update::default().add("n", total), Condition::Exists, Failure::NotFound)?;
        let index = match known {
            Some((index, _)) => {
                self.parts.swap_remove(index);
                self.meanings.pop();
                index
            }
            None => self.parts.len() - 1,
        };
        self.counted.insert(count.pk.clone(), (index, total));
        Ok(())
    }

    /// Commits the transaction. Without parts it makes no call.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self { store, parts, meanings, required: _, counted: _ } = self;
        if parts.is_empty() {
            return Ok(());
        }
        let mut backoff = Backoff::new(store.budget.deadline());
        let mut token = Uuid::new_v4();
        loop {
            match attempt(&store, &parts, token).await? {
                Outcome::Done => return Ok(()),
                Outcome::Cancelled(reasons) => return Err(explain(meanings, reasons)),
                Outcome::Contended => token = Uuid::new_v4(),
                // The transaction may still succeed. With another token, it could take effect twice.
                Outcome::InProgress => {}
            }
            if !backoff.pause().await {
                return Err(StoreError::unavailable(NoAnswer::Contended));
            }
        }
    }

    fn add(
        &mut self,
        part: Result<TransactWriteItem, BuildError>,
        on_failed: impl Into<OnFailed>,
    ) -> Result<(), StoreError> {
        self.parts.push(part.map_err(StoreError::internal)?);
        self.meanings.push(on_failed.into());
        Ok(())
    }
}

const UNCONDITIONAL: Failure = Failure::Unexpected("a part without a condition failed");

/// `None` for an empty map of placeholders, which DynamoDB rejects.
fn non_empty<K, V>(map: HashMap<K, V>) -> Option<HashMap<K, V>> {
    (!map.is_empty()).then_some(map)
}

enum Outcome {
    Done,
    /// At least one condition failed: the reasons, one for each part, in order.
    Cancelled(Vec<CancellationReason>),
    /// Nothing was written: another transaction changed the items, or throttling.
    Contended,
    /// An earlier attempt at this transaction is still in progress.
    ///
    /// The response was lost.
    InProgress,
}

/// One TransactWriteItems.
///
/// All attempts with the same token, including the retries of the SDK, take effect once: after a lost response,
/// the next attempt does not write again.
async fn attempt(store: &Store, parts: &[TransactWriteItem], token: Uuid) -> Result<Outcome, StoreError> {
    let request = store
        .client
        .transact_write_items()
        .set_transact_items(Some(parts.to_vec()))
        .client_request_token(token.to_string())
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    store.budget.count_round_trip();
    match in_time(store.budget.deadline(), Box::pin(request.send())).await? {
        Ok(response) => {
            store.budget.count_write(response.consumed_capacity());
            Ok(Outcome::Done)
        }
        Err(error) => outcome_of(&error),
    }
}

/// Distinguishes failed conditions from collisions with other transactions.
fn outcome_of(error: &SdkError<TransactWriteItemsError>) -> Result<Outcome, StoreError> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = cancelled.cancellation_reasons();
            let only_conditions =
                reasons.iter().all(|reason| matches!(reason.code(), None | Some("None" | CONDITION_FAILED)));
            // If a part could not be evaluated, the results of the others may be incomplete: retry the whole.
            if only_conditions && !reasons.is_empty() {
                Ok(Outcome::Cancelled(reasons.to_vec()))
            } else if reasons.iter().any(|reason| reason.code() == Some("ValidationError")) {
                Err(StoreError::internal("a part of a transaction is not valid"))
            } else {
                Ok(Outcome::Contended)
            }
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => Ok(Outcome::InProgress),
        _ => Err(store_error(error)),
    }
}

const CONDITION_FAILED: &str = "ConditionalCheckFailed";

fn explain(meanings: Vec<OnFailed>, reasons: Vec<CancellationReason>) -> StoreError {
    let failed = meanings.into_iter().zip(reasons).filter(|(_, reason)| reason.code() == Some(CONDITION_FAILED));
    let failures: Result<_, _> = failed.map(|(OnFailed(meaning), reason)| meaning(reason.item)).collect();
    failures.map_or_else(|error| error, StoreError::of_failures)
}
