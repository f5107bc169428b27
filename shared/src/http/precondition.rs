//! Versions as `ETag`s (RFC 9110, 13.1).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use headers::{ETag, HeaderMapExt};
use lambda_http::http::request::Parts;

use crate::{App, Problem, Result};

/// The `ETag` of a version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

fn typed(version: u64) -> Option<ETag> {
    etag(version).parse().ok()
}

/// `If-Match`: change only the version that the caller has seen.
#[derive(Clone, Debug)]
pub struct IfMatch(Option<headers::IfMatch>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let malformed = |_| Problem::bad_request("invalid_if_match", "If-Match must be a list of entity tags or *.");
        parts.headers.typed_try_get().map(Self).map_err(malformed)
    }
}

impl IfMatch {
    /// 412 unless `version` is the one to change, or any is.
    pub fn check(&self, version: u64) -> Result<()> {
        let passes = match &self.0 {
            None => true,
            Some(tags) => tags.is_any() || typed(version).is_some_and(|tag| tags.precondition_passes(&tag)),
        };
        if passes { Ok(()) } else { Err(Problem::precondition_failed()) }
    }

    /// Whether the caller insists on a version.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

/// `If-None-Match`: answer only if the caller has not this version yet.
#[derive(Clone, Debug)]
pub struct IfNoneMatch(Option<headers::IfNoneMatch>);

impl FromRequestParts<App> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> std::result::Result<Self, Infallible> {
        // A malformed one is no reason to withhold the answer.
        Ok(Self(parts.headers.typed_get()))
    }
}

impl IfNoneMatch {
    /// Whether the caller has this version already.
    pub fn has(&self, version: u64) -> bool {
        match (&self.0, typed(version)) {
            (Some(tags), Some(tag)) => !tags.precondition_passes(&tag),
            _ => false,
        }
    }
}
