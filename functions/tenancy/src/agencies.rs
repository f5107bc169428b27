//! Create, list, read, update and delete agencies.

use axum::Json;
use axum::extract::State;
use shared::identity::{AgencyId, AgencyScope, ManageTenancy, ReadAgency, TenantId, TenantScope, UpdateAgency};
use shared::table::{Record, ScopePointer, Store, child_count};
use shared::tenants::{Agency, AgencyRecord, count_deleted_agency};
use shared::users::require_current_actor;
use shared::web::page::PageParams;
use shared::web::{Access, App, Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, Result, WithEtag};

type AgencyPage = Page<AgencyRecord>;

/// Create an agency.
///
/// The agency belongs to the tenant.
#[utoipa::path(
    post, path = "/v1/tenants/{tenantId}/agencies", tag = "tenancy", operation_id = "createAgency",
    params(("tenantId" = TenantId, Path, description = "The tenant's id.")),
    request_body = Agency,
    responses((status = 201, body = AgencyRecord, description = "The new agency.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn create(
    tenant: Access<TenantScope, ManageTenancy>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Agency>,
) -> Result<Created> {
    let agency = Record::new(app.ids(), *tenant, fields, app.now());
    let scope = tenant.agency(agency.id);
    let mut transaction = store.transaction();
    transaction.increment_children(*tenant)?;
    transaction.create(&scope.record(), &agency)?;
    transaction.create(&scope.pointer(), &ScopePointer::from(scope))?;
    transaction.create_child_count(&child_count(scope))?;
    request.commit(transaction, *tenant, &agency, format!("/v1/agencies/{}", agency.id)).await
}

/// List the agencies of a tenant.
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenantId}/agencies", tag = "tenancy", operation_id = "listAgencies",
    params(("tenantId" = TenantId, Path, description = "The tenant's id."), PageParams),
    responses((status = 200, body = AgencyPage, description = "A page of agencies.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn list(
    tenant: Access<TenantScope, ManageTenancy>,
    store: Store,
    paging: Paging,
) -> Result<Json<AgencyPage>> {
    paging.read(&store, *tenant, tenant.agencies()).await.map(Json)
}

/// Get an agency.
///
/// Returns its name and tenant.
#[utoipa::path(
    get, path = "/v1/agencies/{agencyId}", tag = "tenancy", operation_id = "getAgency",
    params(("agencyId" = AgencyId, Path, description = "The agency's id.")),
    responses((status = 200, body = AgencyRecord, description = "The agency.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn read(
    agency: Access<AgencyScope, ReadAgency>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<AgencyRecord>> {
    Ok(WithEtag::unless(store.find(&agency.record()).await?, if_none_match))
}

/// Update an agency.
///
/// A JSON Merge Patch: an absent field keeps its value.
#[utoipa::path(
    patch, path = "/v1/agencies/{agencyId}", tag = "tenancy", operation_id = "updateAgency",
    params(("agencyId" = AgencyId, Path, description = "The agency's id.")),
    request_body(content = Agency, content_type = "application/merge-patch+json"),
    responses((status = 200, body = AgencyRecord, description = "The updated agency.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    agency: Access<AgencyScope, UpdateAgency>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<AgencyRecord>> {
    store.update(agency.record(), &if_match, |current, _| patch.change(current, &app)).await.map(WithEtag::new)
}

/// Delete an agency.
///
/// An agency with clients or users cannot be deleted.
#[utoipa::path(
    delete, path = "/v1/agencies/{agencyId}", tag = "tenancy", operation_id = "deleteAgency",
    params(("agencyId" = AgencyId, Path, description = "The agency's id.")),
    responses((status = 204, description = "The agency was deleted.")),
    extensions(("x-errors" = json!(["forbidden", "not_empty"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    agency: Access<AgencyScope, ManageTenancy>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let deleted = store.delete(agency.record(), &if_match, |_, transaction| {
        require_current_actor(transaction, agency.actor())?;
        transaction.delete_child_count(*agency)?;
        transaction.remove(&agency.pointer())?;
        Ok(count_deleted_agency(transaction, *agency)?)
    });
    deleted.await.map(|()| Deleted)
}
