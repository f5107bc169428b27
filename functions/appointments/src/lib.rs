//! Services, the staff and when they work; what can be booked, and the appointments that were.

mod appointments;
mod availability;
mod calendar;
mod list;
mod services;
mod staff;
mod time_off;
mod transitions;

use axum::Router;
use shared::App;
use shared::http::{Api, serve};
use utoipa_axum::routes;

/// The routes, with their description.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(services::create, services::list))
        .routes(routes!(services::read, services::update, services::delete))
        .routes(routes!(staff::create, staff::list))
        .routes(routes!(staff::read, staff::update, staff::delete))
        .routes(routes!(time_off::create, time_off::list))
        .routes(routes!(time_off::read, time_off::update, time_off::delete))
        .routes(routes!(calendar::give, calendar::revoke))
        .routes(routes!(calendar::read))
        .routes(routes!(availability::read))
        .routes(routes!(appointments::create, list::list))
        .routes(routes!(appointments::read, appointments::update, appointments::delete))
        .routes(routes!(appointments::reschedule))
        .routes(routes!(transitions::confirm))
        .routes(routes!(transitions::complete))
        .routes(routes!(transitions::cancel))
        .routes(routes!(transitions::no_show))
}

/// The service.
pub fn router(app: App) -> Router {
    serve(api(), app)
}
