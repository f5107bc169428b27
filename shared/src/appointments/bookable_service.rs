//! A service with the staff members who can be booked for it.

use crate::appointments::{Day, ServiceId, ServiceRecord, StaffId, StaffRow};
use crate::identity::ClientScope;
use crate::table::{BatchItems, BatchKeys, Key, Store, StoreError};
use crate::web::{Located, Problem, Result};

/// The maximum number of concurrent reads of staff members' days.
pub(super) const MAX_CONCURRENCY: usize = 8;

/// A service with the staff members who can be booked for it.
pub(super) struct BookableService {
    /// The service.
    pub(super) service: ServiceRecord,
    /// The requested staff member, or all active ones who offer the service, by id.
    pub(super) staff: Vec<StaffRow>,
}

impl BookableService {
    /// Reads a service, its staff members, and the `days` of each staff member.
    ///
    /// With a staff member, one BatchGetItem. Without, one GetItem for the service, one Query of all staff
    /// members if the service lists none, and one BatchGetItem for each 100 items.
    pub(super) async fn read(
        store: &Store,
        client: ClientScope,
        service: ServiceId,
        staff: Option<StaffId>,
        days: impl Fn(StaffId) -> Vec<Key<Day>>,
    ) -> Result<(Self, BatchItems)> {
        let result = match staff {
            Some(staff) => Self::read_with_staff(store, client, service, staff, &days).await,
            None => Self::read_with_all_staff(store, client, service, &days).await,
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
        service: ServiceId,
        staff: StaffId,
        days: &impl Fn(StaffId) -> Vec<Key<Day>>,
    ) -> Result<(Self, BatchItems)> {
        let (service, staff_member) = (client.service(service), client.staff_member(staff));
        let keys = BatchKeys::default().and(&service).and(&staff_member).and_all(&days(staff));
        let items = store.get_batch(keys).await?;
        let service = items.get(&service)?.ok_or_else(|| Problem::unresolved_reference("/serviceId"));
        let row = items.get(&staff_member)?.ok_or_else(|| Problem::unresolved_reference("/staffId"));
        let (service, row) = Problem::both(service, row)?;
        Ok((Self { service, staff: vec![row] }, items))
    }

    async fn read_with_all_staff(
        store: &Store,
        client: ClientScope,
        service: ServiceId,
        days: &impl Fn(StaffId) -> Vec<Key<Day>>,
    ) -> Result<(Self, BatchItems)> {
        let service =
            store.get(&client.service(service)).await?.ok_or_else(|| Problem::unresolved_reference("/serviceId"))?;
        let named: Vec<_> = service.fields.staff_ids.iter().map(|staff| client.staff_member(*staff)).collect();
        let keys = BatchKeys::default().and_all(&named);
        let (rows, keys) = if named.is_empty() {
            let all = store.query_all(&client.staff().into()).await?;
            let all: Vec<StaffRow> = all.into_iter().map(|(_, row)| row).collect();
            let keys = all.iter().fold(keys, |keys, row| keys.and_all(&days(row.id())));
            (Some(all), keys)
        } else {
            let days = service.fields.staff_ids.iter().map(|staff| days(*staff));
            (None, days.fold(keys, |keys, days| keys.and_all(&days)))
        };
        let items = store.get_batch(keys).await?;
        let mut staff = match rows {
            Some(rows) => rows,
            None => named.iter().filter_map(|key| items.get(key).transpose()).collect::<Result<_, StoreError>>()?,
        };
        staff.retain(|row| row.staff.fields.active);
        staff.sort_by_key(StaffRow::id);
        Ok((Self { service, staff }, items))
    }
}
