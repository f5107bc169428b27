//! Leases: one worker at a time processes an item.
//!
//! The number of attempts in the item identifies the current lease.

use crate::table::{Condition, Entity, Failure, Key, StoreError, Transaction};

/// Another worker has acquired a later lease.
#[derive(Debug, thiserror::Error)]
#[error("another worker has acquired a lease")]
struct LeaseLost;

/// Adds a write of an item, if the stored item has had `attempts` leases.
pub fn save_leased<T: Entity>(
    transaction: &mut Transaction,
    key: &Key<T>,
    item: &T,
    attempts: u64,
) -> Result<(), StoreError> {
    transaction.put(key, item, Condition::equal("attempts", attempts), Failure::from(LeaseLost))
}

/// Adds the deletion of an item, if it has had `attempts` leases.
pub fn delete_leased<T: Entity>(transaction: &mut Transaction, key: &Key<T>, attempts: u64) -> Result<(), StoreError> {
    transaction.delete_if(key, Condition::equal("attempts", attempts), Failure::from(LeaseLost))
}

/// Commits a transaction with a leased item.
///
/// False if another worker has acquired a lease.
pub async fn commit_leased(transaction: Transaction) -> Result<bool, StoreError> {
    match transaction.commit().await {
        Ok(()) => Ok(true),
        Err(StoreError::Rejected(reasons)) if reasons.iter().any(|reason| reason.is::<LeaseLost>()) => Ok(false),
        Err(error) => Err(error),
    }
}
