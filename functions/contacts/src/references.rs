//! What refers to a contact: deals and appointments. They stay when the contact goes, and no longer name it.

use axum::Json;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::entity::{Appointment, Contact, ContactId, Deal, ReferenceCount, Tombstones};
use shared::http::page::PageParams;
use shared::http::{Page, Paging, PathId};
use shared::job::Work;
use shared::store::{Order, Store, Transaction};
use shared::value::Instant;
use shared::{App, Result};

use crate::jobs;

type DealPage = Page<Deal>;
type AppointmentPage = Page<Appointment>;

/// List the deals of a contact, oldest first.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts/{contactId}/deals", tag = "contacts", operation_id = "listContactDeals",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path), PageParams),
    responses((status = 200, body = DealPage, description = "A page.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn deals(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    paging: Paging,
) -> Result<Json<DealPage>> {
    paging.read_of(&store, *client, &client.contact(id), client.deals_of(id)).await.map(Json)
}

/// List the appointments of a contact, by their start.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts/{contactId}/appointments", tag = "contacts", operation_id = "listContactAppointments",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path), PageParams),
    responses((status = 200, body = AppointmentPage, description = "A page.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn appointments(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    paging: Paging,
) -> Result<Json<AppointmentPage>> {
    paging.read_of(&store, *client, &client.contact(id), client.appointments_of(id)).await.map(Json)
}

/// How many rows that refer to a contact go with it in the transaction that deletes it; more are a job's.
const AT_ONCE: usize = 20;

/// Rows that refer to a contact.
pub(crate) struct Referring {
    deals: Vec<Deal>,
    appointments: Vec<Appointment>,
}

impl Referring {
    /// Some of the rows that refer to a contact: two Queries at a time. The index follows the table within moments.
    pub(crate) async fn some(store: &Store, client: ClientScope, contact: ContactId) -> Result<Self> {
        let (deals, appointments) = (client.deals_of(contact), client.appointments_of(contact));
        let most = i32::try_from(AT_ONCE).unwrap_or(i32::MAX);
        let (deals, appointments) = tokio::try_join!(
            store.query(&deals, None, Order::Asc, most),
            store.query(&appointments, None, Order::Asc, most),
        )?;
        let deals = deals.rows.into_iter().map(|(_, deal)| deal).collect();
        Ok(Self { deals, appointments: appointments.rows.into_iter().map(|(_, appointment)| appointment).collect() })
    }

    /// All of them, if they are few, and if the index has as many of them as were counted.
    pub(crate) async fn whole(
        store: &Store,
        client: ClientScope,
        contact: ContactId,
        counted: &ReferenceCount,
    ) -> Result<Option<Self>> {
        if !(1..=AT_ONCE).contains(&counted.n) {
            return Ok(None);
        }
        let some = Self::some(store, client, contact).await?;
        Ok((some.len() == counted.n).then_some(some))
    }

    pub(crate) fn len(&self) -> usize {
        self.deals.len() + self.appointments.len()
    }

    /// Adds that none of them refers to the contact any more; stale if one has changed since it was read.
    pub(crate) fn clear(&self, transaction: &mut Transaction, client: ClientScope, now: Instant) -> Result<()> {
        for deal in &self.deals {
            transaction.replace_anew(&client.deal(deal.id), &deal.without_contact(now), deal.meta.version)?;
        }
        for one in &self.appointments {
            transaction.replace_anew(&client.appointment(one.id), &one.without_contact(now), one.meta.version)?;
        }
        Ok(())
    }
}

/// Adds that nothing refers to a contact which is deleted: at once if all that does is known, else by a job.
pub(crate) fn clear(
    transaction: &mut Transaction,
    app: &App,
    client: ClientScope,
    contact: ContactId,
    (references, referring, gone): (&ReferenceCount, Option<&Referring>, Option<&Tombstones>),
) -> Result<()> {
    match referring {
        Some(referring) => referring.clear(transaction, client, app.clock().now())?,
        None if references.n == 0 => {}
        None => {
            let work = Work::Unrefer { contact };
            return jobs::accept(transaction, app, client, gone, contact.uuid(), work);
        }
    }
    transaction.close_references(&client.references(contact), references)
}
