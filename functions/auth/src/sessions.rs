//! Sessions: signing in, refreshing, signing out.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::Duration;
use deserr::Deserr;
use serde::Serialize;
use shared::auth::account::{self, FoundUser};
use shared::auth::password::{self, Password};
use shared::auth::{ACCESS_TOKEN_SECONDS, Authenticated, Issuer, Refresh};
use shared::entity::{Account, Session, Status, User};
use shared::http::{Body, Deleted, Source};
use shared::store::{Store, Transaction};
use shared::value::{Email, Instant, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

use crate::attempt::{Attempt, remember};

/// A session that is not refreshed for so many days ends.
const SESSION_DAYS: i64 = 30;

/// Who signs in.
#[derive(Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct Login {
    email: Email,
    password: Password,
}

/// The refresh token to trade.
#[derive(Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
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

/// Sign in. After ten failures within 15 minutes, for one email or from one address, the answer is `429` until these are over,
/// but for those who come from where they signed in before.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", operation_id = "login", security(()), request_body = Login,
    responses((status = 200, body = Tokens, description = "Signed in.")), extensions(("x-round-trips" = json!(7))))]
pub(crate) async fn login(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    source: Source,
    store: Store,
    Body(login): Body<Login>,
) -> Result<Json<Tokens>> {
    let found = account::by_email(&app, &store, &login.email).await?;
    let attempt = Attempt::at(&app, &store, &login.email, &source, found.as_ref()).await?;
    let hash = found.as_ref().and_then(|found| found.account.password_hash.clone());
    let matches = password::verify(login.password, hash).await?;
    // One answer for a wrong password, an unknown email and a user who may not: which it was is nobody's business.
    let found = match found {
        Some(found) if matches && found.account.user.status == Status::Active => found,
        other => {
            let fail = attempt.fail(&app, &store, &login.email, &source, other.as_ref(), wrong_credentials());
            return Err(fail.await);
        }
    };
    let now = app.clock().now();
    let mut transaction = store.transaction();
    attempt.succeed(&mut transaction)?;
    transaction.note_sign_in(&found.home.user(found.account.user.id), &found.account, now, wrong_credentials())?;
    let entered = open(&app, &mut transaction, &source, &found)?;
    transaction.commit().await?;
    let mut user = found.account.user;
    user.last_login_at = Some(now);
    user.meta.version += 1;
    entered.tokens(&issuer, user)
}

/// A session that a transaction opens.
pub(crate) struct NewSession {
    first: Refresh,
    at: Instant,
}

/// Opens a session of a user, and remembers from where.
pub(crate) fn open(app: &App, transaction: &mut Transaction, source: &Source, found: &FoundUser) -> Result<NewSession> {
    let FoundUser { home, account } = found;
    let (user, at) = (account.user.id, app.clock().now());
    let first = Refresh { home: *home, user, session: app.ids().make(), generation: 1 };
    let session = lasting(Session { generation: 1, epoch: account.epoch, expires: at, ttl: 0 }, at);
    transaction.create(&home.session(user, first.session), &session)?;
    remember(app, transaction, source, found)?;
    Ok(NewSession { first, at })
}

impl NewSession {
    /// The answer to whoever signed in.
    pub(crate) fn tokens(self, issuer: &Issuer, user: User) -> Result<Json<Tokens>> {
        tokens(issuer, user, self.first, self.at)
    }
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
    let (mut session, mut account) = tokio::try_join!(store.get(&key), store.get(&owner))?;
    // A password that is changed between the two reads makes them of different epochs, once.
    if let (Some(Session { epoch: seen, .. }), Some(Account { epoch: current, .. })) = (&session, &account) {
        match seen.cmp(current) {
            Ordering::Less => session = store.get(&key).await?,
            Ordering::Greater => account = store.get(&owner).await?,
            Ordering::Equal => {}
        }
    }
    let now = app.clock().now();
    let session = session.filter(|session| now < session.expires).ok_or_else(bad_refresh_token)?;
    let account = account.filter(|account| account.user.status == Status::Active && account.epoch == session.epoch);
    if let (Some(Account { user, .. }), true) = (account, token.generation == session.generation) {
        let next = lasting(Session { generation: session.generation + 1, ..session }, now);
        let mut transaction = store.transaction();
        transaction.refresh(&key, &next, bad_refresh_token())?;
        match transaction.commit().await {
            Ok(()) => return tokens(&issuer, user, Refresh { generation: next.generation, ..token }, now),
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

/// The session, good for [`SESSION_DAYS`] from now.
fn lasting(session: Session, now: Instant) -> Session {
    let expires = Instant::from(now.to_utc() + Duration::days(SESSION_DAYS));
    Session { expires, ttl: expires.unix_seconds(), ..session }
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
