//! Time off of staff members.

use axum::Json;
use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde_json::{Value, json};
use shared::appointments::{Days, Staff, StaffId, StaffRow, TimeOff, TimeOffId, TimeOffRecord};
use shared::booking::Booking;
use shared::identity::{ClientId, ClientScope, ManageSchedules, UseCrm};
use shared::table::{Record, Store, Transaction};
use shared::users::require_current_actor;
use shared::value::{QueryBool, TimeRange, ValidationErrors};
use shared::web::page::PageParams;
use shared::web::{
    Access, App, Create, Created, Deleted, ErrorCode, IfMatch, IfNoneMatch, Page, Paging, Parameters, Patch, PathId,
    PathIds, Problem, Result, WithEtag,
};
use utoipa::IntoParams;

use crate::staff::replace_row;

type TimeOffPage = Page<TimeOffRecord>;

/// The query parameters of writes of time-off entries.
#[derive(Clone, Copy, Debug, Default, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct TimeOffOptions {
    /// Keep appointments that overlap the time off.
    ///
    /// Without it, such appointments are an error: `409 time_booked`.
    #[deserr(default)]
    #[param(value_type = bool, required = false, default = false)]
    keep_bookings: QueryBool,
}

/// Create a time-off entry.
///
/// `409 time_booked` if the staff member has appointments in that time: `appointments` has up to 100 of their
/// ids, `total` is their number. With `keepBookings=true` the appointments are kept, and the time off may be
/// longer than 90 days.
/// `409 too_many_times_off` if the staff member has 200 entries that have not ended.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/staff/{staffId}/time-off", tag = "appointments",
    operation_id = "createTimeOff",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id."), TimeOffOptions
    ),
    request_body = TimeOff,
    responses((status = 201, body = TimeOffRecord, description = "The new time-off entry.")),
    extensions(("x-errors" = json!(["forbidden", "time_booked", "too_many_times_off"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSchedules>,
    PathId(staff): PathId<Staff>,
    Parameters(options): Parameters<TimeOffOptions>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<TimeOff>,
) -> Result<Created> {
    fields.check()?;
    let new = Record::new(app.ids(), (*client, staff), fields, app.now());
    let location = format!("/v1/clients/{}/staff/{staff}/time-off/{}", client.id(), new.id);
    let read = || StaffSchedule::read(&store, *client, staff, &new.fields, options);
    let decide = |schedule: &StaffSchedule, transaction: &mut Transaction| {
        schedule.add_time_off(transaction, *client, new.id, (None, new.fields.range()), &app)?;
        transaction.create(&client.time_off(staff, new.id), &new)?;
        Created::new(StatusCode::CREATED, &new, location.clone())
    };
    request.retry_on_conflict(&store, *client, read, decide).await
}

/// List the time off of a staff member.
///
/// Oldest first, by creation. Includes time off that has ended.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/staff/{staffId}/time-off", tag = "appointments", operation_id = "listTimeOff",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id."), PageParams
    ),
    responses((status = 200, body = TimeOffPage, description = "A page of time-off entries."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(staff): PathId<Staff>,
    store: Store,
    paging: Paging,
) -> Result<Json<TimeOffPage>> {
    paging.read_children(&store, *client, &client.staff_member(staff), client.times_off(staff)).await.map(Json)
}

/// Get a time-off entry.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/staff/{staffId}/time-off/{timeOffId}", tag = "appointments",
    operation_id = "getTimeOff",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id."),
        ("timeOffId" = TimeOffId, Path, description = "The time-off entry's id.")
    ),
    responses((status = 200, body = TimeOffRecord, description = "The time-off entry.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathIds(staff, id): PathIds<Staff, TimeOff>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<TimeOffRecord>> {
    let (time_off, _) = store.find_both(&client.time_off(staff, id), &client.staff_member(staff)).await?;
    Ok(WithEtag::unless(time_off, if_none_match))
}

/// Update a time-off entry.
///
/// `409 time_booked` if the staff member has appointments in the new time that were not in the entry before,
/// unless `keepBookings=true`. The limits are the same as for a new entry.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/staff/{staffId}/time-off/{timeOffId}", tag = "appointments",
    operation_id = "updateTimeOff",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id."),
        ("timeOffId" = TimeOffId, Path, description = "The time-off entry's id."), TimeOffOptions
    ),
    request_body(content = TimeOff, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TimeOffRecord, description = "The updated time-off entry.")),
    extensions(
        ("x-errors" = json!(["forbidden", "time_booked", "too_many_times_off"])), ("x-versioned" = json!(true))
    )
)]
pub(crate) async fn update(
    client: Access<ClientScope, ManageSchedules>,
    PathIds(staff, id): PathIds<Staff, TimeOff>,
    Parameters(options): Parameters<TimeOffOptions>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<TimeOffRecord>> {
    let read = || async {
        let current = store.find(&client.time_off(staff, id)).await?;
        if_match.check(current.meta.version)?;
        let next = patch.change(&current, &app)?;
        next.fields.check()?;
        let schedule = StaffSchedule::read(&store, *client, staff, &next.fields, options).await?;
        Ok((current, next, schedule))
    };
    let decide = |(current, next, schedule): &(TimeOffRecord, TimeOffRecord, StaffSchedule),
                  transaction: &mut Transaction| {
        if next.meta.version == current.meta.version {
            return Ok(next.clone());
        }
        let ranges = (Some(current.fields.range()), next.fields.range());
        schedule.add_time_off(transaction, *client, id, ranges, &app)?;
        transaction.replace(&client.time_off(staff, id), next, current.meta.version)?;
        Ok(next.clone())
    };
    store.retry_on_conflict(read, decide).await.map(WithEtag::new)
}

/// Delete a time-off entry.
///
/// Slots in its time become available again.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/staff/{staffId}/time-off/{timeOffId}", tag = "appointments",
    operation_id = "deleteTimeOff",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id."),
        ("timeOffId" = TimeOffId, Path, description = "The time-off entry's id.")
    ),
    responses((status = 204, description = "The time-off entry was deleted.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageSchedules>,
    PathIds(staff, id): PathIds<Staff, TimeOff>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (key, row_key) = (client.time_off(staff, id), client.staff_member(staff));
    let decide = |(current, row): &(TimeOffRecord, StaffRow), transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        require_current_actor(transaction, client.actor())?;
        transaction.delete(&key, current.meta.version)?;
        replace_row(transaction, *client, row, &row.with_time_off(id, None, app.now()))
    };
    store.retry_on_conflict(async || Ok(store.find_both(&key, &row_key).await?), decide).await.map(|()| Deleted)
}

/// The items that a time-off entry is checked against.
struct StaffSchedule {
    staff: StaffRow,
    /// The days that the entry overlaps; `None` if bookings are kept.
    days: Option<Days>,
}

impl StaffSchedule {
    async fn read(
        store: &Store,
        client: ClientScope,
        staff: StaffId,
        time_off: &TimeOff,
        options: TimeOffOptions,
    ) -> Result<Self> {
        let key = client.staff_member(staff);
        if options.keep_bookings.is_set() {
            return Ok(Self { staff: store.find(&key).await?, days: None });
        }
        time_off.check_length()?;
        // Both reads always complete, so that the cost does not depend on which items exist.
        let days = Days::in_range(store, client, staff, time_off.range());
        let (staff, days) = tokio::join!(store.find(&key), days);
        Ok(Self { staff: staff?, days: Some(days?) })
    }

    /// Writes a time-off entry with this range into the staff member's row.
    ///
    /// `before` is the previous range. Rejected if the entry overlaps bookings that the previous range did not
    /// overlap; the transaction requires that there are no new bookings.
    fn add_time_off(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        id: TimeOffId,
        (before, range): (Option<TimeRange>, TimeRange),
        app: &App,
    ) -> Result<()> {
        let next = self.staff.with_time_off(id, Some(range), app.now());
        if next.off.len() > StaffRow::MAX_TIME_OFF {
            let detail = "The staff member has reached the limit of 200 time-off entries that have not ended.";
            return Err(Problem::new(ErrorCode::TooManyTimesOff, detail));
        }
        if let Some(days) = &self.days {
            // Time off has no buffers of its own, but must not overlap the buffers of bookings.
            let overlaps = |booking: &Booking, range: TimeRange| booking.with_buffers().overlaps(&range);
            let mut bookings = days.bookings(None);
            bookings
                .retain(|booking| overlaps(booking, range) && !before.is_some_and(|before| overlaps(booking, before)));
            if !bookings.is_empty() {
                return Err(time_booked(&bookings));
            }
            days.require(transaction, client)?;
        }
        replace_row(transaction, client, &self.staff, &next)
    }
}

/// The maximum number of appointments that a `time_booked` problem lists.
const MAX_LISTED: usize = 100;

fn time_booked(bookings: &[Booking]) -> Problem {
    let summary = |booking: &Booking| {
        let TimeRange { start, end } = booking.span;
        json!({ "id": booking.appointment, "startTime": start, "endTime": end })
    };
    let appointments: Vec<Value> = bookings.iter().take(MAX_LISTED).map(summary).collect();
    let detail = "The staff member has appointments then. Reschedule or cancel them, or use keepBookings=true.";
    Problem::new(ErrorCode::TimeBooked, detail).with("total", bookings.len()).with("appointments", appointments)
}
