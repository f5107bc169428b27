//! The Lambda function.

use shared::lambda::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::lambda::run_events(async |app| Ok::<_, Error>(jobs::Service::new(app)), jobs::Service::handle).await
}
