//! Manage tokens: access of a visitor to one appointment.

use axum::extract::FromRequestParts;
use lambda_http::http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::appointments::{Appointment, AppointmentId};
use crate::identity::ClientScope;
use crate::value::Instant;
use crate::web::{App, ErrorCode, PathId, Problem, Result, ScopeToken};

/// The purpose of the key that seals the tokens.
const PURPOSE: &str = "manage";

/// The content of a token: the appointment and the number of its valid tokens.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "i")]
    appointment: AppointmentId,
    #[serde(rename = "n")]
    number: u64,
}

/// The manage token of an appointment; `None` if the appointment has no contact.
///
/// It is never stored, only computed. It is valid until the appointment ends, or until the contact changes.
pub fn manage_token(app: &App, client: ClientScope, appointment: &Appointment) -> Result<Option<String>> {
    let claims = appointment.manage_number().map(|number| Claims { appointment: appointment.id, number });
    claims.map(|claims| ScopeToken::seal(app, PURPOSE, client, claims)).transpose()
}

/// Access to one appointment, granted by a manage token alone.
///
/// The widget key in the path selects the allowed frames only. The appointment decides whether the token is still valid
/// ([`require_valid`](Self::require_valid)).
#[derive(Clone, Copy, Debug)]
pub struct ManageAccess {
    client: ClientScope,
    claims: Claims,
}

impl ManageAccess {
    /// The access that a token grants.
    ///
    /// # Errors
    /// 401 for any other text.
    pub(super) fn open(app: &App, parts: &Parts, token: &str) -> Result<Self> {
        let (client, claims) = ScopeToken::open(app, PURPOSE, parts, token).map_err(|_| invalid_token())?;
        Ok(Self { client, claims })
    }

    /// The client of the appointment.
    pub const fn client(&self) -> ClientScope {
        self.client
    }

    /// The appointment.
    pub const fn appointment(&self) -> AppointmentId {
        self.claims.appointment
    }

    /// Requires that the token is valid for the stored appointment.
    ///
    /// # Errors
    /// 401 if the appointment has ended or the token was revoked.
    pub fn require_valid(&self, appointment: &Appointment, now: Instant) -> Result<()> {
        let is_valid =
            appointment.id == self.claims.appointment && appointment.manage_number() == Some(self.claims.number);
        if is_valid && now < appointment.end_time { Ok(()) } else { Err(invalid_token()) }
    }
}

fn invalid_token() -> Problem {
    let detail = "The link is invalid, was revoked, or its appointment is over.";
    Problem::new(ErrorCode::Unauthenticated, detail)
}

impl FromRequestParts<App> for ManageAccess {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let PathId(id) = PathId::from_request_parts(parts, app).await?;
        let access: Self = parts.extensions.get().copied().ok_or_else(invalid_token)?;
        if access.appointment() == id { Ok(access) } else { Err(invalid_token()) }
    }
}
