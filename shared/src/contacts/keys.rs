//! Keys of contacts, tags and imports.

use super::{
    ContactId, ContactRow, Import, ImportErrors, ImportFingerprint, ImportId, ImportText, ReferenceCount, SearchEntry,
    TagAssignment, TagId, TagName, TagRecord, Tombstones,
};
use crate::identity::ClientScope;
use crate::table::{
    Bounds, Entity, GSI1, GSI2, IndexKey, Key, Layout, List, Partition, Record, SEPARATOR, UniqueConstraint,
};
use crate::value::{Email, Instant, NormalizedText};

impl Entity for ContactRow {
    const LAYOUT: Layout = Layout::Document;

    fn index_keys(&self, key: &Key<Self>) -> Vec<IndexKey> {
        let Some(client) = key.client() else { return Vec::new() };
        let Record { id, fields, meta, .. } = &self.contact;
        let [last, first] = [&fields.last_name, &fields.first_name].map(|name| NormalizedText::of(&name.to_string()));
        let name = format!("{}{SEPARATOR}{}{SEPARATOR}{}", last.cut(), first.cut(), id.to_key());
        vec![GSI1.key(client, BY_NAME, name), GSI2.key(client, BY_CHANGE, (meta.updated_at, *id))]
    }
}

impl Entity for Import {}
impl Entity for ImportErrors {}
impl Entity for ImportText {}
impl Entity for ReferenceCount {}
impl Entity for SearchEntry {}
impl Entity for TagAssignment {}
impl Entity for Tombstones {}

const BY_NAME: &str = "CONTACT#NAME";
const BY_CHANGE: &str = "CONTACT#UPD";

impl ClientScope {
    /// Contacts, by creation.
    pub fn contacts(self) -> Partition<ContactRow> {
        Partition::new(self, "CONTACT")
    }

    /// A contact.
    pub fn contact(self, id: ContactId) -> Key<ContactRow> {
        self.contacts().item(id)
    }

    /// Contacts, by last name, then first name.
    pub fn contacts_by_name(self) -> List<ContactRow> {
        self.contacts().all().by(&GSI1, self, BY_NAME)
    }

    /// Contacts changed at `since` or later, by last change.
    pub fn contacts_by_change(self, since: Option<Instant>) -> List<ContactRow> {
        let bounds = since.map_or(Bounds::None, |since| Bounds::From(since.to_string()));
        self.contacts().all().by(&GSI2, self, BY_CHANGE).bounded(bounds)
    }

    /// Search entries that begin with `prefix`.
    pub fn search_entries(self, prefix: &NormalizedText) -> List<SearchEntry> {
        search(self).all().bounded(Bounds::Prefix(prefix.cut().to_owned()))
    }

    /// The search entry of a word of a contact's names.
    pub fn word_entry(self, word: &NormalizedText, contact: ContactId) -> Key<SearchEntry> {
        search(self).item(format!("{}{SEPARATOR}{}", word.cut(), contact.to_key()))
    }

    /// The search entry of a contact's email.
    ///
    /// It is also the unique constraint of the email within the client, regardless of case.
    pub fn email_entry(self, email: &Email) -> Key<SearchEntry> {
        let (normalized, exact) = (email.search_form(), email.folded());
        let normalized = normalized.cut();
        if normalized == exact {
            search(self).item(exact)
        } else {
            search(self).item(format!("{normalized}{SEPARATOR}{exact}"))
        }
    }

    /// The number of references to a contact.
    pub fn reference_count(self, contact: ContactId) -> Key<ReferenceCount> {
        Partition::new(self, "REFERRED").item(contact)
    }

    /// The contact that an imported row without an email created.
    pub fn import_fingerprint(self, fingerprint: &ImportFingerprint) -> Key<UniqueConstraint> {
        unique(self).item(("CONTACT_ORIGIN", fingerprint.as_str()))
    }

    /// Tags, by creation.
    pub fn tags(self) -> Partition<TagRecord> {
        Partition::new(self, "TAG")
    }

    /// A tag.
    pub fn tag(self, id: TagId) -> Key<TagRecord> {
        self.tags().item(id)
    }

    /// The unique constraint of a tag's name within the client, regardless of case.
    pub fn tag_name(self, name: &TagName) -> Key<UniqueConstraint> {
        unique(self).item(("TAG_NAME", name.to_string().to_lowercase()))
    }

    /// The assignments of a tag to contacts, by the contacts' creation.
    pub fn tag_assignments(self, tag: TagId) -> Partition<TagAssignment> {
        Partition::new(self, ("TAG", tag, "CONTACT"))
    }

    /// The assignment of a tag to a contact.
    pub fn tag_assignment(self, tag: TagId, contact: ContactId) -> Key<TagAssignment> {
        self.tag_assignments(tag).item(contact)
    }

    /// The ids of deleted entities that other items still refer to.
    pub fn tombstones(self) -> Key<Tombstones> {
        Partition::new(self, "GONE").item("IDS")
    }

    /// An import of contacts.
    pub fn import(self, id: ImportId) -> Key<Import> {
        Partition::new(self, "IMPORT").item(id)
    }

    /// The row errors of an import, in the order of the file.
    pub fn import_errors(self, id: ImportId) -> Partition<ImportErrors> {
        Partition::new(self, ("IMPORT", id, "FAULT"))
    }

    /// The row errors of the step that starts with the error in `line`.
    pub fn import_errors_from(self, id: ImportId, line: u64) -> Key<ImportErrors> {
        self.import_errors(id).item(format!("{line:08}"))
    }

    /// A piece of the text of an import.
    pub fn import_text(self, id: ImportId, number: usize) -> Key<ImportText> {
        Partition::new(self, ("IMPORT", id, "TEXT")).item(format!("{number:04}"))
    }
}

fn search(client: ClientScope) -> Partition<SearchEntry> {
    Partition::new(client, "TERM")
}

fn unique(client: ClientScope) -> Partition<UniqueConstraint> {
    Partition::new(client, "UNIQ")
}
