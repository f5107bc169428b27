//! Sessions: signing in, refreshing, signing out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::Duration;
use deserr::Deserr;
use serde::Serialize;
use shared::auth::password::{self, Password};
use shared::auth::{ACCESS_TOKEN_SECONDS, Authenticated, Issuer, Refresh, account};
use shared::entity::{Session, Status, User};
use shared::http::{Body, Deleted};
use shared::store::Store;
use shared::value::{Email, Instant, Invalid};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

/// A session that is not refreshed for so many days ends.
const SESSION_DAYS: i64 = 30;

/// Who signs in.
#[derive(Deserr, ToSchema)]
#[deserr(error = Invalid, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct Login {
    email: Email,
    password: Password,
}

/// The refresh token to trade.
#[derive(Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = Invalid, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct RefreshToken {
    refresh_token: String,
}

/// What a sign-in and a refresh give (RFC 6749, 5.1).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    /// Goes into `Authorization: Bearer …`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which the access token is good.
    #[schema(example = 900)]
    expires_in: i64,
    /// Good for one refresh within 30 days.
    refresh_token: String,
    user: User,
}

/// Sign in.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", operation_id = "login", security(()), request_body = Login,
    responses((status = 200, body = Tokens, description = "Signed in.")), extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn login(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    store: Store,
    Body(login): Body<Login>,
) -> Result<Json<Tokens>> {
    let found = account::by_email(&app, &store, &login.email).await?;
    let hash = found.as_ref().and_then(|found| found.account.password_hash.clone());
    let matches = password::verify(login.password, hash).await?;
    // One answer for a wrong password, an unknown email and a user who may not: which it was is nobody's business.
    let may_enter = found.filter(|found| matches && found.account.user.status == Status::Active);
    let found = may_enter.ok_or_else(wrong_credentials)?;
    let now = app.clock().now();
    let mut user = found.account.user;
    let first = Refresh { home: found.home, user: user.id, session: app.ids().make(), generation: 1 };
    let mut transaction = store.transaction();
    transaction.note_sign_in(&found.home.user(user.id), now, wrong_credentials())?;
    transaction.create(&found.home.session(user.id, first.session), &generation(1, now))?;
    transaction.commit().await?;
    user.last_login_at = Some(now);
    user.meta.version += 1;
    tokens(&issuer, user, first, now)
}

/// Trade a refresh token for new tokens. It is good once: presenting it again ends the session.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth", operation_id = "refresh", security(()),
    request_body = RefreshToken, responses((status = 200, body = Tokens, description = "Refreshed.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn refresh(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    store: Store,
    Body(body): Body<RefreshToken>,
) -> Result<Json<Tokens>> {
    let token = issuer.open_refresh(&body.refresh_token).ok_or_else(bad_refresh_token)?;
    let (key, owner) = (token.home.session(token.user, token.session), token.home.user(token.user));
    let (session, account) = tokio::try_join!(store.get(&key), store.get(&owner))?;
    let now = app.clock().now();
    let session = session.filter(|session| now < session.expires).ok_or_else(bad_refresh_token)?;
    let user = account.map(|account| account.user).filter(|user| user.status == Status::Active);
    let next = Refresh { generation: session.generation + 1, ..token };
    if let (Some(user), true) = (user, token.generation == session.generation) {
        let mut transaction = store.transaction();
        transaction.advance(&key, &generation(next.generation, now), bad_refresh_token())?;
        match transaction.commit().await {
            Ok(()) => return tokens(&issuer, user, next, now),
            Err(problem) if problem.code() != bad_refresh_token().code() => return Err(problem),
            // Somebody else presented the same token first.
            Err(_) => {}
        }
    }
    end(&store, token).await?;
    Err(bad_refresh_token())
}

/// Sign out: end the session whose access token this is. Its refresh token stops at once, the access token within 15 minutes.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", operation_id = "logout",
    responses((status = 204, description = "Signed out.")), extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn logout(Authenticated(actor): Authenticated, store: Store) -> Result<Deleted> {
    let session = Refresh { home: actor.home(), user: actor.user(), session: actor.session(), generation: 0 };
    end(&store, session).await.map(|()| Deleted)
}

async fn end(store: &Store, session: Refresh) -> Result<()> {
    let mut transaction = store.transaction();
    transaction.remove(&session.home.session(session.user, session.session))?;
    transaction.commit().await
}

fn generation(generation: u64, now: Instant) -> Session {
    let expires = Instant::from(now.to_utc() + Duration::days(SESSION_DAYS));
    Session { generation, epoch: 0, source: None, expires, ttl: expires.unix_seconds() }
}

fn tokens(issuer: &Issuer, user: User, session: Refresh, now: Instant) -> Result<Json<Tokens>> {
    let access_token = issuer.access(&user, session.home, session.session, now).map_err(Problem::internal)?;
    let refresh_token = issuer.refresh(session).map_err(Problem::internal)?;
    Ok(Json(Tokens { access_token, token_type: "Bearer", expires_in: ACCESS_TOKEN_SECONDS, refresh_token, user }))
}

fn wrong_credentials() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "The email or the password is wrong.")
}

fn bad_refresh_token() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_refresh_token", "The refresh token is not good, or no longer.")
}
