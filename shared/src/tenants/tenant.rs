use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::PlatformScope;
use crate::table::{Fields, OnPlatform};
use crate::value::{Host, Name, ValidationErrors, marker};

/// A customer of the platform, which has agencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = TenantFields, example = json!({ "name": "Northwind Group", "domain": "northwind.example" }))]
pub struct Tenant {
    /// The name.
    #[schema(example = "Northwind Group")]
    pub name: Name,
    /// The tenant's domain, for information only.
    #[deserr(default)]
    #[schema(example = "northwind.example")]
    pub domain: Option<Host>,
}

impl Fields for Tenant {
    const NAME: &'static str = "Tenant";
    type Marker = marker::Tenant;
    type Scope = PlatformScope;
    type Parent = OnPlatform;
}
