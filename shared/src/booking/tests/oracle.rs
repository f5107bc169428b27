//! A second implementation of the rules, minute by minute.
//!
//! It is slow, but close to the wording of the rules. It shares only the UTC offset of a time zone at an
//! instant with the implementation that it checks.

use proptest::prelude::*;

use super::super::{Booking, UnavailableReason};
use super::scenario::{DAY, Minutes, Scenario, minute, scenarios};
use crate::value::{Instant, TimeRange};

/// Twelve days in minutes, more than the range that any scenario depends on.
struct Oracle<'a> {
    scenario: &'a Scenario,
    first: i64,
    /// The local time at each minute, as minutes since 1970.
    local: Vec<i64>,
}

impl<'a> Oracle<'a> {
    fn of(scenario: &'a Scenario) -> Self {
        let first = scenario.first - 3 * DAY;
        let local = |at: i64| at + i64::from(scenario.staff.time_zone.offset_at(minute(at))) / 60;
        Self { scenario, first, local: (first..first + 12 * DAY).map(local).collect() }
    }

    /// The minute of a local time.
    ///
    /// It is the first occurrence, or converted with the offset before the gap if the time is skipped.
    fn resolve(&self, time: i64) -> i64 {
        let first = |matches: &dyn Fn(i64) -> bool| self.local.iter().position(|local| matches(*local)).unwrap();
        let at = if self.local.contains(&time) {
            first(&|local| local == time)
        } else {
            let after_gap = first(&|local| local > time);
            // The minute at which the time would occur without the change.
            after_gap - 1 + usize::try_from(time - self.local[after_gap - 1]).unwrap()
        };
        self.first + i64::try_from(at).unwrap()
    }

    fn dates(&self) -> impl Iterator<Item = i64> {
        let first = self.scenario.first / DAY;
        first - 2..first + 8
    }

    fn windows(&self, date: i64) -> Vec<Minutes> {
        // 1970-01-01 was a Thursday.
        let weekday = usize::try_from((date + 3).rem_euclid(7)).unwrap();
        let weekly =
            || self.scenario.weekly.iter().filter(|(days, _)| days[weekday]).map(|(_, window)| *window).collect();
        let overridden = self.scenario.overrides.iter().find(|(day, _)| *day == date);
        overridden.map_or_else(weekly, |(_, windows)| windows.clone())
    }

    /// For each minute, whether one of the spans contains it.
    fn mark(&self, spans: impl IntoIterator<Item = Minutes>) -> Vec<bool> {
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
        let resolve =
            |date: i64, (start, end): Minutes| (self.resolve(date * DAY + start), self.resolve(date * DAY + end));
        self.mark(self.dates().filter(occurs).flat_map(|date| {
            self.windows(date).into_iter().map(move |window| resolve(date, window)).collect::<Vec<_>>()
        }))
    }

    /// The minutes that a new booking must not overlap: `(s - b' - a, e + a' + b)`.
    fn blocked(&self) -> Vec<bool> {
        let new = self.scenario.rules.buffers;
        let without_buffers = |span: &TimeRange| (*span, 0, 0);
        let with_buffers = |old: &Booking| (old.span, old.buffers.before, old.buffers.after);
        let busy =
            self.scenario.time_off.iter().map(without_buffers).chain(self.scenario.bookings.iter().map(with_buffers));
        self.mark(busy.map(|(span, before, after)| {
            let (start, end) = in_minutes(span);
            (start - i64::from(before) - i64::from(new.after), end + i64::from(after) + i64::from(new.before))
        }))
    }

    /// The longest runs of consecutive free minutes.
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
        let Scenario { rules, now, range, .. } = self.scenario;
        let notice = i64::from(rules.min_notice) * 60_000;
        let horizon = i64::from(rules.horizon_days) * DAY * 60_000;
        let grid = [60, 30, 20, 15, 10, 5].into_iter().find(|g| rules.slot_interval % g == 0).map_or(1, i64::from);
        let earliest = (start * 60_000).max(now.unix_millis() + notice);
        let on_grid = |at: &i64| {
            let local = usize::try_from(at - self.first).ok().and_then(|at| self.local.get(at));
            local.is_some_and(|local| local.rem_euclid(60) % grid == 0)
        };
        let first = (start..end).find(|at| at * 60_000 >= earliest && on_grid(at));
        let candidates = std::iter::successors(first, |at| Some(at + i64::from(rules.slot_interval)));
        candidates
            .take_while(|at| at + i64::from(rules.duration) <= end)
            .filter(|at| at * 60_000 <= now.unix_millis() + horizon)
            .map(minute)
            .filter(|at| *at >= range.start && *at < range.end)
            .collect()
    }

    /// The first reason why each minute is unavailable, at its first instant.
    fn reasons(&self) -> Vec<Option<UnavailableReason>> {
        let Scenario { rules, now, .. } = self.scenario;
        let notice = now.unix_millis() + i64::from(rules.min_notice) * 60_000;
        let horizon = now.unix_millis() + i64::from(rules.horizon_days) * DAY * 60_000;
        let instants = (self.first..self.first + 12 * DAY).map(|at| at * 60_000);
        let working = self.working();
        let overridden = self.mark(
            self.scenario.overrides.iter().map(|(date, _)| (self.resolve(date * DAY), self.resolve((date + 1) * DAY))),
        );
        let reasons: [(UnavailableReason, Vec<bool>); 7] = [
            (UnavailableReason::Notice, instants.clone().map(|at| at < notice).collect()),
            (UnavailableReason::Horizon, instants.map(|at| at > horizon).collect()),
            (UnavailableReason::TimeOff, self.mark(self.scenario.time_off.iter().map(|span| in_minutes(*span)))),
            (
                UnavailableReason::Booking,
                self.mark(self.scenario.bookings.iter().map(|booking| in_minutes(booking.span))),
            ),
            (UnavailableReason::Buffer, self.blocked()),
            (
                UnavailableReason::Override,
                working.iter().zip(overridden).map(|(works, overridden)| !works && overridden).collect(),
            ),
            (UnavailableReason::Hours, working.iter().map(|works| !works).collect()),
        ];
        let first_of = |at: usize| reasons.iter().find(|(_, minutes)| minutes[at]).map(|(reason, _)| *reason);
        (0..self.local.len()).map(first_of).collect()
    }
}

fn in_minutes(span: TimeRange) -> Minutes {
    (span.start.unix_millis() / 60_000, span.end.unix_millis() / 60_000)
}

proptest! {
    #[test]
    fn slots_are_those_of_the_oracle(scenario in scenarios()) {
        let slots = scenario.slots(scenario.range);
        prop_assert_eq!(&slots, &Oracle::of(&scenario).slots());
    }

    #[test]
    fn unavailable_minutes_have_the_reason_of_the_oracle(scenario in scenarios()) {
        let periods = scenario.query(|calendar| calendar.unavailable(&scenario.rules, scenario.now, scenario.range));
        let reported = |at: Instant| periods.iter().find(|period| period.span.contains(at)).map(|period| period.rule);
        let oracle = Oracle::of(&scenario);
        for (at, reason) in (oracle.first..).map(minute).zip(oracle.reasons()).filter(|(at, _)| scenario.range.contains(*at)) {
            prop_assert_eq!(reported(at), reason, "{}", at);
        }
    }
}
