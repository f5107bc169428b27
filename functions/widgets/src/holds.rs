//! Holds: a start is reserved for ten minutes while the visitor types.

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde::Serialize;
use shared::appointments::{
    BookingRequest, Days, HoldId, HoldPolicy, ServiceId, SlotAllocator, StaffId, VisitHold, repository,
};
use shared::table::{Store, Transaction};
use shared::value::{Instant, ValidationErrors};
use shared::web::{App, Create, Created, Deleted, PathId, Problem, Result, Source};
use shared::widgets::{SourceActivity, VisitorSource, WidgetSession};
use utoipa::ToSchema;

use crate::services::require_bookable;

/// The start to hold.
#[derive(Clone, Copy, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "serviceId": "01900000-0000-7000-8000-000000000008",
    "staffId": null,
    "startTime": "2030-03-04T09:00:00.000Z",
}))]
pub(crate) struct CreateHoldRequest {
    /// The service.
    service_id: ServiceId,
    /// The staff member. Default: chosen as for an appointment.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// The start time.
    start_time: Instant,
}

/// A held start.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Hold)]
pub(crate) struct HoldResponse {
    /// The hold's id.
    #[schema(value_type = uuid::Uuid)]
    id: HoldId,
    /// The staff member.
    staff_id: StaffId,
    /// The start time.
    start_time: Instant,
    /// The end time.
    end_time: Instant,
    /// When the hold expires.
    expires_at: Instant,
}

impl From<&VisitHold> for HoldResponse {
    fn from(hold: &VisitHold) -> Self {
        let span = hold.span();
        Self {
            id: hold.id,
            staff_id: hold.staff_id,
            start_time: span.start,
            end_time: span.end,
            expires_at: hold.expires_at,
        }
    }
}

/// What the decision on a hold is made from.
struct HoldInput {
    allocator: SlotAllocator,
    previous: Option<(VisitHold, Days)>,
    activity: SourceActivity,
}

/// Hold a start.
///
/// Other visitors cannot book the start for ten minutes; users of the CRM can. A session has one hold: a new one replaces
/// the one before. `409 slot_unavailable` if the start is not available.
#[utoipa::path(
    post, path = "/widgets/{widgetKey}/holds", tag = "booking", operation_id = "createHold",
    security(("session" = [])),
    params(("widgetKey" = String, Path, description = "The widget key.")),
    request_body = CreateHoldRequest,
    responses((status = 201, body = HoldResponse, description = "The hold.")),
    extensions(("x-errors" = json!(["slot_unavailable", "too_many_holds", "too_many_attempts"])))
)]
pub(crate) async fn create(
    session: WidgetSession,
    State(app): State<App>,
    store: Store,
    source: Source,
    Create { fields: new, request }: Create<CreateHoldRequest>,
) -> Result<Created> {
    let (client, visit, id) = (session.client(), session.visit(), app.ids().make());
    let source = VisitorSource::new(&app, client, &source)?;
    let booking = BookingRequest {
        service: new.service_id,
        staff: new.staff_id,
        start: new.start_time,
        force: false,
        holds: HoldPolicy::Respect(Some(visit)),
    };
    let location = format!("/widgets/{}/holds/{id}", session.key());
    let read = || async {
        let allocator = SlotAllocator::read(&store, client, &booking);
        let previous = read_hold(&store, &session);
        let activity = source.activity(&store, app.now());
        let (allocator, previous, activity) = tokio::try_join!(allocator, previous, activity)?;
        require_bookable(allocator.service())?;
        Ok(HoldInput { allocator, previous, activity })
    };
    let decide = |input: &HoldInput, transaction: &mut Transaction| {
        let HoldInput { allocator, previous, activity } = input;
        let (now, previous) = (app.now(), previous.as_ref().map(|(hold, days)| (hold, days)));
        let slot = allocator.allocate(&booking, None, now)?;
        let hold = VisitHold::new(id, &slot, previous.map(|(hold, _)| hold), now);
        source.write(transaction, activity.with_hold(&hold, previous.map(|(hold, _)| hold), now)?)?;
        repository::hold(transaction, client, (allocator, &slot), visit, (&hold, previous), now)?;
        Created::unversioned(StatusCode::CREATED, &HoldResponse::from(&hold), location.clone())
    };
    request.bound_to(&app, visit)?.retry_on_conflict(&store, client, read, decide).await
}

/// Release a hold.
///
/// The start is available to other visitors again.
#[utoipa::path(
    delete, path = "/widgets/{widgetKey}/holds/{holdId}", tag = "booking", operation_id = "releaseHold",
    security(("session" = [])),
    params(
        ("widgetKey" = String, Path, description = "The widget key."),
        ("holdId" = uuid::Uuid, Path, description = "The hold's id.")
    ),
    responses((status = 204, description = "The hold was released.")),
    extensions(("x-errors" = json!(["too_many_attempts"])))
)]
pub(crate) async fn delete(
    session: WidgetSession,
    PathId(id): PathId<shared::appointments::HoldMarker>,
    State(app): State<App>,
    store: Store,
    source: Source,
) -> Result<Deleted> {
    let client = session.client();
    let source = VisitorSource::new(&app, client, &source)?;
    let read = || async {
        let (hold, activity) = tokio::try_join!(read_hold(&store, &session), source.activity(&store, app.now()))?;
        let hold = hold.filter(|(hold, _)| hold.id == id).ok_or_else(Problem::not_found)?;
        Ok::<_, Problem>((hold, activity))
    };
    let decide = |((hold, days), activity): &((VisitHold, Days), SourceActivity), transaction: &mut Transaction| {
        let now = app.now();
        source.write(transaction, activity.without_hold(Some(hold), now)?)?;
        repository::release(transaction, client, session.visit(), (hold, days), now)
    };
    store.retry_on_conflict(read, decide).await.map(|()| Deleted)
}

/// Reads the hold of a session, with its days; an expired hold, too.
pub(crate) async fn read_hold(store: &Store, session: &WidgetSession) -> Result<Option<(VisitHold, Days)>> {
    let client = session.client();
    let Some(hold) = store.get(&client.visit_hold(session.visit())).await? else { return Ok(None) };
    let days = Days::of_hold(store, client, &hold).await?;
    Ok(Some((hold, days)))
}
