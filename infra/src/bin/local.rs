//! Runs the local server (`make run`).

use std::process::ExitCode;

use infra::local::{Settings, run};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> ExitCode {
    // The embedded engine warns about each rejected request, but a failed condition is not an error.
    let filter = Targets::new().with_default(tracing::Level::INFO).with_target("dynoxide", tracing::Level::ERROR);
    tracing_subscriber::registry().with(filter).with(tracing_subscriber::fmt::layer().compact()).init();
    let result = match Settings::from_env() {
        Ok(settings) => run(settings).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}
