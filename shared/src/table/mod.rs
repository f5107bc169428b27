//! DynamoDB in types: keys, entities, reads and transactions.
//!
//! This layer knows neither HTTP nor any feature. Items are typed, a [`Key`] is where an item is stored, and
//! only a scope makes a key. A failure is a [`StoreError`], which says what the failed condition means.

mod batch;
mod budget;
mod condition;
#[cfg(test)]
pub(crate) mod data_model;
mod entity;
mod error;
mod key;
mod query;
mod record;
mod scope_items;
mod store;
mod transaction;
mod turns;

pub use batch::{BatchItems, BatchKeys, MAX_BATCH};
pub use budget::Budget;
pub use condition::{Condition, Operand, Update};
pub use entity::{Entity, Layout, Meta, Versioned};
pub use error::{Failure, Retryable, StoreError};
pub(crate) use key::{Bounds, GSI1, GSI2, GSI3, GSI4, GSI5, SEPARATOR, ShardBy, key_text};
pub use key::{DueQueue, Index, IndexKey, Key, KeyPart, List, Partition, Scope};
pub use query::{Order, Position, QueryResult};
pub use record::{Fields, InAgency, InClient, InTenant, OnPlatform, Record};
pub use scope_items::{ChildCount, ScopePointer, UniqueConstraint, child_count};
pub(crate) use scope_items::{agency_pointer, client_pointer};
pub use store::{DUE_PER_SHARD, Store};
pub use transaction::{MAX_PARTS, OnFailed, Transaction};
pub(crate) use turns::in_turns;
