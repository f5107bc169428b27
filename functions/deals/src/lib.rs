//! Pipelines and their stages, deals, their notes and their history.

mod board;
mod deals;
mod history;
mod list;
mod notes;
mod pipelines;
mod place;
mod stages;
mod vacate;

use axum::Router;
use shared::App;
use shared::http::{Api, serve};
use utoipa_axum::routes;
pub use vacate::vacate;

/// The routes, with their description.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(pipelines::create, pipelines::list))
        .routes(routes!(pipelines::read, pipelines::update, pipelines::delete))
        .routes(routes!(board::read))
        .routes(routes!(stages::create, stages::list))
        .routes(routes!(stages::arrange))
        .routes(routes!(stages::read, stages::update, stages::delete))
        .routes(routes!(deals::create, list::list))
        .routes(routes!(deals::read, deals::update, deals::delete))
        .routes(routes!(deals::relocate))
        .routes(routes!(history::list))
        .routes(routes!(notes::create, notes::list))
        .routes(routes!(notes::read, notes::update, notes::delete))
}

/// The service.
pub fn router(app: App) -> Router {
    serve(api(), app)
}
