//! The health check.

use axum::Json;
use serde::Serialize;
use shared::table::Store;
use shared::web::Result;
use utoipa::ToSchema;

/// The status of the service.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Check the health of the service.
///
/// `503` if the service cannot reach its table.
#[utoipa::path(
    get, path = "/health", tag = "service", operation_id = "getHealth", security(()),
    responses((status = 200, body = Health, description = "The service is available."))
)]
pub(crate) async fn read(store: Store) -> Result<Json<Health>> {
    store.ping().await?;
    Ok(Json(Health { status: "ok" }))
}
