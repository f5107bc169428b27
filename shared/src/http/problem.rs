//! The one error type: the answer that the caller gets instead of the one asked for (RFC 9457), and for the log its cause.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use lambda_http::http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::value::{FieldError, InvalidValue, ValidationErrors};

/// Why a request failed. What its caller sees of it is a [`ProblemDetails`]; the cause is for the log alone.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    more: Map<String, Value>,
    retry_after_seconds: Option<u32>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// `application/problem+json` (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemDetails<'a> {
    /// Names the kind of problem: `urn:upzento:problem:` and the code.
    #[schema(example = "urn:upzento:problem:not_found")]
    r#type: String,
    /// What the status is called.
    #[schema(example = "Not Found")]
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// For people.
    #[schema(example = "There is no such resource.")]
    detail: &'a str,
    /// Stable, for programs.
    #[schema(example = "not_found")]
    code: &'a str,
    /// Names this request in the log; also in `X-Request-Id`.
    request_id: &'a str,
    /// With `422`, and where a conflict is one field's: every field at fault.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    #[serde(flatten)]
    #[schema(ignore)]
    more: &'a Map<String, Value>,
}

impl Problem {
    /// A problem with a status of its own. `code` is part of the API.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            more: Map::new(),
            retry_after_seconds: None,
            cause: None,
        }
    }

    /// 404: not there, or out of scope; nobody can tell which.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such resource.")
    }

    /// 401: no access token, or not a good one.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "A valid access token is required.")
    }

    /// 403: in scope, but the caller's role may not.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Your role does not permit this.")
    }

    /// 400: the request cannot be read at all.
    pub fn bad_request(code: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 409: at odds with what is stored; `code` says how.
    pub fn conflict(code: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 412: the version is not the one that `If-Match` names.
    pub fn precondition_failed() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "The resource has changed; its version is not the one in If-Match.",
        )
    }

    /// What was read is no longer so: the store reads again and decides anew. Nobody sees it.
    pub fn stale() -> Self {
        Self::precondition_failed().because("what was read has changed")
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.status == StatusCode::PRECONDITION_FAILED && self.cause.is_some()
    }

    /// 422: one field names something that does not exist in this client.
    pub fn unresolved_reference(pointer: impl Into<String>) -> Self {
        ValidationErrors::field(pointer, InvalidValue::new("not_found", "names nothing that exists here")).into()
    }

    /// 500: our fault. The caller learns nothing but the request id.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.").because(cause)
    }

    /// 503: the store did not answer in time; the same request may succeed soon.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The service is busy. Try again, with the same Idempotency-Key if you sent one.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(1).because(cause)
    }

    /// With `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// With a field at fault.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, rejected: InvalidValue) -> Self {
        self.errors.extend(ValidationErrors::field(pointer, rejected).into_fields());
        self
    }

    /// With one more member, for programs.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.more.insert(member.to_owned(), value.into());
        self
    }

    fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The first problem, with the fields that the other finds at fault.
    #[must_use]
    pub fn with_fields_of(mut self, other: Self) -> Self {
        self.errors.extend(other.errors);
        self
    }

    /// What both give, or what is wrong with either: all fields at fault at once.
    pub fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) if a.code == b.code => Err(a.with_fields_of(b)),
            (Err(problem), _) | (_, Err(problem)) => Err(problem),
        }
    }

    /// What went wrong inside, for the log: a kind of failure, never a key or a value.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync)> {
        self.cause.as_deref()
    }

    /// The answer, as the request `request_id` gets it.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let details = ProblemDetails {
            r#type: format!("urn:upzento:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            errors: &self.errors,
            more: &self.more,
        };
        let body = serde_json::to_string(&details).unwrap_or_default();
        let media = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, media, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750, 3: the challenge that every 401 carries.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<ValidationErrors> for Problem {
    fn from(invalid: ValidationErrors) -> Self {
        let detail = "One or more fields are invalid.";
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        problem.errors = invalid.into_fields();
        problem
    }
}

/// The service around every router renders it, because it knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
