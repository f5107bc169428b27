//! The jobs of the module.

use serde::{Deserialize, Serialize};

use super::stage_deletion;
use super::{DealId, PipelineId, StageId};
use crate::jobs::{CascadeDelete, Job, JobContext, JobOutcome, JobRegistry};
use crate::users::UserId;
use crate::web::Result;

/// Registers the jobs of the module.
pub fn register(registry: &mut JobRegistry) {
    registry.register::<MoveDeals>();
    registry.register::<DeleteDealChildren>();
}

/// Moves all deals of a stage or a pipeline to another stage, then deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveDeals {
    /// The pipeline.
    pub pipeline: PipelineId,
    /// The stage to delete; without it, the whole pipeline is deleted.
    pub stage: Option<StageId>,
    /// The stage that the deals are moved to.
    pub to: StageId,
    /// The user who requested the deletion.
    pub by: UserId,
}

/// Deletes the notes and the history of a deleted deal.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteDealChildren {
    /// The deal.
    pub deal: DealId,
}

impl Job for MoveDeals {
    const NAME: &'static str = "moveDeals";

    async fn step(&self, context: &JobContext<'_>) -> Result<JobOutcome> {
        stage_deletion::move_deals(context, self).await
    }
}

impl Job for DeleteDealChildren {
    const NAME: &'static str = "deleteDealChildren";

    async fn step(&self, context: &JobContext<'_>) -> Result<JobOutcome> {
        CascadeDelete::step(context.app, context.client.deal_children(self.deal)).await
    }
}
