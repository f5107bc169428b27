use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::deals::{DealId, NoteId};
use crate::identity::ClientId;
use crate::table::{Meta, Versioned};
use crate::users::UserId;
use crate::value::{Instant, MultilineText, ValidationErrors};

/// A note on a deal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The id.
    pub id: NoteId,
    /// The client that the note belongs to.
    pub client_id: ClientId,
    /// The deal.
    pub deal_id: DealId,
    /// The author: the user who created the note; `null` for a visitor of the client's website.
    #[schema(required)]
    pub author_id: Option<UserId>,
    /// The fields that users write.
    #[serde(flatten)]
    pub fields: NoteFields,
    /// The version and the times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The fields of a note that users write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({ "content": "Wants an offer by Friday." }))]
pub struct NoteFields {
    /// The text.
    #[schema(example = "Wants an offer by Friday.")]
    pub content: MultilineText<10_000>,
}

impl Note {
    /// The next version with these fields, or the current version if they are the same.
    #[must_use]
    pub fn changed(&self, fields: NoteFields, now: Instant) -> Self {
        let meta = self.meta.changed_if(fields != self.fields, now);
        Self { fields, meta, ..self.clone() }
    }
}

impl Versioned for Note {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}
