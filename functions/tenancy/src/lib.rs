//! The tenancy API: tenants, agencies, clients, domains and widget keys.

mod agencies;
mod clients;
mod domains;
mod tenants;
mod widget;

use axum::{Extension, Router};
use shared::tenants::WidgetsUrl;
use shared::web::{Api, App, serve};
use utoipa_axum::routes;

/// The routes with their OpenAPI descriptions.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(tenants::create, tenants::list))
        .routes(routes!(tenants::read, tenants::update, tenants::delete))
        .routes(routes!(agencies::create, agencies::list))
        .routes(routes!(agencies::read, agencies::update, agencies::delete))
        .routes(routes!(clients::create, clients::list))
        .routes(routes!(clients::read, clients::update, clients::delete))
        .routes(routes!(domains::create, domains::list))
        .routes(routes!(domains::read, domains::update, domains::delete))
        .routes(routes!(widget::read))
        .routes(routes!(widget::rotate))
}

/// The service; `widgets` is the base URL in its snippets.
pub fn router(app: App, widgets: WidgetsUrl) -> Router {
    serve("TENANCY", api().layer(Extension(widgets)), app)
}
