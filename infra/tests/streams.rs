//! Event source mappings with both engines and with a scripted one.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use infra::aws::engine::{DynamoDbLocal, Embedded, client};
use infra::aws::function::{EventFunction, Functions};
use infra::aws::stream::Streams;
use infra::aws::table::create_table;
use infra::aws::template::Template;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const TABLE: &str = "test";
const TABLES: [(&str, &str); 1] = [("Table", TABLE)];

const TEMPLATE: &str = r#"
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }, { AttributeName: sk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }, { AttributeName: sk, KeyType: RANGE }]
      StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }
  MailFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: mail/
      Timeout: 5
      Events:
        Mails:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: LATEST
            BatchSize: 2
            FilterCriteria:
              Filters:
                - Pattern: '{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[{"suffix":"MAIL"}]}}}}'
"#;

fn template() -> Template {
    Template::parse(TEMPLATE).unwrap()
}

/// The events that a function was invoked with.
struct Events(UnboundedReceiver<Value>);

impl Events {
    async fn next(&mut self) -> Value {
        let event = tokio::time::timeout(Duration::from_secs(10), self.0.recv()).await;
        event.unwrap().unwrap()
    }

    /// The sort keys of the records of the next event.
    async fn next_keys(&mut self) -> Vec<String> {
        let event = self.next().await;
        let records = event["Records"].as_array().unwrap().iter();
        records.map(|record| record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap().to_owned()).collect()
    }
}

/// A function that fails if its event has a record with the sort key `bad`.
fn mail_function() -> (Functions, Events) {
    let (sender, events) = unbounded_channel();
    let function = EventFunction::new(move |event: Value| {
        let bad =
            event["Records"].as_array().unwrap().iter().any(|record| record["dynamodb"]["Keys"]["sk"]["S"] == "bad");
        sender.send(event).unwrap();
        async move { if bad { Err("deliberate failure".to_owned()) } else { Ok(Value::Null) } }
    });
    ([("MailFunction".to_owned(), Arc::new(function) as _)].into(), Events(events))
}

async fn put(client: &Client, pk: &str, sk: &str, name: &str) {
    let [pk, sk, name] = [pk, sk, name].map(|text| AttributeValue::S(text.to_owned()));
    let put = client.put_item().table_name(TABLE).item("pk", pk).item("sk", sk).item("name", name);
    put.send().await.unwrap();
}

async fn table(endpoint: &str) -> Client {
    let client = client(endpoint);
    create_table(&client, TABLE, &template().tables["Table"]).await.unwrap();
    client
}

/// Matching records inserted after the start are delivered once.
///
/// They have the format of Lambda.
async fn delivers_matching_records(endpoint: &str) {
    let client = table(endpoint).await;
    put(&client, "T#1#MAIL", "before", "").await;
    let (functions, mut events) = mail_function();
    let streams = Streams::start(&template(), &functions, endpoint, &TABLES).await.unwrap();
    put(&client, "T#1#USER", "other", "").await;
    put(&client, "T#1#MAIL", "first", "one").await;
    let event = events.next().await;
    put(&client, "T#1#MAIL", "first", "two").await;
    put(&client, "T#1#MAIL", "second", "").await;
    assert_eq!(events.next_keys().await, ["second"]);
    drop(streams);
    drop(functions);
    assert_eq!(events.0.recv().await, None);

    let [record] = event["Records"].as_array().unwrap().as_slice() else { panic!("one record expected: {event}") };
    assert_eq!((&record["eventName"], &record["eventVersion"]), (&json!("INSERT"), &json!("1.1")));
    assert_eq!(record["eventSource"], "aws:dynamodb");
    assert!(record["eventID"].is_string() && record["awsRegion"].is_string(), "{record}");
    assert!(record["eventSourceARN"].as_str().unwrap().contains("table/test/stream/"), "{record}");
    let change = &record["dynamodb"];
    let key = json!({ "pk": { "S": "T#1#MAIL" }, "sk": { "S": "first" } });
    assert_eq!(change["Keys"], key);
    assert_eq!(change["NewImage"], json!({ "pk": key["pk"], "sk": key["sk"], "name": { "S": "one" } }));
    assert!(change.get("OldImage").is_none(), "{record}");
    assert_eq!(change["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert!(change["SequenceNumber"].is_string() && change["SizeBytes"].is_u64(), "{record}");
    assert!(change["ApproximateCreationDateTime"].as_u64().unwrap() > 1_700_000_000, "{record}");
}

/// A failing batch is retried, then dropped, and the next one is delivered.
async fn drops_failing_batches(endpoint: &str) {
    let client = table(endpoint).await;
    let (functions, mut events) = mail_function();
    let _streams = Streams::start(&template(), &functions, endpoint, &TABLES).await.unwrap();
    put(&client, "MAIL", "bad", "").await;
    for _ in 0..3 {
        assert_eq!(events.next_keys().await, ["bad"]);
    }
    put(&client, "MAIL", "good", "").await;
    assert_eq!(events.next_keys().await, ["good"]);
}

fn embedded(directory: &Path, port: u16) -> Embedded {
    Embedded::start(directory, port).unwrap()
}

async fn dynamodb_local() -> DynamoDbLocal {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dynamodb-local");
    DynamoDbLocal::start(&folder).await.unwrap()
}

#[tokio::test]
async fn embedded_engine_delivers_matching_records() {
    let directory = tempfile::tempdir().unwrap();
    delivers_matching_records(&embedded(directory.path(), 0).endpoint()).await;
}

#[tokio::test]
async fn embedded_engine_drops_failing_batches() {
    let directory = tempfile::tempdir().unwrap();
    drops_failing_batches(&embedded(directory.path(), 0).endpoint()).await;
}

#[tokio::test]
async fn dynamodb_local_delivers_matching_records() {
    delivers_matching_records(&dynamodb_local().await.endpoint()).await;
}

#[tokio::test]
async fn dynamodb_local_drops_failing_batches() {
    drops_failing_batches(&dynamodb_local().await.endpoint()).await;
}

#[tokio::test]
async fn reading_continues_after_an_engine_restart() {
    let directory = tempfile::tempdir().unwrap();
    let engine = embedded(directory.path(), 0);
    let endpoint = engine.endpoint();
    let client = table(&endpoint).await;
    let (functions, mut events) = mail_function();
    let _streams = Streams::start(&template(), &functions, &endpoint, &TABLES).await.unwrap();
    put(&client, "MAIL", "first", "").await;
    assert_eq!(events.next_keys().await, ["first"]);
    drop(engine);
    let engine = embedded(directory.path(), endpoint.rsplit(':').next().unwrap().parse().unwrap());
    put(&client, "MAIL", "second", "").await;
    assert_eq!(events.next_keys().await, ["second"]);
    drop(engine);
}

#[tokio::test]
async fn missing_stream_and_unsupported_pattern_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let engine = embedded(directory.path(), 0);
    let (functions, _events) = mail_function();
    let plain = TEMPLATE.replace("StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }", "");
    let plain = Template::parse(&plain).unwrap();
    create_table(&client(&engine.endpoint()), TABLE, &plain.tables["Table"]).await.unwrap();
    let error = Streams::start(&plain, &functions, &engine.endpoint(), &TABLES).await.err().unwrap();
    assert_eq!(error.to_string(), "table Table has no stream");

    let unsupported = Template::parse(&TEMPLATE.replace(r#"{"suffix""#, r#"{"wildcard""#)).unwrap();
    let error = Streams::start(&unsupported, &functions, &engine.endpoint(), &TABLES).await.err().unwrap();
    let expected = r#"MailFunction.Mails: unsupported filter operator: {"wildcard":"MAIL"}"#;
    assert_eq!(error.to_string(), expected);
}

// ── A scripted engine with expiring iterators and closed shards ─────────────────────────────────────────────────────

/// Responses to `GetRecords` by iterator.
///
/// A response has the sort keys of the records and the next iterator, or is `None` if the iterator
/// has expired.
type Script = &'static [(&'static str, Option<(&'static [&'static str], Option<&'static str>)>)];

/// A shard with an expired iterator, which is then closed, and its child shard.
const SCRIPT: Script = &[
    ("old LATEST", Some((&["1"], Some("old expired")))),
    ("old expired", None),
    ("old AFTER_SEQUENCE_NUMBER 1", Some((&["2", "3", "4"], None))),
    ("new TRIM_HORIZON", Some((&["5"], Some("new end")))),
    ("new end", Some((&[], Some("new end")))),
];

/// Whether the first shard is closed.
#[derive(Default, Clone)]
struct Scripted(Arc<Mutex<bool>>);

async fn answer(State(scripted): State<Scripted>, headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
    let request: Value = serde_json::from_str(&body).unwrap();
    let operation = headers["x-amz-target"].to_str().unwrap().split('.').nth(1).unwrap();
    let answer = match operation {
        "DescribeTable" => json!({ "Table": { "LatestStreamArn": "arn:stream" } }),
        "DescribeStream" => describe(&request, *scripted.0.lock().unwrap()),
        "GetShardIterator" => {
            let parts = ["ShardId", "ShardIteratorType", "SequenceNumber"].map(|part| request[part].as_str());
            json!({ "ShardIterator": parts.into_iter().flatten().collect::<Vec<_>>().join(" ") })
        }
        "GetRecords" => {
            let (_, page) = SCRIPT.iter().find(|(iterator, _)| request["ShardIterator"] == *iterator).unwrap();
            let Some((keys, next)) = page else {
                let error = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ExpiredIteratorException" });
                return (StatusCode::BAD_REQUEST, Json(error));
            };
            *scripted.0.lock().unwrap() |= next.is_none();
            json!({ "Records": keys.iter().map(|key| record(key)).collect::<Value>(), "NextShardIterator": next })
        }
        other => panic!("{other}"),
    };
    (StatusCode::OK, Json(answer))
}

/// Describes one shard per page.
fn describe(request: &Value, ended: bool) -> Value {
    let (shard, last) = match request["ExclusiveStartShardId"].as_str() {
        None => ("old", ended.then_some("old")),
        Some(_) => ("new", None),
    };
    json!({ "StreamDescription": { "Shards": [{ "ShardId": shard }], "LastEvaluatedShardId": last } })
}

fn record(key: &str) -> Value {
    let keys = json!({ "pk": { "S": "MAIL" }, "sk": { "S": key } });
    json!({ "eventName": "INSERT", "dynamodb": { "Keys": keys, "SequenceNumber": key } })
}

#[tokio::test]
async fn records_are_delivered_once_across_expired_iterators_and_closed_shards() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let engine = Router::new().route("/", post(answer)).with_state(Scripted::default());
    tokio::spawn(async { axum::serve(listener, engine).await });
    let (functions, mut events) = mail_function();
    let _streams = Streams::start(&template(), &functions, &endpoint, &TABLES).await.unwrap();
    for expected in [vec!["1"], vec!["2", "3"], vec!["4"], vec!["5"]] {
        assert_eq!(events.next_keys().await, expected);
    }
}
