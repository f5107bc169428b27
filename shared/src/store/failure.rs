//! What can go wrong between here and the table, and how long to go on trying.
//!
//! The SDK retries throttling, server faults and lost connections by itself, with jitter. What it does not retry is a
//! transaction that met another one: that is done here.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::{Problem, Result};

/// Why the store gave no answer. For the log: names the kind of failure and the service's code, never a key or a value.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("the deadline passed")]
    Late,
    #[error("{kind}: {code}")]
    Failed { kind: &'static str, code: String },
    #[error("other transactions kept getting in the way")]
    Contended,
}

/// Waits for an answer until the request's deadline. Everything but our own mistakes is a 503. The SDK's futures take 16 KiB
/// each: callers box them, so that those that wait for them stay small.
pub(super) async fn in_time<T, E, R>(
    deadline: Instant,
    answer: impl Future<Output = std::result::Result<T, SdkError<E, R>>>,
) -> Result<T>
where
    E: ProvideErrorMetadata,
{
    match timely(deadline, answer).await? {
        Ok(answer) => Ok(answer),
        Err(error) => Err(problem(&error)),
    }
}

/// The same, for a caller who can tell more from the error.
pub(super) async fn timely<T>(deadline: Instant, answer: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout_at(deadline.into(), answer).await.map_err(|_| Problem::unavailable(StoreError::Late))
}

pub(super) fn problem<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Problem {
    let kind = match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection",
        SdkError::ResponseError(_) => "the answer could not be read",
        _ => "the service refused",
    };
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default().to_owned();
    // What will fail again in the same way is our mistake, and no reason to tell the caller to come back.
    let ours = matches!(error, SdkError::ConstructionFailure(_))
        || matches!(code.as_str(), "ValidationException" | "AccessDeniedException" | "ResourceNotFoundException");
    let error = StoreError::Failed { kind, code };
    if ours { Problem::internal(error) } else { Problem::unavailable(error) }
}

/// Waits between attempts: longer each time, with jitter, and never past the deadline.
pub(super) struct Wait {
    deadline: Instant,
    delays: ExponentialBackoff,
}

impl Wait {
    pub(super) fn new(deadline: Instant) -> Self {
        let delays = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(10))
            .with_max_delay(Duration::from_millis(500))
            .without_max_times()
            .with_jitter();
        Self { deadline, delays: delays.build() }
    }

    /// Waits, and says whether there is time for another attempt.
    pub(super) async fn again(&mut self) -> bool {
        let Some(delay) = self.delays.next() else { return false };
        if Instant::now() + delay >= self.deadline {
            return false;
        }
        tokio::time::sleep(delay).await;
        true
    }
}
