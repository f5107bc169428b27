//! The widget key of a client, and the snippet for its website.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use shared::identity::{ClientId, ClientScope, ManageSettings, ReadSettings};
use shared::table::{Store, Transaction};
use shared::tenants::{Widget, WidgetKey, WidgetsUrl};
use shared::users::require_current_actor;
use shared::web::{Access, App, Result};
use utoipa::ToSchema;

/// The widget key of a client, and the snippet for its website.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WidgetSettings {
    /// The widget key; public, because it is part of the page.
    #[schema(value_type = String, example = "wk_3f2b6c1d8e4a4f0b9c7d5e6f7a8b9c0d")]
    widget_key: WidgetKey,
    /// HTML for the place in the page where the widget appears.
    snippet: String,
}

impl WidgetSettings {
    fn new(key: WidgetKey, url: &WidgetsUrl) -> Json<Self> {
        let script = format!(r#"<script src="{url}/widgets/embed.js" async></script>"#);
        let snippet = format!("{script}\n<upzento-booking widget-key=\"{key}\"></upzento-booking>");
        Json(Self { widget_key: key, snippet })
    }
}

/// Get the widget key.
///
/// Returns the key of the client's widgets and the HTML snippet for its website.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/widget", tag = "tenancy", operation_id = "getWidget",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    responses((status = 200, body = WidgetSettings, description = "The widget key and the snippet."))
)]
pub(crate) async fn read(
    client: Access<ClientScope, ReadSettings>,
    Extension(url): Extension<WidgetsUrl>,
    store: Store,
) -> Result<Json<WidgetSettings>> {
    let widget = store.find(&client.widget()).await?;
    Ok(WidgetSettings::new(widget.key, &url))
}

/// Rotate the widget key.
///
/// Replaces the key. Widgets with the previous key stop working immediately.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/widget/rotate", tag = "tenancy", operation_id = "rotateWidgetKey",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    responses((status = 200, body = WidgetSettings, description = "The new widget key and the snippet.")),
    extensions(("x-errors" = json!(["forbidden"])))
)]
pub(crate) async fn rotate(
    client: Access<ClientScope, ManageSettings>,
    State(app): State<App>,
    Extension(url): Extension<WidgetsUrl>,
    store: Store,
) -> Result<Json<WidgetSettings>> {
    let key = client.widget();
    let read = async || Ok(store.find(&key).await?);
    let rotated = store.retry_on_conflict(read, |widget, transaction| {
        let next = widget.rotated(app.now());
        require_current_actor(transaction, client.actor())?;
        replace(transaction, *client, widget, &next)?;
        transaction.remove(&client.widget_pointer(&widget.key))?;
        Ok(next.key)
    });
    let key: Result<WidgetKey> = rotated.await;
    Ok(WidgetSettings::new(key?, &url))
}

/// Creates the widget of a new client.
pub(crate) fn create(transaction: &mut Transaction, client: ClientScope, widget: &Widget) -> Result<()> {
    transaction.create(&client.widget(), widget)?;
    transaction.create(&client.widget_pointer(&widget.key), &widget.pointer(client))?;
    Ok(())
}

/// Writes the next version of a client's widget, and the pointer from its key.
///
/// A conflict if the widget is no longer at the version of `before`; this also guards the pointer.
pub(crate) fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    before: &Widget,
    after: &Widget,
) -> Result<()> {
    transaction.replace(&client.widget(), after, before.meta.version)?;
    Ok(transaction.overwrite(&client.widget_pointer(&after.key), &after.pointer(client))?)
}

/// Deletes the widget of a client, and the pointer from its key.
pub(crate) fn delete(transaction: &mut Transaction, client: ClientScope, widget: &Widget) -> Result<()> {
    transaction.delete(&client.widget(), widget.meta.version)?;
    Ok(transaction.remove(&client.widget_pointer(&widget.key))?)
}
