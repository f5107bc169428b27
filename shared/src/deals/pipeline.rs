use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::deals::{PipelineId, StageId};
use crate::identity::ClientId;
use crate::table::{Meta, Versioned};
use crate::value::{BoundedInt, Instant, Name, Percent, ValidationErrors};

/// A sales process with its stages.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pipeline {
    /// The id.
    pub id: PipelineId,
    /// The client that the pipeline belongs to.
    pub client_id: ClientId,
    /// The fields that users write.
    #[serde(flatten)]
    pub fields: PipelineFields,
    /// The stages in their order.
    pub stages: Vec<Stage>,
    /// The stage that the deals are moved to while the pipeline is being deleted.
    #[schema(required)]
    pub moves_to: Option<StageId>,
    /// The version and the times.
    ///
    /// A change of a stage is a change of its pipeline, too.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The fields of a pipeline that users write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({ "name": "Sales", "isDefault": true }))]
pub struct PipelineFields {
    /// The name.
    #[schema(example = "Sales")]
    pub name: Name,
    /// Whether this is the default pipeline for new deals.
    ///
    /// Each client with pipelines has exactly one.
    pub is_default: bool,
}

/// A step of a pipeline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// The id.
    pub id: StageId,
    /// The client that the stage belongs to.
    pub client_id: ClientId,
    /// The pipeline that the stage belongs to.
    pub pipeline_id: PipelineId,
    /// The fields that users write.
    #[serde(flatten)]
    pub fields: StageFields,
    /// The stage that the deals are moved to while this stage is being deleted.
    ///
    /// Meanwhile no deals are added to this stage.
    #[schema(required)]
    pub moves_to: Option<StageId>,
    /// The version and the times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The fields of a stage that users write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({ "name": "Proposal", "order": 1, "probability": 50 }))]
pub struct StageFields {
    /// The name.
    #[schema(example = "Proposal")]
    pub name: Name,
    /// The number of stages before this one in its pipeline.
    #[schema(value_type = u32, minimum = 0, maximum = 49)]
    pub order: StageIndex,
    /// The probability of winning a deal that is in this stage, in percent.
    pub probability: Percent,
}

/// The index of a stage among the stages of its pipeline.
pub type StageIndex = BoundedInt<0, 49>;

impl Pipeline {
    /// The largest number of stages of a pipeline.
    ///
    /// A transaction that creates or deletes a pipeline has a part for each stage, and at most 100 parts (a
    /// limit of DynamoDB).
    pub const MAX_STAGES: usize = 50;

    /// The largest number of pipelines of a client.
    ///
    /// One page of their list has room for all of them.
    pub const MAX_PER_CLIENT: u64 = 100;

    /// The stage with this id, and its index.
    pub fn stage(&self, id: StageId) -> Option<(usize, &Stage)> {
        self.stages.iter().enumerate().find(|(_, stage)| stage.id == id)
    }

    /// The next version with these fields, or the current version if they are the same.
    #[must_use]
    pub fn changed(&self, fields: PipelineFields, now: Instant) -> Self {
        let meta = self.meta.changed_if(fields != self.fields, now);
        Self { fields, meta, ..self.clone() }
    }

    /// The next version without one of its stages.
    #[must_use]
    pub fn without_stage(&self, id: StageId, now: Instant) -> Self {
        self.with_stages(self.stages.iter().filter(|stage| stage.id != id).cloned().collect(), now)
    }

    /// The next version, in which one stage or the whole pipeline is being deleted.
    ///
    /// The deals are moved to the stage `to`.
    #[must_use]
    pub fn in_deletion(&self, stage: Option<StageId>, to: StageId, now: Instant) -> Self {
        let mut next = Self { meta: self.meta.changed(now), ..self.clone() };
        next.moves_to = if stage.is_none() { Some(to) } else { self.moves_to };
        for stage in next.stages.iter_mut().filter(|candidate| stage.is_none_or(|id| id == candidate.id)) {
            stage.moves_to = Some(to);
            stage.meta = stage.meta.changed(now);
        }
        next
    }

    /// The next version with these stages in this order.
    ///
    /// A stage that gets another order gets a next version, too. The current version if nothing changes.
    #[must_use]
    pub fn with_stages(&self, mut stages: Vec<Stage>, now: Instant) -> Self {
        for (place, stage) in stages.iter_mut().enumerate() {
            let order = StageIndex::saturating(place);
            if stage.fields.order != order {
                // New and changed stages have their next version already.
                let current = self.stage(stage.id).map(|(_, current)| current.meta.version);
                if current == Some(stage.meta.version) {
                    stage.meta = stage.meta.changed(now);
                }
                stage.fields.order = order;
            }
        }
        let versions = |stages: &[Stage]| stages.iter().map(|stage| (stage.id, stage.meta.version)).collect::<Vec<_>>();
        let meta = self.meta.changed_if(versions(&stages) != versions(&self.stages), now);
        Self { stages, meta, ..self.clone() }
    }
}

/// The default pipeline of a client, and the number of its pipelines.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultPipeline {
    /// The default pipeline.
    pub pipeline_id: PipelineId,
    /// The number of pipelines.
    pub n: u64,
    /// Incremented by each change of this item.
    pub version: u64,
}

impl Versioned for Pipeline {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl Versioned for Stage {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_out_of_bounds_is_rejected_with_the_bounds() {
        for order in [json!(50), json!(256), json!(-1), json!(1.5), json!("1")] {
            let fields = json!({ "name": "Lead", "order": order, "probability": 10 });
            let errors = deserr::deserialize::<StageFields, _, ValidationErrors>(fields).unwrap_err().into_fields();
            assert_eq!(
                (&*errors[0].pointer, &*errors[0].detail),
                ("/order", "must be an integer from 0 to 49"),
                "{order}"
            );
        }
    }
}
