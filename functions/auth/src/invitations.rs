//! Acceptance of invitations; [`users`](crate::users) sends them.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use deserr::Deserr;
use shared::identity::Issuer;
use shared::identity::password::NewPassword;
use shared::table::Store;
use shared::users::one_time_token::Purpose;
use shared::users::{UserCountChange, UserStatus, repository};
use shared::value::ValidationErrors;
use shared::web::{App, Body, Result, Source};
use utoipa::ToSchema;

use crate::sessions::Tokens;
use crate::token_redemption::Redemption;

/// A request to accept an invitation.
#[derive(Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "token": "3q2-7wX0sY9vK4mJ8nB1cD5eF6gH7iJ9kL0mN1oP2qR",
    "password": "correct horse battery staple",
}))]
pub(crate) struct AcceptInvitationRequest {
    /// The token from the mail.
    token: String,
    /// The first password.
    password: NewPassword,
}

/// Accept an invitation.
///
/// Sets the first password with the token from the mail, makes the user `ACTIVE` and signs the user in. The
/// token is valid once, for 7 days: an invalid, used or expired token is a `422` with the code
/// `invalid_token` at `/token`.
#[utoipa::path(
    post, path = "/v1/auth/invitations/accept", tag = "auth", operation_id = "acceptInvitation", security(()),
    request_body = AcceptInvitationRequest,
    responses((status = 200, body = Tokens, description = "The tokens of a new session.")),
    extensions(("x-errors" = json!(["not_found"])))
)]
pub(crate) async fn accept(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    source: Source,
    store: Store,
    Body(request): Body<AcceptInvitationRequest>,
) -> Result<Json<Tokens>> {
    let (token, purpose) = (request.token, Purpose::Invitation);
    let redemption = Redemption { app: &app, store: &store, source: &source, token, purpose };
    let redeemed = redemption.redeem(request.password, |before, next, transaction| {
        next.user.status = UserStatus::Active;
        let Some(count) = before.home.child_count() else { return Ok(()) };
        let change = UserCountChange::between(Some(&before.account.user), Some(&next.user));
        Ok(repository::count_users(transaction, &count, change, false)?)
    });
    let (session, user) = redeemed.await?;
    session.tokens(&issuer, user)
}
