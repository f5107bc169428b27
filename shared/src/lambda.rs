//! The start of a Lambda function: logs, the app, a warm connection, then events.

use axum::Router;
pub use lambda_http::Error;
use lambda_http::http::Method;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Request, Service, lambda_runtime, service_fn};
use serde_json::Value;
use tower::ServiceExt;
use tower::util::MapRequest;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::web::{App, IsHead};

/// Runs a module as a Lambda function; `module` makes its router from the app.
pub async fn run<E: Into<Error>>(module: impl FnOnce(App) -> Result<Router, E>) -> Result<(), Error> {
    lambda_http::run(service(module(start().await?).map_err(Into::into)?)).await
}

/// Runs a Lambda function that handles events other than requests.
///
/// `service` makes the function's state from the app, `handle` handles one event with it.
pub async fn run_events<S, E: Into<Error>>(
    service: impl AsyncFnOnce(App) -> Result<S, E>,
    handle: impl AsyncFn(&S, Value) -> Result<Value, Error>,
) -> Result<(), Error> {
    let service = service(start().await?).await.map_err(Into::into)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handle(&service, event.payload))).await
}

/// Runs a Lambda function that answers requests and handles other events.
///
/// `service` makes the router and the state for events from the app, `handle` handles one event with it.
pub async fn run_both<S, E: Into<Error>>(
    service: impl AsyncFnOnce(App) -> Result<(Router, S), E>,
    handle: impl AsyncFn(&S, Value) -> Result<Value, Error>,
) -> Result<(), Error> {
    let (router, state) = service(start().await?).await.map_err(Into::into)?;
    let handle = async |event: LambdaEvent<Value>| {
        if !is_request(&event.payload) {
            return handle(&state, event.payload).await;
        }
        let payload: LambdaRequest = serde_json::from_value(event.payload)?;
        let mut adapter = Adapter::from(self::service(router.clone()));
        let response = adapter.call(LambdaEvent::new(payload, event.context)).await?;
        Ok(serde_json::to_value(response)?)
    };
    lambda_runtime::run(service_fn(handle)).await
}

/// Whether an event is a request of API Gateway.
pub fn is_request(event: &Value) -> bool {
    event["requestContext"]["http"].is_object()
}

/// Runs a router without an app as a Lambda function.
pub async fn serve(router: Router) -> Result<(), Error> {
    start_logs();
    lambda_http::run(service(router)).await
}

/// A router as Lambda invokes it.
pub type HttpService = MapRequest<Router, fn(Request) -> Request>;

/// The service that answers the requests of API Gateway.
///
/// A `HEAD` is answered as a `GET`, with the body: API Gateway derives `Content-Length` from the body of the response
/// and removes it. RFC 9110 (8.6) allows only the length that a `GET` would have.
pub fn service(router: Router) -> HttpService {
    router.map_request(head_as_get)
}

fn head_as_get(mut request: Request) -> Request {
    if request.method() == Method::HEAD {
        *request.method_mut() = Method::GET;
        request.extensions_mut().insert(IsHead);
    }
    request
}

/// Starts a function with an app.
async fn start() -> Result<App, Error> {
    start_logs();
    let app = App::from_env().await?;
    warm(&app).await;
    Ok(app)
}

/// Logs one JSON object per line to standard output, which Lambda collects.
fn start_logs() {
    let logs =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs).init();
}

/// Opens the connection to the table before the first request.
///
/// During startup, a function has more CPU time than its memory size provides later.
async fn warm(app: &App) {
    if let Err(error) = app.store_for_event().ping().await {
        tracing::warn!(%error, "the table is not reachable at start-up");
    }
}
