//! `POST`s that create, and that may come again: the answer is recorded in the transaction that creates, so that a repeated
//! request with the same key gives the same answer and no second effect.

use std::fmt;

use axum::extract::{FromRequest, Request};
use deserr::Deserr;
use lambda_http::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::answer::{Created, Versioned};
use super::body::{parse, read_json};
use super::precondition::etag;
use crate::keys::Scope;
use crate::store::{Store, Transaction};
use crate::value::{Instant, Invalid};
use crate::{App, Problem, Result};

/// How long an answer is kept, in seconds: 24 hours.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

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
    etag: String,
    location: String,
    /// Unix seconds; DynamoDB deletes the row some time after.
    pub(crate) ttl: i64,
}

impl<T: Deserr<Invalid>> FromRequest<App> for Create<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let key = idempotency_key(request.headers())?;
        let document = read_json(request, &["application/json"]).await?;
        let repeatable = key.map(|key| Repeatable {
            fingerprint: Fingerprint(app.requests().hash(&format!("{method} {path} {key}"))),
            // Parsed and written again, so that neither white space nor the order of members makes another body.
            body_hash: app.requests().hash(&document.to_string()),
        });
        Ok(Self { fields: parse(document)?, request: Creation { repeatable, now: app.clock().now() } })
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
        mut transaction: Transaction,
        scope: impl Scope,
        entity: &impl Versioned,
        location: String,
    ) -> Result<Created> {
        let created = Created {
            body: serde_json::to_string(entity).map_err(Problem::internal)?,
            etag: etag(entity.meta().version),
            location,
            replayed: false,
        };
        let Some(request) = &self.repeatable else {
            transaction.commit().await?;
            return Ok(created);
        };
        let record = Recorded {
            body_hash: request.body_hash.clone(),
            body: created.body.clone(),
            etag: created.etag.clone(),
            location: created.location.clone(),
            ttl: self.now.unix_seconds() + KEPT_SECONDS,
        };
        transaction.record(&scope.recorded(&request.fingerprint), &record, self.now)?;
        match transaction.commit_or_recorded().await? {
            None => Ok(created),
            Some(earlier) => earlier.replay(&record.body_hash),
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
        let (read, decide, location) = (&read, &decide, &location);
        let attempt = || async move {
            let mut transaction = store.transaction();
            if let Err(refused) = decide(&read().await?, &mut transaction) {
                // What stands in its way may be what it made when it came before.
                return self.answered(store, scope).await?.unwrap_or(Err(refused));
            }
            self.commit(transaction, scope, entity, location.clone()).await
        };
        store.settle(attempt).await
    }

    /// The answer that was recorded when this request came before, if it did.
    async fn answered(&self, store: &Store, scope: impl Scope) -> Result<Option<Result<Created>>> {
        let Some(request) = &self.repeatable else { return Ok(None) };
        let recorded = store.get(&scope.recorded(&request.fingerprint)).await?;
        let recorded = recorded.filter(|recorded| recorded.ttl >= self.now.unix_seconds());
        Ok(recorded.map(|recorded| recorded.replay(&request.body_hash)))
    }
}

impl Recorded {
    fn replay(self, body_hash: &str) -> Result<Created> {
        if self.body_hash == body_hash {
            return Ok(Created { body: self.body, etag: self.etag, location: self.location, replayed: true });
        }
        let detail = "This Idempotency-Key was used for a request with another body.";
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail))
    }
}
