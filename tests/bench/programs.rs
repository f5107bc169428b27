//! The functions as they are deployed: how fast a process starts, what it holds in memory, how large it is.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use harness::world::{TEMPLATE, World, engine_endpoint, surroundings};
use infra::function::{Functions, Invoke};
use infra::gateway::Gateway;
use infra::modules;
use infra::runtime_api::{LambdaFunction, Output, Settings};
use infra::template::Function;
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::handlers::request;
use crate::operations::Operation;
use crate::rows::Rows;

/// How often each program is started, after once to have it in the page cache.
const STARTS: usize = 20;

/// How many requests a process has answered when its memory is read.
const REQUESTS: usize = 50;

/// One function's program. Sizes are in bytes.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) cold_starts: Vec<Duration>,
    pub(crate) memory: Memory,
    pub(crate) size: usize,
    pub(crate) zipped: usize,
}

/// What a process holds in memory, in bytes.
pub(crate) struct Memory {
    pub(crate) resident: usize,
    pub(crate) peak: usize,
}

/// Measures the programs in a directory.
pub(crate) async fn measure(programs: &Path, world: &World, rows: &Rows, operations: &[Operation<'_>]) -> Vec<Program> {
    let functions: BTreeMap<_, _> =
        TEMPLATE.functions.iter().map(|(id, function)| (id.clone(), process(programs, world, function))).collect();
    let mut cold_starts = cold_starts(&functions).await;
    let invoked = functions.iter().map(|(id, function)| (id.clone(), Arc::clone(function) as Arc<dyn Invoke>));
    let gateway = Gateway::new(&TEMPLATE, "Api", invoked.collect::<Functions>()).expect("every function has a program");
    let mut measured = Vec::new();
    for (id, function) in &functions {
        let name = &TEMPLATE.functions[id].name;
        let own = operations.iter().filter(|operation| operation.module == name);
        for operation in own.cycle().take(REQUESTS) {
            request(&gateway, &operation.ask).await;
            rows.restore().await;
        }
        if function.idle_process_ids().is_empty() {
            // It answers no request: it does what is due.
            function.invoke(json!({}), TEMPLATE.functions[id].timeout).await.expect("it does what is due");
            rows.restore().await;
        }
        let program = fs::read(programs.join(name)).expect("the program can be read");
        measured.push(Program {
            name: name.clone(),
            cold_starts: cold_starts.remove(id).unwrap_or_default(),
            memory: Memory::of(function.idle_process_ids()[0]),
            size: program.len(),
            zipped: zipped(&program),
        });
        function.shutdown().await;
    }
    measured
}

fn process(programs: &Path, world: &World, function: &Function) -> Arc<LambdaFunction> {
    let bootstrap: PathBuf = programs.join(&function.name);
    assert!(bootstrap.is_file(), "{} is not built", bootstrap.display());
    Arc::new(LambdaFunction::new(Settings {
        name: function.name.clone(),
        bootstrap,
        memory_mb: function.memory_mb,
        environment: modules::environment(function, world.table(), world.keys(), &engine_endpoint(), &surroundings()),
        concurrency: 1,
        output: Output::Discard,
    }))
}

/// Starts each program in turn, so that what disturbs the machine disturbs all.
async fn cold_starts(functions: &BTreeMap<String, Arc<LambdaFunction>>) -> BTreeMap<String, Vec<Duration>> {
    let mut starts: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for round in 0..=STARTS {
        for (id, function) in functions {
            let start = function.warm_up().await.expect("it starts");
            function.shutdown().await;
            if round > 0 {
                starts.entry(id.clone()).or_default().push(start.duration);
            }
        }
    }
    starts
}

impl Memory {
    /// See `/proc/[pid]/status` in proc(5).
    fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
        let kilobytes = |name: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux says so");
            line.trim_start_matches(':').trim_end_matches("kB").trim().parse().expect("a number of kB")
        };
        Self { resident: kilobytes("VmRSS") * 1024, peak: kilobytes("VmHWM") * 1024 }
    }
}

/// The size of the zip that is deployed.
fn zipped(program: &[u8]) -> usize {
    let options = SimpleFileOptions::default().unix_permissions(0o755).compression_level(Some(9));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options).expect("a zip can hold a program");
    zip.write_all(program).expect("memory can be written");
    zip.finish().expect("memory can be written").into_inner().len()
}
