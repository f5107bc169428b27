//! The Lambda function of the widgets.

use shared::lambda::Error;
use shared::tenants::WidgetsUrl;
use shared::web::{App, variable};
use widgets::{Captcha, CaptchaConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::lambda::run(service).await
}

fn service(app: App) -> Result<axum::Router, Error> {
    let captcha = CaptchaConfig::from_variables(|name| std::env::var(name).ok())?;
    Ok(widgets::router(app, WidgetsUrl::new(&variable("WIDGETS_URL")?), Captcha::new(captcha)?))
}
