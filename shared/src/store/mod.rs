//! The typed table: what goes in and out is a type, where it lies is a [`Key`], and a scope made the key.
//!
//! A read of one row is one GetItem, a list one Query, a change one TransactWriteItems. Reads of the base table are strongly
//! consistent: whoever got a `201` finds what they created.

mod batch;
mod failure;
mod item;
mod query;
mod tally;
mod transaction;
mod uses;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use axum::extract::FromRequestParts;
use lambda_http::http::request::Parts;

pub use batch::{BatchItems, BatchKeys, MAX_BATCH};
pub use item::Item;
pub use query::{Order, Position, Rows};
pub use transaction::{MAX_PARTS, Transaction};

use crate::http::answer::Versioned;
use crate::http::precondition::IfMatch;
use crate::http::trace::RequestContext;
use crate::keys::{self, DUE, DueQueue, Key};
use crate::value::Instant;
use crate::{App, Problem, Result};
use failure::{Wait, in_time};
use item::{decode, key_attributes, text};

/// How often a change is decided anew when somebody else's came between its read and its write.
const MAX_DECISIONS: u32 = 24;

/// The table, as one request uses it: what it consumes goes to the request's trace, and the request's deadline is its own.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: Arc<str>,
    trace: RequestContext,
}

impl FromRequestParts<App> for Store {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Ok(app.store(RequestContext::of(parts)))
    }
}

impl Store {
    pub(crate) fn new(client: Client, table: Arc<str>, trace: RequestContext) -> Self {
        Self { client, table, trace }
    }

    /// Reads one row: one GetItem.
    pub async fn get<T: Item>(&self, key: &Key<T>) -> Result<Option<T>> {
        let request = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(key_attributes(key)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        self.trace.cost().round_trip();
        let answer = in_time(self.trace.deadline(), Box::pin(request.send())).await?;
        self.trace.cost().read(answer.consumed_capacity());
        answer.item.map(|item| decode(item, &key.pk)).transpose()
    }

    /// Reads two rows that are expected, at the same time: 404 without either. Both are always read, so that it costs the same
    /// whichever is missing.
    pub async fn find_both<A: Item, B: Item>(&self, a: &Key<A>, b: &Key<B>) -> Result<(A, B)> {
        let (a, b) = tokio::join!(self.find(a), self.find(b));
        Ok((a?, b?))
    }

    /// Reads one row that is expected: 404 without it.
    pub async fn find<T: Item>(&self, key: &Key<T>) -> Result<T> {
        self.get(key).await?.ok_or_else(Problem::not_found)
    }

    /// The keys of at most `limit` rows of an agenda that are due at `now`, the longest due first: one Query of the index,
    /// which follows the table within moments.
    pub async fn due<T>(&self, agenda: &DueQueue<T>, now: Instant, limit: i32) -> Result<Vec<Key<T>>> {
        // Sort keys are an instant, `#` and an id; `$` is the next character after `#`.
        let request = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(DUE.name)
            .key_condition_expression(format!("{} = :pk AND {} < :after", DUE.pk, DUE.sk))
            .expression_attribute_values(":pk", AttributeValue::S(agenda.pk.to_owned()))
            .expression_attribute_values(":after", AttributeValue::S(format!("{now}$")))
            .limit(limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        self.trace.cost().round_trip();
        let answer = in_time(self.trace.deadline(), Box::pin(request.send())).await?;
        self.trace.cost().read(answer.consumed_capacity());
        let keys = answer.items.unwrap_or_default().into_iter();
        Ok(keys.filter_map(|row| agenda.row(text(&row, "pk")?, text(&row, "sk")?)).collect())
    }

    /// The same table for a further step of long work, with a deadline that is counted from now.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self { trace: self.trace.renewed(), ..self.clone() }
    }

    /// A transaction to fill and to commit.
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.clone())
    }

    /// Changes an entity: reads it, lets `decide` make the next version and add what must change with it, and writes all of
    /// it if the entity is still the one that was read. A caller without `If-Match` does not mind another's change in
    /// between: then it is decided anew.
    pub async fn update<T: Item + Versioned>(
        &self,
        key: Key<T>,
        if_match: &IfMatch,
        decide: impl Fn(&T, &mut Transaction) -> Result<T>,
    ) -> Result<T> {
        self.change(&key, if_match, |current, transaction| {
            let next = decide(current, transaction)?;
            transaction.replace(&key, &next, current.meta().version)?;
            Ok(next)
        })
        .await
    }

    /// Deletes an entity in the same way; `decide` adds what must go with it.
    pub async fn delete<T: Item + Versioned>(
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

    async fn change<T: Item + Versioned, D>(
        &self,
        key: &Key<T>,
        if_match: &IfMatch,
        decide: impl Fn(&T, &mut Transaction) -> Result<D>,
    ) -> Result<D> {
        let read = || self.find(key);
        self.decide(read, |current, transaction| {
            if_match.check(current.meta().version)?;
            decide(current, transaction)
        })
        .await
    }

    /// Reads, decides on what was read, and commits the decision; reads and decides anew when the transaction finds (412) that
    /// what was read is no longer so.
    pub async fn decide<R, D, F: Future<Output = Result<R>>>(
        &self,
        read: impl Fn() -> F,
        decide: impl Fn(&R, &mut Transaction) -> Result<D>,
    ) -> Result<D> {
        self.decide_from(None, read, decide).await
    }

    /// The same for a caller who may have read already.
    pub async fn decide_from<R, D, F: Future<Output = Result<R>>>(
        &self,
        mut known: Option<R>,
        read: impl Fn() -> F,
        decide: impl Fn(&R, &mut Transaction) -> Result<D>,
    ) -> Result<D> {
        let (read, decide) = (&read, &decide);
        self.settle(move || {
            let known = known.take();
            async move {
                let current = known_or(known, read()).await?;
                let mut transaction = self.transaction();
                let decided = decide(&current, &mut transaction)?;
                transaction.commit().await.map(|()| decided)
            }
        })
        .await
    }

    /// Tries a change again as long as others change the same (412).
    pub(crate) async fn settle<T, F: Future<Output = Result<T>>>(&self, mut attempt: impl FnMut() -> F) -> Result<T> {
        let mut wait = Wait::new(self.trace.deadline());
        for _ in 0..MAX_DECISIONS {
            match attempt().await {
                Err(problem) if problem.is_stale() => {}
                settled => return settled,
            }
            if !wait.again().await {
                break;
            }
        }
        let detail = "The resource is being changed by others at the same time. Read it again and retry.";
        Err(Problem::conflict("concurrent_change", detail))
    }

    /// Whether the table answers; also opens the connection that the first request then finds open.
    pub async fn ping(&self) -> Result<()> {
        self.get(&keys::health()).await.map(|_| ())
    }
}

/// What is known already, else what is read.
pub(crate) async fn known_or<R>(known: Option<R>, read: impl Future<Output = Result<R>>) -> Result<R> {
    match known {
        Some(known) => Ok(known),
        None => read.await,
    }
}
