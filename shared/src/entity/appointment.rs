use std::str::FromStr;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AppointmentId, ContactId, Meta, ServiceId, StaffId};
use crate::auth::ClientId;
use crate::booking::{Booking, Buffers};
use crate::value::TimeRange;
use crate::value::{Instant, InvalidValue, MultilineText, Name, ValidationErrors, parsed_value};

/// A time at which a member of the staff serves somebody, a contact if it is known whom.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Appointment {
    /// Its id.
    pub id: AppointmentId,
    /// Whose it is.
    pub client_id: ClientId,
    /// When it begins.
    pub start_time: Instant,
    /// When it ends.
    pub end_time: Instant,
    /// How long its staff are busy before it, in minutes: as its service had it when the time was booked.
    #[serde(default)]
    pub buffer_before: u16,
    /// How long they are busy after it, in minutes.
    #[serde(default)]
    pub buffer_after: u16,
    /// What became of it.
    pub status: AppointmentStatus,
    /// What is done.
    pub service_id: ServiceId,
    /// By whom.
    pub staff_id: StaffId,
    /// What its users write.
    #[serde(flatten)]
    pub fields: AppointmentFields,
    /// How it was booked.
    pub source: BookingSource,
    /// Why it was cancelled.
    #[schema(required)]
    pub cancelled_reason: Option<Name>,
    /// Its version and times.
    #[serde(flatten)]
    pub meta: Meta,
    /// A deleted contact without whom it is shown, and whom a job has still to take off it.
    #[serde(skip)]
    pub(crate) hidden: Option<ContactId>,
}

/// The fields of an appointment that its users change at any time. Its time and what became of it change by what is done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct AppointmentFields {
    /// For whom: a contact of this client.
    #[deserr(default)]
    pub contact_id: Option<ContactId>,
    /// What the staff should know.
    #[deserr(default)]
    pub notes: Option<MultilineText<10_000>>,
}

/// What became of an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppointmentStatus {
    /// It was booked.
    Scheduled,
    /// Both sides know that it will be.
    Confirmed,
    /// It was.
    Completed,
    /// It will not be.
    Cancelled,
    /// Nobody came.
    NoShow,
}

/// What is done to an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Both sides know that it will be.
    Confirm,
    /// It was.
    Complete,
    /// It will not be.
    Cancel,
    /// Nobody came.
    NoShow,
}

impl AppointmentStatus {
    /// All of them, as they are written.
    const NAMED: [(&'static str, Self); 5] = [
        ("SCHEDULED", Self::Scheduled),
        ("CONFIRMED", Self::Confirmed),
        ("COMPLETED", Self::Completed),
        ("CANCELLED", Self::Cancelled),
        ("NO_SHOW", Self::NoShow),
    ];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        Self::NAMED[self as usize].0
    }

    /// Whether it has still to be decided what becomes of it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Confirmed)
    }

    /// Whether its time is nobody else's.
    pub const fn blocks(self) -> bool {
        !matches!(self, Self::Cancelled | Self::NoShow)
    }

    /// What it is after this is done; `None` if that cannot be done to it.
    pub const fn after(self, transition: Transition) -> Option<Self> {
        match (self, transition) {
            (Self::Scheduled, Transition::Confirm) => Some(Self::Confirmed),
            (Self::Confirmed, Transition::Complete) => Some(Self::Completed),
            (Self::Confirmed, Transition::NoShow) => Some(Self::NoShow),
            (Self::Scheduled | Self::Confirmed, Transition::Cancel) => Some(Self::Cancelled),
            _ => None,
        }
    }
}

impl FromStr for AppointmentStatus {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let why = "must be one of SCHEDULED, CONFIRMED, COMPLETED, CANCELLED, NO_SHOW";
        let found = Self::NAMED.iter().find(|(name, _)| *name == text);
        found.map(|(_, status)| *status).ok_or(InvalidValue::new("invalid_value", why))
    }
}

parsed_value!([] AppointmentStatus);

/// How an appointment was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BookingSource {
    /// By a user.
    Api,
    /// By a visitor of the client's website.
    Widget,
}

/// By whom an appointment is served, what is done, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservedSlot {
    /// What is done.
    pub service: ServiceId,
    /// By whom.
    pub staff: StaffId,
    /// When.
    pub span: TimeRange,
    /// How long its staff are busy around it.
    pub buffers: Buffers,
    /// From when the start was counted, if another one would have made it another.
    pub counted_from: Option<Instant>,
}

impl Appointment {
    /// A new appointment.
    pub const fn new(
        id: AppointmentId,
        client_id: ClientId,
        seat: &ReservedSlot,
        fields: AppointmentFields,
        source: BookingSource,
        now: Instant,
    ) -> Self {
        Self {
            id,
            client_id,
            start_time: seat.span.start,
            end_time: seat.span.end,
            buffer_before: seat.buffers.before,
            buffer_after: seat.buffers.after,
            status: AppointmentStatus::Scheduled,
            service_id: seat.service,
            staff_id: seat.staff,
            fields,
            source,
            cancelled_reason: None,
            meta: Meta::created(now),
            hidden: None,
        }
    }

    /// What it takes of its staff's time, as long as its status says that it does.
    pub const fn booking(&self) -> Booking {
        Booking {
            appointment: self.id,
            span: TimeRange { start: self.start_time, end: self.end_time },
            buffers: Buffers { before: self.buffer_before, after: self.buffer_after },
        }
    }

    /// The same appointment with other fields, changed now.
    #[must_use]
    pub fn changed(&self, fields: AppointmentFields, now: Instant) -> Self {
        Self { fields, meta: self.meta.changed(now), ..self.clone() }
    }

    /// The same appointment at another time or with somebody else, changed now.
    #[must_use]
    pub fn moved(&self, seat: &ReservedSlot, now: Instant) -> Self {
        Self {
            start_time: seat.span.start,
            end_time: seat.span.end,
            buffer_before: seat.buffers.before,
            buffer_after: seat.buffers.after,
            staff_id: seat.staff,
            meta: self.meta.changed(now),
            ..self.clone()
        }
    }

    /// The same appointment with another status, changed now.
    #[must_use]
    pub fn with_status(&self, status: AppointmentStatus, cancelled_reason: Option<Name>, now: Instant) -> Self {
        Self { status, cancelled_reason, meta: self.meta.changed(now), ..self.clone() }
    }

    /// The same appointment, for nobody who is known.
    #[must_use]
    pub fn without_contact(&self, now: Instant) -> Self {
        self.changed(AppointmentFields { contact_id: None, ..self.fields.clone() }, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appointment_ends_once_and_only_as_it_may() {
        use AppointmentStatus::{Cancelled, Completed, Confirmed, NoShow, Scheduled};
        let transitions = [Transition::Confirm, Transition::Complete, Transition::Cancel, Transition::NoShow];
        for (status, after) in [
            (Scheduled, [Some(Confirmed), None, Some(Cancelled), None]),
            (Confirmed, [None, Some(Completed), Some(Cancelled), Some(NoShow)]),
            (Completed, [None; 4]),
            (Cancelled, [None; 4]),
            (NoShow, [None; 4]),
        ] {
            assert_eq!(transitions.map(|transition| status.after(transition)), after, "{}", status.name());
            assert_eq!(status.is_open(), after.iter().any(Option::is_some));
        }
        assert_eq!(
            [Scheduled, Confirmed, Completed, Cancelled, NoShow].map(AppointmentStatus::blocks),
            [true, true, true, false, false]
        );
    }

    #[test]
    fn a_status_is_written_as_the_api_writes_it() {
        for (name, status) in AppointmentStatus::NAMED {
            assert_eq!(serde_json::to_value(status).unwrap(), name);
            assert_eq!((status.name(), name.parse()), (name, Ok(status)));
        }
    }
}
