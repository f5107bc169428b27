use std::str::FromStr;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{ContactId, DealId, Meta, PipelineId, StageId, UserId};
use crate::auth::ClientId;
use crate::value::{Amount, Currency, Date, Instant, InvalidValue, Name, Rank, ValidationErrors, parsed_value};

/// What a client hopes to sell, to a contact if it is known to whom.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deal {
    /// Its id.
    pub id: DealId,
    /// Whose it is.
    pub client_id: ClientId,
    /// What its users write.
    #[serde(flatten)]
    pub fields: DealFields,
    /// Its order within its stage: positions sort as texts do.
    pub position: Rank,
    /// When it was won or lost.
    #[schema(required)]
    pub closed_at: Option<Instant>,
    /// Its version and times.
    #[serde(flatten)]
    pub meta: Meta,
    /// A deleted contact without whom it is shown, and whom a job has still to take off it.
    #[serde(skip)]
    pub(crate) hidden: Option<ContactId>,
}

/// The fields of a deal that its users write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct DealFields {
    /// What it is about.
    #[schema(example = "Catering for the summer party")]
    pub title: Name,
    /// What it is worth, not below zero, with at most the decimals of its currency.
    #[deserr(default)]
    pub value: Option<Amount>,
    /// In what.
    pub currency: Currency,
    /// Where in its pipeline it stands.
    pub stage_id: StageId,
    /// The pipeline of that stage.
    pub pipeline_id: PipelineId,
    /// The user who works on it: one who may act in this client.
    #[deserr(default)]
    pub assigned_to_id: Option<UserId>,
    /// With whom it is made: a contact of this client.
    #[deserr(default)]
    pub contact_id: Option<ContactId>,
    /// Whether it is decided.
    pub status: DealStatus,
    /// Why it was lost, if it was.
    #[deserr(default)]
    pub lost_reason: Option<Name>,
    /// When it is expected to be decided.
    #[deserr(default)]
    pub expected_close_date: Option<Date>,
}

/// Whether a deal is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DealStatus {
    /// It is not.
    #[default]
    Open,
    /// For us.
    Won,
    /// Against us.
    Lost,
}

impl FromStr for DealStatus {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "OPEN" => Ok(Self::Open),
            "WON" => Ok(Self::Won),
            "LOST" => Ok(Self::Lost),
            _ => Err(InvalidValue::new("invalid_value", "must be one of OPEN, WON, LOST")),
        }
    }
}

parsed_value!([] DealStatus);

impl DealFields {
    /// What is wrong with them together: the decimals that the currency has, and a reason for what was not lost.
    pub fn check(&self) -> Result<(), ValidationErrors> {
        Self::check_of(self.value, self.currency, self.status, self.lost_reason.as_ref())
    }

    /// The same of fields that have no stage yet.
    pub fn check_of(
        value: Option<Amount>,
        currency: Currency,
        status: DealStatus,
        lost_reason: Option<&Name>,
    ) -> Result<(), ValidationErrors> {
        let value = value.and_then(|value| value.fits(currency).err());
        let reason = lost_reason
            .filter(|_| status != DealStatus::Lost)
            .map(|_| InvalidValue::new("not_lost", "is of deals that are LOST only"));
        let faults = [("/value", value), ("/lostReason", reason)].into_iter();
        let faults = faults.filter_map(|(pointer, why)| Some(ValidationErrors::field(pointer, why?)));
        faults.reduce(ValidationErrors::and).map_or(Ok(()), Err)
    }

    /// What a deal's history tells of, by name.
    fn history_fields(&self) -> [(&'static str, Value); 5] {
        let json = |value: serde_json::Result<Value>| value.unwrap_or_default();
        [
            ("stageId", json(serde_json::to_value(self.stage_id))),
            ("status", json(serde_json::to_value(self.status))),
            ("value", json(serde_json::to_value(self.value))),
            ("currency", json(serde_json::to_value(self.currency))),
            ("assignedToId", json(serde_json::to_value(self.assigned_to_id))),
        ]
    }
}

impl Deal {
    /// A new deal.
    pub fn new(id: DealId, client_id: ClientId, fields: DealFields, position: Rank, now: Instant) -> Self {
        let closed_at = (fields.status != DealStatus::Open).then_some(now);
        Self { id, client_id, fields, position, closed_at, meta: Meta::created(now), hidden: None }
    }

    /// The same deal with other fields and at another position, changed now. It is closed when its status says so anew.
    #[must_use]
    pub fn changed(&self, fields: DealFields, position: Rank, now: Instant) -> Self {
        let closed_at = match (fields.status, fields.status == self.fields.status) {
            (_, true) => self.closed_at,
            (DealStatus::Open, false) => None,
            (DealStatus::Won | DealStatus::Lost, false) => Some(now),
        };
        let meta = self.meta.changed(now);
        Self { id: self.id, client_id: self.client_id, fields, position, closed_at, meta, hidden: self.hidden }
    }

    /// The same deal, made with nobody who is known.
    #[must_use]
    pub fn without_contact(&self, now: Instant) -> Self {
        let fields = DealFields { contact_id: None, ..self.fields.clone() };
        self.changed(fields, self.position.clone(), now)
    }
}

/// What was changed of a deal at one time: its stage, its status, its value, its assignee.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DealChange {
    /// The version that the deal had then.
    #[schema(minimum = 1)]
    pub version: u64,
    /// When.
    pub changed_at: Instant,
    /// The user who did.
    pub changed_by_id: UserId,
    /// What: all of it was `null` before a deal was created.
    pub changes: Vec<FieldChange>,
}

/// One field, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// Its name: `stageId`, `status`, `value`, `currency` or `assignedToId`.
    #[schema(example = "status")]
    pub field: String,
    /// What it was.
    #[schema(example = json!("OPEN"))]
    pub from: Value,
    /// What it is from then on.
    #[schema(example = json!("WON"))]
    pub to: Value,
}

impl DealChange {
    /// From one version of a deal to the next, or to its first; `None` if nothing of this changed.
    pub(crate) fn between(before: Option<&Deal>, after: &Deal, by: UserId) -> Option<Self> {
        let was = |at: usize| before.map(|deal| deal.fields.history_fields()[at].1.clone()).unwrap_or_default();
        let told = after.fields.history_fields().into_iter().enumerate();
        let changes = told.map(|(at, (field, to))| FieldChange { field: field.to_owned(), from: was(at), to });
        let changes: Vec<_> = changes.filter(|change| change.from != change.to).collect();
        let Meta { version, updated_at, .. } = after.meta;
        (!changes.is_empty()).then_some(Self { version, changed_at: updated_at, changed_by_id: by, changes })
    }
}
