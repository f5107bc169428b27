//! Repeats the `DynamoDB` calls of a handler with the SDK alone.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextMut, BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::{Client, Error};
use futures_util::future::join_all;
use uuid::Uuid;

/// Records every call of an SDK client. Clones share one log.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallLog(Arc<Mutex<Recording>>);

#[derive(Debug, Default)]
struct Recording {
    steps: Steps,
    in_flight: usize,
}

/// Calls in order. The calls of one step ran concurrently.
type Steps = Vec<Vec<RecordedCall>>;

/// The input of a call.
#[derive(Clone, Debug)]
enum RecordedCall {
    Get(GetItemInput),
    BatchGet(BatchGetItemInput),
    Query(QueryInput),
    Put(PutItemInput),
    Delete(DeleteItemInput),
    Transact(TransactWriteItemsInput),
}

impl CallLog {
    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().expect("the lock is not poisoned")
    }

    /// Repeats the calls since the last replay and returns their duration, if any.
    pub(crate) async fn replay(&self, client: &Client) -> Option<Duration> {
        let steps = std::mem::take(&mut self.recording().steps);
        if steps.is_empty() {
            return None;
        }
        let start = Instant::now();
        for step in steps {
            join_all(step.into_iter().map(|call| call.send(client))).await;
        }
        let duration = start.elapsed();
        self.recording().steps.clear();
        Some(duration)
    }
}

impl Intercept for CallLog {
    fn name(&self) -> &'static str {
        "CallLog"
    }

    fn read_before_execution(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let call = RecordedCall::read(context)?;
        let mut recording = self.recording();
        if recording.in_flight == 0 {
            recording.steps.push(Vec::new());
        }
        if let Some(step) = recording.steps.last_mut() {
            step.push(call);
        }
        recording.in_flight += 1;
        Ok(())
    }

    fn read_after_execution(
        &self,
        _context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.recording().in_flight -= 1;
        Ok(())
    }
}

impl RecordedCall {
    fn read(context: &BeforeSerializationInterceptorContextRef<'_>) -> Result<Self, BoxError> {
        let input = context.input();
        if let Some(get) = input.downcast_ref::<GetItemInput>() {
            Ok(Self::Get(get.clone()))
        } else if let Some(batch) = input.downcast_ref::<BatchGetItemInput>() {
            Ok(Self::BatchGet(batch.clone()))
        } else if let Some(query) = input.downcast_ref::<QueryInput>() {
            Ok(Self::Query(query.clone()))
        } else if let Some(put) = input.downcast_ref::<PutItemInput>() {
            Ok(Self::Put(put.clone()))
        } else if let Some(delete) = input.downcast_ref::<DeleteItemInput>() {
            Ok(Self::Delete(delete.clone()))
        } else if let Some(transact) = input.downcast_ref::<TransactWriteItemsInput>() {
            Ok(Self::Transact(transact.clone()))
        } else {
            Err(format!("the call log does not support this call: {input:?}").into())
        }
    }

    async fn send(self, client: &Client) {
        let result = match self {
            Self::Get(input) => {
                let call = client
                    .get_item()
                    .set_table_name(input.table_name.clone())
                    .customize()
                    .interceptor(ReplaceInput(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::BatchGet(input) => {
                let call = client.batch_get_item().customize().interceptor(ReplaceInput(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::Query(input) => {
                let call = client
                    .query()
                    .set_table_name(input.table_name.clone())
                    .customize()
                    .interceptor(ReplaceInput(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::Put(input) => {
                let call = client
                    .put_item()
                    .set_table_name(input.table_name.clone())
                    .customize()
                    .interceptor(ReplaceInput(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::Delete(input) => {
                let call = client
                    .delete_item()
                    .set_table_name(input.table_name.clone())
                    .customize()
                    .interceptor(ReplaceInput(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::Transact(mut input) => {
                // With the handler's token, the engine would treat the call as a repetition and write nothing.
                input.client_request_token = Some(Uuid::new_v4().to_string());
                let call = client.transact_write_items().customize().interceptor(ReplaceInput(input));
                call.send().await.map(drop).map_err(Error::from)
            }
        };
        result.unwrap_or_else(|error| panic!("a call of the handler cannot be repeated: {error:?}"));
    }
}

/// Replaces the input of a call, with all parameters, by a recorded one.
#[derive(Debug)]
struct ReplaceInput<I>(I);

impl<I: Clone + fmt::Debug + Send + Sync + 'static> Intercept for ReplaceInput<I> {
    fn name(&self) -> &'static str {
        "ReplaceInput"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input_mut().downcast_mut().ok_or("an input of another operation")?;
        *input = self.0.clone();
        Ok(())
    }
}
