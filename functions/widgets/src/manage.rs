//! Managing one appointment with the token in its link.

use axum::Json;
use axum::extract::State;
use deserr::Deserr;
use shared::appointments::{
    Appointment, AppointmentId, BookingRequest, Days, HoldPolicy, SlotAllocator, StaffId, Transition,
    invalid_transition, repository,
};
use shared::reminders::ReminderRules;
use shared::table::{Store, Transaction};
use shared::value::{Instant, ValidationErrors};
use shared::web::{App, Body, Deleted, ErrorCode, Problem, Result};
use shared::widgets::ManageAccess;
use utoipa::{IntoParams, ToSchema};

use crate::view::VisitorAppointment;

/// The query parameter of all operations on an appointment.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ManageQuery {
    /// The manage token of the appointment.
    #[allow(dead_code, reason = "the guard reads it")]
    token: String,
}

/// The new time of an appointment.
#[derive(Clone, Copy, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({ "startTime": "2030-03-05T10:00:00.000Z", "staffId": null }))]
pub(crate) struct MoveAppointmentRequest {
    /// The new start time.
    start_time: Instant,
    /// The new staff member. Default: the current one.
    #[deserr(default)]
    staff_id: Option<StaffId>,
}

/// What the decision on a new time is made from.
type MoveInput = (Appointment, Days, BookingRequest, SlotAllocator, ReminderRules);

/// Get an appointment.
///
/// The token alone gives access; the widget key selects the allowed frames only.
#[utoipa::path(
    get, path = "/widgets/{widgetKey}/appointments/{appointmentId}", tag = "manage",
    operation_id = "getVisitorAppointment", security(("manage" = [])),
    params(
        ("widgetKey" = String, Path, description = "The widget key; a replaced one, too."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id."),
        ManageQuery
    ),
    responses((status = 200, body = VisitorAppointment, description = "The appointment."))
)]
pub(crate) async fn get(
    access: ManageAccess,
    State(app): State<App>,
    store: Store,
) -> Result<Json<VisitorAppointment>> {
    let appointment = find(&app, &store, &access).await?;
    VisitorAppointment::read(&store, access.client(), &appointment).await.map(Json)
}

/// Cancel an appointment.
///
/// 404 if it is cancelled already, `409 invalid_transition` if it has started or has another status.
#[utoipa::path(
    delete, path = "/widgets/{widgetKey}/appointments/{appointmentId}", tag = "manage",
    operation_id = "cancelVisitorAppointment", security(("manage" = [])),
    params(
        ("widgetKey" = String, Path, description = "The widget key; a replaced one, too."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id."),
        ManageQuery
    ),
    responses((status = 204, description = "The appointment was cancelled.")),
    extensions(("x-errors" = json!(["invalid_transition"])))
)]
pub(crate) async fn cancel(access: ManageAccess, State(app): State<App>, store: Store) -> Result<Deleted> {
    change_status(&app, &store, &access, Transition::Cancel).await.map(|_| Deleted)
}

/// Confirm an appointment.
///
/// A confirmed appointment is returned unchanged. `409 invalid_transition` if it has started or has another status.
#[utoipa::path(
    post, path = "/widgets/{widgetKey}/appointments/{appointmentId}/confirm", tag = "manage",
    operation_id = "confirmVisitorAppointment", security(("manage" = [])),
    params(
        ("widgetKey" = String, Path, description = "The widget key; a replaced one, too."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id."),
        ManageQuery
    ),
    responses((status = 200, body = VisitorAppointment, description = "The confirmed appointment.")),
    extensions(("x-errors" = json!(["invalid_transition"])))
)]
pub(crate) async fn confirm(
    access: ManageAccess,
    State(app): State<App>,
    store: Store,
) -> Result<Json<VisitorAppointment>> {
    let appointment = change_status(&app, &store, &access, Transition::Confirm).await?;
    VisitorAppointment::read(&store, access.client(), &appointment).await.map(Json)
}

/// Reschedule an appointment.
///
/// The new start must be available, see `GET …/availability` with `rescheduling`. `409 slot_unavailable` if it is not,
/// `409 invalid_transition` if the appointment has started or is not open.
#[utoipa::path(
    post, path = "/widgets/{widgetKey}/appointments/{appointmentId}/reschedule", tag = "manage",
    operation_id = "rescheduleVisitorAppointment", security(("manage" = [])),
    params(
        ("widgetKey" = String, Path, description = "The widget key; a replaced one, too."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id."),
        ManageQuery
    ),
    request_body = MoveAppointmentRequest,
    responses((status = 200, body = VisitorAppointment, description = "The rescheduled appointment.")),
    extensions(("x-errors" = json!(["slot_unavailable", "invalid_transition"])))
)]
pub(crate) async fn reschedule(
    access: ManageAccess,
    State(app): State<App>,
    store: Store,
    Body(new): Body<MoveAppointmentRequest>,
) -> Result<Json<VisitorAppointment>> {
    let client = access.client();
    let read = || async {
        let current = find(&app, &store, &access).await?;
        require_open(&current, app.now())?;
        let booking = BookingRequest {
            service: current.service_id,
            staff: Some(new.staff_id.unwrap_or(current.staff_id)),
            start: new.start_time,
            force: false,
            holds: HoldPolicy::Respect(None),
        };
        let allocator = SlotAllocator::read(&store, client, &booking);
        let days = Days::of_appointment(&store, client, &current);
        let rules = async { Ok(ReminderRules::read(&store, client, current.fields.contact_id).await?) };
        let (allocator, days, rules) = tokio::try_join!(allocator, days, rules)?;
        Ok((current, days, booking, allocator, rules))
    };
    let decide = |(current, days, booking, allocator, rules): &MoveInput, transaction: &mut Transaction| {
        let now = app.now();
        let slot = allocator.allocate(booking, Some(current), now)?;
        let next = current.rescheduled(&slot, now).with_reminders_after(current, rules, now);
        if next.meta.version != current.meta.version {
            repository::reschedule(transaction, client, (allocator, &slot), (current, days), &next, rules)?;
        }
        Ok::<_, Problem>(VisitorAppointment::new(&next, allocator.service(), allocator.staff(&slot)?))
    };
    store.retry_on_conflict(read, decide).await.map(Json)
}

/// The appointment that the token gives access to.
pub(crate) async fn find(app: &App, store: &Store, access: &ManageAccess) -> Result<Appointment> {
    let appointment = repository::find(store, access.client(), access.appointment()).await?;
    access.require_valid(&appointment, app.now())?;
    Ok(appointment)
}

/// Requires that the appointment is open and has not started.
fn require_open(appointment: &Appointment, now: Instant) -> Result<()> {
    if appointment.status.is_open() && now < appointment.start_time { Ok(()) } else { Err(invalid_transition()) }
}

/// Changes the status; returns the appointment unchanged if it has the new status already and is not cancelled.
async fn change_status(app: &App, store: &Store, access: &ManageAccess, transition: Transition) -> Result<Appointment> {
    let client = access.client();
    let read = || async {
        let current = find(app, store, access).await?;
        let days = Days::of_appointment(store, client, &current);
        let rules = async {
            let rules = ReminderRules::read(store, client, None);
            if transition == Transition::Cancel { Ok(Some(rules.await?)) } else { Ok(None) }
        };
        let (days, rules) = tokio::try_join!(days, rules)?;
        Ok((current, days, rules))
    };
    let decide = |(current, days, rules): &(Appointment, Days, Option<ReminderRules>),
                  transaction: &mut Transaction| {
        let target = transition.target();
        if current.status == target {
            return if target.blocks() { Ok(current.clone()) } else { Err(already_cancelled()) };
        }
        require_open(current, app.now())?;
        let status = current.status.after(transition).ok_or_else(invalid_transition)?;
        let next = current.with_status(status, None, app.now());
        repository::replace(transaction, client, current, &next, (Some(days), rules.as_ref()))?;
        Ok(next)
    };
    store.retry_on_conflict(read, decide).await
}

fn already_cancelled() -> Problem {
    Problem::new(ErrorCode::NotFound, "The appointment is cancelled already.")
}
