use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, InClient};
use crate::auth::ClientScope;
use crate::value::{ValidationErrors, WebDomain};

/// A domain of a client's website: where the client's widgets work, and nowhere else.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = DomainFields)]
pub struct Domain {
    /// The host, or `*.` and a host for all below it.
    pub domain: WebDomain,
}

impl Fields for Domain {
    const NAME: &'static str = "Domain";
    type Scope = ClientScope;
    type Parent = InClient;
}
