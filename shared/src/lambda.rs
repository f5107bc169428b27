//! From a process to a Lambda function: logs, the app, one warm connection, then events.

use axum::Router;
pub use lambda_http::Error;
use lambda_http::{LambdaEvent, lambda_runtime, service_fn};
use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::App;

/// Runs a module as a Lambda function: `module` makes its router of the app.
pub async fn run<E: Into<Error>>(module: impl FnOnce(App) -> Result<Router, E>) -> Result<(), Error> {
    lambda_http::run(module(start().await?).map_err(Into::into)?).await
}

/// Runs a function that answers no request: `service` makes what it keeps of the app, `handle` takes each event to its
/// answer.
pub async fn run_events<S, E: Into<Error>>(
    service: impl AsyncFnOnce(App) -> Result<S, E>,
    handle: impl AsyncFn(&S, Value) -> Result<Value, Error>,
) -> Result<(), Error> {
    let service = service(start().await?).await.map_err(Into::into)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handle(&service, event.payload))).await
}

/// Runs a router that needs no app as a Lambda function.
pub async fn serve(router: Router) -> Result<(), Error> {
    start_logs();
    lambda_http::run(router).await
}

/// What every function with an app begins with.
async fn start() -> Result<App, Error> {
    start_logs();
    let app = App::from_env().await?;
    warm(&app).await;
    Ok(app)
}

/// One JSON object a line, to standard output, from where Lambda takes it.
fn start_logs() {
    let logs =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs).init();
}

/// Opens the connection to the table while Lambda still gives the whole processor, before the first request.
async fn warm(app: &App) {
    if let Err(problem) = app.store_for_event().ping().await {
        tracing::warn!(code = problem.code(), "the table did not answer at start-up");
    }
}
