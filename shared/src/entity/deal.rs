use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContactId, DealId, Meta, PipelineId, StageId, UserId};
use crate::auth::ClientId;
use crate::value::{Amount, Currency, Instant, Name};

/// What a client hopes to sell, to a contact if it is known to whom.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deal {
    /// Its id.
    pub id: DealId,
    /// Whose it is.
    pub client_id: ClientId,
    /// What it is about.
    pub title: Name,
    /// What it is worth.
    #[schema(required)]
    pub value: Option<Amount>,
    /// In what.
    pub currency: Currency,
    /// Where in its pipeline it stands.
    pub stage_id: StageId,
    /// The pipeline.
    pub pipeline_id: PipelineId,
    /// The user who works on it.
    #[schema(required)]
    pub assigned_to_id: Option<UserId>,
    /// With whom it is made.
    #[schema(required)]
    pub contact_id: Option<ContactId>,
    /// Whether it is decided.
    pub status: DealStatus,
    /// Why it was lost.
    #[schema(required)]
    pub lost_reason: Option<Name>,
    /// When it is expected to be decided.
    #[schema(required)]
    pub expected_close_date: Option<NaiveDate>,
    /// Its order within its stage.
    pub position: String,
    /// When it was decided.
    #[schema(required)]
    pub closed_at: Option<Instant>,
    /// Its version and times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// How deals go from the first word to the last.
pub enum Pipeline {}

/// A step of a pipeline.
pub enum Stage {}

/// Whether a deal is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DealStatus {
    /// It is not.
    Open,
    /// For us.
    Won,
    /// Against us.
    Lost,
}

impl Deal {
    /// The same deal, made with nobody who is known.
    #[must_use]
    pub fn without_contact(&self, now: Instant) -> Self {
        Self { contact_id: None, meta: self.meta.changed(now), ..self.clone() }
    }
}
