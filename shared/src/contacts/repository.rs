//! Reads and writes of contacts and of all items that change with them.
//!
//! These items are the search entries, the unique constraint of the email, the tag assignments, and the number of
//! contacts. Only this file writes them.

use std::collections::{BTreeMap, HashSet};

use super::{ContactId, ContactRow, SearchEntry, TagAssignment, TagId};
use crate::identity::ClientScope;
use crate::table::{Condition, Failure, Key, Store, StoreError, Transaction, UniqueConstraint};
use crate::value::{Email, InvalidValue, NormalizedText};
use crate::web::{ErrorCode, Problem};

/// Hides deleted tags that a job has not removed from the contacts yet.
///
/// Sets the version that the contacts will have without these tags, so that the `ETag` changes immediately. Costs
/// one read if any contact has a tag.
pub async fn hide_deleted_tags(
    store: &Store,
    client: ClientScope,
    mut rows: Vec<ContactRow>,
) -> Result<Vec<ContactRow>, StoreError> {
    if rows.iter().any(|row| !row.contact.fields.tag_ids.is_empty()) {
        let tombstones = store.get(&client.tombstones()).await?.unwrap_or_default();
        for row in &mut rows {
            row.hide_deleted(&tombstones);
        }
    }
    Ok(rows)
}

/// Reads a contact, with deleted tags hidden.
pub async fn find(store: &Store, client: ClientScope, id: ContactId) -> Result<ContactRow, StoreError> {
    let stored = store.find(&client.contact(id)).await?;
    hide_deleted_tags(store, client, vec![stored]).await?.pop().ok_or(StoreError::NotFound)
}

/// Reads the contact with an email; `None` if there is none.
pub async fn find_by_email(
    store: &Store,
    client: ClientScope,
    email: &Email,
) -> Result<Option<ContactRow>, StoreError> {
    let Some(entry) = store.get(&client.email_entry(email)).await? else { return Ok(None) };
    match find(store, client, entry.owner).await {
        Ok(row) => Ok(Some(row).filter(|row| row.contact.fields.has_email(email))),
        // Deleted between the two reads.
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The meaning of failed conditions to the writer of a contact.
#[derive(Clone, Copy)]
pub struct ConflictPolicy<'a> {
    /// Another contact has the email.
    pub email_taken: fn(&SearchEntry) -> Failure,
    /// A tag does not exist: its id, and its index in the contact's tags.
    pub missing_tag: &'a (dyn Fn(TagId, usize) -> Failure + Sync),
    /// The contact was deleted.
    pub deleted: fn() -> Failure,
    /// The existing ones of the added tags, if [`read_many_tags`] has read them.
    pub existing_tags: Option<&'a HashSet<TagId>>,
}

impl ConflictPolicy<'_> {
    /// An error of the request: 404, or 409 or 422 with the field.
    pub const FAIL: Self = Self {
        email_taken,
        missing_tag: &|_, index| Problem::unresolved_reference(format!("/tagIds/{index}")).into(),
        deleted: || Failure::NotFound,
        existing_tags: None,
    };

    /// A conflict: the caller reads and decides again.
    pub const RETRY: Self = Self {
        email_taken: |_| Failure::Conflict,
        missing_tag: &|_, _| Failure::Conflict,
        deleted: || Failure::Conflict,
        existing_tags: None,
    };
}

/// The largest number of added tags of which the transaction checks each.
///
/// More checks would not fit beside the largest change of the names and of the other tags.
const MAX_TAG_CHECKS: usize = 16;

/// Reads which of the tags that a change adds exist, if the transaction cannot check each of them.
///
/// One BatchGetItem, only for more than 16 tags.
pub async fn read_many_tags(
    store: &Store,
    client: ClientScope,
    before: &[TagId],
    after: &[TagId],
) -> Result<Option<HashSet<TagId>>, StoreError> {
    let added: Vec<_> = after.iter().filter(|tag| !before.contains(tag)).collect();
    if added.len() <= MAX_TAG_CHECKS {
        return Ok(None);
    }
    let keys: Vec<_> = added.iter().map(|tag| client.tag(**tag)).collect();
    let existing = store.get_all(&keys).await?.into_iter().flatten().map(|tag| tag.id);
    Ok(Some(existing.collect()))
}

/// Adds a new contact.
pub fn create(
    transaction: &mut Transaction,
    client: ClientScope,
    new: &ContactRow,
    policy: ConflictPolicy<'_>,
) -> Result<(), StoreError> {
    transaction.increment_children(client)?;
    create_uncounted(transaction, client, new, policy)
}

/// Adds a new contact. The caller counts it.
pub fn create_uncounted(
    transaction: &mut Transaction,
    client: ClientScope,
    new: &ContactRow,
    policy: ConflictPolicy<'_>,
) -> Result<(), StoreError> {
    transaction.create(&client.contact(new.contact.id), new)?;
    if let Some(fingerprint) = &new.fingerprint {
        let owner = UniqueConstraint { owner: new.contact.id.uuid() };
        transaction.create_or(&client.import_fingerprint(fingerprint), &owner, Failure::Conflict)?;
    }
    write_related(transaction, client, None, Some(new), policy)
}

/// Adds the next version of a contact; a conflict if it has changed since its read.
pub fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    current: &ContactRow,
    next: &ContactRow,
    policy: ConflictPolicy<'_>,
) -> Result<(), StoreError> {
    transaction.replace_or(&client.contact(next.contact.id), next, current.stored_version(), (policy.deleted)())?;
    write_related(transaction, client, Some(current), Some(next), policy)
}

/// Deletes all items that belong to a contact. The caller deletes the contact.
pub fn delete(transaction: &mut Transaction, client: ClientScope, current: &ContactRow) -> Result<(), StoreError> {
    transaction.decrement_children(client)?;
    if let Some(fingerprint) = &current.fingerprint {
        transaction.remove(&client.import_fingerprint(fingerprint))?;
    }
    write_related(transaction, client, Some(current), None, ConflictPolicy::FAIL)
}

/// Changes the search entries and the tag assignments of a contact.
fn write_related(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&ContactRow>,
    after: Option<&ContactRow>,
    policy: ConflictPolicy<'_>,
) -> Result<(), StoreError> {
    let entries = |row: Option<&ContactRow>| row.map(|row| search_entries(client, row)).unwrap_or_default();
    let (old, new) = (entries(before), entries(after));
    for (_, removed) in old.iter().filter(|(sort_key, _)| !new.contains_key(*sort_key)) {
        transaction.remove(&removed.key)?;
    }
    for (sort_key, next) in &new {
        match old.get(sort_key) {
            Some(current) if current.entry == next.entry => {}
            None if next.is_unique => transaction.create_unique(&next.key, &next.entry, policy.email_taken)?,
            // The entry belongs to the contact: the contact's version guards it.
            _ => transaction.overwrite(&next.key, &next.entry)?,
        }
    }
    write_tags(transaction, client, before, after, policy)
}

/// Changes the tag assignments of a contact. New tags must exist.
fn write_tags(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&ContactRow>,
    after: Option<&ContactRow>,
    policy: ConflictPolicy<'_>,
) -> Result<(), StoreError> {
    let tags = |row: Option<&ContactRow>| row.map(|row| row.contact.fields.tag_ids.clone()).unwrap_or_default();
    let (old, new) = (tags(before), tags(after));
    let Some(contact) = after.or(before).map(|row| row.contact.id) else { return Ok(()) };
    for tag in old.iter().filter(|tag| !new.contains(tag)) {
        transaction.remove(&client.tag_assignment(*tag, contact))?;
    }
    let added: Vec<_> = new.iter().enumerate().filter(|(_, tag)| !old.contains(tag)).collect();
    require_tags(transaction, client, &added, policy)?;
    for (_, tag) in added {
        transaction.overwrite(&client.tag_assignment(*tag, contact), &TagAssignment { owner: contact })?;
    }
    Ok(())
}

/// Requires that tags exist. Each has its index in the contact's tags.
///
/// If the tags were read, one part requires that none was deleted since: a deletion adds a tombstone in its
/// transaction, which is kept for longer than a request takes.
fn require_tags(
    transaction: &mut Transaction,
    client: ClientScope,
    tags: &[(usize, &TagId)],
    policy: ConflictPolicy<'_>,
) -> Result<(), StoreError> {
    let failure = |&(index, tag): &(usize, &TagId)| (policy.missing_tag)(*tag, index);
    let Some(existing) = policy.existing_tags else {
        return tags.iter().try_for_each(|tag| transaction.require(&client.tag(*tag.1), failure(tag)));
    };
    let missing: Vec<_> = tags.iter().filter(|(_, tag)| !existing.contains(tag)).map(failure).collect();
    if !missing.is_empty() {
        return Err(StoreError::of_failures(missing));
    }
    let none_deleted = tags.iter().map(|(_, tag)| Condition::lacks("ids", tag.to_string()));
    let none_deleted = none_deleted.fold(Condition::Always, Condition::and);
    transaction.check(&client.tombstones(), none_deleted, Failure::Conflict)
}

/// A search entry and its key.
struct KeyedEntry {
    key: Key<SearchEntry>,
    entry: SearchEntry,
    /// Whether the entry is that of an email, which must be unique.
    is_unique: bool,
}

/// The search entries of a contact, by sort key.
fn search_entries(client: ClientScope, row: &ContactRow) -> BTreeMap<String, KeyedEntry> {
    let owner = row.contact.id;
    let mut entries = BTreeMap::new();
    for word in row.contact.fields.search_words() {
        add_entry(&mut entries, owner, client.word_entry(&word, owner), &word, false);
    }
    if let Some(email) = &row.contact.fields.email {
        add_entry(&mut entries, owner, client.email_entry(email), &Email::search_form(email), true);
    }
    let texts: Vec<String> = entries.values().map(|(text, _)| text.clone()).collect();
    for (index, (text, entry)) in entries.values_mut().enumerate() {
        let longest =
            |others: &[String]| others.iter().map(|other| common_prefix_len(other, text)).max().unwrap_or_default();
        entry.entry.shared_prefixes = [longest(&texts[..index]), longest(&texts[index + 1..])];
    }
    entries.into_iter().map(|(sort_key, (_, entry))| (sort_key, entry)).collect()
}

fn add_entry(
    entries: &mut BTreeMap<String, (String, KeyedEntry)>,
    owner: ContactId,
    key: Key<SearchEntry>,
    text: &NormalizedText,
    is_unique: bool,
) {
    let entry = KeyedEntry { entry: SearchEntry { owner, shared_prefixes: [0, 0] }, is_unique, key };
    entries.insert(entry.key.sort_key().to_owned(), (text.cut().to_owned(), entry));
}

/// The length of the longest common prefix, in bytes.
fn common_prefix_len(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

fn email_taken(existing: &SearchEntry) -> Failure {
    Problem::new(ErrorCode::EmailTaken, "Another contact of this client has this email.")
        .at("/email", InvalidValue::new("taken", "belongs to another contact"))
        .with("existingId", existing.owner.to_string())
        .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::contacts::Contact;
    use crate::table::{Meta, Order};

    fn row(first: &str, last: &str, email: Option<&str>) -> ContactRow {
        let fields = json!({ "firstName": first, "lastName": last, "email": email });
        let id = crate::value::Id::from_uuid(uuid::Uuid::from_u128(7));
        let now = "2026-03-08T06:30:00Z".parse().unwrap();
        let parent = crate::table::InClient { client_id: crate::value::Id::from_uuid(uuid::Uuid::from_u128(3)) };
        let fields = deserr::deserialize::<Contact, _, crate::value::ValidationErrors>(fields).unwrap();
        let contact = crate::table::Record { id, parent, fields, meta: Meta::created(now) };
        ContactRow::new(contact, None)
    }

    fn client() -> ClientScope {
        let id = |n| uuid::Uuid::from_u128(n);
        let key = |n| crate::value::Id::<()>::from_uuid(id(n)).to_key();
        ClientScope::of_prefix(&format!("T#{}#A#{}#C#{}#", key(1), key(2), key(3))).unwrap()
    }

    /// Whether a term begins a word of a name: after a space, or after a hyphen that precedes a letter.
    fn begins_word(name: &str, term: &str) -> bool {
        let mut starts = (0..name.len()).filter(|&at| {
            let before = name[..at].chars().next_back();
            before.is_none_or(|c| c == ' ' || (c == '-' && !name[at..].starts_with('-')))
        });
        starts.any(|at| name[at..].split(' ').next().is_some_and(|word| !word.is_empty() && word.starts_with(term)))
    }

    proptest! {
        #[test]
        fn search_for_a_term_returns_a_matching_contact_exactly_once(
            first in "[ab][ab -]{0,6}", last in "[ab][ab -]{0,6}", email in "[ab]{1,4}", term in "[ab]{1,3}(-[ab]{1,2})?",
        ) {
            let row = row(&first, &last, Some(&format!("{email}@example.com")));
            let entries = search_entries(client(), &row);
            let matches = begins_word(&first, &term) || begins_word(&last, &term) || email.starts_with(&term);
            for order in [Order::Asc, Order::Desc] {
                let read = entries.iter().filter(|(sort_key, _)| sort_key.starts_with(&term));
                let returned = read.filter(|(_, entry)| !entry.entry.is_duplicate(term.len(), order)).count();
                prop_assert_eq!(returned, usize::from(matches));
            }
            prop_assert_eq!(row.contact.fields.matches(&term.parse().unwrap()), matches);
        }

        #[test]
        fn search_for_several_terms_requires_each_in_any_order(
            first in "[abc]{1,3}( [abc]{1,3}){0,3}", last in "[abc]{1,3}( [abc]{1,3}){0,3}",
            terms in proptest::collection::vec("[abc]{1,3}", 1..4),
        ) {
            let contact = row(&first, &last, None).contact.fields;
            let matches = terms.iter().all(|term| begins_word(&first, term) || begins_word(&last, term));
            prop_assert_eq!(contact.matches(&terms.join(" ").parse().unwrap()), matches);
            let reversed: Vec<_> = terms.into_iter().rev().collect();
            prop_assert_eq!(contact.matches(&reversed.join("  ").parse().unwrap()), matches);
        }
    }

    #[test]
    fn first_8_words_of_each_name_have_entries() {
        let row = row("a b c d e f g h i a", "j k l m n o p q r", Some("z@example.com"));
        let sort_keys = search_entries(client(), &row).into_keys();
        let words: Vec<_> = sort_keys.filter_map(|key| Some(key.split_once('\u{1}')?.0.to_owned())).collect();
        assert_eq!(words, ["a", "b", "c", "d", "e", "f", "g", "h", "j", "k", "l", "m", "n", "o", "p", "q"]);
    }

    #[test]
    fn email_with_accents_has_another_entry_than_the_email_without() {
        let sort_keys = |email| search_entries(client(), &row("A", "B", Some(email))).into_keys();
        let sort_key = |email| sort_keys(email).find(|sort_key| sort_key.contains('@')).unwrap();
        assert_eq!(sort_key("Zoe@Example.com"), "zoe@example.com");
        assert_eq!(sort_key("zo\u{eb}@example.com"), "zoe@example.com\u{1}zo\u{eb}@example.com");
    }
}
