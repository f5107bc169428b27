//! Pipelines and their stages, deals, their notes and their history.

mod board;
mod deals;
mod history;
mod list;
mod notes;
mod pipelines;
mod stages;

use axum::Router;
use shared::web::{Api, App, serve};
use utoipa_axum::routes;

/// The routes with their OpenAPI descriptions.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(pipelines::create, pipelines::list))
        .routes(routes!(pipelines::get, pipelines::update, pipelines::delete))
        .routes(routes!(board::get))
        .routes(routes!(stages::create, stages::list))
        .routes(routes!(stages::reorder))
        .routes(routes!(stages::get, stages::update, stages::delete))
        .routes(routes!(deals::create, list::list))
        .routes(routes!(deals::get, deals::update, deals::delete))
        .routes(routes!(deals::relocate))
        .routes(routes!(history::list))
        .routes(routes!(notes::create, notes::list))
        .routes(routes!(notes::get, notes::update, notes::delete))
}

/// The module's service.
pub fn router(app: App) -> Router {
    serve("DEALS", api(), app)
}
