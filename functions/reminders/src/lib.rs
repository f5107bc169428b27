//! Mails about appointments: reminders, confirmations and notices, and the routes to set them up.
//!
//! A schedule runs the [`Worker`] every minute. The routes are on the API, and the link that stops reminders is on the
//! widget API, too.

mod appointment;
mod facts;
mod message;
mod metrics;
mod settings;
mod unsubscribe;
mod wording;
mod worker;

use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use axum::Router;
use serde_json::Value;
use shared::lambda::Error;
use shared::mailer::{MailerConfig, MailerError, Transport};
use shared::tenants::WidgetsUrl;
use shared::web::{Api, App, serve, variable};
use utoipa_axum::routes;

pub use worker::{Report, Worker};

/// The routes with their OpenAPI descriptions.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(settings::get, settings::replace))
        .routes(routes!(appointment::list))
        .routes(routes!(unsubscribe::show, unsubscribe::stop))
}

/// The service that answers the routes.
pub fn router(app: App) -> Router {
    serve("REMINDERS", api(), app)
}

/// The configuration of this function, set in its environment by the template.
#[derive(Clone)]
pub struct Config {
    /// `WIDGETS_URL`: the base of the links in mails.
    pub widgets_url: WidgetsUrl,
    /// The transport.
    pub mailer: MailerConfig,
}

/// The worker with the transport of this deployment.
#[derive(Clone)]
pub struct Service(Arc<Worker<Transport>>);

impl Service {
    /// Creates the worker; `aws` configures SES, which is used if `config` has no SMTP server.
    ///
    /// Must be called within a Tokio runtime, because a task keeps the connections to an SMTP server.
    pub fn new(app: App, config: &Config, aws: &SdkConfig) -> Result<Self, MailerError> {
        let transport = Transport::new(&config.mailer, aws)?;
        Ok(Self(Arc::new(Worker::new(app, transport, config.widgets_url.clone()))))
    }

    /// Creates the worker with the role, region and environment of the process.
    pub async fn from_env(app: App) -> Result<Self, MailerError> {
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let widgets_url = WidgetsUrl::new(&variable("WIDGETS_URL")?);
        Self::new(app, &Config { widgets_url, mailer: MailerConfig::from_env()? }, &aws)
    }

    /// Handles an event of the schedule: sends the mails that are due, and returns a report of the outcomes.
    ///
    /// Fails only if the due mails cannot be listed, never because of a single mail.
    pub async fn handle(&self, _: Value) -> Result<Value, Error> {
        Ok(serde_json::to_value(self.0.run().await?)?)
    }
}
