//! Booking rules: pure functions, without a clock, that compute available slots.
//!
//! Working hours are local times in the time zone of the staff member ([`Hours`]). Free time is working hours
//! without bookings ([`Booking`]) and time off, and slots start in free time ([`Calendar`]). All time ranges
//! are half-open ([`TimeRange`](crate::value::TimeRange)). The cost grows with the sum of days, windows and
//! bookings, never with their product.

mod busy;
mod grid;
mod hours;
mod slots;
#[cfg(test)]
mod tests;
mod unavailable;

pub use busy::{Booking, Buffers};
pub use hours::{Day, Hours, Overrides, WeeklyEntry, WeeklyHours, WorkingPeriod};
pub use slots::{Calendar, SlotRules, reach};
pub use unavailable::{UnavailablePeriod, UnavailableReason};
