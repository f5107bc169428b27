//! The mails about an appointment.

use axum::Json;
use serde::Serialize;
use shared::appointments::AppointmentId;
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::reminders::{Channel, Occasion, Recipient, Reminder, ReminderStatus};
use shared::table::Store;
use shared::value::{Instant, marker};
use shared::web::page::PageParams;
use shared::web::{Access, Page, Paging, PathId, Result};
use utoipa::ToSchema;

/// A mail about an appointment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reminder)]
pub(crate) struct AppointmentReminder {
    /// The reason for the mail.
    occasion: Occasion,
    /// The person who gets it.
    recipient: Recipient,
    /// The channel.
    channel: Channel,
    /// Minutes before the start, as in the settings; `null` for a mail that is no reminder.
    #[schema(required, example = 1440)]
    offset: Option<u32>,
    /// When it is due. A reminder in quiet hours is due after or before them.
    due_at: Instant,
    /// What has become of it.
    status: ReminderStatus,
    /// When it was sent.
    #[schema(required)]
    sent_at: Option<Instant>,
    /// Why it was not sent, or why the last attempt failed; of a mail that was not wanted any more, one of
    /// `disabled`, `started`, `moved`, `cancelled`, `opted_out`, `no_contact` and `no_email`.
    #[schema(required, example = json!(null))]
    failure: Option<String>,
}

impl From<Reminder> for AppointmentReminder {
    fn from(mail: Reminder) -> Self {
        let Reminder { occasion, recipient, channel, offset, due_at, status, sent_at, failure, .. } = mail;
        Self { occasion, recipient, channel, offset, due_at, status, sent_at, failure }
    }
}

type ReminderPage = Page<AppointmentReminder>;

/// List the mails about an appointment.
///
/// Reminders, confirmations and notices. They are listed for 90 days after they were sent.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/appointments/{appointmentId}/reminders", tag = "reminders",
    operation_id = "listAppointmentReminders",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id."), PageParams
    ),
    responses((status = 200, body = ReminderPage, description = "A page of mails."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<marker::Appointment>,
    store: Store,
    paging: Paging,
) -> Result<Json<ReminderPage>> {
    let page = paging.read_children(&store, *client, &client.appointment(id), client.reminders_of(id)).await?;
    Ok(Json(page.map(AppointmentReminder::from)))
}
