//! The report of `bench costs`.

use super::{item_sizes, reminders, table, units};
use crate::handlers::Cost;
use crate::items::ItemCopy;
use crate::reminders::Sending;

/// The costs of the operations, by label, and the sizes of typical items.
pub(crate) struct Costs<'a> {
    pub(crate) operations: &'a [(&'a str, Cost)],
    pub(crate) items: &'a [(&'a str, Vec<ItemCopy>)],
    pub(crate) sending: &'a Sending,
}

impl Costs<'_> {
    /// Renders the report as Markdown.
    pub(crate) fn render(&self) -> String {
        let operations = table(
            ["Operation", "round trips", "read units", "write units"],
            self.operations.iter().map(|(name, cost)| {
                [(*name).to_owned(), cost.round_trips.to_string(), units(cost.read_units), units(cost.write_units)]
            }),
        );
        let (items, sending) = (item_sizes(self.items), reminders(self.sending));
        format!("## Operations\n\n{operations}\n\n## Item sizes\n\n{items}\n\n## Reminders\n\n{sending}\n")
    }
}
