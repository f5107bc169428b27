use proptest::prelude::*;
use proptest::sample::Index;

use super::super::{Booking, UnavailableReason, reach};
use super::case::{Case, cases};
use crate::value::Instant;
use crate::value::TimeRange;

/// The part of a case's range that begins after so many of its minutes.
fn cut(range: TimeRange, at: Index) -> Instant {
    let minutes = range.end.since(range.start).as_secs() / 60;
    let at = at.index(usize::try_from(minutes).unwrap() + 1);
    range.start.after(std::time::Duration::from_mins(u64::try_from(at).unwrap()))
}

proptest! {
    #[test]
    fn every_slot_books(case in cases()) {
        let Case { terms, now, .. } = &case;
        let slots = case.slots(case.range);
        // Of thousands, some from everywhere will do.
        for slot in slots.iter().copied().step_by(slots.len() / 50 + 1) {
            prop_assert!(case.ask(|calendar| calendar.offers(terms, *now, slot)), "{}", slot);
            prop_assert!(case.ask(|calendar| calendar.is_free(terms, slot)), "{}", slot);
            let booked = case.booked(slot);
            prop_assert!(case.bookings.iter().all(|old| !old.conflicts_with(&booked)), "{}", slot);
            prop_assert!(case.time_off.iter().all(|off| !off.overlaps(&booked.with_buffers())), "{}", slot);
        }
    }

    #[test]
    fn what_is_booked_is_offered_no_more(case in cases(), pick in any::<Index>()) {
        let slots = case.slots(case.range);
        prop_assume!(!slots.is_empty());
        let slot = *pick.get(&slots);
        let mut taken = case.clone();
        taken.bookings.push(case.booked(slot));
        prop_assert!(!taken.ask(|calendar| calendar.offers(&case.terms, case.now, slot)));
        prop_assert!(!taken.ask(|calendar| calendar.is_free(&case.terms, slot)));
    }

    #[test]
    fn slots_are_in_the_hours_and_respect_notice_and_horizon(case in cases()) {
        let windows = case.staff.hours().windows(TimeRange { end: case.range.end.after(std::time::Duration::from_hours(24)), ..case.range });
        let notice = std::time::Duration::from_mins(case.terms.min_notice.into());
        let horizon = std::time::Duration::from_hours(24 * u64::from(case.terms.horizon_days));
        for slot in case.slots(case.range) {
            let core = case.booked(slot).span;
            prop_assert!(windows.iter().any(|window| window.start <= core.start && core.end <= window.end), "{}", slot);
            prop_assert!(slot >= case.now.after(notice) && slot <= case.now.after(horizon), "{}", slot);
            prop_assert!(case.range.contains(slot), "{}", slot);
        }
    }

    #[test]
    fn a_start_is_offered_if_it_is_a_slot_of_any_range(case in cases(), at in any::<Index>()) {
        let start = cut(case.range, at);
        let slot = case.slots(case.range).contains(&start);
        let offered = case.ask(|calendar| calendar.offers(&case.terms, case.now, start));
        prop_assert_eq!(offered && case.range.contains(start), slot);
    }

    #[test]
    fn slots_do_not_depend_on_how_a_range_is_cut(case in cases(), at in any::<Index>()) {
        let middle = cut(case.range, at);
        let mut slots = case.slots(TimeRange { end: middle, ..case.range });
        slots.extend(case.slots(TimeRange { start: middle, ..case.range }));
        prop_assert_eq!(slots, case.slots(case.range));
    }

    #[test]
    fn nothing_beyond_its_reach_changes_an_answer(case in cases()) {
        let Case { terms, now, range, .. } = &case;
        let reach = reach(&case.staff.hours(), terms, *now, *range);
        let mut known = case.clone();
        known.bookings.retain(|booking| booking.with_buffers().overlaps(&reach));
        known.time_off.retain(|off| off.overlaps(&reach));
        prop_assert_eq!(known.slots(*range), case.slots(*range));
        let closed = |case: &Case| case.ask(|calendar| calendar.closed(terms, *now, *range));
        prop_assert_eq!(closed(&known), closed(&case));
    }

    #[test]
    fn what_gets_busy_adds_no_slot_inside_it(case in cases(), other in cases()) {
        let before = case.slots(case.range);
        let shift = |booking: Booking| {
            let minutes = booking.span.start.unix_millis() / 60_000 - other.first;
            let start = super::case::minute(case.first + minutes);
            Booking { span: TimeRange { start, end: start.after(booking.span.end.since(booking.span.start)) }, ..booking }
        };
        for busy in other.bookings.iter().copied().map(shift) {
            let mut busier = case.clone();
            busier.bookings.push(busy);
            let added = busier.slots(case.range).into_iter().filter(|slot| !before.contains(slot));
            prop_assert!(added.into_iter().all(|slot| !busy.with_buffers().contains(slot)));
        }
    }

    #[test]
    fn closed_stretches_are_disjoint_and_no_slot_is_in_one(case in cases()) {
        let closed = case.ask(|calendar| calendar.closed(&case.terms, case.now, case.range));
        for pair in closed.windows(2) {
            prop_assert!(pair[0].span.end <= pair[1].span.start, "{:?}", pair);
            prop_assert!(pair[0].span.end < pair[1].span.start || pair[0].rule != pair[1].rule, "{:?}", pair);
        }
        let within = |span: &TimeRange| !span.is_empty() && span.start >= case.range.start && span.end <= case.range.end;
        prop_assert!(closed.iter().all(|stretch| within(&stretch.span)));
        for slot in case.slots(case.range) {
            let core = case.booked(slot).span;
            prop_assert!(closed.iter().all(|stretch| !stretch.span.contains(slot)), "{}", slot);
            // The end of a slot may be beyond the horizon, within which only starts have to be.
            let met = closed.iter().find(|stretch| stretch.span.overlaps(&core) && stretch.rule != UnavailableReason::Horizon);
            prop_assert_eq!(met, None, "{}", slot);
        }
    }
}
