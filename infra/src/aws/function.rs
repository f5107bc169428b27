//! The interface to a Lambda function, and functions that run in this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use lambda_http::lambda_runtime::{Config, Diagnostic};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, BoxFuture, Context, LambdaEvent, Service};
use serde_json::Value;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Maximum event size of a synchronous invocation, in bytes of JSON.
///
/// Source: Lambda's error messages "Request must be smaller than 6291456 bytes for the `InvokeFunction`
/// operation" and "Response payload size exceeded maximum allowed payload size (6291556 bytes)".
pub const EVENT_LIMIT: usize = 6_291_456;
/// Maximum response size of a synchronous invocation, in bytes of JSON.
///
/// Source: see [`EVENT_LIMIT`].
pub const RESPONSE_LIMIT: usize = 6_291_556;

/// The functions behind an API, by logical id.
pub type Functions = BTreeMap<String, Arc<dyn Invoke>>;

/// An invocable function.
pub trait Invoke: Send + Sync {
    /// Invokes the function with an event and waits at most `timeout` for its response.
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>>;
}

/// Error of an invocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// The event is larger than [`EVENT_LIMIT`].
    #[error("Request must be smaller than {EVENT_LIMIT} bytes for the InvokeFunction operation")]
    EventTooLarge,
    /// The function has reached its concurrency limit.
    #[error("Rate Exceeded.")]
    Throttled,
    /// The function did not respond within its timeout.
    #[error("Task timed out after {:.2} seconds", limit.as_secs_f64())]
    TimedOut {
        /// The function's timeout.
        limit: Duration,
    },
    /// The function returned an error, panicked or exited.
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

/// Serialises an event, checking [`EVENT_LIMIT`].
pub(crate) fn event_json(event: &Value) -> Result<String, FunctionError> {
    let json = event.to_string();
    if json.len() > EVENT_LIMIT {
        return Err(FunctionError::EventTooLarge);
    }
    Ok(json)
}

/// Parses a runtime's response, checking [`RESPONSE_LIMIT`].
pub(crate) fn read_answer(json: &[u8]) -> Result<Value, FunctionError> {
    if json.len() > RESPONSE_LIMIT {
        return Err(FunctionError::failed(
            "Function.ResponseSizeTooLarge",
            format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."),
        ));
    }
    serde_json::from_slice(json).map_err(|error| FunctionError::failed("Runtime.InvalidResponse", error.to_string()))
}

/// Deadline of an invocation that starts now, in milliseconds since the Unix epoch.
pub(crate) fn deadline_ms(timeout: Duration) -> u64 {
    let deadline = SystemTime::now() + timeout;
    let since_epoch = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// A router in this process, called with the event conversions of Lambda.
#[derive(Debug, Clone)]
pub struct InProcess {
    config: Arc<Config>,
    router: Router,
}

impl InProcess {
    /// Creates a function with this name and router.
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
        Box::pin(run_isolated(call_router(self.router.clone(), event, self.context(timeout)), timeout))
    }
}

/// A handler in this process for raw events, such as those of a stream or schedule.
pub struct EventFunction {
    handler: Box<Handler>,
}

type Handler = dyn Fn(Value) -> BoxFuture<'static, Result<Value, FunctionError>> + Send + Sync;

impl EventFunction {
    /// Creates a function from an event handler.
    ///
    /// Errors are converted as the Lambda runtime does.
    pub fn new<F, E>(handler: impl Fn(Value) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Value, E>> + Send + 'static,
        E: Into<Diagnostic>,
    {
        let handler = move |event: Value| -> BoxFuture<'static, Result<Value, FunctionError>> {
            let invocation = event_json(&event).map(|_| handler(event));
            Box::pin(async move { check_answer(invocation?.await) })
        };
        Self { handler: Box::new(handler) }
    }
}

impl Invoke for EventFunction {
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(run_isolated((self.handler)(event), timeout))
    }
}

/// A function that answers requests and handles other events.
pub struct RequestsAndEvents {
    /// Answers requests.
    pub requests: Arc<dyn Invoke>,
    /// Handles all other events.
    pub events: Arc<dyn Invoke>,
}

impl Invoke for RequestsAndEvents {
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>> {
        let function = if shared::lambda::is_request(&event) { &self.requests } else { &self.events };
        function.invoke(event, timeout)
    }
}

/// Converts a handler's result to what the Lambda runtime sends.
fn check_answer(answer: Result<Value, impl Into<Diagnostic>>) -> Result<Value, FunctionError> {
    match answer.map_err(Into::into) {
        Ok(answer) => read_answer(answer.to_string().as_bytes()),
        Err(Diagnostic { error_type, error_message }) => Err(FunctionError::failed(&error_type, error_message)),
    }
}

/// Runs an invocation as its own task.
///
/// A panic ends only this invocation, and a timeout aborts it.
async fn run_isolated(
    invocation: impl Future<Output = Result<Value, FunctionError>> + Send + 'static,
    timeout: Duration,
) -> Result<Value, FunctionError> {
    let mut task = JoinSet::new();
    task.spawn(invocation);
    match tokio::time::timeout(timeout, task.join_next()).await {
        Err(_) => Err(FunctionError::TimedOut { limit: timeout }),
        Ok(Some(Ok(answer))) => answer,
        Ok(Some(Err(error))) => Err(FunctionError::failed("Runtime.ExitError", error.to_string())),
        Ok(None) => Err(FunctionError::failed("Runtime.ExitError", "the invocation task ended without a result")),
    }
}

async fn call_router(router: Router, event: Value, context: Context) -> Result<Value, FunctionError> {
    let json = event_json(&event)?;
    let request: LambdaRequest = serde_json::from_str(&json)
        .map_err(|error| FunctionError::failed("Runtime.InvalidEvent", error.to_string()))?;
    // Not in one statement: the adapter is not `Sync`, so it must be dropped before the `await`.
    let response = Adapter::from(shared::lambda::service(router)).call(LambdaEvent::new(request, context));
    let Ok(answer) = response.await;
    let json = serde_json::to_vec(&answer)
        .map_err(|error| FunctionError::failed("Runtime.InvalidResponse", error.to_string()))?;
    read_answer(&json)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn handler_receives_the_event_unchanged() {
        let function = EventFunction::new(async |event| Ok::<_, String>(json!({ "got": event })));
        assert_eq!(function.invoke(json!({ "Records": [] }), TIMEOUT).await, Ok(json!({ "got": { "Records": [] } })));
    }

    #[tokio::test]
    async fn handler_error_has_its_type_and_message() {
        let function = EventFunction::new(async |_| Err::<Value, _>("no such mail"));
        let error = function.invoke(Value::Null, TIMEOUT).await.unwrap_err();
        assert!(error.to_string().ends_with("str: no such mail"), "{error}");
    }

    #[tokio::test]
    async fn panic_ends_only_its_invocation() {
        let function = EventFunction::new(async |event: Value| -> Result<Value, String> {
            assert_ne!(event, "panic", "deliberate panic");
            Ok(event)
        });
        let error = function.invoke("panic".into(), TIMEOUT).await.unwrap_err();
        assert!(error.to_string().starts_with("Runtime.ExitError"), "{error}");
        assert_eq!(function.invoke("again".into(), TIMEOUT).await, Ok("again".into()));
    }

    #[tokio::test]
    async fn slow_handler_is_aborted_at_its_timeout() {
        let function = EventFunction::new(|_| std::future::pending::<Result<Value, String>>());
        let limit = Duration::from_millis(10);
        assert_eq!(function.invoke(Value::Null, limit).await, Err(FunctionError::TimedOut { limit }));
    }

    #[tokio::test]
    async fn oversized_event_and_answer_are_rejected() {
        let function = EventFunction::new(async |size: Value| {
            let size = usize::try_from(size.as_u64().unwrap_or_default()).unwrap_or_default();
            Ok::<_, String>("x".repeat(size).into())
        });
        let event = "x".repeat(EVENT_LIMIT).into();
        assert_eq!(function.invoke(event, TIMEOUT).await, Err(FunctionError::EventTooLarge));
        let error = function.invoke(RESPONSE_LIMIT.into(), TIMEOUT).await.unwrap_err();
        assert!(error.to_string().starts_with("Function.ResponseSizeTooLarge"), "{error}");
    }
}
