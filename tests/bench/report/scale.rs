//! The report of `bench scale`: `SCALE.md`.

use super::{item_sizes, machine, ms, ratio, table, units};
use crate::scale::{ClientSize, Measurement, Scale};

impl Scale {
    /// Renders the report as Markdown.
    pub(crate) fn render(&self) -> String {
        let Self { clients, contacts, deals, copies } = self;
        let (machine, notes) = (machine(), NOTES.trim());
        let contacts = operations("contacts", clients.each_ref().map(|client| client.contacts), contacts);
        let deals = operations("deals", clients.each_ref().map(|client| client.deals), deals);
        let copies = item_sizes(copies);
        let preparation = preparation(clients);
        format!(
            "# Cost and the number of items\n\nWritten by `make bench-scale`.\n\n{machine}\n\n\
             ## Contacts\n\n{contacts}\n\n{copies}\n\n## Deals\n\n{deals}\n\n{preparation}\n\n## Notes\n\n{notes}\n"
        )
    }
}

/// One line per operation and client.
///
/// The column `unit` has the number of the client's entities.
fn operations(unit: &str, counts: [usize; 2], measurements: &[Measurement]) -> String {
    let lines = measurements.iter().flat_map(|Measurement { name, samples }| {
        samples.iter().zip(counts).enumerate().map(move |(index, (sample, count))| {
            [
                (*name).to_owned(),
                count.to_string(),
                sample.cost.round_trips.to_string(),
                units(sample.cost.read_units),
                units(sample.cost.write_units),
                ms(&sample.times, 0.5),
                ms(&sample.times, 0.9),
                if index == 0 { "–".to_owned() } else { ratio(&sample.times, &samples[0].times) },
            ]
        })
    });
    let head = ["Operation", unit, "round trips", "read units", "write units", "p50 ms", "p90 ms", "ratio"];
    table(head, lines).to_string()
}

/// The duration of creating the data.
fn preparation(clients: &[ClientSize]) -> String {
    let sentences = clients.iter().map(|client| {
        let ClientSize { contacts, imported_in, deals, created_in } = client;
        let [imported, created] = [imported_in, created_in].map(std::time::Duration::as_secs_f64);
        format!("{contacts} contacts were imported in {imported:.1} s, {deals} deals created in {created:.1} s.")
    });
    sentences.collect::<Vec<_>>().join(" ")
}

const NOTES: &str = "
- Two clients in one table receive the same requests, in alternation, so that other load on the machine affects both. Ratio: p50 of
  the larger client divided by that of the smaller one. Times were measured on a machine with other load: quote ratios, never
  single times.
- p50 and p90: times of the handler, in this process, from event to response, without gateway, sockets and logs.
- Lists return a page of 25 contacts or of 10 deals that has a next page; the email filter finds one contact. The board shows the
  first 10 deals of each of 5 stages, all of them open. Each deal has a contact.
- Round trips, read units, write units and item sizes are measured as in [RESULTS.md](RESULTS.md#notes).
- The data was created by the same handlers, without the proxy: the contacts by imports of CSV files of at most 20,000 rows, the
  deals one by one, in both cases with 4 requests at a time.
";
