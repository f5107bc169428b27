//! The key of a client's widgets, and the snippet for its website.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use shared::auth::{Access, ClientId, ClientScope, ManageSettings, ReadSettings};
use shared::entity::{Widget, WidgetKey};
use shared::store::{Store, Transaction};
use shared::{App, Result};
use utoipa::ToSchema;

/// Where the widgets' scripts and their API are, without a slash at the end.
#[derive(Clone)]
pub struct WidgetsUrl(Arc<str>);

impl WidgetsUrl {
    /// Of this base address.
    pub fn new(url: &str) -> Self {
        Self(url.trim_end_matches('/').into())
    }
}

/// How a client's widgets get onto its website.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Widget)]
pub(crate) struct Embedding {
    /// Public: it stands in the page.
    #[schema(value_type = String, example = "wk_3f2b6c1d8e4a4f0b9c7d5e6f7a8b9c0d")]
    widget_key: WidgetKey,
    /// For the page, where the widget is to appear.
    snippet: String,
}

impl Embedding {
    fn new(key: WidgetKey, WidgetsUrl(url): &WidgetsUrl) -> Json<Self> {
        let snippet = format!(r#"<script src="{url}/widgets/embed.js" data-widget-key="{key}" async></script>"#);
        Json(Self { widget_key: key, snippet })
    }
}

/// Read the key of a client's widgets, with the snippet for its website.
#[utoipa::path(get, path = "/v1/clients/{clientId}/widget", tag = "tenancy", operation_id = "readWidget",
    params(("clientId" = ClientId, Path)), responses((status = 200, body = Embedding, description = "The key.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn read(
    client: Access<ClientScope, ReadSettings>,
    Extension(url): Extension<WidgetsUrl>,
    store: Store,
) -> Result<Json<Embedding>> {
    let widget = store.find(&client.widget()).await?;
    Ok(Embedding::new(widget.key, &url))
}

/// Give a client's widgets another key. Pages with the old one stop working at once.
#[utoipa::path(post, path = "/v1/clients/{clientId}/widget/rotate", tag = "tenancy", operation_id = "rotateWidgetKey",
    params(("clientId" = ClientId, Path)), responses((status = 200, body = Embedding, description = "The new key.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn rotate(
    client: Access<ClientScope, ManageSettings>,
    State(app): State<App>,
    Extension(url): Extension<WidgetsUrl>,
    store: Store,
) -> Result<Json<Embedding>> {
    let key = client.widget();
    let read = || store.find(&key);
    let rotated = store.decide(read, |widget, transaction| {
        let next = widget.rotated(app.clock().now());
        replace(transaction, *client, widget, &next)?;
        transaction.remove(&client.widget_place(&widget.key))?;
        Ok(next.key)
    });
    Ok(Embedding::new(rotated.await?, &url))
}

/// Adds a client's first widget to the transaction that creates the client.
pub(crate) fn create(transaction: &mut Transaction, client: ClientScope, widget: &Widget) -> Result<()> {
    transaction.create(&client.widget(), widget)?;
    transaction.create(&client.widget_place(&widget.key), &widget.place(client))
}

/// Adds what goes from one state of a client's widget to the next. The place is guarded by the version of the widget.
pub(crate) fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    before: &Widget,
    after: &Widget,
) -> Result<()> {
    transaction.replace(&client.widget(), after, before.meta.version)?;
    transaction.write(&client.widget_place(&after.key), &after.place(client))
}

/// Adds that a client's widget goes.
pub(crate) fn delete(transaction: &mut Transaction, client: ClientScope, widget: &Widget) -> Result<()> {
    transaction.delete(&client.widget(), widget.meta.version)?;
    transaction.remove(&client.widget_place(&widget.key))
}
