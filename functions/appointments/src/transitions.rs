//! Transitions of an appointment's status: a route for each, one shared handler.

use axum::extract::FromRequestParts;
use deserr::Deserr;
use lambda_http::http::request::Parts;
use shared::appointments::{
    Appointment, AppointmentId, AppointmentStatus, CancelReason, Days, Transition, invalid_transition, repository,
};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::reminders::ReminderRules;
use shared::table::{Store, Transaction};
use shared::value::{ValidationErrors, marker};
use shared::web::{Access, App, ErrorCode, IfMatch, OptionalBody, PathId, Problem, Result, WithEtag};
use utoipa::ToSchema;

/// The details of a cancellation.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({ "reason": "The customer is ill." }))]
pub(crate) struct CancelAppointmentRequest {
    /// The reason.
    #[deserr(default)]
    #[schema(example = "The customer is ill.")]
    reason: Option<CancelReason>,
}

/// A body without fields.
#[derive(Clone, Copy, Debug, Deserr)]
#[deserr(error = ValidationErrors, deny_unknown_fields)]
pub(crate) struct EmptyBody {}

/// Confirm an appointment.
///
/// Possible in status `SCHEDULED`, otherwise `409 invalid_transition`.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/confirm", tag = "appointments",
    operation_id = "confirmAppointment",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id.")
    ),
    responses((status = 200, body = Appointment, description = "The confirmed appointment.")),
    extensions(("x-errors" = json!([
        "invalid_transition", "invalid_json", "unreadable_body", "unsupported_media_type", "body_too_large", "invalid"
    ])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn confirm(
    client: Access<ClientScope, UseCrm>,
    change: StatusChange,
    _: OptionalBody<EmptyBody>,
) -> Result<WithEtag<Appointment>> {
    change.apply(*client, Transition::Confirm, None).await
}

/// Complete an appointment.
///
/// Records that an appointment took place. Possible from its start time on, in status `SCHEDULED`, `CONFIRMED` or
/// `NO_SHOW`, otherwise `409 invalid_transition`. From `NO_SHOW` the appointment takes its time again:
/// `409 slot_unavailable` if it has been booked since.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/complete", tag = "appointments",
    operation_id = "completeAppointment",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id.")
    ),
    responses((status = 200, body = Appointment, description = "The completed appointment.")),
    extensions(("x-errors" = json!([
        "invalid_transition", "slot_unavailable", "invalid_json", "unreadable_body", "unsupported_media_type", "body_too_large", "invalid"
    ])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn complete(
    client: Access<ClientScope, UseCrm>,
    change: StatusChange,
    _: OptionalBody<EmptyBody>,
) -> Result<WithEtag<Appointment>> {
    change.apply(*client, Transition::Complete, None).await
}

/// Cancel an appointment.
///
/// Frees the time. Possible in status `SCHEDULED` or `CONFIRMED`, otherwise `409 invalid_transition`.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/cancel", tag = "appointments",
    operation_id = "cancelAppointment",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id.")
    ),
    request_body(content = Option<CancelAppointmentRequest>),
    responses((status = 200, body = Appointment, description = "The cancelled appointment.")),
    extensions(("x-errors" = json!(["invalid_transition"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn cancel(
    client: Access<ClientScope, UseCrm>,
    change: StatusChange,
    OptionalBody(CancelAppointmentRequest { reason }): OptionalBody<CancelAppointmentRequest>,
) -> Result<WithEtag<Appointment>> {
    change.apply(*client, Transition::Cancel, reason).await
}

/// Mark an appointment as a no-show.
///
/// Records that the customer did not come, and frees the time. Possible from the start time on, in status
/// `SCHEDULED`, `CONFIRMED` or `COMPLETED`, otherwise `409 invalid_transition`.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/no-show", tag = "appointments",
    operation_id = "markAppointmentNoShow",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id.")
    ),
    responses((status = 200, body = Appointment, description = "The appointment, marked as a no-show.")),
    extensions(("x-errors" = json!([
        "invalid_transition", "invalid_json", "unreadable_body", "unsupported_media_type", "body_too_large", "invalid"
    ])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn no_show(
    client: Access<ClientScope, UseCrm>,
    change: StatusChange,
    _: OptionalBody<EmptyBody>,
) -> Result<WithEtag<Appointment>> {
    change.apply(*client, Transition::NoShow, None).await
}

/// What the decision on a status is made from: the appointment, the new status, and what only some changes need.
type StatusInput = (Appointment, AppointmentStatus, Option<Days>, Option<ReminderRules>);

/// A request to change the status of an appointment.
pub(crate) struct StatusChange {
    id: AppointmentId,
    app: App,
    store: Store,
    if_match: IfMatch,
}

impl FromRequestParts<App> for StatusChange {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let PathId(id) = PathId::<marker::Appointment>::from_request_parts(parts, app).await?;
        let Ok(store) = Store::from_request_parts(parts, app).await;
        let if_match = IfMatch::from_request_parts(parts, app).await?;
        Ok(Self { id, app: app.clone(), store, if_match })
    }
}

impl StatusChange {
    async fn apply(
        self,
        client: ClientScope,
        transition: Transition,
        reason: Option<CancelReason>,
    ) -> Result<WithEtag<Appointment>> {
        let Self { id, app, store, if_match } = self;
        let read = || async {
            let current = repository::find(&store, client, id).await?;
            if_match.check(current.meta.version)?;
            let status = current.status.after(transition).ok_or_else(invalid_transition)?;
            if transition.is_outcome() && app.now() < current.start_time {
                return Err(not_started());
            }
            let changes_days = status.blocks() != current.status.blocks();
            let days = async {
                let days = Days::of_appointment(&store, client, &current);
                if changes_days { days.await.map(Some) } else { Ok(None) }
            };
            let rules = async {
                let rules = ReminderRules::read(&store, client, None);
                if transition == Transition::Cancel { Ok(Some(rules.await?)) } else { Ok(None) }
            };
            let (days, rules) = tokio::try_join!(days, rules)?;
            Ok((current, status, days, rules))
        };
        let decide = |(current, status, days, rules): &StatusInput, transaction: &mut Transaction| {
            let next = current.with_status(*status, reason.clone(), app.now());
            repository::replace(transaction, client, current, &next, (days.as_ref(), rules.as_ref()))?;
            Ok(next)
        };
        store.retry_on_conflict(read, decide).await.map(WithEtag::new)
    }
}

/// The outcome of the appointment is not known yet.
fn not_started() -> Problem {
    let detail = "The appointment has not started yet.";
    Problem::new(ErrorCode::InvalidTransition, detail)
}
