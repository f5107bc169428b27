//! What only a local server can do, below `/_local/`: look at sent mail, move the clock, fire the schedules.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::value::Instant;

use super::{Mode, Settings};
use crate::function::Functions;
use crate::template::{Schedule, ScheduleKind, Template};

struct Helpers {
    clock: Clock,
    /// Processes of their own have the system's clock, and nobody can move it.
    clock_is_ours: bool,
    functions: Functions,
    schedules: Vec<(String, Duration, Schedule)>,
}

pub(super) fn router(settings: &Settings, clock: Clock, template: &Template, functions: Functions) -> Router {
    let schedules = template.functions.iter().flat_map(|(id, function)| {
        let schedules = function.schedules.iter().filter(|schedule| schedule.enabled);
        schedules.map(|schedule| (id.clone(), function.timeout, schedule.clone()))
    });
    let helpers =
        Helpers { clock, clock_is_ours: settings.mode == Mode::InProcess, functions, schedules: schedules.collect() };
    Router::new()
        .route("/_local/outbox", get(outbox))
        .route("/_local/clock", put(set_clock))
        .route("/_local/tick", post(tick))
        .with_state(Arc::new(helpers))
}

/// The mails that were sent, newest first. No module sends mail yet, so that there are none.
async fn outbox() -> Json<Value> {
    Json(json!([]))
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
    let mut fired = Vec::new();
    for (id, timeout, schedule) in &helpers.schedules {
        let Some(function) = helpers.functions.get(id) else { continue };
        let event = schedule.input.clone().unwrap_or_else(|| scheduled_event(schedule, helpers.clock.now()));
        let outcome = match function.invoke(event, *timeout).await {
            Ok(_) => json!({ "function": id, "schedule": schedule.name }),
            Err(error) => json!({ "function": id, "schedule": schedule.name, "error": error.to_string() }),
        };
        fired.push(outcome);
    }
    Json(json!({ "fired": fired }))
}

/// The event that the service behind the schedule sends.
fn scheduled_event(schedule: &Schedule, now: Instant) -> Value {
    let source = match schedule.kind {
        ScheduleKind::Rule => "aws.events",
        ScheduleKind::Scheduler => "aws.scheduler",
    };
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4(),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": "123456789012",
        "time": now,
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    })
}
