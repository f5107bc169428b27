//! The state of a function, built once before its first request.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use axum::extract::FromRequestParts;
use lambda_http::http::request::Parts;

use super::RequestContext;
use crate::identity::{DataKey, DataKeys, KeyError, KeyedHash, Sealer, Verifier};
use crate::table::{Budget, Store};
use crate::value::{Clock, IdMaker, Instant};

/// A function's configuration, which the template sets in its environment.
#[derive(Clone)]
pub struct Config {
    /// `TABLE_NAME`: the name of the DynamoDB table.
    pub table: String,
    /// `TOKEN_ISSUER`: the `iss` of access tokens.
    pub token_issuer: String,
    /// `TOKEN_JWKS`: the public keys of access tokens.
    ///
    /// See [`Keys::jwks`](crate::identity::Keys::jwks).
    pub jwks: String,
    /// `ORIGIN_SECRET`: the secret of the distribution in front of the API; `None` if it is not set or empty.
    pub origin_secret: Option<String>,
    /// The data keys of the function, in Base64.
    ///
    /// Each is in the variable of its [`DataKey`].
    pub data_keys: BTreeMap<DataKey, String>,
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An environment variable is missing.
    #[error("{0} is not set")]
    Unset(&'static str),
    /// A key is invalid.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The value of an environment variable that must be set.
pub fn variable(name: &'static str) -> Result<String, StartError> {
    std::env::var(name).map_err(|_| StartError::Unset(name))
}

impl Config {
    /// Reads the configuration from the environment.
    pub fn from_env() -> Result<Self, StartError> {
        Ok(Self {
            table: variable("TABLE_NAME")?,
            token_issuer: variable("TOKEN_ISSUER")?,
            jwks: variable("TOKEN_JWKS")?,
            origin_secret: variable("ORIGIN_SECRET").ok().filter(|secret| !secret.is_empty()),
            data_keys: DataKey::ALL.into_iter().filter_map(|key| Some((key, variable(key.variable()).ok()?))).collect(),
        })
    }
}

/// The state of every router.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    data_keys: DataKeys,
}

struct Inner {
    config: Config,
    client: Client,
    table: Arc<str>,
    clock: Clock,
    ids: IdMaker,
    verifier: Verifier,
}

impl App {
    /// An app with this client and clock.
    pub fn new(config: Config, client: Client, clock: Clock) -> Result<Self, StartError> {
        let data_keys = DataKeys::new(&config.data_keys)?;
        let inner = Arc::new(Inner {
            client,
            table: config.table.as_str().into(),
            ids: IdMaker::new(clock.clone()),
            clock,
            verifier: Verifier::new(&config.token_issuer, &config.jwks)?,
            config,
        });
        Ok(Self { inner, data_keys })
    }

    /// An app with the function's role, region and environment.
    pub async fn from_env() -> Result<Self, StartError> {
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self::new(Config::from_env()?, client(Builder::from(&aws)), Clock::default())
    }

    /// The same app with some of its data keys, for a function that needs only these.
    #[must_use]
    pub fn with_data_keys(&self, needed: impl Fn(DataKey) -> bool) -> Self {
        Self { inner: Arc::clone(&self.inner), data_keys: self.data_keys.only(needed) }
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The current time.
    pub fn now(&self) -> Instant {
        self.inner.clock.now()
    }

    /// The id generator.
    pub fn ids(&self) -> &IdMaker {
        &self.inner.ids
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(super) fn verifier(&self) -> &Verifier {
        &self.inner.verifier
    }

    /// A sealer for one purpose, with a key derived from a data key.
    pub(crate) fn sealer(&self, key: DataKey, purpose: &str) -> Result<Sealer, KeyError> {
        self.data_keys.sealer(key, purpose)
    }

    /// A keyed hash for one purpose, with a key derived from a data key.
    pub(crate) fn hasher(&self, key: DataKey, purpose: &str) -> Result<KeyedHash, KeyError> {
        self.data_keys.hasher(key, purpose)
    }

    /// The store for an event other than a request. Its deadline is counted from now.
    pub fn store_for_event(&self) -> Store {
        self.store(Budget::start())
    }

    fn store(&self, budget: Budget) -> Store {
        Store::new(self.inner.client.clone(), self.inner.table.clone(), budget)
    }
}

impl FromRequestParts<App> for Store {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(app.store(RequestContext::of(parts).budget().clone()))
    }
}

/// A DynamoDB client with the retries and timeouts of a request.
///
/// Up to five attempts after throttling, server errors and lost connections, with jitter, the first retry
/// after at most 25 ms. An attempt times out after 2 s, because DynamoDB answers in milliseconds; connecting
/// after 1 s.
pub fn client(config: Builder) -> Client {
    let retries = RetryConfig::standard().with_max_attempts(5).with_initial_backoff(Duration::from_millis(25));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .build();
    Client::from_conf(config.retry_config(retries).timeout_config(timeouts).build())
}
