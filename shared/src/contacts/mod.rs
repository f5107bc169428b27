//! What changes together with a contact: what it is found by, what its email and its tags are kept by, and how many contacts there
//! are. Whoever writes a contact does it here, so that none of these is ever without the others.

mod known;
pub mod referring;

use std::collections::BTreeMap;

pub use known::PartialContact;

use crate::auth::ClientScope;
use crate::entity::{Contact, ContactId, ContactRow, SearchEntry, TagId, Tagged, UniqueConstraint};
use crate::keys::{Key, Scope};
use crate::store::{Store, Transaction};
use crate::value::{Email, InvalidValue, NormalizedText};
use crate::{Problem, Result};

/// Contacts as they are to be shown: without the tags that are deleted and that a job has not yet taken off them, and with the
/// version that they will have then, so that whoever has seen one before has another. Costs a read if any of them has a tag.
pub async fn shown(store: &Store, client: ClientScope, mut rows: Vec<ContactRow>) -> Result<Vec<ContactRow>> {
    if rows.iter().any(|row| !row.contact.fields.tag_ids.is_empty()) {
        let gone = store.get(&client.gone()).await?.unwrap_or_default();
        for row in &mut rows {
            row.forget(&gone);
        }
    }
    Ok(rows)
}

/// A contact as it is to be shown: 404 without it.
pub async fn find(store: &Store, client: ClientScope, id: ContactId) -> Result<ContactRow> {
    let stored = store.find(&client.contact(id)).await?;
    shown(store, client, vec![stored]).await?.pop().ok_or_else(Problem::not_found)
}

/// What it means to whoever writes a contact that something else is not as it should be.
#[derive(Clone, Copy)]
pub struct ConflictPolicy<'a> {
    /// Another contact has the email.
    pub taken: fn(&SearchEntry) -> Problem,
    /// A tag that the contact is to have is not there: which one, and its place among the contact's tags.
    pub missing: &'a (dyn Fn(TagId, usize) -> Problem + Sync),
    /// The contact itself is gone.
    pub gone: fn() -> Problem,
}

impl ConflictPolicy<'_> {
    /// A fault of the request: 409 or 422, with the field.
    pub const FAIL: Self = Self {
        taken: email_taken,
        missing: &|_, index| Problem::unresolved_reference(format!("/tagIds/{index}")),
        gone: Problem::not_found,
    };

    /// What was read is no longer so: read and decide anew.
    pub const RETRY: Self =
        Self { taken: |_| Problem::stale(), missing: &|_, _| Problem::stale(), gone: Problem::stale };
}

/// Adds a new contact.
pub fn create(
    transaction: &mut Transaction,
    client: ClientScope,
    new: &ContactRow,
    otherwise: ConflictPolicy<'_>,
) -> Result<()> {
    transaction.hold(&client.holdings())?;
    create_uncounted(transaction, client, new, otherwise)
}

/// Adds a new contact which the caller counts.
pub fn create_uncounted(
    transaction: &mut Transaction,
    client: ClientScope,
    new: &ContactRow,
    otherwise: ConflictPolicy<'_>,
) -> Result<()> {
    transaction.create(&client.contact(new.contact.id), new)?;
    if let Some(origin) = &new.origin {
        let owner = UniqueConstraint { owner: new.contact.id.uuid() };
        transaction.claim(&client.origin(origin), &owner, |_| Problem::stale())?;
    }
    follow(transaction, client, None, Some(new), otherwise)
}

/// Adds the next version of a contact; stale if it has changed since it was read.
pub fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    read: &ContactRow,
    next: &ContactRow,
    otherwise: ConflictPolicy<'_>,
) -> Result<()> {
    transaction.replace_or(&client.contact(next.contact.id), next, read.stored_version(), otherwise.gone)?;
    follow(transaction, client, Some(read), Some(next), otherwise)
}

/// Adds what goes with a contact that is deleted.
pub fn delete(transaction: &mut Transaction, client: ClientScope, read: &ContactRow) -> Result<()> {
    transaction.let_go(&client.holdings())?;
    if let Some(origin) = &read.origin {
        transaction.remove(&client.origin(origin))?;
    }
    follow(transaction, client, Some(read), None, ConflictPolicy::FAIL)
}

/// What a contact is found by and which tags it has, from the one version to the other.
fn follow(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&ContactRow>,
    after: Option<&ContactRow>,
    otherwise: ConflictPolicy<'_>,
) -> Result<()> {
    let terms = |row: Option<&ContactRow>| row.map(|row| terms(client, row)).unwrap_or_default();
    let (had, has) = (terms(before), terms(after));
    for (_, gone) in had.iter().filter(|(at, _)| !has.contains_key(*at)) {
        transaction.remove(&gone.key)?;
    }
    for (at, next) in &has {
        match had.get(at) {
            Some(same) if same.term == next.term => {}
            None if next.is_unique => transaction.claim(&next.key, &next.term, otherwise.taken)?,
            // It is the contact's own: the contact's version guards it.
            _ => transaction.write(&next.key, &next.term)?,
        }
    }
    tag(transaction, client, before, after, otherwise.missing)
}

/// The rows of the tags that a contact no longer has go, those of the tags that it has now come; the tags must exist.
fn tag(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&ContactRow>,
    after: Option<&ContactRow>,
    missing: &(dyn Fn(TagId, usize) -> Problem + Sync),
) -> Result<()> {
    let tags = |row: Option<&ContactRow>| row.map(|row| row.contact.fields.tag_ids.clone()).unwrap_or_default();
    let (had, has) = (tags(before), tags(after));
    let Some(contact) = after.or(before).map(|row| row.contact.id) else { return Ok(()) };
    for tag in had.iter().filter(|tag| !has.contains(tag)) {
        transaction.remove(&client.tagging(*tag, contact))?;
    }
    for (index, tag) in has.iter().enumerate().filter(|(_, tag)| !had.contains(tag)) {
        transaction.require(&client.tag(*tag), missing(*tag, index))?;
        transaction.write(&client.tagging(*tag, contact), &Tagged { owner: contact })?;
    }
    Ok(())
}

/// One of the rows that a contact is found by.
struct Placed {
    key: Key<SearchEntry>,
    term: SearchEntry,
    /// An email, which nobody else may have.
    is_unique: bool,
}

/// The rows that a contact is found by, by their sort keys.
fn terms(client: ClientScope, row: &ContactRow) -> BTreeMap<String, Placed> {
    let owner = row.contact.id;
    let Contact { first_name, last_name, email, .. } = &row.contact.fields;
    let mut terms = BTreeMap::new();
    for name in [first_name, last_name] {
        let name = NormalizedText::of(&name.to_string());
        add(&mut terms, owner, client.name_term(&name, owner), &name, false);
    }
    if let Some(email) = email {
        add(&mut terms, owner, client.email_term(email), &Email::search_form(email), true);
    }
    let texts: Vec<String> = terms.values().map(|(text, _)| text.clone()).collect();
    for (at, (text, placed)) in terms.values_mut().enumerate() {
        let most = |others: &[String]| others.iter().map(|other| in_common(other, text)).max().unwrap_or_default();
        placed.term.seen = [most(&texts[..at]), most(&texts[at + 1..])];
    }
    terms.into_iter().map(|(at, (_, placed))| (at, placed)).collect()
}

fn add(
    terms: &mut BTreeMap<String, (String, Placed)>,
    owner: ContactId,
    key: Key<SearchEntry>,
    text: &NormalizedText,
    is_unique: bool,
) {
    let placed = Placed { term: SearchEntry { owner, seen: [0, 0] }, is_unique, key };
    terms.insert(placed.key.sk.clone(), (text.cut().to_owned(), placed));
}

/// How many bytes two texts begin with that are the same.
fn in_common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

fn email_taken(by: &SearchEntry) -> Problem {
    Problem::conflict("email_taken", "Another contact of this client has this email.")
        .at("/email", InvalidValue::new("taken", "belongs to another contact"))
        .with("existingId", by.owner.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::entity::Meta;
    use crate::store::Order;

    fn row(first: &str, last: &str, email: Option<&str>) -> ContactRow {
        let fields = json!({ "firstName": first, "lastName": last, "email": email });
        let id = crate::value::Id::from_uuid(uuid::Uuid::from_u128(7));
        let now = "2026-03-08T06:30:00Z".parse().unwrap();
        let parent = crate::entity::InClient { client_id: crate::value::Id::from_uuid(uuid::Uuid::from_u128(3)) };
        let fields = deserr::deserialize::<Contact, _, crate::value::ValidationErrors>(fields).unwrap();
        let contact = crate::entity::Record { id, parent, fields, meta: Meta::created(now) };
        ContactRow::new(contact, None)
    }

    fn client() -> ClientScope {
        let id = |n| uuid::Uuid::from_u128(n);
        let text = format!("T#{}#A#{}#C#{}#", id(1), id(2), id(3));
        ClientScope::of_row(&text).unwrap()
    }

    proptest! {
        #[test]
        fn a_prefix_finds_a_contact_exactly_once_if_it_begins_one_of_its_terms(
            first in "[ab]{1,4}", last in "[ab]{1,4}", email in "[ab]{1,4}", prefix in "[ab]{1,5}",
        ) {
            let row = row(&first, &last, Some(&format!("{email}@example.com")));
            let terms = terms(client(), &row);
            let begins = [&first, &last, &email].iter().any(|text| text.starts_with(&prefix));
            for order in [Order::Asc, Order::Desc] {
                let met = terms.iter().filter(|(at, _)| at.starts_with(&prefix));
                let found = met.filter(|(_, placed)| !placed.term.is_second(prefix.len(), order)).count();
                prop_assert_eq!(found, usize::from(begins));
            }
            prop_assert_eq!(row.contact.fields.is_found_by(&prefix.parse().unwrap()), begins);
        }
    }

    #[test]
    fn an_email_with_accents_keeps_its_own_row_beside_one_without() {
        let at = |email| terms(client(), &row("A", "B", Some(email))).into_keys().find(|at| at.contains('@')).unwrap();
        assert_eq!(at("Zoe@Example.com"), "zoe@example.com");
        assert_eq!(at("zo\u{eb}@example.com"), "zoe@example.com\u{1}zo\u{eb}@example.com");
    }
}
