//! The OpenAPI document, its rendered reference, and the 404 of unknown paths.
//!
//! A separate function, because it links every module and the scripts of the reference, and needs access to
//! neither the table nor keys.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use shared::web::{Problem, describe, problems};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerFile};

/// The tags of the operations, with their descriptions.
const TAGS: [(&str, &str); 8] = [
    ("service", "Health of the service."),
    ("auth", "Login, tokens, passwords, and the signed-in user."),
    ("tenancy", "Tenants, agencies, clients, and their domains."),
    ("users", "Users of the platform, of an agency and of a client, and their invitations."),
    ("contacts", "Contacts, their tags, and imports from CSV files."),
    ("deals", "Pipelines, their stages, deals, and notes."),
    ("appointments", "Services, staff, time off, availability, appointments, and calendar feeds."),
    ("reminders", "Mails about appointments: settings, what was sent, and the link that stops reminders."),
];

/// The OpenAPI document of all modules.
pub fn openapi() -> OpenApi {
    let modules = [auth::api(), tenancy::api(), contacts::api(), deals::api(), appointments::api(), reminders::api()];
    describe(modules.into_iter().map(shared::web::Api::into_openapi), &TAGS)
}

/// The routes of the function.
pub fn router() -> Router {
    let routes = Router::new()
        .route("/openapi.json", get(document))
        // Not "/docs/": behind a gateway that removes the slash at the end, it would redirect to itself.
        .route("/docs", get(|| async { Redirect::permanent("/docs/index.html") }))
        .route("/docs/", get(|| reference(Path(String::new()))))
        .route("/docs/{*file}", get(reference))
        .with_state(Arc::new(openapi()));
    problems(routes)
}

async fn document(State(document): State<Arc<OpenApi>>) -> impl IntoResponse {
    ([PUBLIC], Json(document))
}

/// A file of Swagger UI, from its crate.
async fn reference(Path(file): Path<String>) -> Result<Response, Problem> {
    let found = utoipa_swagger_ui::serve(&file, Arc::new(config())).map_err(|_| Problem::not_found())?;
    let SwaggerFile { bytes, content_type, .. } = found.ok_or_else(Problem::not_found)?;
    let bytes = if content_type.starts_with("text/html") { with_title(&bytes) } else { bytes };
    let headers = [(header::CONTENT_TYPE, content_type)];
    Ok((headers, [PUBLIC, (header::CONTENT_SECURITY_POLICY, POLICY)], bytes.into_owned()).into_response())
}

/// The configuration of Swagger UI.
///
/// The base layout has no top bar, because its logo needs an inline style. Without a validator, the page does not
/// send the document to another host. The browser's local storage keeps the access token when the page is
/// reloaded.
fn config() -> Config<'static> {
    let config = Config::from("/openapi.json").use_base_layout().validator_url("none");
    config.persist_authorization(true).filter(true)
}

fn with_title(page: &[u8]) -> Cow<'static, [u8]> {
    let page = String::from_utf8_lossy(page);
    page.replace("<title>Swagger UI</title>", "<title>Upzento CRM API</title>").into_bytes().into()
}

const PUBLIC: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=300");

/// Swagger UI uses its own origin only, and no other page embeds it.
///
/// The page has no inline script or style. The style sheet has images as `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn file(name: &str) -> (String, String) {
        let response = reference(Path(name.to_owned())).await.unwrap();
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (policy, String::from_utf8(bytes.into()).unwrap())
    }

    #[tokio::test]
    async fn page_has_a_title_and_no_inline_script_or_style() {
        let (policy, page) = file("").await;
        assert_eq!(policy, POLICY);
        assert!(page.contains("<title>Upzento CRM API</title>"), "{page}");
        for script in page.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"./"), "{script}");
        }
        assert!(!page.contains("<style") && !page.contains("style="), "{page}");
    }

    #[tokio::test]
    async fn page_keeps_the_token_and_filters_operations() {
        let (_, script) = file("swagger-initializer.js").await;
        for setting in ["\"persistAuthorization\": true", "\"filter\": true", "\"layout\": \"BaseLayout\""] {
            assert!(script.contains(setting), "{setting} in {script}");
        }
    }
}
