//! The list of contacts: which index serves what is asked for, and what is left to be filtered.

use axum::Json;
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use shared::auth::{Access, ClientId, ClientScope, Located, UseCrm};
use shared::contacts::shown;
use shared::entity::{ContactId, ContactRecord, ContactRow, SearchEntry, TagId, Tagged};
use shared::http::page::{PageParams, end_of};
use shared::http::{Page, Paging};
use shared::keys::List;
use shared::store::{Item, MAX_BATCH, Order, Rows, Store};
use shared::value::{Email, Instant, NormalizedText, ValidationErrors};
use shared::{Problem, Result};
use utoipa::{IntoParams, ToSchema};

type ContactPage = Page<ContactRecord>;

/// Which contacts are asked for, and in what order.
#[derive(Clone, Debug, Default, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Filters {
    /// Whose first name, last name or email begins with this, whatever the case and the accents. Served by an index, in the order of
    /// the text that begins so; whoever is found by two of them is shown at the first. With `sort`, that index serves and this filters
    /// its pages.
    #[deserr(default)]
    #[param(inline)]
    q: Option<NormalizedText>,
    /// Who has this email: one contact at most. Served by an index, whatever else is asked for.
    #[deserr(default)]
    email: Option<Email>,
    /// Who has this tag. Served by an index, in the order of creation; with `q`
    /// (unless sorted by `createdAt`), or sorted otherwise, it filters pages.
    #[deserr(default)]
    tag_id: Option<TagId>,
    /// By `createdAt` unless another filter's index serves; `name` is the last name, then the first, without case and accents. Each
    /// is served by an index.
    #[deserr(default)]
    #[param(inline)]
    sort: Option<Sort>,
    /// Ascending unless told.
    #[deserr(default)]
    #[param(inline)]
    order: Option<Order>,
    /// Who changed then or later. Served by an index, in the order of the last change; with `q` or `tagId`, or sorted otherwise, it
    /// filters pages. The index follows within moments: whoever polls asks again from a minute before the last change that they saw.
    #[deserr(default)]
    updated_since: Option<Instant>,
}

/// What contacts are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase)]
enum Sort {
    CreatedAt,
    UpdatedAt,
    Name,
}

/// What serves a list.
enum Served {
    /// Rows that are the contacts themselves.
    Contacts(List<ContactRow>),
    /// What they are found by.
    SlotRules(List<SearchEntry>),
    /// Who has a tag.
    Tagged(List<Tagged>),
    /// The one whose email it is.
    Email(Email),
}

/// How many times the contacts of a page are looked at for one that an index does not serve alone.
const LOOKED_AT: usize = 4;

/// How many terms a contact has at most.
const TERMS: usize = 3;

/// List the contacts.
///
/// Filters can be combined. One index serves the list; what it does not serve is filtered page by page, and such a page may be
/// short, or empty, and have a `nextCursor`: go on until that is `null`. So may a page with `q`. By name and by the last change the
/// list follows changes within moments.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts", tag = "contacts", operation_id = "listContacts",
    params(("clientId" = ClientId, Path), PageParams, Filters),
    responses((status = 200, body = ContactPage, description = "A page.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging<Filters>,
) -> Result<Json<ContactPage>> {
    let client = *client;
    let page = match paging.filters.served(client) {
        Served::Contacts(list) => contacts(&store, client, &paging, &list).await?,
        Served::SlotRules(list) => pointed_at(&store, client, &paging, &list).await?,
        Served::Tagged(list) => pointed_at(&store, client, &paging, &list).await?,
        Served::Email(email) => by_email(&store, client, &paging, &email).await?,
    };
    Ok(Json(page))
}

impl Filters {
    /// The index that serves them best: one that keeps the order that is asked for, and then one that leaves the least to filter.
    fn served(&self, client: ClientScope) -> Served {
        match self {
            Self { email: Some(email), .. } => Served::Email(email.clone()),
            Self { sort: Some(Sort::Name), .. } => Served::Contacts(client.contacts_by_name()),
            Self { sort: Some(Sort::UpdatedAt), .. } => Served::Contacts(client.contacts_by_change(self.updated_since)),
            Self { sort: None, q: Some(q), .. } => Served::SlotRules(client.terms(q)),
            Self { tag_id: Some(tag), .. } => Served::Tagged(client.tagged(*tag).into()),
            Self { sort: None, updated_since: since @ Some(_), .. } => {
                Served::Contacts(client.contacts_by_change(*since))
            }
            Self { .. } => Served::Contacts(client.contacts().into()),
        }
    }

    /// Whether the index alone serves them: then a page is full as long as there are more, but for those who are found by more than
    /// one of their terms.
    fn is_served(&self) -> bool {
        let Self { q, email, tag_id, sort, updated_since, .. } = self;
        match (q.is_some(), email.is_some(), tag_id.is_some(), updated_since.is_some()) {
            (false, false, false, false) => true,
            (true, false, false, false) => sort.is_none(),
            (false, false, true, false) => sort.is_none_or(|sort| sort == Sort::CreatedAt),
            (false, false, false, true) => sort.is_none_or(|sort| sort == Sort::UpdatedAt),
            _ => false,
        }
    }

    /// Whether they let a contact through.
    fn let_through(&self, contact: &ContactRecord) -> bool {
        let fields = &contact.fields;
        self.q.as_ref().is_none_or(|q| fields.is_found_by(q))
            && self.email.as_ref().is_none_or(|email| fields.has_email(email))
            && self.tag_id.is_none_or(|tag| fields.tag_ids.contains(&tag))
            && self.updated_since.is_none_or(|since| contact.meta.updated_at >= since)
    }

    fn order(&self) -> Order {
        self.order.unwrap_or_default()
    }
}

/// Reads a page of rows that are the contacts themselves: one Query.
async fn contacts(
    store: &Store,
    client: ClientScope,
    paging: &Paging<Filters>,
    list: &List<ContactRow>,
) -> Result<ContactPage> {
    let look_at = if paging.filters.is_served() { paging.limit() + 1 } else { LOOKED_AT * paging.limit() + 1 };
    let Rows { rows, stopped } = paging.query(store, client, list, paging.filters.order(), look_at).await?;
    let (positions, rows): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let rows = positions.into_iter().zip(shown(store, client, rows).await?);
    let through = rows.filter(|(_, row)| paging.filters.let_through(&row.contact));
    let mut through: Vec<_> = through.map(|(position, row)| (position, row.contact)).collect();
    let end = end_of(&mut through, paging.limit(), stopped);
    paging.page(list, through.into_iter().map(|(_, contact)| contact).collect(), end.as_ref())
}

/// A row that leads to a contact.
trait Leads: Item {
    /// To whom.
    fn to(&self) -> ContactId;

    /// Whether another row of the same list leads there too, and stands before this one.
    fn is_second(&self, filters: &Filters) -> bool;

    /// How many rows of a list may lead to one contact.
    const ROWS: usize;
}

impl Leads for SearchEntry {
    fn to(&self) -> ContactId {
        self.owner
    }

    fn is_second(&self, filters: &Filters) -> bool {
        filters.q.as_ref().is_some_and(|q| Self::is_second(self, q.cut().len(), filters.order()))
    }

    const ROWS: usize = TERMS;
}

impl Leads for Tagged {
    fn to(&self) -> ContactId {
        self.owner
    }

    fn is_second(&self, _: &Filters) -> bool {
        false
    }

    const ROWS: usize = 1;
}

/// Reads a page of the contacts to which rows lead: one Query and one BatchGetItem.
async fn pointed_at<T: Leads>(
    store: &Store,
    client: ClientScope,
    paging: &Paging<Filters>,
    list: &List<T>,
) -> Result<ContactPage> {
    let filters = &paging.filters;
    let most = if filters.is_served() { paging.limit() } else { MAX_BATCH };
    let Rows { rows, stopped } = paging.query(store, client, list, filters.order(), T::ROWS * most + 1).await?;
    let mut leads: Vec<_> = rows.into_iter().filter(|(_, row)| !row.is_second(filters)).collect();
    let stopped = end_of(&mut leads, most, stopped);
    let keys: Vec<_> = leads.iter().map(|(_, row)| client.contact(row.to())).collect();
    let (positions, found): (Vec<_>, Vec<_>) = leads
        .into_iter()
        .zip(store.get_all(&keys).await?)
        .filter_map(|((position, _), row)| Some((position, row?)))
        .unzip();
    let found = positions.into_iter().zip(shown(store, client, found).await?);
    // A contact may have changed since its index was read.
    let through = found.filter(|(_, row)| filters.let_through(&row.contact));
    let mut through: Vec<_> = through.map(|(position, row)| (position, row.contact)).collect();
    let mut end = end_of(&mut through, paging.limit(), stopped);
    if end.is_some() && through.is_empty() && is_gone(store, client, filters).await? {
        end = None;
    }
    paging.page(list, through.into_iter().map(|(_, contact)| contact).collect(), end.as_ref())
}

/// Whether nobody will be found, because the tag is deleted and a job takes it off.
async fn is_gone(store: &Store, client: ClientScope, filters: &Filters) -> Result<bool> {
    let Some(tag) = filters.tag_id else { return Ok(false) };
    Ok(store.get(&client.gone()).await?.is_some_and(|gone| gone.has(tag)))
}

/// Reads the contact who has an email: two GetItem.
async fn by_email(store: &Store, client: ClientScope, paging: &Paging<Filters>, email: &Email) -> Result<ContactPage> {
    let list: List<ContactRow> = client.contacts().into();
    // There is no second page, and so no cursor that leads to it.
    paging.after(&list)?;
    let term = store.get(&client.email_term(email)).await?;
    let row = match &term {
        Some(term) => store.get(&client.contact(term.owner)).await?,
        None if client.exists(store).await? => None,
        None => return Err(Problem::not_found()),
    };
    let rows = shown(store, client, row.into_iter().collect()).await?.into_iter();
    let through = rows.map(|row| row.contact).filter(|contact| paging.filters.let_through(contact));
    paging.page(&list, through.collect(), None)
}
