//! Streams invoke functions, on both engines and on one that misbehaves.

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
use infra::engine::{DynamoDbLocal, Embedded, client};
use infra::function::{EventFunction, Functions};
use infra::stream::Streams;
use infra::table::create_table;
use infra::template::Template;
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

/// A function that fails for as long as its event has a record with the sort key `bad`.
fn mail_function() -> (Functions, Events) {
    let (tell, told) = unbounded_channel();
    let function = EventFunction::new(move |event: Value| {
        let bad =
            event["Records"].as_array().unwrap().iter().any(|record| record["dynamodb"]["Keys"]["sk"]["S"] == "bad");
        tell.send(event).unwrap();
        async move { if bad { Err("told to fail".to_owned()) } else { Ok(Value::Null) } }
    });
    ([("MailFunction".to_owned(), Arc::new(function) as _)].into(), Events(told))
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

/// What is inserted after the start is delivered once, as Lambda would, and nothing else is.
async fn delivers_what_matches(endpoint: &str) {
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

/// A batch that fails is tried again, then dropped, and the next one comes.
async fn drops_what_fails(endpoint: &str) {
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
async fn the_embedded_engine_delivers_what_matches() {
    let directory = tempfile::tempdir().unwrap();
    delivers_what_matches(&embedded(directory.path(), 0).endpoint()).await;
}

#[tokio::test]
async fn the_embedded_engine_drops_what_fails() {
    let directory = tempfile::tempdir().unwrap();
    drops_what_fails(&embedded(directory.path(), 0).endpoint()).await;
}

#[tokio::test]
async fn dynamodb_local_delivers_what_matches() {
    delivers_what_matches(&dynamodb_local().await.endpoint()).await;
}

#[tokio::test]
async fn dynamodb_local_drops_what_fails() {
    drops_what_fails(&dynamodb_local().await.endpoint()).await;
}

#[tokio::test]
async fn an_engine_that_was_gone_for_a_while_is_read_on() {
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
async fn a_table_without_a_stream_and_a_pattern_without_a_meaning_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let engine = embedded(directory.path(), 0);
    let (functions, _events) = mail_function();
    let plain = TEMPLATE.replace("StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }", "");
    let plain = Template::parse(&plain).unwrap();
    create_table(&client(&engine.endpoint()), TABLE, &plain.tables["Table"]).await.unwrap();
    let refused = Streams::start(&plain, &functions, &engine.endpoint(), &TABLES).await.err().unwrap();
    assert_eq!(refused.to_string(), "table Table has no stream");

    let odd = Template::parse(&TEMPLATE.replace(r#"{"suffix""#, r#"{"wildcard""#)).unwrap();
    let refused = Streams::start(&odd, &functions, &engine.endpoint(), &TABLES).await.err().unwrap();
    let expected = r#"MailFunction.Mails: filter operator not understood: {"wildcard":"MAIL"}"#;
    assert_eq!(refused.to_string(), expected);
}

// ── An engine whose iterators expire and whose shards end ───────────────────────────────────────────────────────────

/// The answers to `GetRecords` by iterator: the sort keys of the records, and the next iterator; none for one that has
/// expired.
type Script = &'static [(&'static str, Option<(&'static [&'static str], Option<&'static str>)>)];

/// One shard whose first iterator expires and which ends, and another that takes over.
const SCRIPT: Script = &[
    ("old LATEST", Some((&["1"], Some("old expired")))),
    ("old expired", None),
    ("old AFTER_SEQUENCE_NUMBER 1", Some((&["2", "3", "4"], None))),
    ("new TRIM_HORIZON", Some((&["5"], Some("new end")))),
    ("new end", Some((&[], Some("new end")))),
];

/// Whether the first shard has ended.
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

/// Page by page.
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
async fn expired_iterators_and_ended_shards_lose_nothing_and_repeat_nothing() {
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
