//! The widget API: booking and lead forms for visitors of the clients' websites.
//!
//! It has no users. The origin of the calling page decides on each request ([`shared::widgets::guard`]), writes need a
//! session token, and an appointment is managed with the token in its link.

mod appointments;
mod availability;
mod calendar;
mod captcha;
mod config;
mod embed;
mod holds;
mod leads;
mod manage;
mod pages;
mod services;
mod staff;
mod view;
mod visitor;

use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Json, Router};
pub use captcha::{Captcha, CaptchaConfig, CaptchaError};
use shared::tenants::WidgetsUrl;
use shared::web::{Api, App, describe, serve_guarded};
use shared::widgets::guard;
use utoipa::openapi::OpenApi;
use utoipa_axum::routes;

/// The tags of the operations, with their descriptions.
const TAGS: [(&str, &str); 3] = [
    ("widget", "What a widget shows: the client, its services and staff, and available slots."),
    ("booking", "Holds, appointments and leads of visitors."),
    ("manage", "One appointment, with the token in the link of its visitor."),
];

/// The routes and their OpenAPI description.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(embed::script))
        .routes(routes!(config::get))
        .routes(routes!(services::list))
        .routes(routes!(staff::list))
        .routes(routes!(availability::get))
        .routes(routes!(holds::create))
        .routes(routes!(holds::delete))
        .routes(routes!(appointments::create))
        .routes(routes!(leads::create))
        .routes(routes!(manage::get, manage::cancel))
        .routes(routes!(manage::reschedule))
        .routes(routes!(manage::confirm))
        .routes(routes!(calendar::get))
        .routes(routes!(pages::booking))
        .routes(routes!(pages::manage))
}

/// The OpenAPI document of the widget API.
pub fn openapi() -> OpenApi {
    describe([api().into_openapi()], &TAGS)
}

/// The service that answers the routes; `url` is the base URL of the widget API.
pub fn router(app: App, url: WidgetsUrl, captcha: Captcha) -> Router {
    let document = Api::new().route("/widgets/openapi.json", get(|| async { Json(openapi()) }));
    let guard = from_fn_with_state((app.clone(), url), guard);
    serve_guarded("WIDGETS", api().merge(document), app, |router| router.layer(guard).layer(Extension(captcha)))
}
