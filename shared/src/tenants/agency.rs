use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::TenantScope;
use crate::table::{Fields, InTenant};
use crate::value::{Name, ValidationErrors, marker};

/// A marketing agency, which has clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = AgencyFields, example = json!({ "name": "Bright Ideas" }))]
pub struct Agency {
    /// The name.
    #[schema(example = "Bright Ideas")]
    pub name: Name,
}

impl Fields for Agency {
    const NAME: &'static str = "Agency";
    type Marker = marker::Agency;
    type Scope = TenantScope;
    type Parent = InTenant;
}
