//! Creation of the template's tables on a local engine.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, DisplayErrorContext};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::operation::update_table::builders::UpdateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, IndexStatus, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription, TableStatus, TimeToLiveSpecification,
    TimeToLiveStatus,
};
use serde::Deserialize;
use serde_json::Value;

/// Interval between checks of a table that is being created.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Error when creating a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The properties in the template do not describe a table.
    #[error("invalid table properties: {0}")]
    Properties(#[from] serde_json::Error),
    /// A property that the engine requires is missing in the template.
    #[error("incomplete table properties: {0}")]
    Incomplete(#[from] BuildError),
    /// A request to the engine failed.
    #[error("request to the engine failed: {}", DisplayErrorContext(.0.as_ref()))]
    Engine(Box<aws_sdk_dynamodb::Error>),
}

/// Creates a table with the properties of the template, including its time to live.
///
/// An existing table gets its missing secondary indexes and is otherwise unchanged. The billing mode is
/// always on demand. Encryption, backups and deletion protection are ignored, because the engines do not
/// support them.
pub async fn create_table(client: &Client, name: &str, properties: &Value) -> Result<(), TableError> {
    let properties: TableProperties = serde_json::from_value(properties.clone())?;
    let created = properties.create(client.create_table().table_name(name))?.send().await;
    match created.map_err(aws_sdk_dynamodb::Error::from) {
        Ok(_) | Err(aws_sdk_dynamodb::Error::ResourceInUseException(_)) => {}
        Err(error) => return Err(engine(error)),
    }
    let mut table = wait_until_active(client, name).await?;
    while let Some(index) = properties.first_missing_index(&table) {
        properties.add_index(index, client.update_table().table_name(name))?.send().await.map_err(engine)?;
        table = wait_until_active(client, name).await?;
    }
    match properties.time_to_live_specification {
        Some(time_to_live) if time_to_live.enabled => enable_time_to_live(client, name, time_to_live).await,
        _ => Ok(()),
    }
}

/// Waits until the table and its secondary indexes are active.
async fn wait_until_active(client: &Client, name: &str) -> Result<TableDescription, TableError> {
    loop {
        let described = client.describe_table().table_name(name).send().await.map_err(engine)?;
        if let Some(table) = described.table.filter(is_active) {
            return Ok(table);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn is_active(table: &TableDescription) -> bool {
    let indexes = table.global_secondary_indexes();
    table.table_status() == Some(&TableStatus::Active)
        && indexes.iter().all(|index| index.index_status() == Some(&IndexStatus::Active))
}

/// Enables the time to live unless it is enabled: a second call is an error.
async fn enable_time_to_live(client: &Client, name: &str, time_to_live: TimeToLive) -> Result<(), TableError> {
    let described = client.describe_time_to_live().table_name(name).send().await.map_err(engine)?;
    let status = described.time_to_live_description.and_then(|description| description.time_to_live_status);
    if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
        return Ok(());
    }
    let specification =
        TimeToLiveSpecification::builder().attribute_name(time_to_live.attribute_name).enabled(true).build()?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(engine)?;
    Ok(())
}

fn engine(error: impl Into<aws_sdk_dynamodb::Error>) -> TableError {
    TableError::Engine(Box::new(error.into()))
}

// ── Properties of an AWS::DynamoDB::Table that a local engine supports ──────────────────────────────────────────────

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableProperties {
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<GlobalIndex>,
    stream_specification: Option<Stream>,
    time_to_live_specification: Option<TimeToLive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GlobalIndex {
    index_name: String,
    key_schema: Vec<Key>,
    projection: IndexProjection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexProjection {
    projection_type: String,
    non_key_attributes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stream {
    stream_view_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    attribute_name: String,
    enabled: bool,
}

impl TableProperties {
    fn create(&self, mut call: CreateTableFluentBuilder) -> Result<CreateTableFluentBuilder, BuildError> {
        for attribute in &self.attribute_definitions {
            call = call.attribute_definitions(attribute.build()?);
        }
        for key in &self.key_schema {
            call = call.key_schema(key.build()?);
        }
        for index in &self.global_secondary_indexes {
            call = call.global_secondary_indexes(index.build()?);
        }
        let stream = self.stream_specification.as_ref().map(Stream::build).transpose()?;
        Ok(call.set_stream_specification(stream).billing_mode(BillingMode::PayPerRequest))
    }

    /// The first index that the table lacks.
    fn first_missing_index(&self, table: &TableDescription) -> Option<&GlobalIndex> {
        let exists = |declared: &&GlobalIndex| {
            table.global_secondary_indexes().iter().any(|index| index.index_name() == Some(&declared.index_name))
        };
        self.global_secondary_indexes.iter().find(|declared| !exists(declared))
    }

    /// Adds an index and the definitions of its key attributes.
    ///
    /// The service allows one new index per call.
    fn add_index(
        &self,
        index: &GlobalIndex,
        mut call: UpdateTableFluentBuilder,
    ) -> Result<UpdateTableFluentBuilder, BuildError> {
        let is_key =
            |attribute: &&Attribute| index.key_schema.iter().any(|key| key.attribute_name == attribute.attribute_name);
        for attribute in self.attribute_definitions.iter().filter(is_key) {
            call = call.attribute_definitions(attribute.build()?);
        }
        let update = GlobalSecondaryIndexUpdate::builder().create(index.build_create_action()?).build();
        Ok(call.global_secondary_index_updates(update))
    }
}

impl Attribute {
    fn build(&self) -> Result<AttributeDefinition, BuildError> {
        AttributeDefinition::builder()
            .attribute_name(&self.attribute_name)
            .attribute_type(ScalarAttributeType::from(self.attribute_type.as_str()))
            .build()
    }
}

impl Key {
    fn build(&self) -> Result<KeySchemaElement, BuildError> {
        KeySchemaElement::builder()
            .attribute_name(&self.attribute_name)
            .key_type(KeyType::from(self.key_type.as_str()))
            .build()
    }
}

impl GlobalIndex {
    fn build(&self) -> Result<GlobalSecondaryIndex, BuildError> {
        GlobalSecondaryIndex::builder()
            .index_name(&self.index_name)
            .set_key_schema(Some(self.keys()?))
            .projection(self.projection.build())
            .build()
    }

    fn build_create_action(&self) -> Result<CreateGlobalSecondaryIndexAction, BuildError> {
        CreateGlobalSecondaryIndexAction::builder()
            .index_name(&self.index_name)
            .set_key_schema(Some(self.keys()?))
            .projection(self.projection.build())
            .build()
    }

    fn keys(&self) -> Result<Vec<KeySchemaElement>, BuildError> {
        self.key_schema.iter().map(Key::build).collect()
    }
}

impl IndexProjection {
    fn build(&self) -> Projection {
        Projection::builder()
            .projection_type(ProjectionType::from(self.projection_type.as_str()))
            .set_non_key_attributes(self.non_key_attributes.clone())
            .build()
    }
}

impl Stream {
    fn build(&self) -> Result<StreamSpecification, BuildError> {
        StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::from(self.stream_view_type.as_str()))
            .build()
    }
}
