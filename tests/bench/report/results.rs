//! The report of `bench functions`: `RESULTS.md`.

use super::{item_sizes, machine, mib, ms, ratio, reminders, table, units};
use crate::handlers::{Cost, Times};
use crate::items::ItemCopy;
use crate::programs::Program;
use crate::reminders::Sending;

/// The measurements of functions and operations, and the sizes of items.
pub(crate) struct Results<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) operations: &'a [(&'a str, Cost, Times)],
    pub(crate) items: &'a [(&'a str, Vec<ItemCopy>)],
    pub(crate) sending: &'a Sending,
}

impl Results<'_> {
    /// Renders the report as Markdown.
    pub(crate) fn render(&self) -> String {
        let Self { programs, operations, items, sending } = self;
        let sending = reminders(sending);
        let (machine, items, notes) = (machine(), item_sizes(items), NOTES.trim());
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
            ["Operation", "round trips", "read units", "write units", "p50 ms", "p90 ms", "SDK p50 ms", "ratio"],
            operations.iter().map(|(name, cost, times)| {
                [
                    (*name).to_owned(),
                    cost.round_trips.to_string(),
                    units(cost.read_units),
                    units(cost.write_units),
                    ms(&times.handler, 0.5),
                    ms(&times.handler, 0.9),
                    ms(&times.sdk, 0.5),
                    ratio(&times.handler, &times.sdk),
                ]
            }),
        );
        format!(
            "# Cost and performance\n\nWritten by `make bench-functions`. [SCALE.md](SCALE.md) has the effect of the number of items.\n\n{machine}\n\n\
             ## Functions\n\n{programs}\n\n## Operations\n\n{operations}\n\n## Item sizes\n\n{items}\n\n## Reminders\n\n{sending}\n\n## Notes\n\n{notes}\n"
        )
    }
}

const NOTES: &str = "
- Times were measured on a machine with other load: quote medians and ratios, never single times.
- Cold start: from the start of the process to its first request for an invocation at the Runtime API, over 20 starts, with the
  program in the page cache and a warm engine. AWS adds the download of the zip archive, the start of the sandbox, and the TLS
  handshake with DynamoDB, for which AWS-LC needs 20 to 50 ms to seed its random numbers
  ([`AWS_LC_SYS_NO_JITTER_ENTROPY`](https://aws.github.io/aws-lc-rs/resources.html#entropy-configuration)).
- Memory: after 50 requests, which repeat the operations of the function in turn.
- Zip: the stripped program as `bootstrap`, compressed with deflate at level 9.
- p50 and p90: times of the handler, in this process, from event to response, without gateway, sockets and logs. SDK: the calls
  of the handler, repeated with the SDK alone right after it, with the same parameters on the same items. Ratio: p50 of the
  handler divided by p50 of the SDK. A sign-in also hashes a password (Argon2id, 19 MiB), which is slow by design.
- Operations: by their operation ids in the OpenAPI document. Each request is sent by the lowest role that is allowed to, unless
  the table names a role. Lists return a page of 25 that has a next page.
- Round trips and read units: reported by the engine through a recording proxy, in a separate pass.
- Write units: computed from the items before and after the request, because DynamoDB Local reports too few for transactions.
  A transaction costs 2 units for each started KB of each of its parts, condition checks included
  ([capacity management for transactions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html)).
  The size is that of the item before or after the write, whichever is larger
  ([capacity unit consumption for write operations](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)).
  Index entries are written outside the transaction, for 1 unit per started KB: once if the entry is added, changed or removed,
  twice if its index key changes
  ([provisioned throughput considerations for global secondary indexes](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations)).
- Item sizes: of each copy of an item, in the table and in the indexes
  ([item sizes and formats](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)).
  A write of an item of at most 1,024 bytes costs 1 unit per copy. The targets for deals and appointments leave space for longer
  values: at most 900 bytes for each index entry, and for the copy in the table without contact and assignee.
";
