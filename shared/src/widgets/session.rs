//! Session tokens of visitors.

use std::time::Duration;

use axum::extract::FromRequestParts;
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt};
use lambda_http::http::request::Parts;
use serde::{Deserialize, Serialize};

use super::WidgetAccess;
use crate::appointments::VisitId;
use crate::identity::{ClientScope, DataKey};
use crate::value::Instant;
use crate::web::{App, ErrorCode, Problem, Result};

/// The purpose of the key that seals the tokens.
const PURPOSE: &str = "widget session";

/// How long a token is valid.
const LIFETIME: Duration = Duration::from_hours(2);

/// The time that a person needs at least to fill in a form.
const MIN_FILL_TIME: Duration = Duration::from_secs(2);

/// The content of a token, which is sealed.
///
/// The token is valid for one widget key and one origin. CORS keeps other pages from reading responses, not from sending
/// requests; without a token, a write is rejected.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "o")]
    origin: String,
    #[serde(rename = "v")]
    visit: VisitId,
    #[serde(rename = "i")]
    issued: Instant,
}

/// A new session token.
pub struct SessionToken {
    /// The sealed token.
    pub token: String,
    /// When it expires.
    pub expires_at: Instant,
}

impl SessionToken {
    /// Issues a token for a new session of the calling page.
    pub fn issue(app: &App, access: &WidgetAccess) -> Result<Self> {
        let (key, origin) = (access.key().to_owned(), access.origin().to_owned());
        let claims = Claims { key, origin, visit: app.ids().make(), issued: app.now() };
        let plain = serde_json::to_vec(&claims).map_err(Problem::internal)?;
        let token = app.sealer(DataKey::Links, PURPOSE)?.seal("", &plain)?;
        Ok(Self { token, expires_at: claims.issued.after(LIFETIME) })
    }
}

/// A visitor with a valid session token, on a page that may use the widget.
///
/// The first argument of the handlers of writes, which have no other way to get a scope.
#[derive(Clone, Debug)]
pub struct WidgetSession {
    access: WidgetAccess,
    visit: VisitId,
    issued: Instant,
}

impl WidgetSession {
    /// The client.
    pub fn client(&self) -> ClientScope {
        self.access.client()
    }

    /// The widget key in the path.
    pub fn key(&self) -> &str {
        self.access.key()
    }

    /// The session.
    pub const fn visit(&self) -> VisitId {
        self.visit
    }

    /// Rejects a form that was submitted faster than a person can fill it in.
    ///
    /// # Errors
    /// `429 too_fast`, with the number of seconds until it is accepted.
    pub fn require_fill_time(&self, now: Instant) -> Result<()> {
        let left = MIN_FILL_TIME.saturating_sub(now.since(self.issued));
        if left.is_zero() {
            return Ok(());
        }
        let seconds = u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(1);
        Err(Problem::new(ErrorCode::TooFast, "The form was submitted too fast. Try again.").retry_after(seconds))
    }

    /// The session of a request; `None` without a token.
    pub(super) fn of(parts: &Parts, app: &App, access: WidgetAccess) -> Result<Option<Self>> {
        let Some(token) = parts.headers.typed_get::<Authorization<Bearer>>() else { return Ok(None) };
        let plain = app.sealer(DataKey::Links, PURPOSE)?.open("", token.token()).ok_or_else(invalid_session)?;
        let claims: Claims = serde_json::from_slice(&plain).map_err(|_| invalid_session())?;
        let is_bound = claims.key == access.key() && claims.origin == access.origin();
        if !is_bound || app.now() >= claims.issued.after(LIFETIME) {
            return Err(invalid_session());
        }
        Ok(Some(Self { access, visit: claims.visit, issued: claims.issued }))
    }
}

fn invalid_session() -> Problem {
    let detail = "A valid session token of this widget and this origin is required. GET …/config issues one.";
    Problem::new(ErrorCode::Unauthenticated, detail)
}

impl FromRequestParts<App> for WidgetSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let access = WidgetAccess::from_request_parts(parts, app).await?;
        Self::of(parts, app, access)?.ok_or_else(invalid_session)
    }
}

/// The session of a visitor, if the request has a token.
impl axum::extract::OptionalFromRequestParts<App> for WidgetSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>> {
        let access = <WidgetAccess as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        Self::of(parts, app, access)
    }
}
