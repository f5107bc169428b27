//! A service with the staff members who can be booked for it.

use crate::appointments::{Appointment, AppointmentId, ServiceId, ServiceRecord, StaffId, StaffRow};
use crate::identity::ClientScope;
use crate::table::{BatchItems, BatchKeys, Key, Store};
use crate::web::{Located, Problem, Result};

/// The maximum number of concurrent reads of staff members' days.
pub(super) const MAX_CONCURRENCY: usize = 8;

/// A service with the staff members who can be booked for it.
pub(super) struct BookableService {
    /// The service.
    pub(super) service: ServiceRecord,
    /// The requested staff member, or all who offer the service, by id; some may be inactive.
    pub(super) staff: Vec<StaffRow>,
    /// The appointment to be rescheduled.
    pub(super) moving: Option<Appointment>,
}

impl BookableService {
    /// Reads a service, its staff members, and the items that `also` adds for each staff member.
    ///
    /// With a staff member, one BatchGetItem. Without, one BatchGetItem for the service and one Query of all staff members
    /// at the same time, then one BatchGetItem for each 100 items. `moving` is an appointment to be rescheduled: its
    /// staff member is included even if they no longer offer the service.
    pub(super) async fn read(
        store: &Store,
        client: ClientScope,
        (service, staff): (ServiceId, Option<StaffId>),
        moving: Option<AppointmentId>,
        also: impl Fn(BatchKeys, StaffId) -> BatchKeys,
    ) -> Result<(Self, BatchItems)> {
        let result = match staff {
            Some(staff) => Self::read_with_staff(store, client, (service, staff), moving, &also).await,
            None => Self::read_with_all_staff(store, client, service, moving, &also).await,
        };
        match result {
            // A client that does not exist is a 404, not an unresolved reference.
            Err(problem) if problem.status().is_client_error() && !client.exists(store).await? => {
                Err(Problem::not_found())
            }
            result => result,
        }
    }

    async fn read_with_staff(
        store: &Store,
        client: ClientScope,
        (service, staff): (ServiceId, StaffId),
        moving: Option<AppointmentId>,
        also: &impl Fn(BatchKeys, StaffId) -> BatchKeys,
    ) -> Result<(Self, BatchItems)> {
        let target = Target { service: client.service(service), moving: moving.map(|id| client.appointment(id)) };
        let staff_member = client.staff_member(staff);
        let items = store.get_batch(also(target.keys().and(&staff_member), staff)).await?;
        let row = items.get(&staff_member)?.ok_or_else(|| Problem::unresolved_reference("/staffId"));
        let ((service, moving), row) = Problem::both(target.found(&items), row)?;
        Ok((Self { service, staff: vec![row], moving }, items))
    }

    async fn read_with_all_staff(
        store: &Store,
        client: ClientScope,
        service: ServiceId,
        moving: Option<AppointmentId>,
        also: &impl Fn(BatchKeys, StaffId) -> BatchKeys,
    ) -> Result<(Self, BatchItems)> {
        let target = Target { service: client.service(service), moving: moving.map(|id| client.appointment(id)) };
        let everyone = client.staff().into();
        // All staff members are read even if the service lists some: the client has few, and it saves a round trip.
        let (found, everyone) = tokio::try_join!(store.get_batch(target.keys()), store.query_all(&everyone))?;
        let (service, moving) = target.found(&found)?;
        let offering = &service.fields.staff_ids;
        let own = moving.as_ref().map(|moving| moving.staff_id);
        let offers = |id: StaffId| offering.is_empty() || offering.contains(&id) || own == Some(id);
        let everyone = everyone.into_iter().map(|(_, row): (_, StaffRow)| row);
        let mut staff: Vec<_> = everyone.filter(|row| offers(row.id())).collect();
        let items = store.get_batch(staff.iter().map(StaffRow::id).fold(BatchKeys::default(), also)).await?;
        staff.sort_by_key(StaffRow::id);
        Ok((Self { service, staff, moving }, items))
    }
}

/// The keys of a service and of the appointment to be rescheduled.
struct Target {
    service: Key<ServiceRecord>,
    moving: Option<Key<Appointment>>,
}

impl Target {
    fn keys(&self) -> BatchKeys {
        BatchKeys::default().and(&self.service).and_all(self.moving.as_slice())
    }

    /// The service and the appointment; both errors if both do not exist.
    fn found(&self, items: &BatchItems) -> Result<(ServiceRecord, Option<Appointment>)> {
        let service = items.get(&self.service)?.ok_or_else(|| Problem::unresolved_reference("/serviceId"));
        let moving = match &self.moving {
            Some(key) => items.get(key)?.map(Some).ok_or_else(|| Problem::unresolved_reference("/rescheduling")),
            None => Ok(None),
        };
        Problem::both(service, moving)
    }
}
