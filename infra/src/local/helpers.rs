//! What only a local server can do, below `/_local/`: look at sent mail, move the clock, fire the schedules.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::value::Clock;
use shared::value::Instant;

use super::schedules::Schedules;
use super::{Mode, Settings};
use crate::smtp::{Mail, Outbox};

struct Helpers {
    clock: Clock,
    /// Processes of their own have the system's clock, and nobody can move it.
    clock_is_ours: bool,
    outbox: Outbox,
    schedules: Schedules,
}

pub(super) fn router(settings: &Settings, clock: Clock, outbox: Outbox, schedules: Schedules) -> Router {
    let helpers = Helpers { clock, clock_is_ours: settings.mode == Mode::InProcess, outbox, schedules };
    Router::new()
        .route("/_local/outbox", get(outbox_mails))
        .route("/_local/clock", put(set_clock))
        .route("/_local/tick", post(tick))
        .with_state(Arc::new(helpers))
}

/// The mails that were sent, newest first.
async fn outbox_mails(State(helpers): State<Arc<Helpers>>) -> Json<Vec<Mail>> {
    Json(helpers.outbox.mails())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum ClockChange {
    Now(Instant),
    /// So many that no number of moves leaves the years that a date can have.
    AdvanceSeconds(i32),
    Reset(bool),
}

async fn set_clock(State(helpers): State<Arc<Helpers>>, body: String) -> (StatusCode, Json<Value>) {
    if !helpers.clock_is_ours {
        let why = "with MODE=lambda the functions are processes that have the system's clock";
        return (StatusCode::CONFLICT, Json(json!({ "error": why })));
    }
    match serde_json::from_str(&body) {
        Ok(ClockChange::Now(now)) => helpers.clock.set(now),
        Ok(ClockChange::AdvanceSeconds(seconds)) => helpers.clock.advance(seconds.into()),
        Ok(ClockChange::Reset(true)) => helpers.clock.reset(),
        Ok(ClockChange::Reset(false)) => {}
        Err(_) => {
            let why = r#"send {"now":"2026-03-08T06:30:00Z"}, {"advanceSeconds":3600} or {"reset":true}"#;
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": why })));
        }
    }
    (StatusCode::OK, Json(json!({ "now": helpers.clock.now() })))
}

/// Invokes every function that the template schedules, as if its time had come.
async fn tick(State(helpers): State<Arc<Helpers>>) -> Json<Value> {
    Json(helpers.schedules.fire().await)
}
