//! The reminder settings of a client.

use axum::Json;
use shared::identity::{ClientId, ClientScope, ManageSettings, ReadSettings};
use shared::reminders::ReminderSettings;
use shared::table::{BatchKeys, Failure, Store};
use shared::users::require_current_actor;
use shared::web::{Access, Body, Problem, Result};

/// Get the reminder settings.
///
/// Those that apply without any change, until they are set.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/reminder-settings", tag = "reminders", operation_id = "getReminderSettings",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    responses((status = 200, body = ReminderSettings, description = "The settings."))
)]
pub(crate) async fn get(client: Access<ClientScope, ReadSettings>, store: Store) -> Result<Json<ReminderSettings>> {
    let (settings, record) = (client.reminder_settings(), client.record());
    let items = store.get_batch(BatchKeys::default().and(&settings).and(&record)).await?;
    if items.get(&record)?.is_none() {
        return Err(Problem::not_found());
    }
    Ok(Json(items.get(&settings)?.unwrap_or_default()))
}

/// Replace the reminder settings.
///
/// An absent setting has its default. `offsets`, `quietHours` and `staff` apply to appointments that are booked or moved
/// from now on; `enabled` and `channels` also to mails that are due already.
#[utoipa::path(
    put, path = "/v1/clients/{clientId}/reminder-settings", tag = "reminders",
    operation_id = "replaceReminderSettings",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = ReminderSettings,
    responses((status = 200, body = ReminderSettings, description = "The new settings.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn replace(
    client: Access<ClientScope, ManageSettings>,
    store: Store,
    Body(settings): Body<ReminderSettings>,
) -> Result<Json<ReminderSettings>> {
    let mut transaction = store.transaction();
    require_current_actor(&mut transaction, client.actor())?;
    transaction.require(&client.record(), Failure::NotFound)?;
    transaction.overwrite(&client.reminder_settings(), &settings)?;
    transaction.commit().await?;
    Ok(Json(settings))
}
