//! Endpoints of the local server only: start page, outbox, clock and schedules.
//!
//! They are not part of the API and have no authentication.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::value::Clock;
use shared::value::Instant;

use super::outbox_page;
use super::schedules::Schedules;
use super::{Mode, Settings};
use crate::smtp::Outbox;

struct LocalState {
    start_page: String,
    clock: Clock,
    /// Whether the functions use `clock`.
    ///
    /// Functions in other processes use the system clock.
    clock_is_shared: bool,
    outbox: Outbox,
    schedules: Schedules,
}

pub(super) fn router(
    settings: &Settings,
    start_page: String,
    clock: Clock,
    outbox: Outbox,
    schedules: Schedules,
) -> Router {
    let clock_is_shared = settings.mode == Mode::InProcess;
    let state = LocalState { start_page, clock, clock_is_shared, outbox, schedules };
    Router::new()
        .route("/", get(start_page_html))
        .route("/_local/outbox", get(outbox_mails))
        .route("/_local/clock", put(set_clock))
        .route("/_local/tick", post(tick))
        .with_state(Arc::new(state))
}

async fn start_page_html(State(state): State<Arc<LocalState>>) -> impl IntoResponse {
    let headers =
        [(CACHE_CONTROL, "no-store"), (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")];
    (headers, Html(state.start_page.clone()))
}

/// Returns the sent mail, newest first: a page for a browser, JSON for a program.
async fn outbox_mails(State(state): State<Arc<LocalState>>, headers: HeaderMap) -> Response {
    let mails = state.outbox.mails();
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/html") {
        return Json(mails).into_response();
    }
    match outbox_page::render(&mails) {
        Ok(page) => {
            ([(CACHE_CONTROL, "no-store"), (CONTENT_SECURITY_POLICY, outbox_page::POLICY)], Html(page)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum ClockChange {
    Now(Instant),
    /// 32 bits, so that repeated changes cannot leave the supported range of years.
    AdvanceSeconds(i32),
    Reset(bool),
}

async fn set_clock(State(state): State<Arc<LocalState>>, body: String) -> (StatusCode, Json<Value>) {
    if !state.clock_is_shared {
        let error = "with MODE=lambda the functions are processes that use the system clock";
        return (StatusCode::CONFLICT, Json(json!({ "error": error })));
    }
    match serde_json::from_str(&body) {
        Ok(ClockChange::Now(now)) => state.clock.set(now),
        Ok(ClockChange::AdvanceSeconds(seconds)) => state.clock.advance(seconds.into()),
        Ok(ClockChange::Reset(true)) => state.clock.reset(),
        Ok(ClockChange::Reset(false)) => {}
        Err(_) => {
            let error = r#"send {"now":"2026-03-08T06:30:00Z"}, {"advanceSeconds":3600} or {"reset":true}"#;
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": error })));
        }
    }
    (StatusCode::OK, Json(json!({ "now": state.clock.now() })))
}

/// Fires all schedules of the template now.
async fn tick(State(state): State<Arc<LocalState>>) -> Json<Value> {
    Json(state.schedules.fire().await)
}
