//! Clients of an agency.

use axum::Json;
use axum::extract::State;
use shared::auth::{
    Access, AgencyId, AgencyScope, ClientId, ClientScope, ManageClients, ReadAgency, ReadClient, UpdateClient,
};
use shared::entity::{Client, ClientRecord, Record, ScopePointer, Widget};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, WithEtag};
use shared::keys::Scope;
use shared::store::Store;
use shared::{App, Result};

use crate::widget;

type ClientPage = Page<ClientRecord>;

/// Create a client of an agency.
#[utoipa::path(post, path = "/v1/agencies/{agencyId}/clients", tag = "tenancy", operation_id = "createClient",
    params(("agencyId" = AgencyId, Path)), request_body = Client,
    responses((status = 201, body = ClientRecord, description = "Created.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn create(
    agency: Access<AgencyScope, ManageClients>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Client>,
) -> Result<Created> {
    let client = Record::new(&app, *agency, fields);
    let scope = agency.client(client.id);
    let mut transaction = store.transaction();
    transaction.hold(&agency.holdings())?;
    transaction.create(&scope.row(), &client)?;
    transaction.create(&scope.pointer(), &ScopePointer::from(*agency))?;
    transaction.open(&scope.holdings())?;
    widget::create(&mut transaction, scope, &Widget::new(app.clock().now()))?;
    request.commit(transaction, *agency, &client, format!("/v1/clients/{}", client.id)).await
}

/// List an agency's clients, oldest first.
#[utoipa::path(get, path = "/v1/agencies/{agencyId}/clients", tag = "tenancy", operation_id = "listClients",
    params(("agencyId" = AgencyId, Path), PageParams),
    responses((status = 200, body = ClientPage, description = "A page.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn list(
    agency: Access<AgencyScope, ReadAgency>,
    store: Store,
    paging: Paging,
) -> Result<Json<ClientPage>> {
    paging.read(&store, *agency, agency.clients()).await.map(Json)
}

/// Read a client.
#[utoipa::path(get, path = "/v1/clients/{clientId}", tag = "tenancy", operation_id = "readClient",
    params(("clientId" = ClientId, Path)),
    responses((status = 200, body = ClientRecord, description = "The client.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, ReadClient>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<ClientRecord>> {
    Ok(WithEtag::unless(store.find(&client.row()).await?, has))
}

/// Change a client.
#[utoipa::path(patch, path = "/v1/clients/{clientId}", tag = "tenancy", operation_id = "updateClient",
    params(("clientId" = ClientId, Path)),
    request_body(content = Client, content_type = "application/merge-patch+json"),
    responses((status = 200, body = ClientRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, UpdateClient>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<ClientRecord>> {
    store.update(client.row(), &if_match, |current, _| patch.change(current, &app)).await.map(WithEtag::new)
}

/// Delete a client that holds nothing.
#[utoipa::path(delete, path = "/v1/clients/{clientId}", tag = "tenancy", operation_id = "deleteClient",
    params(("clientId" = ClientId, Path)), responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageClients>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (key, beside) = (client.row(), client.widget());
    let read = || store.find_both(&key, &beside);
    let gone = store.decide(read, |(row, widget), transaction| {
        if_match.check(row.meta.version)?;
        transaction.delete(&key, row.meta.version)?;
        transaction.close(&client.holdings())?;
        widget::delete(transaction, *client, widget)?;
        transaction.remove(&client.pointer())?;
        // A count that has come down to none stays.
        transaction.remove(&client.team())?;
        transaction.let_go(&client.agency().holdings())
    });
    gone.await.map(|()| Deleted)
}
