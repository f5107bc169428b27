//! The error type of the API: a problem document (RFC 9457), and a cause to log.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use lambda_http::http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ErrorCode, Result};
use crate::identity::KeyError;
use crate::identity::password::PasswordError;
use crate::table::{Retryable, StoreError};
use crate::value::{FieldError, InvalidValue, ValidationErrors};

/// Why a request failed.
///
/// The caller gets it as a problem document. The cause goes to the log only.
#[derive(Clone, Debug)]
pub struct Problem {
    code: ErrorCode,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    retry_after_seconds: Option<u32>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
    /// The data has changed since it was read: a retry that reads it again may succeed.
    is_conflict: bool,
}

/// `application/problem+json` (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(super) struct ProblemDetails<'a> {
    /// The problem type: `urn:upzento:problem:` and the code.
    #[schema(example = "urn:upzento:problem:not_found")]
    r#type: String,
    /// The name of the status.
    #[schema(example = "Not Found")]
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// Explanation for people.
    #[schema(example = "The resource does not exist.")]
    detail: &'a str,
    /// Stable error code, for programs.
    #[schema(example = "not_found")]
    code: &'a str,
    /// The request's id in the log, as in `X-Request-Id`.
    request_id: &'a str,
    /// The invalid fields, with `422` and with conflicts about a field.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    #[serde(flatten)]
    #[schema(ignore)]
    extensions: &'a Map<String, Value>,
}

impl Problem {
    /// A problem with this code and its status.
    pub fn new(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            extensions: Map::new(),
            retry_after_seconds: None,
            cause: None,
            is_conflict: false,
        }
    }

    /// 404: the resource does not exist or is out of scope.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "The resource does not exist.")
    }

    /// 401: the access token is missing, invalid or expired.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "A valid access token is required.")
    }

    /// 403: in scope, but the caller's role does not permit it.
    pub fn forbidden() -> Self {
        Self::new(ErrorCode::Forbidden, "Your role does not permit this.")
    }

    /// 412: `If-Match` does not list the version of the resource.
    pub fn precondition_failed() -> Self {
        Self::new(ErrorCode::PreconditionFailed, "The resource has changed: its version is not the one in If-Match.")
    }

    /// 422: a field has the id of a resource that does not exist in this client.
    pub fn unresolved_reference(pointer: impl Into<String>) -> Self {
        ValidationErrors::field(pointer, InvalidValue::new("not_found", "must be the id of an existing resource"))
            .into()
    }

    /// 500: an error of the service. The response has no details except the request id.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorCode::Internal, "An internal error has occurred. Quote the request id when you report it.")
            .because(cause)
    }

    /// 503: the store did not respond in time. A retry may succeed.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The service is busy. Retry the request, with the same Idempotency-Key if it has one.";
        Self::new(ErrorCode::Unavailable, detail).retry_after(1).because(cause)
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Adds an invalid field.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, error: InvalidValue) -> Self {
        self.errors.extend(ValidationErrors::field(pointer, error).into_fields());
        self
    }

    /// Adds an extension member, for programs.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(member.to_owned(), value.into());
        self
    }

    /// The first error of failed conditions, with the invalid fields of all errors.
    fn of_reasons(reasons: Vec<Arc<dyn Error + Send + Sync>>) -> Self {
        let problems = reasons.into_iter().map(|reason| match reason.downcast_ref::<Self>() {
            Some(problem) => problem.clone(),
            None => Self::internal(reason.to_string()),
        });
        problems.reduce(Self::with_fields_of).unwrap_or_else(|| Self::internal("a condition failed without a reason"))
    }

    fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// Adds the invalid fields of another problem.
    #[must_use]
    pub fn with_fields_of(mut self, other: Self) -> Self {
        self.errors.extend(other.errors);
        self
    }

    /// Both values, or the problem of either, with the invalid fields of both.
    pub fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) if a.code == b.code => Err(a.with_fields_of(b)),
            (Err(problem), _) | (_, Err(problem)) => Err(problem),
        }
    }

    /// The cause, for the log: a kind of failure, never a key or a value.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync)> {
        self.cause.as_deref()
    }

    /// The response to the request with this id.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let details = ProblemDetails {
            r#type: format!("urn:upzento:problem:{}", self.code()),
            title: self.status().canonical_reason().unwrap_or_default(),
            status: self.status().as_u16(),
            detail: &self.detail,
            code: self.code(),
            request_id,
            errors: &self.errors,
            extensions: &self.extensions,
        };
        let body = serde_json::to_string(&details).unwrap_or_default();
        let media = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status(), media, body).into_response();
        if self.status() == StatusCode::UNAUTHORIZED {
            // Every 401 has a challenge (RFC 6750, 3).
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Retryable for Problem {
    fn is_conflict(&self) -> bool {
        self.is_conflict
    }

    fn into_final(self) -> Self {
        Self { is_conflict: false, ..self }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found(),
            StoreError::NotEmpty => Self::new(ErrorCode::NotEmpty, "Not empty: delete its children first."),
            StoreError::Conflict => {
                let detail = "Other requests are changing the resource at the same time. Read it again and retry.";
                Self { is_conflict: true, ..Self::new(ErrorCode::ConcurrentChange, detail) }
            }
            StoreError::Rejected(reasons) => Self::of_reasons(reasons),
            StoreError::Unavailable(cause) => Self::unavailable(cause.to_string()),
            StoreError::Overridden(cause) => match cause.downcast_ref::<Self>() {
                Some(problem) => problem.clone(),
                None => Self::internal(cause.to_string()),
            },
            StoreError::Internal(cause) => Self::internal(cause.to_string()),
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        Self::internal(error)
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        Self::internal(error)
    }
}

/// Both values, or the errors of both.
pub(super) fn both_valid<A, B>(
    a: Result<A, ValidationErrors>,
    b: Result<B, ValidationErrors>,
) -> Result<(A, B), ValidationErrors> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(a.and(b)),
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
    }
}

impl From<ValidationErrors> for Problem {
    fn from(invalid: ValidationErrors) -> Self {
        let detail = "One or more fields are invalid.";
        let mut problem = Self::new(ErrorCode::Invalid, detail);
        problem.errors = invalid.into_fields();
        problem
    }
}

/// [`problems`](super::problems) renders it with the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
