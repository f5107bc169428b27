use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, InTenant};
use crate::auth::TenantScope;
use crate::value::{Name, ValidationErrors};

/// A marketing agency: holds clients.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = AgencyFields)]
pub struct Agency {
    /// What it is called.
    #[schema(example = "Bright Ideas")]
    pub name: Name,
}

impl Fields for Agency {
    const NAME: &'static str = "Agency";
    type Scope = TenantScope;
    type Parent = InTenant;
}
