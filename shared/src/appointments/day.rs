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
