//! Emulation of Lambda event source mappings for `DynamoDB` streams.
//!
//! Differences from Lambda, acceptable for a local server: reading starts after the newest existing record, a
//! batch that fails three times is logged and dropped, and the batch size is the only supported batching
//! option.

mod filter;
mod reader;
mod record;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodbstreams::error::DisplayErrorContext;
use aws_sdk_dynamodbstreams::types::Record;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::filter::Filter;
use self::reader::Reader;
use crate::aws::engine;
use crate::aws::function::{FunctionError, Functions, Invoke};
use crate::aws::template::{self, Template};

/// Interval between polls of a stream without new records.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Delay before a retry.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Maximum number of attempts for a batch.
const MAX_ATTEMPTS: u32 = 3;

/// Error when starting or reading a stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A filter pattern is not supported.
    #[error("{at}: {problem}")]
    Pattern {
        /// Logical ids of the function and the event.
        at: String,
        /// The unsupported part.
        problem: String,
    },
    /// The table has no stream, or is not among the given tables.
    #[error("table {0} has no stream")]
    NoStream(String),
    /// A request to the engine failed.
    #[error("request to the engine failed: {0}")]
    Engine(String),
}

fn engine(error: impl std::error::Error) -> StreamError {
    StreamError::Engine(DisplayErrorContext(error).to_string())
}

/// The running event source mappings of a template. Dropping them stops them.
pub struct Streams {
    _tasks: JoinSet<()>,
}

impl Streams {
    /// Starts all enabled mappings of the given functions.
    ///
    /// Records written after this returns are not missed. `tables` maps the logical id of each table to its
    /// name on the engine.
    pub async fn start(
        template: &Template,
        functions: &Functions,
        endpoint: &str,
        tables: &[(&str, &str)],
    ) -> Result<Self, StreamError> {
        let mut tasks = JoinSet::new();
        for (id, function) in &template.functions {
            let Some(invoke) = functions.get(id) else { continue };
            for stream in function.streams.iter().filter(|stream| stream.enabled) {
                let target = Target { id: id.clone(), function: Arc::clone(invoke), timeout: function.timeout };
                let mapping = Mapping::new(stream, target, endpoint, tables).await?;
                tasks.spawn(mapping.run());
            }
        }
        Ok(Self { _tasks: tasks })
    }
}

/// The function that a mapping invokes.
struct Target {
    /// Logical id.
    id: String,
    function: Arc<dyn Invoke>,
    timeout: Duration,
}

/// An event source mapping: a stream and the function that it invokes.
struct Mapping {
    reader: Reader,
    filter: Filter,
    batch_size: usize,
    target: Target,
}

impl Mapping {
    async fn new(
        stream: &template::Stream,
        target: Target,
        endpoint: &str,
        tables: &[(&str, &str)],
    ) -> Result<Self, StreamError> {
        let filter = Filter::parse(&stream.filters)
            .map_err(|problem| StreamError::Pattern { at: format!("{}.{}", target.id, stream.name), problem })?;
        let no_stream = || StreamError::NoStream(stream.table.clone());
        let (_, table) = tables.iter().find(|(id, _)| *id == stream.table).ok_or_else(no_stream)?;
        let described = engine::client(endpoint).describe_table().table_name(*table).send().await.map_err(engine)?;
        let arn = described.table.and_then(|table| table.latest_stream_arn).ok_or_else(no_stream)?;
        let reader = Reader::latest(engine::streams_client(endpoint), arn).await?;
        Ok(Self { reader, filter, batch_size: stream.batch_size.max(1), target })
    }

    async fn run(mut self) {
        loop {
            match self.reader.next().await {
                Ok(records) if records.is_empty() => tokio::time::sleep(POLL_INTERVAL).await,
                Ok(records) => self.deliver(&records).await,
                Err(error) => {
                    tracing::warn!(function = self.target.id, %error, "cannot read the stream");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    async fn deliver(&self, records: &[Record]) {
        let records = records.iter().map(|record| record::json(record, self.reader.arn()));
        let matching: Vec<Value> = records.filter(|record| self.filter.matches(record)).collect();
        for batch in matching.chunks(self.batch_size) {
            if let Err(error) = self.target.invoke(batch).await {
                tracing::error!(function = self.target.id, records = batch.len(), %error, "batch dropped");
            }
        }
    }
}

impl Target {
    async fn invoke(&self, batch: &[Value]) -> Result<(), FunctionError> {
        let event = json!({ "Records": batch });
        for _ in 1..MAX_ATTEMPTS {
            match self.function.invoke(event.clone(), self.timeout).await {
                Ok(_) => return Ok(()),
                Err(error) => tracing::warn!(function = self.id, %error, "batch failed, retrying"),
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        self.function.invoke(event, self.timeout).await.map(drop)
    }
}
