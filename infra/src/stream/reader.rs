//! Reads a stream, shard by shard, from where it stands.

use std::collections::BTreeSet;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::operation::get_records::GetRecordsError;
use aws_sdk_dynamodbstreams::types::{Record, ShardIteratorType};

use super::{StreamError, engine};

/// A place in a stream.
pub(super) struct Reader {
    client: Client,
    arn: String,
    /// In the order in which they are read: a shard that took over from another comes after it.
    shards: Vec<Shard>,
    /// All that were ever there, so that none is read twice.
    known: BTreeSet<String>,
    /// Whether a shard has ended, so that others may have taken over.
    ended: bool,
}

struct Shard {
    id: String,
    /// Where to begin with a new iterator.
    from: Place,
    iterator: Iterator,
}

#[derive(Clone)]
enum Place {
    Oldest,
    Latest,
    After(String),
}

enum Iterator {
    Needed,
    Ready(String),
    /// The shard has ended, and all of it was read.
    Ended,
}

impl Reader {
    /// Stands after the newest record that there is now.
    pub(super) async fn latest(client: Client, arn: String) -> Result<Self, StreamError> {
        let mut reader = Self { client, arn, shards: Vec::new(), known: BTreeSet::new(), ended: false };
        reader.discover(&Place::Latest).await?;
        for shard in &mut reader.shards {
            shard.iterate(&reader.client, &reader.arn).await?;
        }
        Ok(reader)
    }

    /// The stream's ARN.
    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    /// Some of the records that follow, or none when there are none yet.
    pub(super) async fn next(&mut self) -> Result<Vec<Record>, StreamError> {
        if self.ended || self.shards.is_empty() {
            self.discover(&Place::Oldest).await?;
            self.ended = false;
        }
        for shard in &mut self.shards {
            let records = shard.read(&self.client, &self.arn).await?;
            self.ended |= matches!(shard.iterator, Iterator::Ended);
            if !records.is_empty() {
                return Ok(records);
            }
        }
        self.shards.retain(|shard| !matches!(shard.iterator, Iterator::Ended));
        Ok(Vec::new())
    }

    /// Adds the shards that are new, to be read from a place.
    async fn discover(&mut self, from: &Place) -> Result<(), StreamError> {
        let mut after = None;
        loop {
            let request = self.client.describe_stream().stream_arn(&self.arn).set_exclusive_start_shard_id(after);
            let Some(page) = request.send().await.map_err(engine)?.stream_description else { return Ok(()) };
            for id in page.shards().iter().filter_map(|shard| shard.shard_id()) {
                if self.known.insert(id.to_owned()) {
                    self.shards.push(Shard { id: id.to_owned(), from: from.clone(), iterator: Iterator::Needed });
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
            Iterator::Ended => return Ok(Vec::new()),
        };
        match client.get_records().shard_iterator(iterator).send().await {
            Ok(page) => {
                self.iterator = page.next_shard_iterator.map_or(Iterator::Ended, Iterator::Ready);
                let records = page.records.unwrap_or_default();
                let last = records.last().and_then(Record::dynamodb).and_then(|change| change.sequence_number());
                self.from = last.map_or(self.from.clone(), |last| Place::After(last.to_owned()));
                Ok(records)
            }
            Err(error) => {
                match error.as_service_error() {
                    // After 15 minutes, in which this machine may have been asleep.
                    Some(GetRecordsError::ExpiredIteratorException(_)) => {}
                    Some(GetRecordsError::TrimmedDataAccessException(_)) => self.from = Place::Oldest,
                    // The engine was not there: what the iterator stands for may well be.
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

    /// Gets a new iterator.
    async fn iterate(&mut self, client: &Client, arn: &str) -> Result<String, StreamError> {
        let request = client.get_shard_iterator().stream_arn(arn).shard_id(&self.id);
        let request = match &self.from {
            Place::Oldest => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Place::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
            Place::After(number) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(number)
            }
        };
        let iterator = request.send().await.map_err(engine)?.shard_iterator.unwrap_or_default();
        self.iterator = Iterator::Ready(iterator.clone());
        Ok(iterator)
    }
}
