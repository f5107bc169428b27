use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Instant;

/// A stretch of time: it has its start, but not its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeRange {
    /// Its first moment.
    pub start: Instant,
    /// The first moment after it.
    pub end: Instant,
}

impl TimeRange {
    /// Whether it has no moment.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.end.since(self.start)
    }

    /// Whether it has this moment.
    pub fn contains(&self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether both have a moment in common, if neither is empty. Those that only touch have none.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// The same time in as few spans as can be: sorted, none empty, with some time between one and the next.
pub fn merge(mut spans: Vec<TimeRange>) -> Vec<TimeRange> {
    spans.retain(|span| !span.is_empty());
    spans.sort_unstable_by_key(|span| span.start);
    spans.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    spans
}

/// What is in `spans` and in none of `holes`. Both are as [`merge`] gives them, and so is the result.
pub fn subtract(spans: &[TimeRange], holes: &[TimeRange]) -> Vec<TimeRange> {
    let mut rest = Vec::with_capacity(spans.len() + holes.len());
    let mut holes = holes.iter().peekable();
    for span in spans {
        let mut start = span.start;
        while let Some(hole) = holes.peek().filter(|hole| hole.start < span.end) {
            rest.push(TimeRange { start, end: hole.start });
            start = start.max(hole.end);
            if hole.end > span.end {
                // It may reach into the next span, too.
                break;
            }
            holes.next();
        }
        rest.push(TimeRange { start, end: span.end });
    }
    rest.retain(|span| !span.is_empty());
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Spans of the first 40 milliseconds of 1970, some of them empty or inverted.
    fn spans() -> impl Strategy<Value = Vec<TimeRange>> {
        let at = |millis| Instant::from_unix_millis(millis).unwrap();
        let span = (0..40_i64, -2..9_i64)
            .prop_map(move |(start, length)| TimeRange { start: at(start), end: at(start + length) });
        prop::collection::vec(span, 0..9)
    }

    fn moments() -> impl Iterator<Item = Instant> {
        (-1..50).filter_map(Instant::from_unix_millis)
    }

    fn holds(spans: &[TimeRange], at: Instant) -> bool {
        spans.iter().any(|span| span.contains(at))
    }

    fn is_merged(spans: &[TimeRange]) -> bool {
        spans.iter().all(|span| !span.is_empty()) && spans.is_sorted_by(|one, next| one.end < next.start)
    }

    proptest! {
        #[test]
        fn merging_keeps_the_time_and_is_done_once(spans in spans()) {
            let merged = merge(spans.clone());
            prop_assert!(is_merged(&merged), "{merged:?}");
            prop_assert!(moments().all(|at| holds(&merged, at) == holds(&spans, at)));
            prop_assert_eq!(merge(merged.clone()), merged);
        }

        #[test]
        fn what_is_left_is_in_the_one_and_not_in_the_other(spans in spans(), holes in spans()) {
            let [spans, holes] = [spans, holes].map(merge);
            let rest = subtract(&spans, &holes);
            prop_assert!(is_merged(&rest), "{rest:?}");
            prop_assert!(moments().all(|at| holds(&rest, at) == (holds(&spans, at) && !holds(&holes, at))));
        }

        #[test]
        fn spans_meet_if_they_have_a_moment_in_common(spans in spans()) {
            let spans: Vec<_> = spans.into_iter().filter(|span| !span.is_empty()).collect();
            for (one, other) in spans.iter().flat_map(|one| spans.iter().map(move |other| (one, other))) {
                let common = moments().any(|at| one.contains(at) && other.contains(at));
                prop_assert_eq!(one.overlaps(other), common);
            }
        }
    }
}
