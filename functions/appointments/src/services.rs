//! Create, list, get, update and delete services.

use axum::Json;
use axum::extract::State;
use serde_json::json;
use shared::appointments::{Service, ServiceId, ServiceRecord, StaffId, UsageGuard};
use shared::identity::{ClientId, ClientScope, ManageSchedules, UseCrm};
use shared::table::{Record, Store, Transaction};
use shared::users::require_current_actor;
use shared::web::page::PageParams;
use shared::web::{
    Access, App, Create, Created, Deleted, Draft, ErrorCode, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId,
    Problem, Result, WithEtag,
};

type ServicePage = Page<ServiceRecord>;

/// Create a service.
///
/// Without `currency`, the price is in the client's currency.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/services", tag = "appointments", operation_id = "createService",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = Service,
    responses((status = 201, body = ServiceRecord, description = "The new service.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSchedules>,
    State(app): State<App>,
    store: Store,
    Create { fields: draft, request }: Create<Draft>,
) -> Result<Created> {
    let currency = async { Ok(json!(store.find(&client.record()).await?.fields.currency)) };
    let service: Result<Service> = draft.parse_with_default("currency", currency).await;
    let service = match service.and_then(|service| service.check().map(|()| service).map_err(Problem::from)) {
        Ok(service) => service,
        // The client's currency, which decides whether the price is valid, may have changed since the first
        // attempt of this request.
        Err(invalid) => return request.recorded_response_or(&store, *client, invalid).await,
    };
    let new = Record::new(app.ids(), *client, service, app.now());
    let mut transaction = store.transaction();
    transaction.increment_children(*client)?;
    transaction.create(&client.service(new.id), &new)?;
    UsageGuard::create(&mut transaction, &client.service_guard(new.id))?;
    change_staff(&mut transaction, *client, &[], &new.fields.staff_ids)?;
    let location = format!("/v1/clients/{}/services/{}", client.id(), new.id);
    request.commit(transaction, *client, &new, location).await
}

/// List services.
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/services", tag = "appointments", operation_id = "listServices",
    params(("clientId" = ClientId, Path, description = "The client's id."), PageParams),
    responses((status = 200, body = ServicePage, description = "A page of services."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging,
) -> Result<Json<ServicePage>> {
    paging.read(&store, *client, client.services()).await.map(Json)
}

/// Get a service.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/services/{serviceId}", tag = "appointments", operation_id = "getService",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("serviceId" = ServiceId, Path, description = "The service's id.")
    ),
    responses((status = 200, body = ServiceRecord, description = "The service.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Service>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<ServiceRecord>> {
    Ok(WithEtag::unless(store.find(&client.service(id)).await?, if_none_match))
}

/// Update a service.
///
/// Existing appointments keep their time and buffers. `currency: null` sets the client's currency.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/services/{serviceId}", tag = "appointments", operation_id = "updateService",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("serviceId" = ServiceId, Path, description = "The service's id.")
    ),
    request_body(content = Service, content_type = "application/merge-patch+json"),
    responses((status = 200, body = ServiceRecord, description = "The updated service.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Service>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<ServiceRecord>> {
    let key = client.service(id);
    let read = async || {
        let currency = async { Ok(json!(store.find(&client.record()).await?.fields.currency)) };
        let (current, patch) = tokio::join!(store.find(&key), patch.with_default("currency", currency));
        Ok((current?, patch?))
    };
    let decide = |(current, patch): &(ServiceRecord, Patch), transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        let next = patch.change(current, &app)?;
        next.fields.check()?;
        if next.meta.version == current.meta.version {
            return Ok(next);
        }
        UsageGuard::advance(transaction, &client.service_guard(id), current.meta.version)?;
        transaction.overwrite(&key, &next)?;
        change_staff(transaction, *client, &current.fields.staff_ids, &next.fields.staff_ids)?;
        Ok(next)
    };
    store.retry_on_conflict(read, decide).await.map(WithEtag::new)
}

/// Delete a service.
///
/// `409 in_use` if the service has appointments, in any status.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/services/{serviceId}", tag = "appointments", operation_id = "deleteService",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("serviceId" = ServiceId, Path, description = "The service's id.")
    ),
    responses((status = 204, description = "The service was deleted.")),
    extensions(("x-errors" = json!(["forbidden", "in_use"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Service>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let key = client.service(id);
    let decide = |current: &ServiceRecord, transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        require_current_actor(transaction, client.actor())?;
        let in_use = Problem::new(ErrorCode::InUse, "The service has appointments. Delete those first.");
        UsageGuard::delete(transaction, &client.service_guard(id), current.meta.version, in_use)?;
        transaction.remove(&key)?;
        transaction.decrement_children(*client)?;
        change_staff(transaction, *client, &current.fields.staff_ids, &[])
    };
    store.retry_on_conflict(async || Ok(store.find(&key).await?), decide).await.map(|()| Deleted)
}

/// Updates the usage guards of the staff members that a service lists.
fn change_staff(
    transaction: &mut Transaction,
    client: ClientScope,
    before: &[StaffId],
    after: &[StaffId],
) -> Result<()> {
    for removed in before.iter().filter(|staff| !after.contains(staff)) {
        UsageGuard::decrement(transaction, &client.staff_guard(*removed))?;
    }
    for (index, added) in after.iter().enumerate().filter(|(_, staff)| !before.contains(staff)) {
        let missing = Problem::unresolved_reference(format!("/staffIds/{index}"));
        UsageGuard::increment_any(transaction, &client.staff_guard(*added), missing)?;
    }
    Ok(())
}
