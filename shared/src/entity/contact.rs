use std::collections::HashSet;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, InClient, TagId};
use crate::auth::ClientScope;
use crate::value::{Email, Invalid, Name, Phone, Rejected};

/// A person whom a client knows.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = Invalid, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ContactFields)]
pub struct Contact {
    /// Given name.
    #[schema(example = "Ada")]
    pub first_name: Name,
    /// Family name.
    #[schema(example = "Lovelace")]
    pub last_name: Name,
    /// Unique within the client, whatever its case.
    #[deserr(default)]
    #[schema(example = "ada@example.com")]
    pub email: Option<Email>,
    /// Kept in E.164.
    #[deserr(default)]
    pub phone: Option<Phone>,
    /// Whom the person works for.
    #[deserr(default)]
    pub company: Option<Name>,
    /// What the person does there.
    #[deserr(default)]
    pub job_title: Option<Name>,
    /// Where the contact came from.
    #[deserr(default)]
    #[schema(example = "website")]
    pub source: Option<Name>,
    /// Tags of the same client.
    #[serde(default)]
    #[deserr(default, try_from(Vec<TagId>) = distinct -> Rejected)]
    #[schema(required = false, max_items = 50)]
    pub tag_ids: Vec<TagId>,
}

/// Each tag is checked in the transaction that writes the contact, and a transaction has room for 100 parts.
const MAX_TAGS: usize = 50;

fn distinct(tags: Vec<TagId>) -> Result<Vec<TagId>, Rejected> {
    if tags.len() > MAX_TAGS {
        return Err(Rejected::new("too_many", "must be at most 50 tags"));
    }
    if tags.iter().collect::<HashSet<_>>().len() < tags.len() {
        return Err(Rejected::new("duplicate", "must not name a tag twice"));
    }
    Ok(tags)
}

impl Fields for Contact {
    const NAME: &'static str = "Contact";
    type Scope = ClientScope;
    type Parent = InClient;
}
