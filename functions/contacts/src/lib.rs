//! The contacts of a client.

mod contacts;

use axum::Router;
use shared::App;
use shared::http::{Api, serve};
use utoipa_axum::routes;

/// The routes, with their description.
pub fn api() -> Api {
    Api::new().routes(routes!(contacts::create, contacts::list)).routes(routes!(
        contacts::read,
        contacts::update,
        contacts::delete
    ))
}

/// The service.
pub fn router(app: App) -> Router {
    serve(api(), app)
}
