//! Sessions: sign-in, refresh and sign-out.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::Duration;
use deserr::Deserr;
use serde::Serialize;
use shared::identity::password::{self, Password};
use shared::identity::{ACCESS_TOKEN_SECONDS, Issuer, RefreshToken};
use shared::table::{Key, Store, StoreError, Transaction};
use shared::users::accounts::{self, FoundUser};
use shared::users::{Account, Session, User, UserStatus, repository};
use shared::value::{Email, Instant, ValidationErrors};
use shared::web::{App, Authenticated, Body, Deleted, ErrorCode, Problem, Result, Source};
use utoipa::ToSchema;

use crate::failed_sign_ins::{FailedSignIns, remember_source};

/// The number of days after which a session ends if it is not refreshed.
const SESSION_DAYS: i64 = 30;

/// The credentials of a user.
#[derive(Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com", "password": "correct horse battery staple" }))]
pub(crate) struct LoginRequest {
    /// The user's email.
    email: Email,
    /// The user's password.
    password: Password,
}

/// A request to exchange a refresh token.
#[derive(Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({ "refreshToken": "q1Zx7rTn0aYw5LkUeJd2vCs8BhGf3MpO6iXjE9tK4cRl" }))]
pub(crate) struct RefreshRequest {
    /// The latest refresh token of the session.
    refresh_token: String,
}

/// The tokens of a session (RFC 6749, 5.1).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    /// The access token, for `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// The number of seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: i64,
    /// The refresh token, valid once, for 30 days.
    refresh_token: String,
    /// The signed-in user.
    user: User,
}

/// Sign in.
///
/// The response to wrong credentials does not reveal whether the email is in use. After ten failures within
/// 15 minutes, for one email or from one source address, the response is `429` until the 15 minutes are over.
/// For a source address from which the user has signed in within 90 days, only failures for this email from
/// this address count.
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "auth", operation_id = "login", security(()),
    request_body = LoginRequest,
    responses((status = 200, body = Tokens, description = "The tokens of a new session.")),
    extensions(("x-errors" = json!(["wrong_credentials", "too_many_attempts"])))
)]
pub(crate) async fn login(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    source: Source,
    store: Store,
    Body(request): Body<LoginRequest>,
) -> Result<Json<Tokens>> {
    let found = accounts::by_email(&app, &store, &request.email).await?;
    let failures = FailedSignIns::read(&app, &store, &request.email, &source, found.as_ref()).await?;
    let hash = found.as_ref().and_then(|found| found.account.password_hash.clone());
    let matches = password::verify(request.password, hash).await?;
    // A wrong password, an unknown email and a user who may not sign in all get the same response.
    let found = match found {
        Some(found) if matches && found.account.user.status == UserStatus::Active => found,
        rejected => {
            let problem = wrong_credentials();
            let recorded = failures.record(&app, &store, &request.email, &source, rejected.as_ref(), problem);
            return Err(recorded.await);
        }
    };
    let now = app.now();
    let mut transaction = store.transaction();
    failures.reset(&mut transaction)?;
    repository::record_sign_in(&mut transaction, found.home, &found.account, now, wrong_credentials())?;
    let session = open(&app, &mut transaction, &source, &found)?;
    transaction.commit().await?;
    let mut user = found.account.user;
    user.last_login_at = Some(now);
    session.tokens(&issuer, user)
}

/// A session that a transaction opens.
pub(crate) struct NewSession {
    refresh_token: RefreshToken,
    opened_at: Instant,
}

/// Opens a session of a user and records its source as known.
pub(crate) fn open(app: &App, transaction: &mut Transaction, source: &Source, found: &FoundUser) -> Result<NewSession> {
    let FoundUser { home, account } = found;
    let (user, now) = (account.user.id, app.now());
    let refresh_token = RefreshToken { home: *home, user, session: app.ids().make(), generation: 1 };
    let session = extend(Session { generation: 1, epoch: account.epoch, expires: now, ttl: 0 }, now);
    transaction.create(&home.session(user, refresh_token.session), &session)?;
    remember_source(app, transaction, source, found)?;
    Ok(NewSession { refresh_token, opened_at: now })
}

impl NewSession {
    /// The response to the sign-in.
    pub(crate) fn tokens(self, issuer: &Issuer, user: User) -> Result<Json<Tokens>> {
        tokens(issuer, user, self.refresh_token, self.opened_at)
    }
}

/// Exchange a refresh token for new tokens.
///
/// A refresh token is valid once, for 30 days. Using one again ends its session.
#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "auth", operation_id = "refresh", security(()),
    request_body = RefreshRequest,
    responses((status = 200, body = Tokens, description = "The new tokens of the session.")),
    extensions(("x-errors" = json!(["invalid_refresh_token"])))
)]
pub(crate) async fn refresh(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    store: Store,
    Body(request): Body<RefreshRequest>,
) -> Result<Json<Tokens>> {
    let token = issuer.open_refresh(&request.refresh_token).ok_or_else(invalid_refresh_token)?;
    let (key, owner) = (token.home.session(token.user, token.session), token.home.user(token.user));
    let (mut session, mut account) = tokio::try_join!(store.get(&key), store.get(&owner))?;
    // If the epoch changes between the two reads, the older of them is repeated.
    if let (Some(session_read), Some(account_read)) = (&session, &account) {
        match session_read.epoch.cmp(&account_read.epoch) {
            Ordering::Less => session = store.get(&key).await?,
            Ordering::Greater => account = store.get(&owner).await?,
            Ordering::Equal => {}
        }
    }
    let now = app.now();
    let session = session.filter(|session| now < session.expires).ok_or_else(invalid_refresh_token)?;
    let account = account.filter(|account| account.user.status == UserStatus::Active && account.epoch == session.epoch);
    if let (Some(Account { user, .. }), true) = (account, token.generation == session.generation) {
        let next = extend(Session { generation: session.generation + 1, ..session }, now);
        let mut transaction = store.transaction();
        repository::refresh_session(&mut transaction, &key, &next)?;
        match transaction.commit().await {
            Ok(()) => return tokens(&issuer, user, RefreshToken { generation: next.generation, ..token }, now),
            // Another request used the same token first.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    end(&store, &key).await?;
    Err(invalid_refresh_token())
}

/// Sign out.
///
/// Ends the session of the access token. The refresh token of the session becomes invalid immediately; the access
/// token expires within 15 minutes.
#[utoipa::path(
    post, path = "/v1/auth/logout", tag = "auth", operation_id = "logout",
    responses((status = 204, description = "The session was ended."))
)]
pub(crate) async fn logout(Authenticated(actor): Authenticated, store: Store) -> Result<Deleted> {
    let session = actor.home().session(actor.user(), actor.session());
    end(&store, &session).await.map(|()| Deleted)
}

async fn end(store: &Store, session: &Key<Session>) -> Result<()> {
    let mut transaction = store.transaction();
    transaction.remove(session)?;
    Ok(transaction.commit().await?)
}

/// The session, valid for [`SESSION_DAYS`] from now.
fn extend(session: Session, now: Instant) -> Session {
    let expires = Instant::from(now.to_utc() + Duration::days(SESSION_DAYS));
    Session { expires, ttl: expires.unix_seconds(), ..session }
}

fn tokens(issuer: &Issuer, user: User, token: RefreshToken, now: Instant) -> Result<Json<Tokens>> {
    let access_token =
        issuer.access((user.id, user.role), token.home, token.session, now).map_err(Problem::internal)?;
    let refresh_token = issuer.refresh(token).map_err(Problem::internal)?;
    Ok(Json(Tokens { access_token, token_type: "Bearer", expires_in: ACCESS_TOKEN_SECONDS, refresh_token, user }))
}

fn wrong_credentials() -> Problem {
    Problem::new(ErrorCode::WrongCredentials, "Wrong email or password.")
}

fn invalid_refresh_token() -> Problem {
    Problem::new(ErrorCode::InvalidRefreshToken, "Invalid or expired refresh token.")
}
