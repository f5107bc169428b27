use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::{InvalidValue, string_value};

/// A position in a list that users order (fractional indexing, as in `LexoRank`).
///
/// A rank is a fraction between 0 and 1. There is room before, after and between ranks, so that moving an item
/// writes only that item. The fraction is in base 62^5 with five letters for each digit, so that texts and
/// fractions have the same order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(String);

/// The letters of a digit, in sort order.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const LETTERS_PER_DIGIT: usize = 5;

/// The base of the fraction: 62^5.
const BASE: u32 = 916_132_832;

/// The maximum number of digits.
///
/// A sort key has at most 1,024 bytes (a limit of DynamoDB). This is enough for at least 400 moves, each between
/// the previous two, and for any number of other moves.
const MAX_DIGITS: usize = 60;

/// The maximum distance of a new first or last rank from the existing ones.
///
/// The distance is random, so that two concurrent moves to an end are unlikely to get the same rank.
const MAX_STEP: u32 = 16_384;

impl Rank {
    /// A rank between two others. `None` is no bound.
    ///
    /// `random` makes it unlikely that two concurrent calls with the same bounds return the same rank. The
    /// result is `None` if `after` is not less than `before`, or if there is no room.
    pub fn between(after: Option<&Self>, before: Option<&Self>, random: u32) -> Option<Self> {
        if after.zip(before).is_some_and(|(after, before)| after >= before) {
            return None;
        }
        let [after, before] = [after, before].map(|rank| rank.map(Self::digits));
        let mut rank = Vec::new();
        // A bound applies only while the digits so far are a prefix of it.
        let (mut after, mut before) = (after.as_deref(), before.as_deref());
        while rank.len() < MAX_DIGITS {
            let low = after.and_then(|digits| digits.get(rank.len()).copied());
            let high = before.and_then(|digits| digits.get(rank.len()).copied());
            if let Some(digit) = digit_between(low, high, random) {
                rank.push(digit);
                return Some(Self::of(&rank));
            }
            // No room at this digit: follow one of the bounds, after which the other no longer applies.
            let next = low.or(high).map(|_| low.unwrap_or(0))?;
            if high.is_some_and(|high| high != next) {
                before = None;
            }
            if low.is_none() {
                after = None;
            }
            rank.push(next);
        }
        None
    }

    fn digits(&self) -> Vec<u32> {
        let value = |letter: &u8| LETTERS.binary_search(letter).ok().and_then(|value| u32::try_from(value).ok());
        let digit = |letters: &[u8]| letters.iter().fold(0, |digit, letter| digit * 62 + value(letter).unwrap_or(0));
        self.0.as_bytes().chunks(LETTERS_PER_DIGIT).map(digit).collect()
    }

    fn of(digits: &[u32]) -> Self {
        // The most significant letter first, LETTERS_PER_DIGIT of them.
        let letters = digits
            .iter()
            .flat_map(|digit| [4, 3, 2, 1, 0].map(|place| LETTERS[(digit / 62_u32.pow(place) % 62) as usize]));
        Self(letters.map(char::from).collect())
    }
}

/// A digit above `low` and below `high`, but not 0.
///
/// There is no room before a rank that ends in 0. `None` means no bound. The digit is close to the bound next
/// to which more ranks are likely to follow, so that repeated moves to one position use little of its room.
fn digit_between(low: Option<u32>, high: Option<u32>, random: u32) -> Option<u32> {
    let step = random % MAX_STEP + 1;
    match (low, high) {
        (None, None) => Some(BASE / 2 + step),
        (Some(low), None) => (low + step < BASE).then_some(low + step),
        (None, Some(high)) if high > step => Some(high - step),
        (low, Some(high)) => {
            let low = low.unwrap_or(0);
            let room = high.saturating_sub(low).checked_sub(1).filter(|room| *room > 0)?;
            // In the middle half of the room.
            Some(low + 1 + room / 4 + random % (room / 2 + 1))
        }
    }
}

impl FromStr for Rank {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let rank = Self(text.to_owned());
        (rank.digits().last().is_some_and(|digit| *digit > 0) && Self::of(&rank.digits()).cmp(&rank) == Ordering::Equal)
            .then_some(rank)
            .ok_or(InvalidValue::new("invalid_position", "must be a position returned by the API"))
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_value!([] Rank, "Rank", |schema| schema.examples([serde_json::json!("V0001")]));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The maximum length of a rank after 10,000 moves, in letters.
    const MAX_LENGTH: usize = 4 * LETTERS_PER_DIGIT;

    fn between(ranks: &[Rank], at: usize, random: u32) -> Rank {
        let after = at.checked_sub(1).map(|previous| &ranks[previous]);
        Rank::between(after, ranks.get(at), random).unwrap()
    }

    fn ascending(count: usize) -> Vec<Rank> {
        let mut ranks = Vec::new();
        for at in 0..count {
            ranks.push(between(&ranks, at, 0));
        }
        ranks
    }

    fn is_sorted(ranks: &[Rank]) -> bool {
        ranks.is_sorted_by(|a, b| a < b)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn ten_thousand_moves_to_one_position_keep_ranks_short(
            position in 0..=6_usize, from_end in any::<bool>(), seed in any::<u32>(),
        ) {
            let mut ranks = ascending(6);
            for turn in 0..10_000_u32 {
                let random = seed.wrapping_add(turn).wrapping_mul(2_654_435_761);
                // Counted from the end or from the start, so that new ranks come after or before the earlier
                // ones.
                let at = if from_end { ranks.len() - (6 - position) } else { position };
                let rank = between(&ranks, at, random);
                prop_assert!(rank.0.len() <= MAX_LENGTH, "{rank} after {turn}");
                ranks.insert(at, rank);
            }
            prop_assert!(is_sorted(&ranks));
        }

        #[test]
        fn moves_to_any_position_keep_the_order(moves in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..500)) {
            let mut ranks = ascending(1);
            for (position, random) in moves {
                let at = position.index(ranks.len() + 1);
                let rank = between(&ranks, at, random);
                prop_assert_eq!(rank.to_string().parse::<Rank>().unwrap(), rank.clone());
                ranks.insert(at, rank);
            }
            prop_assert!(is_sorted(&ranks));
        }

        #[test]
        fn nested_moves_run_out_of_room_after_400_moves(random in prop::collection::vec(any::<u32>(), 2000)) {
            let mut bounds = [ascending(2)[0].clone(), ascending(2)[1].clone()];
            for (turn, random) in random.into_iter().enumerate() {
                let Some(rank) = Rank::between(Some(&bounds[0]), Some(&bounds[1]), random) else {
                    prop_assert!(turn >= 400, "{turn}");
                    return Ok(());
                };
                prop_assert!(bounds[0] < rank && rank < bounds[1]);
                prop_assert!(rank.0.len() <= MAX_DIGITS * LETTERS_PER_DIGIT);
                bounds[turn % 2] = rank;
            }
        }
    }

    #[test]
    fn no_rank_is_between_equal_bounds() {
        let rank = ascending(1)[0].clone();
        assert_eq!(Rank::between(Some(&rank), Some(&rank), 7), None);
    }

    #[test]
    fn malformed_rank_is_rejected() {
        for text in ["", "V", "V0000V", "00000", "V000!", "V000100000"] {
            assert!(text.parse::<Rank>().is_err(), "{text}");
        }
    }
}
