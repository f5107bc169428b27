//! Changes of one entity, guarded by the version in `If-Match`.

use super::Result;
use super::precondition::IfMatch;
use crate::table::{Entity, Key, Store, Transaction, Versioned};

impl Store {
    /// Updates an entity with the next version that `decide` makes.
    ///
    /// Reads the entity, calls `decide` to make its next version and to add other parts to the transaction, and
    /// commits on condition that the version has not changed. After a concurrent change it reads and decides
    /// again; with `If-Match`, the result is then 412. If `decide` returns the current version, the entity is not
    /// written.
    pub async fn update<T: Entity + Versioned>(
        &self,
        key: Key<T>,
        if_match: &IfMatch,
        decide: impl Fn(&T, &mut Transaction) -> Result<T>,
    ) -> Result<T> {
        self.change(&key, if_match, |current, transaction| {
            let next = decide(current, transaction)?;
            if next.meta().version != current.meta().version {
                transaction.replace(&key, &next, current.meta().version)?;
            }
            Ok(next)
        })
        .await
    }

    /// Deletes an entity; `decide` adds other parts to the transaction.
    ///
    /// Retries as [`update`](Self::update) does.
    pub async fn delete<T: Entity + Versioned>(
        &self,
        key: Key<T>,
        if_match: &IfMatch,
        decide: impl Fn(&T, &mut Transaction) -> Result<()>,
    ) -> Result<()> {
        self.change(&key, if_match, |current, transaction| {
            transaction.delete(&key, current.meta().version)?;
            decide(current, transaction)
        })
        .await
    }

    async fn change<T: Entity + Versioned, D>(
        &self,
        key: &Key<T>,
        if_match: &IfMatch,
        decide: impl Fn(&T, &mut Transaction) -> Result<D>,
    ) -> Result<D> {
        let decide = |current: &T, transaction: &mut Transaction| {
            if_match.check(current.meta().version)?;
            decide(current, transaction)
        };
        self.retry_on_conflict(async || Ok(self.find(key).await?), decide).await
    }
}
