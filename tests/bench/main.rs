//! `bench functions [--programs DIR]`: what the system costs in time, memory and `DynamoDB` units, with the functions' programs in
//! `DIR`, or beside this program. `bench scale`: what the number of a client's contacts and deals does to that;
//! `UPZENTO_BENCH_CONTACTS` is how many contacts the larger of two clients has, 200000 unless it says otherwise. Needs the engine at
//! `DYNAMODB_ENDPOINT`.
//!
//! It is no test: it says how long things take, and fails only if a request does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

mod handlers;
mod operations;
mod programs;
mod report;
mod rows;
mod scale;
mod tape;

use std::path::Path;

use harness::world::World;

use operations::Stage;
use report::Results;
use rows::Rows;

/// One thread, as on Lambda.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["functions"] => functions(std::env::current_exe().unwrap().parent().unwrap()).await,
        ["functions", "--programs", directory] => functions(directory.as_ref()).await,
        ["scale"] => keep("SCALE.md", &scale::measure().await.render()),
        _ => panic!("usage: bench functions [--programs DIR] | bench scale"),
    }
}

async fn functions(programs: &Path) {
    let world = World::new().await;
    let stage = Stage::set(&world).await;
    let operations = stage.operations();
    let rows = Rows::read(&world.engine(), world.table()).await;

    let mut costs = Vec::new();
    for operation in &operations {
        costs.push(handlers::cost(&world, &rows, operation).await);
    }
    let times = handlers::time(&world, &rows, &operations).await;
    let programs = programs::measure(programs, &world, &rows, &operations).await;

    let names = operations.iter().map(|operation| operation.name);
    let measured: Vec<_> = names.zip(costs).zip(times).map(|((name, cost), times)| (name, cost, times)).collect();
    let weights = stage.typical_rows().map(|(name, sort)| {
        let (whole, keys) = rows.weigh(sort);
        (name, whole, keys)
    });
    keep("RESULTS.md", &Results { programs: &programs, operations: &measured, rows: &weights }.render());
}

/// Shows a report, and keeps it if it is worth that: what a debug build measures is not.
fn keep(file: &str, report: &str) {
    println!("{report}");
    if !cfg!(debug_assertions) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench").join(file);
        std::fs::write(path, report).expect("a report can be written");
    }
}
