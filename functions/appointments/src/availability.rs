//! Availability: the slots of a service that can be booked.

use axum::Json;
use axum::extract::State;
use deserr::Deserr;
use serde::Serialize;
use shared::appointments::{
    AppointmentId, Availability, AvailabilityRequest, AvailableSlot, HoldPolicy, ServiceId, StaffAvailability, StaffId,
    range_of_starts,
};
use shared::booking::UnavailableReason;
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::Store;
use shared::value::{Instant, InvalidValue, QueryBool, TimeZone, ValidationErrors};
use shared::web::{Access, App, Parameters, Result};
use utoipa::{IntoParams, ToSchema};

/// The query parameters of the availability.
#[derive(Clone, Debug, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct AvailabilityQuery {
    /// The service to book.
    service_id: ServiceId,
    /// Only slots with this staff member.
    ///
    /// Default: all staff members who offer the service.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// The appointment to be rescheduled: its own time is free, and its staff member is included.
    ///
    /// The slots are those that `POST …/appointments/{appointmentId}/reschedule` accepts. `serviceId` must be the
    /// service of the appointment.
    #[deserr(default)]
    rescheduling: Option<AppointmentId>,
    /// The first possible start.
    from: Instant,
    /// The end of the range of starts, not included.
    ///
    /// At most 31 days after `from`, plus one hour for a change of clocks. Earlier if the response would have more than
    /// 35,000 items (slots, `staffIds` and unavailable periods): the error of this parameter is then
    /// `too_many_slots`.
    to: Instant,
    /// The time zone (IANA) of the UTC offsets in the response.
    ///
    /// Does not change which slots are returned. Default: UTC.
    #[deserr(default)]
    time_zone: Option<TimeZone>,
    /// Return the unavailable periods and their reasons, as `closed`.
    #[deserr(default)]
    #[param(value_type = bool, required = false, default = false)]
    explain: QueryBool,
}

/// The availability of a service.
#[derive(Serialize, ToSchema)]
#[schema(as = Availability)]
pub(crate) struct AvailabilityResponse {
    /// The available slots, by start.
    slots: Vec<AvailableSlot>,
    /// The unavailable periods of each staff member; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    closed: Option<Vec<UnavailablePeriod>>,
}

/// A period in which no slot of a staff member starts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnavailablePeriod {
    /// The staff member.
    staff_id: StaffId,
    /// The start.
    #[schema(example = "2030-03-04T16:00:00.000Z")]
    start: String,
    /// The end, not included.
    #[schema(example = "2030-03-05T08:00:00.000Z")]
    end: String,
    /// The reason.
    rule: UnavailableReason,
}

impl AvailabilityQuery {
    fn format(&self, instant: Instant) -> String {
        self.time_zone.map_or_else(|| instant.to_string(), |zone| zone.format(instant))
    }
}

/// The maximum number of slots, their staff ids and unavailable periods together.
///
/// Each takes at most 170 bytes of the response, which has at most 6 MB (a limit of Lambda).
const MAX_ITEMS: usize = 35_000;

fn check_size(availability: &Availability, slots: usize) -> Result<()> {
    let items_of = |staff: &StaffAvailability| staff.starts.len() + staff.closed.len();
    if slots + availability.staff.iter().map(items_of).sum::<usize>() <= MAX_ITEMS {
        return Ok(());
    }
    let invalid = InvalidValue::new("too_many_slots", "must be earlier: the range has too many slots");
    Err(ValidationErrors::field("/to", invalid).into())
}

/// Get the available slots of a service.
///
/// Returns the starts in `[from, to)` that can be booked, each with the staff members who are available then.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/availability", tag = "appointments", operation_id = "getAvailability",
    params(("clientId" = ClientId, Path, description = "The client's id."), AvailabilityQuery),
    responses((status = 200, body = AvailabilityResponse, description = "The available slots."))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    Parameters(query): Parameters<AvailabilityQuery>,
    State(app): State<App>,
    store: Store,
) -> Result<Json<AvailabilityResponse>> {
    let range = range_of_starts(query.from, query.to)?;
    let request = AvailabilityRequest {
        service: query.service_id,
        staff: query.staff_id,
        rescheduling: query.rescheduling,
        range,
        explain: query.explain.is_set(),
        holds: HoldPolicy::Ignore,
    };
    let availability = Availability::read(&store, *client, &request, app.now()).await?;
    let slots = availability.slots();
    check_size(&availability, slots.len())?;
    let slots = slots.into_iter().map(|slot| AvailableSlot::new(slot, query.time_zone));
    let closed = availability.staff.iter().flat_map(|staff| {
        staff.closed.iter().map(|closed| UnavailablePeriod {
            staff_id: staff.staff,
            start: query.format(closed.span.start),
            end: query.format(closed.span.end),
            rule: closed.rule,
        })
    });
    Ok(Json(AvailabilityResponse { slots: slots.collect(), closed: request.explain.then(|| closed.collect()) }))
}
