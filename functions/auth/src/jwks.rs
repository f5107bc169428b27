//! The public keys that verify access tokens.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use shared::web::App;

/// Get the public keys of access tokens.
///
/// A JSON Web Key Set (RFC 7517). Responses may be cached for 5 minutes.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "auth", operation_id = "getJwks", security(()),
    responses(
        (
            status = 200, description = "The JSON Web Key Set.", content_type = "application/json",
            body = serde_json::Value
        )
    )
)]
pub(crate) async fn read(State(app): State<App>) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, app.config().jwks.clone())
}
