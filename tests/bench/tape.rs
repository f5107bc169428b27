//! The bare counterpart of an operation: what its handler asked of `DynamoDB`, asked again with the SDK alone.

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

/// Notes every call that an SDK client makes. Each clone notes on the same tape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    steps: Steps,
    under_way: usize,
}

/// Calls in their order; those of one step were under way at the same time.
type Steps = Vec<Vec<Asked>>;

/// A call, as the SDK was asked for it.
#[derive(Clone, Debug)]
enum Asked {
    Get(GetItemInput),
    BatchGet(BatchGetItemInput),
    Query(QueryInput),
    Put(PutItemInput),
    Delete(DeleteItemInput),
    Transact(TransactWriteItemsInput),
}

impl Tape {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().expect("nobody panics here")
    }

    /// Makes the calls that were noted since the last time again, and says how long that took; `None` without any call.
    pub(crate) async fn replay(&self, client: &Client) -> Option<Duration> {
        let steps = std::mem::take(&mut self.noted().steps);
        if steps.is_empty() {
            return None;
        }
        let start = Instant::now();
        for step in steps {
            join_all(step.into_iter().map(|asked| asked.ask(client))).await;
        }
        let took = start.elapsed();
        self.noted().steps.clear();
        Some(took)
    }
}

impl Intercept for Tape {
    fn name(&self) -> &'static str {
        "Tape"
    }

    fn read_before_execution(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let asked = Asked::read(context)?;
        let mut noted = self.noted();
        if noted.under_way == 0 {
            noted.steps.push(Vec::new());
        }
        if let Some(step) = noted.steps.last_mut() {
            step.push(asked);
        }
        noted.under_way += 1;
        Ok(())
    }

    fn read_after_execution(
        &self,
        _context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.noted().under_way -= 1;
        Ok(())
    }
}

impl Asked {
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
            Err(format!("the tape does not know this call yet: {input:?}").into())
        }
    }

    async fn ask(self, client: &Client) {
        let answered = match self {
            Self::Get(input) => {
                let call =
                    client.get_item().set_table_name(input.table_name.clone()).customize().interceptor(Instead(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::BatchGet(input) => {
                let call = client.batch_get_item().customize().interceptor(Instead(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::Query(input) => {
                let call =
                    client.query().set_table_name(input.table_name.clone()).customize().interceptor(Instead(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::Put(input) => {
                let call =
                    client.put_item().set_table_name(input.table_name.clone()).customize().interceptor(Instead(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::Delete(input) => {
                let call = client
                    .delete_item()
                    .set_table_name(input.table_name.clone())
                    .customize()
                    .interceptor(Instead(input));
                call.send().await.map(drop).map_err(Error::from)
            }
            Self::Transact(mut input) => {
                // With the handler's token the engine would know the transaction, and do nothing.
                input.client_request_token = Some(Uuid::new_v4().to_string());
                let call = client.transact_write_items().customize().interceptor(Instead(input));
                call.send().await.map(drop).map_err(Error::from)
            }
        };
        answered.unwrap_or_else(|error| panic!("what the handler could do cannot be done again: {error:?}"));
    }
}

/// Puts a noted input in the place of one that has no more than the SDK asks for beforehand, so that no parameter is forgotten.
#[derive(Debug)]
struct Instead<I>(I);

impl<I: Clone + fmt::Debug + Send + Sync + 'static> Intercept for Instead<I> {
    fn name(&self) -> &'static str {
        "Instead"
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
