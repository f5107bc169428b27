//! Fair order: the partitions of a queue take turns.

use std::collections::HashMap;
use std::hash::Hash;

/// Orders items so that their groups take turns: the first item of each group, then the second, and so on.
///
/// Within a turn, and within a group, items keep their order. An item waits for at most as many turns as there
/// are earlier items of its own group, however many items other groups have.
pub(super) fn take_turns<T, G: Eq + Hash>(items: Vec<T>, group: impl Fn(&T) -> G) -> Vec<T> {
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
