//! A fault-injecting proxy in front of the `DynamoDB` engine.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The fault that is injected into one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The engine throttles the call: the table has no capacity left.
    Throttled,
    /// The engine returns an internal error.
    ServerError,
    /// The transaction conflicts with another transaction on the same rows.
    Conflict,
    /// The same transaction is still in progress.
    InProgress,
    /// The connection breaks before the engine receives the call.
    RequestLost,
    /// The connection breaks after the engine has executed the call.
    AnswerLost,
    /// The engine does not respond.
    NoResponse,
}

/// The proxy. It stops when dropped.
pub struct Faults {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Plan {
    next: VecDeque<Option<Fault>>,
    always: Option<Fault>,
    only_writes: bool,
    calls: usize,
}

impl Plan {
    fn take(&mut self, request: &Request<Incoming>) -> Option<Fault> {
        self.calls += 1;
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        if self.only_writes && target.is_some_and(|target| !target.ends_with(".TransactWriteItems")) {
            return None;
        }
        self.next.pop_front().unwrap_or(self.always)
    }
}

impl Faults {
    /// Listens on a free port and forwards calls without a fault to `upstream`.
    pub async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::<Mutex<Plan>>::default();
        let proxy = Proxy {
            upstream: upstream.parse().expect("a URL"),
            plan: Arc::clone(&plan),
            client: legacy::Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
        };
        Self { address, plan, serving: tokio::spawn(Arc::new(proxy).serve(listener)) }
    }

    /// The endpoint URL for the SDK's configuration.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Injects these faults into the next calls, one per call.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut plan = self.plan.lock().unwrap();
        *plan = Plan { next: faults.into_iter().map(Some).collect(), ..Plan::default() };
    }

    /// Injects these faults into the next write transactions, one per transaction.
    ///
    /// No other call fails.
    pub fn next_writes(&self, faults: impl IntoIterator<Item = Fault>) {
        self.next(faults);
        self.plan.lock().unwrap().only_writes = true;
    }

    /// Like [`Self::next_writes`], but lets the next write transaction succeed first.
    pub fn writes_after_one(&self, faults: impl IntoIterator<Item = Fault>) {
        self.writes_after(1, faults);
    }

    /// Like [`Self::next_writes`], but lets `passing` write transactions succeed first.
    pub fn writes_after(&self, passing: usize, faults: impl IntoIterator<Item = Fault>) {
        self.next_writes(faults);
        let mut plan = self.plan.lock().unwrap();
        (0..passing).for_each(|_| plan.next.push_front(None));
    }

    /// Lets `passing` write transactions succeed, then fails every later one.
    ///
    /// No other call fails.
    pub fn all_writes_after(&self, passing: usize, fault: Fault) {
        self.writes_after(passing, []);
        self.plan.lock().unwrap().always = Some(fault);
    }

    /// Lets `passing` calls succeed, then injects these faults, one per call.
    pub fn after(&self, passing: usize, faults: impl IntoIterator<Item = Fault>) {
        self.next(faults);
        let mut plan = self.plan.lock().unwrap();
        (0..passing).for_each(|_| plan.next.push_front(None));
    }

    /// Injects this fault into every call from now on.
    pub fn always(&self, fault: Fault) {
        *self.plan.lock().unwrap() = Plan { always: Some(fault), ..Plan::default() };
    }

    /// Stops injecting faults.
    pub fn none(&self) {
        *self.plan.lock().unwrap() = Plan::default();
    }

    /// The number of calls since the faults were last set.
    pub fn calls(&self) -> usize {
        self.plan.lock().unwrap().calls
    }

    /// Closes all connections and refuses new ones.
    pub async fn shut_down(&self) {
        self.serving.abort();
        while !self.serving.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Proxy {
    upstream: Uri,
    plan: Arc<Mutex<Plan>>,
    client: legacy::Client<HttpConnector, Full<Bytes>>,
}

type Relayed = Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>>;

impl Proxy {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(Arc::clone(&self).serve_connection(stream));
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let service = service_fn(|request| self.relay(request));
        // An error of the service closes the connection without a response: that is the injected fault.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn relay(&self, request: Request<Incoming>) -> Relayed {
        let fault = self.plan.lock().unwrap().take(&request);
        let Some(fault) = fault else { return self.forward(request).await };
        match fault {
            Fault::Throttled => answer(400, "ProvisionedThroughputExceededException", &json!({})),
            Fault::ServerError => answer(500, "InternalServerError", &json!({})),
            Fault::Conflict => {
                let parts = parts(request).await?;
                let reasons: Vec<_> = (0..parts).map(|at| json!({ "Code": reason(at) })).collect();
                answer(400, "TransactionCanceledException", &json!({ "CancellationReasons": reasons }))
            }
            Fault::InProgress => answer(400, "TransactionInProgressException", &json!({})),
            Fault::RequestLost => Err(connection_reset()),
            Fault::AnswerLost => {
                self.forward(request).await?;
                Err(connection_reset())
            }
            Fault::NoResponse => {
                tokio::time::sleep(Duration::from_hours(1)).await;
                Err(connection_reset())
            }
        }
    }

    async fn forward(&self, request: Request<Incoming>) -> Relayed {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        head.uri = self.upstream.clone();
        let (head, body) = self.client.request(Request::from_parts(head, Full::new(body))).await?.into_parts();
        Ok(Response::from_parts(head, Full::new(body.collect().await?.to_bytes())))
    }
}

fn connection_reset() -> Box<dyn std::error::Error + Send + Sync> {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
}

/// The number of parts of a transaction.
async fn parts(request: Request<Incoming>) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let body: Value = serde_json::from_slice(&request.collect().await?.to_bytes())?;
    Ok(body["TransactItems"].as_array().map_or(1, Vec::len))
}

/// The cancellation reason of a part: only the first part conflicts.
fn reason(part: usize) -> &'static str {
    if part == 0 { "TransactionConflict" } else { "None" }
}

fn answer(status: u16, error: &str, members: &Value) -> Relayed {
    let mut body = members.clone();
    body["__type"] = json!(format!("com.amazonaws.dynamodb.v20120810#{error}"));
    body["message"] = json!("SECRET-INNER-MESSAGE");
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    Ok(response.body(Full::from(body.to_string()))?)
}
