//! The contacts API: contacts, their tags, CSV import and export.

mod contacts;
mod export;
mod import;
mod list;
mod references;
mod tagging;
mod tags;
mod upsert;

use axum::Router;
use shared::web::{Api, App, serve};
use utoipa_axum::routes;

/// The routes with their OpenAPI descriptions.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(contacts::create, list::list))
        .routes(routes!(upsert::upsert))
        .routes(routes!(import::import))
        .routes(routes!(import::read))
        .routes(routes!(export::export))
        .routes(routes!(contacts::read, contacts::update, contacts::delete))
        .routes(routes!(tagging::list))
        .routes(routes!(tagging::tag, tagging::untag))
        .routes(routes!(references::deals))
        .routes(routes!(references::appointments))
        .routes(routes!(tags::create, tags::list))
        .routes(routes!(tags::read, tags::update, tags::delete))
}

/// The service.
pub fn router(app: App) -> Router {
    serve("CONTACTS", api(), app)
}
