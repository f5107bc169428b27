//! Deals: pipelines and their stages, deals, their notes and their history.

#[cfg(test)]
pub(crate) mod data_model;
mod deal;
pub mod jobs;
mod keys;
mod note;
mod pipeline;
pub mod position;
pub mod repository;
pub mod stage_deletion;
mod stage_totals;

pub use deal::{Deal, DealChange, DealFields, DealStatus, FieldChange};
pub use note::{Note, NoteFields};
pub use pipeline::{DefaultPipeline, Pipeline, PipelineFields, Stage, StageFields, StageIndex};
pub use stage_totals::{CurrencyTotal, StageTotals, StageTotalsChange, StageTotalsChanges};

use crate::value::Id;

/// A deal's id.
pub type DealId = Id<Deal>;
/// A note's id.
pub type NoteId = Id<Note>;
/// A pipeline's id.
pub type PipelineId = Id<Pipeline>;
/// A stage's id.
pub type StageId = Id<Stage>;
