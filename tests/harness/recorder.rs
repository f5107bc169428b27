//! A proxy in front of the `DynamoDB` engine that records every call.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::call::{Answer, Call};
use crate::schema::TableSchema;
use crate::tag::{TAG_HEADER, UNTAGGED};

/// A running recorder. It stops when dropped.
///
/// It has its own thread and runtime, so that one recorder can serve every test of a process although each
/// test has its own runtime.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    log: Arc<Log>,
    _running: oneshot::Sender<Infallible>,
}

impl Recorder {
    /// Listens on a free port and forwards to `upstream`.
    ///
    /// An example of `upstream` is `http://127.0.0.1:8000`.
    ///
    /// # Panics
    /// If `upstream` is not an absolute `http` URL, or a socket or thread cannot be created.
    pub fn start(upstream: &str, schema: TableSchema) -> Self {
        let upstream: Uri = upstream.parse().expect("the engine's endpoint is a URL");
        assert_eq!(upstream.scheme_str(), Some("http"), "{upstream}");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let proxy = Proxy::new(upstream, schema, Arc::clone(&log));
        let (running, stopped) = oneshot::channel();
        thread::spawn(move || run(Arc::new(proxy), listener, stopped));
        Self { address, log, _running: running }
    }

    /// The endpoint URL for the SDK's configuration.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Removes and returns the calls with this tag, in the order of arrival.
    ///
    /// Calls without a tag are recorded under [`UNTAGGED`].
    pub fn take(&self, tag: &str) -> Vec<Call> {
        self.log.take(tag)
    }
}

/// Calls by tag, each with its sequence number in the log.
#[derive(Debug, Default)]
struct Log {
    next: AtomicU64,
    calls: Mutex<HashMap<String, Vec<(u64, Call)>>>,
}

impl Log {
    /// Records a call, before it is forwarded.
    ///
    /// A call that times out is recorded too.
    fn record(&self, tag: &str, call: Call) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut calls = self.calls.lock().unwrap();
        calls.entry(tag.to_owned()).or_default().push((number, call));
        number
    }

    /// Adds the answer to a call, unless the call was taken in the meantime.
    fn record_answer(&self, tag: &str, number: u64, answer: Answer) {
        let mut calls = self.calls.lock().unwrap();
        let mut recorded = calls.get_mut(tag).into_iter().flatten();
        if let Some((_, call)) = recorded.find(|(other, _)| *other == number) {
            call.answer = Some(answer);
        }
    }

    fn take(&self, tag: &str) -> Vec<Call> {
        let taken = self.calls.lock().unwrap().remove(tag);
        taken.into_iter().flatten().map(|(_, call)| call).collect()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(proxy: Arc<Proxy>, listener: std::net::TcpListener, stopped: oneshot::Receiver<Infallible>) {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::select! {
        () = proxy.serve(listener) => {}
        _ = stopped => {}
    }
}

struct Proxy {
    upstream: Uri,
    schema: TableSchema,
    log: Arc<Log>,
    client: legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Proxy {
    fn new(upstream: Uri, schema: TableSchema, log: Arc<Log>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { upstream, schema, log, client: legacy::Client::builder(TokioExecutor::new()).build(connector) }
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(Arc::clone(&self).serve_connection(stream));
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) {
        // Without Nagle's algorithm: small packets must not wait for an acknowledgement.
        stream.set_nodelay(true).unwrap();
        let service = service_fn(async |request| Ok::<_, Infallible>(self.relay(request).await));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client may close the connection at any time: this is not an error.
        let _ = connection.await;
    }

    async fn relay(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.forward(request).await {
            Ok(response) => response,
            Err(problem) => bad_gateway(&problem.to_string()),
        }
    }

    async fn forward(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let tag = header(&head.headers, TAG_HEADER).unwrap_or(UNTAGGED).to_owned();
        let target = header(&head.headers, "x-amz-target").unwrap_or_default();
        let call = Call::parse(target, &body, &self.schema);
        let operation = call.operation.clone();
        let number = self.log.record(&tag, call);

        head.uri = self.upstream.clone();
        let response = self.client.request(Request::from_parts(head, Full::new(body))).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let answer = Answer::parse(&operation, head.status.as_u16(), &body);
        self.log.record_answer(&tag, number, answer);
        Ok(Response::from_parts(head, Full::new(body)))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn bad_gateway(problem: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("recorder: {problem}")));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::config::retry::RetryConfig;
    use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_dynamodb::error::DisplayErrorContext;
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, Put, ReturnConsumedCapacity, ScalarAttributeType, TransactWriteItem,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::call::Capacity;
    use crate::schema::tests::definition;
    use crate::tag::{TagCalls, tagged};

    fn client(recorder: &Recorder) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(recorder.endpoint())
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::ZERO))
            .interceptor(TagCalls)
            .build();
        Client::from_conf(config)
    }

    fn recorder(upstream: &str) -> Recorder {
        Recorder::start(upstream, TableSchema::from_definition(&definition()))
    }

    /// An engine that responds to each request with `answer` of its body.
    async fn engine(answer: fn(&Value) -> (u16, Value)) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service_fn(move |request| respond(request, answer));
                let io = TokioIo::new(stream);
                tokio::spawn(http1::Builder::new().serve_connection(io, service));
            }
        });
        endpoint
    }

    async fn respond(
        request: Request<Incoming>,
        answer: fn(&Value) -> (u16, Value),
    ) -> hyper::Result<Response<Full<Bytes>>> {
        let body = request.collect().await?.to_bytes();
        let (status, body) = answer(&serde_json::from_slice(&body).unwrap());
        let response = Response::builder().status(status);
        Ok(response.body(Full::from(body.to_string())).unwrap())
    }

    /// Gets an item and returns the item or the error as text.
    async fn get(client: Client, partition: impl Into<String>) -> String {
        let request = client
            .get_item()
            .table_name("table")
            .key("pk", AttributeValue::S(partition.into()))
            .key("sk", AttributeValue::S("sort".to_owned()));
        match request.send().await {
            Ok(output) => format!("{:?}", output.item),
            Err(error) => DisplayErrorContext(error).to_string(),
        }
    }

    /// Returns the requested key as the item, so that a mixed-up answer is detected.
    fn echo(request: &Value) -> (u16, Value) {
        let capacity = json!({ "TableName": "table", "CapacityUnits": 0.5 });
        (200, json!({ "Item": request["Key"], "ConsumedCapacity": capacity }))
    }

    #[tokio::test]
    async fn call_is_forwarded_and_recorded() {
        let recorder = recorder(&engine(echo).await);
        let item = tagged("one", get(client(&recorder), "partition")).await;
        assert!(item.contains("partition"), "{item}");

        let calls = recorder.take("one");
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].touches[0].to_string(), "GetItem partition / sort");
        let answer = calls[0].answer.as_ref().unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.capacity, Some(Capacity { read: 0.5, write: 0.0 }));
        assert_eq!(recorder.take("one"), []);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrent_calls_keep_their_tags() {
        let recorder = recorder(&engine(echo).await);
        let client = client(&recorder);
        let mut requests = tokio::task::JoinSet::new();
        for number in 0..20 {
            let client = client.clone();
            requests.spawn(tagged(number.to_string(), async move {
                for call in 0..5 {
                    get(client.clone(), format!("{number}.{call}")).await;
                    tokio::task::yield_now().await;
                }
            }));
        }
        requests.join_all().await;

        for number in 0..20 {
            let calls = recorder.take(&number.to_string());
            let keys: Vec<_> = calls.iter().map(|call| call.touches[0].to_string()).collect();
            let expected = (0..5).map(|call| format!("GetItem {number}.{call} / sort"));
            assert_eq!(keys, expected.collect::<Vec<_>>());
        }
        assert_eq!(recorder.take(UNTAGGED), []);
    }

    #[tokio::test]
    async fn call_of_a_spawned_task_is_recorded_without_tag() {
        let recorder = recorder(&engine(echo).await);
        let spawned = get(client(&recorder), "partition");
        tagged("one", async { tokio::spawn(spawned).await.unwrap() }).await;
        assert_eq!(recorder.take("one"), []);
        assert_eq!(recorder.take(UNTAGGED).len(), 1);
    }

    #[tokio::test]
    async fn failed_call_and_each_retry_are_recorded() {
        let throttle = |_: &Value| (400, json!({ "__type": "x#ThrottlingException", "message": "slow down" }));
        let recorder = recorder(&engine(throttle).await);
        tagged("one", get(client(&recorder), "partition")).await;
        let calls = recorder.take("one");
        assert_eq!(calls.len(), 3);
        let errors = calls.iter().map(|call| call.answer.clone().unwrap().error);
        assert!(errors.into_iter().all(|error| error.as_deref() == Some("ThrottlingException")));
    }

    #[tokio::test]
    async fn call_to_an_unreachable_engine_is_recorded() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let recorder = recorder(&endpoint);
        let error = tagged("one", get(client(&recorder), "partition")).await;
        assert!(error.contains("recorder:"), "{error}");
        assert!(recorder.take("one").iter().all(|call| call.answer.is_none()));
    }

    fn key_schema(partition: &str, sort: &str) -> Vec<KeySchemaElement> {
        [(partition, KeyType::Hash), (sort, KeyType::Range)]
            .map(|(name, kind)| {
                let element = KeySchemaElement::builder().attribute_name(name).key_type(kind);
                element.build().unwrap()
            })
            .to_vec()
    }

    async fn create_table(client: &Client, name: &str) {
        let attributes = ["pk", "sk", "gsi1pk", "gsi1sk"].map(|name| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            attribute.attribute_type(ScalarAttributeType::S).build().unwrap()
        });
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly);
        let index = GlobalSecondaryIndex::builder()
            .index_name("gsi1")
            .set_key_schema(Some(key_schema("gsi1pk", "gsi1sk")))
            .projection(projection.build());
        let request = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes.to_vec()))
            .set_key_schema(Some(key_schema("pk", "sk")))
            .global_secondary_indexes(index.build().unwrap());
        request.send().await.unwrap();
    }

    fn put(table: &str, sort: &str) -> TransactWriteItem {
        let put = Put::builder().table_name(table);
        let put = [("pk", "p"), ("sk", sort), ("gsi1pk", "i"), ("gsi1sk", "s")]
            .into_iter()
            .fold(put, |put, (name, value)| put.item(name, AttributeValue::S(value.to_owned())));
        TransactWriteItem::builder().put(put.build().unwrap()).build()
    }

    #[tokio::test]
    async fn dynamodb_local_works_through_the_recorder() {
        let recorder = recorder(&crate::world::engine_endpoint());
        let client = client(&recorder);
        let table = format!("recorder-{}", uuid::Uuid::new_v4());
        create_table(&client, &table).await;

        let write = client
            .transact_write_items()
            .transact_items(put(&table, "1"))
            .transact_items(put(&table, "2"))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        tagged("write", write.send()).await.unwrap();
        let query = client
            .query()
            .table_name(&table)
            .index_name("gsi1")
            .key_condition_expression("gsi1pk = :p")
            .expression_attribute_values(":p", AttributeValue::S("i".to_owned()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = tagged("read", query.send()).await.unwrap();
        assert_eq!(output.count, 2);

        let write = &recorder.take("write")[0];
        assert_eq!(write.touches.len(), 2);
        assert_eq!(write.touches[1].index_keys[0].key.to_string(), "i / s");
        let read = &recorder.take("read")[0];
        assert_eq!(read.touches[0].to_string(), "Query on gsi1 i / *");
        let capacity = read.answer.as_ref().unwrap().capacity;
        assert_eq!(capacity, Some(Capacity { read: 0.5, write: 0.0 }));
        client.delete_table().table_name(table).send().await.unwrap();
    }
}
