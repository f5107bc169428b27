//! The Lambda function.

use shared::jobs::JobRunner;
use shared::lambda::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::lambda::run_events(async |app| Ok::<_, Error>(jobs::runner(app)), JobRunner::handle).await
}
