//! Create, list, read, update and delete clients.

use axum::Json;
use axum::extract::State;
use shared::identity::{
    AgencyId, AgencyScope, ClientId, ClientScope, ManageClients, ReadAgency, ReadClient, UpdateClient,
};
use shared::table::{Record, ScopePointer, Store, child_count};
use shared::tenants::{Client, ClientRecord, Widget, count_deleted_client};
use shared::users::require_current_actor;
use shared::web::page::PageParams;
use shared::web::{Access, App, Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, Result, WithEtag};

use crate::widget;

type ClientPage = Page<ClientRecord>;

/// Create a client.
///
/// The client belongs to the agency and gets a widget key.
#[utoipa::path(
    post, path = "/v1/agencies/{agencyId}/clients", tag = "tenancy", operation_id = "createClient",
    params(("agencyId" = AgencyId, Path, description = "The agency's id.")),
    request_body = Client,
    responses((status = 201, body = ClientRecord, description = "The new client.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn create(
    agency: Access<AgencyScope, ManageClients>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Client>,
) -> Result<Created> {
    let client = Record::new(app.ids(), *agency, fields, app.now());
    let scope = agency.client(client.id);
    let mut transaction = store.transaction();
    transaction.increment_children(*agency)?;
    transaction.create(&scope.record(), &client)?;
    transaction.create(&scope.pointer(), &ScopePointer::from(*agency))?;
    transaction.create_child_count(&child_count(scope))?;
    widget::create(&mut transaction, scope, &Widget::new(app.now()))?;
    request.commit(transaction, *agency, &client, format!("/v1/clients/{}", client.id)).await
}

/// List the clients of an agency.
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/agencies/{agencyId}/clients", tag = "tenancy", operation_id = "listClients",
    params(("agencyId" = AgencyId, Path, description = "The agency's id."), PageParams),
    responses((status = 200, body = ClientPage, description = "A page of clients.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn list(
    agency: Access<AgencyScope, ReadAgency>,
    store: Store,
    paging: Paging,
) -> Result<Json<ClientPage>> {
    paging.read(&store, *agency, agency.clients()).await.map(Json)
}

/// Get a client.
///
/// Returns its name, time zone, currency, country, language and brand.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}", tag = "tenancy", operation_id = "getClient",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    responses((status = 200, body = ClientRecord, description = "The client.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn read(
    client: Access<ClientScope, ReadClient>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<ClientRecord>> {
    Ok(WithEtag::unless(store.find(&client.record()).await?, if_none_match))
}

/// Update a client.
///
/// A JSON Merge Patch: `null` clears a field, an absent field keeps its value.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}", tag = "tenancy", operation_id = "updateClient",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body(content = Client, content_type = "application/merge-patch+json"),
    responses((status = 200, body = ClientRecord, description = "The updated client.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, UpdateClient>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<ClientRecord>> {
    store.update(client.record(), &if_match, |current, _| patch.change(current, &app)).await.map(WithEtag::new)
}

/// Delete a client.
///
/// A client with users, domains, contacts, deals or other data cannot be deleted.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}", tag = "tenancy", operation_id = "deleteClient",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    responses((status = 204, description = "The client was deleted.")),
    extensions(("x-errors" = json!(["forbidden", "not_empty"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageClients>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (key, widget_key) = (client.record(), client.widget());
    let read = async || Ok(store.find_both(&key, &widget_key).await?);
    let deleted = store.retry_on_conflict(read, |(row, widget), transaction| {
        if_match.check(row.meta.version)?;
        require_current_actor(transaction, client.actor())?;
        transaction.delete(&key, row.meta.version)?;
        transaction.delete_child_count(*client)?;
        widget::delete(transaction, *client, widget)?;
        transaction.remove(&client.pointer())?;
        // The staff count still exists when it has fallen to zero.
        transaction.remove(&client.staff_count())?;
        transaction.remove(&client.reminder_settings())?;
        Ok(count_deleted_client(transaction, *client)?)
    });
    deleted.await.map(|()| Deleted)
}
