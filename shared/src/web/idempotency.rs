//! Idempotency: a `POST` that is repeated with the same key takes effect once.
//!
//! The response is recorded in the transaction that creates, and a repeated request gets the recorded
//! response.

use std::fmt::Display;

use axum::extract::{FromRequest, Request};
use deserr::Deserr;
use lambda_http::http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::ErrorCode;
use super::body::{charset, parse, read_bytes, read_json};
use super::response::Created;
use super::{App, Located, Problem, Result};
use crate::identity::DataKey;
use crate::table::{
    Condition, Entity, Failure, Key, OnFailed, Partition, Scope, Store, StoreError, Transaction, Versioned,
};
use crate::value::{Instant, ValidationErrors};

/// How long a response is kept, in seconds: 24 hours.
const RECORD_TTL_SECONDS: i64 = 24 * 60 * 60;

/// The maximum size of a recorded body, in bytes.
///
/// An item has at most 400 KB (a limit of DynamoDB).
const MAX_RECORDED_BYTES: usize = 350 * 1000;

/// The JSON body of a create request, with its idempotency key.
pub struct Create<T> {
    /// The fields of the new entity.
    pub fields: T,
    /// The request, which commits the transaction.
    pub request: IdempotentRequest,
}

/// A create request, with or without an idempotency key.
pub struct IdempotentRequest {
    keyed: Option<KeyedRequest>,
    now: Instant,
}

/// The hashes that identify a repeated request.
struct KeyedRequest {
    fingerprint: Fingerprint,
    body_hash: String,
}

/// The module that records a response, and the hash of the request's method, path and idempotency key.
///
/// The body is not included. The module is part of the partition key, so that the policies of other modules do not
/// allow to read the response.
pub(super) struct Fingerprint {
    pub(super) module: Module,
    pub(super) hash: String,
}

/// The name of the module that serves a request, in upper case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Module(pub(super) &'static str);

/// The recorded response to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordedResponse {
    body_hash: String,
    body: String,
    etag: Option<String>,
    location: String,
    status: u16,
    /// Unix seconds; DynamoDB deletes the item some time later.
    ttl: i64,
}

impl Entity for RecordedResponse {}

/// The key of the recorded response to a request.
pub(super) fn record_key(scope: impl Scope, fingerprint: &Fingerprint) -> Key<RecordedResponse> {
    Partition::new(scope, ("IDEM", fingerprint.module.0)).item(fingerprint.hash.as_str())
}

/// A response to this request is recorded already.
#[derive(Debug, thiserror::Error)]
#[error("a response to this request is recorded already")]
struct AlreadyRecorded(RecordedResponse);

impl<T: Deserr<ValidationErrors>> FromRequest<App> for Create<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let head = RequestHead::of(&request)?;
        let document = read_json(request, &["application/json"]).await?;
        // Serialized again, to ignore white space and the order of members.
        let request = head.with_body(app, document.to_string().as_bytes())?;
        Ok(Self { fields: parse(document)?, request })
    }
}

/// A CSV file that is uploaded, with the request's idempotency key.
pub struct CsvUpload {
    /// The file.
    pub bytes: Vec<u8>,
    /// The `charset` of its media type.
    pub charset: Option<String>,
    /// The request, which commits the transaction.
    pub request: IdempotentRequest,
}

/// The maximum size of a file, in bytes.
const MAX_UPLOAD_BYTES: usize = 5 * 1024 * 1024;

impl FromRequest<App> for CsvUpload {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let head = RequestHead::of(&request)?;
        let charset = charset(&request);
        let bytes = read_bytes(request, &["text/csv"], MAX_UPLOAD_BYTES).await?;
        let request = head.with_body(app, &bytes)?;
        Ok(Self { bytes, charset, request })
    }
}

/// The part of a request before its body.
struct RequestHead {
    /// The idempotency key, with the module.
    key: Option<(String, Module)>,
    method: Method,
    path: String,
    /// The query string, which may change the effect as the body does.
    query: String,
}

impl RequestHead {
    fn of(request: &Request) -> Result<Self> {
        let module = || request.extensions().get::<Module>().copied().ok_or_else(|| Problem::internal("no module"));
        let key = idempotency_key(request.headers())?.map(|key| Ok::<_, Problem>((key, module()?))).transpose()?;
        let uri = request.uri();
        let query = uri.query().unwrap_or_default().to_owned();
        Ok(Self { key, method: request.method().clone(), path: uri.path().to_owned(), query })
    }

    fn with_body(self, app: &App, body: &[u8]) -> Result<IdempotentRequest> {
        let Self { key, method, path, query } = self;
        // Keyed, because bodies may contain passwords, which an unkeyed hash would help to guess.
        let hasher = app.hasher(DataKey::Requests, "request")?;
        let keyed = key.map(|(key, module)| KeyedRequest {
            fingerprint: Fingerprint { module, hash: hasher.hash(format!("{method} {path} {key}").as_bytes()) },
            body_hash: hasher.hash(&format!("{query}\n{}", hasher.hash(body))),
        });
        Ok(IdempotentRequest { keyed, now: app.now() })
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
            Problem::new(ErrorCode::InvalidIdempotencyKey, "Idempotency-Key must be 1 to 255 visible ASCII characters.")
        })
}

impl IdempotentRequest {
    /// The same request, with an idempotency key that counts for one caller only.
    ///
    /// For callers that do not sign in: another caller who uses the same key does not get the response.
    pub fn bound_to(self, app: &App, caller: impl Display) -> Result<Self> {
        let hasher = app.hasher(DataKey::Requests, "caller")?;
        let keyed = self.keyed.map(|request| {
            let hash = hasher.hash(&format!("{} {caller}", request.fingerprint.hash));
            KeyedRequest { fingerprint: Fingerprint { hash, ..request.fingerprint }, ..request }
        });
        Ok(Self { keyed, ..self })
    }

    /// Commits a transaction that creates `entity`, with the record of the response.
    ///
    /// If this request already has a recorded response, writes nothing and returns that response. `scope` is the
    /// scope of the record, `location` the path of the entity.
    pub async fn commit(
        &self,
        transaction: Transaction,
        scope: impl Located,
        entity: &impl Versioned,
        location: String,
    ) -> Result<Created> {
        self.commit_with(transaction, scope, Created::new(StatusCode::CREATED, entity, location)?).await
    }

    /// Commits a transaction with the record of this response.
    ///
    /// See [`commit`](Self::commit).
    pub async fn commit_with(
        &self,
        mut transaction: Transaction,
        scope: impl Located,
        created: Created,
    ) -> Result<Created> {
        let Some(request) = &self.keyed else {
            transaction.commit().await?;
            return Ok(created);
        };
        let record = self.record(request, &created);
        // An item past its time to live counts as deleted: DynamoDB deletes it some time later.
        let unused = Condition::NotExists.or(Condition::less("ttl", self.now.unix_seconds()));
        let on_failed = OnFailed::decide(|existing: Option<RecordedResponse>| match existing {
            Some(existing) => Failure::Override(Box::new(AlreadyRecorded(existing))),
            None => Failure::Unexpected("a record was rejected as existing, but does not exist"),
        });
        transaction.put(&record_key(scope, &request.fingerprint), &record, unused, on_failed)?;
        let store = transaction.store().clone();
        match transaction.commit().await {
            Ok(()) => Ok(created),
            Err(StoreError::Overridden(cause)) => match cause.downcast_ref::<AlreadyRecorded>() {
                Some(AlreadyRecorded(existing)) => existing.clone().replay(&store, scope, &record.body_hash).await,
                None => Err(StoreError::Overridden(cause).into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// The recorded response to this request, if there is one.
    ///
    /// [`commit`](Self::commit) also returns it; use this method before expensive work. One read if the request has
    /// an idempotency key, and one more if there is a response; otherwise none.
    pub async fn recorded_response(&self, store: &Store, scope: impl Located) -> Result<Option<Created>> {
        let Some(request) = &self.keyed else { return Ok(None) };
        let record = store.get(&record_key(scope, &request.fingerprint)).await?;
        let record = record.filter(|record| self.now.unix_seconds() <= record.ttl);
        match record {
            Some(record) => record.replay(store, scope, &request.body_hash).await.map(Some),
            None => Ok(None),
        }
    }

    /// Adds a new recorded response, unless it is too large for an item.
    pub fn replace_recorded_response(
        &self,
        transaction: &mut Transaction,
        scope: impl Located,
        created: &Created,
    ) -> Result<()> {
        let Some(request) = self.keyed.as_ref().filter(|_| created.body.len() <= MAX_RECORDED_BYTES) else {
            return Ok(());
        };
        Ok(transaction.overwrite(&record_key(scope, &request.fingerprint), &self.record(request, created))?)
    }

    fn record(&self, request: &KeyedRequest, created: &Created) -> RecordedResponse {
        RecordedResponse {
            body_hash: request.body_hash.clone(),
            body: created.sealed_body.as_ref().unwrap_or(&created.body).clone(),
            etag: created.etag.clone(),
            location: created.location.clone(),
            status: created.status.as_u16(),
            ttl: self.now.unix_seconds() + RECORD_TTL_SECONDS,
        }
    }

    /// Reads, makes a transaction with `decide`, and commits it with the response.
    ///
    /// Repeats all three after a conflict.
    pub async fn retry_on_conflict<R, F>(
        &self,
        store: &Store,
        scope: impl Located,
        read: impl Fn() -> F,
        decide: impl Fn(&R, &mut Transaction) -> Result<Created>,
    ) -> Result<Created>
    where
        F: Future<Output = Result<R>>,
    {
        let (read, decide) = (&read, &decide);
        let attempt = || async move {
            let current = read().await?;
            let mut transaction = store.transaction();
            let created = decide(&current, &mut transaction)?;
            self.commit_with(transaction, scope, created).await
        };
        match store.retry(attempt).await {
            // Not replayed to a caller with an access token that is no longer accepted.
            Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => Err(problem),
            Err(problem) if problem.status().is_client_error() => {
                self.recorded_response_or(store, scope, problem).await
            }
            done => done,
        }
    }

    /// The recorded response to this request, or `problem` if there is none.
    ///
    /// A repeated request may fail only because its first attempt succeeded, or because the data has changed
    /// since.
    pub async fn recorded_response_or(&self, store: &Store, scope: impl Located, problem: Problem) -> Result<Created> {
        self.recorded_response(store, scope).await?.ok_or(problem)
    }
}

impl RecordedResponse {
    /// The response, for a request with this body. 404 if the scope was deleted since: one read.
    async fn replay(self, store: &Store, scope: impl Located, body_hash: &str) -> Result<Created> {
        if self.body_hash != body_hash {
            let detail = "This Idempotency-Key was used for a request with another body or query.";
            return Err(Problem::new(ErrorCode::IdempotencyKeyReused, detail));
        }
        if !scope.exists(store).await? {
            return Err(Problem::not_found());
        }
        let status = StatusCode::from_u16(self.status).map_err(Problem::internal)?;
        Ok(Created {
            status,
            body: self.body,
            etag: self.etag,
            location: self.location,
            replayed: true,
            secret: None,
            sealed_body: None,
        })
    }
}
