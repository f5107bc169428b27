//! Keys of the activity of visitors.

use super::SourceActivity;
use crate::identity::ClientScope;
use crate::table::{Entity, Key, Partition};

impl Entity for SourceActivity {}

impl ClientScope {
    /// What visitors with one source address did with the client's widgets; the address is hashed.
    pub(super) fn source_activity(self, source: &str) -> Key<SourceActivity> {
        Partition::new(self, "VISITOR").item(source)
    }
}
