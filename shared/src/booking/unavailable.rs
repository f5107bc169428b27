use serde::Serialize;
use utoipa::ToSchema;

use super::{Calendar, SlotRules};
use crate::value::{Instant, TimeRange, merge, subtract};

/// A period in which no slot starts, and the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnavailablePeriod {
    /// The period.
    #[serde(flatten)]
    pub span: TimeRange,
    /// The reason. If several apply, the first in the order of [`UnavailableReason`].
    pub rule: UnavailableReason,
}

/// Why time is unavailable.
///
/// If several reasons apply, the first in this list is reported: limits for all callers, then bookings and
/// time off, then working hours, then the length of what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnavailableReason {
    /// The staff member cannot be booked.
    Inactive,
    /// Earlier than the minimum notice.
    Notice,
    /// Beyond the booking horizon.
    Horizon,
    /// Time off.
    TimeOff,
    /// Booked.
    Booking,
    /// Too close to a booking or to time off, because of the buffers of both.
    Buffer,
    /// Outside the hours of this date, which replace the weekly hours.
    Override,
    /// Outside the weekly hours.
    Hours,
    /// Free, but without a start from which the appointment ends in time.
    TooShort,
}

impl Calendar<'_> {
    /// The unavailable periods of `range`, disjoint and sorted.
    ///
    /// Each period is continuous and has one reason. No slot starts in a period, and at least one starts between
    /// two periods.
    pub fn unavailable(&self, rules: &SlotRules, now: Instant, range: TimeRange) -> Vec<UnavailablePeriod> {
        let mut available = merge(vec![range]);
        let mut periods = Vec::new();
        for (rule, spans) in self.reasons(rules, now, range) {
            let rest = subtract(&available, &merge(spans));
            periods.extend(subtract(&available, &rest).into_iter().map(|span| UnavailablePeriod { span, rule }));
            available = rest;
        }
        let slots = self.slots(rules, now, range);
        let without_slot = available.into_iter().filter(|free| !any_within(&slots, *free));
        periods.extend(without_slot.map(|span| UnavailablePeriod { span, rule: UnavailableReason::TooShort }));
        periods.sort_unstable_by_key(|period| period.span.start);
        periods
    }

    /// The reasons by precedence, except the last, each with its unavailable time.
    fn reasons(&self, rules: &SlotRules, now: Instant, range: TimeRange) -> [(UnavailableReason, Vec<TimeRange>); 7] {
        let windows = self.hours.windows(range);
        let bookings = self.bookings.iter().map(|booking| booking.span).collect();
        [
            (UnavailableReason::Notice, vec![TimeRange { start: range.start, end: rules.earliest(now) }]),
            (UnavailableReason::Horizon, vec![TimeRange { start: rules.after_horizon(now), end: range.end }]),
            (UnavailableReason::TimeOff, self.time_off.to_vec()),
            (UnavailableReason::Booking, bookings),
            (UnavailableReason::Buffer, self.blocked(rules).collect()),
            (UnavailableReason::Override, subtract(&self.hours.overridden(range), &windows)),
            (UnavailableReason::Hours, subtract(&[range], &windows)),
        ]
    }
}

/// Whether `range` contains one of the sorted instants.
fn any_within(instants: &[Instant], range: TimeRange) -> bool {
    let next = instants.partition_point(|at| *at < range.start);
    instants.get(next).is_some_and(|at| range.contains(*at))
}
