//! Both engines support the features of `DynamoDB` that the application uses.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::HashMap;
use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TimeToLiveStatus, TransactWriteItem,
};
use infra::aws::engine::{DynamoDbLocal, Embedded, client};
use infra::aws::table::create_table;
use infra::aws::template::Template;
use serde_json::{Value, json};

const TABLE: &str = "test";

type Item = HashMap<String, AttributeValue>;

fn template_table() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    Template::load(&path).unwrap().tables["Table"].clone()
}

fn indexed_table() -> Value {
    json!({
        "AttributeDefinitions": [
            { "AttributeName": "pk", "AttributeType": "S" },
            { "AttributeName": "sk", "AttributeType": "S" },
            { "AttributeName": "gpk", "AttributeType": "S" },
        ],
        "KeySchema": [
            { "AttributeName": "pk", "KeyType": "HASH" },
            { "AttributeName": "sk", "KeyType": "RANGE" },
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "GSI1",
            "KeySchema": [
                { "AttributeName": "gpk", "KeyType": "HASH" },
                { "AttributeName": "sk", "KeyType": "RANGE" },
            ],
            "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["name"] },
        }],
        "SSESpecification": { "SSEEnabled": true, "KMSMasterKeyId": { "Fn::GetAtt": ["Key", "Arn"] } },
    })
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn item(attributes: &[(&str, &str)]) -> Item {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
}

async fn put(client: &Client, item: Item) {
    client.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
}

async fn get(client: &Client, pk: &str, sk: &str) -> Option<Item> {
    let key = Some(item(&[("pk", pk), ("sk", sk)]));
    let request = client.get_item().table_name(TABLE).set_key(key).consistent_read(true);
    request.send().await.unwrap().item
}

/// Creating an existing table keeps its items, time to live and stream.
async fn keeps_items(client: &Client) {
    create_table(client, TABLE, &template_table()).await.unwrap();
    put(client, item(&[("pk", "a"), ("sk", "1"), ("name", "first")])).await;
    create_table(client, TABLE, &template_table()).await.unwrap();
    assert_eq!(get(client, "a", "1").await.unwrap()["name"], text("first"));
    assert_eq!(get(client, "a", "2").await, None);

    let described = client.describe_time_to_live().table_name(TABLE).send().await.unwrap();
    let time_to_live = described.time_to_live_description.unwrap();
    assert_eq!(time_to_live.time_to_live_status, Some(TimeToLiveStatus::Enabled));
    let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert!(table.stream_specification.unwrap().stream_enabled);
}

/// A cancelled transaction writes nothing and returns the item in conflict.
async fn cancels_transactions(client: &Client) {
    create_table(client, TABLE, &template_table()).await.unwrap();
    put(client, item(&[("pk", "a"), ("sk", "1"), ("name", "first")])).await;
    let other = Put::builder().table_name(TABLE).set_item(Some(item(&[("pk", "a"), ("sk", "2")])));
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .set_key(Some(item(&[("pk", "a"), ("sk", "1")])))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let error = client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(other.build().unwrap()).build())
        .transact_items(TransactWriteItem::builder().condition_check(check.build().unwrap()).build())
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        panic!("{error:?}");
    };
    let [passed, failed] = cancelled.cancellation_reasons() else {
        panic!("{cancelled:?}");
    };
    assert_eq!(passed.code(), Some("None"));
    assert_eq!(failed.code(), Some("ConditionalCheckFailed"));
    assert_eq!(failed.item().unwrap()["name"], text("first"));
    assert_eq!(get(client, "a", "2").await, None);
}

/// A secondary index contains the projected attributes of items with its key.
async fn projects_into_indexes(client: &Client) {
    create_table(client, TABLE, &indexed_table()).await.unwrap();
    put(client, item(&[("pk", "a"), ("sk", "1"), ("gpk", "g"), ("name", "first"), ("secret", "s")])).await;
    put(client, item(&[("pk", "a"), ("sk", "2"), ("name", "not in the index")])).await;
    let expected = item(&[("pk", "a"), ("sk", "1"), ("gpk", "g"), ("name", "first")]);
    assert_eq!(query(client, "GSI1", "gpk", "g").await, [expected]);
}

/// An existing table gets its missing indexes, filled with its items.
async fn adds_indexes(client: &Client) {
    let mut properties = indexed_table();
    let mut indexes = properties["GlobalSecondaryIndexes"].take();
    indexes.as_array_mut().unwrap().push(json!({
        "IndexName": "GSI2",
        "KeySchema": [{ "AttributeName": "hpk", "KeyType": "HASH" }],
        "Projection": { "ProjectionType": "KEYS_ONLY" },
    }));
    properties["GlobalSecondaryIndexes"] = json!([]);
    let mut attributes = properties["AttributeDefinitions"].take();
    properties["AttributeDefinitions"] = attributes.as_array().unwrap()[..2].into();
    create_table(client, TABLE, &properties).await.unwrap();
    put(client, item(&[("pk", "a"), ("sk", "1"), ("gpk", "g"), ("hpk", "h"), ("name", "first")])).await;

    attributes.as_array_mut().unwrap().push(json!({ "AttributeName": "hpk", "AttributeType": "S" }));
    properties["AttributeDefinitions"] = attributes;
    properties["GlobalSecondaryIndexes"] = indexes;
    for _ in 0..2 {
        create_table(client, TABLE, &properties).await.unwrap();
        let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
        assert_eq!(table.global_secondary_indexes().len(), 2);
        assert_eq!(table.attribute_definitions().len(), 4);
    }
    assert_eq!(
        query(client, "GSI1", "gpk", "g").await,
        [item(&[("pk", "a"), ("sk", "1"), ("gpk", "g"), ("name", "first")])]
    );
    assert_eq!(query(client, "GSI2", "hpk", "h").await, [item(&[("pk", "a"), ("sk", "1"), ("hpk", "h")])]);
}

async fn query(client: &Client, index: &str, key: &str, value: &str) -> Vec<Item> {
    let query = client.query().table_name(TABLE).index_name(index).key_condition_expression(format!("{key} = :value"));
    query.expression_attribute_values(":value", text(value)).send().await.unwrap().items.unwrap()
}

fn embedded() -> (tempfile::TempDir, Embedded) {
    let directory = tempfile::tempdir().unwrap();
    let engine = Embedded::start(directory.path(), 0).unwrap();
    (directory, engine)
}

async fn dynamodb_local() -> DynamoDbLocal {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dynamodb-local");
    DynamoDbLocal::start(&folder).await.unwrap()
}

#[tokio::test]
async fn embedded_engine_keeps_items() {
    let (_directory, engine) = embedded();
    keeps_items(&client(&engine.endpoint())).await;
}

#[tokio::test]
async fn embedded_engine_cancels_transactions() {
    let (_directory, engine) = embedded();
    cancels_transactions(&client(&engine.endpoint())).await;
}

#[tokio::test]
async fn embedded_engine_projects_into_indexes() {
    let (_directory, engine) = embedded();
    projects_into_indexes(&client(&engine.endpoint())).await;
}

#[tokio::test]
async fn embedded_engine_adds_indexes() {
    let (_directory, engine) = embedded();
    adds_indexes(&client(&engine.endpoint())).await;
}

#[tokio::test]
async fn embedded_engine_keeps_data_across_a_restart() {
    let (directory, engine) = embedded();
    create_table(&client(&engine.endpoint()), TABLE, &template_table()).await.unwrap();
    put(&client(&engine.endpoint()), item(&[("pk", "a"), ("sk", "1")])).await;
    drop(engine);
    let engine = Embedded::start(directory.path(), 0).unwrap();
    assert!(get(&client(&engine.endpoint()), "a", "1").await.is_some());
}

#[tokio::test]
async fn dynamodb_local_keeps_items() {
    let engine = dynamodb_local().await;
    keeps_items(&client(&engine.endpoint())).await;
}

#[tokio::test]
async fn dynamodb_local_cancels_transactions() {
    let engine = dynamodb_local().await;
    cancels_transactions(&client(&engine.endpoint())).await;
}

#[tokio::test]
async fn dynamodb_local_projects_into_indexes() {
    let engine = dynamodb_local().await;
    projects_into_indexes(&client(&engine.endpoint())).await;
}

#[tokio::test]
async fn dynamodb_local_adds_indexes() {
    let engine = dynamodb_local().await;
    adds_indexes(&client(&engine.endpoint())).await;
}

#[tokio::test]
async fn dropping_dynamodb_local_stops_it() {
    let engine = dynamodb_local().await;
    let endpoint = engine.endpoint();
    drop(engine);
    assert!(client(&endpoint).list_tables().send().await.is_err());
}
