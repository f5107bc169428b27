//! Services: what a client does for its customers.

use axum::Json;
use axum::extract::State;
use serde_json::json;
use shared::auth::{Access, ClientId, ClientScope, ManageSchedules, UseCrm};
use shared::entity::{Record, Service, ServiceId, ServiceRecord, StaffId};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, Draft, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, WithEtag};
use shared::keys::Scope;
use shared::store::{Store, Transaction};
use shared::{App, Problem, Result};

type ServicePage = Page<ServiceRecord>;

/// Create a service. Its currency is the client's unless given.
#[utoipa::path(post, path = "/v1/clients/{clientId}/services", tag = "appointments", operation_id = "createService",
    params(("clientId" = ClientId, Path)), request_body = Service,
    responses((status = 201, body = ServiceRecord, description = "Created.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSchedules>,
    State(app): State<App>,
    store: Store,
    Create { fields: draft, request }: Create<Draft>,
) -> Result<Created> {
    let currency = async { store.find(&client.row()).await.map(|client| json!(client.fields.currency)) };
    let service: Result<Service> = draft.complete("currency", currency).await;
    let service = match service.and_then(|service| service.check().map(|()| service).map_err(Problem::from)) {
        Ok(service) => service,
        // What the client's currency decides may have been otherwise when this very request came before.
        Err(refused) => return request.recorded(&store, *client, refused).await,
    };
    let new = Record::new(&app, *client, service);
    let mut transaction = store.transaction();
    transaction.hold(&client.holdings())?;
    transaction.create(&client.service(new.id), &new)?;
    transaction.open_uses(&client.service_uses(new.id))?;
    name_staff(&mut transaction, *client, &[], &new.fields.staff_ids)?;
    let location = format!("/v1/clients/{}/services/{}", client.id(), new.id);
    request.commit(transaction, *client, &new, location).await
}

/// List the services, oldest first.
#[utoipa::path(get, path = "/v1/clients/{clientId}/services", tag = "appointments", operation_id = "listServices",
    params(("clientId" = ClientId, Path), PageParams),
    responses((status = 200, body = ServicePage, description = "A page.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging,
) -> Result<Json<ServicePage>> {
    paging.read(&store, *client, client.services()).await.map(Json)
}

/// Read a service.
#[utoipa::path(get, path = "/v1/clients/{clientId}/services/{serviceId}", tag = "appointments", operation_id = "readService",
    params(("clientId" = ClientId, Path), ("serviceId" = ServiceId, Path)),
    responses((status = 200, body = ServiceRecord, description = "The service.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Service>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<ServiceRecord>> {
    store.find(&client.service(id)).await.map(|service| WithEtag::unless(service, has))
}

/// Change a service. What is booked stays as it is.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/services/{serviceId}", tag = "appointments", operation_id = "updateService",
    params(("clientId" = ClientId, Path), ("serviceId" = ServiceId, Path)),
    request_body(content = Service, content_type = "application/merge-patch+json"),
    responses((status = 200, body = ServiceRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Service>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<ServiceRecord>> {
    let key = client.service(id);
    let decide = |current: &ServiceRecord, transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        let next = patch.change(current, &app)?;
        next.fields.check()?;
        transaction.revise(&client.service_uses(id), current.meta.version)?;
        transaction.write(&key, &next)?;
        name_staff(transaction, *client, &current.fields.staff_ids, &next.fields.staff_ids)?;
        Ok(next)
    };
    store.decide(|| store.find(&key), decide).await.map(WithEtag::new)
}

/// Delete a service. `409 in_use` while there are appointments for it, whatever became of them.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/services/{serviceId}", tag = "appointments", operation_id = "deleteService",
    params(("clientId" = ClientId, Path), ("serviceId" = ServiceId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Service>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let key = client.service(id);
    let decide = |current: &ServiceRecord, transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        let in_use = Problem::conflict("in_use", "There are appointments for it. Delete those first.");
        transaction.close_uses(&client.service_uses(id), current.meta.version, in_use)?;
        transaction.remove(&key)?;
        transaction.let_go(&client.holdings())?;
        name_staff(transaction, *client, &current.fields.staff_ids, &[])
    };
    store.decide(|| store.find(&key), decide).await.map(|()| Deleted)
}

/// Counts whom a service named and names.
fn name_staff(transaction: &mut Transaction, client: ClientScope, had: &[StaffId], has: &[StaffId]) -> Result<()> {
    for gone in had.iter().filter(|staff| !has.contains(staff)) {
        transaction.unuse(&client.staff_uses(*gone))?;
    }
    for (place, new) in has.iter().enumerate().filter(|(_, staff)| !had.contains(staff)) {
        transaction.use_any(&client.staff_uses(*new), Problem::unresolved_reference(format!("/staffIds/{place}")))?;
    }
    Ok(())
}
