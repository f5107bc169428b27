//! The Lambda function of the widgets.

use shared::tenants::WidgetsUrl;
use shared::web::{App, StartError, variable};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::run(service).await
}

fn service(app: App) -> Result<axum::Router, StartError> {
    Ok(widgets::router(app, WidgetsUrl::new(&variable("WIDGETS_URL")?)))
}
