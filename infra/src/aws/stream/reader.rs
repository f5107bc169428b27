//! Reads the records of a stream, shard by shard.

use std::collections::BTreeSet;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::operation::get_records::GetRecordsError;
use aws_sdk_dynamodbstreams::types::{Record, ShardIteratorType};

use super::{StreamError, engine};

/// A reader with its position in a stream.
pub(super) struct Reader {
    client: Client,
    arn: String,
    /// The open shards in reading order: parents before children.
    shards: Vec<Shard>,
    /// Ids of all shards seen so far, so that no shard is read twice.
    seen_shards: BTreeSet<String>,
    /// Whether a shard was closed, so that new child shards may exist.
    shard_closed: bool,
}

struct Shard {
    id: String,
    /// Start position of the next iterator.
    position: Position,
    iterator: Iterator,
}

#[derive(Clone)]
enum Position {
    Oldest,
    Latest,
    After(String),
}

enum Iterator {
    Needed,
    Ready(String),
    /// The shard is closed and completely read.
    Closed,
}

impl Reader {
    /// Creates a reader positioned after the newest existing record.
    pub(super) async fn latest(client: Client, arn: String) -> Result<Self, StreamError> {
        let mut reader = Self { client, arn, shards: Vec::new(), seen_shards: BTreeSet::new(), shard_closed: false };
        reader.discover(&Position::Latest).await?;
        for shard in &mut reader.shards {
            shard.iterate(&reader.client, &reader.arn).await?;
        }
        Ok(reader)
    }

    /// ARN of the stream.
    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    /// Returns the next records, or an empty list if there are none yet.
    pub(super) async fn next(&mut self) -> Result<Vec<Record>, StreamError> {
        if self.shard_closed || self.shards.is_empty() {
            self.discover(&Position::Oldest).await?;
            self.shard_closed = false;
        }
        for shard in &mut self.shards {
            let records = shard.read(&self.client, &self.arn).await?;
            self.shard_closed |= matches!(shard.iterator, Iterator::Closed);
            if !records.is_empty() {
                return Ok(records);
            }
        }
        self.shards.retain(|shard| !matches!(shard.iterator, Iterator::Closed));
        Ok(Vec::new())
    }

    /// Adds new shards, to be read from the given position.
    async fn discover(&mut self, position: &Position) -> Result<(), StreamError> {
        let mut after = None;
        loop {
            let request = self.client.describe_stream().stream_arn(&self.arn).set_exclusive_start_shard_id(after);
            let Some(page) = request.send().await.map_err(engine)?.stream_description else { return Ok(()) };
            for id in page.shards().iter().filter_map(|shard| shard.shard_id()) {
                if self.seen_shards.insert(id.to_owned()) {
                    let shard = Shard { id: id.to_owned(), position: position.clone(), iterator: Iterator::Needed };
                    self.shards.push(shard);
                }
            }
            after = page.last_evaluated_shard_id;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl Shard {
    async fn read(&mut self, client: &Client, arn: &str) -> Result<Vec<Record>, StreamError> {
        let iterator = match &self.iterator {
            Iterator::Ready(iterator) => iterator.clone(),
            Iterator::Needed => self.iterate(client, arn).await?,
            Iterator::Closed => return Ok(Vec::new()),
        };
        match client.get_records().shard_iterator(iterator).send().await {
            Ok(page) => {
                self.iterator = page.next_shard_iterator.map_or(Iterator::Closed, Iterator::Ready);
                let records = page.records.unwrap_or_default();
                let last = records.last().and_then(Record::dynamodb).and_then(|change| change.sequence_number());
                if let Some(last) = last {
                    self.position = Position::After(last.to_owned());
                }
                Ok(records)
            }
            Err(error) => {
                match error.as_service_error() {
                    // Iterators expire after 15 minutes, for example while this machine sleeps.
                    Some(GetRecordsError::ExpiredIteratorException(_)) => {}
                    Some(GetRecordsError::TrimmedDataAccessException(_)) => self.position = Position::Oldest,
                    // The engine is unreachable; the iterator may still be valid afterwards.
                    None => return Err(engine(error)),
                    Some(_) => {
                        self.iterator = Iterator::Needed;
                        return Err(engine(error));
                    }
                }
                self.iterator = Iterator::Needed;
                Ok(Vec::new())
            }
        }
    }

    /// Requests a new iterator at the current position.
    async fn iterate(&mut self, client: &Client, arn: &str) -> Result<String, StreamError> {
        let request = client.get_shard_iterator().stream_arn(arn).shard_id(&self.id);
        let request = match &self.position {
            Position::Oldest => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Position::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
            Position::After(number) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(number)
            }
        };
        let iterator = request.send().await.map_err(engine)?.shard_iterator.unwrap_or_default();
        self.iterator = Iterator::Ready(iterator.clone());
        Ok(iterator)
    }
}
