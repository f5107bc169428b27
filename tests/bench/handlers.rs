//! The cost of an operation in `DynamoDB` and the time of its handler.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use harness::call::Call;
use harness::users::RequestBuilder;
use harness::world::{Gateways, TEMPLATE, World, engine_endpoint, local_config};
use hyper::body::Bytes;
use infra::aws::engine;
use infra::aws::function::{FunctionError, Functions, Invoke};
use infra::local::modules;
use lambda_http::BoxFuture;
use lambda_http::http::Response;
use serde_json::{Value, json};
use shared::jobs::JobRunner;
use shared::web::App;

use crate::items::Snapshot;
use crate::operations::Operation;
use crate::replay::CallLog;

/// The number of rounds in which each operation is timed.
const TIMED: usize = 100;

/// The number of rounds before them, in which the engine's JIT compiler warms up.
const UNTIMED: usize = 10;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The cost of a request in `DynamoDB`.
pub(crate) struct Cost {
    /// The number of calls.
    pub(crate) round_trips: usize,
    /// Consumed read capacity units.
    pub(crate) read_units: f64,
    /// Consumed write capacity units, of the table and its indexes.
    pub(crate) write_units: f64,
}

impl Cost {
    /// The cost of calls, with the read units that the engine reported.
    pub(crate) fn of(calls: &[Call], write_units: f64) -> Self {
        let capacity = calls.iter().filter_map(|call| call.answer.as_ref()?.capacity);
        Self { round_trips: calls.len(), read_units: capacity.map(|capacity| capacity.read).sum(), write_units }
    }
}

/// Sends the request of an operation once, through the recording proxy.
pub(crate) async fn cost(world: &World, before: &Snapshot, operation: &Operation<'_>) -> Cost {
    let answer = operation.request.clone().send().await;
    assert!(answer.status.is_success(), "{}: {answer}", operation.name);
    let after = Snapshot::of_table(&world.engine(), world.table()).await;
    before.restore().await;
    Cost::of(&answer.calls, before.write_units(&after, &answer.calls))
}

/// The times of one operation.
#[derive(Clone, Default)]
pub(crate) struct Times {
    /// The times of the handler.
    pub(crate) handler: Vec<Duration>,
    /// The times of the same calls with the SDK alone; empty without calls.
    pub(crate) sdk: Vec<Duration>,
}

/// Times every operation.
///
/// The calls are repeated with the SDK right after the handler made them, so that other load on the machine
/// affects both.
pub(crate) async fn time(world: &World, snapshot: &Snapshot, operations: &[Operation<'_>]) -> Vec<Times> {
    let log = CallLog::default();
    let client = shared::web::client(engine::config(&engine_endpoint()).interceptor(log.clone()));
    let bench = Bench::new(world, client.clone());
    let mut times = vec![Times::default(); operations.len()];
    for round in 0..UNTIMED + TIMED {
        for (operation, times) in operations.iter().zip(&mut times) {
            let (handler, _) = bench.handle(&operation.request).await;
            snapshot.restore().await;
            let sdk = log.replay(&client).await;
            snapshot.restore().await;
            if round >= UNTIMED {
                times.handler.push(handler);
                times.sdk.extend(sdk);
            }
        }
    }
    times
}

/// The functions in this process, connected to the engine without a proxy.
///
/// They use the table and the keys of the world.
pub(crate) struct Bench {
    gateways: Gateways,
    jobs: JobRunner,
    last: LastDuration,
}

/// The duration of the last invocation.
type LastDuration = Arc<Mutex<Duration>>;

impl Bench {
    /// Starts the functions with a client of the engine.
    pub(crate) fn new(world: &World, client: Client) -> Self {
        let last = LastDuration::default();
        let config = modules::config(world.table(), world.keys());
        let app = App::new(config, client, world.clock().clone()).expect("the application starts");
        let routers = modules::routers(&app, &TEMPLATE, world.keys(), &local_config()).expect("the keys are valid");
        let functions: BTreeMap<_, _> = modules::in_process(&TEMPLATE, &routers, &modules::Listeners::new());
        let timed = functions.into_iter().map(|(id, function)| {
            let timed: Arc<dyn Invoke> = Arc::new(Timed { function, last: Arc::clone(&last) });
            (id, timed)
        });
        let gateways = Gateways::new(timed.collect::<Functions>());
        Self { gateways, jobs: jobs::runner(app), last }
    }

    /// Sends a request that must succeed.
    ///
    /// Returns the duration of its function and the response.
    pub(crate) async fn handle(&self, request: &RequestBuilder<'_>) -> (Duration, Response<Bytes>) {
        let response = send(&self.gateways, request).await;
        (*self.last.lock().expect("the lock is not poisoned"), response)
    }

    /// Runs the jobs until none is due.
    pub(crate) async fn run_jobs(&self) {
        while self.jobs.handle(json!({})).await.expect("a report")["advanced"] != 0 {}
    }
}

/// Sends a request that must succeed.
pub(crate) async fn send(gateways: &Gateways, request: &RequestBuilder<'_>) -> Response<Bytes> {
    let request = request.request();
    let response = gateways.of(request.uri().path()).handle(request, LOCALHOST).await;
    assert!(response.status().is_success(), "{response:?}");
    response
}

/// Measures a function from event to response, without the gateway.
struct Timed {
    function: Arc<dyn Invoke>,
    last: LastDuration,
}

impl Invoke for Timed {
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(async move {
            let start = Instant::now();
            let answer = self.function.invoke(event, timeout).await;
            *self.last.lock().expect("the lock is not poisoned") = start.elapsed();
            answer
        })
    }
}
