//! When something can be booked: the rules, as pure functions over moments, without a clock of their own.
//!
//! Working hours are wall clock in the zone of who works ([`Hours`]). Less what is taken ([`Booking`], time off) they are free time,
//! and in free time are the starts that are offered ([`Calendar`]). Everything is half-open ([`TimeRange`]), and costs by the days, the
//! windows and the bookings that there are, never by their product.

mod busy;
mod closed;
mod grid;
mod hours;
mod slots;
#[cfg(test)]
mod tests;

pub use busy::{Booking, Buffers};
pub use closed::{ClosedPeriod, UnavailableReason};
pub use hours::{Day, Hours, Overrides, WeeklyEntry, WeeklyHours, Window};
pub use slots::{Calendar, SlotRules, reach};
