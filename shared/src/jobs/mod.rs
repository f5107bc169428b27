//! Jobs: work that does not fit into one request.
//!
//! A job is an item with a type and a payload, written in the transaction that accepts it. The jobs function
//! runs it in bounded, idempotent steps, triggered by the table's stream and every minute by the index of due
//! items. A crash repeats at most one step.

mod cascade;
#[cfg(test)]
pub(crate) mod data_model;
mod job;
mod lease;
mod registry;
mod runner;
mod trigger;
mod turns;

pub use cascade::{CascadeDelete, OwnedItem};
pub use job::{Job, JobContext, JobItem, JobOutcome, Payload, enqueue};
pub use lease::{commit_leased, delete_leased, save_leased};
pub use registry::JobRegistry;
pub use runner::JobRunner;
pub use trigger::Trigger;
