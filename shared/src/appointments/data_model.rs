//! The access patterns of services, staff, days, time off and appointments.

use serde_json::json;

use super::{Appointment, AppointmentStatus, Service};
use crate::table::data_model::{AccessPattern, Samples, TRANSACTION_ONLY};
use crate::value::TimeRange;

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    [appointments(samples), services(samples), staff(samples)].into_iter().flatten().collect()
}

fn appointments(samples: &Samples) -> Vec<AccessPattern> {
    let (client, id) = (samples.client(), samples.id("appointment"));
    let (contact, staff) = (samples.id("contact"), samples.id("staff"));
    let (start, status) = (samples.instant("start"), AppointmentStatus::Scheduled);
    samples.placeholder(status.name(), "status");
    let key = client.appointment(id);
    let appointment: Appointment = Samples::item(json!({
        "id": id, "clientId": client.id(), "startTime": start, "endTime": start, "status": status,
        "serviceId": samples.id::<Service>("service"), "staffId": staff, "contactId": contact, "source": "API",
        "version": 1, "createdAt": start, "updatedAt": start,
    }));
    let range = TimeRange { start: samples.instant("from"), end: samples.instant("to") };
    let in_month = client.appointments_in(range).next().unwrap();
    let of_contact = client.appointments_of_contact(contact, None);
    let of_contact_in = client.appointments_of_contact(contact, Some(range));
    let with_status = client.appointments_with(status, None);
    let with_status_in = client.appointments_with(status, Some(range));
    let of_staff = client.appointments_of_staff(staff, None);
    let of_staff_in = client.appointments_of_staff(staff, Some(range));
    vec![
        samples.single("an appointment", "GetItem", &key),
        samples.query("appointments by creation", client.appointments(), &key),
        samples.query_index("appointments in a time range, one Query per UTC month", &in_month, &appointment, &key),
        samples.query_index("appointments of a contact by start", &of_contact, &appointment, &key),
        samples.query_index("appointments of a contact in a time range", &of_contact_in, &appointment, &key),
        samples.query_index("appointments with a status by start", &with_status, &appointment, &key),
        samples.query_index("appointments with a status in a time range", &with_status_in, &appointment, &key),
        samples.query_index("appointments of a staff member by start", &of_staff, &appointment, &key),
        samples.query_index("appointments of a staff member in a time range", &of_staff_in, &appointment, &key),
    ]
}

fn services(samples: &Samples) -> Vec<AccessPattern> {
    let (client, id) = (samples.client(), samples.id("service"));
    vec![
        samples.single("a service", "GetItem, BatchGetItem", &client.service(id)),
        samples.query("services by creation", client.services(), &client.service(id)),
        samples.single("revision and number of uses of a service", TRANSACTION_ONLY, &client.service_guard(id)),
    ]
}

fn staff(samples: &Samples) -> Vec<AccessPattern> {
    let (client, id) = (samples.client(), samples.id("staff"));
    let (date, first, last) = (samples.date("date"), samples.date("first"), samples.date("last"));
    let (day, time_off) = (client.day(id, date), client.time_off(id, samples.id("timeOff")));
    let [deleted_time_off, deleted_days] = client.staff_children(id);
    vec![
        samples.single("a staff member", "GetItem, BatchGetItem", &client.staff_member(id)),
        samples.query("staff by creation", client.staff(), &client.staff_member(id)),
        samples.single("revision and number of uses of a staff member", TRANSACTION_ONLY, &client.staff_guard(id)),
        samples.single("number of staff members", TRANSACTION_ONLY, &client.staff_count()),
        samples.single("bookings and holds of a staff member on a UTC day", "BatchGetItem", &day),
        samples.query(
            "bookings and holds of a staff member from one day to another",
            client.days_between(id, first, last),
            &day,
        ),
        samples.single("a time-off entry", "GetItem", &time_off),
        samples.query("time off of a staff member by creation", client.times_off(id), &time_off),
        samples.query("keys of the time off of a deleted staff member", deleted_time_off, &time_off),
        samples.query("keys of the days of a deleted staff member", deleted_days, &day),
        samples.single("the hold of a visitor's session", "GetItem", &client.visit_hold(samples.id("visit"))),
    ]
}
