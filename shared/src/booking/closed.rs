use serde::Serialize;
use utoipa::ToSchema;

use super::{Calendar, Span, Terms, merge, minus};
use crate::value::Instant;

/// A stretch of time in which nothing starts, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Closed {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// The rule that closed it.
    pub rule: ClosedBy,
}

/// A rule that closes time. Where several do, the first of these is named: what holds for everybody first, then what is in the way,
/// then when nobody works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClosedBy {
    /// The staff member cannot be booked at all.
    Inactive,
    /// It is too soon.
    Notice,
    /// It is too far ahead.
    Horizon,
    /// It is time off.
    TimeOff,
    /// It is booked.
    Booking,
    /// It is too near to a booking or to time off, by the buffers of both.
    Buffer,
    /// The hours of that date, which are unlike those of its weekday, leave it out.
    Override,
    /// The weekly hours leave it out.
    Hours,
}

impl Calendar<'_> {
    /// The stretches of `range` that are closed: disjoint, sorted, and as long as one rule closes them. No slot starts in one. What
    /// lies between them is open, if perhaps too short.
    pub fn closed(&self, terms: &Terms, now: Instant, range: Span) -> Vec<Closed> {
        let mut open = merge(vec![range]);
        let mut closed = Vec::new();
        for (rule, spans) in self.rules(terms, now, range) {
            let rest = minus(&open, &merge(spans));
            closed.extend(minus(&open, &rest).into_iter().map(|span| Closed { span, rule }));
            open = rest;
        }
        closed.sort_unstable_by_key(|stretch| stretch.span.start);
        closed
    }

    /// Each rule with the time that it closes, the first to be named first.
    fn rules(&self, terms: &Terms, now: Instant, range: Span) -> [(ClosedBy, Vec<Span>); 7] {
        let windows = self.hours.windows(range);
        let bookings = self.bookings.iter().map(|booking| booking.span).collect();
        [
            (ClosedBy::Notice, vec![Span { start: range.start, end: terms.earliest(now) }]),
            (ClosedBy::Horizon, vec![Span { start: terms.beyond(now), end: range.end }]),
            (ClosedBy::TimeOff, self.time_off.to_vec()),
            (ClosedBy::Booking, bookings),
            (ClosedBy::Buffer, self.blocked(terms).collect()),
            (ClosedBy::Override, minus(&self.hours.overridden(range), &windows)),
            (ClosedBy::Hours, minus(&[range], &windows)),
        ]
    }
}
