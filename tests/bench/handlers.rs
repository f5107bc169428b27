//! What an operation costs in `DynamoDB`, and how long its handler takes beside the bare SDK.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use harness::call::Call;
use harness::who::RequestBuilder;
use harness::world::{TEMPLATE, World, engine_endpoint, surroundings};
use hyper::body::Bytes;
use infra::function::{FunctionError, Functions, Invoke};
use infra::gateway::Gateway;
use infra::{engine, modules};
use lambda_http::BoxFuture;
use lambda_http::http::Response;
use serde_json::{Value, json};
use shared::App;

use crate::operations::Operation;
use crate::rows::Rows;
use crate::tape::Tape;

/// How often each operation is timed, after the engine's compiler has seen it [`UNTIMED`] times.
const TIMED: usize = 100;
pub(crate) const UNTIMED: usize = 10;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What an operation costs in `DynamoDB`.
pub(crate) struct Cost {
    pub(crate) round_trips: usize,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

impl Cost {
    /// Of calls whose reads the engine counted.
    pub(crate) fn of(calls: &[Call], write_units: f64) -> Self {
        let capacity = calls.iter().filter_map(|call| call.answer.as_ref()?.capacity);
        Self { round_trips: calls.len(), read_units: capacity.map(|capacity| capacity.read).sum(), write_units }
    }
}

/// Makes the request once, through the recorder.
pub(crate) async fn cost(world: &World, rows: &Rows, operation: &Operation<'_>) -> Cost {
    let answer = operation.ask.clone().send().await;
    assert!(answer.status.is_success(), "{answer}");
    let after = Rows::read(&world.engine(), world.table()).await;
    rows.restore().await;
    Cost::of(&answer.calls, rows.write_units(&after, &answer.calls))
}

/// How long a handler took each time, and how long the same calls took without it. `bare` is empty if it makes none.
#[derive(Clone, Default)]
pub(crate) struct Times {
    pub(crate) handler: Vec<Duration>,
    pub(crate) bare: Vec<Duration>,
}

/// Times every operation: in rounds, and in each round the bare calls right after the handler's, so that what disturbs the
/// machine disturbs both.
pub(crate) async fn time(world: &World, rows: &Rows, operations: &[Operation<'_>]) -> Vec<Times> {
    let tape = Tape::default();
    let client = shared::client(engine::config(&engine_endpoint()).interceptor(tape.clone()));
    let bench = Bench::new(world, client.clone());
    let mut times = vec![Times::default(); operations.len()];
    for round in 0..UNTIMED + TIMED {
        for (operation, times) in operations.iter().zip(&mut times) {
            let (handler, _) = bench.handle(&operation.ask).await;
            rows.restore().await;
            let bare = tape.replay(&client).await;
            rows.restore().await;
            if round >= UNTIMED {
                times.handler.push(handler);
                times.bare.extend(bare);
            }
        }
    }
    times
}

/// The functions in this process, straight on the engine, with the world's table and keys.
pub(crate) struct Bench {
    gateway: Gateway,
    jobs: jobs::Service,
    took: Took,
}

/// How long the last invocation took.
type Took = Arc<Mutex<Duration>>;

impl Bench {
    /// With this client of the engine.
    pub(crate) fn new(world: &World, client: Client) -> Self {
        let took = Took::default();
        let config = modules::config(world.table(), world.keys());
        let app = App::new(config, client, world.clock().clone()).expect("it starts");
        let routers = modules::routers(&app, world.keys(), &surroundings()).expect("the keys are good");
        let functions: BTreeMap<_, _> = modules::in_process(&TEMPLATE, &routers, &modules::Listeners::new());
        let timed = functions.into_iter().map(|(id, function)| {
            let timed: Arc<dyn Invoke> = Arc::new(Timed { function, took: Arc::clone(&took) });
            (id, timed)
        });
        let gateway =
            Gateway::new(&TEMPLATE, "Api", timed.collect::<Functions>()).expect("every function has a router");
        Self { gateway, jobs: jobs::Service::new(app), took }
    }

    /// Answers a request that must succeed, and says how long its function took.
    pub(crate) async fn handle(&self, ask: &RequestBuilder<'_>) -> (Duration, Response<Bytes>) {
        let response = request(&self.gateway, ask).await;
        (*self.took.lock().expect("nobody panics here"), response)
    }

    /// Lets the jobs go on until nothing of them is left to be done now.
    pub(crate) async fn work(&self) {
        while self.jobs.handle(json!({})).await.expect("a report")["advanced"] != 0 {}
    }
}

/// Makes a request that must succeed.
pub(crate) async fn request(gateway: &Gateway, ask: &RequestBuilder<'_>) -> Response<Bytes> {
    let response = gateway.handle(ask.request(), LOCALHOST).await;
    assert!(response.status().is_success(), "{response:?}");
    response
}

/// Takes the time of a function from event to answer, without the gateway's own.
struct Timed {
    function: Arc<dyn Invoke>,
    took: Took,
}

impl Invoke for Timed {
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(async move {
            let start = Instant::now();
            let answer = self.function.invoke(event, timeout).await;
            *self.took.lock().expect("nobody panics here") = start.elapsed();
            answer
        })
    }
}
