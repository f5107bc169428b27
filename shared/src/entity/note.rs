use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DealId, Meta, NoteId, UserId};
use crate::auth::ClientId;
use crate::value::{Instant, MultilineText, ValidationErrors};

/// What somebody wrote down of a deal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Its id.
    pub id: NoteId,
    /// Whose it is.
    pub client_id: ClientId,
    /// The deal.
    pub deal_id: DealId,
    /// The user who wrote it.
    pub author_id: UserId,
    /// What its users write.
    #[serde(flatten)]
    pub fields: NoteFields,
    /// Its version and times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The fields of a note that its users write.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct NoteFields {
    /// The text.
    #[schema(example = "Wants an offer by Friday.")]
    pub content: MultilineText<10_000>,
}

impl Note {
    /// The same note with another text, changed now.
    #[must_use]
    pub fn changed(&self, fields: NoteFields, now: Instant) -> Self {
        Self { fields, meta: self.meta.changed(now), ..self.clone() }
    }
}
