use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::value::Id;

/// What of a client was deleted while other rows still refer to it: a job clears their references, and until then whoever reads
/// one of them leaves the reference out. Small, because only what is referred to from many rows comes here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tombstones {
    #[serde(default)]
    ids: HashSet<Uuid>,
}

const MOST: usize = 1000;

impl Tombstones {
    /// Whether this was deleted.
    pub fn has<T>(&self, id: Id<T>) -> bool {
        self.ids.contains(&id.uuid())
    }

    /// Whether there is no room for more: a thousand ids are 40 KB, which every read of a tagged contact reads too.
    pub fn is_full(&self) -> bool {
        self.ids.len() >= MOST
    }

    /// Whether this is among it.
    pub fn names(&self, id: Uuid) -> bool {
        self.ids.contains(&id)
    }

    /// Whether there is nothing else.
    pub fn is_one(&self) -> bool {
        self.ids.len() == 1
    }
}
