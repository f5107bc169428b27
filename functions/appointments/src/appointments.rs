//! Appointments: when a member of the staff serves somebody.

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use shared::appointments::{self, BookingRequest, Days, SlotAllocator};
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::entity::{Appointment, AppointmentFields, AppointmentId, BookingSource, ContactId, ServiceId, StaffId};
use shared::http::{Body, Create, Created, Deleted, IfMatch, IfNoneMatch, Patch, PathId, WithEtag};
use shared::store::{Store, Transaction};
use shared::value::{Instant, MultilineText, ValidationErrors};
use shared::{App, Result};
use utoipa::ToSchema;

use crate::transitions::not_possible;

/// An appointment that is to be made.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewAppointment {
    /// What is to be done. It says when the appointment ends.
    service_id: ServiceId,
    /// By whom; by the least busy of those who are free unless given.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// When it is to begin.
    start_time: Instant,
    /// For whom: a contact of this client.
    #[deserr(default)]
    contact_id: Option<ContactId>,
    /// What the staff should know.
    #[deserr(default)]
    notes: Option<MultilineText<10_000>>,
    /// Whether working hours, their grid, notice and horizon are not minded. What is booked and times off always are.
    #[deserr(default)]
    #[schema(required = false)]
    force: bool,
}

/// When an appointment is to be instead.
#[derive(Clone, Copy, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Reschedule {
    /// When it is to begin.
    start_time: Instant,
    /// By whom; by the same member of the staff unless given.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// Whether working hours, their grid, notice and horizon are not minded. What is booked and times off always are.
    #[deserr(default)]
    #[schema(required = false)]
    force: bool,
}

/// Book an appointment. `409 slot_unavailable` if the time is not offered, or was given to somebody else by then.
#[utoipa::path(post, path = "/v1/clients/{clientId}/appointments", tag = "appointments", operation_id = "createAppointment",
    params(("clientId" = ClientId, Path)), request_body = NewAppointment,
    responses((status = 201, body = Appointment, description = "Booked.")),
    extensions(("x-round-trips" = json!(108))))]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields: new, request }: Create<NewAppointment>,
) -> Result<Created> {
    let id = app.ids().make();
    let wish = BookingRequest { service: new.service_id, staff: new.staff_id, start: new.start_time, force: new.force };
    let fields = AppointmentFields { contact_id: new.contact_id, notes: new.notes };
    let location = format!("/v1/clients/{}/appointments/{id}", client.id());
    let read = || SlotAllocator::read(&store, *client, &wish, app.clock().now());
    let decide = |desk: &SlotAllocator, transaction: &mut Transaction| {
        let now = app.clock().now();
        let seat = desk.seat(&wish, None, now)?;
        let new = Appointment::new(id, client.id(), &seat, fields.clone(), BookingSource::Api, now);
        appointments::create(transaction, *client, (desk, &seat), &new)?;
        Created::new(StatusCode::CREATED, &new, location.clone())
    };
    request.decide_as(&store, *client, read, decide).await
}

/// Read an appointment.
#[utoipa::path(get, path = "/v1/clients/{clientId}/appointments/{appointmentId}", tag = "appointments", operation_id = "readAppointment",
    params(("clientId" = ClientId, Path), ("appointmentId" = AppointmentId, Path)),
    responses((status = 200, body = Appointment, description = "The appointment.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Appointment>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<Appointment>> {
    Ok(WithEtag::unless(appointments::find(&store, *client, id).await?, has))
}

/// Change whom an appointment is for, and its notes. `…/reschedule` changes its time, and `…/confirm` and the like what became of it.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/appointments/{appointmentId}", tag = "appointments", operation_id = "updateAppointment",
    params(("clientId" = ClientId, Path), ("appointmentId" = AppointmentId, Path)),
    request_body(content = AppointmentFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Appointment, description = "Changed.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<Appointment>> {
    let decide = |current: &Appointment, transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        let next = current.changed(patch.apply(&current.fields)?, app.clock().now());
        appointments::replace(transaction, *client, current, &next, None)?;
        Ok(next)
    };
    store.decide(|| appointments::find(&store, *client, id), decide).await.map(WithEtag::new)
}

/// Delete an appointment, whatever became of it: its time is free again. To keep it, cancel it.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/appointments/{appointmentId}", tag = "appointments", operation_id = "deleteAppointment",
    params(("clientId" = ClientId, Path), ("appointmentId" = AppointmentId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(4)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Appointment>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let read = || async {
        let current = appointments::find(&store, *client, id).await?;
        let days = Days::of(&store, *client, &current).await?;
        Ok((current, days))
    };
    let decide = |(current, days): &(Appointment, Days), transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        appointments::delete(transaction, *client, current, days)
    };
    store.decide(read, decide).await.map(|()| Deleted)
}

/// Move an appointment to another time, or to another member of the staff. Its own time is not in its way.
#[utoipa::path(post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/reschedule", tag = "appointments", operation_id = "rescheduleAppointment",
    params(("clientId" = ClientId, Path), ("appointmentId" = AppointmentId, Path)), request_body = Reschedule,
    responses((status = 200, body = Appointment, description = "Moved.")),
    extensions(("x-round-trips" = json!(6)), ("x-versioned" = json!(true))))]
pub(crate) async fn reschedule(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Body(to): Body<Reschedule>,
) -> Result<WithEtag<Appointment>> {
    let read = || async {
        let current = appointments::find(&store, *client, id).await?;
        if_match.check(current.meta.version)?;
        if !current.status.is_open() {
            return Err(not_possible());
        }
        let staff = Some(to.staff_id.unwrap_or(current.staff_id));
        let wish = BookingRequest { service: current.service_id, staff, start: to.start_time, force: to.force };
        let desk = SlotAllocator::read(&store, *client, &wish, app.clock().now());
        let (desk, left) = tokio::try_join!(desk, Days::of(&store, *client, &current))?;
        Ok((current, left, wish, desk))
    };
    let decide = |(current, left, wish, desk): &(Appointment, Days, BookingRequest, SlotAllocator),
                  transaction: &mut Transaction| {
        let now = app.clock().now();
        let seat = desk.seat(wish, Some(current), now)?;
        let next = current.moved(&seat, now);
        appointments::reschedule(transaction, *client, (desk, &seat), (current, left), &next)?;
        Ok(next)
    };
    store.decide(read, decide).await.map(WithEtag::new)
}
