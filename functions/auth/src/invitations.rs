//! Invitations, accepted. They are sent by [`users`](crate::users).

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use deserr::Deserr;
use shared::auth::Issuer;
use shared::auth::account::Found;
use shared::auth::credential::{self, Purpose};
use shared::auth::password::{self, NewPassword};
use shared::entity::{Headcount, Status};
use shared::http::{Body, Source};
use shared::store::Store;
use shared::value::Invalid;
use shared::{App, Result};
use utoipa::ToSchema;

use crate::passwords::{bad_token, renewed};
use crate::sessions::{self, Tokens};

/// The first password of somebody who was invited.
#[derive(Deserr, ToSchema)]
#[deserr(error = Invalid, rename_all = camelCase, deny_unknown_fields)]
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
    let now = app.clock().now();
    let token = credential::find(&store, &acceptance.token, Purpose::Invitation, now).await?.ok_or_else(bad_token)?;
    let key = token.home.user(token.user);
    let read = || async { store.get(&key).await?.filter(|account| token.fits(account)).ok_or_else(bad_token) };
    let account = read().await?;
    let hash = password::hash(acceptance.password).await?;
    let accepted = store.decide_from(Some(account), read, |account, transaction| {
        let mut next = renewed(&app, account, hash.clone());
        next.user.status = Status::Active;
        next.user.last_login_at = Some(now);
        transaction.replace(&key, &next, account.user.meta.version)?;
        token.consume(transaction, bad_token())?;
        if let Some(holdings) = token.home.holdings() {
            let change = Headcount::between(Some(&account.user), Some(&next.user));
            transaction.count_users(&holdings, change, false)?;
        }
        let found = Found { home: token.home, account: next };
        let entered = sessions::open(&app, transaction, &source, &found)?;
        Ok((entered, found.account.user))
    });
    let (entered, user) = accepted.await?;
    entered.tokens(&issuer, user)
}
