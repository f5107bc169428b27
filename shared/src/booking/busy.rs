use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::value::{AppointmentId, Instant, TimeRange};

/// Minutes that are kept free before and after an appointment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Minutes before the start.
    pub before: u16,
    /// Minutes after the end.
    pub after: u16,
}

impl Buffers {
    /// The time range with these buffers added to both ends.
    pub fn around(self, range: TimeRange) -> TimeRange {
        TimeRange { start: range.start.before(minutes(self.before)), end: range.end.after(minutes(self.after)) }
    }

    /// The time around `occupied` that an appointment must not overlap.
    ///
    /// The appointment has these buffers but is compared without them, and `occupied` includes the buffers of
    /// the other appointment. Buffers add up: before `occupied` the appointment needs its buffer after, and
    /// after `occupied` its buffer before.
    pub fn blocked_around(self, occupied: TimeRange) -> TimeRange {
        Self { before: self.after, after: self.before }.around(occupied)
    }
}

/// A number of minutes as a duration.
pub(super) fn minutes(count: impl Into<u64>) -> Duration {
    Duration::from_mins(count.into())
}

/// The time that an appointment occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Booking {
    /// The appointment.
    pub appointment: AppointmentId,
    /// The time from start to end, without buffers.
    pub span: TimeRange,
    /// The buffers around the appointment.
    pub buffers: Buffers,
}

impl Booking {
    /// The time that is occupied, buffers included.
    pub fn with_buffers(&self) -> TimeRange {
        self.buffers.around(self.span)
    }

    /// Whether two bookings of one staff member conflict.
    ///
    /// Buffers add up: the bookings conflict if they overlap with the buffers of both.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.with_buffers().overlaps(&other.with_buffers())
    }
}

/// The stored form of a booking.
///
/// The row of a day has many bookings: hence short names, and milliseconds since 1970.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "i")]
    appointment: AppointmentId,
    #[serde(rename = "s")]
    start: i64,
    #[serde(rename = "e")]
    end: i64,
    #[serde(rename = "b")]
    before: u16,
    #[serde(rename = "a")]
    after: u16,
}

impl From<Booking> for Stored {
    fn from(booking: Booking) -> Self {
        Self {
            appointment: booking.appointment,
            start: booking.span.start.unix_millis(),
            end: booking.span.end.unix_millis(),
            before: booking.buffers.before,
            after: booking.buffers.after,
        }
    }
}

impl TryFrom<Stored> for Booking {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let instant = |millis| Instant::from_unix_millis(millis).ok_or("a timestamp out of range");
        Ok(Self {
            appointment: stored.appointment,
            span: TimeRange { start: instant(stored.start)?, end: instant(stored.end)? },
            buffers: Buffers { before: stored.before, after: stored.after },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const HOUR: i64 = 60 * 60_000;

    fn booking(start: i64, length: i64, before: u16, after: u16) -> Booking {
        let at = |minute: i64| Instant::from_unix_millis(490_000 * HOUR + minute * 60_000).unwrap();
        let span = TimeRange { start: at(start), end: at(start + length) };
        Booking { appointment: AppointmentId::from_uuid(Uuid::nil()), span, buffers: Buffers { before, after } }
    }

    fn bookings() -> impl Strategy<Value = Booking> {
        (0..200_i64, 1..90_i64, 0..40_u16, 0..40_u16)
            .prop_map(|(start, length, before, after)| booking(start, length, before, after))
    }

    proptest! {
        /// Compares the implementation with the formula of a conflict.
        ///
        /// A new booking with buffers `(b, a)` conflicts with `[s, e)` with buffers `(b', a')` if it overlaps
        /// `(s - b' - a, e + a' + b)`.
        #[test]
        fn bookings_conflict_as_in_the_formula(new in bookings(), old in bookings()) {
            let blocked_from = old.span.start.before(minutes(old.buffers.before)).before(minutes(new.buffers.after));
            let blocked_until = old.span.end.after(minutes(old.buffers.after)).after(minutes(new.buffers.before));
            let conflict = new.span.end > blocked_from && new.span.start < blocked_until;
            prop_assert_eq!(new.conflicts_with(&old), conflict);
            prop_assert_eq!(old.conflicts_with(&new), conflict);
            prop_assert_eq!(new.buffers.blocked_around(old.with_buffers()).overlaps(&new.span), conflict);
        }

        #[test]
        fn booking_survives_storage(booking in bookings()) {
            let item = serde_dynamo::to_attribute_value::<_, aws_sdk_dynamodb::types::AttributeValue>(booking).unwrap();
            prop_assert_eq!(serde_dynamo::from_attribute_value::<_, Booking>(item).unwrap(), booking);
        }
    }

    #[test]
    fn buffers_of_adjacent_bookings_add_up() {
        let old = booking(60, 60, 5, 10);
        // After minute 120 the old booking needs 10 minutes and the new one 15.
        assert!(booking(144, 30, 15, 0).conflicts_with(&old));
        assert!(!booking(145, 30, 15, 0).conflicts_with(&old));
        // Before minute 60 the old booking needs 5 minutes and the new one 20.
        assert!(booking(6, 30, 0, 20).conflicts_with(&old));
        assert!(!booking(5, 30, 0, 20).conflicts_with(&old));
    }

    #[test]
    fn booking_is_stored_with_short_names() {
        let stored =
            json!({ "i": Uuid::nil(), "s": 1_764_000_000_000_i64, "e": 1_764_001_800_000_i64, "b": 5, "a": 10 });
        assert_eq!(json!(booking(0, 30, 5, 10)), stored);
        assert!(
            serde_json::from_value::<Booking>(json!({ "i": Uuid::nil(), "s": i64::MAX, "e": 0, "b": 0, "a": 0 }))
                .is_err()
        );
    }
}
