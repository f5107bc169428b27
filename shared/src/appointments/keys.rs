//! Keys of services, staff, their days and time off, and appointments.

use super::{
    Appointment, AppointmentId, AppointmentStatus, Day, ServiceId, ServiceRecord, StaffCount, StaffId, StaffRow,
    TimeOffId, TimeOffRecord, UsageGuard, VisitHold, VisitId,
};
use crate::contacts::ContactId;
use crate::identity::ClientScope;
use crate::jobs::OwnedItem;
use crate::table::{
    Bounds, Entity, GSI1, GSI3, GSI4, GSI5, IndexKey, Key, KeyPart, Layout, List, Operand, Partition, StoreError,
};
use crate::value::{Date, Month, TimeRange, months};

impl Entity for Appointment {
    const LAYOUT: Layout = Layout::Document;

    fn private_fields(&self) -> Result<Vec<(&'static str, Operand)>, StoreError> {
        let number = self.manage_number().map(|number| ("manage", number.into()));
        let plan = Some(self.reminders()).filter(|plan| !plan.is_empty());
        let plan = plan.map(|plan| Ok(("reminders", Operand::serialize(plan)?))).transpose()?;
        Ok(number.into_iter().chain(plan).collect())
    }

    fn index_keys(&self, key: &Key<Self>) -> Vec<IndexKey> {
        let Some(client) = key.client() else { return Vec::new() };
        let (start, id) = (self.start_time, self.id);
        let always = [
            GSI1.key(client, in_month(Month::of(start)), (start, id)),
            GSI4.key(client, of_status(self.status), (start, id)),
            GSI5.key(client, of_staff(self.staff_id), (start, id)),
        ];
        let contact = self.fields.contact_id;
        let contact = contact.map(|contact| GSI3.key(client, ("CONTACT", contact), (CONTACT_LABEL, start, id)));
        always.into_iter().chain(contact).collect()
    }
}

impl Entity for Day {}
impl Entity for StaffCount {}
impl Entity for StaffRow {}
impl Entity for UsageGuard {}
impl Entity for VisitHold {}

const CONTACT_LABEL: &str = "APPT";

fn in_month(month: Month) -> impl KeyPart {
    ("APPT", month)
}

fn of_status(status: AppointmentStatus) -> impl KeyPart {
    ("APPT", status.name())
}

fn of_staff(staff: StaffId) -> impl KeyPart {
    ("STAFF", staff)
}

/// The bounds of the sort keys of appointments that start in a time range.
///
/// `!` sorts before the `#` that follows the start in a key, so the end is excluded.
fn starts_in(range: TimeRange) -> [String; 2] {
    [range.start.to_string(), format!("{}!", range.end)]
}

fn starting(list: List<Appointment>, range: Option<TimeRange>) -> List<Appointment> {
    let bounds = range.map(starts_in).map_or(Bounds::None, |[from, to]| Bounds::Between(from, to));
    list.bounded(bounds)
}

impl ClientScope {
    /// The client's appointments, by creation.
    pub fn appointments(self) -> Partition<Appointment> {
        Partition::new(self, "APPOINTMENT")
    }

    /// One appointment.
    pub fn appointment(self, id: AppointmentId) -> Key<Appointment> {
        self.appointments().item(id)
    }

    /// The appointments of a contact by start, optionally of a time range.
    pub fn appointments_of_contact(self, contact: ContactId, range: Option<TimeRange>) -> List<Appointment> {
        let bounds = match range.map(starts_in) {
            None => Bounds::Prefix(format!("{CONTACT_LABEL}#")),
            Some([from, to]) => Bounds::Between(format!("{CONTACT_LABEL}#{from}"), format!("{CONTACT_LABEL}#{to}")),
        };
        self.appointments().all().by(&GSI3, self, ("CONTACT", contact)).bounded(bounds)
    }

    /// The appointments that start in a time range, by start: one list per UTC month.
    pub fn appointments_in(self, range: TimeRange) -> impl Iterator<Item = List<Appointment>> {
        months(range)
            .map(move |month| starting(self.appointments().all().by(&GSI1, self, in_month(month)), Some(range)))
    }

    /// The appointments with a status by start, optionally of a time range.
    pub fn appointments_with(self, status: AppointmentStatus, range: Option<TimeRange>) -> List<Appointment> {
        starting(self.appointments().all().by(&GSI4, self, of_status(status)), range)
    }

    /// The appointments of a staff member by start, optionally of a time range.
    pub fn appointments_of_staff(self, staff: StaffId, range: Option<TimeRange>) -> List<Appointment> {
        starting(self.appointments().all().by(&GSI5, self, of_staff(staff)), range)
    }

    /// The client's services, by creation.
    pub fn services(self) -> Partition<ServiceRecord> {
        Partition::new(self, "SERVICE")
    }

    /// One service.
    pub fn service(self, id: ServiceId) -> Key<ServiceRecord> {
        self.services().item(id)
    }

    /// The usage guard of a service; it exists exactly when the service does.
    pub fn service_guard(self, id: ServiceId) -> Key<UsageGuard> {
        Partition::new(self, "USED").item(id)
    }

    /// The client's staff, by creation.
    pub fn staff(self) -> Partition<StaffRow> {
        Partition::new(self, "STAFF")
    }

    /// One staff member.
    pub fn staff_member(self, id: StaffId) -> Key<StaffRow> {
        self.staff().item(id)
    }

    /// The usage guard of a staff member; it exists exactly when the staff member does.
    pub fn staff_guard(self, id: StaffId) -> Key<UsageGuard> {
        Partition::new(self, "USED").item(id)
    }

    /// The number of staff members.
    pub fn staff_count(self) -> Key<StaffCount> {
        Partition::new(self, "TEAM").item("COUNT")
    }

    /// The UTC days of a staff member that have or had bookings.
    pub fn days(self, staff: StaffId) -> Partition<Day> {
        Partition::new(self, ("STAFF", staff, "DAY"))
    }

    /// One UTC day of a staff member.
    pub fn day(self, staff: StaffId, date: Date) -> Key<Day> {
        self.days(staff).item(date)
    }

    /// The days of a staff member from one date to another, both included.
    pub fn days_between(self, staff: StaffId, first: Date, last: Date) -> List<Day> {
        self.days(staff).all().bounded(Bounds::Between(first.to_string(), last.to_string()))
    }

    /// The time-off entries of a staff member, by creation.
    pub fn times_off(self, staff: StaffId) -> Partition<TimeOffRecord> {
        Partition::new(self, ("STAFF", staff, "OFF"))
    }

    /// One time-off entry of a staff member.
    pub fn time_off(self, staff: StaffId, id: TimeOffId) -> Key<TimeOffRecord> {
        self.times_off(staff).item(id)
    }

    /// The hold of a visitor's session.
    pub fn visit_hold(self, visit: VisitId) -> Key<VisitHold> {
        Partition::new(self, "HELD").item(visit)
    }

    /// The partitions of all items that belong to a staff member.
    pub fn staff_children(self, staff: StaffId) -> [Partition<OwnedItem>; 2] {
        [self.times_off(staff).cast(), self.days(staff).cast()]
    }
}
