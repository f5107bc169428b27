//! What can be booked.

use axum::Json;
use axum::extract::State;
use deserr::Deserr;
use serde::Serialize;
use shared::appointments::{Availability, StaffAvailability};
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::booking::UnavailableReason;
use shared::entity::{ServiceId, StaffId};
use shared::http::Parameters;
use shared::store::Store;
use shared::value::TimeRange;
use shared::value::{Instant, InvalidValue, QueryBool, TimeZone, ValidationErrors};
use shared::{App, Result};
use utoipa::{IntoParams, ToSchema};

/// What is asked for.
#[derive(Clone, Debug, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Asked {
    /// What is to be done.
    service_id: ServiceId,
    /// By whom; by anybody who offers it unless given.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// From which start on.
    from: Instant,
    /// Up to which start, that one not included; at most 31 days later, by whatever clock.
    to: Instant,
    /// How times are written: with the offset from UTC that this zone has then. It changes nothing of what is offered.
    #[deserr(default)]
    time_zone: Option<TimeZone>,
    /// Whether to say what is closed, and by which rule.
    #[deserr(default)]
    #[param(inline, required = false, default = false)]
    explain: QueryBool,
}

/// Times that can be booked.
#[derive(Serialize, ToSchema)]
pub(crate) struct AvailableSlot {
    /// The times, by their start.
    slots: Vec<OfferedSlot>,
    /// What is closed, for each member of the staff who was asked; if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    closed: Option<Vec<UnavailablePeriod>>,
}

/// A time that can be booked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Slot)]
pub(crate) struct OfferedSlot {
    /// When it begins.
    #[schema(example = "2026-03-09T09:00:00.000Z")]
    start: String,
    /// When it ends.
    #[schema(example = "2026-03-09T09:45:00.000Z")]
    end: String,
    /// With whom.
    staff_ids: Vec<StaffId>,
}

/// A time that cannot be booked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnavailablePeriod {
    /// With whom.
    staff_id: StaffId,
    /// From when.
    #[schema(example = "2026-03-09T17:00:00.000Z")]
    start: String,
    /// Until when.
    #[schema(example = "2026-03-10T09:00:00.000Z")]
    end: String,
    /// The rule that closes it.
    rule: UnavailableReason,
}

/// How long a stretch of time may be: 31 days, of which one may have an hour more.
const MOST_HOURS: i64 = 31 * 24 + 1;

impl Asked {
    fn range(&self) -> Result<TimeRange> {
        let length = self.to.to_utc() - self.from.to_utc();
        let why = if self.to <= self.from {
            InvalidValue::new("end_not_after_start", "must be after from")
        } else if length > chrono::TimeDelta::hours(MOST_HOURS) {
            InvalidValue::new("range_too_long", "must be at most 31 days after from")
        } else {
            return Ok(TimeRange { start: self.from, end: self.to });
        };
        Err(ValidationErrors::field("/to", why).into())
    }

    fn written(&self, at: Instant) -> String {
        self.time_zone.map_or_else(|| at.to_string(), |zone| zone.written(at))
    }
}

/// The most slots, names in them and closed stretches together. Each takes at most 170 bytes in what a function gives, which has
/// at most 6 MB (a limit of Lambda).
const MOST_ITEMS: usize = 35_000;

fn require_few(availability: &Availability, slots: usize) -> Result<()> {
    let of = |offer: &StaffAvailability| offer.starts.len() + offer.closed.len();
    if slots + availability.offers.iter().map(of).sum::<usize>() <= MOST_ITEMS {
        return Ok(());
    }
    let why =
        InvalidValue::new("too_many_slots", "is too far from the start for so many slots: ask for a shorter range");
    Err(ValidationErrors::field("/to", why).into())
}

/// Find times that can be booked: the starts in `[from, to)`, with those who are free then.
#[utoipa::path(get, path = "/v1/clients/{clientId}/availability", tag = "appointments", operation_id = "readAvailability",
    params(("clientId" = ClientId, Path), Asked),
    responses((status = 200, body = AvailableSlot, description = "The times.")),
    extensions(("x-round-trips" = json!(104))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    Parameters(asked): Parameters<Asked>,
    State(app): State<App>,
    store: Store,
) -> Result<Json<AvailableSlot>> {
    let range = asked.range()?;
    let who = (asked.service_id, asked.staff_id);
    let explain = asked.explain.is_set();
    let availability = Availability::read(&store, *client, who, range, explain, app.clock().now()).await?;
    let slots = availability.slots();
    require_few(&availability, slots.len())?;
    let slots = slots.into_iter().map(|slot| OfferedSlot {
        start: asked.written(slot.span.start),
        end: asked.written(slot.span.end),
        staff_ids: slot.staff,
    });
    let closed = availability.offers.iter().flat_map(|offer| {
        offer.closed.iter().map(|closed| UnavailablePeriod {
            staff_id: offer.staff,
            start: asked.written(closed.span.start),
            end: asked.written(closed.span.end),
            rule: closed.rule,
        })
    });
    Ok(Json(AvailableSlot { slots: slots.collect(), closed: explain.then(|| closed.collect()) }))
}
