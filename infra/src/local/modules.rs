//! All functions in one process.
//!
//! Does for all modules what each `main` does on Lambda.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use shared::identity::{DataKey, Issuer, Keys};
use shared::mailer::{MailerConfig, MailerError};
use shared::tenants::WidgetsUrl;
use shared::web::{App, Config};
use widgets::{Captcha, CaptchaConfig};

use super::Error;
use crate::aws::function::{EventFunction, Functions, InProcess, Invoke, RequestsAndEvents};
use crate::aws::template::{Function, Template};
use crate::smtp::Outbox;

/// Token issuer of the local server and the tests.
pub const TOKEN_ISSUER: &str = "upzento-local";

/// Sender address of all mail.
pub const MAIL_FROM: &str = "Upzento CRM <crm@localhost.example>";

/// Configuration of the functions on this machine.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// URL of the SMTP server.
    pub smtp_url: String,
    /// Sender address of all mail.
    pub mail_from: String,
    /// URL of the frontend, for links in mail.
    pub app_url: String,
    /// URL of the widget API.
    pub widgets_url: String,
    /// The account for CAPTCHA verification; `None` turns it off.
    pub captcha: Option<CaptchaConfig>,
}

impl LocalConfig {
    /// Configuration for an API on this port.
    ///
    /// The widget API is on `port + 1` and the frontend on `port + 2`.
    pub fn new(port: u16, outbox: &Outbox) -> Self {
        Self {
            smtp_url: outbox.url(),
            mail_from: MAIL_FROM.to_owned(),
            app_url: format!("http://localhost:{}", port + 2),
            widgets_url: format!("http://localhost:{}", port + 1),
            captcha: None,
        }
    }
}

/// Configuration that all functions share.
pub fn config(table: &str, keys: &Keys) -> Config {
    Config {
        table: table.to_owned(),
        token_issuer: TOKEN_ISSUER.to_owned(),
        jwks: keys.jwks.clone(),
        origin_secret: None,
        data_keys: DataKey::ALL.into_iter().map(|key| (key, keys.data(key).to_owned())).collect(),
    }
}

/// The app of a function, with only the data keys that the template gives to it.
pub fn app_of(app: &App, template: &Template, name: &str) -> App {
    let function = template.functions.values().find(|function| function.name == name);
    app.with_data_keys(|key| function.is_none_or(|function| function.environment.contains(key.variable())))
}

/// Routers of all modules that serve HTTP, by function name.
pub fn routers(
    app: &App,
    template: &Template,
    keys: &Keys,
    local: &LocalConfig,
) -> Result<BTreeMap<&'static str, Router>, Error> {
    let app = |name| app_of(app, template, name);
    let captcha = Captcha::new(local.captcha.clone())?;
    let issuer = Issuer::new(TOKEN_ISSUER, &keys.signing, &keys.refresh)?;
    Ok([
        ("appointments", appointments::router(app("appointments"))),
        ("auth", auth::router(app("auth"), issuer)),
        ("contacts", contacts::router(app("contacts"))),
        ("deals", deals::router(app("deals"))),
        ("docs", docs::router()),
        ("reminders", reminders::router(app("reminders"))),
        ("tenancy", tenancy::router(app("tenancy"), WidgetsUrl::new(&local.widgets_url))),
        ("widgets", widgets::router(app("widgets"), WidgetsUrl::new(&local.widgets_url), captcha)),
    ]
    .into())
}

/// The service behind the mail function.
pub fn mail(app: &App, template: &Template, local: &LocalConfig) -> Result<mail::Service, mail::StartError> {
    let config = mail::Config { app_url: local.app_url.clone(), mailer: mailer(local) };
    mail::Service::new(app_of(app, template, "mail"), &config, &SdkConfig::builder().build())
}

/// The worker of the reminders function.
pub fn reminders(app: &App, template: &Template, local: &LocalConfig) -> Result<reminders::Service, MailerError> {
    let config = reminders::Config { widgets_url: WidgetsUrl::new(&local.widgets_url), mailer: mailer(local) };
    reminders::Service::new(app_of(app, template, "reminders"), &config, &SdkConfig::builder().build())
}

fn mailer(local: &LocalConfig) -> MailerConfig {
    MailerConfig { mail_from: local.mail_from.clone(), smtp_url: Some(local.smtp_url.clone()) }
}

/// Handlers of events other than requests, by function name.
pub fn listeners(app: &App, template: &Template, local: &LocalConfig) -> Result<Listeners, Error> {
    let mail = Arc::new(mail(app, template, local)?);
    let mail = EventFunction::new(move |event| {
        let mail = Arc::clone(&mail);
        async move { mail.handle(event).await }
    });
    let jobs = Arc::new(jobs::runner(app_of(app, template, "jobs")));
    let jobs = EventFunction::new(move |event| {
        let jobs = Arc::clone(&jobs);
        async move { jobs.handle(event).await }
    });
    let reminders = reminders(app, template, local)?;
    let reminders = EventFunction::new(move |event| {
        let reminders = reminders.clone();
        async move { reminders.handle(event).await }
    });
    let functions: [(_, Arc<dyn Invoke>); 3] =
        [("jobs", Arc::new(jobs)), ("mail", Arc::new(mail)), ("reminders", Arc::new(reminders))];
    Ok(functions.into())
}

/// Functions by name.
pub type Listeners = BTreeMap<&'static str, Arc<dyn Invoke>>;

/// Implements the functions of the template with these routers and listeners.
///
/// A function without implementation is omitted; the gateway reports it if it has routes.
pub fn in_process(template: &Template, routers: &BTreeMap<&'static str, Router>, listeners: &Listeners) -> Functions {
    let implemented = template.functions.iter().filter_map(|(id, function)| {
        let name = function.name.as_str();
        let router = routers.get(name).map(|router| Arc::new(InProcess::new(name, router.clone())) as Arc<dyn Invoke>);
        let function = match (router, listeners.get(name).cloned()) {
            (Some(requests), Some(events)) => Arc::new(RequestsAndEvents { requests, events }) as _,
            (router, listener) => router.or(listener)?,
        };
        Some((id.clone(), function))
    });
    implemented.collect()
}

/// Environment variables of a compiled function.
///
/// Contains local values for exactly the variables that the template declares for it, and the endpoint and
/// credentials that the SDK needs to reach the engine.
pub fn environment(
    function: &Function,
    table: &str,
    keys: &Keys,
    endpoint: &str,
    local: &LocalConfig,
) -> BTreeMap<String, String> {
    let config = config(table, keys);
    let local = local.clone();
    let values = [
        ("TABLE_NAME", config.table),
        ("TOKEN_ISSUER", config.token_issuer),
        ("TOKEN_JWKS", config.jwks),
        ("TOKEN_SIGNING_KEY", keys.signing.clone()),
        ("TOKEN_REFRESH_KEY", keys.refresh.clone()),
        ("SMTP_URL", local.smtp_url),
        ("MAIL_FROM", local.mail_from),
        ("APP_URL", local.app_url),
        ("WIDGETS_URL", local.widgets_url),
    ];
    let data_keys = config.data_keys.into_iter().map(|(key, value)| (key.variable(), value));
    let captcha = local.captcha.iter().flat_map(CaptchaConfig::variables);
    let declared =
        values.into_iter().chain(data_keys).chain(captcha).filter(|(name, _)| function.environment.contains(*name));
    let engine = [
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
    ];
    declared.chain(engine).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "
Resources:
  MailFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: mail/
      Environment: { Variables: { TABLE_NAME: a, SMTP_URL: b, MAIL_FROM: c, APP_URL: d, OTHER: e } }
";

    #[test]
    fn environment_has_the_declared_variables_and_the_engine() {
        let outbox = Outbox::start().unwrap();
        let function = Template::parse(TEMPLATE).unwrap().functions["MailFunction"].clone();
        let keys = Keys::generate().unwrap();
        let local = LocalConfig::new(4000, &outbox);
        let environment = environment(&function, "test", &keys, "http://localhost:8000", &local);
        assert_eq!(environment["TABLE_NAME"], "test");
        assert_eq!(environment["SMTP_URL"], outbox.url());
        assert_eq!(environment["MAIL_FROM"], MAIL_FROM);
        assert_eq!(environment["APP_URL"], "http://localhost:4002");
        assert_eq!(environment["AWS_ENDPOINT_URL_DYNAMODB"], "http://localhost:8000");
        for name in ["WIDGETS_URL", "TOKEN_SIGNING_KEY", "MAIL_KEY", "OTHER"] {
            assert!(!environment.contains_key(name), "{name}");
        }
    }
}
