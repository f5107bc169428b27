//! The modules as functions in this process: what `main` of each does on Lambda, for all of them at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use shared::auth::{Issuer, Keys};
use shared::{App, Config, StartError};
use tenancy::WidgetsUrl;

use crate::function::{EventFunction, Functions, InProcess, Invoke};
use crate::smtp::Outbox;
use crate::template::{Function, Template};

/// The issuer of tokens that the local server and the tests accept.
pub const TOKEN_ISSUER: &str = "upzento-local";

/// The sender of every mail.
pub const MAIL_FROM: &str = "Upzento CRM <crm@localhost.example>";

/// What stands around the functions on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConfig {
    /// The server that takes their mail.
    pub smtp_url: String,
    /// The sender of their mail.
    pub mail_from: String,
    /// The frontend, which mails link to.
    pub app_url: String,
    /// The widget API.
    pub widgets_url: String,
}

impl LocalConfig {
    /// Of an API on this port, with the widget API on the port after it and the frontend on the next.
    pub fn new(port: u16, outbox: &Outbox) -> Self {
        Self {
            smtp_url: outbox.url(),
            mail_from: MAIL_FROM.to_owned(),
            app_url: format!("http://localhost:{}", port + 2),
            widgets_url: format!("http://localhost:{}", port + 1),
        }
    }
}

/// The configuration of every function, with these keys, on this table.
pub fn config(table: &str, keys: &Keys) -> Config {
    Config {
        table: table.to_owned(),
        token_issuer: TOKEN_ISSUER.to_owned(),
        jwks: keys.jwks.clone(),
        data_key: keys.data.clone(),
    }
}

/// Every module's router, by the name of its function's code.
pub fn routers(
    app: &App,
    keys: &Keys,
    surroundings: &LocalConfig,
) -> Result<BTreeMap<&'static str, Router>, StartError> {
    let issuer = Issuer::new(TOKEN_ISSUER, &keys.signing, &keys.refresh)?;
    Ok([
        ("appointments", appointments::router(app.clone())),
        ("auth", auth::router(app.clone(), issuer)),
        ("contacts", contacts::router(app.clone())),
        ("deals", deals::router(app.clone())),
        ("docs", docs::router()),
        ("tenancy", tenancy::router(app.clone(), WidgetsUrl::new(&surroundings.widgets_url))),
    ]
    .into())
}

/// The mail function's service.
pub fn mail(app: &App, surroundings: &LocalConfig) -> Result<mail::Service, mail::StartError> {
    let config = mail::Config {
        app_url: surroundings.app_url.clone(),
        mail_from: surroundings.mail_from.clone(),
        smtp_url: Some(surroundings.smtp_url.clone()),
    };
    mail::Service::new(app.clone(), &config, &SdkConfig::builder().build())
}

/// The functions that answer no request, by the name of their code.
pub fn listeners(app: &App, surroundings: &LocalConfig) -> Result<Listeners, mail::StartError> {
    let mail = Arc::new(mail(app, surroundings)?);
    let mail = EventFunction::new(move |event| {
        let mail = Arc::clone(&mail);
        async move { mail.handle(event).await }
    });
    let jobs = Arc::new(jobs::Service::new(app.clone()));
    let jobs = EventFunction::new(move |event| {
        let jobs = Arc::clone(&jobs);
        async move { jobs.handle(event).await }
    });
    Ok([("jobs", Arc::new(jobs) as Arc<dyn Invoke>), ("mail", Arc::new(mail) as _)].into())
}

/// Functions by the name of their code.
pub type Listeners = BTreeMap<&'static str, Arc<dyn Invoke>>;

/// The template's functions, answered by these. A function without a router is left out, and the gateway says so.
pub fn in_process(template: &Template, routers: &BTreeMap<&'static str, Router>, listeners: &Listeners) -> Functions {
    let answered = template.functions.iter().filter_map(|(id, function)| {
        let name = function.name.as_str();
        let answering =
            routers.get(name).map(|router| Arc::new(InProcess::new(name, router.clone())) as Arc<dyn Invoke>);
        Some((id.clone(), answering.or_else(|| listeners.get(name).cloned())?))
    });
    answered.collect()
}

/// What a compiled function finds in its environment: what the template gives to it and no more, with local values, and what
/// the SDK needs to find the engine.
pub fn environment(
    function: &Function,
    table: &str,
    keys: &Keys,
    endpoint: &str,
    surroundings: &LocalConfig,
) -> BTreeMap<String, String> {
    let config = config(table, keys);
    let surroundings = surroundings.clone();
    let known = [
        ("TABLE_NAME", config.table),
        ("TOKEN_ISSUER", config.token_issuer),
        ("TOKEN_JWKS", config.jwks),
        ("DATA_KEY", config.data_key),
        ("TOKEN_SIGNING_KEY", keys.signing.clone()),
        ("TOKEN_REFRESH_KEY", keys.refresh.clone()),
        ("SMTP_URL", surroundings.smtp_url),
        ("MAIL_FROM", surroundings.mail_from),
        ("APP_URL", surroundings.app_url),
        ("WIDGETS_URL", surroundings.widgets_url),
    ];
    let given = known.into_iter().filter(|(name, _)| function.environment.contains(*name));
    let engine = [
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
    ];
    given.chain(engine).map(|(name, value)| (name.to_owned(), value)).collect()
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
    fn a_function_gets_what_the_template_gives_it_and_the_engine() {
        let outbox = Outbox::start().unwrap();
        let function = Template::parse(TEMPLATE).unwrap().functions["MailFunction"].clone();
        let keys = Keys::generate().unwrap();
        let surroundings = LocalConfig::new(4000, &outbox);
        let environment = environment(&function, "test", &keys, "http://localhost:8000", &surroundings);
        assert_eq!(environment["TABLE_NAME"], "test");
        assert_eq!(environment["SMTP_URL"], outbox.url());
        assert_eq!(environment["MAIL_FROM"], MAIL_FROM);
        assert_eq!(environment["APP_URL"], "http://localhost:4002");
        assert_eq!(environment["AWS_ENDPOINT_URL_DYNAMODB"], "http://localhost:8000");
        for name in ["WIDGETS_URL", "TOKEN_SIGNING_KEY", "DATA_KEY", "OTHER"] {
            assert!(!environment.contains_key(name), "{name}");
        }
    }
}
