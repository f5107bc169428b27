use serde::{Deserialize, Serialize};

use super::{Hold, VisitHold};
use crate::booking::Booking;
use crate::table::{Condition, Failure, Key, StoreError, Transaction};
use crate::value::Instant;

/// The bookings and holds of a staff member on one UTC day.
///
/// A booking is in every day that it overlaps, its buffers included, and so is a hold. Two that conflict therefore
/// share a day, and each write of a day requires the version that was read: of two concurrent, conflicting
/// bookings, only one is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The bookings, by start.
    pub bookings: Vec<Booking>,
    /// The holds, by creation; some may have expired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// The number of changes so far; 0 if the day is not stored yet.
    pub version: u64,
}

/// A change of the bookings and holds of one staff member.
#[derive(Clone, Copy, Debug, Default)]
pub struct DayEdit {
    /// The booking to remove.
    pub removed: Option<Booking>,
    /// The booking to add.
    pub added: Option<Booking>,
    /// The hold to remove.
    pub released: Option<VisitHold>,
    /// The hold to add.
    pub held: Option<Hold>,
}

impl DayEdit {
    /// The times that the change concerns.
    pub(super) fn times(&self) -> impl Iterator<Item = Booking> + use<> {
        let released = self.released.map(|hold| *hold.time());
        let held = self.held.map(|hold| *hold.time());
        [self.removed, self.added, released, held].into_iter().flatten()
    }
}

impl Day {
    /// The next version: changed by `edit`, and without the holds that have expired.
    #[must_use]
    pub fn changed(&self, edit: &DayEdit, now: Instant) -> Self {
        let removed = edit.removed.map(|removed| removed.appointment);
        let kept = self.bookings.iter().filter(|booking| Some(booking.appointment) != removed);
        let mut bookings: Vec<_> = kept.copied().chain(edit.added).collect();
        bookings.sort_by_key(|booking| (booking.span.start, booking.appointment));
        let released = edit.released.map(|hold| hold.time().appointment);
        let live =
            self.holds.iter().filter(|hold| hold.is_live(now) && Some(hold.time().appointment) != released).copied();
        Self { bookings, holds: live.chain(edit.held).collect(), version: self.version + 1 }
    }

    /// Writes the next version; a conflict if the day has changed since its read.
    pub(super) fn write(&self, transaction: &mut Transaction, key: &Key<Self>, next: &Self) -> Result<(), StoreError> {
        if self.version == 0 {
            transaction.create_or(key, next, Failure::Conflict)
        } else {
            transaction.replace_or_retry(key, next, self.version)
        }
    }

    /// Requires that the day has not changed since its read: a conflict otherwise.
    pub(super) fn require(&self, transaction: &mut Transaction, key: &Key<Self>) -> Result<(), StoreError> {
        let unchanged = if self.version == 0 { Condition::NotExists } else { Condition::version(self.version) };
        transaction.check(key, unchanged, Failure::Conflict)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::appointments::{HoldPolicy, ReservedSlot, VisitId};
    use crate::booking::Buffers;
    use crate::value::{Id, TimeRange};

    fn now() -> Instant {
        "2026-03-02T08:00:00Z".parse().unwrap()
    }

    fn visit(number: u128) -> VisitId {
        Id::from_uuid(Uuid::from_u128(number))
    }

    /// A hold of an hour by a session, made at `at`.
    fn hold(number: u128, at: Instant) -> VisitHold {
        let start: Instant = "2026-03-02T10:00:00Z".parse().unwrap();
        let id = Id::from_uuid(Uuid::from_u128(number));
        let slot = ReservedSlot {
            service: Id::from_uuid(Uuid::nil()),
            staff: Id::from_uuid(Uuid::nil()),
            span: TimeRange { start, end: start.after(Duration::from_hours(1)) },
            buffers: Buffers { before: 5, after: 10 },
        };
        VisitHold::new(id, &slot, None, at)
    }

    fn with_hold(day: &Day, number: u128, at: Instant) -> Day {
        day.changed(&DayEdit { held: Some(hold(number, at).in_day(visit(number))), ..DayEdit::default() }, at)
    }

    #[test]
    fn hold_blocks_other_sessions_for_ten_minutes_and_users_never() {
        let held = hold(1, now()).in_day(visit(1));
        let before_end = now().after(Duration::from_mins(10)).before(Duration::from_millis(1));
        let end = now().after(Duration::from_mins(10));
        for (policy, at, blocks) in [
            (HoldPolicy::Respect(Some(visit(2))), before_end, true),
            (HoldPolicy::Respect(None), before_end, true),
            (HoldPolicy::Respect(Some(visit(1))), before_end, false),
            (HoldPolicy::Ignore, before_end, false),
            (HoldPolicy::Respect(Some(visit(2))), end, false),
        ] {
            assert_eq!(held.blocks(policy, at), blocks, "{policy:?} at {at}");
        }
    }

    #[test]
    fn write_of_a_day_drops_expired_holds_and_the_released_one() {
        let day = with_hold(&with_hold(&Day::default(), 1, now()), 2, now().after(Duration::from_mins(5)));
        let released = DayEdit { released: Some(hold(2, now())), ..DayEdit::default() };
        let visits = |day: &Day| day.holds.iter().map(|hold| hold.visit).collect::<Vec<_>>();
        assert_eq!(visits(&day), [visit(1), visit(2)]);
        assert_eq!(visits(&day.changed(&released, now())), [visit(1)]);
        let later = now().after(Duration::from_mins(12));
        let next = day.changed(&DayEdit::default(), later);
        assert_eq!((visits(&next), next.version), (vec![visit(2)], 3));
    }

    #[test]
    fn hold_survives_storage_with_short_names() {
        let held = hold(7, now()).in_day(visit(3));
        let stored = serde_json::to_value(held).unwrap();
        let names: Vec<_> = stored.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "b", "e", "i", "n", "s", "x"]);
        assert_eq!(serde_json::from_value::<Hold>(stored).unwrap(), held);
        let item = serde_dynamo::to_attribute_value::<_, aws_sdk_dynamodb::types::AttributeValue>(held).unwrap();
        assert_eq!(serde_dynamo::from_attribute_value::<_, Hold>(item).unwrap(), held);
    }

    proptest! {
        /// Holds and releases in any order leave exactly the live holds that were not released.
        #[test]
        fn day_has_the_live_holds_that_were_not_released(
            steps in prop::collection::vec((0..6_u128, any::<bool>(), 0..7_u64), 0..30),
        ) {
            let (mut day, mut at, mut expected) = (Day::default(), now(), Vec::<(u128, Instant)>::new());
            for (number, is_held, minutes) in steps {
                at = at.after(Duration::from_mins(minutes));
                let own = expected.iter().position(|(other, _)| *other == number);
                let released = own.map(|own| hold(number, expected.remove(own).1));
                let held = is_held.then(|| hold(number, at).in_day(visit(number)));
                day = day.changed(&DayEdit { released, held, ..DayEdit::default() }, at);
                expected.extend(is_held.then_some((number, at)));
                expected.retain(|(_, made)| at < made.after(Duration::from_mins(10)));
                let mut live: Vec<_> = day.holds.iter().map(|hold| hold.visit).collect();
                let mut sessions: Vec<_> = expected.iter().map(|(number, _)| visit(*number)).collect();
                live.sort_unstable();
                sessions.sort_unstable();
                prop_assert_eq!(live, sessions);
            }
        }
    }
}
