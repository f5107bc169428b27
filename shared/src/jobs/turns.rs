//! The order in which clients get their turns in one invocation.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// The clients that wait for a turn. Each gets at most one.
pub(super) struct Turns<C> {
    waiting: VecDeque<C>,
    served: HashSet<C>,
}

impl<C: Copy + Eq + Hash> Turns<C> {
    /// The clients in the order of their turns.
    ///
    /// A client may be listed more than once.
    pub(super) fn new(clients: impl IntoIterator<Item = C>) -> Self {
        Self { waiting: clients.into_iter().collect(), served: HashSet::new() }
    }

    /// Replaces the waiting clients.
    pub(super) fn set_waiting(&mut self, clients: impl IntoIterator<Item = C>) {
        self.waiting = clients.into_iter().collect();
    }

    /// The next client that has not had a turn yet.
    pub(super) fn take(&mut self) -> Option<C> {
        while let Some(client) = self.waiting.pop_front() {
            if self.served.insert(client) {
                return Some(client);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_client_gets_one_turn_in_the_order_of_the_lists(
            lists in prop::collection::vec((prop::collection::vec(0..8_u8, 0..20), 0..6_usize), 0..6)
        ) {
            let mut turns = Turns::new([]);
            let mut taken: Vec<u8> = Vec::new();
            for (list, count) in lists {
                let mut expected: Vec<u8> = Vec::new();
                for client in &list {
                    if !taken.contains(client) && !expected.contains(client) {
                        expected.push(*client);
                    }
                }
                expected.truncate(count);
                turns.set_waiting(list);
                let found: Vec<u8> = std::iter::from_fn(|| turns.take()).take(count).collect();
                prop_assert_eq!(&found, &expected);
                taken.extend(found);
            }
        }
    }
}
