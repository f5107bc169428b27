//! Calendars of the staff, for programs that subscribe to them (RFC 5545).

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use icalendar::{Calendar, Component, Event, EventLike, EventStatus, Property};
use lambda_http::http::header;
use serde::Serialize;
use shared::appointments::shown;
use shared::auth::{Access, CalendarAccess, CalendarQuery, ClientId, ClientScope, ManageSchedules, calendar_token};
use shared::entity::{Appointment, AppointmentStatus, Staff, StaffId, StaffRow};
use shared::http::{Deleted, PathId};
use shared::store::{BatchItems, BatchKeys, Order, Store, Transaction};
use shared::value::TimeRange;
use shared::{App, Problem, Result};
use utoipa::ToSchema;

use crate::staff::revise;

/// Where a calendar is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Subscription {
    /// Its path below this API's address, with the token: a secret.
    #[schema(example = "/v1/clients/…/staff/…/calendar.ics?token=…")]
    path: String,
}

/// Give out the address of a staff member's calendar, with a new token. Who has an earlier one no longer reads it.
#[utoipa::path(post, path = "/v1/clients/{clientId}/staff/{staffId}/calendar", tag = "appointments", operation_id = "giveCalendar",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path)),
    responses((status = 200, body = Subscription, description = "Where it is. This is the only time that the token is shown.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn give(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Staff>,
    State(app): State<App>,
    store: Store,
) -> Result<Json<Subscription>> {
    let key = client.staff_member(id);
    let decide = |current: &StaffRow, transaction: &mut Transaction| {
        let next = current.with_calendar(true);
        revise(transaction, *client, current, &next)?;
        calendar_token(&app, *client, id, next.calendars)
    };
    let token = store.decide(|| store.find(&key), decide).await?;
    let path = format!("/v1/clients/{}/staff/{id}/calendar.ics?token={token}", client.id());
    Ok(Json(Subscription { path }))
}

/// Revoke the address of a staff member's calendar.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/staff/{staffId}/calendar", tag = "appointments", operation_id = "revokeCalendar",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path)),
    responses((status = 204, description = "Revoked.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn revoke(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Staff>,
    store: Store,
) -> Result<Deleted> {
    let key = client.staff_member(id);
    let decide = |current: &StaffRow, transaction: &mut Transaction| {
        if !current.has_calendar(current.calendars) || current.calendars == 0 {
            return Err(Problem::not_found());
        }
        revise(transaction, *client, current, &current.with_calendar(false))
    };
    store.decide(|| store.find(&key), decide).await.map(|()| Deleted)
}

/// How far back a calendar goes, and how far ahead.
const PAST: Duration = Duration::from_hours(31 * 24);
const AHEAD: Duration = Duration::from_hours(366 * 24);

/// The most events ahead, and the most before; those farthest from now are left out.
const MOST_AHEAD: usize = 750;
const MOST_PAST: usize = 250;

/// The most Queries for either. One gives 1 MB at the most (a limit of DynamoDB), which is hundreds of appointments with usual notes.
const MOST_QUERIES: usize = 4;

/// The most characters of an event's notes: all events together must fit into an answer of 6 MB (a limit of Lambda).
const MOST_NOTES: usize = 500;

/// Read a staff member's calendar: what is booked with them, from a month ago to a year ahead, and what was cancelled of it; at most the
/// next 750 and the last 250 of these. Of notes it has the first 500 characters. The token is all that it takes.
#[utoipa::path(get, path = "/v1/clients/{clientId}/staff/{staffId}/calendar.ics", tag = "appointments", operation_id = "readCalendar",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path), CalendarQuery),
    security(("calendar" = [])),
    responses((status = 200, content_type = "text/calendar", body = String, description = "The calendar (RFC 5545).")),
    extensions(("x-round-trips" = json!(21))))]
pub(crate) async fn read(calendar: CalendarAccess, State(app): State<App>, store: Store) -> Result<Response> {
    let (client, staff) = (calendar.client(), calendar.staff());
    let row = store.get(&client.staff_member(staff)).await?;
    let good = row.filter(|row| row.has_calendar(calendar.number()));
    let Some(row) = good else { return Err(Problem::unauthenticated()) };
    let now = app.clock().now();
    let past = booked(&store, client, staff, TimeRange { start: now.before(PAST), end: now }, (Order::Desc, MOST_PAST));
    let ahead =
        booked(&store, client, staff, TimeRange { start: now, end: now.after(AHEAD) }, (Order::Asc, MOST_AHEAD));
    let (past, ahead) = tokio::try_join!(past, ahead)?;
    let appointments = shown(&store, client, past.into_iter().rev().chain(ahead).collect()).await?;
    let names = store.get_each(named(client, &appointments)).await?;
    let mut document = Calendar::empty();
    // `Calendar::new` names its own maker, and `Calendar::name` also writes the `NAME` of RFC 7986, whose value it does not escape.
    for (name, value) in [("VERSION", "2.0"), ("PRODID", "-//Upzento//Upzento CRM//EN"), ("CALSCALE", "GREGORIAN")] {
        document.append_property(Property::new(name, value));
    }
    document.append_property(Property::new("X-WR-CALNAME", row.staff.fields.name.to_string()));
    for appointment in &appointments {
        document.push(event(client, appointment, &names)?);
    }
    Ok(([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], document.done().to_string()).into_response())
}

/// What was ever booked with a member of the staff in a stretch of time: so many in this order, or what comes with a few Queries.
async fn booked(
    store: &Store,
    client: ClientScope,
    staff: StaffId,
    within: TimeRange,
    (order, most): (Order, usize),
) -> Result<Vec<Appointment>> {
    let list = client.appointments_of_staff(staff, Some(within));
    let mut booked: Vec<Appointment> = Vec::new();
    let mut after = None;
    for _ in 0..MOST_QUERIES {
        let left = i32::try_from(most - booked.len()).map_err(Problem::internal)?;
        let found = store.query(&list, after, order, left).await?;
        booked.extend(found.rows.into_iter().map(|(_, appointment)| appointment));
        after = found.stopped;
        if after.is_none() || booked.len() >= most {
            break;
        }
    }
    Ok(booked)
}

/// The rows that say how what is booked is called, and for whom it is.
fn named(client: ClientScope, appointments: &[Appointment]) -> BatchKeys {
    appointments.iter().fold(BatchKeys::default(), |wanted, appointment| {
        let wanted = wanted.and(&client.service(appointment.service_id));
        match appointment.fields.contact_id {
            Some(contact) => wanted.and(&client.contact(contact)),
            None => wanted,
        }
    })
}

fn event(client: ClientScope, appointment: &Appointment, names: &BatchItems) -> Result<Event> {
    let service = names.get(&client.service(appointment.service_id))?.map(|service| service.fields.name.to_string());
    let contact = match appointment.fields.contact_id {
        Some(id) => names.get(&client.contact(id))?.map(|row| row.contact.fields),
        None => None,
    };
    let contact = contact.map(|contact| format!("{} {}", contact.first_name, contact.last_name));
    let summary: Vec<_> = service.into_iter().chain(contact).collect();
    let mut event = Event::with_uid(&format!("{}@upzento", appointment.id));
    event
        .summary(&summary.join(" – "))
        .starts(appointment.start_time.to_utc())
        .ends(appointment.end_time.to_utc())
        .sequence(sequence(appointment))
        .timestamp(appointment.meta.updated_at.to_utc())
        .status(status(appointment.status));
    if let Some(notes) = &appointment.fields.notes {
        event.description(&notes.to_string().chars().take(MOST_NOTES).collect::<String>());
    }
    if !appointment.status.blocks() {
        event.append_property(Property::new("TRANSP", "TRANSPARENT"));
    }
    Ok(event)
}

/// RFC 5545, 3.8.7.4: grows with each change.
fn sequence(appointment: &Appointment) -> u32 {
    u32::try_from(appointment.meta.version - 1).unwrap_or(u32::MAX)
}

/// RFC 5545, 3.8.1.11.
const fn status(status: AppointmentStatus) -> EventStatus {
    match status {
        AppointmentStatus::Scheduled => EventStatus::Tentative,
        AppointmentStatus::Confirmed | AppointmentStatus::Completed => EventStatus::Confirmed,
        AppointmentStatus::Cancelled | AppointmentStatus::NoShow => EventStatus::Cancelled,
    }
}
