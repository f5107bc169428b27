use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Meta, PipelineId, StageId};
use crate::auth::ClientId;
use crate::value::{Instant, Name, Percent, ValidationErrors};

/// How deals go from the first word to the last.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pipeline {
    /// Its id.
    pub id: PipelineId,
    /// Whose it is.
    pub client_id: ClientId,
    /// What its users write.
    #[serde(flatten)]
    pub fields: PipelineFields,
    /// Its stages, in their order.
    pub stages: Vec<Stage>,
    /// The stage to which its deals are being moved, while it is deleted.
    #[schema(required)]
    pub moves_to: Option<StageId>,
    /// Its version and times. A change of a stage is one of its pipeline.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The fields of a pipeline that its users write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct PipelineFields {
    /// What it is called.
    #[schema(example = "Sales")]
    pub name: Name,
    /// Whether deals go here unless told otherwise: true of one pipeline of a client.
    pub is_default: bool,
}

/// A step of a pipeline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its id.
    pub id: StageId,
    /// Whose it is.
    pub client_id: ClientId,
    /// Its pipeline.
    pub pipeline_id: PipelineId,
    /// What its users write.
    #[serde(flatten)]
    pub fields: StageFields,
    /// The stage to which its deals are being moved, while it is deleted. No deal comes to it any more.
    #[schema(required)]
    pub moves_to: Option<StageId>,
    /// Its version and times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The fields of a stage that its users write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct StageFields {
    /// What it is called.
    #[schema(example = "Proposal")]
    pub name: Name,
    /// How many stages of its pipeline come before it.
    #[schema(maximum = 49)]
    pub order: u8,
    /// How likely a deal is won that has come so far.
    pub probability: Percent,
}

impl Pipeline {
    /// The most stages: a transaction that makes or deletes a pipeline has a part for each, and at most 100 (a limit of DynamoDB).
    pub const MOST_STAGES: usize = 50;

    /// The most pipelines of a client: as many as one page of their list has.
    pub const MOST: u64 = 100;

    /// The stage with this id, and its place.
    pub fn stage(&self, id: StageId) -> Option<(usize, &Stage)> {
        self.stages.iter().enumerate().find(|(_, stage)| stage.id == id)
    }

    /// The same pipeline with other fields, changed now.
    #[must_use]
    pub fn changed(&self, fields: PipelineFields, now: Instant) -> Self {
        Self { fields, meta: self.meta.changed(now), ..self.clone() }
    }

    /// The same pipeline without one of its stages, changed now.
    #[must_use]
    pub fn without_stage(&self, id: StageId, now: Instant) -> Self {
        self.with_stages(self.stages.iter().filter(|stage| stage.id != id).cloned().collect(), now)
    }

    /// The same pipeline, of which one stage or all are deleted once their deals are moved.
    #[must_use]
    pub fn vacating(&self, stage: Option<StageId>, to: StageId, now: Instant) -> Self {
        let mut next = Self { meta: self.meta.changed(now), ..self.clone() };
        next.moves_to = if stage.is_none() { Some(to) } else { self.moves_to };
        for one in next.stages.iter_mut().filter(|one| stage.is_none_or(|stage| stage == one.id)) {
            one.moves_to = Some(to);
            one.meta = one.meta.changed(now);
        }
        next
    }

    /// The same pipeline with these stages in this order, changed now. A stage that has another place than before is changed, too.
    #[must_use]
    pub fn with_stages(&self, mut stages: Vec<Stage>, now: Instant) -> Self {
        for (order, stage) in (0..).zip(&mut stages) {
            if stage.fields.order != order {
                let fields = StageFields { order, ..stage.fields.clone() };
                let was = self.stage(stage.id).is_some_and(|(_, was)| was.meta.version == stage.meta.version);
                stage.meta = if was { stage.meta.changed(now) } else { stage.meta };
                stage.fields = fields;
            }
        }
        Self { stages, meta: self.meta.changed(now), ..self.clone() }
    }
}

/// Which pipeline of a client is the default one, and how many there are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultPipeline {
    /// The default one.
    pub pipeline_id: PipelineId,
    /// How many there are.
    pub n: u64,
    /// Counts the changes of this row.
    pub version: u64,
}
