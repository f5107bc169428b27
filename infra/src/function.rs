//! How the gateway calls a function, and functions that run inside this process.

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
        Box::pin(alone(run(self.router.clone(), event, self.context(timeout)), timeout))
    }
}

/// A handler that runs in this process and takes events as they are, of a stream or a schedule.
pub struct EventFunction {
    handler: Box<Handler>,
}

type Handler = dyn Fn(Value) -> BoxFuture<'static, Result<Value, FunctionError>> + Send + Sync;

impl EventFunction {
    /// A function that hands each event to the handler. Its errors become what the Lambda runtime makes of them.
    pub fn new<F, E>(handler: impl Fn(Value) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Value, E>> + Send + 'static,
        E: Into<Diagnostic>,
    {
        let handler = move |event: Value| -> BoxFuture<'static, Result<Value, FunctionError>> {
            let handling = event_json(&event).map(|_| handler(event));
            Box::pin(async move { checked(handling?.await) })
        };
        Self { handler: Box::new(handler) }
    }
}

impl Invoke for EventFunction {
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(alone((self.handler)(event), timeout))
    }
}

/// A handler's answer as the Lambda runtime would send it.
fn checked(answer: Result<Value, impl Into<Diagnostic>>) -> Result<Value, FunctionError> {
    match answer.map_err(Into::into) {
        Ok(answer) => read_answer(answer.to_string().as_bytes()),
        Err(Diagnostic { error_type, error_message }) => Err(FunctionError::failed(&error_type, error_message)),
    }
}

/// Runs an invocation as a task of its own, so that a panic ends the invocation only, and so that a timeout stops it.
async fn alone(
    invocation: impl Future<Output = Result<Value, FunctionError>> + Send + 'static,
    timeout: Duration,
) -> Result<Value, FunctionError> {
    let mut task = JoinSet::new();
    task.spawn(invocation);
    match tokio::time::timeout(timeout, task.join_next()).await {
        Err(_) => Err(FunctionError::TimedOut { limit: timeout }),
        Ok(Some(Ok(answer))) => answer,
        Ok(Some(Err(error))) => Err(FunctionError::failed("Runtime.ExitError", error.to_string())),
        Ok(None) => Err(FunctionError::failed("Runtime.ExitError", "the invocation was lost")),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn an_event_reaches_the_handler_as_it_is() {
        let function = EventFunction::new(async |event| Ok::<_, String>(json!({ "got": event })));
        assert_eq!(function.invoke(json!({ "Records": [] }), TIMEOUT).await, Ok(json!({ "got": { "Records": [] } })));
    }

    #[tokio::test]
    async fn a_handlers_error_has_its_type_and_message() {
        let function = EventFunction::new(async |_| Err::<Value, _>("no such mail"));
        let error = function.invoke(Value::Null, TIMEOUT).await.unwrap_err();
        assert!(error.to_string().ends_with("str: no such mail"), "{error}");
    }

    #[tokio::test]
    async fn a_panic_ends_the_invocation_only() {
        let function = EventFunction::new(async |event: Value| -> Result<Value, String> {
            assert_ne!(event, "panic", "as the test wants it");
            Ok(event)
        });
        let error = function.invoke("panic".into(), TIMEOUT).await.unwrap_err();
        assert!(error.to_string().starts_with("Runtime.ExitError"), "{error}");
        assert_eq!(function.invoke("again".into(), TIMEOUT).await, Ok("again".into()));
    }

    #[tokio::test]
    async fn a_handler_that_takes_too_long_is_stopped() {
        let function = EventFunction::new(|_| std::future::pending::<Result<Value, String>>());
        let limit = Duration::from_millis(10);
        assert_eq!(function.invoke(Value::Null, limit).await, Err(FunctionError::TimedOut { limit }));
    }

    #[tokio::test]
    async fn an_event_or_an_answer_that_is_too_large_is_refused() {
        let function = EventFunction::new(async |size: Value| {
            let size = usize::try_from(size.as_u64().unwrap_or_default()).unwrap_or_default();
            Ok::<_, String>("x".repeat(size).into())
        });
        let event = "x".repeat(EVENT_LIMIT).into();
        assert_eq!(function.invoke(event, TIMEOUT).await, Err(FunctionError::EventTooLarge));
        let error = function.invoke(ANSWER_LIMIT.into(), TIMEOUT).await.unwrap_err();
        assert!(error.to_string().starts_with("Function.ResponseSizeTooLarge"), "{error}");
    }
}
