use serde::{Deserialize, Serialize};

use crate::booking::Booking;
use crate::table::{Condition, Failure, Key, StoreError, Transaction};
use crate::value::AppointmentId;

/// The bookings of a staff member on one UTC day.
///
/// A booking is in every day that it overlaps, its buffers included. Two bookings that conflict therefore
/// share a day, and each write of a day requires the version that was read: of two concurrent, conflicting
/// bookings, only one is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The bookings, by start.
    pub bookings: Vec<Booking>,
    /// The number of changes so far; 0 if the day is not stored yet.
    pub version: u64,
}

impl Day {
    /// The next version: without the booking of `removed`, with the booking `added`.
    #[must_use]
    pub fn changed(&self, removed: Option<AppointmentId>, added: Option<&Booking>) -> Self {
        let kept = self.bookings.iter().filter(|booking| Some(booking.appointment) != removed);
        let mut bookings: Vec<_> = kept.chain(added).copied().collect();
        bookings.sort_by_key(|booking| (booking.span.start, booking.appointment));
        Self { bookings, version: self.version + 1 }
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
