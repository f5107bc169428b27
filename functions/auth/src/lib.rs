//! Who is who: users and their invitations, passwords, sign-in, sessions, tokens.

mod attempt;
mod health;
mod invitations;
mod jwks;
mod me;
mod passwords;
mod redemption;
mod sessions;
mod user_routes;
mod users;

use std::sync::Arc;

use axum::{Extension, Router};
use shared::App;
use shared::auth::Issuer;
use shared::http::{Api, serve};
use utoipa_axum::routes;

/// The routes, with their description.
pub fn api() -> Api {
    Api::new()
        .routes(routes!(sessions::login))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::logout))
        .routes(routes!(me::read, me::update))
        .routes(routes!(passwords::change))
        .routes(routes!(passwords::forgot))
        .routes(routes!(passwords::reset))
        .routes(routes!(invitations::accept))
        .merge(user_routes::of_agency::api())
        .merge(user_routes::of_client::api())
        .routes(routes!(jwks::read))
        .routes(routes!(health::read))
}

/// The service. The issuer makes tokens, which no other module can.
pub fn router(app: App, issuer: Issuer) -> Router {
    serve(api().layer(Extension(Arc::new(issuer))), app)
}
