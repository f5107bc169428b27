//! Agencies of a tenant.

use axum::Json;
use axum::extract::State;
use shared::auth::{Access, AgencyId, AgencyScope, ManageTenancy, ReadAgency, TenantId, TenantScope, UpdateAgency};
use shared::entity::{Agency, AgencyRecord, Record, ScopePointer};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, WithEtag};
use shared::keys::Scope;
use shared::store::Store;
use shared::{App, Result};

type AgencyPage = Page<AgencyRecord>;

/// Create an agency of a tenant.
#[utoipa::path(post, path = "/v1/tenants/{tenantId}/agencies", tag = "tenancy", operation_id = "createAgency",
    params(("tenantId" = TenantId, Path)), request_body = Agency,
    responses((status = 201, body = AgencyRecord, description = "Created.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn create(
    tenant: Access<TenantScope, ManageTenancy>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Agency>,
) -> Result<Created> {
    let agency = Record::new(&app, *tenant, fields);
    let scope = tenant.agency(agency.id);
    let mut transaction = store.transaction();
    transaction.hold(&tenant.holdings())?;
    transaction.create(&scope.row(), &agency)?;
    transaction.create(&scope.pointer(), &ScopePointer::from(scope))?;
    transaction.open(&scope.holdings())?;
    request.commit(transaction, *tenant, &agency, format!("/v1/agencies/{}", agency.id)).await
}

/// List a tenant's agencies, oldest first.
#[utoipa::path(get, path = "/v1/tenants/{tenantId}/agencies", tag = "tenancy", operation_id = "listAgencies",
    params(("tenantId" = TenantId, Path), PageParams),
    responses((status = 200, body = AgencyPage, description = "A page.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn list(
    tenant: Access<TenantScope, ManageTenancy>,
    store: Store,
    paging: Paging,
) -> Result<Json<AgencyPage>> {
    paging.read(&store, *tenant, tenant.agencies()).await.map(Json)
}

/// Read an agency.
#[utoipa::path(get, path = "/v1/agencies/{agencyId}", tag = "tenancy", operation_id = "readAgency",
    params(("agencyId" = AgencyId, Path)),
    responses((status = 200, body = AgencyRecord, description = "The agency.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    agency: Access<AgencyScope, ReadAgency>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<AgencyRecord>> {
    Ok(WithEtag::unless(store.find(&agency.row()).await?, has))
}

/// Change an agency.
#[utoipa::path(patch, path = "/v1/agencies/{agencyId}", tag = "tenancy", operation_id = "updateAgency",
    params(("agencyId" = AgencyId, Path)),
    request_body(content = Agency, content_type = "application/merge-patch+json"),
    responses((status = 200, body = AgencyRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    agency: Access<AgencyScope, UpdateAgency>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<AgencyRecord>> {
    store.update(agency.row(), &if_match, |current, _| patch.change(current, &app)).await.map(WithEtag::new)
}

/// Delete an agency that has no clients and no users.
#[utoipa::path(delete, path = "/v1/agencies/{agencyId}", tag = "tenancy", operation_id = "deleteAgency",
    params(("agencyId" = AgencyId, Path)), responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    agency: Access<AgencyScope, ManageTenancy>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let gone = store.delete(agency.row(), &if_match, |_, transaction| {
        transaction.close(&agency.holdings())?;
        transaction.remove(&agency.pointer())?;
        transaction.let_go(&agency.tenant().holdings())
    });
    gone.await.map(|()| Deleted)
}
