//! Sign-in, sessions, tokens, and the caller's own profile.

mod health;
mod jwks;
mod me;
mod sessions;

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
        .routes(routes!(jwks::read))
        .routes(routes!(health::read))
}

/// The service. The issuer makes tokens, which no other module can.
pub fn router(app: App, issuer: Issuer) -> Router {
    serve(api().layer(Extension(Arc::new(issuer))), app)
}
