//! Sends queued mails.
//!
//! A mail is sent as soon as the table's stream reports its row. Failed mails are retried every minute.
//!
//! A mail is sent at least once. A crash between sending a mail and removing its row leaves a row that is due
//! again, so that the mail is sent a second time with the same id: over SMTP with the same `Message-ID`,
//! through SES, which assigns its own, with the same `X-Upzento-Mail-Id`. A server or a mailbox can use the
//! id to drop the duplicate.

mod deliver;
mod render;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use serde_json::Value;
use shared::jobs::Trigger;
use shared::lambda::Error;
use shared::mail::DUE_MAILS;
use shared::mailer::{MailerConfig, MailerError, Transport};
use shared::web::{App, variable};
use tokio::time::Instant;

use render::Links;

/// The time after the start of an invocation in which new attempts start.
///
/// An attempt takes less than 40 s, and the timeout of the function is 60 s.
const STEP_DEADLINE: Duration = Duration::from_secs(20);

/// The configuration of this function, set in its environment by the template.
#[derive(Clone)]
pub struct Config {
    /// `APP_URL`: the URL of the web application, the base of links in mails.
    pub app_url: String,
    /// The transport.
    pub mailer: MailerConfig,
}

/// Why the function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An environment variable is missing.
    #[error(transparent)]
    Setting(#[from] shared::web::StartError),
    /// The transport cannot start.
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// `APP_URL` is not a web address.
    #[error("APP_URL does not start with https:// or http://")]
    AppUrl,
}

impl Config {
    /// Reads the configuration from the environment.
    pub fn from_env() -> Result<Self, StartError> {
        Ok(Self { app_url: variable("APP_URL")?, mailer: MailerConfig::from_env()? })
    }
}

/// The mail function.
pub struct Service {
    app: App,
    links: Links,
    transport: Transport,
}

impl Service {
    /// Creates the function.
    ///
    /// `aws` configures SES, which is used if `config` has no SMTP server.
    ///
    /// Must be called within a Tokio runtime, because a task keeps the connections to an SMTP server.
    pub fn new(app: App, config: &Config, aws: &SdkConfig) -> Result<Self, StartError> {
        let transport = Transport::new(&config.mailer, aws)?;
        let links = Links::new(&config.app_url).ok_or(StartError::AppUrl)?;
        Ok(Self { app, links, transport })
    }

    /// Creates the function with the role, region and environment of the process.
    pub async fn from_env(app: App) -> Result<Self, StartError> {
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self::new(app, &Config::from_env()?, &aws)
    }

    /// Handles an event and returns a report of the outcomes.
    ///
    /// For an event of the table's stream, sends the mails of the event; for an event of a schedule, all due mails.
    ///
    /// Fails only if the due mails cannot be listed, never because of a single mail.
    pub async fn handle(&self, event: Value) -> Result<Value, Error> {
        let stop = Instant::now() + STEP_DEADLINE;
        let trigger: Trigger =
            serde_json::from_value(event).map_err(|_| "neither an event of a stream nor of a schedule")?;
        let report = if trigger.is_scheduled() {
            self.deliver_due(stop).await?
        } else {
            self.deliver_all(trigger.items(&DUE_MAILS), stop).await
        };
        Ok(serde_json::to_value(report)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The local server handles each event in its own task.
    #[allow(dead_code, reason = "checked by the compiler")]
    fn handling_an_event_is_send(service: &Service) {
        fn assert_send(_: impl Send) {}
        assert_send(service.handle(Value::Null));
    }
}
