//! Invitations, accepted. They are sent by [`users`](crate::users).

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use deserr::Deserr;
use shared::auth::Issuer;
use shared::auth::credential::Purpose;
use shared::auth::password::NewPassword;
use shared::entity::{Status, UserCountChange};
use shared::http::{Body, Source};
use shared::store::Store;
use shared::value::ValidationErrors;
use shared::{App, Result};
use utoipa::ToSchema;

use crate::redemption::Bearer;
use crate::sessions::Tokens;

/// The first password of somebody who was invited.
#[derive(Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// From the mail.
    token: String,
    password: NewPassword,
}

/// Accept an invitation: choose a password with the token of the mail, and be signed in.
#[utoipa::path(post, path = "/v1/auth/invitations/accept", tag = "auth", operation_id = "acceptInvitation", security(()),
    request_body = Acceptance, responses((status = 200, body = Tokens, description = "Signed in.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn accept(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    source: Source,
    store: Store,
    Body(acceptance): Body<Acceptance>,
) -> Result<Json<Tokens>> {
    let (token, purpose) = (acceptance.token, Purpose::Invitation);
    let bearer = Bearer { app: &app, store: &store, source: &source, token, purpose };
    let accepted = bearer.choose(acceptance.password, |before, next, transaction| {
        next.user.status = Status::Active;
        let Some(holdings) = before.home.holdings() else { return Ok(()) };
        transaction.count_users(
            &holdings,
            UserCountChange::between(Some(&before.account.user), Some(&next.user)),
            false,
        )
    });
    let (entered, user) = accepted.await?;
    entered.tokens(&issuer, user)
}
