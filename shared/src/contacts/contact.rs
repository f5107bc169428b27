//! Contacts: the fields, the stored item, and search entries.

use std::collections::HashSet;

use deserr::{Deserr, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::contacts::{ContactId, ContactRecord, TagId, Tombstones};
use crate::identity::ClientScope;
use crate::table::{Fields, InClient, Order};
use crate::value::{
    Email, InvalidValue, Language, Name, NormalizedText, PersonName, Phone, TimeZone, ValidationErrors,
};

/// A person in the client's address book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(
    error = ValidationErrors,
    rename_all = camelCase,
    deny_unknown_fields,
    validate = Contact::check_identified -> ValidationErrors
)]
#[schema(as = ContactFields, example = json!({
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "phone": "+14155552671",
    "company": "Analytical Engines Ltd",
    "jobTitle": "Programmer",
    "source": "website",
    "timeZone": "Europe/London",
    "language": "en",
    "remindersOff": false,
    "tagIds": [],
}))]
pub struct Contact {
    /// Given name; may be empty if the family name, the email or the phone number is present.
    #[deserr(default)]
    #[schema(required = false, example = "Ada")]
    pub first_name: PersonName,
    /// Family name; may be empty if the given name, the email or the phone number is present.
    #[deserr(default)]
    #[schema(required = false, example = "Lovelace")]
    pub last_name: PersonName,
    /// Email; unique within the client, regardless of case.
    #[deserr(default)]
    #[schema(example = "ada@example.com")]
    pub email: Option<Email>,
    /// Phone number, stored in E.164.
    ///
    /// A number without a country code belongs to the client's `country`, which must be set.
    #[deserr(default)]
    pub phone: Option<Phone>,
    /// Employer.
    #[deserr(default)]
    pub company: Option<Name>,
    /// Position at the employer.
    #[deserr(default)]
    pub job_title: Option<Name>,
    /// How the client got the contact.
    #[deserr(default)]
    #[schema(example = "website")]
    pub source: Option<Name>,
    /// The time zone (IANA), for times in mails. Default: the client's time zone.
    #[serde(default)]
    #[deserr(default)]
    pub time_zone: Option<TimeZone>,
    /// The language (BCP 47) of mails. Default: the client's language.
    #[serde(default)]
    #[deserr(default)]
    pub language: Option<Language>,
    /// Whether the contact gets no reminders.
    #[serde(default)]
    #[deserr(default)]
    #[schema(required = false, default = false)]
    pub reminders_off: bool,
    /// Ids of tags of the same client.
    #[serde(default)]
    #[deserr(default, try_from(Vec<TagId>) = distinct -> InvalidValue)]
    #[schema(required = false, max_items = 30)]
    pub tag_ids: Vec<TagId>,
}

/// The largest number of words of a name that a search finds.
///
/// A change of both names writes up to 32 search entries, and a transaction has at most 100 parts (a limit of
/// DynamoDB).
const MAX_WORDS: usize = 8;

impl Contact {
    /// The largest number of tags of a contact.
    ///
    /// A change of all tags takes one part of its transaction for each removed and each added tag; a transaction has
    /// at most 100 parts (a limit of DynamoDB).
    pub const MAX_TAGS: usize = 30;

    /// The error of a contact with more than [`Self::MAX_TAGS`] tags.
    pub const fn too_many_tags() -> InvalidValue {
        InvalidValue::new("too_many", "must be at most 30 tags")
    }

    /// Rejects a contact without a name, an email and a phone number.
    ///
    /// # Errors
    /// At `/firstName`.
    pub fn identified(self) -> Result<Self, ValidationErrors> {
        if self.first_name.is_empty() && self.last_name.is_empty() && self.email.is_none() && self.phone.is_none() {
            let detail = "is required unless lastName, email or phone is present";
            return Err(ValidationErrors::field("/firstName", InvalidValue::new("required", detail)));
        }
        Ok(self)
    }

    fn check_identified(self, _: ValuePointerRef) -> Result<Self, ValidationErrors> {
        self.identified()
    }

    /// The full name; without a name, the email or the phone number.
    pub fn display_name(&self) -> String {
        let names = [&self.first_name, &self.last_name].into_iter().filter(|name| !name.is_empty());
        let full_name = names.map(PersonName::as_str).collect::<Vec<_>>().join(" ");
        let email = || self.email.as_ref().map(|email| email.as_str().to_owned());
        let contact = || email().or_else(|| self.phone.as_ref().map(ToString::to_string));
        Some(full_name).filter(|name| !name.is_empty()).or_else(contact).unwrap_or_default()
    }
}

fn distinct(tags: Vec<TagId>) -> Result<Vec<TagId>, InvalidValue> {
    if tags.len() > Contact::MAX_TAGS {
        return Err(Contact::too_many_tags());
    }
    if tags.iter().collect::<HashSet<_>>().len() < tags.len() {
        return Err(InvalidValue::new("duplicate", "must not contain a tag twice"));
    }
    Ok(tags)
}

impl Fields for Contact {
    const NAME: &'static str = "Contact";
    type Marker = Self;
    type Scope = ClientScope;
    type Parent = InClient;
}

impl Contact {
    /// Whether the contact has this email, regardless of case.
    pub fn has_email(&self, email: &Email) -> bool {
        self.email.as_ref().is_some_and(|own| own.folded() == email.folded())
    }

    /// The words of the names that a search finds, without repetitions: the first 8 of each name.
    pub fn search_words(&self) -> Vec<NormalizedText> {
        let of_name = |name: &PersonName| NormalizedText::of(name.as_str()).words().into_iter().take(MAX_WORDS);
        let mut words: Vec<_> = of_name(&self.first_name).collect();
        for word in of_name(&self.last_name) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }

    /// Whether a search finds the contact: each term begins a word of a name, or the email.
    pub fn matches(&self, search: &NormalizedText) -> bool {
        let mut texts = self.search_words();
        texts.extend(self.email.as_ref().map(Email::search_form));
        search.terms().iter().all(|term| texts.iter().any(|text| text.starts_with(term)))
    }

    /// The number of search entries: one for each word, and one for the email.
    pub fn search_entry_count(&self) -> usize {
        self.search_words().len() + usize::from(self.email.is_some())
    }
}

/// A contact as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContactRow {
    /// The contact as the API returns it.
    #[serde(flatten)]
    pub contact: ContactRecord,
    /// The fingerprint of the imported row that created the contact.
    ///
    /// Only if the row has no email.
    #[serde(default, rename = "origin")]
    pub fingerprint: Option<ImportFingerprint>,
    /// A random number that seals the recorded responses with the contact's data.
    #[serde(default, rename = "seal")]
    pub seal: u64,
    /// The number of deleted tags that are hidden until a job removes them.
    #[serde(skip)]
    hidden_tags: u64,
}

impl ContactRow {
    /// A new contact.
    pub fn new(contact: ContactRecord, fingerprint: Option<ImportFingerprint>) -> Self {
        Self { contact, fingerprint, seal: Uuid::new_v4().as_u64_pair().1, hidden_tags: 0 }
    }

    /// The contact's next version.
    #[must_use]
    pub fn next(&self, contact: ContactRecord) -> Self {
        Self { contact, fingerprint: self.fingerprint.clone(), seal: self.seal, hidden_tags: 0 }
    }

    /// Hides deleted tags.
    ///
    /// Sets the version that the contact will have without these tags: a job removes each tag in a version of its
    /// own.
    pub(super) fn hide_deleted(&mut self, tombstones: &Tombstones) {
        let tags = &mut self.contact.fields.tag_ids;
        let hidden = tags.extract_if(.., |tag| tombstones.contains(*tag)).map(|_| 1).sum::<u64>();
        self.hidden_tags += hidden;
        self.contact.meta.version += hidden;
    }

    /// The stored version.
    pub const fn stored_version(&self) -> u64 {
        self.contact.meta.version - self.hidden_tags
    }
}

/// A hash of an imported row without an email.
///
/// Identifies the row when the same file is imported again, so that no duplicate contact is created.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImportFingerprint(String);

impl ImportFingerprint {
    /// A fingerprint with the hash of a row's values.
    pub const fn new(hash: String) -> Self {
        Self(hash)
    }

    /// The hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An item of the prefix search: a word of a name of a contact, or its email.
///
/// The text is the item's sort key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchEntry {
    /// The contact.
    pub owner: ContactId,
    /// The lengths of the longest prefixes shared with another entry, in bytes.
    ///
    /// The first with an earlier, the second with a later entry of the same contact. A search for a prefix of
    /// at most this length finds both entries.
    #[serde(rename = "seen")]
    pub shared_prefixes: [usize; 2],
}

impl SearchEntry {
    /// Whether a search has found another entry of the contact before.
    ///
    /// `prefix_len` is the length of the searched prefix in bytes.
    pub const fn is_duplicate(&self, prefix_len: usize, order: Order) -> bool {
        let [earlier, later] = self.shared_prefixes;
        prefix_len
            <= match order {
                Order::Asc => earlier,
                Order::Desc => later,
            }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn contact_without_a_name_is_displayed_by_its_email_or_phone() {
        for (fields, displayed) in [
            (json!({ "firstName": "Ada", "lastName": "King", "email": "a@example.com" }), "Ada King"),
            (json!({ "lastName": "King", "email": "a@example.com" }), "King"),
            (json!({ "firstName": "Ada" }), "Ada"),
            (json!({ "email": "a@example.com", "phone": "+14155552671" }), "a@example.com"),
            (json!({ "phone": "+14155552671" }), "+14155552671"),
        ] {
            let contact: Contact = deserr::deserialize::<_, _, ValidationErrors>(fields).unwrap();
            assert_eq!(contact.display_name(), displayed);
        }
    }
}
