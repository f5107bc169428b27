//! What a function keeps for its whole life: made once, before its first request.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;

use crate::auth::{KeyError, KeyedHash, Sealer, Secret, Verifier};
use crate::http::trace::RequestContext;
use crate::mail::{Mail, QueuedMail};
use crate::store::Store;
use crate::value::Clock;
use crate::value::IdMaker;

/// A function's configuration: what the template sets in its environment.
#[derive(Clone)]
pub struct Config {
    /// `TABLE_NAME`: the DynamoDB table.
    pub table: String,
    /// `TOKEN_ISSUER`: the `iss` of access tokens.
    pub token_issuer: String,
    /// `TOKEN_JWKS`: the public keys, see [`Keys::jwks`](crate::auth::Keys::jwks).
    pub jwks: String,
    /// `DATA_KEY`: see [`Keys::data`](crate::auth::Keys::data).
    pub data_key: String,
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An environment variable is missing.
    #[error("{0} is not set")]
    Unset(&'static str),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The value of an environment variable that must be set.
pub fn variable(name: &'static str) -> Result<String, StartError> {
    std::env::var(name).map_err(|_| StartError::Unset(name))
}

impl Config {
    /// From the environment.
    pub fn from_env() -> Result<Self, StartError> {
        Ok(Self {
            table: variable("TABLE_NAME")?,
            token_issuer: variable("TOKEN_ISSUER")?,
            jwks: variable("TOKEN_JWKS")?,
            data_key: variable("DATA_KEY")?,
        })
    }
}

/// The state of every router.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: Config,
    client: Client,
    table: Arc<str>,
    clock: Clock,
    ids: IdMaker,
    verifier: Verifier,
    cursors: Sealer,
    emails: KeyedHash,
    tries: KeyedHash,
    requests: KeyedHash,
    mails: Sealer,
    calendars: Sealer,
}

impl App {
    /// An app on this client and clock.
    pub fn new(config: Config, client: Client, clock: Clock) -> Result<Self, StartError> {
        let secret = Secret::new(&BASE64.decode(&config.data_key).map_err(KeyError::from)?)?;
        Ok(Self(Arc::new(Inner {
            client,
            table: config.table.as_str().into(),
            ids: IdMaker::new(clock.clone()),
            clock,
            verifier: Verifier::new(&config.token_issuer, &config.jwks)?,
            cursors: secret.sealer("cursor")?,
            emails: secret.hasher("email")?,
            tries: secret.hasher("tries")?,
            requests: secret.hasher("request")?,
            mails: secret.sealer("mail")?,
            calendars: secret.sealer("calendar")?,
            config,
        })))
    }

    /// An app on the function's role, region and environment.
    pub async fn from_env() -> Result<Self, StartError> {
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self::new(Config::from_env()?, client(Builder::from(&aws)), Clock::default())
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The maker of ids.
    pub fn ids(&self) -> &IdMaker {
        &self.0.ids
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    pub(crate) fn cursors(&self) -> &Sealer {
        &self.0.cursors
    }

    pub(crate) fn emails(&self) -> &KeyedHash {
        &self.0.emails
    }

    /// Names what was tried, by whom or from where, without telling it.
    pub(crate) fn tries(&self) -> &KeyedHash {
        &self.0.tries
    }

    /// Names request bodies, which may hold passwords: a hash that anybody could compute would help to guess them.
    pub(crate) fn requests(&self) -> &KeyedHash {
        &self.0.requests
    }

    pub(crate) fn mails(&self) -> &Sealer {
        &self.0.mails
    }

    pub(crate) fn calendars(&self) -> &Sealer {
        &self.0.calendars
    }

    /// What a queued mail says, and to whom.
    pub fn open_mail(&self, queued: &QueuedMail) -> crate::Result<Mail> {
        queued.open(self.mails())
    }

    /// The table, for work that no request asked for; its deadline is counted from now.
    pub fn store_for_event(&self) -> Store {
        self.store(RequestContext::alone())
    }

    pub(crate) fn store(&self, trace: RequestContext) -> Store {
        Store::new(self.0.client.clone(), self.0.table.clone(), trace)
    }
}

/// A client of DynamoDB that is as patient as a request can afford: up to five attempts after throttling, server faults and
/// lost connections, with jitter, the first retry after at most 25 ms; an attempt is lost after 2 s, because DynamoDB
/// answers in milliseconds.
pub fn client(config: Builder) -> Client {
    let retries = RetryConfig::standard().with_max_attempts(5).with_initial_backoff(Duration::from_millis(25));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .build();
    Client::from_conf(config.retry_config(retries).timeout_config(timeouts).build())
}
