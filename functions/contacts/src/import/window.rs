//! What is in the table of some rows of a file.

use std::collections::{HashMap, HashSet};

use shared::Result;
use shared::auth::ClientScope;
use shared::contacts::shown;
use shared::entity::{ContactId, ContactRow, ImportFingerprint, TagId, TagName};
use shared::store::Store;
use shared::value::IdMaker;

use super::run::Running;
use crate::sheet::{Cells, Row};
use crate::tags::{self, TagIds};

/// Some rows of a file, and what is known of whom they may be.
pub(super) struct Window {
    pub(super) rows: Vec<Row>,
    /// Whether the file has no more.
    pub(super) is_last: bool,
    pub(super) found: Found,
}

/// Contacts by what a row may name them by.
#[derive(Default)]
pub(super) struct Found {
    pub(super) contacts: HashMap<ContactId, ContactRow>,
    /// By folded email.
    pub(super) emails: HashMap<String, ContactId>,
    pub(super) origins: HashMap<ImportFingerprint, ContactId>,
    pub(super) tags: TagIds,
}

/// What a row is recognised by that has neither an id nor an email.
pub(super) fn origin(cells: &Cells) -> Option<ImportFingerprint> {
    cells.email.is_none().then(|| ImportFingerprint::new(cells.digest()))
}

/// Looks up some rows: at most three BatchGetItem at a time, for each hundred of them, and one more for the contacts.
pub(super) async fn look_up(running: &Running<'_>, store: &Store, rows: Vec<Row>, is_last: bool) -> Result<Window> {
    let client = running.client;
    let cells = || rows.iter().filter_map(|row| row.cells.as_ref().ok());
    let emails: Vec<_> = cells().filter_map(|cells| cells.email.as_ref()).collect();
    let origins: Vec<_> = cells().filter_map(origin).collect();
    let names = names(cells());
    let term_keys: Vec<_> = emails.iter().map(|email| client.email_term(email)).collect();
    let origin_keys: Vec<_> = origins.iter().map(|origin| client.origin(origin)).collect();
    let (terms, claims, tags) =
        tokio::try_join!(store.get_all(&term_keys), store.get_all(&origin_keys), tags::by_name(store, client, &names))?;
    let owners = emails.iter().map(|email| email.folded()).zip(terms);
    let emails: HashMap<_, _> = owners.filter_map(|(email, term)| Some((email, term?.owner))).collect();
    let owners = origins.into_iter().zip(claims);
    let origins: HashMap<_, _> =
        owners.filter_map(|(origin, claim)| Some((origin, ContactId::from_uuid(claim?.owner)))).collect();
    let ids = cells().filter_map(|cells| cells.id).chain(emails.values().copied());
    let contacts = contacts(store, client, ids.collect()).await?;
    Ok(Window { is_last, found: Found { contacts, emails, origins, tags }, rows })
}

async fn contacts(store: &Store, client: ClientScope, ids: Vec<ContactId>) -> Result<HashMap<ContactId, ContactRow>> {
    let keys: Vec<_> = ids.iter().map(|id| client.contact(*id)).collect();
    let rows = store.get_all(&keys).await?.into_iter().flatten().collect();
    Ok(shown(store, client, rows).await?.into_iter().map(|row| (row.contact.id, row)).collect())
}

/// Each tag's name once, as it is first written.
fn names<'a>(cells: impl Iterator<Item = &'a Cells>) -> Vec<TagName> {
    let mut seen = HashSet::new();
    cells.flat_map(|cells| &cells.tags).filter(|name| seen.insert(tags::lower(name))).cloned().collect()
}

impl Window {
    /// Lets new ids stand in for the tags that are not there, and says which stands for which.
    pub(super) fn stand_in(&mut self, ids: &IdMaker) -> HashMap<TagId, TagName> {
        let cells = self.rows.iter().filter_map(|row| row.cells.as_ref().ok());
        let known = &self.found.tags;
        let missing = names(cells).into_iter().filter(|name| !known.contains_key(&tags::lower(name)));
        let missing: HashMap<_, _> = missing.map(|name| (ids.make(), name)).collect();
        self.found.tags.extend(missing.iter().map(|(id, name)| (tags::lower(name), *id)));
        missing
    }
}
