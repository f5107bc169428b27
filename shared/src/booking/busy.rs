use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Span;
use crate::entity::AppointmentId;
use crate::value::Instant;

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
    pub fn around(self, span: Span) -> Span {
        Span { start: span.start.before(minutes(self.before)), end: span.end.after(minutes(self.after)) }
    }

    /// The time that a core with these buffers must not meet because `extent` is taken. Buffers add: what comes before needs its own
    /// time after it, and what comes after needs its own time before it.
    pub fn kept_from(self, extent: Span) -> Span {
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
    pub span: Span,
    /// What is kept free around it.
    pub buffers: Buffers,
}

impl Booking {
    /// With its buffers.
    pub fn extent(&self) -> Span {
        self.buffers.around(self.span)
    }

    /// Whether only one of both can be. As buffers add, this is whether they meet when each has its own around it.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.extent().meets(&other.extent())
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
            span: Span { start: moment(stored.start)?, end: moment(stored.end)? },
            buffers: Buffers { before: stored.before, after: stored.after },
        })
    }
}
