//! A window of rows of a file, with the contacts and tags that they match.

use std::collections::{HashMap, HashSet};

use crate::contacts::repository::hide_deleted_tags;
use crate::contacts::{ContactId, ContactRow, ImportFingerprint, TagId, TagName};
use crate::identity::ClientScope;
use crate::table::Store;
use crate::value::IdMaker;
use crate::web::Result;

use super::run::ImportContext;
use crate::contacts::sheet::{Cells, Row};
use crate::contacts::tags::{self, TagIds};

/// Consecutive rows of a file, with the contacts and tags that they match.
pub(super) struct Window {
    pub(super) rows: Vec<Row>,
    /// Whether these are the last rows of the file.
    pub(super) is_last: bool,
    pub(super) matches: Matches,
}

/// Contacts and tags by the values that identify them in a row.
#[derive(Default)]
pub(super) struct Matches {
    pub(super) contacts: HashMap<ContactId, ContactRow>,
    /// By case-folded email.
    pub(super) emails: HashMap<String, ContactId>,
    pub(super) fingerprints: HashMap<ImportFingerprint, ContactId>,
    pub(super) tags: TagIds,
    /// Placeholder ids of tags that cannot be created, because the client has too many tags.
    pub(super) refused_tags: HashSet<TagId>,
}

/// The fingerprint of a row, if it has no email.
pub(super) fn fingerprint(cells: &Cells) -> Option<ImportFingerprint> {
    cells.email.is_none().then(|| ImportFingerprint::new(cells.digest()))
}

/// Reads the contacts and tags that rows match.
///
/// For each 100 rows at most three concurrent BatchGetItem, and one more for the contacts.
pub(super) async fn look_up(
    context: &ImportContext<'_>,
    store: &Store,
    rows: Vec<Row>,
    is_last: bool,
) -> Result<Window> {
    let client = context.client;
    let cells = || rows.iter().filter_map(|row| row.cells.as_ref().ok());
    let emails: Vec<_> = cells().filter_map(|cells| cells.email.as_ref()).collect();
    let fingerprints: Vec<_> = cells().filter_map(fingerprint).collect();
    let tag_names = distinct_tags(cells());
    let email_keys: Vec<_> = emails.iter().map(|email| client.email_entry(email)).collect();
    let fingerprint_keys: Vec<_> =
        fingerprints.iter().map(|fingerprint| client.import_fingerprint(fingerprint)).collect();
    let (entries, constraints, tags) = tokio::try_join!(
        store.get_all(&email_keys),
        store.get_all(&fingerprint_keys),
        tags::by_name(store, client, &tag_names)
    )?;
    let owners = emails.iter().map(|email| email.folded()).zip(entries);
    let emails: HashMap<_, _> = owners.filter_map(|(email, entry)| Some((email, entry?.owner))).collect();
    let owners = fingerprints.into_iter().zip(constraints);
    let fingerprints: HashMap<_, _> = owners
        .filter_map(|(fingerprint, constraint)| Some((fingerprint, ContactId::from_uuid(constraint?.owner))))
        .collect();
    let ids = cells().filter_map(|cells| cells.id).chain(emails.values().copied());
    let contacts = read_contacts(store, client, ids.collect()).await?;
    Ok(Window {
        is_last,
        matches: Matches { contacts, emails, fingerprints, tags, refused_tags: HashSet::new() },
        rows,
    })
}

async fn read_contacts(
    store: &Store,
    client: ClientScope,
    ids: Vec<ContactId>,
) -> Result<HashMap<ContactId, ContactRow>> {
    let keys: Vec<_> = ids.iter().map(|id| client.contact(*id)).collect();
    let rows = store.get_all(&keys).await?.into_iter().flatten().collect();
    Ok(hide_deleted_tags(store, client, rows).await?.into_iter().map(|row| (row.contact.id, row)).collect())
}

/// The tag names of rows. Of names that differ only in case, the first.
fn distinct_tags<'a>(cells: impl Iterator<Item = &'a Cells>) -> Vec<TagName> {
    let mut seen = HashSet::new();
    cells.flat_map(|cells| &cells.tags).filter(|name| seen.insert(tags::lower(name))).cloned().collect()
}

impl Window {
    /// Assigns placeholder ids to missing tags. Returns their names by id.
    pub(super) fn assign_placeholder_tags(&mut self, ids: &IdMaker) -> HashMap<TagId, TagName> {
        let cells = self.rows.iter().filter_map(|row| row.cells.as_ref().ok());
        let existing = &self.matches.tags;
        let missing = distinct_tags(cells).into_iter().filter(|name| !existing.contains_key(&tags::lower(name)));
        let placeholders: HashMap<_, _> = missing.map(|name| (ids.make(), name)).collect();
        self.matches.tags.extend(placeholders.iter().map(|(id, name)| (tags::lower(name), *id)));
        placeholders
    }
}
