//! Access control: from a request to a scope.
//!
//! The checks, in this order: 401 without a valid token, 404 for a resource outside of the caller's scope, 403
//! for a role without the permission.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, Path};
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt};
use lambda_http::http::request::Parts;

use super::{App, Problem, RequestContext, Result};
use crate::identity::{Actor, AgencyScope, ClientScope, HomeScope, Permission, PlatformScope, ScopeIds, TenantScope};
use crate::table::{Scope, ScopePointer, Store, agency_pointer, child_count, client_pointer};
use crate::value::Id;

/// A user with a valid access token, without a check of scope or role.
#[derive(Clone, Copy, Debug)]
pub struct Authenticated(pub Actor);

impl FromRequestParts<App> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token: Authorization<Bearer> = parts.headers.typed_get().ok_or_else(Problem::unauthenticated)?;
        let actor = app.verifier().verify(token.token(), app.clock().now()).ok_or_else(Problem::unauthenticated)?;
        RequestContext::of(parts).set_user(actor.user(), actor.home().ids());
        Ok(Self(actor))
    }
}

/// The scope in the path, for a caller with the permission `P`.
///
/// The first argument of handlers, which have no other way to get a scope.
#[derive(Clone, Copy, Debug)]
pub struct Access<S, P> {
    scope: S,
    actor: Actor,
    permission: PhantomData<fn() -> P>,
}

impl<S, P> Access<S, P> {
    /// The caller.
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
        let Ok(store) = Store::from_request_parts(parts, app).await;
        let scope = S::locate(&actor, parts, &store).await?;
        if !P::allows(actor.role()) {
            return Err(denial(&scope, &store).await?);
        }
        RequestContext::of(parts).set_user(actor.user(), scope.ids());
        Ok(Self { scope, actor, permission: PhantomData })
    }
}

/// The problem for a caller without the permission.
///
/// A computed scope may not exist: then the problem is a 404, as for all other callers.
async fn denial<S: Located>(scope: &S, store: &Store) -> Result<Problem> {
    Ok(if scope.exists(store).await? { Problem::forbidden() } else { Problem::not_found() })
}

/// A scope in a path.
pub trait Located: Scope {
    /// The scope in the path, if `actor` can access it; otherwise 404.
    ///
    /// For a platform user it is looked up. For all other users it is computed from the token, so that a foreign
    /// id leads to an empty partition.
    fn locate(actor: &Actor, parts: &mut Parts, store: &Store) -> impl Future<Output = Result<Self>> + Send;

    /// Whether the scope exists: one read.
    fn exists(self, store: &Store) -> impl Future<Output = Result<bool>> + Send;

    /// The ids of its tenant, agency and client, for the log.
    fn ids(self) -> ScopeIds;
}

impl Located for PlatformScope {
    async fn locate(actor: &Actor, _: &mut Parts, _: &Store) -> Result<Self> {
        match actor.home() {
            HomeScope::Platform(platform) => Ok(platform),
            // All users know that the platform exists, so this is not a 404.
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
        Ok(store.get(&child_count(self)).await?.is_some())
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
                let pointer = existing(store.get(&agency_pointer(id)).await?)?;
                return Ok(platform.tenant(pointer.tenant_id).agency(id));
            }
            HomeScope::Agency(agency) => agency,
            HomeScope::Client(client) => client.agency(),
        };
        reachable(own, own.id() == id)
    }

    async fn exists(self, store: &Store) -> Result<bool> {
        Ok(store.get(&child_count(self)).await?.is_some())
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
                let pointer = existing(store.get(&client_pointer(id)).await?)?;
                Ok(platform.tenant(pointer.tenant_id).agency(pointer.agency_id).client(id))
            }
            HomeScope::Agency(agency) => Ok(agency.client(id)),
            // Another client of the same agency is out of scope, too.
            HomeScope::Client(own) => reachable(own, own.id() == id),
        }
    }

    async fn exists(self, store: &Store) -> Result<bool> {
        Ok(store.get(&child_count(self)).await?.is_some())
    }

    fn ids(self) -> ScopeIds {
        HomeScope::from(self).ids()
    }
}

fn reachable<S>(own: S, is_own: bool) -> Result<S> {
    if is_own { Ok(own) } else { Err(Problem::not_found()) }
}

fn existing(pointer: Option<ScopePointer>) -> Result<ScopePointer> {
    pointer.ok_or_else(Problem::not_found)
}

/// An id in the path. A malformed id is a 404, like an id that does not exist.
async fn path_id<T>(parts: &mut Parts, name: &str) -> Result<Id<T>> {
    let Path(segments): Path<HashMap<String, String>> = parts.extract().await.map_err(|_| Problem::not_found())?;
    let text = segments.get(name).ok_or_else(Problem::not_found)?;
    Id::from_str(text).map_err(|_| Problem::not_found())
}
