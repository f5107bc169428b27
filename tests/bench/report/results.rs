//! What each function and each operation costs: `RESULTS.md`.

use super::{machine, mib, ms, ratio, table, units};
use crate::handlers::{Cost, Times};
use crate::programs::Program;

/// What was measured of the functions.
pub(crate) struct Results<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) operations: &'a [(&'a str, Cost, Times)],
    /// Name, bytes, and bytes of the keys.
    pub(crate) rows: &'a [(&'a str, usize, usize)],
}

impl Results<'_> {
    /// The whole, as Markdown.
    pub(crate) fn render(&self) -> String {
        let Self { programs, operations, rows } = self;
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
        format!(
            "# What it costs\n\nWritten by `make bench-functions`. What size does to it is in [SCALE.md](SCALE.md).\n\n{machine}\n\n\
             ## Functions\n\n{programs}\n\n## Operations\n\n{operations}\n\n## Rows\n\n{rows}\n\n## Notes\n\n{notes}\n"
        )
    }
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
- Bytes of rows follow
  [item sizes and formats](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
";
