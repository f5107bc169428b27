//! Who does what, as it was read: what decides on slots and on bookings.

use crate::auth::{ClientScope, Located};
use crate::entity::{Day, ServiceId, ServiceRecord, StaffId, StaffRow};
use crate::keys::Key;
use crate::store::{BatchItems, BatchKeys, Store};
use crate::{Problem, Result};

/// How many members of the staff are looked at at a time.
pub(super) const MAX_CONCURRENCY: usize = 8;

/// A service, and those who may be asked to do it.
pub(super) struct BookableService {
    /// The service.
    pub(super) service: ServiceRecord,
    /// One member of the staff who is meant, or all who offer it and can be booked.
    pub(super) staff: Vec<StaffRow>,
}

impl BookableService {
    /// Reads a service and who does it, and with them rows that `days` names of each. With a member of the staff who is meant that is
    /// one BatchGetItem; else one for the service, one Query if it does not say who offers it, and one BatchGetItem for a hundred rows.
    pub(super) async fn read(
        store: &Store,
        client: ClientScope,
        service: ServiceId,
        staff: Option<StaffId>,
        days: impl Fn(StaffId) -> Vec<Key<Day>>,
    ) -> Result<(Self, BatchItems)> {
        let read = match staff {
            Some(staff) => Self::of_one(store, client, service, staff, &days).await,
            None => Self::of_any(store, client, service, &days).await,
        };
        match read {
            // Without a client there are no services either.
            Err(problem) if problem.status().is_client_error() && !client.exists(store).await? => {
                Err(Problem::not_found())
            }
            read => read,
        }
    }

    async fn of_one(
        store: &Store,
        client: ClientScope,
        service: ServiceId,
        staff: StaffId,
        days: &impl Fn(StaffId) -> Vec<Key<Day>>,
    ) -> Result<(Self, BatchItems)> {
        let (service, staff_member) = (client.service(service), client.staff_member(staff));
        let found = store.get_each(BatchKeys::default().and(&service).and(&staff_member).and_all(&days(staff))).await?;
        let (service, row) = match (found.get(&service)?, found.get(&staff_member)?) {
            (Some(service), Some(row)) => (service, row),
            (None, Some(_)) => return Err(Problem::unresolved_reference("/serviceId")),
            (Some(_), None) => return Err(Problem::unresolved_reference("/staffId")),
            (None, None) => {
                return Err(Problem::unresolved_reference("/serviceId")
                    .with_fields_of(Problem::unresolved_reference("/staffId")));
            }
        };
        Ok((Self { service, staff: vec![row] }, found))
    }

    async fn of_any(
        store: &Store,
        client: ClientScope,
        service: ServiceId,
        days: &impl Fn(StaffId) -> Vec<Key<Day>>,
    ) -> Result<(Self, BatchItems)> {
        let service =
            store.get(&client.service(service)).await?.ok_or_else(|| Problem::unresolved_reference("/serviceId"))?;
        let named: Vec<_> = service.fields.staff_ids.iter().map(|staff| client.staff_member(*staff)).collect();
        let wanted = BatchKeys::default().and_all(&named);
        let (rows, wanted) = if named.is_empty() {
            let all = store.query_all(&client.staff().into()).await?;
            let all: Vec<StaffRow> = all.into_iter().map(|(_, row)| row).collect();
            let wanted = all.iter().fold(wanted, |wanted, row| wanted.and_all(&days(row.id())));
            (Some(all), wanted)
        } else {
            let days = service.fields.staff_ids.iter().map(|staff| days(*staff));
            (None, days.fold(wanted, |wanted, days| wanted.and_all(&days)))
        };
        let found = store.get_each(wanted).await?;
        let mut staff = match rows {
            Some(rows) => rows,
            None => named.iter().filter_map(|key| found.get(key).transpose()).collect::<Result<_>>()?,
        };
        staff.retain(|row| row.staff.fields.active);
        staff.sort_by_key(StaffRow::id);
        Ok((Self { service, staff }, found))
    }
}
