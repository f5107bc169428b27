//! Create, list, read, update and delete tenants.

use axum::Json;
use axum::extract::State;
use shared::identity::{ManageTenancy, PlatformScope, TenantId, TenantScope};
use shared::table::{Record, Store, child_count};
use shared::tenants::{Tenant, TenantRecord};
use shared::users::require_current_actor;
use shared::web::page::PageParams;
use shared::web::{Access, App, Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, Result, WithEtag};

type TenantPage = Page<TenantRecord>;

/// Create a tenant.
///
/// A tenant is a customer of the platform.
#[utoipa::path(
    post, path = "/v1/tenants", tag = "tenancy", operation_id = "createTenant",
    request_body = Tenant,
    responses((status = 201, body = TenantRecord, description = "The new tenant.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn create(
    platform: Access<PlatformScope, ManageTenancy>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Tenant>,
) -> Result<Created> {
    let tenant = Record::new(app.ids(), *platform, fields, app.now());
    let scope = platform.tenant(tenant.id);
    let mut transaction = store.transaction();
    transaction.create(&scope.record(), &tenant)?;
    transaction.create_child_count(&child_count(scope))?;
    request.commit(transaction, *platform, &tenant, format!("/v1/tenants/{}", tenant.id)).await
}

/// List tenants.
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/tenants", tag = "tenancy", operation_id = "listTenants",
    params(PageParams),
    responses((status = 200, body = TenantPage, description = "A page of tenants.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn list(
    platform: Access<PlatformScope, ManageTenancy>,
    store: Store,
    paging: Paging,
) -> Result<Json<TenantPage>> {
    paging.read(&store, *platform, platform.tenants()).await.map(Json)
}

/// Get a tenant.
///
/// Returns its name and domain.
#[utoipa::path(
    get, path = "/v1/tenants/{tenantId}", tag = "tenancy", operation_id = "getTenant",
    params(("tenantId" = TenantId, Path, description = "The tenant's id.")),
    responses((status = 200, body = TenantRecord, description = "The tenant.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn read(
    tenant: Access<TenantScope, ManageTenancy>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<TenantRecord>> {
    Ok(WithEtag::unless(store.find(&tenant.record()).await?, if_none_match))
}

/// Update a tenant.
///
/// A JSON Merge Patch: `null` clears a field, an absent field keeps its value.
#[utoipa::path(
    patch, path = "/v1/tenants/{tenantId}", tag = "tenancy", operation_id = "updateTenant",
    params(("tenantId" = TenantId, Path, description = "The tenant's id.")),
    request_body(content = Tenant, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TenantRecord, description = "The updated tenant.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    tenant: Access<TenantScope, ManageTenancy>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<TenantRecord>> {
    store.update(tenant.record(), &if_match, |current, _| patch.change(current, &app)).await.map(WithEtag::new)
}

/// Delete a tenant.
///
/// A tenant with agencies cannot be deleted.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenantId}", tag = "tenancy", operation_id = "deleteTenant",
    params(("tenantId" = TenantId, Path, description = "The tenant's id.")),
    responses((status = 204, description = "The tenant was deleted.")),
    extensions(("x-errors" = json!(["forbidden", "not_empty"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    tenant: Access<TenantScope, ManageTenancy>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let deleted = store.delete(tenant.record(), &if_match, |_, transaction| {
        require_current_actor(transaction, tenant.actor())?;
        Ok(transaction.delete_child_count(*tenant)?)
    });
    deleted.await.map(|()| Deleted)
}
