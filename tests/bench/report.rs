//! The tables, for the terminal and for `RESULTS.md` alike.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

use crate::handlers::{Cost, Times};
use crate::programs::Program;
use crate::scale::Scale;

/// Everything that was measured.
pub(crate) struct Report<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) operations: &'a [(&'a str, Cost, Times)],
    /// Name, bytes, and bytes of the keys.
    pub(crate) rows: &'a [(&'a str, usize, usize)],
    pub(crate) scale: &'a Scale,
}

impl Report<'_> {
    /// The whole, as Markdown.
    pub(crate) fn render(&self) -> String {
        let Self { programs, operations, rows, scale } = self;
        let (machine, notes) = (machine(), NOTES.trim());
        let programs = table(
            ["Function", "cold start p50 ms", "p90 ms", "resident MiB", "peak MiB", "program MiB", "zip MiB"],
            programs.iter().map(|program| {
                [
                    program.name.clone(),
                    ms(&program.cold_starts, 0.5),
                    ms(&program.cold_starts, 0.9),
                    mib(program.memory.resident),
                    mib(program.memory.peak),
                    mib(program.size),
                    mib(program.zipped),
                ]
            }),
        );
        let operations = table(
            ["Operation", "round trips", "read units", "write units", "p50 ms", "p90 ms", "bare p50 ms", "ratio"],
            operations.iter().map(|(name, cost, times)| {
                [
                    (*name).to_owned(),
                    cost.round_trips.to_string(),
                    units(cost.read_units),
                    units(cost.write_units),
                    ms(&times.handler, 0.5),
                    ms(&times.handler, 0.9),
                    ms(&times.bare, 0.5),
                    ratio(&times.handler, &times.bare),
                ]
            }),
        );
        let rows = table(
            ["Row", "bytes", "of these keys"],
            rows.iter().map(|(name, whole, keys)| [(*name).to_owned(), whole.to_string(), keys.to_string()]),
        );
        let scale = at_scale(scale);
        format!(
            "# What it costs\n\nWritten by `make bench`.\n\n{machine}\n\n\
             ## Functions\n\n{programs}\n\n## Operations\n\n{operations}\n\n## Rows\n\n{rows}\n\n\
             ## Contacts at scale\n\n{scale}\n\n## Notes\n\n{notes}\n"
        )
    }
}

/// What the number of contacts does to each operation: a line for the small client, and one for the large.
fn at_scale(scale: &Scale) -> String {
    let operations = scale.operations.iter().flat_map(|(name, sides)| {
        let smallest = &sides[0].times;
        sides.iter().zip(&scale.clients).enumerate().map(move |(at, (side, client))| {
            [
                (*name).to_owned(),
                client.contacts.to_string(),
                side.cost.round_trips.to_string(),
                units(side.cost.read_units),
                units(side.cost.write_units),
                ms(&side.times, 0.5),
                ms(&side.times, 0.9),
                if at == 0 { "–".to_owned() } else { ratio(&side.times, smallest) },
            ]
        })
    });
    let operations = table(
        ["Operation", "contacts", "round trips", "read units", "write units", "p50 ms", "p90 ms", "ratio"],
        operations,
    );
    let copies = scale.copies.iter();
    let copies = table(
        ["Copy of a contact", "bytes", "of these its key"],
        copies.map(|(place, whole, key)| [place.clone(), whole.to_string(), key.to_string()]),
    );
    let imports = scale.clients.iter();
    let imports: Vec<_> =
        imports.map(|client| format!("{} in {:.1} s", client.contacts, client.imported_in.as_secs_f64())).collect();
    format!("{operations}\n\n{copies}\n\nImported: {}.", imports.join(", "))
}

const NOTES: &str = "
- Times are of a machine with other work to do: quote medians and ratios, never a single time.
- Cold start: from the start of the process until it first asks the Runtime API for an invocation, over 20 starts, the
  program in the page cache and the engine warm. On AWS come on top: the download of the zip, the start of the sandbox, and
  the TLS handshake with DynamoDB, whose first random numbers take AWS-LC some 20 to 50 ms to seed
  ([`AWS_LC_SYS_NO_JITTER_ENTROPY`](https://aws.github.io/aws-lc-rs/resources.html#entropy-configuration)).
- Memory: after 50 requests, which go through the function's operations in turn.
- Zip: the stripped program as `bootstrap`, deflate at level 9.
- Handler: in this process, from event to answer, without gateway, sockets and logs. Bare: the calls that the handler made,
  with the same parameters, on the same rows, made again with the SDK alone right after it. Ratio: p50 over p50. A sign-in
  also hashes a password (Argon2id, 19 MiB), which is meant to be slow.
- Each operation is done by the lowest role that may, unless its name says otherwise. A list is a page of 25 with another
  page after it.
- Round trips and read units are what the engine reported through a recording proxy, in a pass of their own.
- Write units are computed from the rows before and after, because DynamoDB Local reports too few for transactions: 2 for
  each started KB of each part of a transaction, condition checks too
  ([capacity management for transactions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html)),
  where the larger of the row before and after counts, for a delete the deleted row
  ([capacity unit consumption for write operations](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)).
  An entry of an index is written besides, and no part of the transaction: once when it comes, goes or changes, twice when it
  moves, each for every started KB
  ([provisioned throughput considerations for global secondary indexes](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations)).
- Contacts at scale: two clients in one table, whose contacts came as CSV files of at most 20000 rows, asked in turn. Each list
  is a page of 25 with another page after it; what is looked for by email is one contact. Ratio: p50 over that of the smaller
  client. An import is timed from the first file sent until the last is done, through the recording proxy.
- Bytes of rows follow
  [item sizes and formats](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
";

/// The machine, without a name or a date.
fn machine() -> String {
    let cores = available_parallelism().map_or(0, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kilobytes: usize = memory.trim_end_matches("kB").trim().parse().unwrap_or_default();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let profile = if cfg!(debug_assertions) { "debug build, of no use" } else { "release build" };
    format!(
        "{cores} cores ({processor}), {} GiB, {rustc}, {profile}, DynamoDB Local in memory.",
        kilobytes.div_ceil(1 << 20)
    )
}

/// The first value of a name in a file of `name : value` lines.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(head).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The value below which a share of the times lies.
fn quantile(times: &[Duration], share: f64) -> Option<f64> {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few times"
    )]
    let index = (times.len().saturating_sub(1) as f64 * share).round() as usize;
    times.get(index).copied()
}

fn ms(times: &[Duration], share: f64) -> String {
    quantile(times, share).map_or("–".to_owned(), |ms| format!("{ms:.2}"))
}

/// Median over median.
fn ratio(times: &[Duration], to: &[Duration]) -> String {
    let ratio = quantile(times, 0.5).zip(quantile(to, 0.5)).map(|(times, to)| times / to);
    ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// A sum of nothing is a negative zero.
fn units(units: f64) -> String {
    format!("{}", units + 0.0)
}

fn mib(bytes: usize) -> String {
    let tenths = (bytes * 10).div_ceil(1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}
