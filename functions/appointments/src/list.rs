//! The list of appointments: which index serves what is asked for, and what is left to be filtered.

use axum::Json;
use chrono::TimeDelta;
use deserr::Deserr;
use shared::appointments::shown;
use shared::auth::{Access, ClientId, ClientScope, Located, UseCrm};
use shared::entity::{Appointment, AppointmentStatus, ContactId, StaffId};
use shared::http::page::{PageParams, end_of};
use shared::http::{Page, Paging};
use shared::keys::List;
use shared::store::{Order, Position, Rows, Store};
use shared::value::TimeRange;
use shared::value::{Instant, InvalidValue, ValidationErrors};
use shared::{Problem, Result};
use utoipa::IntoParams;

type AppointmentPage = Page<Appointment>;

/// Which appointments are asked for.
#[derive(Clone, Debug, Default, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Filters {
    /// Appointments that begin then or later. Needs `to`. Served by an index, whatever else is asked for.
    #[deserr(default)]
    from: Option<Instant>,
    /// Appointments that begin before that; at most 366 days after `from`.
    #[deserr(default)]
    to: Option<Instant>,
    /// Appointments for this contact. Served by an index.
    #[deserr(default)]
    contact_id: Option<ContactId>,
    /// Appointments with this member of the staff. Served by an index, unless `contactId` is.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// Appointments with this status. Served by an index, unless one of those before it is; filters pages otherwise.
    #[deserr(default)]
    status: Option<AppointmentStatus>,
}

/// How many times the appointments of a page are looked at for one that an index does not serve alone.
const LOOKED_AT: usize = 4;

/// The longest range, in days: each of its months may take a Query.
const MOST_DAYS: i64 = 366;

/// List the appointments: by their start, oldest first, if anything is asked for, else as they were made.
///
/// Filters can be combined. One index serves the list, of a range alone a Query for each month that the page touches; what it does not
/// serve is filtered page by page, and such a page may be short, or empty, and have a `nextCursor`: go on until that is `null`. All but
/// the unfiltered list follow changes within moments.
#[utoipa::path(get, path = "/v1/clients/{clientId}/appointments", tag = "appointments", operation_id = "listAppointments",
    params(("clientId" = ClientId, Path), PageParams, Filters),
    responses((status = 200, body = AppointmentPage, description = "A page.")),
    extensions(("x-round-trips" = json!(15))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging<Filters>,
) -> Result<Json<AppointmentPage>> {
    let filters = &paging.filters;
    let within = filters.range()?;
    let look_at = if filters.are_served() { paging.limit() + 1 } else { LOOKED_AT * paging.limit() + 1 };
    let (list, Rows { rows, stopped }) = match filters.served(*client, within) {
        Some(list) => {
            let rows = paging.query(&store, *client, &list, Order::Asc, look_at).await?;
            (list, rows)
        }
        None => by_month(&store, *client, &paging, within, look_at).await?,
    };
    let (positions, appointments): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let appointments = positions.into_iter().zip(shown(&store, *client, appointments).await?);
    let mut through: Vec<_> = appointments.filter(|(_, appointment)| filters.let_through(appointment)).collect();
    let end = end_of(&mut through, paging.limit(), stopped);
    paging.page(&list, through.into_iter().map(|(_, appointment)| appointment).collect(), end.as_ref()).map(Json)
}

/// Reads month after month, as one list. The first month's list, to which the page's cursor is bound, comes with it.
async fn by_month(
    store: &Store,
    client: ClientScope,
    paging: &Paging<Filters>,
    within: Option<TimeRange>,
    look_at: usize,
) -> Result<(List<Appointment>, Rows<Appointment>)> {
    let within = within.ok_or_else(|| Problem::internal("no list was chosen"))?;
    let first = client.appointments_in(within).next().ok_or_else(|| Problem::internal("a range without a month"))?;
    let mut after = paging.after(&first)?;
    let is_first = after.is_none();
    let start = after.as_ref().map_or(Ok(within.start), start_of)?;
    let mut read = Rows { rows: Vec::new(), stopped: None };
    for month in client.appointments_in(TimeRange { start, ..within }) {
        if read.rows.len() >= look_at {
            // The month before ended just here, and this one is still to be read.
            read.stopped = read.rows.last().map(|(position, _)| position.clone());
            break;
        }
        let left = i32::try_from(look_at - read.rows.len()).map_err(Problem::internal)?;
        let found = store.query(&month, after.take(), Order::Asc, left).await?;
        read.rows.extend(found.rows);
        read.stopped = found.stopped;
        if read.stopped.is_some() {
            break;
        }
    }
    if is_first && read.rows.is_empty() && !client.exists(store).await? {
        return Err(Problem::not_found());
    }
    Ok((first, read))
}

/// The start of the appointment that stands at a position of a month's list.
fn start_of(position: &Position) -> Result<Instant> {
    let start = position.sort_key().split('#').next().and_then(|start| start.parse().ok());
    start.ok_or_else(|| Problem::internal("an appointment without a start in its key"))
}

impl Filters {
    /// The range, if both of its ends are given, or neither.
    fn range(&self) -> Result<Option<TimeRange>> {
        let missing = InvalidValue::new("required", "is required, as the other end of the range is given");
        let (pointer, why) = match (self.from, self.to) {
            (None, None) => return Ok(None),
            (None, Some(_)) => ("/from", missing),
            (Some(_), None) => ("/to", missing),
            (Some(from), Some(to)) if to <= from => {
                ("/to", InvalidValue::new("end_not_after_start", "must be after from"))
            }
            (Some(from), Some(to)) if to.to_utc() - from.to_utc() > TimeDelta::days(MOST_DAYS) => {
                ("/to", InvalidValue::new("range_too_long", "must be at most 366 days after from"))
            }
            (Some(start), Some(end)) => return Ok(Some(TimeRange { start, end })),
        };
        Err(ValidationErrors::field(pointer, why).into())
    }

    /// The index that leaves the least to filter; `None` if the months' lists serve them.
    fn served(&self, client: ClientScope, within: Option<TimeRange>) -> Option<List<Appointment>> {
        match (self.contact_id, self.staff_id, self.status, within) {
            (Some(contact), .., Some(within)) => Some(client.appointments_of_in(contact, within)),
            (Some(contact), .., None) => Some(client.appointments_of(contact)),
            (None, Some(staff), ..) => Some(client.appointments_of_staff(staff, within)),
            (None, None, Some(status), _) => Some(client.appointments_with(status, within)),
            (None, None, None, Some(_)) => None,
            (None, None, None, None) => Some(client.appointments().into()),
        }
    }

    /// Whether the index alone serves them: then a page is full as long as there are more.
    const fn are_served(&self) -> bool {
        self.contact_id.is_some() as u8 + self.staff_id.is_some() as u8 + self.status.is_some() as u8 <= 1
    }

    /// Whether they let an appointment through.
    fn let_through(&self, appointment: &Appointment) -> bool {
        self.contact_id.is_none_or(|contact| appointment.fields.contact_id == Some(contact))
            && self.staff_id.is_none_or(|staff| appointment.staff_id == staff)
            && self.status.is_none_or(|status| appointment.status == status)
    }
}
