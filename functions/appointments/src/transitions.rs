//! What becomes of an appointment.

use axum::extract::State;
use deserr::Deserr;
use shared::appointments::{self, Days};
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::entity::{Appointment, AppointmentId, Transition};
use shared::http::{IfMatch, OptionalBody, PathId, WithEtag};
use shared::store::{Store, Transaction};
use shared::value::{Name, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

/// What is said about a cancellation.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct Cancellation {
    /// Why.
    #[deserr(default)]
    #[schema(example = "Caught a cold")]
    reason: Option<Name>,
}

/// Nothing.
#[derive(Clone, Copy, Debug, Deserr)]
#[deserr(error = ValidationErrors, deny_unknown_fields)]
pub(crate) struct EmptyBody {}

/// Confirm an appointment that is scheduled.
#[utoipa::path(post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/confirm", tag = "appointments", operation_id = "confirmAppointment",
    params(("clientId" = ClientId, Path), ("appointmentId" = AppointmentId, Path)),
    responses((status = 200, body = Appointment, description = "Confirmed.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn confirm(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    OptionalBody(EmptyBody {}): OptionalBody<EmptyBody>,
) -> Result<WithEtag<Appointment>> {
    pass(&app, &store, *client, id, &if_match, (Transition::Confirm, None)).await
}

/// Say that an appointment that was confirmed was kept.
#[utoipa::path(post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/complete", tag = "appointments", operation_id = "completeAppointment",
    params(("clientId" = ClientId, Path), ("appointmentId" = AppointmentId, Path)),
    responses((status = 200, body = Appointment, description = "Completed.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn complete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    OptionalBody(EmptyBody {}): OptionalBody<EmptyBody>,
) -> Result<WithEtag<Appointment>> {
    pass(&app, &store, *client, id, &if_match, (Transition::Complete, None)).await
}

/// Cancel an appointment that is scheduled or confirmed: its time is free again.
#[utoipa::path(post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/cancel", tag = "appointments", operation_id = "cancelAppointment",
    params(("clientId" = ClientId, Path), ("appointmentId" = AppointmentId, Path)),
    request_body(content = Option<Cancellation>),
    responses((status = 200, body = Appointment, description = "Cancelled.")),
    extensions(("x-round-trips" = json!(4)), ("x-versioned" = json!(true))))]
pub(crate) async fn cancel(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    OptionalBody(Cancellation { reason }): OptionalBody<Cancellation>,
) -> Result<WithEtag<Appointment>> {
    pass(&app, &store, *client, id, &if_match, (Transition::Cancel, reason)).await
}

/// Say that nobody came to an appointment that was confirmed: what is left of its time is free again.
#[utoipa::path(post, path = "/v1/clients/{clientId}/appointments/{appointmentId}/no-show", tag = "appointments", operation_id = "missAppointment",
    params(("clientId" = ClientId, Path), ("appointmentId" = AppointmentId, Path)),
    responses((status = 200, body = Appointment, description = "Missed.")),
    extensions(("x-round-trips" = json!(4)), ("x-versioned" = json!(true))))]
pub(crate) async fn no_show(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Appointment>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    OptionalBody(EmptyBody {}): OptionalBody<EmptyBody>,
) -> Result<WithEtag<Appointment>> {
    pass(&app, &store, *client, id, &if_match, (Transition::NoShow, None)).await
}

async fn pass(
    app: &App,
    store: &Store,
    client: ClientScope,
    id: AppointmentId,
    if_match: &IfMatch,
    (transition, reason): (Transition, Option<Name>),
) -> Result<WithEtag<Appointment>> {
    let read = || async {
        let current = appointments::find(store, client, id).await?;
        if_match.check(current.meta.version)?;
        let status = current.status.after(transition).ok_or_else(not_possible)?;
        let days = if status.blocks() { None } else { Some(Days::of(store, client, &current).await?) };
        Ok((current, status, days))
    };
    let decide = |(current, status, days): &(Appointment, _, Option<Days>), transaction: &mut Transaction| {
        let next = current.with_status(*status, reason.clone(), app.clock().now());
        appointments::replace(transaction, client, current, &next, days.as_ref())?;
        Ok(next)
    };
    store.decide(read, decide).await.map(WithEtag::new)
}

/// What is to be done cannot be done to an appointment of this status.
pub(crate) fn not_possible() -> Problem {
    let detail = "That cannot be done to an appointment of this status. Read it again.";
    Problem::conflict("invalid_transition", detail)
}
