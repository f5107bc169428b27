//! The list of contacts.
//!
//! Chooses the index that serves the filters and the order, and filters the rest page by page.

use axum::Json;
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use shared::contacts::{ContactId, ContactRecord, ContactRow, SearchEntry, TagAssignment, TagId, repository};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::{Entity, List, MAX_BATCH, Order, QueryResult, Store};
use shared::value::{Email, Instant, InvalidValue, NormalizedText, ValidationErrors};
use shared::web::page::{PageParams, truncate_page};
use shared::web::{Access, Located, Page, Paging, Problem, Result};
use utoipa::{IntoParams, ToSchema};

type ContactPage = Page<ContactRecord>;

/// The filters and the order of the list.
#[derive(Clone, Debug, Default, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Filters {
    /// Prefix search over the words of the names and over the email.
    ///
    /// Case, accents and optional marks (Arabic harakat, Hebrew points, tatweel) are ignored. Several terms,
    /// separated by spaces, must all match, in any order: `vinci mar` finds Maria da Vinci. What follows punctuation
    /// is a word too: `luc` finds Jean-Luc. The first 8 words of each name are searched. Each contact is returned
    /// once, without `sort` in the order of the text that the longest term matches. A search for several terms, and
    /// any search combined with `sort`, filters each page, so pages may be short. An empty value is ignored.
    #[deserr(default, try_from(&String) = search_prefix -> InvalidValue)]
    #[param(value_type = Option<String>, max_length = 100)]
    q: Option<NormalizedText>,
    /// Exact email, case-insensitive. Matches at most one contact.
    #[deserr(default)]
    email: Option<Email>,
    /// Contacts with this tag, in the order of creation.
    ///
    /// Combined with `q` (unless sorted by `createdAt`) or with another `sort`, the tag filters each page, so
    /// pages may be short.
    #[deserr(default)]
    tag_id: Option<TagId>,
    /// Sort key.
    ///
    /// Default: the order of the filter that an index serves, else `createdAt`. `name` is the last name, then
    /// the first name, case- and accent-insensitive.
    #[deserr(default)]
    #[param(inline)]
    sort: Option<Sort>,
    /// Sort order; default `asc`.
    #[deserr(default)]
    #[param(inline)]
    order: Option<Order>,
    /// Contacts changed at this time or later, in the order of their last change.
    ///
    /// Combined with `q`, `tagId` or another `sort`, the time filters each page, so pages may be short.
    /// Eventually consistent: to poll for changes, start one minute before the last `updatedAt` received.
    #[deserr(default)]
    updated_since: Option<Instant>,
}

/// A cleared search box sends an empty value, which is no filter.
fn search_prefix(text: &str) -> std::result::Result<Option<NormalizedText>, InvalidValue> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

/// Sort keys of contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase)]
enum Sort {
    CreatedAt,
    UpdatedAt,
    Name,
}

/// The term of a search that an index reads: the first one of the longest.
fn longest_term(search: &NormalizedText) -> NormalizedText {
    let longest = search.terms().into_iter().rev().max_by_key(NormalizedText::char_count);
    longest.unwrap_or_else(|| search.clone())
}

/// The index or item that a page is read from.
enum Source {
    Contacts(List<ContactRow>),
    SearchEntries(List<SearchEntry>),
    TagAssignments(List<TagAssignment>),
    /// The contact with an email.
    Email(Email),
}

/// Contacts read per contact of a page, if filters remain after the index.
const SCAN_FACTOR: usize = 4;

/// The search entries read per contact of a page.
///
/// A contact has up to 17 entries, but more than 3 of them rarely begin with the same text. Then the page is short.
const ENTRIES_PER_CONTACT: usize = 3;

/// List contacts.
///
/// Filters can be combined. One index serves the list; the other filters apply page by page, so a page may be
/// short or empty and still have a `nextCursor`: continue until it is `null`. Sorted by `name` or
/// `updatedAt`, the list is eventually consistent.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/contacts", tag = "contacts", operation_id = "listContacts",
    params(("clientId" = ClientId, Path, description = "The client's id."), PageParams, Filters),
    responses((status = 200, body = ContactPage, description = "A page of contacts."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging<Filters>,
) -> Result<Json<ContactPage>> {
    let client = *client;
    let page = match paging.filters.source(client) {
        Source::Contacts(list) => contacts(&store, client, &paging, &list).await?,
        Source::SearchEntries(list) => contacts_of_pointers(&store, client, &paging, &list).await?,
        Source::TagAssignments(list) => contacts_of_pointers(&store, client, &paging, &list).await?,
        Source::Email(email) => contact_with_email(&store, client, &paging, &email).await?,
    };
    Ok(Json(page))
}

impl Filters {
    /// The best source.
    ///
    /// The best source keeps the requested order and leaves the fewest contacts to filter.
    fn source(&self, client: ClientScope) -> Source {
        match self {
            Self { email: Some(email), .. } => Source::Email(email.clone()),
            Self { sort: Some(Sort::Name), .. } => Source::Contacts(client.contacts_by_name()),
            Self { sort: Some(Sort::UpdatedAt), .. } => Source::Contacts(client.contacts_by_change(self.updated_since)),
            Self { sort: None, q: Some(q), .. } => Source::SearchEntries(client.search_entries(&longest_term(q))),
            Self { tag_id: Some(tag), .. } => Source::TagAssignments(client.tag_assignments(*tag).into()),
            Self { sort: None, updated_since: since @ Some(_), .. } => {
                Source::Contacts(client.contacts_by_change(*since))
            }
            Self { .. } => Source::Contacts(client.contacts().into()),
        }
    }

    /// Whether the source applies all filters.
    ///
    /// Then only search entries of the same contact make a page short.
    fn are_served_by_source(&self) -> bool {
        let Self { q, email, tag_id, sort, updated_since, .. } = self;
        match (q.is_some(), email.is_some(), tag_id.is_some(), updated_since.is_some()) {
            (false, false, false, false) => true,
            (true, false, false, false) => sort.is_none() && q.as_ref().is_some_and(|q| q.terms().len() == 1),
            (false, false, true, false) => sort.is_none_or(|sort| sort == Sort::CreatedAt),
            (false, false, false, true) => sort.is_none_or(|sort| sort == Sort::UpdatedAt),
            _ => false,
        }
    }

    fn match_contact(&self, contact: &ContactRecord) -> bool {
        let fields = &contact.fields;
        self.q.as_ref().is_none_or(|q| fields.matches(q))
            && self.email.as_ref().is_none_or(|email| fields.has_email(email))
            && self.tag_id.is_none_or(|tag| fields.tag_ids.contains(&tag))
            && self.updated_since.is_none_or(|since| contact.meta.updated_at >= since)
    }

    fn order(&self) -> Order {
        self.order.unwrap_or_default()
    }
}

/// Reads a page from a list of contacts: one Query.
async fn contacts(
    store: &Store,
    client: ClientScope,
    paging: &Paging<Filters>,
    list: &List<ContactRow>,
) -> Result<ContactPage> {
    let filters = &paging.filters;
    let factor = if filters.are_served_by_source() { 1 } else { SCAN_FACTOR };
    let QueryResult { items: rows, stopped } =
        paging.query(store, client, list, filters.order(), factor * paging.limit() + 1).await?;
    let (positions, rows): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let rows = positions.into_iter().zip(repository::hide_deleted_tags(store, client, rows).await?);
    let matching = rows.filter(|(_, row)| filters.match_contact(&row.contact));
    let mut matching: Vec<_> = matching.map(|(position, row)| (position, row.contact)).collect();
    let end = truncate_page(&mut matching, paging.limit(), stopped);
    paging.page(list, matching.into_iter().map(|(_, contact)| contact).collect(), end.as_ref())
}

/// An item that points to a contact.
trait ContactPointer: Entity {
    fn contact(&self) -> ContactId;

    /// Whether an earlier item of the same list points to the same contact.
    fn is_duplicate(&self, filters: &Filters) -> bool;

    /// The items that are read per contact of a page.
    const PER_CONTACT: usize;
}

impl ContactPointer for SearchEntry {
    fn contact(&self) -> ContactId {
        self.owner
    }

    fn is_duplicate(&self, filters: &Filters) -> bool {
        filters.q.as_ref().is_some_and(|q| Self::is_duplicate(self, longest_term(q).cut().len(), filters.order()))
    }

    const PER_CONTACT: usize = ENTRIES_PER_CONTACT;
}

impl ContactPointer for TagAssignment {
    fn contact(&self) -> ContactId {
        self.owner
    }

    fn is_duplicate(&self, _: &Filters) -> bool {
        false
    }

    const PER_CONTACT: usize = 1;
}

/// Reads a page from a list of pointers: one Query and one BatchGetItem.
async fn contacts_of_pointers<T: ContactPointer>(
    store: &Store,
    client: ClientScope,
    paging: &Paging<Filters>,
    list: &List<T>,
) -> Result<ContactPage> {
    let filters = &paging.filters;
    let limit = if filters.are_served_by_source() { paging.limit() } else { MAX_BATCH };
    let QueryResult { items: rows, stopped } =
        paging.query(store, client, list, filters.order(), T::PER_CONTACT * limit + 1).await?;
    let mut pointers: Vec<_> = rows.into_iter().filter(|(_, row)| !row.is_duplicate(filters)).collect();
    let stopped = truncate_page(&mut pointers, limit, stopped);
    let keys: Vec<_> = pointers.iter().map(|(_, row)| client.contact(row.contact())).collect();
    let (positions, rows): (Vec<_>, Vec<_>) = pointers
        .into_iter()
        .zip(store.get_all(&keys).await?)
        .filter_map(|((position, _), row)| Some((position, row?)))
        .unzip();
    let rows = positions.into_iter().zip(repository::hide_deleted_tags(store, client, rows).await?);
    // A contact may have changed between the reads of its pointer and of itself.
    let matching = rows.filter(|(_, row)| filters.match_contact(&row.contact));
    let mut matching: Vec<_> = matching.map(|(position, row)| (position, row.contact)).collect();
    let mut end = truncate_page(&mut matching, paging.limit(), stopped);
    if end.is_some() && matching.is_empty() && is_tag_deleted(store, client, filters).await? {
        end = None;
    }
    paging.page(list, matching.into_iter().map(|(_, contact)| contact).collect(), end.as_ref())
}

/// Whether the filter's tag was deleted.
///
/// Then no contact will match, though a job has yet to delete the assignments.
async fn is_tag_deleted(store: &Store, client: ClientScope, filters: &Filters) -> Result<bool> {
    let Some(tag) = filters.tag_id else { return Ok(false) };
    Ok(store.get(&client.tombstones()).await?.is_some_and(|tombstones| tombstones.contains(tag)))
}

/// Reads the contact with an email: two GetItem.
async fn contact_with_email(
    store: &Store,
    client: ClientScope,
    paging: &Paging<Filters>,
    email: &Email,
) -> Result<ContactPage> {
    let list: List<ContactRow> = client.contacts().into();
    // There is no second page. Rejects any cursor.
    paging.after(&list)?;
    let entry = store.get(&client.email_entry(email)).await?;
    let row = match &entry {
        Some(entry) => store.get(&client.contact(entry.owner)).await?,
        None if client.exists(store).await? => None,
        None => return Err(Problem::not_found()),
    };
    let rows = repository::hide_deleted_tags(store, client, row.into_iter().collect()).await?.into_iter();
    let contacts = rows.map(|row| row.contact).filter(|contact| paging.filters.match_contact(contact));
    paging.page(&list, contacts.collect(), None)
}
