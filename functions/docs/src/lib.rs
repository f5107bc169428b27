//! The OpenAPI document of all modules, its rendered reference, and the 404 of a path that is nobody's.
//!
//! A function of its own, because it links every module and the reference's scripts, and needs neither the table nor a key.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use shared::Problem;
use shared::http::{describe, problems};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

/// The document: every module's routes.
pub fn openapi() -> OpenApi {
    let modules = [auth::api(), tenancy::api(), contacts::api(), deals::api(), appointments::api()];
    describe(modules.into_iter().map(shared::http::Api::into_openapi))
}

/// The service.
pub fn router() -> Router {
    let routes = Router::new()
        .route("/openapi.json", get(document))
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(|| reference(Path(String::new()))))
        .route("/docs/{*file}", get(reference))
        .with_state(Arc::new(openapi()));
    problems(routes)
}

async fn document(State(document): State<Arc<OpenApi>>) -> impl IntoResponse {
    ([PUBLIC], Json(document))
}

/// A file of Swagger UI, which its crate carries. The page loads nothing from elsewhere, and sends nothing there: it would
/// have a validator of its makers check the document.
async fn reference(Path(file): Path<String>) -> Result<Response, Problem> {
    let config = Arc::new(Config::from("/openapi.json").validator_url("none"));
    let file =
        utoipa_swagger_ui::serve(&file, config).map_err(|_| Problem::not_found())?.ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, file.content_type)], [PUBLIC], file.bytes.into_owned()).into_response())
}

const PUBLIC: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=300");
