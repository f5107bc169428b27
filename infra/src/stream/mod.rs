//! Invokes functions with the records of a table's stream, as Lambda's event source mappings do.
//!
//! It differs from Lambda in what it may lose, which is no matter to a local server: it begins after the newest record
//! there is when it starts, and a batch that fails three times in a row is dropped, with a line in the log. Of the
//! batches that a mapping can be told to form only the size is heeded.

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
use crate::engine;
use crate::function::{FunctionError, Functions, Invoke};
use crate::template::{self, Template};

/// Between two looks at a stream that has nothing new.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// After something went wrong, until it is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a batch is tried.
const ATTEMPTS: u32 = 3;

/// Why streams could not be started, or one could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A pattern says what is not understood here.
    #[error("{at}: {problem}")]
    Pattern {
        /// Logical ids of the function and the event.
        at: String,
        /// What is not understood.
        problem: String,
    },
    /// The table has no stream, or it has no name on the engine.
    #[error("table {0} has no stream")]
    NoStream(String),
    /// The engine refused, or was not there.
    #[error("the engine refused: {0}")]
    Engine(String),
}

fn engine(error: impl std::error::Error) -> StreamError {
    StreamError::Engine(DisplayErrorContext(error).to_string())
}

/// The streams of a template, invoking its functions. Dropping them stops them.
pub struct Streams {
    _tasks: JoinSet<()>,
}

impl Streams {
    /// Starts every stream that is enabled and whose function there is. What is written from when this returns is not
    /// missed. `tables` has the name on the engine for each table's logical id.
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

/// The function that a stream invokes.
struct Target {
    /// Its logical id.
    id: String,
    function: Arc<dyn Invoke>,
    timeout: Duration,
}

/// A stream and the function that it invokes.
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
                    tracing::warn!(function = self.target.id, %error, "cannot read a stream");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn deliver(&self, records: &[Record]) {
        let records = records.iter().map(|record| record::json(record, self.reader.arn()));
        let picked: Vec<Value> = records.filter(|record| self.filter.matches(record)).collect();
        for batch in picked.chunks(self.batch_size) {
            if let Err(error) = self.target.invoke(batch).await {
                tracing::error!(function = self.target.id, records = batch.len(), %error, "a batch was dropped");
            }
        }
    }
}

impl Target {
    async fn invoke(&self, batch: &[Value]) -> Result<(), FunctionError> {
        let event = json!({ "Records": batch });
        for _ in 1..ATTEMPTS {
            match self.function.invoke(event.clone(), self.timeout).await {
                Ok(_) => return Ok(()),
                Err(error) => tracing::warn!(function = self.id, %error, "a batch failed and is tried again"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.function.invoke(event, self.timeout).await.map(drop)
    }
}
