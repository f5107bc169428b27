//! The appointment of a visitor as a calendar file.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use shared::appointments::{AppointmentId, CalendarFile, calendar_event};
use shared::table::Store;
use shared::web::{App, Result};
use shared::widgets::ManageAccess;

use crate::manage::{ManageQuery, find};
use crate::view::VisitorAppointment;

/// Get an appointment as a calendar file.
///
/// Updates the event in the visitor's calendar if it is opened again after a change (RFC 5545).
#[utoipa::path(
    get, path = "/widgets/{widgetKey}/appointments/{appointmentId}/calendar.ics", tag = "manage",
    operation_id = "getVisitorCalendarFile", security(("manage" = [])),
    params(
        ("widgetKey" = String, Path, description = "The widget key; a replaced one, too."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id."),
        ManageQuery
    ),
    responses((status = 200, content_type = "text/calendar", body = String, description = "The file (RFC 5545)."))
)]
pub(crate) async fn get(access: ManageAccess, State(app): State<App>, store: Store) -> Result<impl IntoResponse> {
    let appointment = find(&app, &store, &access).await?;
    let client = async { Ok(store.find(&access.client().record()).await?) };
    let view = VisitorAppointment::read(&store, access.client(), &appointment);
    let (client, view) = tokio::try_join!(client, view)?;
    let summary = format!("{} – {}", view.service_name(), client.fields.display_name());
    let mut file = CalendarFile::new();
    file.push(calendar_event(&appointment, &summary, appointment.meta.updated_at));
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"appointment.ics\""),
    ];
    Ok((headers, file.to_text()))
}
