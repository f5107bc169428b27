//! Customers of the platform.

use axum::Json;
use axum::extract::State;
use shared::auth::{Access, ManageTenancy, PlatformScope, TenantId, TenantScope};
use shared::entity::{Record, Tenant, TenantRecord};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, WithEtag};
use shared::keys::Scope;
use shared::store::Store;
use shared::{App, Result};

type TenantPage = Page<TenantRecord>;

/// Create a tenant.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenancy", operation_id = "createTenant",
    request_body = Tenant, responses((status = 201, body = TenantRecord, description = "Created.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn create(
    platform: Access<PlatformScope, ManageTenancy>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Tenant>,
) -> Result<Created> {
    let tenant = Record::new(&app, *platform, fields);
    let scope = platform.tenant(tenant.id);
    let mut transaction = store.transaction();
    transaction.create(&scope.row(), &tenant)?;
    transaction.open(&scope.holdings())?;
    request.commit(transaction, *platform, &tenant, format!("/v1/tenants/{}", tenant.id)).await
}

/// List the tenants, oldest first.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenancy", operation_id = "listTenants", params(PageParams),
    responses((status = 200, body = TenantPage, description = "A page.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn list(
    platform: Access<PlatformScope, ManageTenancy>,
    store: Store,
    paging: Paging,
) -> Result<Json<TenantPage>> {
    paging.read(&store, *platform, platform.tenants()).await.map(Json)
}

/// Read a tenant.
#[utoipa::path(get, path = "/v1/tenants/{tenantId}", tag = "tenancy", operation_id = "readTenant",
    params(("tenantId" = TenantId, Path)),
    responses((status = 200, body = TenantRecord, description = "The tenant.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    tenant: Access<TenantScope, ManageTenancy>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<TenantRecord>> {
    Ok(WithEtag::unless(store.find(&tenant.row()).await?, has))
}

/// Change a tenant.
#[utoipa::path(patch, path = "/v1/tenants/{tenantId}", tag = "tenancy", operation_id = "updateTenant",
    params(("tenantId" = TenantId, Path)),
    request_body(content = Tenant, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TenantRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    tenant: Access<TenantScope, ManageTenancy>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<TenantRecord>> {
    store.update(tenant.row(), &if_match, |current, _| patch.change(current, &app)).await.map(WithEtag::new)
}

/// Delete a tenant that has no agencies.
#[utoipa::path(delete, path = "/v1/tenants/{tenantId}", tag = "tenancy", operation_id = "deleteTenant",
    params(("tenantId" = TenantId, Path)), responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    tenant: Access<TenantScope, ManageTenancy>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    store.delete(tenant.row(), &if_match, |_, transaction| transaction.close(&tenant.holdings())).await?;
    Ok(Deleted)
}
