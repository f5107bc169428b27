//! Tells apart the `DynamoDB` calls of API requests that run at the same time in one process.

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

/// The header that carries the tag to the [`Recorder`](crate::recorder::Recorder).
pub const TAG_HEADER: &str = "x-request-tag";

/// The tag of calls made outside [`tagged`]: those of start-up, or of a task that an API request spawned.
pub const UNTAGGED: &str = "";

tokio::task_local! {
    static TAG: String;
}

/// Runs `work` so that each `DynamoDB` call it makes carries `tag`, which is visible ASCII.
///
/// A task that `work` spawns does not inherit the tag: its calls are found under [`UNTAGGED`].
pub async fn tagged<W: Future>(tag: impl Into<String>, work: W) -> W::Output {
    TAG.scope(tag.into(), work).await
}

/// The interceptor for the SDK's configuration that puts the tag on each attempt of each call.
///
/// It relies on the SDK running interceptors in the task that awaits the call, which a test checks.
#[derive(Debug)]
pub struct TagCalls;

impl Intercept for TagCalls {
    fn name(&self) -> &'static str {
        "TagCalls"
    }

    // After signing, so that the header is no part of what is signed and changes nothing on the way.
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
