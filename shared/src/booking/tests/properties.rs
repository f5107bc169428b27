use proptest::prelude::*;
use proptest::sample::Index;

use super::super::{UnavailableReason, reach};
use super::scenario::{Scenario, scenarios};
use crate::value::{Instant, TimeRange};

/// A minute of a range, chosen by `at`.
fn minute_of(range: TimeRange, at: Index) -> Instant {
    let minutes = range.end.since(range.start).as_secs() / 60;
    let at = at.index(usize::try_from(minutes).unwrap() + 1);
    range.start.after(std::time::Duration::from_mins(u64::try_from(at).unwrap()))
}

proptest! {
    #[test]
    fn every_slot_is_bookable(scenario in scenarios()) {
        let Scenario { rules, now, .. } = &scenario;
        let slots = scenario.slots(scenario.range);
        // At most about 50 of what may be thousands of slots.
        for slot in slots.iter().copied().step_by(slots.len() / 50 + 1) {
            prop_assert!(scenario.query(|calendar| calendar.offers(rules, *now, slot)), "{}", slot);
            prop_assert!(scenario.query(|calendar| calendar.is_free(rules, slot)), "{}", slot);
            let booking = scenario.booking_at(slot);
            prop_assert!(scenario.bookings.iter().all(|old| !old.conflicts_with(&booking)), "{}", slot);
            prop_assert!(scenario.time_off.iter().all(|off| !off.overlaps(&booking.with_buffers())), "{}", slot);
        }
    }

    #[test]
    fn booked_slot_is_no_longer_offered(scenario in scenarios(), pick in any::<Index>()) {
        let slots = scenario.slots(scenario.range);
        prop_assume!(!slots.is_empty());
        let slot = *pick.get(&slots);
        let mut booked = scenario.clone();
        booked.bookings.push(scenario.booking_at(slot));
        prop_assert!(!booked.query(|calendar| calendar.offers(&scenario.rules, scenario.now, slot)));
        prop_assert!(!booked.query(|calendar| calendar.is_free(&scenario.rules, slot)));
    }

    #[test]
    fn slots_respect_hours_notice_and_horizon(scenario in scenarios()) {
        let windows = scenario.staff.hours().windows(TimeRange { end: scenario.range.end.after(std::time::Duration::from_hours(24)), ..scenario.range });
        let notice = std::time::Duration::from_mins(scenario.rules.min_notice.into());
        let horizon = std::time::Duration::from_hours(24 * u64::from(scenario.rules.horizon_days));
        for slot in scenario.slots(scenario.range) {
            let appointment = scenario.booking_at(slot).span;
            prop_assert!(windows.iter().any(|window| window.start <= appointment.start && appointment.end <= window.end), "{}", slot);
            prop_assert!(slot >= scenario.now.after(notice) && slot <= scenario.now.after(horizon), "{}", slot);
            prop_assert!(scenario.range.contains(slot), "{}", slot);
        }
    }

    #[test]
    fn start_is_offered_if_and_only_if_it_is_a_slot(scenario in scenarios(), at in any::<Index>()) {
        let start = minute_of(scenario.range, at);
        let slot = scenario.slots(scenario.range).contains(&start);
        let offered = scenario.query(|calendar| calendar.offers(&scenario.rules, scenario.now, start));
        prop_assert_eq!(offered && scenario.range.contains(start), slot);
    }

    #[test]
    fn slots_of_a_range_are_those_of_its_parts(scenario in scenarios(), at in any::<Index>()) {
        let middle = minute_of(scenario.range, at);
        let mut slots = scenario.slots(TimeRange { end: middle, ..scenario.range });
        slots.extend(scenario.slots(TimeRange { start: middle, ..scenario.range }));
        prop_assert_eq!(slots, scenario.slots(scenario.range));
    }

    #[test]
    fn time_outside_the_reach_does_not_matter(scenario in scenarios()) {
        let Scenario { rules, now, range, .. } = &scenario;
        let reach = reach(rules, *now, *range);
        let mut reduced = scenario.clone();
        reduced.bookings.retain(|booking| booking.with_buffers().overlaps(&reach));
        reduced.time_off.retain(|off| off.overlaps(&reach));
        prop_assert_eq!(reduced.slots(*range), scenario.slots(*range));
        let unavailable = |scenario: &Scenario| scenario.query(|calendar| calendar.unavailable(rules, *now, *range));
        prop_assert_eq!(unavailable(&reduced), unavailable(&scenario));
    }

    #[test]
    fn slots_with_more_bookings_are_a_subset(scenario in scenarios(), kept in any::<Index>()) {
        let mut fewer = scenario.clone();
        fewer.bookings.truncate(kept.index(scenario.bookings.len() + 1));
        let slots = fewer.slots(scenario.range);
        prop_assert!(scenario.slots(scenario.range).iter().all(|slot| slots.contains(slot)));
    }

    #[test]
    fn slots_at_a_later_time_are_a_subset_of_those_within_the_earlier_horizon(scenario in scenarios(), wait in 0..3000_u64) {
        let mut later = scenario.clone();
        later.now = scenario.now.after(std::time::Duration::from_mins(wait));
        let horizon = scenario.now.after(std::time::Duration::from_hours(24 * u64::from(scenario.rules.horizon_days)));
        let slots = scenario.slots(scenario.range);
        prop_assert!(later.slots(scenario.range).iter().all(|slot| slots.contains(slot) || *slot > horizon));
    }

    #[test]
    fn unavailable_periods_are_disjoint_and_contain_no_slot(scenario in scenarios()) {
        let periods = scenario.query(|calendar| calendar.unavailable(&scenario.rules, scenario.now, scenario.range));
        for pair in periods.windows(2) {
            prop_assert!(pair[0].span.end <= pair[1].span.start, "{:?}", pair);
            prop_assert!(pair[0].span.end < pair[1].span.start || pair[0].rule != pair[1].rule, "{:?}", pair);
        }
        let within = |span: &TimeRange| !span.is_empty() && span.start >= scenario.range.start && span.end <= scenario.range.end;
        prop_assert!(periods.iter().all(|period| within(&period.span)));
        for slot in scenario.slots(scenario.range) {
            let appointment = scenario.booking_at(slot).span;
            prop_assert!(periods.iter().all(|period| !period.span.contains(slot)), "{}", slot);
            // Only the start of a slot must be within the horizon.
            let overlapped = periods.iter().find(|period| period.span.overlaps(&appointment) && period.rule != UnavailableReason::Horizon);
            prop_assert_eq!(overlapped, None, "{}", slot);
        }
    }

    #[test]
    fn a_slot_starts_between_any_two_unavailable_periods(scenario in scenarios()) {
        let Scenario { rules, now, range, .. } = &scenario;
        let periods = scenario.query(|calendar| calendar.unavailable(rules, *now, *range));
        let slots = scenario.slots(*range);
        let ends = std::iter::once(range.start).chain(periods.iter().map(|period| period.span.end));
        let starts = periods.iter().map(|period| period.span.start).chain([range.end]);
        for (end, start) in ends.zip(starts).filter(|(end, start)| end < start) {
            prop_assert!(slots.iter().any(|slot| end <= *slot && *slot < start), "{} to {}", end, start);
        }
    }
}
