//! The slots that visitors can book.

use axum::extract::State;
use axum::{Extension, Json};
use deserr::Deserr;
use serde::Serialize;
use shared::appointments::{
    AppointmentId, Availability, AvailabilityRequest, AvailableSlot, HoldPolicy, ServiceId, StaffId, range_of_starts,
};
use shared::table::Store;
use shared::value::{Instant, TimeZone, ValidationErrors};
use shared::web::{App, Parameters, Problem, Result};
use shared::widgets::{ManageAccess, WidgetAccess, WidgetSession};
use utoipa::{IntoParams, ToSchema};

use crate::services::require_bookable;

/// The query parameters of the availability.
#[derive(Clone, Debug, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct AvailabilityQuery {
    /// The service to book.
    service_id: ServiceId,
    /// Only slots with this staff member. Default: all who offer the service.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// The first possible start.
    from: Instant,
    /// The end of the range of starts, not included: at most 31 days after `from`.
    to: Instant,
    /// The time zone (IANA) of the UTC offsets in the response. Default: UTC.
    #[deserr(default)]
    time_zone: Option<TimeZone>,
    /// The appointment to be rescheduled: its own time is free. Requires its manage token as `token`; else 404.
    #[deserr(default)]
    rescheduling: Option<AppointmentId>,
    /// The manage token of the appointment in `rescheduling`.
    #[deserr(default)]
    #[allow(dead_code, reason = "the guard reads it")]
    token: Option<String>,
}

/// The available slots.
#[derive(Serialize, ToSchema)]
pub(crate) struct WidgetAvailability {
    /// The slots, by start.
    slots: Vec<AvailableSlot>,
}

/// Get the available slots of a service.
///
/// Starts that other visitors hold are not available; with a session token, those that this session holds are.
#[utoipa::path(
    get, path = "/widgets/{widgetKey}/availability", tag = "widget", operation_id = "getWidgetAvailability",
    security((), ("session" = [])),
    params(("widgetKey" = String, Path, description = "The widget key."), AvailabilityQuery),
    responses((status = 200, body = WidgetAvailability, description = "The available slots."))
)]
pub(crate) async fn get(
    widget: WidgetAccess,
    session: Option<WidgetSession>,
    manage: Option<Extension<ManageAccess>>,
    Parameters(query): Parameters<AvailabilityQuery>,
    State(app): State<App>,
    store: Store,
) -> Result<Json<WidgetAvailability>> {
    let now = app.now();
    let request = AvailabilityRequest {
        service: query.service_id,
        staff: query.staff_id,
        rescheduling: query.rescheduling,
        range: range_of_starts(query.from, query.to)?,
        explain: false,
        holds: HoldPolicy::Respect(session.map(|session| session.visit())),
    };
    let manage =
        manage.map(|Extension(manage)| manage).filter(|manage| Some(manage.appointment()) == query.rescheduling);
    if query.rescheduling.is_some() && manage.is_none() {
        return Err(Problem::not_found());
    }
    let availability = Availability::read(&store, widget.client(), &request, now).await?;
    match (manage, &availability.moving) {
        (Some(manage), Some(moving)) => manage.require_valid(moving, now).map_err(|_| Problem::not_found())?,
        _ => require_bookable(&availability.service)?,
    }
    let slots = availability.slots().into_iter().map(|slot| AvailableSlot::new(slot, query.time_zone));
    Ok(Json(WidgetAvailability { slots: slots.collect() }))
}
