//! Errors of the store, and the pauses between retries.
//!
//! The SDK retries throttling, server errors and lost connections by itself, with jitter. It does not retry a
//! transaction that conflicts with another one: this layer does.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

type BoxError = Box<dyn Error + Send + Sync>;

/// Why a read or a write failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The item does not exist.
    #[error("not found")]
    NotFound,
    /// An item was changed between its read and the write.
    ///
    /// A retry that reads it again may succeed.
    #[error("an item was changed since its read")]
    Conflict,
    /// The scope cannot be deleted, because it has children.
    #[error("not empty")]
    NotEmpty,
    /// Conditions failed: the caller's errors for them.
    ///
    /// In the order of the parts. Never empty.
    #[error("conditions failed")]
    Rejected(Vec<Arc<dyn Error + Send + Sync>>),
    /// A condition failed, and the caller's error takes precedence over all others.
    #[error("a condition with precedence failed")]
    Overridden(Arc<dyn Error + Send + Sync>),
    /// No response in time, or an error of DynamoDB: the same call may succeed later.
    #[error("unavailable: {0}")]
    Unavailable(Arc<dyn Error + Send + Sync>),
    /// A bug of this program: a retry fails, too.
    #[error("internal: {0}")]
    Internal(Arc<dyn Error + Send + Sync>),
}

/// The meaning of one failed condition.
#[derive(Debug)]
pub enum Failure {
    /// See [`StoreError::NotFound`].
    NotFound,
    /// See [`StoreError::Conflict`].
    Conflict,
    /// See [`StoreError::NotEmpty`].
    NotEmpty,
    /// See [`StoreError::Rejected`].
    Rejected(BoxError),
    /// See [`StoreError::Overridden`].
    Override(BoxError),
    /// A condition that cannot fail has failed.
    Unexpected(&'static str),
}

/// An error that may be a conflict with another change.
pub trait Retryable {
    /// Whether an item was changed between its read and the write.
    fn is_conflict(&self) -> bool;

    /// The error after the last attempt, which is not retried again.
    #[must_use]
    fn into_final(self) -> Self;
}

impl Retryable for StoreError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict)
    }

    fn into_final(self) -> Self {
        self
    }
}

impl StoreError {
    /// A bug of this program.
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::Internal(Arc::from(cause.into()))
    }

    /// An error of DynamoDB.
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::Unavailable(Arc::from(cause.into()))
    }

    /// The error for failed conditions, in a transaction or before it.
    ///
    /// An override comes first, then a conflict: the other errors were decided on outdated values. Otherwise the
    /// first error counts; if it is the caller's, all errors of the caller are kept.
    pub(crate) fn of_failures(failures: Vec<Failure>) -> Self {
        let mut rejected: Vec<Arc<dyn Error + Send + Sync>> = Vec::new();
        let mut error = None;
        let mut is_rejected_first = false;
        for failure in failures {
            let next = match failure {
                Failure::Override(cause) => return Self::Overridden(Arc::from(cause)),
                Failure::Rejected(cause) => {
                    is_rejected_first |= error.is_none();
                    rejected.push(Arc::from(cause));
                    continue;
                }
                Failure::Conflict => Self::Conflict,
                Failure::NotFound => Self::NotFound,
                Failure::NotEmpty => Self::NotEmpty,
                Failure::Unexpected(what) => Self::internal(what),
            };
            error = match error {
                Some(Self::Conflict) => Some(Self::Conflict),
                Some(first) if !matches!(next, Self::Conflict) => Some(first),
                _ => Some(next),
            };
        }
        match error {
            Some(Self::Conflict) => Self::Conflict,
            Some(error) if !is_rejected_first => error,
            None if rejected.is_empty() => Self::internal("a transaction was cancelled without a reason"),
            _ => Self::Rejected(rejected),
        }
    }
}

/// Why there is no response, for the log.
///
/// Contains the kind of failure and DynamoDB's error code, never a key or a value.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("the deadline passed")]
    Late,
    #[error("{kind}: {code}")]
    Failed { kind: &'static str, code: String },
    #[error("other transactions kept conflicting")]
    Contended,
}

/// Waits for a response until the deadline.
pub(super) async fn in_time<T>(deadline: Instant, response: impl Future<Output = T>) -> Result<T, StoreError> {
    tokio::time::timeout_at(deadline.into(), response).await.map_err(|_| StoreError::unavailable(NoAnswer::Late))
}

pub(super) fn store_error<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> StoreError {
    let kind = match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "no response in time",
        SdkError::DispatchFailure(_) => "no connection",
        SdkError::ResponseError(_) => "the response could not be read",
        _ => "the service returned an error",
    };
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default().to_owned();
    // A retry would fail, too: this is a bug of this program, and the caller is not asked to retry.
    let is_bug = matches!(error, SdkError::ConstructionFailure(_))
        || matches!(code.as_str(), "ValidationException" | "AccessDeniedException" | "ResourceNotFoundException");
    let cause = NoAnswer::Failed { kind, code };
    if is_bug { StoreError::internal(cause) } else { StoreError::unavailable(cause) }
}

/// The growing pauses between attempts, with jitter, until the deadline.
pub(super) struct Backoff {
    deadline: Instant,
    delays: ExponentialBackoff,
}

impl Backoff {
    pub(super) fn new(deadline: Instant) -> Self {
        let delays = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(10))
            .with_max_delay(Duration::from_millis(500))
            .without_max_times()
            .with_jitter();
        Self { deadline, delays: delays.build() }
    }

    /// Pauses, or returns false immediately if there is no time for another attempt.
    pub(super) async fn pause(&mut self) -> bool {
        let Some(delay) = self.delays.next() else { return false };
        if Instant::now() + delay >= self.deadline {
            return false;
        }
        tokio::time::sleep(delay).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(text: &'static str) -> Failure {
        Failure::Rejected(text.into())
    }

    #[test]
    fn conflict_hides_errors_decided_on_outdated_values() {
        let error = StoreError::of_failures(vec![rejected("a"), Failure::NotFound, Failure::Conflict]);
        assert!(matches!(error, StoreError::Conflict));
    }

    #[test]
    fn all_errors_of_the_caller_are_kept() {
        let StoreError::Rejected(reasons) = StoreError::of_failures(vec![rejected("a"), rejected("b")]) else {
            panic!("reasons")
        };
        assert_eq!(reasons.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn override_takes_precedence() {
        let error = StoreError::of_failures(vec![Failure::Conflict, Failure::Override("x".into())]);
        assert!(matches!(error, StoreError::Overridden(_)));
    }
}
