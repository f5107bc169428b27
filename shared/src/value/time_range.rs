use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::Instant;

/// A half-open range of time: it includes its start and excludes its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeRange {
    /// The start, included.
    pub start: Instant,
    /// The end, excluded.
    pub end: Instant,
}

impl TimeRange {
    /// Whether the range contains no instant.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// The duration of the range.
    pub fn length(&self) -> Duration {
        self.end.since(self.start)
    }

    /// Whether the range contains an instant.
    pub fn contains(&self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether both ranges, if not empty, have an instant in common.
    ///
    /// Adjacent ranges have none.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Merges overlapping and adjacent ranges.
///
/// The result covers the same time in sorted, disjoint ranges that are neither empty nor adjacent.
pub fn merge(mut ranges: Vec<TimeRange>) -> Vec<TimeRange> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let continues = next.start <= last.end;
        if continues {
            last.end = last.end.max(next.end);
        }
        continues
    });
    ranges
}

/// The time that is in `ranges` but not in `removed`.
///
/// Both arguments must be merged ([`merge`]), and the result is merged too.
pub fn subtract(ranges: &[TimeRange], removed: &[TimeRange]) -> Vec<TimeRange> {
    let mut rest = Vec::with_capacity(ranges.len() + removed.len());
    let mut removed = removed.iter().peekable();
    for range in ranges {
        let mut start = range.start;
        while let Some(hole) = removed.peek().filter(|hole| hole.start < range.end) {
            rest.push(TimeRange { start, end: hole.start });
            start = start.max(hole.end);
            if hole.end > range.end {
                // It may also overlap the next range.
                break;
            }
            removed.next();
        }
        rest.push(TimeRange { start, end: range.end });
    }
    rest.retain(|range| !range.is_empty());
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ranges within the first 50 milliseconds of 1970, some of them empty or inverted.
    fn ranges() -> impl Strategy<Value = Vec<TimeRange>> {
        let at = |millis| Instant::from_unix_millis(millis).unwrap();
        let range = (0..40_i64, -2..9_i64)
            .prop_map(move |(start, length)| TimeRange { start: at(start), end: at(start + length) });
        prop::collection::vec(range, 0..9)
    }

    fn instants() -> impl Iterator<Item = Instant> {
        (-1..50).filter_map(Instant::from_unix_millis)
    }

    fn contains(ranges: &[TimeRange], at: Instant) -> bool {
        ranges.iter().any(|range| range.contains(at))
    }

    fn is_merged(ranges: &[TimeRange]) -> bool {
        ranges.iter().all(|range| !range.is_empty()) && ranges.is_sorted_by(|one, next| one.end < next.start)
    }

    proptest! {
        #[test]
        fn merge_keeps_the_time_and_is_idempotent(ranges in ranges()) {
            let merged = merge(ranges.clone());
            prop_assert!(is_merged(&merged), "{merged:?}");
            prop_assert!(instants().all(|at| contains(&merged, at) == contains(&ranges, at)));
            prop_assert_eq!(merge(merged.clone()), merged);
        }

        #[test]
        fn subtract_keeps_the_time_that_is_not_removed(ranges in ranges(), removed in ranges()) {
            let [ranges, removed] = [ranges, removed].map(merge);
            let rest = subtract(&ranges, &removed);
            prop_assert!(is_merged(&rest), "{rest:?}");
            prop_assert!(instants().all(|at| contains(&rest, at) == (contains(&ranges, at) && !contains(&removed, at))));
        }

        #[test]
        fn ranges_overlap_if_they_have_an_instant_in_common(ranges in ranges()) {
            let ranges: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
            for (one, other) in ranges.iter().flat_map(|one| ranges.iter().map(move |other| (one, other))) {
                let common = instants().any(|at| one.contains(at) && other.contains(at));
                prop_assert_eq!(one.overlaps(other), common);
            }
        }
    }
}
