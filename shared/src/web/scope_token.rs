//! Tokens for one resource of a client, without a user, such as a calendar feed.

use lambda_http::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{App, Problem, RequestContext, Result};
use crate::identity::{AgencyId, ClientId, ClientScope, DataKey, HomeScope, PlatformScope, TenantId};

/// A client's scope and the claims of a token.
///
/// The token is sealed: only a token of this deployment can be opened. The names `t`, `a` and `c` are those of the scope.
#[derive(Serialize, Deserialize)]
pub struct ScopeToken<T> {
    t: TenantId,
    a: AgencyId,
    c: ClientId,
    #[serde(flatten)]
    claims: T,
}

impl<T: Serialize + DeserializeOwned> ScopeToken<T> {
    /// Seals a token for one purpose.
    pub fn seal(app: &App, purpose: &str, client: ClientScope, claims: T) -> Result<String> {
        let agency = client.agency();
        let token = Self { t: agency.tenant().id(), a: agency.id(), c: client.id(), claims };
        let plain = serde_json::to_vec(&token).map_err(Problem::internal)?;
        Ok(app.sealer(DataKey::Links, purpose)?.seal("", &plain)?)
    }

    /// Opens a token of this purpose, and records its client for the log.
    ///
    /// Any other text is a 401.
    pub fn open(app: &App, purpose: &str, parts: &Parts, token: &str) -> Result<(ClientScope, T)> {
        let plain = app.sealer(DataKey::Links, purpose)?.open("", token).ok_or_else(Problem::unauthenticated)?;
        let token: Self = serde_json::from_slice(&plain).map_err(|_| Problem::unauthenticated())?;
        let client = PlatformScope::root().tenant(token.t).agency(token.a).client(token.c);
        RequestContext::of(parts).set_scope(HomeScope::from(client).ids());
        Ok((client, token.claims))
    }
}
