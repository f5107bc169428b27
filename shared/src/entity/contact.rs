use std::collections::HashSet;
use std::fmt;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContactId, ContactRecord, Fields, InClient, TagId, Tombstones};
use crate::auth::ClientScope;
use crate::store::Order;
use crate::value::{Email, InvalidValue, Name, NormalizedText, Phone, ValidationErrors};

/// A person whom a client knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
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
    #[deserr(default, try_from(Vec<TagId>) = distinct -> InvalidValue)]
    #[schema(required = false, max_items = 30)]
    pub tag_ids: Vec<TagId>,
}

impl Contact {
    /// A change of all tags takes one part of its transaction for each tag that goes and two for each that comes, and a
    /// transaction has at most 100 (a limit of DynamoDB).
    pub const MAX_TAGS: usize = 30;

    /// Why more are refused.
    pub const fn too_many_tags() -> InvalidValue {
        InvalidValue::new("too_many", "must be at most 30 tags")
    }
}

fn distinct(tags: Vec<TagId>) -> Result<Vec<TagId>, InvalidValue> {
    if tags.len() > Contact::MAX_TAGS {
        return Err(Contact::too_many_tags());
    }
    if tags.iter().collect::<HashSet<_>>().len() < tags.len() {
        return Err(InvalidValue::new("duplicate", "must not name a tag twice"));
    }
    Ok(tags)
}

impl Fields for Contact {
    const NAME: &'static str = "Contact";
    type Scope = ClientScope;
    type Parent = InClient;
}

impl Contact {
    /// Whether this is their email, whatever its case.
    pub fn has_email(&self, email: &Email) -> bool {
        self.email.as_ref().is_some_and(|own| own.folded() == email.folded())
    }

    /// Whether a prefix search for this finds the contact.
    pub fn is_found_by(&self, prefix: &NormalizedText) -> bool {
        let names = [&self.first_name, &self.last_name].map(|name| NormalizedText::of(&name.to_string()));
        let email = self.email.as_ref().map(Email::search_form);
        names.iter().chain(&email).any(|term| term.starts_with(prefix))
    }
}

/// A contact as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContactRow {
    /// What the API shows of it.
    #[serde(flatten)]
    pub contact: ContactRecord,
    /// The row of an imported file that it was made of, if only that recognises it.
    #[serde(default)]
    pub origin: Option<ImportFingerprint>,
    /// How many deleted tags it is shown without which a job has still to take off.
    #[serde(skip)]
    hidden: u64,
}

impl ContactRow {
    /// A new contact.
    pub const fn new(contact: ContactRecord, origin: Option<ImportFingerprint>) -> Self {
        Self { contact, origin, hidden: 0 }
    }

    /// The contact's next version.
    #[must_use]
    pub fn next(&self, contact: ContactRecord) -> Self {
        Self::new(contact, self.origin.clone())
    }

    /// Leaves out the tags that are gone, and takes the version that the contact will have without them: a job takes off one with each.
    pub(crate) fn forget(&mut self, gone: &Tombstones) {
        let tags = &mut self.contact.fields.tag_ids;
        let hidden = tags.extract_if(.., |tag| gone.has(*tag)).map(|_| 1).sum::<u64>();
        self.hidden += hidden;
        self.contact.meta.version += hidden;
    }

    /// The version that is stored.
    pub(crate) const fn stored_version(&self) -> u64 {
        self.contact.meta.version - self.hidden
    }
}

/// A hash of a row of an imported file that has neither an id nor an email: so that the same file twice makes no contact twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImportFingerprint(String);

impl ImportFingerprint {
    /// By the hash of what the row says.
    pub const fn new(hash: String) -> Self {
        Self(hash)
    }
}

impl fmt::Display for ImportFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of the texts that a contact is found by: its names and its email.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchEntry {
    /// Whose it is.
    pub owner: ContactId,
    /// How many bytes it has in common with an earlier, and with a later, term of the same contact. A prefix no longer than that
    /// finds the contact by that one as well.
    pub seen: [usize; 2],
}

impl SearchEntry {
    /// Whether a list of what begins with so many bytes has had the contact by another term already.
    pub const fn is_second(&self, prefix: usize, order: Order) -> bool {
        let [earlier, later] = self.seen;
        prefix
            <= match order {
                Order::Asc => earlier,
                Order::Desc => later,
            }
    }
}

/// How many rows refer to a contact.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReferenceCount {
    /// How many.
    pub n: usize,
}
