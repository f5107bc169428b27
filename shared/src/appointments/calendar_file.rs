//! Calendar files (RFC 5545): the feed of a staff member, and the appointment of a visitor.

use std::ops::{Deref, DerefMut};

use icalendar::{Calendar, Component, Event, EventLike, EventStatus, Property};

use super::content_lines::{fold, unfold};
use super::{Appointment, AppointmentStatus};
use crate::value::Instant;

/// A calendar with the properties that every calendar has.
pub struct CalendarFile(Calendar);

impl CalendarFile {
    /// A calendar without events.
    pub fn new() -> Self {
        // `Calendar::new` sets a product id of its own, and `Calendar::name` also writes the `NAME` of RFC 7986
        // without escaping its value.
        let mut calendar = Calendar::empty();
        let properties = [("VERSION", "2.0"), ("PRODID", "-//Upzento//Upzento CRM//EN"), ("CALSCALE", "GREGORIAN")];
        for (name, value) in properties {
            calendar.append_property(Property::new(name, value));
        }
        Self(calendar)
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        fold(&unfold(&self.0.to_string()))
    }
}

impl Default for CalendarFile {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for CalendarFile {
    type Target = Calendar;

    fn deref(&self) -> &Calendar {
        &self.0
    }
}

impl DerefMut for CalendarFile {
    fn deref_mut(&mut self) -> &mut Calendar {
        &mut self.0
    }
}

/// The event of an appointment; `modified` is the last change of anything that it shows.
pub fn calendar_event(appointment: &Appointment, summary: &str, modified: Instant) -> Event {
    let mut event = Event::with_uid(&format!("{}@upzento", appointment.id));
    event
        .summary(summary)
        .starts(appointment.start_time.to_utc())
        .ends(appointment.end_time.to_utc())
        .sequence(sequence(appointment))
        .timestamp(modified.to_utc())
        .last_modified(modified.to_utc())
        .status(status(appointment.status));
    if !appointment.status.blocks() {
        event.append_property(Property::new("TRANSP", "TRANSPARENT"));
    }
    event
}

/// The sequence number, which grows with each change (RFC 5545, 3.8.7.4).
fn sequence(appointment: &Appointment) -> u32 {
    u32::try_from(appointment.meta.version - 1).unwrap_or(u32::MAX)
}

/// The status of the event (RFC 5545, 3.8.1.11).
const fn status(status: AppointmentStatus) -> EventStatus {
    match status {
        AppointmentStatus::Scheduled => EventStatus::Tentative,
        AppointmentStatus::Confirmed | AppointmentStatus::Completed => EventStatus::Confirmed,
        AppointmentStatus::Cancelled | AppointmentStatus::NoShow => EventStatus::Cancelled,
    }
}
