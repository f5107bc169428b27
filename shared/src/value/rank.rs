use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidValue, string_value};

/// Where something stands among others that people put in order: a fraction between 0 and 1 that always has room before it, after it
/// and beside it, so that whatever moves is the only thing that is written (fractional indexing, as in `LexoRank`).
///
/// It is a fraction in base 62^5, whose digits are written as five letters each: texts sort as the fractions do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(String);

/// The letters of a digit, in the order in which texts sort.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const LETTERS_A_DIGIT: usize = 5;

/// 62^5.
const BASE: u32 = 916_132_832;

/// The most digits: room for 400 moves at least of which each goes between the last two, and for any number of others. A sort key has
/// at most 1,024 bytes (a limit of DynamoDB).
const MOST_DIGITS: usize = 60;

/// What moves to an end goes up to so far beyond what is there, so that two that do so at once hardly meet.
const STEP: u32 = 16_384;

impl Rank {
    /// A rank after `after` and before `before`; after or before all others where one is `None`. `chance` makes it likely that two
    /// who ask the same at once get different ones. `None` if `after` is not before `before`, or if there is no room.
    pub fn between(after: Option<&Self>, before: Option<&Self>, chance: u32) -> Option<Self> {
        if after.zip(before).is_some_and(|(after, before)| after >= before) {
            return None;
        }
        let [after, before] = [after, before].map(|rank| rank.map(Self::digits));
        let mut rank = Vec::new();
        // What is left of either bound, once what the rank has so far is no longer a part of it.
        let (mut after, mut before) = (after.as_deref(), before.as_deref());
        while rank.len() < MOST_DIGITS {
            let low = after.and_then(|digits| digits.get(rank.len()).copied());
            let high = before.and_then(|digits| digits.get(rank.len()).copied());
            if let Some(digit) = digit_between(low, high, chance) {
                rank.push(digit);
                return Some(Self::of(&rank));
            }
            // No room at this digit: the rank goes on as one of its bounds does, and leaves the other behind.
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
        self.0.as_bytes().chunks(LETTERS_A_DIGIT).map(digit).collect()
    }

    fn of(digits: &[u32]) -> Self {
        // From the highest place down, as many as a digit has letters.
        let letters = digits
            .iter()
            .flat_map(|digit| [4, 3, 2, 1, 0].map(|place| LETTERS[(digit / 62_u32.pow(place) % 62) as usize]));
        Self(letters.map(char::from).collect())
    }
}

/// A digit above `low` and below `high`, and not 0: a rank that ended in 0 would have no room before it. Without `low` or `high` there
/// is no bound. It is near to the bound beside which the next ones are likely to come: moves to one spot then hardly use up its room.
fn digit_between(low: Option<u32>, high: Option<u32>, chance: u32) -> Option<u32> {
    let step = chance % STEP + 1;
    match (low, high) {
        (None, None) => Some(BASE / 2 + step),
        (Some(low), None) => (low + step < BASE).then_some(low + step),
        (None, Some(high)) if high > step => Some(high - step),
        (low, Some(high)) => {
            let low = low.unwrap_or(0);
            let room = high.saturating_sub(low).checked_sub(1).filter(|room| *room > 0)?;
            // In the middle half.
            Some(low + 1 + room / 4 + chance % (room / 2 + 1))
        }
    }
}

impl FromStr for Rank {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let rank = Self(text.to_owned());
        (rank.digits().last().is_some_and(|digit| *digit > 0) && Self::of(&rank.digits()).cmp(&rank) == Ordering::Equal)
            .then_some(rank)
            .ok_or(InvalidValue::new("invalid_position", "must be a position as it is shown"))
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

    /// The longest that 10,000 moves may make a rank.
    const LONG: usize = 4 * LETTERS_A_DIGIT;

    fn between(ranks: &[Rank], at: usize, chance: u32) -> Rank {
        let after = at.checked_sub(1).map(|before| &ranks[before]);
        Rank::between(after, ranks.get(at), chance).unwrap()
    }

    fn in_order(count: usize) -> Vec<Rank> {
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
        fn ten_thousand_moves_to_one_spot_keep_the_order_and_stay_short(
            spot in 0..=6_usize, from_behind in any::<bool>(), seed in any::<u32>(),
        ) {
            let mut ranks = in_order(6);
            for turn in 0..10_000_u32 {
                let chance = seed.wrapping_add(turn).wrapping_mul(2_654_435_761);
                // Behind whatever stands before the spot, or before whatever stands behind it.
                let at = if from_behind { ranks.len() - (6 - spot) } else { spot };
                let rank = between(&ranks, at, chance);
                prop_assert!(rank.0.len() <= LONG, "{rank} after {turn}");
                ranks.insert(at, rank);
            }
            prop_assert!(is_sorted(&ranks));
        }

        #[test]
        fn moves_to_anywhere_keep_the_order(spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..500)) {
            let mut ranks = in_order(1);
            for (spot, chance) in spots {
                let at = spot.index(ranks.len() + 1);
                let rank = between(&ranks, at, chance);
                prop_assert_eq!(rank.to_string().parse::<Rank>().unwrap(), rank.clone());
                ranks.insert(at, rank);
            }
            prop_assert!(is_sorted(&ranks));
        }

        #[test]
        fn nested_moves_end_in_no_room_and_never_in_a_wrong_order(chances in prop::collection::vec(any::<u32>(), 2000)) {
            let mut bounds = [in_order(2)[0].clone(), in_order(2)[1].clone()];
            for (turn, chance) in chances.into_iter().enumerate() {
                let Some(rank) = Rank::between(Some(&bounds[0]), Some(&bounds[1]), chance) else {
                    prop_assert!(turn >= 400, "{turn}");
                    return Ok(());
                };
                prop_assert!(bounds[0] < rank && rank < bounds[1]);
                prop_assert!(rank.0.len() <= MOST_DIGITS * LETTERS_A_DIGIT);
                bounds[turn % 2] = rank;
            }
        }
    }

    #[test]
    fn there_is_nothing_between_one_rank_and_itself() {
        let rank = in_order(1)[0].clone();
        assert_eq!(Rank::between(Some(&rank), Some(&rank), 7), None);
    }

    #[test]
    fn what_is_no_rank_is_refused() {
        for text in ["", "V", "V0000V", "00000", "V000!", "V000100000"] {
            assert!(text.parse::<Rank>().is_err(), "{text}");
        }
    }
}
