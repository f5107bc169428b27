//! The Lambda function of the reminders.

use reminders::{Service, router};
use shared::lambda::Error;
use shared::web::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let service = async |app: App| {
        let service = Service::from_env(app.clone()).await?;
        Ok::<_, Error>((router(app), service))
    };
    shared::lambda::run_both(service, Service::handle).await
}
