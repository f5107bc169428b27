//! How the gateway calls a function, and functions that run inside this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use lambda_http::lambda_runtime::Config;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, BoxFuture, Context, LambdaEvent, Service};
use serde_json::Value;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The largest event and answer of a synchronous invocation, in bytes of JSON.
///
/// From Lambda's error messages: "Request must be smaller than 6291456 bytes for the `InvokeFunction` operation" and
/// "Response payload size exceeded maximum allowed payload size (6291556 bytes)".
pub const EVENT_LIMIT: usize = 6_291_456;
/// See [`EVENT_LIMIT`].
pub const ANSWER_LIMIT: usize = 6_291_556;

/// The functions behind an API, by logical id.
pub type Functions = BTreeMap<String, Arc<dyn Invoke>>;

/// A function that can be invoked.
pub trait Invoke: Send + Sync {
    /// Sends an event and waits for the answer, for no longer than the function's `timeout`.
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>>;
}

/// Why an invocation has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// The event is larger than [`EVENT_LIMIT`].
    #[error("Request must be smaller than {EVENT_LIMIT} bytes for the InvokeFunction operation")]
    EventTooLarge,
    /// As many invocations are under way as the function may have at once.
    #[error("Rate Exceeded.")]
    Throttled,
    /// The function did not answer in time.
    #[error("Task timed out after {:.2} seconds", limit.as_secs_f64())]
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// The function answered with an error, or broke.
    #[error("{error_type}: {message}")]
    Failed {
        /// Lambda's `errorType`.
        error_type: String,
        /// Lambda's `errorMessage`.
        message: String,
    },
}

impl FunctionError {
    pub(crate) fn failed(error_type: &str, message: impl Into<String>) -> Self {
        Self::Failed { error_type: error_type.to_owned(), message: message.into() }
    }
}

/// The event as Lambda hands it to a runtime.
pub(crate) fn event_json(event: &Value) -> Result<String, FunctionError> {
    let json = event.to_string();
    if json.len() > EVENT_LIMIT {
        return Err(FunctionError::EventTooLarge);
    }
    Ok(json)
}

/// The answer that a runtime gave, as JSON.
pub(crate) fn read_answer(json: &[u8]) -> Result<Value, FunctionError> {
    if json.len() > ANSWER_LIMIT {
        return Err(FunctionError::failed(
            "Function.ResponseSizeTooLarge",
            format!("Response payload size exceeded maximum allowed payload size ({ANSWER_LIMIT} bytes)."),
        ));
    }
    serde_json::from_slice(json).map_err(|error| FunctionError::failed("Runtime.InvalidResponse", error.to_string()))
}

/// Milliseconds since the epoch at which an invocation that starts now must have ended.
pub(crate) fn deadline_ms(timeout: Duration) -> u64 {
    let deadline = SystemTime::now() + timeout;
    let since_epoch = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// A router that runs in this process, behind the conversions that run on Lambda: real events in, real answers out.
#[derive(Debug, Clone)]
pub struct InProcess {
    config: Arc<Config>,
    router: Router,
}

impl InProcess {
    /// A function of this name that answers with the router.
    pub fn new(name: &str, router: Router) -> Self {
        let config = Config { function_name: name.to_owned(), version: "$LATEST".to_owned(), ..Config::default() };
        Self { config: Arc::new(config), router }
    }

    fn context(&self, timeout: Duration) -> Context {
        let mut context = Context::default();
        context.request_id = Uuid::new_v4().to_string();
        context.deadline = deadline_ms(timeout);
        context.env_config = Arc::clone(&self.config);
        context
    }
}

impl Invoke for InProcess {
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>> {
        let run = run(self.router.clone(), event, self.context(timeout));
        Box::pin(async move {
            // A task of its own, so that a panic ends the invocation only, and so that a timeout stops it.
            let mut task = JoinSet::new();
            task.spawn(run);
            match tokio::time::timeout(timeout, task.join_next()).await {
                Err(_) => Err(FunctionError::TimedOut { limit: timeout }),
                Ok(Some(Ok(answer))) => answer,
                Ok(Some(Err(error))) => Err(FunctionError::failed("Runtime.ExitError", error.to_string())),
                Ok(None) => Err(FunctionError::failed("Runtime.ExitError", "the invocation was lost")),
            }
        })
    }
}

async fn run(router: Router, event: Value, context: Context) -> Result<Value, FunctionError> {
    let json = event_json(&event)?;
    let request: LambdaRequest = serde_json::from_str(&json)
        .map_err(|error| FunctionError::failed("Runtime.InvalidEvent", error.to_string()))?;
    let answering = Adapter::from(router).call(LambdaEvent::new(request, context));
    let Ok(answer) = answering.await;
    let json = serde_json::to_vec(&answer)
        .map_err(|error| FunctionError::failed("Runtime.InvalidResponse", error.to_string()))?;
    read_answer(&json)
}
