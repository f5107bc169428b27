//! The Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::run_events(mail::Service::from_env, mail::Service::handle).await
}
