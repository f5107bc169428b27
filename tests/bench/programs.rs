//! The functions' programs as they are deployed: cold start, memory and size.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use harness::world::{Gateways, TEMPLATE, World, engine_endpoint, local_config};
use infra::aws::function::{Functions, Invoke};
use infra::aws::runtime_api::{LambdaFunction, Output, Settings};
use infra::aws::template::Function;
use infra::local::modules;
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::handlers::send;
use crate::items::Snapshot;
use crate::operations::Operation;

/// The number of measured starts of each program.
///
/// One more start, before them, loads the program into the page cache.
const STARTS: usize = 20;

/// The number of requests that a process answers before its memory is read.
const REQUESTS: usize = 50;

/// The measurements of one function's program.
pub(crate) struct Program {
    /// The function's name.
    pub(crate) name: String,
    /// The times from the start of the process to its first request for an invocation.
    pub(crate) cold_starts: Vec<Duration>,
    /// The memory of a process after several requests.
    pub(crate) memory: Memory,
    /// The size of the program, in bytes.
    pub(crate) size: usize,
    /// The size of the zip archive that is deployed, in bytes.
    pub(crate) zipped: usize,
}

/// The memory of a process, in bytes.
pub(crate) struct Memory {
    /// The resident set.
    pub(crate) resident: usize,
    /// The largest resident set so far.
    pub(crate) peak: usize,
}

/// Measures the programs in a directory.
pub(crate) async fn measure(
    programs: &Path,
    world: &World,
    snapshot: &Snapshot,
    operations: &[Operation<'_>],
) -> Vec<Program> {
    let functions: BTreeMap<_, _> =
        TEMPLATE.functions.iter().map(|(id, function)| (id.clone(), process(programs, world, function))).collect();
    let mut cold_starts = cold_starts(&functions).await;
    let invoked = functions.iter().map(|(id, function)| (id.clone(), Arc::clone(function) as Arc<dyn Invoke>));
    let gateways = Gateways::new(invoked.collect::<Functions>());
    let mut measured = Vec::new();
    for (id, function) in &functions {
        let name = &TEMPLATE.functions[id].name;
        let own = operations.iter().filter(|operation| operation.module == name);
        for operation in own.cycle().take(REQUESTS) {
            send(&gateways, &operation.request).await;
            snapshot.restore().await;
        }
        if function.idle_process_ids().is_empty() {
            // A function without routes: it runs the due jobs or sends the due mail.
            function.invoke(json!({}), TEMPLATE.functions[id].timeout).await.expect("the function succeeds");
            snapshot.restore().await;
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
        environment: modules::environment(function, world.table(), world.keys(), &engine_endpoint(), &local_config()),
        concurrency: 1,
        output: Output::Discard,
    }))
}

/// Starts the programs in turn, so that other load affects all of them.
async fn cold_starts(functions: &BTreeMap<String, Arc<LambdaFunction>>) -> BTreeMap<String, Vec<Duration>> {
    let mut starts: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for round in 0..=STARTS {
        for (id, function) in functions {
            let start = function.warm_up().await.expect("the program starts");
            function.shutdown().await;
            if round > 0 {
                starts.entry(id.clone()).or_default().push(start.duration);
            }
        }
    }
    starts
}

impl Memory {
    /// Reads the memory of a process; see `/proc/[pid]/status` in proc(5).
    fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
        let kilobytes = |name: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux reports it");
            line.trim_start_matches(':').trim_end_matches("kB").trim().parse().expect("a number of kB")
        };
        Self { resident: kilobytes("VmRSS") * 1024, peak: kilobytes("VmHWM") * 1024 }
    }
}

/// The size of the zip archive that is deployed, in bytes.
fn zipped(program: &[u8]) -> usize {
    let options = SimpleFileOptions::default().unix_permissions(0o755).compression_level(Some(9));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options).expect("the archive can be written");
    zip.write_all(program).expect("the archive can be written");
    zip.finish().expect("the archive can be written").into_inner().len()
}
