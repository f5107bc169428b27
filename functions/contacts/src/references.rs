//! The deals and appointments of a contact.

use axum::Json;
use shared::appointments::Appointment;
use shared::contacts::{Contact, ContactId};
use shared::deals::Deal;
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::Store;
use shared::web::page::PageParams;
use shared::web::{Access, Page, Paging, PathId, Result};

type DealPage = Page<Deal>;
type AppointmentPage = Page<Appointment>;

/// List the deals of a contact.
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/contacts/{contactId}/deals", tag = "contacts",
    operation_id = "listContactDeals",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("contactId" = ContactId, Path, description = "The contact's id."), PageParams
    ),
    responses((status = 200, body = DealPage, description = "A page of deals."))
)]
pub(crate) async fn deals(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    paging: Paging,
) -> Result<Json<DealPage>> {
    paging.read_children(&store, *client, &client.contact(id), client.deals_of_contact(id)).await.map(Json)
}

/// List the appointments of a contact.
///
/// By start time, earliest first.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/contacts/{contactId}/appointments", tag = "contacts",
    operation_id = "listContactAppointments",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("contactId" = ContactId, Path, description = "The contact's id."), PageParams
    ),
    responses((status = 200, body = AppointmentPage, description = "A page of appointments."))
)]
pub(crate) async fn appointments(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    paging: Paging,
) -> Result<Json<AppointmentPage>> {
    paging.read_children(&store, *client, &client.contact(id), client.appointments_of_contact(id, None)).await.map(Json)
}
