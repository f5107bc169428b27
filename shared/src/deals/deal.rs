use deserr::Deserr;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;

use crate::contacts::{ContactId, ContactReference};
use crate::deals::{DealId, PipelineId, StageId};
use crate::identity::ClientId;
use crate::table::{Meta, Versioned};
use crate::users::UserId;
use crate::value::{Amount, Currency, Date, Instant, InvalidValue, Name, Rank, ValidationErrors, enum_value};

/// A sales opportunity, optionally linked to a contact.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deal {
    /// The id.
    pub id: DealId,
    /// The client that the deal belongs to.
    pub client_id: ClientId,
    /// The fields that users write.
    #[serde(flatten)]
    pub fields: DealFields,
    /// The position among the deals of the same status in the stage.
    ///
    /// Positions sort as strings.
    pub position: Rank,
    /// The time at which the deal was won or lost; `null` while it is open.
    #[schema(required)]
    pub closed_at: Option<Instant>,
    /// The version and the times.
    #[serde(flatten)]
    pub meta: Meta,
    /// A deleted contact that is hidden until a job removes the reference.
    #[serde(skip)]
    hidden: Option<ContactId>,
}

/// The fields of a deal that users write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "title": "Catering for the summer party",
    "value": 1250.5,
    "currency": "EUR",
    "assignedToId": null,
    "contactId": null,
    "status": "OPEN",
    "lostReason": null,
    "expectedCloseDate": "2026-09-30"
}))]
pub struct DealFields {
    /// The subject of the deal.
    #[schema(example = "Catering for the summer party")]
    pub title: Name,
    /// The value: at least 0, with at most as many decimals as the currency has.
    #[deserr(default)]
    #[schema(required)]
    pub value: Option<Amount>,
    /// The currency of the value (ISO 4217). Default: the client's currency.
    #[schema(required = false)]
    pub currency: Currency,
    /// The stage.
    pub stage_id: StageId,
    /// The pipeline of the stage.
    pub pipeline_id: PipelineId,
    /// The user who is assigned to the deal.
    ///
    /// An active or invited user with access to this client.
    #[deserr(default)]
    #[schema(required)]
    pub assigned_to_id: Option<UserId>,
    /// The contact of the deal: a contact of this client.
    #[deserr(default)]
    #[schema(required)]
    pub contact_id: Option<ContactId>,
    /// The status.
    pub status: DealStatus,
    /// The reason for the loss.
    ///
    /// Only for deals with the status `LOST`.
    #[deserr(default)]
    #[schema(required)]
    pub lost_reason: Option<Name>,
    /// The date on which the deal is expected to be won or lost.
    #[deserr(default)]
    #[schema(required)]
    pub expected_close_date: Option<Date>,
}

/// The status of a deal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, EnumString, VariantNames)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum DealStatus {
    /// Open.
    #[default]
    Open,
    /// Won.
    Won,
    /// Lost.
    Lost,
}

enum_value!(DealStatus);

impl DealFields {
    /// Checks the fields that depend on each other.
    ///
    /// The currency limits the decimals of the value, and only a lost deal has a reason for the loss.
    pub fn check(&self) -> Result<(), ValidationErrors> {
        Self::check_values(self.value, self.currency, self.status, self.lost_reason.as_ref())
    }

    /// Checks these fields before the other fields are determined.
    pub fn check_values(
        value: Option<Amount>,
        currency: Currency,
        status: DealStatus,
        lost_reason: Option<&Name>,
    ) -> Result<(), ValidationErrors> {
        let value = value.and_then(|value| value.fits(currency).err());
        let reason = lost_reason
            .filter(|_| status != DealStatus::Lost)
            .map(|_| InvalidValue::new("not_lost", "must be absent unless the status is LOST"));
        let errors = [("/value", value), ("/lostReason", reason)].into_iter();
        let errors = errors.filter_map(|(pointer, error)| Some(ValidationErrors::field(pointer, error?)));
        errors.reduce(ValidationErrors::and).map_or(Ok(()), Err)
    }

    /// The fields that the history of a deal records, by name.
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

    /// The next version with these fields and at this position, or the current version if both are the same.
    ///
    /// `closed_at` changes with the status.
    #[must_use]
    pub fn changed(&self, fields: DealFields, position: Rank, now: Instant) -> Self {
        let closed_at = match (fields.status, fields.status == self.fields.status) {
            (_, true) => self.closed_at,
            (DealStatus::Open, false) => None,
            (DealStatus::Won | DealStatus::Lost, false) => Some(now),
        };
        let meta = self.meta.changed_if(fields != self.fields || position != self.position, now);
        Self { id: self.id, client_id: self.client_id, fields, position, closed_at, meta, hidden: self.hidden }
    }

    /// The next version without a contact.
    #[must_use]
    pub fn without_contact(&self, now: Instant) -> Self {
        let fields = DealFields { contact_id: None, ..self.fields.clone() };
        self.changed(fields, self.position.clone(), now)
    }

    /// The next version without an assignee.
    #[must_use]
    pub fn without_assignee(&self, now: Instant) -> Self {
        let fields = DealFields { assigned_to_id: None, ..self.fields.clone() };
        self.changed(fields, self.position.clone(), now)
    }
}

impl Versioned for Deal {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl ContactReference for Deal {
    fn contact(&self) -> Option<ContactId> {
        self.fields.contact_id
    }

    fn hidden_contact(&self) -> Option<ContactId> {
        self.hidden
    }

    fn version(&self) -> u64 {
        self.meta.version
    }

    fn contact_fields(&mut self) -> (&mut Option<ContactId>, &mut Option<ContactId>, &mut Meta) {
        (&mut self.fields.contact_id, &mut self.hidden, &mut self.meta)
    }
}

/// A change of a deal: of its stage, status, value, currency or assignee.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DealChange {
    /// The version of the deal after the change.
    #[schema(minimum = 1)]
    pub version: u64,
    /// The time of the change.
    pub changed_at: Instant,
    /// The user who made the change; `null` for a visitor of the client's website.
    #[schema(required)]
    pub changed_by_id: Option<UserId>,
    /// The changed fields.
    ///
    /// Before the creation of a deal, all fields are `null`.
    pub changes: Vec<FieldChange>,
}

/// The values of one field before and after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// The name of the field.
    ///
    /// One of `stageId`, `status`, `value`, `currency` and `assignedToId`.
    #[schema(example = "status")]
    pub field: String,
    /// The value before the change.
    #[schema(example = json!("OPEN"))]
    pub from: Value,
    /// The value after the change.
    #[schema(example = json!("WON"))]
    pub to: Value,
}

impl DealChange {
    /// The change from one version of a deal to the next, or its creation.
    ///
    /// `None` if no recorded field changed.
    pub(super) fn between(before: Option<&Deal>, after: &Deal, by: Option<UserId>) -> Option<Self> {
        let values = |deal: &Deal| deal.fields.history_fields().map(|(_, value)| value);
        let before = before.map(values).unwrap_or_default();
        let changes = before.into_iter().zip(after.fields.history_fields()).filter(|(from, (_, to))| from != to);
        let changes = changes.map(|(from, (field, to))| FieldChange { field: field.to_owned(), from, to });
        let changes: Vec<_> = changes.collect();
        let Meta { version, updated_at, .. } = after.meta;
        (!changes.is_empty()).then_some(Self { version, changed_at: updated_at, changed_by_id: by, changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::assert_names_agree;

    #[test]
    fn status_names_agree() {
        assert_names_agree::<DealStatus>();
    }
}
