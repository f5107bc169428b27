//! The benchmark: cost in `DynamoDB`, handler times, and the functions' programs.
//!
//! - `bench costs`: round trips, capacity units and item sizes of the typical operations. It takes seconds in a debug build
//!   too, prints its report and stores nothing.
//! - `bench functions [--programs DIR]`: the same, with times, and with the cold start, memory and size of the programs in
//!   `DIR`, by default the directory of this program.
//! - `bench scale`: the effect of the number of a client's contacts and deals. `UPZENTO_BENCH_CONTACTS` sets the number of
//!   contacts of the larger of two clients; the default is 200,000.
//!
//! `DYNAMODB_ENDPOINT` is the URL of the engine. The benchmark is not a test: it fails only if a request fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

mod handlers;
mod items;
mod operations;
mod programs;
mod reminders;
mod replay;
mod report;
mod scale;

use std::path::Path;

use harness::world::World;

use handlers::Cost;
use items::Snapshot;
use operations::{Fixture, Operation};
use reminders::Sending;
use report::{Costs, Results};

/// Runs on one thread, as on Lambda.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["costs"] => costs().await,
        ["functions"] => functions(std::env::current_exe().unwrap().parent().unwrap()).await,
        ["functions", "--programs", directory] => functions(directory.as_ref()).await,
        ["scale"] => store("SCALE.md", &scale::measure().await.render()),
        _ => panic!("usage: bench costs | bench functions [--programs DIR] | bench scale"),
    }
}

async fn costs() {
    let world = World::new().await;
    let fixture = Fixture::create(&world).await;
    let operations = fixture.operations();
    let snapshot = Snapshot::of_table(&world.engine(), world.table()).await;
    let costs = measure_costs(&world, &snapshot, &operations).await;
    let names = operations.iter().map(|operation| operation.name);
    let operations: Vec<_> = names.zip(costs).collect();
    let sending = Sending::measure().await;
    println!(
        "{}",
        Costs { operations: &operations, items: &fixture.item_sizes(&snapshot), sending: &sending }.render()
    );
}

async fn functions(programs: &Path) {
    let world = World::new().await;
    let fixture = Fixture::create(&world).await;
    let operations = fixture.operations();
    let snapshot = Snapshot::of_table(&world.engine(), world.table()).await;
    let costs = measure_costs(&world, &snapshot, &operations).await;
    let times = handlers::time(&world, &snapshot, &operations).await;
    let programs = programs::measure(programs, &world, &snapshot, &operations).await;

    let names = operations.iter().map(|operation| operation.name);
    let operations: Vec<_> = names.zip(costs).zip(times).map(|((name, cost), times)| (name, cost, times)).collect();
    let items = fixture.item_sizes(&snapshot);
    let sending = Sending::measure().await;
    let results = Results { programs: &programs, operations: &operations, items: &items, sending: &sending };
    store("RESULTS.md", &results.render());
}

async fn measure_costs(world: &World, snapshot: &Snapshot, operations: &[Operation<'_>]) -> Vec<Cost> {
    let mut costs = Vec::new();
    for operation in operations {
        costs.push(handlers::cost(world, snapshot, operation).await);
    }
    costs
}

/// Prints a report.
///
/// A release build also stores it: the times of a debug build are meaningless.
fn store(file: &str, report: &str) {
    println!("{report}");
    if !cfg!(debug_assertions) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench").join(file);
        std::fs::write(path, report).expect("the report can be written");
    }
}
