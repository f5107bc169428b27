//! Fair order: tenants take turns, and so do the scopes of a tenant.

use std::collections::HashMap;
use std::hash::Hash;

use super::key::Key;

/// Orders the keys of a queue so that tenants take turns, and within a tenant its scopes.
pub(crate) fn in_turns<T>(keys: Vec<Key<T>>) -> Vec<Key<T>> {
    let keys = take_turns(keys, |key| key.pk.clone());
    take_turns(keys, |key| tenant(&key.pk).to_owned())
}

/// The part of a partition key that names the tenant, or the platform.
fn tenant(pk: &str) -> &str {
    let end = pk.match_indices('#').nth(1).map_or(pk.len(), |(at, _)| at);
    &pk[..end]
}

/// Orders items so that their groups take turns: the first item of each group, then the second, and so on.
///
/// Within a turn, and within a group, items keep their order. An item waits for at most as many turns as there
/// are earlier items of its own group, however many items other groups have.
fn take_turns<T, G: Eq + Hash>(items: Vec<T>, group: impl Fn(&T) -> G) -> Vec<T> {
    let mut counts = HashMap::new();
    let turn_of = |item: &T| {
        let count: &mut usize = counts.entry(group(item)).or_default();
        let turn = *count;
        *count += 1;
        turn
    };
    let turns: Vec<_> = items.iter().map(turn_of).collect();
    let mut items: Vec<_> = turns.into_iter().zip(items).collect();
    items.sort_by_key(|(turn, _)| *turn);
    items.into_iter().map(|(_, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Items with their position, each of one of a few groups.
    fn any_items() -> impl Strategy<Value = Vec<(u8, usize)>> {
        let groups = prop::collection::vec(0..6_u8, 0..60);
        groups.prop_map(|groups| groups.into_iter().enumerate().map(|(at, group)| (group, at)).collect())
    }

    fn of_group(items: &[(u8, usize)], group: u8) -> Vec<usize> {
        items.iter().filter(|item| item.0 == group).map(|item| item.1).collect()
    }

    #[test]
    fn tenants_take_turns_before_their_clients() {
        let key = |pk: &str, sk: &str| Key::<()>::new(pk.to_owned(), sk.to_owned());
        let (a, b, other) = ("T#1#A#1#C#1#JOB", "T#1#A#1#C#2#JOB", "T#2#A#1#C#1#JOB");
        let keys = vec![key(a, "1"), key(a, "2"), key(b, "3"), key(b, "4"), key(other, "5"), key("PLATFORM#JOB", "6")];
        let ordered = in_turns(keys).into_iter().map(|key| key.sk).collect::<String>();
        assert_eq!(ordered, "156324");
    }

    proptest! {
        #[test]
        fn each_group_keeps_all_its_items_in_order(items in any_items()) {
            let ordered = take_turns(items.clone(), |item| item.0);
            prop_assert_eq!(ordered.len(), items.len());
            for group in 0..6 {
                prop_assert_eq!(of_group(&ordered, group), of_group(&items, group));
            }
        }

        #[test]
        fn item_waits_for_at_most_one_item_of_another_group_per_turn(items in any_items()) {
            let ordered = take_turns(items, |item| item.0);
            for (at, (group, _)) in ordered.iter().enumerate() {
                let turn = of_group(&ordered[..at], *group).len();
                for other in 0..6 {
                    prop_assert!(of_group(&ordered[..at], other).len() <= turn + 1);
                }
            }
        }

        #[test]
        fn first_turn_has_each_group_once_by_its_first_item(items in any_items()) {
            let groups = items.iter().map(|item| item.0).collect::<HashSet<_>>().len();
            let ordered = take_turns(items, |item| item.0);
            let first_turn = &ordered[..groups];
            prop_assert_eq!(first_turn.iter().map(|item| item.0).collect::<HashSet<_>>().len(), groups);
            prop_assert!(first_turn.is_sorted_by_key(|item| item.1));
        }
    }
}
