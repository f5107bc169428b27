use serde::Serialize;
use utoipa::ToSchema;

use super::{Calendar, SlotRules};
use crate::value::Instant;
use crate::value::{TimeRange, merge, subtract};

/// A stretch of time in which nothing starts, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClosedPeriod {
    /// When.
    #[serde(flatten)]
    pub span: TimeRange,
    /// The rule that closed it.
    pub rule: UnavailableReason,
}

/// A rule that closes time. Where several do, the first of these is named: what holds for everybody first, then what is in the way,
/// then when nobody works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnavailableReason {
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
    pub fn closed(&self, terms: &SlotRules, now: Instant, range: TimeRange) -> Vec<ClosedPeriod> {
        let mut open = merge(vec![range]);
        let mut closed = Vec::new();
        for (rule, spans) in self.rules(terms, now, range) {
            let rest = subtract(&open, &merge(spans));
            closed.extend(subtract(&open, &rest).into_iter().map(|span| ClosedPeriod { span, rule }));
            open = rest;
        }
        closed.sort_unstable_by_key(|stretch| stretch.span.start);
        closed
    }

    /// Each rule with the time that it closes, the first to be named first.
    fn rules(&self, terms: &SlotRules, now: Instant, range: TimeRange) -> [(UnavailableReason, Vec<TimeRange>); 7] {
        let windows = self.hours.windows(range);
        let bookings = self.bookings.iter().map(|booking| booking.span).collect();
        [
            (UnavailableReason::Notice, vec![TimeRange { start: range.start, end: terms.earliest(now) }]),
            (UnavailableReason::Horizon, vec![TimeRange { start: terms.beyond(now), end: range.end }]),
            (UnavailableReason::TimeOff, self.time_off.to_vec()),
            (UnavailableReason::Booking, bookings),
            (UnavailableReason::Buffer, self.blocked(terms).collect()),
            (UnavailableReason::Override, subtract(&self.hours.overridden(range), &windows)),
            (UnavailableReason::Hours, subtract(&[range], &windows)),
        ]
    }
}
