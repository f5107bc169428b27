//! What one request leaves behind: one line in the log, with what it cost and for whom, and nothing about a person.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::ConsumedCapacity;
use lambda_http::http::request::Parts;
use lambda_http::request::RequestContext as GatewayContext;
use lambda_http::{RequestExt, http};
use uuid::Uuid;

use crate::auth::ScopeIds;
use crate::entity::UserId;

/// How long a request may try to reach the store. API Gateway gives up after 30 s, a function after its own timeout.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// Follows one request through the layers.
#[derive(Clone, Debug)]
pub struct RequestContext(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: String,
    started: Instant,
    cost: Arc<Cost>,
    actor: Mutex<Acting>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Acting {
    user: Option<UserId>,
    scope: ScopeIds,
}

/// What a request consumed of the table so far.
#[derive(Debug, Default)]
pub struct Cost {
    round_trips: AtomicU64,
    /// In thousandths, because an eventually consistent read is half a unit.
    read_milli_units: AtomicU64,
    write_milli_units: AtomicU64,
}

impl Cost {
    pub(crate) fn round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what a read reported.
    pub(crate) fn read(&self, consumed: Option<&ConsumedCapacity>) {
        add(&self.read_milli_units, consumed.and_then(ConsumedCapacity::capacity_units));
    }

    /// Adds what a write reported.
    pub(crate) fn wrote(&self, consumed: &[ConsumedCapacity]) {
        for table in consumed {
            add(&self.write_milli_units, table.capacity_units());
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a unit count is small, positive and a multiple of one half: nothing is lost"
)]
fn add(total: &AtomicU64, units: Option<f64>) {
    total.fetch_add((units.unwrap_or_default() * 1000.0) as u64, Ordering::Relaxed);
}

#[allow(clippy::cast_precision_loss, reason = "a unit count is small")]
fn units(total: &AtomicU64) -> f64 {
    total.load(Ordering::Relaxed) as f64 / 1000.0
}

impl RequestContext {
    /// Starts with the request; its id is API Gateway's.
    pub(crate) fn start<B>(request: &http::Request<B>) -> Self {
        let request_id = match request.request_context_ref() {
            Some(GatewayContext::ApiGatewayV2(context)) => context.request_id.clone(),
            _ => None,
        };
        Self(Arc::new(Inner {
            request_id: request_id.unwrap_or_else(|| Uuid::now_v7().to_string()),
            started: Instant::now(),
            cost: Arc::default(),
            actor: Mutex::default(),
        }))
    }

    /// Of work that no request asked for.
    pub(crate) fn alone() -> Self {
        Self::start(&http::Request::new(()))
    }

    /// The same for a further step of long work: it counts to the same cost, and has a deadline of its own.
    pub(crate) fn renewed(&self) -> Self {
        let Inner { request_id, cost, .. } = &*self.0;
        let actor = Mutex::new(*self.0.actor.lock().unwrap_or_else(PoisonError::into_inner));
        Self(Arc::new(Inner { request_id: request_id.clone(), started: Instant::now(), cost: Arc::clone(cost), actor }))
    }

    /// The trace of the request that these are the parts of.
    pub(crate) fn of(parts: &Parts) -> Self {
        // Without the service around the router (a unit test of an extractor) the trace starts here and is not logged.
        parts.extensions.get().cloned().unwrap_or_else(Self::alone)
    }

    /// Notes who acts, and where, as soon as it is known.
    pub(crate) fn acting(&self, user: UserId, scope: ScopeIds) {
        let mut actor = self.0.actor.lock().unwrap_or_else(PoisonError::into_inner);
        *actor = Acting { user: Some(user), scope };
    }

    /// Notes where somebody acts who is no user.
    pub(crate) fn acting_in(&self, scope: ScopeIds) {
        let mut actor = self.0.actor.lock().unwrap_or_else(PoisonError::into_inner);
        *actor = Acting { user: None, scope };
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// What it consumed so far.
    pub(crate) fn cost(&self) -> &Cost {
        &self.0.cost
    }

    /// When to stop trying.
    pub(crate) fn deadline(&self) -> Instant {
        self.0.started + REQUEST_TIMEOUT
    }

    /// The one line about the request.
    pub(crate) fn log(&self, method: &http::Method, route: &str, status: http::StatusCode) {
        let actor = *self.0.actor.lock().unwrap_or_else(PoisonError::into_inner);
        let (tenant, agency, client) = actor.scope;
        let cost = &self.0.cost;
        tracing::info!(
            request_id = self.0.request_id,
            method = method.as_str(),
            route,
            status = status.as_u16(),
            latency_ms = self.0.started.elapsed().as_secs_f64() * 1000.0,
            user = actor.user.map(tracing::field::display),
            tenant = tenant.map(tracing::field::display),
            agency = agency.map(tracing::field::display),
            client = client.map(tracing::field::display),
            round_trips = cost.round_trips.load(Ordering::Relaxed),
            read_units = units(&cost.read_milli_units),
            write_units = units(&cost.write_milli_units),
            "request"
        );
    }
}
