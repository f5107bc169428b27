//! The profile of the signed-in user.

use axum::extract::State;
use axum::http::StatusCode;
use shared::identity::Actor;
use shared::table::Store;
use shared::users::{Account, Profile, User, UserStatus};
use shared::web::{App, Authenticated, IfMatch, IfNoneMatch, Patch, Problem, Result, WithEtag};

/// Get the signed-in user.
///
/// The user's role and home (`tenantId`, `agencyId`, `clientId`) determine which resources the user can access.
#[utoipa::path(
    get, path = "/v1/auth/me", tag = "auth", operation_id = "getMe",
    responses((status = 200, body = User, description = "The signed-in user.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn read(
    Authenticated(actor): Authenticated,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<User>> {
    Ok(WithEtag::unless(find(&store, &actor).await?.user, if_none_match))
}

/// Update the name of the signed-in user.
///
/// A JSON Merge Patch: an absent field keeps its value. Only an admin can change the email, the role and the
/// status.
#[utoipa::path(
    patch, path = "/v1/auth/me", tag = "auth", operation_id = "updateMe",
    request_body(content = Profile, content_type = "application/merge-patch+json"),
    responses((status = 200, body = User, description = "The updated user.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    Authenticated(actor): Authenticated,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<User>> {
    let key = actor.home().user(actor.user());
    let updated = store.update(key, &if_match, |account, _| {
        let account = require_active(account.clone())?;
        let profile = patch.apply(&account.user.profile())?;
        Ok(Account { user: account.user.with_profile(profile, app.now()), ..account })
    });
    match updated.await {
        Ok(account) => Ok(WithEtag::new(account.user)),
        // A deleted user is unauthenticated, as in all other operations of this user.
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => Err(Problem::unauthenticated()),
        Err(problem) => Err(problem),
    }
}

/// The account of the signed-in user.
///
/// Unauthenticated if the user was deleted or disabled.
pub(crate) async fn find(store: &Store, actor: &Actor) -> Result<Account> {
    let account = store.get(&actor.home().user(actor.user())).await?;
    require_active(account.ok_or_else(Problem::unauthenticated)?)
}

/// Requires that the user was not disabled after the access token was issued.
fn require_active(account: Account) -> Result<Account> {
    if account.user.status == UserStatus::Active { Ok(account) } else { Err(Problem::unauthenticated()) }
}
