use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::Instant;

/// A stretch of time: it has its start, but not its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// Its first moment.
    pub start: Instant,
    /// The first moment after it.
    pub end: Instant,
}

impl Span {
    /// Whether it has no moment.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// Whether it has this moment.
    pub fn contains(&self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether both have a moment in common, if neither is empty. Those that only touch have none.
    pub fn meets(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// The same time in as few spans as can be: sorted, none empty, with some time between one and the next.
pub fn merge(mut spans: Vec<Span>) -> Vec<Span> {
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
pub fn minus(spans: &[Span], holes: &[Span]) -> Vec<Span> {
    let mut rest = Vec::with_capacity(spans.len() + holes.len());
    let mut holes = holes.iter().peekable();
    for span in spans {
        let mut start = span.start;
        while let Some(hole) = holes.peek().filter(|hole| hole.start < span.end) {
            rest.push(Span { start, end: hole.start });
            start = start.max(hole.end);
            if hole.end > span.end {
                // It may reach into the next span, too.
                break;
            }
            holes.next();
        }
        rest.push(Span { start, end: span.end });
    }
    rest.retain(|span| !span.is_empty());
    rest
}
