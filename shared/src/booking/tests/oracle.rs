//! The same rules once more, as they are worded and minute by minute: slow, and without an idea in common with what it checks but
//! what a zone's clocks show at a moment.

use proptest::prelude::*;

use super::super::{Booking, UnavailableReason};
use super::case::{Case, DAY, Minutes, cases, minute};
use crate::value::Instant;
use crate::value::TimeRange;

/// Twelve days of minutes. More than a case asks of: nothing that lies beyond has a part in its answer.
struct Oracle<'a> {
    case: &'a Case,
    first: i64,
    /// What local clocks show at each minute, as minutes since 1970.
    local: Vec<i64>,
}

impl<'a> Oracle<'a> {
    fn of(case: &'a Case) -> Self {
        let first = case.first - 3 * DAY;
        let shown = |at: i64| at + i64::from(case.staff.time_zone.offset_at(minute(at))) / 60;
        Self { case, first, local: (first..first + 12 * DAY).map(shown).collect() }
    }

    /// A time inside the spring gap takes the offset before the gap; an ambiguous time is its first occurrence.
    fn resolved(&self, shown: i64) -> i64 {
        let place = |wanted: &dyn Fn(i64) -> bool| self.local.iter().position(|local| wanted(*local)).unwrap();
        let at = if self.local.contains(&shown) {
            place(&|local| local == shown)
        } else {
            let after_gap = place(&|local| local > shown);
            // Where it would be if the clocks had gone on.
            after_gap - 1 + usize::try_from(shown - self.local[after_gap - 1]).unwrap()
        };
        self.first + i64::try_from(at).unwrap()
    }

    fn dates(&self) -> impl Iterator<Item = i64> {
        let first = self.case.first / DAY;
        first - 2..first + 8
    }

    fn windows(&self, date: i64) -> Vec<Minutes> {
        // 1970 began with a Thursday.
        let weekday = usize::try_from((date + 3).rem_euclid(7)).unwrap();
        let usual = || self.case.weekly.iter().filter(|(days, _)| days[weekday]).map(|(_, window)| *window).collect();
        let special = self.case.overrides.iter().find(|(day, _)| *day == date);
        special.map_or_else(usual, |(_, windows)| windows.clone())
    }

    /// Which minutes lie in a span of whole minutes.
    fn marked(&self, spans: impl IntoIterator<Item = Minutes>) -> Vec<bool> {
        let mut marked = vec![false; self.local.len()];
        for (start, end) in spans {
            for at in start.max(self.first)..end.min(self.first + 12 * DAY) {
                marked[usize::try_from(at - self.first).unwrap()] = true;
            }
        }
        marked
    }

    fn working(&self) -> Vec<bool> {
        let occurs = |date: &i64| self.local.iter().any(|local| local.div_euclid(DAY) == *date);
        let resolved =
            |date: i64, (start, end): Minutes| (self.resolved(date * DAY + start), self.resolved(date * DAY + end));
        self.marked(self.dates().filter(occurs).flat_map(|date| {
            self.windows(date).into_iter().map(move |window| resolved(date, window)).collect::<Vec<_>>()
        }))
    }

    /// What a new booking must not meet: `(s - b' - a, e + a' + b)`.
    fn blocked(&self) -> Vec<bool> {
        let new = self.case.terms.buffers;
        let free = |span: &TimeRange| (*span, 0, 0);
        let with_buffers = |old: &Booking| (old.span, old.buffers.before, old.buffers.after);
        let busy = self.case.time_off.iter().map(free).chain(self.case.bookings.iter().map(with_buffers));
        self.marked(busy.map(|(span, before, after)| {
            let (start, end) = in_minutes(span);
            (start - i64::from(before) - i64::from(new.after), end + i64::from(after) + i64::from(new.before))
        }))
    }

    /// Longest stretches without a break.
    fn runs(&self, free: &[bool]) -> Vec<Minutes> {
        let mut runs: Vec<Minutes> = Vec::new();
        for (at, _) in (self.first..).zip(free).filter(|(_, free)| **free) {
            match runs.last_mut() {
                Some((_, end)) if *end == at => *end = at + 1,
                _ => runs.push((at, at + 1)),
            }
        }
        runs
    }

    fn slots(&self) -> Vec<Instant> {
        let free: Vec<_> =
            self.working().into_iter().zip(self.blocked()).map(|(works, blocked)| works && !blocked).collect();
        self.runs(&free).into_iter().flat_map(|run| self.slots_in(run)).collect()
    }

    fn slots_in(&self, (start, end): Minutes) -> Vec<Instant> {
        let Case { terms, now, range, .. } = self.case;
        let notice = i64::from(terms.min_notice) * 60_000;
        let horizon = i64::from(terms.horizon_days) * DAY * 60_000;
        let grid = [60, 30, 20, 15, 10, 5].into_iter().find(|g| terms.slot_interval % g == 0).map_or(1, i64::from);
        let earliest = (start * 60_000).max(now.unix_millis() + notice);
        let on_grid = |at: &i64| {
            let local = usize::try_from(at - self.first).ok().and_then(|at| self.local.get(at));
            local.is_some_and(|local| local.rem_euclid(60) % grid == 0)
        };
        let first = (start..end).find(|at| at * 60_000 >= earliest && on_grid(at));
        let candidates = std::iter::successors(first, |at| Some(at + i64::from(terms.slot_interval)));
        candidates
            .take_while(|at| at + i64::from(terms.duration) <= end)
            .filter(|at| at * 60_000 <= now.unix_millis() + horizon)
            .map(minute)
            .filter(|at| *at >= range.start && *at < range.end)
            .collect()
    }

    /// The rule that closes each minute, seen at its first moment.
    fn rules(&self) -> Vec<Option<UnavailableReason>> {
        let Case { terms, now, .. } = self.case;
        let notice = now.unix_millis() + i64::from(terms.min_notice) * 60_000;
        let horizon = now.unix_millis() + i64::from(terms.horizon_days) * DAY * 60_000;
        let moments = (self.first..self.first + 12 * DAY).map(|at| at * 60_000);
        let working = self.working();
        let overridden = self.marked(
            self.case.overrides.iter().map(|(date, _)| (self.resolved(date * DAY), self.resolved((date + 1) * DAY))),
        );
        let rules: [(UnavailableReason, Vec<bool>); 7] = [
            (UnavailableReason::Notice, moments.clone().map(|at| at < notice).collect()),
            (UnavailableReason::Horizon, moments.map(|at| at > horizon).collect()),
            (UnavailableReason::TimeOff, self.marked(self.case.time_off.iter().map(|span| in_minutes(*span)))),
            (
                UnavailableReason::Booking,
                self.marked(self.case.bookings.iter().map(|booking| in_minutes(booking.span))),
            ),
            (UnavailableReason::Buffer, self.blocked()),
            (
                UnavailableReason::Override,
                working.iter().zip(overridden).map(|(works, special)| !works && special).collect(),
            ),
            (UnavailableReason::Hours, working.iter().map(|works| !works).collect()),
        ];
        let first_of = |at: usize| rules.iter().find(|(_, closed)| closed[at]).map(|(rule, _)| *rule);
        (0..self.local.len()).map(first_of).collect()
    }
}

fn in_minutes(span: TimeRange) -> Minutes {
    (span.start.unix_millis() / 60_000, span.end.unix_millis() / 60_000)
}

proptest! {
    #[test]
    fn slots_are_those_of_the_rules_as_they_are_worded(case in cases()) {
        let slots = case.slots(case.range);
        prop_assert_eq!(&slots, &Oracle::of(&case).slots());
    }

    #[test]
    fn each_minute_is_closed_by_the_first_rule_that_closes_it(case in cases()) {
        let closed = case.ask(|calendar| calendar.closed(&case.terms, case.now, case.range));
        let told = |at: Instant| closed.iter().find(|stretch| stretch.span.contains(at)).map(|stretch| stretch.rule);
        let oracle = Oracle::of(&case);
        for (at, rule) in (oracle.first..).map(minute).zip(oracle.rules()).filter(|(at, _)| case.range.contains(*at)) {
            prop_assert_eq!(told(at), rule, "{}", at);
        }
    }
}
