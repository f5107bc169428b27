use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, OnPlatform};
use crate::auth::PlatformScope;
use crate::value::{Host, Name, ValidationErrors};

/// A customer of the platform: holds agencies.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = TenantFields)]
pub struct Tenant {
    /// What it is called.
    #[schema(example = "Northwind Group")]
    pub name: Name,
    /// The domain that it is known by.
    #[deserr(default)]
    #[schema(example = "northwind.example")]
    pub domain: Option<Host>,
}

impl Fields for Tenant {
    const NAME: &'static str = "Tenant";
    type Scope = PlatformScope;
    type Parent = OnPlatform;
}
