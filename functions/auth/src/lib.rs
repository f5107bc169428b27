//! The auth API: sign-in, sessions, passwords, invitations and users.

mod email_use;
mod failed_sign_ins;
mod health;
mod invitations;
mod jwks;
mod me;
mod passwords;
mod sessions;
mod token_redemption;
mod user_routes;
mod users;

use std::sync::Arc;

use axum::{Extension, Router};
use shared::identity::Issuer;
use shared::web::{Api, App, serve};
use utoipa_axum::routes;

/// The routes with their OpenAPI descriptions.
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
        .merge(user_routes::agency_users::api())
        .merge(user_routes::client_users::api())
        .routes(routes!(jwks::read))
        .routes(routes!(health::read))
}

/// The service; only its issuer can make tokens.
pub fn router(app: App, issuer: Issuer) -> Router {
    serve("AUTH", api().layer(Extension(Arc::new(issuer))), app)
}
