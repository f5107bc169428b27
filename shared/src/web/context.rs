//! The context of a request: its id, its budget, and its caller, for the log.

use std::sync::{Arc, Mutex, PoisonError};

use lambda_http::http::request::Parts;
use lambda_http::request::RequestContext as GatewayContext;
use lambda_http::{RequestExt, http};
use uuid::Uuid;

use crate::identity::ScopeIds;
use crate::table::Budget;
use crate::value::UserId;

/// The context of one request, shared by all layers.
#[derive(Clone, Debug)]
pub struct RequestContext(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: String,
    budget: Budget,
    caller: Mutex<Caller>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Caller {
    user: Option<UserId>,
    scope: ScopeIds,
}

impl RequestContext {
    /// The context of a request that starts now, with API Gateway's id.
    pub(super) fn start<B>(request: &http::Request<B>) -> Self {
        let request_id = match request.request_context_ref() {
            Some(GatewayContext::ApiGatewayV2(context)) => context.request_id.clone(),
            _ => None,
        };
        Self(Arc::new(Inner {
            request_id: request_id.unwrap_or_else(|| Uuid::now_v7().to_string()),
            budget: Budget::start(),
            caller: Mutex::default(),
        }))
    }

    /// The context of the request with these parts.
    pub(crate) fn of(parts: &Parts) -> Self {
        // Without the service around the router, as in a unit test of an extractor, the context starts here
        // and is not logged.
        parts.extensions.get().cloned().unwrap_or_else(|| Self::start(&http::Request::new(())))
    }

    /// Records the user who makes the request, and the scope.
    pub(super) fn set_user(&self, user: UserId, scope: ScopeIds) {
        self.set(Caller { user: Some(user), scope });
    }

    /// Records the scope of a request without a user.
    pub(crate) fn set_scope(&self, scope: ScopeIds) {
        self.set(Caller { user: None, scope });
    }

    fn set(&self, caller: Caller) {
        *self.0.caller.lock().unwrap_or_else(PoisonError::into_inner) = caller;
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The request's budget.
    pub(super) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Logs the request in one line, without personal data.
    pub(super) fn log(&self, method: &http::Method, route: &str, status: http::StatusCode) {
        let Caller { user, scope } = *self.0.caller.lock().unwrap_or_else(PoisonError::into_inner);
        let (tenant, agency, client) = scope;
        let budget = &self.0.budget;
        tracing::info!(
            request_id = self.0.request_id,
            method = method.as_str(),
            route,
            status = status.as_u16(),
            latency_ms = budget.elapsed().as_secs_f64() * 1000.0,
            user = user.map(tracing::field::display),
            tenant = tenant.map(tracing::field::display),
            agency = agency.map(tracing::field::display),
            client = client.map(tracing::field::display),
            round_trips = budget.round_trips(),
            read_units = budget.read_units(),
            write_units = budget.write_units(),
            "request"
        );
    }
}
