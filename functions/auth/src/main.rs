//! The Lambda function of the auth API.

use shared::identity::Issuer;
use shared::web::{App, StartError, variable};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::run(service).await
}

fn service(app: App) -> Result<axum::Router, StartError> {
    let issuer =
        Issuer::new(&app.config().token_issuer, &variable("TOKEN_SIGNING_KEY")?, &variable("TOKEN_REFRESH_KEY")?)?;
    Ok(auth::router(app, issuer))
}
