//! Calendar feeds of staff members, for programs that subscribe to them (RFC 5545).

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use icalendar::{Component, Event, Property};
use serde::Serialize;
use shared::appointments::{
    Appointment, CalendarAccess, CalendarFile, CalendarQuery, Staff, StaffId, StaffRow, calendar_event, calendar_token,
};
use shared::contacts::hide_deleted_contacts;
use shared::identity::{ClientId, ClientScope, ManageSchedules};
use shared::table::{BatchItems, BatchKeys, Order, Store, Transaction};
use shared::users::require_current_actor;
use shared::value::{Instant, TimeRange};
use shared::web::{Access, App, Deleted, Document, IfNoneMatch, PathId, Problem, Result};
use utoipa::ToSchema;

use crate::staff::replace_row;

/// A calendar feed.
#[derive(Serialize, ToSchema)]
pub(crate) struct CalendarFeed {
    /// The path of the feed, relative to the base URL of this API.
    ///
    /// The token in it is a secret.
    #[schema(
        example = "/v1/clients/01900000-0000-7000-8000-000000000001/staff/01900000-0000-7000-8000-000000000009/calendar.ics?token=Zm9v"
    )]
    path: String,
}

/// Create a calendar feed URL.
///
/// Replaces and revokes any earlier URL of this staff member. The URL contains a secret token that no other
/// response contains.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/staff/{staffId}/calendar", tag = "appointments",
    operation_id = "createCalendarFeed",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id.")
    ),
    responses((status = 200, body = CalendarFeed, description = "The calendar feed.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Staff>,
    State(app): State<App>,
    store: Store,
) -> Result<Json<CalendarFeed>> {
    let key = client.staff_member(id);
    let decide = |current: &StaffRow, transaction: &mut Transaction| {
        let next = current.with_new_calendar();
        require_current_actor(transaction, client.actor())?;
        replace_row(transaction, *client, current, &next)?;
        calendar_token(&app, *client, id, next.calendars)
    };
    let token = store.retry_on_conflict(async || Ok(store.find(&key).await?), decide).await?;
    let path = format!("/v1/clients/{}/staff/{id}/calendar.ics?token={token}", client.id());
    Ok(Json(CalendarFeed { path }))
}

/// Revoke the calendar feed URL.
///
/// `404` if the staff member has no valid URL.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/staff/{staffId}/calendar", tag = "appointments",
    operation_id = "revokeCalendarFeed",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id.")
    ),
    responses((status = 204, description = "The URL was revoked.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn revoke(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Staff>,
    store: Store,
) -> Result<Deleted> {
    let key = client.staff_member(id);
    let decide = |current: &StaffRow, transaction: &mut Transaction| {
        if !current.has_calendar() {
            return Err(Problem::not_found());
        }
        require_current_actor(transaction, client.actor())?;
        replace_row(transaction, *client, current, &current.with_revoked_calendar())
    };
    store.retry_on_conflict(async || Ok(store.find(&key).await?), decide).await.map(|()| Deleted)
}

/// How far a feed reaches into the past.
const PAST: Duration = Duration::from_hours(31 * 24);
/// How far a feed reaches into the future.
const FUTURE: Duration = Duration::from_hours(366 * 24);

/// The maximum number of future events. The events farthest from now are omitted.
const MAX_FUTURE: usize = 750;
/// The maximum number of past events. The events farthest from now are omitted.
const MAX_PAST: usize = 250;

/// The maximum number of Queries for the past, and for the future.
///
/// A Query returns at most 1 MB (a limit of DynamoDB): hundreds of appointments with notes of typical length.
const MAX_QUERIES: usize = 4;

/// How often a program should read the feed (RFC 7986, 5.7).
const REFRESH_INTERVAL: &str = "PT15M";

/// The maximum number of characters of an event's notes.
///
/// All events must fit into a response of 6 MB (a limit of Lambda).
const MAX_NOTES: usize = 500;

/// Get the calendar of a staff member.
///
/// Contains the appointments from 31 days ago to 366 days ahead, including cancelled ones: at most the next
/// 750 and the last 250, with the first 500 characters of their notes. Authenticated by the token in the URL
/// alone; other query parameters are ignored. Programs are asked to refresh the calendar every 15 minutes, and get
/// `304` if it has not changed.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/staff/{staffId}/calendar.ics", tag = "appointments",
    operation_id = "getCalendarFeed", security(("calendar" = [])),
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id."),
        ("If-None-Match" = Option<String>, Header, description = "Returns `304` if the calendar has this tag."),
        CalendarQuery
    ),
    responses(
        (status = 200, content_type = "text/calendar", body = String, description = "The calendar (RFC 5545).", headers(
            ("ETag" = String, description = "A tag of the content."),
            ("Last-Modified" = String, description = "The last change of any part of the calendar.")
        )),
        (status = 304, description = "The calendar has not changed.")
    )
)]
pub(crate) async fn get(
    calendar: CalendarAccess,
    State(app): State<App>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<Document> {
    let (client, staff) = (calendar.client(), calendar.staff());
    let row = store.get(&client.staff_member(staff)).await?;
    let row = row.filter(|row| row.accepts_calendar(calendar.number())).ok_or_else(Problem::unauthenticated)?;
    let now = app.now();
    let past = TimeRange { start: now.before(PAST), end: now };
    let past = appointments_in(&store, client, staff, past, (Order::Desc, MAX_PAST));
    let future = TimeRange { start: now, end: now.after(FUTURE) };
    let future = appointments_in(&store, client, staff, future, (Order::Asc, MAX_FUTURE));
    let (past, future) = tokio::try_join!(past, future)?;
    let appointments = hide_deleted_contacts(&store, client, past.into_iter().rev().chain(future).collect()).await?;
    let names = store.get_batch(name_keys(client, &appointments)).await?;
    let mut document = CalendarFile::new();
    document.append_property(Property::new("X-PUBLISHED-TTL", REFRESH_INTERVAL));
    document
        .append_property(Property::new("REFRESH-INTERVAL", REFRESH_INTERVAL).add_parameter("VALUE", "DURATION").done());
    document.append_property(Property::new("X-WR-CALNAME", row.staff.fields.name.to_string()));
    let mut modified = row.staff.meta.updated_at;
    for appointment in &appointments {
        let shown = Named::find(client, appointment, &names)?;
        modified = modified.max(shown.modified);
        document.push(event(appointment, &shown));
    }
    let text = document.to_text();
    Ok(Document { content_type: "text/calendar; charset=utf-8", text, modified, if_none_match })
}

/// The first `max` appointments of a staff member in a time range.
///
/// Fewer if [`MAX_QUERIES`] do not return as many.
async fn appointments_in(
    store: &Store,
    client: ClientScope,
    staff: StaffId,
    range: TimeRange,
    (order, max): (Order, usize),
) -> Result<Vec<Appointment>> {
    let list = client.appointments_of_staff(staff, Some(range));
    let mut appointments: Vec<Appointment> = Vec::new();
    let mut after = None;
    for _ in 0..MAX_QUERIES {
        let left = i32::try_from(max - appointments.len()).map_err(Problem::internal)?;
        let page = store.query(&list, after, order, left).await?;
        appointments.extend(page.items.into_iter().map(|(_, appointment)| appointment));
        after = page.stopped;
        if after.is_none() || appointments.len() >= max {
            break;
        }
    }
    Ok(appointments)
}

/// The keys of the services and contacts that the events name.
fn name_keys(client: ClientScope, appointments: &[Appointment]) -> BatchKeys {
    appointments.iter().fold(BatchKeys::default(), |keys, appointment| {
        let keys = keys.and(&client.service(appointment.service_id));
        match appointment.fields.contact_id {
            Some(contact) => keys.and(&client.contact(contact)),
            None => keys,
        }
    })
}

/// What an event shows of an appointment's service and contact.
struct Named {
    /// The names of the service and of the contact.
    summary: String,
    /// The last change of the appointment, its service or its contact.
    modified: Instant,
}

impl Named {
    fn find(client: ClientScope, appointment: &Appointment, names: &BatchItems) -> Result<Self> {
        let service = names.get(&client.service(appointment.service_id))?;
        let contact = match appointment.fields.contact_id {
            Some(id) => names.get(&client.contact(id))?.map(|row| row.contact),
            None => None,
        };
        let changes = service.iter().map(|service| service.meta.updated_at);
        let changes = changes.chain(contact.iter().map(|contact| contact.meta.updated_at));
        let modified = changes.fold(appointment.meta.updated_at, Instant::max);
        let service = service.map(|service| service.fields.name.to_string());
        let contact = contact.map(|contact| contact.fields.display_name());
        let summary: Vec<_> = service.into_iter().chain(contact).collect();
        Ok(Self { summary: summary.join(" – "), modified })
    }
}

fn event(appointment: &Appointment, named: &Named) -> Event {
    let mut event = calendar_event(appointment, &named.summary, named.modified);
    if let Some(notes) = &appointment.fields.notes {
        event.description(&notes.to_string().chars().take(MAX_NOTES).collect::<String>());
    }
    event
}
