//! Tags, and their assignments to contacts.

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::contacts::ContactId;
use crate::identity::ClientScope;
use crate::table::{Fields, InClient};
use crate::value::{Text, ValidationErrors};

/// A tag's name.
pub type TagName = Text<100>;

/// A label of contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ContactTagFields, example = json!({ "name": "newsletter", "color": "#2f855a" }))]
pub struct Tag {
    /// Name; unique within the client, regardless of case.
    #[schema(example = "newsletter")]
    pub name: TagName,
    /// Color for display, in any notation.
    #[deserr(default)]
    #[schema(example = "#2f855a")]
    pub color: Option<Text<32>>,
}

impl Fields for Tag {
    const NAME: &'static str = "ContactTag";
    type Marker = Self;
    type Scope = ClientScope;
    type Parent = InClient;
}

/// The assignment of a tag to a contact. The tag is in the item's partition key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TagAssignment {
    /// The contact.
    pub owner: ContactId,
}
