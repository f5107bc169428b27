use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::ClientScope;
use crate::table::{Fields, InClient};
use crate::value::{ValidationErrors, WebDomain};

/// A domain of a client's website, where the client's widgets work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = DomainFields, example = json!({ "domain": "www.example.com" }))]
pub struct Domain {
    /// A host name, or `*.` and a host name for all of its subdomains.
    pub domain: WebDomain,
}

impl Fields for Domain {
    const NAME: &'static str = "Domain";
    type Marker = Self;
    type Scope = ClientScope;
    type Parent = InClient;
}
