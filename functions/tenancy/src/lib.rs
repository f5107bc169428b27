//! Tenants, agencies and clients: the tree in which everything else has its place.

mod agencies;
mod clients;
mod tenants;

use axum::Router;
use shared::App;
use shared::http::{Api, serve};
use utoipa_axum::routes;

/// The routes, with their description.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(tenants::create, tenants::list))
        .routes(routes!(tenants::read, tenants::update, tenants::delete))
        .routes(routes!(agencies::create, agencies::list))
        .routes(routes!(agencies::read, agencies::update, agencies::delete))
        .routes(routes!(clients::create, clients::list))
        .routes(routes!(clients::read, clients::update, clients::delete))
}

/// The service.
pub fn router(app: App) -> Router {
    serve(api(), app)
}
