use deserr::Deserr;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::appointments::{AppointmentId, ServiceId, StaffId};
use crate::booking::{Booking, Buffers};
use crate::contacts::{ContactId, ContactReference};
use crate::identity::ClientId;
use crate::reminders::{ReminderPlan, ReminderRules, Timing};
use crate::table::{Meta, Versioned};
use crate::value::{Instant, MultilineText, TimeRange, ValidationErrors, enum_value};

/// A booked time slot with a staff member, optionally for a contact.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Appointment {
    /// The appointment's id.
    pub id: AppointmentId,
    /// The client's id.
    pub client_id: ClientId,
    /// The start time.
    pub start_time: Instant,
    /// The end time: the start time plus the duration of the service.
    pub end_time: Instant,
    /// Minutes kept free before the appointment.
    ///
    /// Copied from the service when the time was booked.
    #[serde(default)]
    #[schema(required)]
    pub buffer_before: u16,
    /// Minutes kept free after the appointment.
    ///
    /// Copied from the service when the time was booked.
    #[serde(default)]
    #[schema(required)]
    pub buffer_after: u16,
    /// The status.
    pub status: AppointmentStatus,
    /// The booked service.
    pub service_id: ServiceId,
    /// The staff member.
    pub staff_id: StaffId,
    /// The fields that users edit.
    #[serde(flatten)]
    pub fields: AppointmentFields,
    /// The channel through which the appointment was booked.
    pub source: BookingSource,
    /// The reason for the cancellation, if given.
    #[schema(required)]
    pub cancelled_reason: Option<CancelReason>,
    /// The version and the times of creation and of the last change.
    #[serde(flatten)]
    pub meta: Meta,
    /// The number of the valid manage tokens.
    ///
    /// `None` without a contact: such an appointment has no manage token.
    #[serde(default, rename = "manage", skip_serializing)]
    #[schema(ignore)]
    manage_number: Option<u64>,
    /// The reminders.
    ///
    /// Stored, and not part of the appointment's JSON.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    reminders: ReminderPlan,
    /// A deleted contact that is hidden until a job removes the reference.
    #[serde(skip)]
    hidden: Option<ContactId>,
}

/// The editable fields of an appointment.
///
/// Other operations change the time and the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "contactId": null,
    "notes": "Prefers the chair by the window.",
}))]
pub struct AppointmentFields {
    /// The contact that the appointment is for: a contact of this client.
    #[deserr(default)]
    #[schema(required)]
    pub contact_id: Option<ContactId>,
    /// Notes for the staff.
    #[deserr(default)]
    #[schema(required)]
    pub notes: Option<MultilineText<10_000>>,
}

/// The status of an appointment.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, EnumString, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum AppointmentStatus {
    /// Booked, not yet confirmed.
    Scheduled,
    /// Confirmed by both sides.
    Confirmed,
    /// Took place.
    Completed,
    /// Cancelled. The time is free.
    Cancelled,
    /// The customer did not come. The time is free.
    NoShow,
}

/// The reason for a cancellation.
pub type CancelReason = MultilineText<1000>;

/// A change of an appointment's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// To [`AppointmentStatus::Confirmed`].
    Confirm,
    /// To [`AppointmentStatus::Completed`].
    Complete,
    /// To [`AppointmentStatus::Cancelled`].
    Cancel,
    /// To [`AppointmentStatus::NoShow`].
    NoShow,
}

impl Transition {
    /// The status after the transition.
    pub const fn target(self) -> AppointmentStatus {
        match self {
            Self::Confirm => AppointmentStatus::Confirmed,
            Self::Complete => AppointmentStatus::Completed,
            Self::Cancel => AppointmentStatus::Cancelled,
            Self::NoShow => AppointmentStatus::NoShow,
        }
    }

    /// Whether the transition states what happened, which is only known from the start time on.
    pub const fn is_outcome(self) -> bool {
        matches!(self, Self::Complete | Self::NoShow)
    }
}

impl AppointmentStatus {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether the appointment is open: scheduled or confirmed.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Confirmed)
    }

    /// Whether the appointment blocks its time for other bookings.
    pub const fn blocks(self) -> bool {
        !matches!(self, Self::Cancelled | Self::NoShow)
    }

    /// The status after a transition; `None` if the transition is not allowed.
    pub const fn after(self, transition: Transition) -> Option<Self> {
        match (self, transition) {
            (Self::Scheduled, Transition::Confirm) => Some(Self::Confirmed),
            (Self::Scheduled | Self::Confirmed | Self::NoShow, Transition::Complete) => Some(Self::Completed),
            (Self::Scheduled | Self::Confirmed | Self::Completed, Transition::NoShow) => Some(Self::NoShow),
            (Self::Scheduled | Self::Confirmed, Transition::Cancel) => Some(Self::Cancelled),
            _ => None,
        }
    }
}

enum_value!(AppointmentStatus);

/// The channel through which an appointment was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BookingSource {
    /// By a user, through this API.
    Api,
    /// By a visitor of the client's website, through a widget.
    Widget,
}

/// A free slot that the allocator chose: service, staff member and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservedSlot {
    /// The service.
    pub service: ServiceId,
    /// The staff member.
    pub staff: StaffId,
    /// The time without buffers.
    pub span: TimeRange,
    /// The buffers of the service.
    pub buffers: Buffers,
}

impl Appointment {
    /// Creates an appointment in a slot.
    pub fn new(
        id: AppointmentId,
        client_id: ClientId,
        slot: &ReservedSlot,
        fields: AppointmentFields,
        source: BookingSource,
        now: Instant,
    ) -> Self {
        Self {
            id,
            client_id,
            start_time: slot.span.start,
            end_time: slot.span.end,
            buffer_before: slot.buffers.before,
            buffer_after: slot.buffers.after,
            status: AppointmentStatus::Scheduled,
            service_id: slot.service,
            staff_id: slot.staff,
            fields,
            source,
            cancelled_reason: None,
            meta: Meta::created(now),
            manage_number: None,
            reminders: ReminderPlan::default(),
            hidden: None,
        }
        .with_manage_number(None)
    }

    /// The number of the manage tokens that are valid for the appointment.
    ///
    /// Stored, and not part of the appointment's JSON.
    ///
    /// `None` without a contact, and from the moment when the contact is deleted.
    pub fn manage_number(&self) -> Option<u64> {
        self.fields.contact_id.and(self.manage_number)
    }

    /// Sets the number for the contact: a new one if the contact is another one than `before`.
    ///
    /// The tokens of a former contact are thereby revoked.
    fn with_manage_number(self, before: Option<ContactId>) -> Self {
        let manage_number = match self.fields.contact_id {
            None => None,
            Some(contact) if before == Some(contact) && self.manage_number.is_some() => self.manage_number,
            Some(_) => Some(random_number()),
        };
        Self { manage_number, ..self }
    }

    /// The reminders.
    pub const fn reminders(&self) -> &ReminderPlan {
        &self.reminders
    }

    /// The start and the reminders.
    pub(super) const fn timing(&self) -> Timing<'_> {
        Timing { start: self.start_time, plan: &self.reminders }
    }

    /// The appointment with the reminders that these rules plan for it; without any unless it is open.
    #[must_use]
    pub fn with_reminders(self, rules: &ReminderRules, now: Instant) -> Self {
        let plan = || rules.plan(self.start_time, now, self.fields.contact_id);
        let reminders = if self.status.is_open() { plan() } else { ReminderPlan::default() };
        Self { reminders, ..self }
    }

    /// The appointment with the reminders of this version, if it starts then and has a contact as before.
    ///
    /// Otherwise with those that the rules plan.
    #[must_use]
    pub fn with_reminders_after(self, before: &Self, rules: &ReminderRules, now: Instant) -> Self {
        let is_same = self.start_time == before.start_time
            && self.fields.contact_id.is_some() == before.fields.contact_id.is_some();
        if is_same { self } else { self.with_reminders(rules, now) }
    }

    /// The time of the staff member that the appointment occupies.
    ///
    /// Other bookings are excluded only while the status [blocks](AppointmentStatus::blocks) the time.
    pub const fn booking(&self) -> Booking {
        Booking {
            appointment: self.id,
            span: TimeRange { start: self.start_time, end: self.end_time },
            buffers: Buffers { before: self.buffer_before, after: self.buffer_after },
        }
    }

    /// The next version with these fields, or the current version if they are the same.
    #[must_use]
    pub fn changed(&self, fields: AppointmentFields, now: Instant) -> Self {
        let meta = self.meta.changed_if(fields != self.fields, now);
        Self { fields, meta, ..self.clone() }.with_manage_number(self.fields.contact_id)
    }

    /// The next version in this slot, or the current version if it is the slot of this appointment.
    #[must_use]
    pub fn rescheduled(&self, slot: &ReservedSlot, now: Instant) -> Self {
        let Booking { span, buffers, .. } = self.booking();
        let moves = (self.staff_id, span, buffers) != (slot.staff, slot.span, slot.buffers);
        Self {
            start_time: slot.span.start,
            end_time: slot.span.end,
            buffer_before: slot.buffers.before,
            buffer_after: slot.buffers.after,
            staff_id: slot.staff,
            meta: self.meta.changed_if(moves, now),
            ..self.clone()
        }
    }

    /// The next version with another status.
    #[must_use]
    pub fn with_status(&self, status: AppointmentStatus, cancelled_reason: Option<CancelReason>, now: Instant) -> Self {
        let reminders = if status.is_open() { self.reminders.clone() } else { ReminderPlan::default() };
        Self { status, cancelled_reason, reminders, meta: self.meta.changed(now), ..self.clone() }
    }

    /// The next version without a contact.
    #[must_use]
    pub fn without_contact(&self, now: Instant) -> Self {
        self.changed(AppointmentFields { contact_id: None, ..self.fields.clone() }, now)
    }
}

/// A random number of 19 digits, so that all manage tokens have the same length.
fn random_number() -> u64 {
    // The first two bits of this half of a random UUID are fixed (RFC 9562, 5.4).
    Uuid::new_v4().as_u64_pair().1 >> 1
}

impl Versioned for Appointment {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl ContactReference for Appointment {
    fn contact(&self) -> Option<ContactId> {
        self.fields.contact_id
    }

    fn hidden_contact(&self) -> Option<ContactId> {
        self.hidden
    }

    fn version(&self) -> u64 {
        self.meta.version
    }

    fn contact_fields(&mut self) -> (&mut Option<ContactId>, &mut Option<ContactId>, &mut Meta) {
        (&mut self.fields.contact_id, &mut self.hidden, &mut self.meta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_is_allowed_only_from_its_source_statuses() {
        use AppointmentStatus::{Cancelled, Completed, Confirmed, NoShow, Scheduled};
        let transitions = [Transition::Confirm, Transition::Complete, Transition::Cancel, Transition::NoShow];
        for (status, after) in [
            (Scheduled, [Some(Confirmed), Some(Completed), Some(Cancelled), Some(NoShow)]),
            (Confirmed, [None, Some(Completed), Some(Cancelled), Some(NoShow)]),
            (Completed, [None, None, None, Some(NoShow)]),
            (Cancelled, [None; 4]),
            (NoShow, [None, Some(Completed), None, None]),
        ] {
            assert_eq!(transitions.map(|transition| status.after(transition)), after, "{}", status.name());
            assert_eq!(status.is_open(), after.contains(&Some(Cancelled)));
        }
        assert_eq!(
            [Scheduled, Confirmed, Completed, Cancelled, NoShow].map(AppointmentStatus::blocks),
            [true, true, true, false, false]
        );
    }

    #[test]
    fn numbers_of_manage_tokens_differ_and_have_the_same_length() {
        let numbers: std::collections::BTreeSet<_> = (0..1000).map(|_| random_number()).collect();
        assert!(numbers.len() == 1000 && numbers.iter().all(|number| number.to_string().len() == 19));
    }

    #[test]
    fn status_round_trips_through_its_wire_name() {
        crate::value::assert_names_agree::<AppointmentStatus>();
        assert_eq!(AppointmentStatus::NoShow.name(), "NO_SHOW");
    }
}
