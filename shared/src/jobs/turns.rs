//! The order in which clients get their turns in one invocation.

use std::collections::HashMap;
use std::hash::Hash;

/// The clients that wait for a turn. Each gets at most one.
///
/// The next turn is that of a tenant with the fewest turns so far: a tenant with many clients does not delay the
/// others.
pub(super) struct Turns<C, T> {
    waiting: Vec<C>,
    served: Vec<C>,
    tenant: fn(C) -> T,
    counts: HashMap<T, usize>,
}

impl<C: Copy + Eq, T: Eq + Hash> Turns<C, T> {
    /// The clients in the order of their turns; `tenant` is the tenant of a client.
    ///
    /// A client may be listed more than once.
    pub(super) fn new(clients: Vec<C>, tenant: fn(C) -> T) -> Self {
        Self { waiting: clients, served: Vec::new(), tenant, counts: HashMap::new() }
    }

    /// Replaces the waiting clients.
    pub(super) fn set_waiting(&mut self, clients: Vec<C>) {
        self.waiting = clients;
    }

    /// The next client that has not had a turn yet.
    pub(super) fn take(&mut self) -> Option<C> {
        self.waiting.retain(|client| !self.served.contains(client));
        let count = |client: &&C| self.counts.get(&(self.tenant)(**client)).copied().unwrap_or_default();
        let client = *self.waiting.iter().min_by_key(count)?;
        self.served.push(client);
        *self.counts.entry((self.tenant)(client)).or_default() += 1;
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client: its tenant and its number.
    type Client = (u8, u8);

    fn tenant(client: Client) -> u8 {
        client.0
    }

    fn any_clients() -> impl Strategy<Value = Vec<Client>> {
        prop::collection::vec((0..3_u8, 0..4_u8), 0..20)
    }

    fn take_all(turns: &mut Turns<Client, u8>) -> Vec<Client> {
        std::iter::from_fn(|| turns.take()).collect()
    }

    proptest! {
        #[test]
        fn each_client_gets_one_turn(first in any_clients(), taken in 0..6_usize, second in any_clients()) {
            let mut turns = Turns::new(first.clone(), tenant);
            let mut all: Vec<_> = std::iter::from_fn(|| turns.take()).take(taken).collect();
            turns.set_waiting(second.clone());
            all.extend(take_all(&mut turns));
            for client in &all {
                prop_assert_eq!(all.iter().filter(|other| *other == client).count(), 1);
                prop_assert!(first.contains(client) || second.contains(client));
            }
            prop_assert!(second.iter().all(|client| all.contains(client)));
        }

        #[test]
        fn clients_of_a_tenant_keep_their_order(clients in any_clients()) {
            let taken = take_all(&mut Turns::new(clients.clone(), tenant));
            let first = |client: &Client| clients.iter().position(|other| other == client);
            for number in 0..3 {
                prop_assert!(taken.iter().filter(|client| client.0 == number).is_sorted_by_key(&first));
            }
        }

        #[test]
        fn client_that_becomes_due_is_next_if_its_tenant_had_no_turn(busy in any_clients(), taken in 0..12_usize) {
            let mut turns = Turns::new(busy.clone(), tenant);
            let before = std::iter::from_fn(|| turns.take()).take(taken).count();
            turns.set_waiting([busy, vec![(9, 0)]].concat());
            let after = take_all(&mut turns);
            let position = after.iter().position(|client| *client == (9, 0)).unwrap();
            // Tenants without a turn come in the order of the list: at most the two or three others.
            prop_assert!(position <= if before == 0 { 3 } else { 2 }, "{position}");
        }
    }
}
