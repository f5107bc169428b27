//! From a request to a scope. The order is the contract's: no good token 401, out of scope 404, in scope but not allowed 403.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, Path};
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt};
use lambda_http::http::request::Parts;

use super::role::Permission;
use super::scope::{AgencyScope, ClientScope, PlatformScope, ScopeIds, TenantScope};
use super::{Actor, HomeScope};
use crate::entity::ScopePointer;
use crate::http::trace::RequestContext;
use crate::keys;
use crate::store::Store;
use crate::value::Id;
use crate::{App, Problem, Result};

/// Somebody with a good access token, wherever they may act.
#[derive(Clone, Copy, Debug)]
pub struct Authenticated(pub Actor);

impl FromRequestParts<App> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token: Authorization<Bearer> = parts.headers.typed_get().ok_or_else(Problem::unauthenticated)?;
        let actor = app.verifier().verify(token.token(), app.clock().now()).ok_or_else(Problem::unauthenticated)?;
        RequestContext::of(parts).acting(actor.user(), actor.home().ids());
        Ok(Self(actor))
    }
}

/// The scope that the path names, of a caller who may do `P` in it. Handlers take it as their first argument; there is no
/// other way to a scope.
#[derive(Clone, Copy, Debug)]
pub struct Access<S, P> {
    scope: S,
    actor: Actor,
    may: PhantomData<fn() -> P>,
}

impl<S, P> Access<S, P> {
    /// Who acts.
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl<S, P> Deref for Access<S, P> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.scope
    }
}

impl<S: Located, P: Permission> FromRequestParts<App> for Access<S, P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Authenticated(actor) = Authenticated::from_request_parts(parts, app).await?;
        let store = Store::from_request_parts(parts, app).await?;
        let scope = S::locate(&actor, parts, &store).await?;
        if !P::allows(actor.role()) {
            return Err(denial(&scope, &store).await?);
        }
        RequestContext::of(parts).acting(actor.user(), scope.ids());
        Ok(Self { scope, actor, may: PhantomData })
    }
}

/// A scope that was computed and not looked up may not exist: then it is a 404 like any other.
async fn denial<S: Located>(scope: &S, store: &Store) -> Result<Problem> {
    Ok(if scope.exists(store).await? { Problem::forbidden() } else { Problem::not_found() })
}

/// A scope that a path can name.
pub trait Located: Copy + Send + Sync + Sized {
    /// The scope that the path names, as far as `actor` can reach it; 404 beyond. For `ADMIN` it is looked up, for everyone
    /// else computed from their token, so that a foreign id can only name an empty partition.
    fn locate(actor: &Actor, parts: &mut Parts, store: &Store) -> impl Future<Output = Result<Self>> + Send;

    /// Whether the scope is there: one read.
    fn exists(self, store: &Store) -> impl Future<Output = Result<bool>> + Send;

    /// Its tenant, agency and client, as far as it has them, for the log.
    fn ids(self) -> ScopeIds;
}

impl Located for PlatformScope {
    async fn locate(actor: &Actor, _: &mut Parts, _: &Store) -> Result<Self> {
        match actor.home() {
            HomeScope::Platform(platform) => Ok(platform),
            // There is one platform, and everybody knows it.
            HomeScope::Agency(_) | HomeScope::Client(_) => Err(Problem::forbidden()),
        }
    }

    async fn exists(self, _: &Store) -> Result<bool> {
        Ok(true)
    }

    fn ids(self) -> ScopeIds {
        ScopeIds::default()
    }
}

impl Located for TenantScope {
    async fn locate(actor: &Actor, parts: &mut Parts, _: &Store) -> Result<Self> {
        let id = path_id(parts, "tenantId").await?;
        let own = match actor.home() {
            HomeScope::Platform(platform) => return Ok(platform.tenant(id)),
            HomeScope::Agency(agency) => agency.tenant(),
            HomeScope::Client(client) => client.agency().tenant(),
        };
        reachable(own, own.id() == id)
    }

    async fn exists(self, store: &Store) -> Result<bool> {
        Ok(store.get(&self.row()).await?.is_some())
    }

    fn ids(self) -> ScopeIds {
        (Some(self.id()), None, None)
    }
}

impl Located for AgencyScope {
    async fn locate(actor: &Actor, parts: &mut Parts, store: &Store) -> Result<Self> {
        let id = path_id(parts, "agencyId").await?;
        let own = match actor.home() {
            HomeScope::Platform(platform) => {
                let place = found(store.get(&keys::agency_place(id)).await?)?;
                return Ok(platform.tenant(place.tenant_id).agency(id));
            }
            HomeScope::Agency(agency) => agency,
            HomeScope::Client(client) => client.agency(),
        };
        reachable(own, own.id() == id)
    }

    async fn exists(self, store: &Store) -> Result<bool> {
        Ok(store.get(&self.row()).await?.is_some())
    }

    fn ids(self) -> ScopeIds {
        HomeScope::from(self).ids()
    }
}

impl Located for ClientScope {
    async fn locate(actor: &Actor, parts: &mut Parts, store: &Store) -> Result<Self> {
        let id = path_id(parts, "clientId").await?;
        match actor.home() {
            HomeScope::Platform(platform) => {
                let place = found(store.get(&keys::client_place(id)).await?)?;
                Ok(platform.tenant(place.tenant_id).agency(place.agency_id).client(id))
            }
            HomeScope::Agency(agency) => Ok(agency.client(id)),
            // A sibling in the same agency is as foreign as any other.
            HomeScope::Client(own) => reachable(own, own.id() == id),
        }
    }

    async fn exists(self, store: &Store) -> Result<bool> {
        Ok(store.get(&self.row()).await?.is_some())
    }

    fn ids(self) -> ScopeIds {
        HomeScope::from(self).ids()
    }
}

fn reachable<S>(own: S, is_own: bool) -> Result<S> {
    if is_own { Ok(own) } else { Err(Problem::not_found()) }
}

fn found(place: Option<ScopePointer>) -> Result<ScopePointer> {
    place.ok_or_else(Problem::not_found)
}

/// An id in the path; a malformed one names nothing.
async fn path_id<T>(parts: &mut Parts, name: &str) -> Result<Id<T>> {
    let Path(segments): Path<HashMap<String, String>> = parts.extract().await.map_err(|_| Problem::not_found())?;
    let text = segments.get(name).ok_or_else(Problem::not_found)?;
    Id::from_str(text).map_err(|_| Problem::not_found())
}
