//! The demo website of a client, and the pages that the links in mails lead to.
//!
//! It stands for what is outside of the product: the website that embeds the widgets, and the frontend.

use std::sync::Arc;

use askama::Template;
use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;

use super::TABLE;
use crate::check;

/// The domain of the client that the website shows: the one of the demo data.
const DOMAIN: &str = "localhost";

#[derive(Clone)]
struct Demo {
    port: u16,
    table: Client,
}

#[derive(Template)]
#[template(path = "demo/salon.html")]
struct SalonPage {
    api_url: String,
    widgets_url: String,
    /// The address of this website under a host name that no client has registered.
    other_url: String,
    key: Option<String>,
}

#[derive(Template)]
#[template(path = "demo/account.html")]
struct AccountPage {
    title: &'static str,
    api_url: String,
    /// The route that takes the token and the password.
    path: &'static str,
    /// The name of the password in its body.
    field: &'static str,
}

/// The routes of the website; the API is on `port`.
pub(super) fn router(port: u16, table: Client) -> Router {
    let file = |media: &'static str, text: &'static str| get(move || async move { ([(CONTENT_TYPE, media)], text) });
    Router::new()
        .route("/", get(salon))
        .route("/accept-invitation", get(accept_invitation))
        .route("/reset-password", get(reset_password))
        .route("/demo.css", file("text/css", include_str!("../../templates/demo/demo.css")))
        .route("/salon.js", file("text/javascript", include_str!("../../templates/demo/salon.js")))
        .route("/account.js", file("text/javascript", include_str!("../../templates/demo/account.js")))
        .with_state(Arc::new(Demo { port, table }))
}

impl Demo {
    fn api_url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    fn widgets_url(&self) -> String {
        format!("http://localhost:{}", self.port + 1)
    }

    /// The widget key of the client that has registered [`DOMAIN`].
    async fn widget_key(&self) -> Option<String> {
        let rows = check::rows(&self.table, TABLE).await.ok()?;
        let has_domain =
            |row: &Value| row["domains"].as_array().is_some_and(|domains| domains.contains(&DOMAIN.into()));
        let pointer =
            rows.iter().find_map(|row| row["pk"].as_str()?.strip_prefix("GLOBAL#WIDGET#").filter(|_| has_domain(row)));
        pointer.map(str::to_owned)
    }
}

async fn salon(State(demo): State<Arc<Demo>>) -> Response {
    let page = SalonPage {
        api_url: demo.api_url(),
        widgets_url: demo.widgets_url(),
        other_url: format!("http://127.0.0.1:{}/", demo.port + 2),
        key: demo.widget_key().await,
    };
    let widgets = &page.widgets_url;
    let policy = format!("default-src 'none'; script-src 'self' {widgets}; connect-src {widgets}; style-src 'self'");
    html(&page, &policy)
}

async fn accept_invitation(State(demo): State<Arc<Demo>>) -> Response {
    account(&demo, "Accept the invitation", "/v1/auth/invitations/accept", "password")
}

async fn reset_password(State(demo): State<Arc<Demo>>) -> Response {
    account(&demo, "Reset the password", "/v1/auth/password/reset", "newPassword")
}

fn account(demo: &Demo, title: &'static str, path: &'static str, field: &'static str) -> Response {
    let page = AccountPage { title, api_url: demo.api_url(), path, field };
    let policy = format!("default-src 'none'; script-src 'self'; style-src 'self'; connect-src {}", page.api_url);
    html(&page, &policy)
}

fn html(page: &impl Template, policy: &str) -> Response {
    let (Ok(text), Ok(policy)) = (page.render(), HeaderValue::try_from(policy)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    ([(CACHE_CONTROL, HeaderValue::from_static("no-store")), (CONTENT_SECURITY_POLICY, policy)], Html(text))
        .into_response()
}
