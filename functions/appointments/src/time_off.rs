//! When members of the staff are not there.

use axum::Json;
use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde_json::{Value, json};
use shared::appointments::Days;
use shared::auth::{Access, ClientId, ClientScope, ManageSchedules, UseCrm};
use shared::booking::Booking;
use shared::entity::{Meta, Staff, StaffId, StaffRow, TimeOff, TimeOffFields, TimeOffId};
use shared::http::page::PageParams;
use shared::http::{
    Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Parameters, Patch, PathId, PathIds, WithEtag,
};
use shared::store::{Store, Transaction};
use shared::value::TimeRange;
use shared::value::{QueryBool, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::IntoParams;

use crate::staff::revise;

type TimeOffPage = Page<TimeOff>;

/// What is to become of what is booked then.
#[derive(Clone, Copy, Debug, Default, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Options {
    /// Whether what is booked then stays as it is. Otherwise that is a `409`.
    #[deserr(default)]
    #[param(inline, required = false, default = false)]
    keep_bookings: QueryBool,
}

/// Say that a member of the staff is off. `409 time_booked` names as `appointments` what is booked then, up to a hundred,
/// unless that is to stay. Then it may also be longer than 90 days.
#[utoipa::path(post, path = "/v1/clients/{clientId}/staff/{staffId}/time-off", tag = "appointments", operation_id = "createTimeOff",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path), Options), request_body = TimeOffFields,
    responses((status = 201, body = TimeOff, description = "Created.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSchedules>,
    PathId(staff): PathId<Staff>,
    Parameters(options): Parameters<Options>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<TimeOffFields>,
) -> Result<Created> {
    fields.check()?;
    let id = app.ids().make();
    let meta = Meta::created(app.clock().now());
    let new = TimeOff { id, client_id: client.id(), staff_id: staff, fields, meta };
    let read = || Agenda::read(&store, *client, staff, &new.fields, options);
    let decide = |agenda: &Agenda, transaction: &mut Transaction| {
        agenda.take_off(transaction, *client, id, (None, new.fields.span()), &app)?;
        transaction.create(&client.time_off(staff, id), &new)?;
        let location = format!("/v1/clients/{}/staff/{staff}/time-off/{id}", client.id());
        Created::new(StatusCode::CREATED, &new, location)
    };
    request.decide_as(&store, *client, read, decide).await
}

/// List when a member of the staff is and was off, as it was said.
#[utoipa::path(get, path = "/v1/clients/{clientId}/staff/{staffId}/time-off", tag = "appointments", operation_id = "listTimeOff",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path), PageParams),
    responses((status = 200, body = TimeOffPage, description = "A page.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(staff): PathId<Staff>,
    store: Store,
    paging: Paging,
) -> Result<Json<TimeOffPage>> {
    paging.read_of(&store, *client, &client.staff_member(staff), client.times_off(staff)).await.map(Json)
}

/// Read a time off.
#[utoipa::path(get, path = "/v1/clients/{clientId}/staff/{staffId}/time-off/{timeOffId}", tag = "appointments", operation_id = "readTimeOff",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path), ("timeOffId" = TimeOffId, Path)),
    responses((status = 200, body = TimeOff, description = "The time off.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathIds(staff, id): PathIds<Staff, TimeOff>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<TimeOff>> {
    let (off, _) = store.find_both(&client.time_off(staff, id), &client.staff_member(staff)).await?;
    Ok(WithEtag::unless(off, has))
}

/// Change a time off. What is booked then, and was not within it before, is minded as when it was created.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/staff/{staffId}/time-off/{timeOffId}", tag = "appointments", operation_id = "updateTimeOff",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path), ("timeOffId" = TimeOffId, Path), Options),
    request_body(content = TimeOffFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TimeOff, description = "Changed.")),
    extensions(("x-round-trips" = json!(4)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, ManageSchedules>,
    PathIds(staff, id): PathIds<Staff, TimeOff>,
    Parameters(options): Parameters<Options>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<TimeOff>> {
    let read = || async {
        let off = store.find(&client.time_off(staff, id)).await?;
        if_match.check(off.meta.version)?;
        let next = off.changed(patch.apply(&off.fields)?, app.clock().now());
        next.fields.check()?;
        let agenda = Agenda::read(&store, *client, staff, &next.fields, options).await?;
        Ok((off, next, agenda))
    };
    let decide = |(off, next, agenda): &(TimeOff, TimeOff, Agenda), transaction: &mut Transaction| {
        agenda.take_off(transaction, *client, id, (Some(off.fields.span()), next.fields.span()), &app)?;
        transaction.replace(&client.time_off(staff, id), next, off.meta.version)?;
        Ok(next.clone())
    };
    store.decide(read, decide).await.map(WithEtag::new)
}

/// Delete a time off.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/staff/{staffId}/time-off/{timeOffId}", tag = "appointments", operation_id = "deleteTimeOff",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path), ("timeOffId" = TimeOffId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageSchedules>,
    PathIds(staff, id): PathIds<Staff, TimeOff>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (off, row) = (client.time_off(staff, id), client.staff_member(staff));
    let decide = |(current, row): &(TimeOff, StaffRow), transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        transaction.delete(&off, current.meta.version)?;
        revise(transaction, *client, row, &row.off(id, None, app.clock().now()))
    };
    store.decide(|| store.find_both(&off, &row), decide).await.map(|()| Deleted)
}

/// What decides on a time off, as it was read.
struct Agenda {
    staff: StaffRow,
    /// The days that it touches, unless what is booked on them is of no matter.
    days: Option<Days>,
}

impl Agenda {
    async fn read(
        store: &Store,
        client: ClientScope,
        staff: StaffId,
        off: &TimeOffFields,
        options: Options,
    ) -> Result<Self> {
        let row = client.staff_member(staff);
        if options.keep_bookings.is_set() {
            return Ok(Self { staff: store.find(&row).await?, days: None });
        }
        off.check_length()?;
        // Both are always read to their end, so that it costs the same whether or not they are there.
        let (row, days) = tokio::join!(store.find(&row), Days::within(store, client, staff, off.span()));
        Ok(Self { staff: row?, days: Some(days?) })
    }

    /// Adds that the time off is from when to when it says, if nothing is booked then that was not within it before, which the
    /// transaction requires to stay so.
    fn take_off(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        id: TimeOffId,
        (before, span): (Option<TimeRange>, TimeRange),
        app: &App,
    ) -> Result<()> {
        let next = self.staff.off(id, Some(span), app.clock().now());
        if next.off.len() > StaffRow::MOST_OFF {
            return Err(Problem::conflict(
                "too_many_times_off",
                "They have as many times off to come as they can have.",
            ));
        }
        if let Some(days) = &self.days {
            // A time off has no buffers of its own; those of what is booked keep away from it.
            let meets = |booking: &&Booking, span: TimeRange| booking.with_buffers().overlaps(&span);
            let is_new =
                |booking: &&Booking| meets(booking, span) && before.is_none_or(|before| !meets(booking, before));
            let bookings = days.bookings(None);
            let booked: Vec<_> = bookings.iter().filter(is_new).map(told).collect();
            if !booked.is_empty() {
                let detail = "There are appointments then. Move or cancel those first, or say keepBookings=true.";
                let problem = Problem::conflict("time_booked", detail).with("total", booked.len());
                return Err(problem.with("appointments", booked.into_iter().take(MOST_TOLD).collect::<Vec<_>>()));
            }
            days.require(transaction, client)?;
        }
        revise(transaction, client, &self.staff, &next)
    }
}

/// How many of the appointments that are in the way a refusal names.
const MOST_TOLD: usize = 100;

fn told(booking: &Booking) -> Value {
    json!({ "id": booking.appointment, "startTime": booking.span.start, "endTime": booking.span.end })
}
