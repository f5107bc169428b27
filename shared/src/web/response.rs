//! Responses with and without an entity.

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use lambda_http::http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::precondition::{IfNoneMatch, etag};
use super::{App, Problem, Result};
use crate::identity::{DataKey, Sealer};
use crate::table::Versioned;
use crate::value::{Id, Instant};

/// `200` with the entity and its `ETag`, or `304`.
///
/// `304` if `If-None-Match` lists the version.
pub struct WithEtag<T> {
    entity: T,
    if_none_match: Option<IfNoneMatch>,
}

impl<T> WithEtag<T> {
    /// The entity, without a condition.
    pub const fn new(entity: T) -> Self {
        Self { entity, if_none_match: None }
    }

    /// The entity, unless `if_none_match` lists its version.
    pub const fn unless(entity: T, if_none_match: IfNoneMatch) -> Self {
        Self { entity, if_none_match: Some(if_none_match) }
    }
}

impl<T: Versioned> IntoResponse for WithEtag<T> {
    fn into_response(self) -> Response {
        let version = self.entity.meta().version;
        let tag = [(header::ETAG, etag(version))];
        if self.if_none_match.is_some_and(|if_none_match| if_none_match.names(&version.to_string())) {
            return (StatusCode::NOT_MODIFIED, tag).into_response();
        }
        (tag, Json(self.entity)).into_response()
    }
}

/// `200` with a document, an `ETag` of its content and `Last-Modified`, or `304`.
///
/// `304` if `If-None-Match` lists the tag. `If-Modified-Since` is ignored: the removal of the part that changed last
/// would go unnoticed.
pub struct Document {
    /// The media type.
    pub content_type: &'static str,
    /// The content.
    pub text: String,
    /// The last change of any part of the content.
    pub modified: Instant,
    /// The condition of the request.
    pub if_none_match: IfNoneMatch,
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let tag = BASE64URL.encode(&digest(&SHA256, self.text.as_bytes()).as_ref()[..16]);
        let validators = [(header::ETAG, etag(&tag)), (header::LAST_MODIFIED, self.modified.to_http_date())];
        if self.if_none_match.names(&tag) {
            return (StatusCode::NOT_MODIFIED, validators).into_response();
        }
        (validators, [(header::CONTENT_TYPE, self.content_type)], self.text).into_response()
    }
}

/// The response to a request that creates an entity.
///
/// `201` with `Location`, `ETag` and the entity. It is new, or the recorded response to the same request.
/// A request that continues in the background has another success status.
pub struct Created {
    pub(super) status: StatusCode,
    pub(super) body: String,
    pub(super) etag: Option<String>,
    pub(super) location: String,
    pub(super) replayed: bool,
    /// A member that is added to the body, and is not recorded.
    pub(super) secret: Option<(&'static str, String)>,
    /// What is recorded instead of the body.
    pub(super) sealed_body: Option<String>,
}

impl Created {
    /// The response with an entity; `location` is the entity's path.
    pub fn new(status: StatusCode, entity: &impl Versioned, location: String) -> Result<Self> {
        let body = serde_json::to_string(entity).map_err(Problem::internal)?;
        Ok(Self {
            status,
            body,
            etag: Some(etag(entity.meta().version)),
            location,
            replayed: false,
            secret: None,
            sealed_body: None,
        })
    }

    /// The response with a report that has no version; `location` is its path.
    pub fn unversioned(status: StatusCode, report: &impl Serialize, location: String) -> Result<Self> {
        let body = serde_json::to_string(report).map_err(Problem::internal)?;
        Ok(Self { status, body, etag: None, location, replayed: false, secret: None, sealed_body: None })
    }

    /// The response with one more member, which a recorded response does not contain.
    #[must_use]
    pub fn with_secret(self, member: &'static str, value: String) -> Self {
        Self { secret: Some((member, value)), ..self }
    }

    /// The same response, of which a sealed body is recorded.
    ///
    /// `number` is a random one that only the item of the entity has. After the deletion of the item, the
    /// recorded body cannot be read any more.
    pub fn sealed(self, app: &App, number: u64) -> Result<Self> {
        let sealed = recorded_sealer(app, number)?.seal(&self.location, self.body.as_bytes())?;
        Ok(Self { sealed_body: Some(sealed), ..self })
    }

    /// Opens a recorded response with the number of the entity's item.
    ///
    /// # Errors
    /// 404 if the item has another number: it is not the one of the response.
    pub fn opened(self, app: &App, number: u64) -> Result<Self> {
        let opened = recorded_sealer(app, number)?.open(&self.location, &self.body);
        let body = opened.and_then(|body| String::from_utf8(body).ok()).ok_or_else(Problem::not_found)?;
        Ok(Self { body, ..self })
    }

    /// The body with the secret.
    fn full_body(&self) -> String {
        let Some((member, value)) = &self.secret else { return self.body.clone() };
        let mut body: Map<String, Value> = serde_json::from_str(&self.body).unwrap_or_default();
        body.insert((*member).to_owned(), Value::String(value.clone()));
        Value::Object(body).to_string()
    }

    /// The path of the entity.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The id of the entity, at the end of its path.
    pub fn entity_id<T>(&self) -> Result<Id<T>> {
        let id = self.location.rsplit('/').next().and_then(|id| id.parse().ok());
        id.ok_or_else(|| Problem::internal("a location without an id"))
    }

    /// Whether the response was recorded for an earlier request with the same key.
    pub const fn is_replayed(&self) -> bool {
        self.replayed
    }
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let body = self.full_body();
        let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::LOCATION, self.location)];
        let mut response = (self.status, headers, body).into_response();
        if let Some(etag) = self.etag.and_then(|etag| etag.parse().ok()) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        if self.replayed {
            response.headers_mut().insert("idempotency-replayed", header::HeaderValue::from_static("true"));
        }
        response
    }
}

/// The number is part of what the key is derived from, so that the data key alone opens nothing.
fn recorded_sealer(app: &App, number: u64) -> Result<Sealer> {
    Ok(app.sealer(DataKey::Requests, &format!("recorded body {number}"))?)
}

/// `202` without a body: the work is done later.
pub struct Accepted;

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

/// `204`: deleted.
pub struct Deleted;

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}
