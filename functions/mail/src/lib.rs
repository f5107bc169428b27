//! Mail: sends what other functions queued, as soon as the table's stream tells of it, and again every minute what could not
//! be sent before.
//!
//! A mail is sent at least once. Whoever dies between a sending and the removal of its row leaves a row that is due again,
//! and what was sent is sent a second time, under the same name: over SMTP the same `Message-ID`, through SES, which makes
//! its own, the same `X-Upzento-Mail-Id`. By it a server or a mailbox can drop the second one.

mod deliver;
mod mailer;
mod render;
mod ses;
mod smtp;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use lettre::message::Mailbox;
use serde_json::Value;
use shared::event::Trigger;
use shared::keys::MAIL_DUE;
use shared::lambda::Error;
use shared::{App, variable};
use tokio::time::Instant;

use mailer::Transport;
use render::Links;

/// How long after its start an invocation begins new tries. A try takes less than 40 s, and the function's timeout is 60 s.
const STEP_DEADLINE: Duration = Duration::from_secs(20);

/// What this function needs beyond an [`App`]: what the template sets in its environment.
#[derive(Clone)]
pub struct Config {
    /// `APP_URL`: where the web application is, which the links in the mails lead to.
    pub app_url: String,
    /// `MAIL_FROM`: the sender, as in `Upzento CRM <crm@example.com>`.
    pub mail_from: String,
    /// `SMTP_URL`: the server that takes the mail, as in `smtps://user:password@smtp.example.com`; without it, SES does.
    pub smtp_url: Option<String>,
}

/// Why the function cannot start. It repeats no setting: that of the SMTP server holds a password.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An environment variable is missing.
    #[error(transparent)]
    Setting(#[from] shared::StartError),
    /// Nothing that a link can begin with.
    #[error("APP_URL does not begin with https:// or http://")]
    AppUrl,
    /// Nobody who can be a sender.
    #[error("MAIL_FROM is not of the form: Name <address>")]
    MailFrom,
    /// No server.
    #[error("SMTP_URL is not of the form: smtps://user:password@host:port or smtp://host:port?tls=required")]
    SmtpUrl,
}

impl Config {
    /// From the environment.
    pub fn from_env() -> Result<Self, StartError> {
        Ok(Self {
            app_url: variable("APP_URL")?,
            mail_from: variable("MAIL_FROM")?,
            smtp_url: std::env::var("SMTP_URL").ok().filter(|url| !url.is_empty()),
        })
    }
}

/// The function.
pub struct Service {
    app: App,
    links: Links,
    transport: Transport,
}

impl Service {
    /// The function on this app; `aws` is what SES is reached with, if `config` names no SMTP server. To be called within a
    /// Tokio runtime, whose task keeps the connections to an SMTP server.
    pub fn new(app: App, config: &Config, aws: &SdkConfig) -> Result<Self, StartError> {
        let from = sender(&config.mail_from).ok_or(StartError::MailFrom)?;
        let transport = match &config.smtp_url {
            Some(url) => Transport::Smtp(smtp::Smtp::new(url, from).map_err(|_| StartError::SmtpUrl)?),
            None => Transport::Ses(ses::Ses::new(aws, &from)),
        };
        let links = Links::new(&config.app_url).ok_or(StartError::AppUrl)?;
        Ok(Self { app, links, transport })
    }

    /// The function on its role, region and environment.
    pub async fn from_env(app: App) -> Result<Self, StartError> {
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self::new(app, &Config::from_env()?, &aws)
    }

    /// Tries the mails that an event of the table's stream names, or at a schedule's all that are due, and says what became
    /// of them. It fails when it cannot tell what is due, and never for one mail.
    pub async fn handle(&self, event: Value) -> Result<Value, Error> {
        let stop = Instant::now() + STEP_DEADLINE;
        let wake: Trigger = serde_json::from_value(event).map_err(|_| "neither a stream's event nor a schedule's")?;
        let report = if wake.is_scheduled() {
            self.deliver_due(stop).await?
        } else {
            self.deliver_all(wake.rows(&MAIL_DUE), stop).await
        };
        Ok(serde_json::to_value(report)?)
    }
}

fn sender(mail_from: &str) -> Option<Mailbox> {
    let Mailbox { name, email } = mail_from.parse().ok()?;
    Some(Mailbox::new(name, render::ascii(email.user(), email.domain())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_has_an_address() {
        let form = |mail_from| sender(mail_from).map(|mailbox| (mailbox.name, mailbox.email.to_string()));
        let address = "crm@xn--bcher-kva.example".to_owned();
        assert_eq!(form("Upzento CRM <crm@bücher.example>"), Some((Some("Upzento CRM".to_owned()), address.clone())));
        assert_eq!(form("crm@bücher.example"), Some((None, address)));
        for none in ["", "Upzento CRM", "Upzento CRM <>", "Upzento CRM <crm@>"] {
            assert_eq!(form(none), None, "{none}");
        }
    }

    /// The local server handles an event in a task of its own.
    #[allow(dead_code, reason = "it is enough that it compiles")]
    fn an_event_is_handled_on_any_thread(service: &Service) {
        fn on_any_thread(_: impl Send) {}
        on_any_thread(service.handle(Value::Null));
    }
}
