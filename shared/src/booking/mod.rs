//! Booking rules: pure functions, without a clock, that compute available slots.
//!
//! Working hours are local times in the time zone of the staff member ([`Hours`]). They alone determine the starts:
//! bookings ([`Booking`]), time off, notice and horizon remove starts and never shift them ([`Calendar`]). All time
//! ranges are half-open ([`TimeRange`](crate::value::TimeRange)). The cost grows with the days of the queried range
//! and their windows, and with the bookings in it, whatever the notice and the horizon.

mod busy;
mod hours;
mod slots;
#[cfg(test)]
mod tests;
mod unavailable;

pub use busy::{Booking, Buffers};
pub use hours::{Day, Hours, Overrides, WeeklyEntry, WeeklyHours, WorkingPeriod};
pub use slots::{Calendar, SlotRules, reach};
pub use unavailable::{UnavailablePeriod, UnavailableReason};
