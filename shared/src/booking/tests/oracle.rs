//! A second implementation of the rules, minute by minute.
//!
//! It is slow, but close to the wording of the rules. It shares only the UTC offset of a time zone at an
//! instant with the implementation that it checks.

use std::collections::BTreeSet;

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

    /// The local dates that occur.
    fn occurring_dates(&self) -> impl Iterator<Item = i64> {
        self.dates().filter(|date| self.local.iter().any(|local| local.div_euclid(DAY) == *date))
    }

    /// The windows of a date, with both bounds resolved.
    fn resolved(&self, date: i64) -> Vec<Minutes> {
        let resolve = |(start, end): Minutes| (self.resolve(date * DAY + start), self.resolve(date * DAY + end));
        self.windows(date).into_iter().map(resolve).collect()
    }

    fn working(&self) -> Vec<bool> {
        self.mark(self.occurring_dates().flat_map(|date| self.resolved(date)))
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

    /// The starts of the grid: in each window of a date, its first minute and one after every interval.
    fn starts(&self) -> BTreeSet<i64> {
        let interval = usize::from(self.scenario.rules.slot_interval);
        let of_date = |date| self.runs(&self.mark(self.resolved(date)));
        self.occurring_dates().flat_map(of_date).flat_map(|(start, end)| (start..end).step_by(interval)).collect()
    }

    fn slots(&self) -> Vec<Instant> {
        let Scenario { rules, now, range, .. } = self.scenario;
        let earliest = now.unix_millis() + i64::from(rules.min_notice) * 60_000;
        let latest = now.unix_millis() + i64::from(rules.horizon_days) * DAY * 60_000;
        let free: Vec<_> =
            self.working().into_iter().zip(self.blocked()).map(|(works, blocked)| works && !blocked).collect();
        let fits = |start: i64| {
            let appointment = start..start + i64::from(rules.duration);
            appointment
                .into_iter()
                .all(|at| usize::try_from(at - self.first).is_ok_and(|at| free.get(at) == Some(&true)))
        };
        let allowed = self.starts().into_iter().filter(|at| (earliest..=latest).contains(&(at * 60_000)) && fits(*at));
        allowed.map(minute).filter(|at| *at >= range.start && *at < range.end).collect()
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
        let mut first: Vec<_> = (0..self.local.len()).map(first_of).collect();
        for (start, end) in self.runs_without_slot(&first) {
            for at in start..end {
                first[usize::try_from(at - self.first).unwrap()] = Some(UnavailableReason::TooShort);
            }
        }
        first
    }

    /// The runs of minutes of the range that are free and in which no slot starts.
    fn runs_without_slot(&self, reasons: &[Option<UnavailableReason>]) -> Vec<Minutes> {
        let slots = self.slots();
        let is_free = |(at, reason): (i64, &Option<_>)| self.scenario.range.contains(minute(at)) && reason.is_none();
        let mut runs = self.runs(&(self.first..).zip(reasons).map(is_free).collect::<Vec<_>>());
        runs.retain(|(start, end)| !slots.iter().any(|slot| minute(*start) <= *slot && *slot < minute(*end)));
        runs
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
