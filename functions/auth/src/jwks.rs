//! The public keys, for whoever verifies access tokens.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use shared::App;

/// The public keys of access tokens, as a JSON Web Key Set (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth", operation_id = "jwks", security(()),
    responses((status = 200, description = "The keys.", content_type = "application/json", body = serde_json::Value)),
    extensions(("x-round-trips" = json!(0))))]
pub(crate) async fn read(State(app): State<App>) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, app.config().jwks.clone())
}
