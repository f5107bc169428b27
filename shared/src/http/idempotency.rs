//! `POST`s that create, and that may come again: the answer is recorded in the transaction that creates, so that a repeated
//! request with the same key gives the same answer and no second effect.

use std::fmt;

use axum::extract::{FromRequest, Request};
use deserr::Deserr;
use lambda_http::http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::answer::{Created, Versioned};
use super::body::{parse, read_bytes, read_json};
use crate::keys::Scope;
use crate::store::{Store, Transaction, known_or};
use crate::value::{Instant, ValidationErrors};
use crate::{App, Problem, Result};

/// How long an answer is kept, in seconds: 24 hours.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// The most that an answer may have to be recorded, in bytes: a row has at most 400 KB (a limit of DynamoDB).
const MAX_RECORDED: usize = 350 * 1000;

/// The body of a request that creates, with what makes the request recognisable when it comes again.
pub struct Create<T> {
    /// What to create.
    pub fields: T,
    /// The request, to commit it.
    pub request: Creation,
}

/// A request that creates.
pub struct Creation {
    repeatable: Option<Repeatable>,
    now: Instant,
}

struct Repeatable {
    fingerprint: Fingerprint,
    body_hash: String,
}

/// Names a request: method, path and key, hashed. Two requests with different bodies have the same.
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A recorded answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    body_hash: String,
    body: String,
    etag: Option<String>,
    location: String,
    status: u16,
    /// Unix seconds; DynamoDB deletes the row some time after.
    pub(crate) ttl: i64,
}

impl<T: Deserr<ValidationErrors>> FromRequest<App> for Create<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let begun = Begun::of(&request)?;
        let document = read_json(request, &["application/json"]).await?;
        // Parsed and written again, so that neither white space nor the order of members makes another body.
        let request = begun.with_body(app, document.to_string().as_bytes());
        Ok(Self { fields: parse(document)?, request })
    }
}

/// The text of a CSV file, with what makes the request recognisable when it comes again.
pub struct Upload {
    /// The file.
    pub bytes: Vec<u8>,
    /// The request, to commit it.
    pub request: Creation,
}

/// The most that a file may have, in bytes.
pub const MAX_UPLOAD_BYTES: usize = 5 * 1024 * 1024;

impl FromRequest<App> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let begun = Begun::of(&request)?;
        let bytes = read_bytes(request, &["text/csv"], MAX_UPLOAD_BYTES).await?;
        let request = begun.with_body(app, &bytes);
        Ok(Self { bytes, request })
    }
}

/// A request whose body is not read yet.
struct Begun {
    key: Option<String>,
    method: Method,
    path: String,
}

impl Begun {
    fn of(request: &Request) -> Result<Self> {
        let key = idempotency_key(request.headers())?;
        Ok(Self { key, method: request.method().clone(), path: request.uri().path().to_owned() })
    }

    fn with_body(self, app: &App, body: &[u8]) -> Creation {
        let Self { key, method, path } = self;
        let repeatable = key.map(|key| Repeatable {
            fingerprint: Fingerprint(app.requests().hash(format!("{method} {path} {key}").as_bytes())),
            body_hash: app.requests().hash(body),
        });
        Creation { repeatable, now: app.clock().now() }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    value
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| {
            Problem::bad_request(
                "invalid_idempotency_key",
                "Idempotency-Key must be 1 to 255 visible ASCII characters.",
            )
        })
}

impl Creation {
    /// Commits the transaction that creates `entity` in `scope`, together with the record of its answer; or gives the
    /// answer that was recorded when this request came before. `location` is the path under which the entity is found.
    pub async fn commit(
        &self,
        transaction: Transaction,
        scope: impl Scope,
        entity: &impl Versioned,
        location: String,
    ) -> Result<Created> {
        self.conclude(transaction, scope, Created::new(StatusCode::CREATED, entity, location)?).await
    }

    /// The same for any answer.
    pub async fn conclude(&self, mut transaction: Transaction, scope: impl Scope, created: Created) -> Result<Created> {
        let Some(request) = &self.repeatable else {
            transaction.commit().await?;
            return Ok(created);
        };
        let record = self.recording(request, &created);
        transaction.record(&scope.recorded(&request.fingerprint), &record, self.now)?;
        match transaction.commit_or_recorded().await? {
            None => Ok(created),
            Some(earlier) => earlier.replay(&record.body_hash),
        }
    }

    /// The answer that was recorded when this request came before, for whoever would do much in vain. Costs a read if the request
    /// may come again.
    pub async fn earlier(&self, store: &Store, scope: impl Scope) -> Result<Option<Created>> {
        let Some(request) = &self.repeatable else { return Ok(None) };
        let recorded = store.get(&scope.recorded(&request.fingerprint)).await?;
        let recorded = recorded.filter(|recorded| self.now.unix_seconds() <= recorded.ttl);
        recorded.map(|recorded| recorded.replay(&request.body_hash)).transpose()
    }

    /// Adds that the answer to this request is another by now, unless that is too long for a row.
    pub fn record_again(&self, transaction: &mut Transaction, scope: impl Scope, created: &Created) -> Result<()> {
        let Some(request) = self.repeatable.as_ref().filter(|_| created.body.len() <= MAX_RECORDED) else {
            return Ok(());
        };
        transaction.write(&scope.recorded(&request.fingerprint), &self.recording(request, created))
    }

    fn recording(&self, request: &Repeatable, created: &Created) -> Recorded {
        Recorded {
            body_hash: request.body_hash.clone(),
            body: created.body.clone(),
            etag: created.etag.clone(),
            location: created.location.clone(),
            status: created.status.as_u16(),
            ttl: self.now.unix_seconds() + KEPT_SECONDS,
        }
    }

    /// The same for a change that is decided on what is read, and anew while others change that.
    pub async fn decide<R, F: Future<Output = Result<R>>>(
        &self,
        store: &Store,
        scope: impl Scope,
        entity: &impl Versioned,
        location: String,
        read: impl Fn() -> F,
        decide: impl Fn(&R, &mut Transaction) -> Result<()>,
    ) -> Result<Created> {
        self.decide_as(store, scope, read, |read, transaction| {
            decide(read, transaction)?;
            Created::new(StatusCode::CREATED, entity, location.clone())
        })
        .await
    }

    /// The same where what is read decides also on the answer.
    pub async fn decide_as<R, F: Future<Output = Result<R>>>(
        &self,
        store: &Store,
        scope: impl Scope,
        read: impl Fn() -> F,
        decide: impl Fn(&R, &mut Transaction) -> Result<Created>,
    ) -> Result<Created> {
        self.decide_from(store, scope, None, read, decide).await
    }

    /// The same for a caller who may have read already.
    pub async fn decide_from<R, F: Future<Output = Result<R>>>(
        &self,
        store: &Store,
        scope: impl Scope,
        mut known: Option<R>,
        read: impl Fn() -> F,
        decide: impl Fn(&R, &mut Transaction) -> Result<Created>,
    ) -> Result<Created> {
        let (read, decide) = (&read, &decide);
        let attempt = move || {
            let known = known.take();
            async move {
                let current = known_or(known, read()).await?;
                let mut transaction = store.transaction();
                let created = decide(&current, &mut transaction)?;
                self.conclude(transaction, scope, created).await
            }
        };
        match store.settle(attempt).await {
            Err(problem) if problem.status().is_client_error() => self.recorded(store, scope, problem).await,
            settled => settled,
        }
    }

    /// What was decided on may have been otherwise when this very request came before, or be its effect: then its answer, else
    /// `otherwise`.
    pub async fn recorded(&self, store: &Store, scope: impl Scope, otherwise: Problem) -> Result<Created> {
        self.earlier(store, scope).await?.ok_or(otherwise)
    }
}

impl Recorded {
    fn replay(self, body_hash: &str) -> Result<Created> {
        if self.body_hash == body_hash {
            let status = StatusCode::from_u16(self.status).map_err(Problem::internal)?;
            return Ok(Created { status, body: self.body, etag: self.etag, location: self.location, replayed: true });
        }
        let detail = "This Idempotency-Key was used for a request with another body.";
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail))
    }
}
