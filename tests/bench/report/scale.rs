//! What size does to what an operation costs: `SCALE.md`.

use super::{machine, ms, ratio, table, units};
use crate::scale::{Filled, Measured, Scale};

impl Scale {
    /// The whole, as Markdown.
    pub(crate) fn render(&self) -> String {
        let Self { clients, contacts, deals, copies } = self;
        let (machine, notes) = (machine(), NOTES.trim());
        let contacts = operations("contacts", clients.each_ref().map(|client| client.contacts), contacts);
        let deals = operations("deals", clients.each_ref().map(|client| client.deals), deals);
        let copies = table(
            ["Copy of a contact", "bytes", "of these its key"],
            copies.iter().map(|(place, whole, key)| [place.clone(), whole.to_string(), key.to_string()]),
        );
        let prepared = prepared(clients);
        format!(
            "# What size does to what it costs\n\nWritten by `make bench-scale`.\n\n{machine}\n\n\
             ## Contacts\n\n{contacts}\n\n{copies}\n\n## Deals\n\n{deals}\n\n{prepared}\n\n## Notes\n\n{notes}\n"
        )
    }
}

/// A line for the small client, and one for the large.
fn operations(counted: &str, counts: [usize; 2], measured: &[Measured]) -> String {
    let lines = measured.iter().flat_map(|Measured { name, sides }| {
        sides.iter().zip(counts).enumerate().map(move |(at, (side, count))| {
            [
                (*name).to_owned(),
                count.to_string(),
                side.cost.round_trips.to_string(),
                units(side.cost.read_units),
                units(side.cost.write_units),
                ms(&side.times, 0.5),
                ms(&side.times, 0.9),
                if at == 0 { "–".to_owned() } else { ratio(&side.times, &sides[0].times) },
            ]
        })
    });
    let head = ["Operation", counted, "round trips", "read units", "write units", "p50 ms", "p90 ms", "ratio"];
    table(head, lines).to_string()
}

fn prepared(clients: &[Filled]) -> String {
    let told = clients.iter().map(|client| {
        let Filled { contacts, imported_in, deals, created_in } = client;
        let [imported, created] = [imported_in, created_in].map(std::time::Duration::as_secs_f64);
        format!("{contacts} contacts were imported in {imported:.1} s, {deals} deals created in {created:.1} s.")
    });
    told.collect::<Vec<_>>().join(" ")
}

const NOTES: &str = "
- Two clients in one table, asked in turn, call by call: what disturbs the machine disturbs both. Ratio: the p50 of the larger client
  over that of the smaller one. Times are of a machine with other work to do: quote ratios, never a single time.
- Handler: in this process, from event to answer, without gateway, sockets and logs.
- A list of contacts is a page of 25, one of deals a page of 10, with another page after it; what is looked for by email is one
  contact. The board shows the first 10 deals of each of 5 stages, all of them open. Each deal has a contact.
- Round trips, read units and write units are counted as in [RESULTS.md](RESULTS.md#notes).
- The contacts came as CSV files of at most 20000 rows, 4 at a time, and the deals one by one, 4 at a time, through the same handlers,
  straight on the engine.
";
