//! Appointments: booked time slots with a staff member.

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use shared::appointments::{
    Appointment, AppointmentFields, AppointmentId, BookingRequest, BookingSource, Days, HoldPolicy, ServiceId,
    SlotAllocator, StaffId, invalid_transition, repository,
};
use shared::contacts::{ContactId, ContactOrigin};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::reminders::ReminderRules;
use shared::table::{Store, Transaction};
use shared::value::{Instant, MultilineText, ValidationErrors, marker};
use shared::web::{
    Access, App, Body, Create, Created, Deleted, IfMatch, IfNoneMatch, Patch, PathId, Problem, Result, WithEtag,
};
use utoipa::ToSchema;

/// A new appointment.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "serviceId": "01900000-0000-7000-8000-000000000008",
    "staffId": "01900000-0000-7000-8000-000000000009",
    "startTime": "2030-03-04T09:00:00.000Z",
    "contactId": null,
    "notes": "First visit.",
    "force": true,
}))]
pub(crate) struct CreateAppointmentRequest {
    /// The service to book. Its duration determines the end of the appointment.
    service_id: ServiceId,
    /// The staff member.
    ///
    /// Default: the available staff member with the least booked time on that day; of several, the one who was
    /// assigned an appointment least recently.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// The start time.
    start_time: Instant,
    /// The contact that the appointment is for: a contact of this client.
    #[deserr(default)]
    contact_id: Option<ContactId>,
    /// Notes for the staff.
    #[deserr(default)]
    notes: Option<MultilineText<10_000>>,
    /// Skip the checks for working hours, slot grid, notice and horizon.
    ///
    /// Conflicts with bookings and time off are never skipped.
    #[deserr(default)]
    #[schema(required = false, default = false)]
    force: bool,
}

/// The new time of an appointment.
#[derive(Clone, Copy, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "startTime": "2030-03-05T10:00:00.000Z",
    "staffId": null,
    "force": true,
}))]
pub(crate) struct RescheduleAppointmentRequest {
    /// The new start time.
    start_time: Instant,
    /// The new staff member. Default: the current one.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// Skip the checks for working hours, slot grid, notice and horizon.
    ///
    /// Conflicts with bookings and time off are never skipped.
    #[deserr(default)]
    #[schema(required = false, default = false)]
    force: bool,
}

/// What the decision on a new time is made from.
type RescheduleInput = (Appointment, Days, BookingRequest, SlotAllocator, ReminderRules);

/// Book an appointment.
///
/// The start must be available, see `GET …/availability`. `409 slot_unavailable` if it is not, or if another
/// booking took it in the meantime.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/appointments", tag = "appointments", operation_id = "createAppointment",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = CreateAppointmentRequest,
    responses((status = 201, body = Appointment, description = "The new appointment.")),
    extensions(("x-errors" = json!(["slot_unavailable"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields: new, request }: Create<CreateAppointmentRequest>,
) -> Result<Created> {
    let id = app.ids().make();
    let booking = BookingRequest {
        service: new.service_id,
        staff: new.staff_id,
        start: new.start_time,
        force: new.force,
        holds: HoldPolicy::Ignore,
    };
    let fields = AppointmentFields { contact_id: new.contact_id, notes: new.notes };
    let location = format!("/v1/clients/{}/appointments/{id}", client.id());
    let read = || async {
        let rules = async { Ok(ReminderRules::read(&store, *client, fields.contact_id).await?) };
        tokio::try_join!(SlotAllocator::read(&store, *client, &booking), rules)
    };
    let decide = |(allocator, rules): &(SlotAllocator, ReminderRules), transaction: &mut Transaction| {
        let now = app.now();
        let slot = allocator.allocate(&booking, None, now)?;
        let new = Appointment::new(id, client.id(), &slot, fields.clone(), BookingSource::Api, now);
        let new = new.with_reminders(rules, now);
        let contact = (&new, ContactOrigin::Named);
        repository::create(transaction, *client, (allocator, &slot), None, contact, rules)?;
        Created::new(StatusCode::CREATED, &new, location.clone())
    };
    request.retry_on_conflict(&store, *client, read, decide).await
}

/// Get an appointment.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/appointments/{appointmentId}", tag = "appointments",
    operation_id = "getAppointment",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id.")
    ),
    responses((status = 200, body = Appointment, description = "The appointment.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<marker::Appointment>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<Appointment>> {
    Ok(WithEtag::unless(repository::find(&store, *client, id).await?, if_none_match))
}

/// Update an appointment.
///
/// Changes the contact and the notes. The time changes with `POST …/reschedule`, the status with
/// `POST …/confirm`, `…/complete`, `…/cancel` and `…/no-show`.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/appointments/{appointmentId}", tag = "appointments",
    operation_id = "updateAppointment",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id.")
    ),
    request_body(content = AppointmentFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Appointment, description = "The updated appointment.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<marker::Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<Appointment>> {
    let read = || async {
        let current = repository::find(&store, *client, id).await?;
        if_match.check(current.meta.version)?;
        let fields: AppointmentFields = patch.apply(&current.fields)?;
        // A new contact gets reminders.
        let contact = fields.contact_id;
        let is_same = contact == current.fields.contact_id;
        let rules = if is_same { None } else { Some(ReminderRules::read(&store, *client, contact).await?) };
        Ok::<_, Problem>((current, fields, rules))
    };
    let decide = |(current, fields, rules): &(Appointment, AppointmentFields, Option<ReminderRules>),
                  transaction: &mut Transaction| {
        let now = app.now();
        let next = current.changed(fields.clone(), now);
        let next = rules.iter().fold(next, |next, rules| next.with_reminders_after(current, rules, now));
        if next.meta.version != current.meta.version {
            repository::replace(transaction, *client, current, &next, (None, None))?;
        }
        Ok::<_, Problem>(next)
    };
    store.retry_on_conflict(read, decide).await.map(WithEtag::new)
}

/// Delete an appointment.
///
/// Possible in any status; frees the time. To keep a record of the appointment, cancel it instead.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/appointments/{appointmentId}", tag = "appointments",
    operation_id = "deleteAppointment",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id.")
    ),
    responses((status = 204, description = "The appointment was deleted.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<marker::Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let read = || async {
        let current = repository::find(&store, *client, id).await?;
        let days = Days::of_appointment(&store, *client, &current).await?;
        Ok::<_, Problem>((current, days))
    };
    let decide = |(current, days): &(Appointment, Days), transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        repository::delete(transaction, *client, (current, days), app.now())
    };
    store.retry_on_conflict(read, decide).await.map(|()| Deleted)
}

/// Reschedule an appointment.
///
/// Moves a scheduled or confirmed appointment to another time, another staff member, or both. The appointment
/// does not conflict with its own current time. `409 slot_unavailable` if the new start is not available,
/// `409 invalid_transition` in any other status.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/reschedule", tag = "appointments",
    operation_id = "rescheduleAppointment",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id.")
    ),
    request_body = RescheduleAppointmentRequest,
    responses((status = 200, body = Appointment, description = "The rescheduled appointment.")),
    extensions(("x-errors" = json!(["slot_unavailable", "invalid_transition"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn reschedule(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<marker::Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Body(new): Body<RescheduleAppointmentRequest>,
) -> Result<WithEtag<Appointment>> {
    let read = || async {
        let current = repository::find(&store, *client, id).await?;
        if_match.check(current.meta.version)?;
        if !current.status.is_open() {
            return Err(invalid_transition());
        }
        let staff = Some(new.staff_id.unwrap_or(current.staff_id));
        let booking = BookingRequest {
            service: current.service_id,
            staff,
            start: new.start_time,
            force: new.force,
            holds: HoldPolicy::Ignore,
        };
        let allocator = SlotAllocator::read(&store, *client, &booking);
        let days = Days::of_appointment(&store, *client, &current);
        let rules = async { Ok(ReminderRules::read(&store, *client, current.fields.contact_id).await?) };
        let (allocator, days, rules) = tokio::try_join!(allocator, days, rules)?;
        Ok((current, days, booking, allocator, rules))
    };
    let decide = |(current, days, booking, allocator, rules): &RescheduleInput, transaction: &mut Transaction| {
        let now = app.now();
        let slot = allocator.allocate(booking, Some(current), now)?;
        let next = current.rescheduled(&slot, now).with_reminders_after(current, rules, now);
        if next.meta.version != current.meta.version {
            repository::reschedule(transaction, *client, (allocator, &slot), (current, days), &next, rules)?;
        }
        Ok(next)
    };
    store.retry_on_conflict(read, decide).await.map(WithEtag::new)
}
