use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, InClient};
use crate::auth::ClientScope;
use crate::value::{Invalid, Text};

/// A label for contacts.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = Invalid, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ContactTagFields)]
pub struct Tag {
    /// Unique within the client, whatever its case.
    pub name: Text<100>,
    /// For display.
    #[deserr(default)]
    pub color: Option<Text<32>>,
}

impl Fields for Tag {
    const NAME: &'static str = "ContactTag";
    type Scope = ClientScope;
    type Parent = InClient;
}
