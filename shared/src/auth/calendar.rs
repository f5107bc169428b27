//! Calendars of the staff, for programs that cannot sign in: whoever has the secret in a calendar's address reads that one calendar.

use axum::extract::FromRequestParts;
use deserr::Deserr;
use lambda_http::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::scope::{AgencyId, ClientId, ClientScope, HomeScope, PlatformScope, TenantId};
use crate::entity::{Staff, StaffId};
use crate::http::trace::RequestContext;
use crate::http::{Parameters, PathIds};
use crate::value::ValidationErrors;
use crate::{App, Problem, Result};

/// What a token says: whose calendar it opens, and as which one it was given out. It is sealed, so that it is whole if it opens.
#[derive(Serialize, Deserialize)]
struct Token {
    t: TenantId,
    a: AgencyId,
    c: ClientId,
    s: StaffId,
    n: u64,
}

/// The query of a calendar's address.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CalendarQuery {
    /// The secret.
    #[deserr(default)]
    #[param(value_type = String)]
    token: Option<String>,
}

/// The calendar that a request's path names and its token opens. Whether the token is still good, the staff member's row says.
#[derive(Clone, Copy, Debug)]
pub struct CalendarAccess {
    client: ClientScope,
    staff: StaffId,
    number: u64,
}

/// Makes the token that opens the calendar of a member of the staff, as the one of this number.
pub fn calendar_token(app: &App, client: ClientScope, staff: StaffId, number: u64) -> Result<String> {
    let agency = client.agency();
    let token = Token { t: agency.tenant().id(), a: agency.id(), c: client.id(), s: staff, n: number };
    let plain = serde_json::to_vec(&token).map_err(Problem::internal)?;
    app.calendars().seal("", &plain).map_err(Problem::internal)
}

impl CalendarAccess {
    /// The client whose staff it is.
    pub const fn client(self) -> ClientScope {
        self.client
    }

    /// Whose calendar it is.
    pub const fn staff(self) -> StaffId {
        self.staff
    }

    /// As which one its token was given out.
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl FromRequestParts<App> for CalendarAccess {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let PathIds(client, staff) = PathIds::<crate::entity::Client, Staff>::from_request_parts(parts, app).await?;
        let Parameters(CalendarQuery { token }) = Parameters::from_request_parts(parts, app).await?;
        let plain = token.and_then(|token| app.calendars().open("", &token)).ok_or_else(Problem::unauthenticated)?;
        let token: Token = serde_json::from_slice(&plain).map_err(|_| Problem::unauthenticated())?;
        if (token.c, token.s) != (client, staff) {
            return Err(Problem::unauthenticated());
        }
        let client = PlatformScope::root().tenant(token.t).agency(token.a).client(token.c);
        RequestContext::of(parts).acting_in(HomeScope::from(client).ids());
        Ok(Self { client, staff, number: token.n })
    }
}
