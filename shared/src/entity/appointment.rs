use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AppointmentId, ContactId, Meta, ServiceId, StaffId};
use crate::auth::ClientId;
use crate::value::{Instant, Name};

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
    /// What became of it.
    pub status: AppointmentStatus,
    /// What is done.
    pub service_id: ServiceId,
    /// By whom.
    pub staff_id: StaffId,
    /// For whom.
    #[schema(required)]
    pub contact_id: Option<ContactId>,
    /// What the staff should know.
    #[schema(required)]
    pub notes: Option<String>,
    /// How it was booked.
    pub source: BookingSource,
    /// Why it was cancelled.
    #[schema(required)]
    pub cancelled_reason: Option<Name>,
    /// Its version and times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// What a client does for its customers.
pub enum Service {}

/// Somebody who does it.
pub enum Staff {}

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

/// How an appointment was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BookingSource {
    /// By a user.
    Api,
    /// By a visitor of the client's website.
    Widget,
}

impl Appointment {
    /// The same appointment, for nobody who is known.
    #[must_use]
    pub fn without_contact(&self, now: Instant) -> Self {
        Self { contact_id: None, meta: self.meta.changed(now), ..self.clone() }
    }
}
