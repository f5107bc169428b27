//! Services, staff and their schedules, availability, and appointments.

mod appointments;
mod availability;
mod calendar;
mod list;
mod services;
mod staff;
mod time_off;
mod transitions;

use axum::Router;
use shared::web::{Api, App, serve};
use utoipa_axum::routes;

/// The routes and their OpenAPI description.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(services::create, services::list))
        .routes(routes!(services::get, services::update, services::delete))
        .routes(routes!(staff::create, staff::list))
        .routes(routes!(staff::get, staff::update, staff::delete))
        .routes(routes!(time_off::create, time_off::list))
        .routes(routes!(time_off::get, time_off::update, time_off::delete))
        .routes(routes!(calendar::create, calendar::revoke))
        .routes(routes!(calendar::get))
        .routes(routes!(availability::get))
        .routes(routes!(appointments::create, list::list))
        .routes(routes!(appointments::get, appointments::update, appointments::delete))
        .routes(routes!(appointments::reschedule))
        .routes(routes!(transitions::confirm))
        .routes(routes!(transitions::complete))
        .routes(routes!(transitions::cancel))
        .routes(routes!(transitions::no_show))
}

/// The service that answers the routes.
pub fn router(app: App) -> Router {
    serve("APPOINTMENTS", api(), app)
}
