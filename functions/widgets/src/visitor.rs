//! The person who fills in a form: a new contact, or one who exists.

use shared::contacts::{
    ConflictPolicy, ContactId, ContactOrigin, ContactRow, PartialContact, SearchEntry, TagId, repository,
};
use shared::identity::ClientScope;
use shared::table::{Record, Store, Transaction};
use shared::value::{Email, InvalidValue, Language, Name, PersonName, Phone, TimeZone, ValidationErrors};
use shared::web::{App, Result};

/// The fields that describe a visitor.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
    pub(crate) email: Email,
    pub(crate) phone: Option<Phone>,
    pub(crate) company: Option<Name>,
    pub(crate) source: Option<Name>,
    pub(crate) time_zone: Option<TimeZone>,
    pub(crate) language: Option<Language>,
}

/// The contact of a visitor, as far as it was read.
pub(crate) struct KnownContact(Option<ContactId>);

impl KnownContact {
    /// Reads whether a contact has the email: one GetItem.
    pub(crate) async fn read(store: &Store, client: ClientScope, email: &Email) -> Result<Self> {
        let entry: Option<SearchEntry> = store.get(&client.email_entry(email)).await?;
        Ok(Self(entry.map(|entry| entry.owner)))
    }

    /// The contact's id.
    pub(crate) const fn id(&self) -> Option<ContactId> {
        self.0
    }
}

impl Visitor {
    /// Requires a name.
    ///
    /// # Errors
    /// At `/firstName`.
    pub(crate) fn check(&self) -> Result<(), ValidationErrors> {
        if self.first_name.is_empty() && self.last_name.is_empty() {
            let required = InvalidValue::new("required", "is required unless lastName is present");
            return Err(ValidationErrors::field("/firstName", required));
        }
        Ok(())
    }

    /// Finds the contact with the visitor's email, or adds a new one to the transaction.
    ///
    /// A contact who exists keeps all fields: a stranger who knows the email could redirect mails otherwise.
    pub(crate) fn find_or_create(
        &self,
        transaction: &mut Transaction,
        app: &App,
        client: ClientScope,
        known: &KnownContact,
        (tags, policy): (&[TagId], ConflictPolicy<'_>),
    ) -> Result<(ContactId, ContactOrigin)> {
        if let Some(id) = known.id() {
            return Ok((id, ContactOrigin::Read));
        }
        let fields = PartialContact { tag_ids: tags.to_vec(), ..PartialContact::from(self.clone()) }.into_new()?;
        let row = ContactRow::new(Record::new(app.ids(), client, fields, app.now()), None);
        repository::create(transaction, client, &row, policy)?;
        Ok((row.contact.id, ContactOrigin::Created))
    }

    /// The text for the staff: what the visitor typed, if the contact exists already, and the message.
    pub(crate) fn text(&self, known: &KnownContact, message: Option<String>) -> String {
        let typed = known.id().map(|_| self.summary());
        let parts: Vec<_> = typed.into_iter().chain(message).collect();
        parts.join("\n\n")
    }

    /// The full name.
    pub(crate) fn name(&self) -> String {
        let names = [&self.first_name, &self.last_name].into_iter().filter(|name| !name.is_empty());
        names.map(PersonName::as_str).collect::<Vec<_>>().join(" ")
    }

    fn summary(&self) -> String {
        let phone = self.phone.as_ref().map(ToString::to_string);
        let company = self.company.as_ref().map(ToString::to_string);
        let lines = [Some(format!("{} <{}>", self.name(), self.email.as_str())), phone, company];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}

impl From<Visitor> for PartialContact {
    fn from(visitor: Visitor) -> Self {
        Self {
            first_name: visitor.first_name,
            last_name: visitor.last_name,
            email: Some(visitor.email),
            phone: visitor.phone,
            company: visitor.company,
            job_title: None,
            source: visitor.source,
            time_zone: visitor.time_zone,
            language: visitor.language,
            tag_ids: Vec::new(),
        }
    }
}

/// Requires that a field that people do not see is empty.
///
/// # Errors
/// At `/website`.
pub(crate) fn check_honeypot(website: Option<&String>) -> Result<(), ValidationErrors> {
    if website.is_none_or(String::is_empty) {
        return Ok(());
    }
    Err(ValidationErrors::field("/website", InvalidValue::new("not_empty", "must be empty")))
}
