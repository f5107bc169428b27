//! The Lambda function that advances the jobs.

use contacts::jobs::Service;
use shared::lambda::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::lambda::run_events(async |app| Ok::<_, Error>(Service::new(app)), Service::handle).await
}
