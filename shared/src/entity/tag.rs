use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContactId, Fields, InClient};
use crate::auth::ClientScope;
use crate::value::{Text, ValidationErrors};

/// A tag's name.
pub type TagName = Text<100>;

/// A label for contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ContactTagFields)]
pub struct Tag {
    /// Unique within the client, whatever its case.
    #[schema(example = "newsletter")]
    pub name: TagName,
    /// For display.
    #[deserr(default)]
    #[schema(example = "#2f855a")]
    pub color: Option<Text<32>>,
}

impl Fields for Tag {
    const NAME: &'static str = "ContactTag";
    type Scope = ClientScope;
    type Parent = InClient;
}

/// That a contact has a tag, which the row's partition says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tagged {
    /// Who.
    pub owner: ContactId,
}
