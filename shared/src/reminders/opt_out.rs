//! Tokens of the links that stop reminders.

use axum::extract::FromRequestParts;
use deserr::Deserr;
use lambda_http::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::contacts::ContactId;
use crate::identity::ClientScope;
use crate::value::ValidationErrors;
use crate::web::{App, Parameters, Problem, Result, ScopeToken};

/// The purpose of the key that seals the tokens.
const PURPOSE: &str = "opt-out";

/// The content of a token.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "i")]
    contact: ContactId,
}

/// The query of a link that stops reminders. Unknown parameters are ignored: mail programs add their own.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors)]
#[into_params(parameter_in = Query)]
pub(crate) struct OptOutQuery {
    /// The token of the link.
    #[deserr(default)]
    token: String,
}

/// The token with which a contact stops its reminders. It does not expire.
pub fn opt_out_token(app: &App, client: ClientScope, contact: ContactId) -> Result<String> {
    ScopeToken::seal(app, PURPOSE, client, Claims { contact })
}

/// The contact of a link that stops reminders.
///
/// The first argument of the handlers, which have no other way to get a scope.
#[derive(Clone, Copy, Debug)]
pub struct OptOutToken {
    client: ClientScope,
    contact: ContactId,
}

impl OptOutToken {
    /// The client of the contact.
    pub const fn client(&self) -> ClientScope {
        self.client
    }

    /// The contact.
    pub const fn contact(&self) -> ContactId {
        self.contact
    }
}

impl FromRequestParts<App> for OptOutToken {
    type Rejection = Problem;

    /// 401 for a text that is not a token of this kind.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Parameters(OptOutQuery { token }) = Parameters::from_request_parts(parts, app).await?;
        let (client, Claims { contact }) = ScopeToken::open(app, PURPOSE, parts, &token)?;
        Ok(Self { client, contact })
    }
}
