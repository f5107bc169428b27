//! An appointment as its visitor sees it.

use serde::Serialize;
use shared::appointments::{
    Appointment, AppointmentId, AppointmentStatus, ServiceId, ServiceRecord, StaffId, StaffRow,
};
use shared::identity::ClientScope;
use shared::table::{BatchKeys, Store};
use shared::value::{Instant, TimeZone};
use shared::web::{Problem, Result};
use utoipa::ToSchema;

/// An appointment as its visitor sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VisitorAppointment {
    /// The appointment's id.
    id: AppointmentId,
    /// The status.
    status: AppointmentStatus,
    /// The start time.
    start_time: Instant,
    /// The end time.
    end_time: Instant,
    /// The booked service.
    service_id: ServiceId,
    /// The name of the service.
    service_name: String,
    /// The staff member.
    staff_id: StaffId,
    /// The name of the staff member.
    staff_name: String,
    /// The time zone of the staff member, for visits in person.
    staff_time_zone: TimeZone,
}

impl VisitorAppointment {
    /// The view of an appointment with its service and staff member.
    pub(crate) fn new(appointment: &Appointment, service: &ServiceRecord, staff: &StaffRow) -> Self {
        let staff = &staff.staff.fields;
        Self {
            id: appointment.id,
            status: appointment.status,
            start_time: appointment.start_time,
            end_time: appointment.end_time,
            service_id: appointment.service_id,
            service_name: service.fields.name.to_string(),
            staff_id: appointment.staff_id,
            staff_name: staff.name.to_string(),
            staff_time_zone: staff.time_zone,
        }
    }

    /// Reads the service and the staff member of an appointment: one BatchGetItem.
    pub(crate) async fn read(store: &Store, client: ClientScope, appointment: &Appointment) -> Result<Self> {
        let service = client.service(appointment.service_id);
        let staff = client.staff_member(appointment.staff_id);
        let items = store.get_batch(BatchKeys::default().and(&service).and(&staff)).await?;
        // Neither can be deleted while the appointment refers to it.
        let missing = || Problem::internal("an appointment without its service or staff member");
        let (service, staff) = (items.get(&service)?.ok_or_else(missing)?, items.get(&staff)?.ok_or_else(missing)?);
        Ok(Self::new(appointment, &service, &staff))
    }

    /// The name of the service.
    pub(crate) fn service_name(&self) -> &str {
        &self.service_name
    }
}
