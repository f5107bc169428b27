//! The caller's own profile.

use axum::extract::State;
use axum::http::StatusCode;
use shared::auth::{Actor, Authenticated};
use shared::entity::{Account, Profile, Status, User};
use shared::http::{IfMatch, IfNoneMatch, Patch, WithEtag};
use shared::store::Store;
use shared::{App, Problem, Result};

/// Read one's own user.
#[utoipa::path(get, path = "/v1/auth/me", tag = "auth", operation_id = "readMe",
    responses((status = 200, body = User, description = "The caller.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    Authenticated(actor): Authenticated,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<User>> {
    Ok(WithEtag::unless(own(&store, &actor).await?.user, has))
}

/// Change one's own name.
#[utoipa::path(patch, path = "/v1/auth/me", tag = "auth", operation_id = "updateMe",
    request_body(content = Profile, content_type = "application/merge-patch+json"),
    responses((status = 200, body = User, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    Authenticated(actor): Authenticated,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<User>> {
    let key = actor.home().user(actor.user());
    let account = store.update(key, &if_match, |account, _| {
        let account = active(account.clone())?;
        let profile = patch.apply(&account.user.profile())?;
        Ok(Account { user: account.user.with_profile(profile, app.clock().now()), ..account })
    });
    match account.await {
        Ok(account) => Ok(WithEtag::new(account.user)),
        // Whoever is gone is nobody, as in every other request of theirs.
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => Err(Problem::unauthenticated()),
        Err(problem) => Err(problem),
    }
}

/// The caller's own account.
pub(crate) async fn own(store: &Store, actor: &Actor) -> Result<Account> {
    let account = store.get(&actor.home().user(actor.user())).await?;
    active(account.ok_or_else(Problem::unauthenticated)?)
}

/// Whoever was disabled since the token was made is nobody.
pub(crate) fn active(account: Account) -> Result<Account> {
    if account.user.status == Status::Active { Ok(account) } else { Err(Problem::unauthenticated()) }
}
