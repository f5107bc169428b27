//! The list of appointments and its filters.

use axum::Json;
use chrono::TimeDelta;
use deserr::Deserr;
use shared::appointments::{Appointment, AppointmentStatus, StaffId};
use shared::contacts::{ContactId, hide_deleted_contacts};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::{List, Order, Position, QueryResult, Store};
use shared::value::{Instant, InvalidValue, TimeRange, ValidationErrors};
use shared::web::page::{PageParams, truncate_page};
use shared::web::{Access, Located, Page, Paging, Problem, Result};
use utoipa::IntoParams;

type AppointmentPage = Page<Appointment>;

/// The filters of the list of appointments.
#[derive(Clone, Debug, Default, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct AppointmentFilters {
    /// Only appointments that start at or after this instant.
    ///
    /// Requires `to`. Always served by an index.
    #[deserr(default)]
    from: Option<Instant>,
    /// Only appointments that start before this instant, at most 366 days after `from`.
    ///
    /// Requires `from`.
    #[deserr(default)]
    to: Option<Instant>,
    /// Only appointments for this contact. Served by an index.
    #[deserr(default)]
    contact_id: Option<ContactId>,
    /// Only appointments with this staff member.
    ///
    /// Served by an index; filters pages if combined with `contactId`.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// Only appointments with this status.
    ///
    /// Served by an index; filters pages if combined with `contactId` or `staffId`.
    #[deserr(default)]
    status: Option<AppointmentStatus>,
}

/// How many times the page size is read for filters that no index serves alone.
const READ_FACTOR: usize = 4;

/// The maximum length of the range, in days: each of its months may take a Query.
const MAX_DAYS: i64 = 366;

/// List appointments.
///
/// Without filters in the order of creation, otherwise by start time; oldest first. Filters can be combined: one
/// index serves the list, and the other filters apply to each page, so that a page may be short or empty and
/// still have a `nextCursor`: continue until it is `null`. Filtered lists are eventually consistent, usually
/// within a second.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/appointments", tag = "appointments", operation_id = "listAppointments",
    params(("clientId" = ClientId, Path, description = "The client's id."), PageParams, AppointmentFilters),
    responses((status = 200, body = AppointmentPage, description = "A page of appointments."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging<AppointmentFilters>,
) -> Result<Json<AppointmentPage>> {
    let filters = &paging.filters;
    let range = filters.range()?;
    let read_limit = if filters.are_indexed() { paging.limit() + 1 } else { READ_FACTOR * paging.limit() + 1 };
    let (list, QueryResult { items: rows, stopped }) = match filters.list(*client, range) {
        Some(list) => {
            let rows = paging.query(&store, *client, &list, Order::Asc, read_limit).await?;
            (list, rows)
        }
        None => read_months(&store, *client, &paging, range, read_limit).await?,
    };
    let (positions, appointments): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let appointments = positions.into_iter().zip(hide_deleted_contacts(&store, *client, appointments).await?);
    let mut matches: Vec<_> = appointments.filter(|(_, appointment)| filters.match_appointment(appointment)).collect();
    let end = truncate_page(&mut matches, paging.limit(), stopped);
    paging.page(&list, matches.into_iter().map(|(_, appointment)| appointment).collect(), end.as_ref()).map(Json)
}

/// Reads the lists of successive months as one list.
///
/// Also returns the list of the first month, to which the cursor of the page is bound.
async fn read_months(
    store: &Store,
    client: ClientScope,
    paging: &Paging<AppointmentFilters>,
    range: Option<TimeRange>,
    read_limit: usize,
) -> Result<(List<Appointment>, QueryResult<Appointment>)> {
    let range = range.ok_or_else(|| Problem::internal("the months of no range"))?;
    let first = client.appointments_in(range).next().ok_or_else(|| Problem::internal("a range without a month"))?;
    let mut after = paging.after(&first)?;
    let is_first = after.is_none();
    let start = after.as_ref().map_or(Ok(range.start), start_of)?;
    let mut read = QueryResult { items: Vec::new(), stopped: None };
    for month in client.appointments_in(TimeRange { start, ..range }) {
        if read.items.len() >= read_limit {
            // The previous month ended exactly at the limit; this month is still unread.
            read.stopped = read.items.last().map(|(position, _)| position.clone());
            break;
        }
        let left = i32::try_from(read_limit - read.items.len()).map_err(Problem::internal)?;
        let page = store.query(&month, after.take(), Order::Asc, left).await?;
        read.items.extend(page.items);
        read.stopped = page.stopped;
        if read.stopped.is_some() {
            break;
        }
    }
    if is_first && read.items.is_empty() && !client.exists(store).await? {
        return Err(Problem::not_found());
    }
    Ok((first, read))
}

/// The start of the appointment at a position in the list of a month.
fn start_of(position: &Position) -> Result<Instant> {
    let start = position.sort_key().split('#').next().and_then(|start| start.parse().ok());
    start.ok_or_else(|| Problem::internal("the key of an appointment has no start"))
}

impl AppointmentFilters {
    /// The range; `None` without both ends, invalid with only one end.
    fn range(&self) -> Result<Option<TimeRange>> {
        let missing = InvalidValue::new("required", "is required if the other end of the range is given");
        let (pointer, invalid) = match (self.from, self.to) {
            (None, None) => return Ok(None),
            (None, Some(_)) => ("/from", missing),
            (Some(_), None) => ("/to", missing),
            (Some(from), Some(to)) if to <= from => {
                ("/to", InvalidValue::new("end_not_after_start", "must be after from"))
            }
            (Some(from), Some(to)) if to.to_utc() - from.to_utc() > TimeDelta::days(MAX_DAYS) => {
                ("/to", InvalidValue::new("range_too_long", "must be at most 366 days after from"))
            }
            (Some(start), Some(end)) => return Ok(Some(TimeRange { start, end })),
        };
        Err(ValidationErrors::field(pointer, invalid).into())
    }

    /// The list of the most selective index; `None` for the lists of months.
    fn list(&self, client: ClientScope, range: Option<TimeRange>) -> Option<List<Appointment>> {
        match (self.contact_id, self.staff_id, self.status, range) {
            (Some(contact), ..) => Some(client.appointments_of_contact(contact, range)),
            (None, Some(staff), ..) => Some(client.appointments_of_staff(staff, range)),
            (None, None, Some(status), _) => Some(client.appointments_with(status, range)),
            (None, None, None, Some(_)) => None,
            (None, None, None, None) => Some(client.appointments().into()),
        }
    }

    /// Whether the index alone serves the filters.
    ///
    /// Then every page except the last is full.
    const fn are_indexed(&self) -> bool {
        self.contact_id.is_some() as u8 + self.staff_id.is_some() as u8 + self.status.is_some() as u8 <= 1
    }

    /// Whether an appointment matches the filters.
    fn match_appointment(&self, appointment: &Appointment) -> bool {
        self.contact_id.is_none_or(|contact| appointment.fields.contact_id == Some(contact))
            && self.staff_id.is_none_or(|staff| appointment.staff_id == staff)
            && self.status.is_none_or(|status| appointment.status == status)
    }
}
