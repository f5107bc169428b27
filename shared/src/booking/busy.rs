use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entity::AppointmentId;
use crate::value::Instant;
use crate::value::TimeRange;

/// Minutes that are kept free around an appointment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Before it begins.
    pub before: u16,
    /// After it ends.
    pub after: u16,
}

impl Buffers {
    /// `span` with its buffers.
    pub fn around(self, span: TimeRange) -> TimeRange {
        TimeRange { start: span.start.before(minutes(self.before)), end: span.end.after(minutes(self.after)) }
    }

    /// The time that a core with these buffers must not meet because `extent` is taken. Buffers add: what comes before needs its own
    /// time after it, and what comes after needs its own time before it.
    pub fn kept_from(self, extent: TimeRange) -> TimeRange {
        Self { before: self.after, after: self.before }.around(extent)
    }
}

/// So many minutes of elapsed time.
pub(super) fn minutes(count: impl Into<u64>) -> Duration {
    Duration::from_mins(count.into())
}

/// Time that an appointment takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Booking {
    /// Which appointment it is.
    pub appointment: AppointmentId,
    /// From its start to its end.
    pub span: TimeRange,
    /// What is kept free around it.
    pub buffers: Buffers,
}

impl Booking {
    /// With its buffers.
    pub fn with_buffers(&self) -> TimeRange {
        self.buffers.around(self.span)
    }

    /// Whether only one of both can be. As buffers add, this is whether they meet when each has its own around it.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.with_buffers().overlaps(&other.with_buffers())
    }
}

/// As it lies in the row of a day, which holds many: short names, and milliseconds since 1970.
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
        let moment = |millis| Instant::from_unix_millis(millis).ok_or("a moment beyond the years that there are");
        Ok(Self {
            appointment: stored.appointment,
            span: TimeRange { start: moment(stored.start)?, end: moment(stored.end)? },
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
        /// A new booking with buffers `(b, a)` conflicts with `[s, e)` that has `(b', a')` when it meets `(s - b' - a, e + a' + b)`.
        #[test]
        fn bookings_conflict_as_the_formula_says(new in bookings(), old in bookings()) {
            let since = old.span.start.before(minutes(old.buffers.before)).before(minutes(new.buffers.after));
            let until = old.span.end.after(minutes(old.buffers.after)).after(minutes(new.buffers.before));
            let conflict = new.span.end > since && new.span.start < until;
            prop_assert_eq!(new.conflicts_with(&old), conflict);
            prop_assert_eq!(old.conflicts_with(&new), conflict);
            prop_assert_eq!(new.buffers.kept_from(old.with_buffers()).overlaps(&new.span), conflict);
        }

        #[test]
        fn a_booking_reads_back_from_its_row(booking in bookings()) {
            let item = serde_dynamo::to_attribute_value::<_, aws_sdk_dynamodb::types::AttributeValue>(booking).unwrap();
            prop_assert_eq!(serde_dynamo::from_attribute_value::<_, Booking>(item).unwrap(), booking);
        }
    }

    #[test]
    fn buffers_add() {
        let old = booking(60, 60, 5, 10);
        // From minute 120 on the old one needs 10, the new one 15.
        assert!(booking(144, 30, 15, 0).conflicts_with(&old));
        assert!(!booking(145, 30, 15, 0).conflicts_with(&old));
        // Until minute 60 the old one needs 5, the new one 20.
        assert!(booking(6, 30, 0, 20).conflicts_with(&old));
        assert!(!booking(5, 30, 0, 20).conflicts_with(&old));
    }

    #[test]
    fn a_booking_is_stored_in_few_bytes() {
        let stored =
            json!({ "i": Uuid::nil(), "s": 1_764_000_000_000_i64, "e": 1_764_001_800_000_i64, "b": 5, "a": 10 });
        assert_eq!(json!(booking(0, 30, 5, 10)), stored);
        assert!(
            serde_json::from_value::<Booking>(json!({ "i": Uuid::nil(), "s": i64::MAX, "e": 0, "b": 0, "a": 0 }))
                .is_err()
        );
    }
}
