//! Whether the service answers and reaches its table.

use axum::Json;
use serde::Serialize;
use shared::Result;
use shared::store::Store;
use utoipa::ToSchema;

/// That all is well.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Say whether the service reaches its table: `503` if not.
#[utoipa::path(get, path = "/health", tag = "service", operation_id = "health", security(()),
    responses((status = 200, body = Health, description = "It does.")), extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn read(store: Store) -> Result<Json<Health>> {
    store.ping().await?;
    Ok(Json(Health { status: "ok" }))
}
