//! Appointments: services, staff and their schedules, availability, and bookings.

mod appointment;
mod availability;
mod bookable_service;
mod calendar_file;
mod calendar_token;
mod content_lines;
#[cfg(test)]
pub(crate) mod data_model;
mod day;
mod days;
mod hold;
pub mod jobs;
mod keys;
pub mod repository;
mod service;
mod slot_allocator;
mod staff;
mod transition;
mod usage_guard;

pub use appointment::{
    Appointment, AppointmentFields, AppointmentStatus, BookingSource, CancelReason, ReservedSlot, Transition,
};
pub use availability::{Availability, AvailabilityRequest, AvailableSlot, Slot, StaffAvailability, range_of_starts};
pub use calendar_file::{CalendarFile, calendar_event};
pub use calendar_token::{CalendarAccess, CalendarQuery, calendar_token};
pub use day::{Day, DayEdit};
pub use days::Days;
pub use hold::{Hold, HoldId, HoldMarker, HoldPolicy, VisitHold, VisitId};
pub use service::Service;
pub use slot_allocator::{BookingRequest, Replaced, SlotAllocator};
pub use staff::{Absence, OfStaff, Staff, StaffRow, TimeOff};
pub use transition::invalid_transition;
pub use usage_guard::{StaffCount, UsageGuard};

use crate::table::Record;
pub use crate::value::AppointmentId;
use crate::value::Id;

/// A service.
pub type ServiceRecord = Record<Service>;
/// A service's id.
pub type ServiceId = Id<Service>;
/// A staff member.
pub type StaffRecord = Record<Staff>;
/// A staff member's id.
pub type StaffId = Id<Staff>;
/// A time-off entry.
pub type TimeOffRecord = Record<TimeOff>;
/// A time-off entry's id.
pub type TimeOffId = Id<TimeOff>;
