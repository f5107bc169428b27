//! Responses with and without an entity.

use axum::Json;
use axum::response::{IntoResponse, Response};
use lambda_http::http::{StatusCode, header};
use serde::Serialize;

use super::precondition::{IfNoneMatch, etag};
use super::{Problem, Result};
use crate::table::Versioned;

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
        if self.if_none_match.is_some_and(|if_none_match| if_none_match.names(version)) {
            return (StatusCode::NOT_MODIFIED, tag).into_response();
        }
        (tag, Json(self.entity)).into_response()
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
}

impl Created {
    /// The response with an entity; `location` is the entity's path.
    pub fn new(status: StatusCode, entity: &impl Versioned, location: String) -> Result<Self> {
        let body = serde_json::to_string(entity).map_err(Problem::internal)?;
        Ok(Self { status, body, etag: Some(etag(entity.meta().version)), location, replayed: false })
    }

    /// The response with a report that has no version; `location` is its path.
    pub fn unversioned(status: StatusCode, report: &impl Serialize, location: String) -> Result<Self> {
        let body = serde_json::to_string(report).map_err(Problem::internal)?;
        Ok(Self { status, body, etag: None, location, replayed: false })
    }

    /// Whether the response was recorded for an earlier request with the same key.
    pub const fn is_replayed(&self) -> bool {
        self.replayed
    }
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::LOCATION, self.location)];
        let mut response = (self.status, headers, self.body).into_response();
        if let Some(etag) = self.etag.and_then(|etag| etag.parse().ok()) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        if self.replayed {
            response.headers_mut().insert("idempotency-replayed", header::HeaderValue::from_static("true"));
        }
        response
    }
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
