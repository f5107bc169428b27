//! Tags `DynamoDB` calls with the API request that made them.
//!
//! The tag separates the calls of concurrent requests in one process.

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

/// The header that carries the tag to the [`Recorder`](crate::recorder::Recorder).
pub const TAG_HEADER: &str = "x-request-tag";

/// The tag of calls made outside [`tagged`].
///
/// Such calls are made at start-up, or by a task that an API request spawned.
pub const UNTAGGED: &str = "";

tokio::task_local! {
    static TAG: String;
}

/// Runs `future` and sends `tag` with each of its `DynamoDB` calls.
///
/// The tag must be visible ASCII.
/// A task that `future` spawns does not inherit the tag: its calls are recorded under [`UNTAGGED`].
pub async fn tagged<F: Future>(tag: impl Into<String>, future: F) -> F::Output {
    TAG.scope(tag.into(), future).await
}

/// SDK interceptor that adds the tag to each attempt of each call.
///
/// It relies on the SDK running interceptors in the task that awaits the call; a test checks that.
#[derive(Debug)]
pub struct TagCalls;

impl Intercept for TagCalls {
    fn name(&self) -> &'static str {
        "TagCalls"
    }

    // After signing, so that the signature does not cover the header.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Ok(tag) = TAG.try_with(String::clone) {
            context.request_mut().headers_mut().try_insert(TAG_HEADER, tag)?;
        }
        Ok(())
    }
}
