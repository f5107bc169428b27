//! Calendar feed tokens.
//!
//! The secret in the URL of a feed gives access to the calendar of one staff member, for programs that cannot sign
//! in.

use axum::extract::FromRequestParts;
use deserr::Deserr;
use lambda_http::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{Staff, StaffId};
use crate::identity::ClientScope;
use crate::value::{ValidationErrors, marker};
use crate::web::{App, Parameters, PathIds, Problem, Result, ScopeToken};

/// The purpose of the key that seals the tokens.
const PURPOSE: &str = "calendar";

/// The content of a token: the staff member and the number of the token.
#[derive(Serialize, Deserialize)]
struct Claims {
    s: StaffId,
    n: u64,
}

/// The query parameters of a feed's URL.
///
/// Unknown parameters are accepted: calendar programs append their own, for example to avoid caches.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase)]
#[into_params(parameter_in = Query)]
pub struct CalendarQuery {
    /// The secret token in the URL of the feed.
    #[deserr(default)]
    #[param(value_type = String)]
    token: Option<String>,
}

/// Access to the calendar in the path, granted by a token.
///
/// The staff member's row decides whether the token is still valid
/// ([`StaffRow::accepts_calendar`](super::StaffRow::accepts_calendar)).
#[derive(Clone, Copy, Debug)]
pub struct CalendarAccess {
    client: ClientScope,
    staff: StaffId,
    number: u64,
}

/// Creates the token with this number for the calendar of a staff member.
pub fn calendar_token(app: &App, client: ClientScope, staff: StaffId, number: u64) -> Result<String> {
    ScopeToken::seal(app, PURPOSE, client, Claims { s: staff, n: number })
}

impl CalendarAccess {
    /// The client of the staff member.
    pub const fn client(self) -> ClientScope {
        self.client
    }

    /// The staff member.
    pub const fn staff(self) -> StaffId {
        self.staff
    }

    /// The number of the token.
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl FromRequestParts<App> for CalendarAccess {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let PathIds(client, staff) = PathIds::<marker::Client, Staff>::from_request_parts(parts, app).await?;
        let Parameters(CalendarQuery { token }) = Parameters::from_request_parts(parts, app).await?;
        let token = token.ok_or_else(Problem::unauthenticated)?;
        let (scope, claims) = ScopeToken::<Claims>::open(app, PURPOSE, parts, &token)?;
        if (scope.id(), claims.s) != (client, staff) {
            return Err(Problem::unauthenticated());
        }
        Ok(Self { client: scope, staff, number: claims.n })
    }
}
