//! `bench [--programs DIR]`: what the system costs in time, memory and `DynamoDB` units. Needs the engine at
//! `DYNAMODB_ENDPOINT`, and the functions' programs in `DIR`, or beside this program. `UPZENTO_BENCH_CONTACTS` is how many
//! contacts the larger of two clients has, 200000 unless it says otherwise.
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

use std::path::PathBuf;

use harness::world::World;

use operations::Stage;
use report::Report;
use rows::Rows;

/// One thread, as on Lambda.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let programs = programs_directory();
    let world = World::new().await;
    let stage = Stage::set(&world).await;
    let operations = stage.operations();
    let rows = Rows::read(&world.engine(), world.table()).await;

    let mut costs = Vec::new();
    for operation in &operations {
        costs.push(handlers::cost(&world, &rows, operation).await);
    }
    let times = handlers::time(&world, &rows, &operations).await;
    let programs = programs::measure(&programs, &world, &rows, &operations).await;
    let scale = scale::measure().await;

    let names = operations.iter().map(|operation| operation.name);
    let measured: Vec<_> = names.zip(costs).zip(times).map(|((name, cost), times)| (name, cost, times)).collect();
    let weights = stage.typical_rows().map(|(name, sort)| {
        let (whole, keys) = rows.weigh(sort);
        (name, whole, keys)
    });
    let report = Report { programs: &programs, operations: &measured, rows: &weights, scale: &scale }.render();
    println!("{report}");
    // What a debug build measures is not worth keeping.
    if !cfg!(debug_assertions) {
        let results = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/RESULTS.md");
        std::fs::write(results, report).expect("RESULTS.md can be written");
    }
}

fn programs_directory() -> PathBuf {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => std::env::current_exe().unwrap().parent().unwrap().to_owned(),
        [option, directory] if option == "--programs" => directory.into(),
        _ => panic!("usage: bench [--programs DIR]"),
    }
}
