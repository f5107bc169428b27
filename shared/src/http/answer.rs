//! Answers that carry an entity.

use axum::Json;
use axum::response::{IntoResponse, Response};
use lambda_http::http::{StatusCode, header};
use serde::Serialize;

use super::precondition::{IfNoneMatch, etag};
use crate::entity::{Account, Appointment, Deal, Fields, Meta, Note, Pipeline, Record, Stage, TimeOff, User};
use crate::{Problem, Result};

/// Something with a version.
pub trait Versioned: Serialize {
    /// Its version and times.
    fn meta(&self) -> &Meta;
}

impl<F: Fields> Versioned for Record<F> {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl Versioned for Account {
    fn meta(&self) -> &Meta {
        &self.user.meta
    }
}

macro_rules! versioned {
    ($($type:ty),*) => {$(
        impl Versioned for $type {
            fn meta(&self) -> &Meta {
                &self.meta
            }
        }
    )*};
}

versioned!(Appointment, Deal, Note, Pipeline, Stage, TimeOff, User);

/// `200` with the entity and its `ETag`, or `304` to a caller who has that version.
pub struct WithEtag<T> {
    entity: T,
    unless: Option<IfNoneMatch>,
}

impl<T> WithEtag<T> {
    /// The entity, whatever the caller has.
    pub const fn new(entity: T) -> Self {
        Self { entity, unless: None }
    }

    /// The entity, unless the caller has it.
    pub const fn unless(entity: T, has: IfNoneMatch) -> Self {
        Self { entity, unless: Some(has) }
    }
}

impl<T: Versioned> IntoResponse for WithEtag<T> {
    fn into_response(self) -> Response {
        let version = self.entity.meta().version;
        let tag = [(header::ETAG, etag(version))];
        if self.unless.is_some_and(|unless| unless.has(version)) {
            return (StatusCode::NOT_MODIFIED, tag).into_response();
        }
        (tag, Json(self.entity)).into_response()
    }
}

/// `201` with `Location`, `ETag` and the whole entity, as it was first given or as it was recorded; or another success of a request
/// that may create.
pub struct Created {
    pub(super) status: StatusCode,
    pub(super) body: String,
    pub(super) etag: Option<String>,
    pub(super) location: String,
    pub(super) replayed: bool,
}

impl Created {
    /// The answer; `location` is the path under which the entity is found.
    pub fn new(status: StatusCode, entity: &impl Versioned, location: String) -> Result<Self> {
        let body = serde_json::to_string(entity).map_err(Problem::internal)?;
        Ok(Self { status, body, etag: Some(etag(entity.meta().version)), location, replayed: false })
    }

    /// The answer to a request that begins something of which the caller has no version.
    pub fn begun(status: StatusCode, report: &impl Serialize, location: String) -> Result<Self> {
        let body = serde_json::to_string(report).map_err(Problem::internal)?;
        Ok(Self { status, body, etag: None, location, replayed: false })
    }
}

impl Created {
    /// Whether it was recorded when the request came before.
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

/// `202`, without a body: what was asked for follows.
pub struct Accepted;

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

/// `204`.
pub struct Deleted;

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}
