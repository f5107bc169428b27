//! Passwords: changed by whoever knows the one they have, or reset by whoever has the mailbox.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use deserr::Deserr;
use shared::auth::account::{self, FoundUser};
use shared::auth::credential::{self, Purpose};
use shared::auth::password::{self, NewPassword, Password};
use shared::auth::tries::{Count, MAIL, MAIL_FROM_SOURCE, SIGN_IN};
use shared::auth::{Authenticated, HomeScope, Issuer};
use shared::entity::Account;
use shared::http::{Accepted, Body, Deleted, Source};
use shared::mail::{Mail, Message};
use shared::store::{Store, Transaction};
use shared::value::{Email, InvalidValue, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

use crate::attempt::forgive;
use crate::me;
use crate::redemption::Bearer;
use crate::sessions::Tokens;

/// A new password, from somebody who knows the one they have.
#[derive(Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct PasswordChange {
    current_password: Password,
    new_password: NewPassword,
}

/// Who forgot their password.
#[derive(Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct Forgotten {
    email: Email,
}

/// A new password, from somebody who was mailed a token.
#[derive(Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct PasswordReset {
    /// From the mail.
    token: String,
    new_password: NewPassword,
}

/// Change one's own password. Every other session ends.
#[utoipa::path(post, path = "/v1/auth/password", tag = "auth", operation_id = "changePassword",
    request_body = PasswordChange, responses((status = 204, description = "Changed.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn change(
    Authenticated(actor): Authenticated,
    State(app): State<App>,
    store: Store,
    Body(change): Body<PasswordChange>,
) -> Result<Deleted> {
    let (home, key) = (actor.home(), actor.home().user(actor.user()));
    let account = me::own(&store, &actor).await?;
    // Counted by session: whoever has stolen one guesses no further, and stands in nobody's way but their own.
    let count = || SIGN_IN.count(&app, &store, format!("session {}", actor.session()));
    let tries = count().await?;
    tries.check()?;
    let known_hash = account.password_hash.clone();
    if !password::verify(change.current_password, known_hash.clone()).await? {
        let failed = store.decide_from(Some(tries), count, Count::add);
        return Err(failed.await.err().unwrap_or_else(wrong_password));
    }
    let hash = password::hash(change.new_password).await?;
    let read = || async { me::own(&store, &actor).await };
    let changed = store.decide_from(Some(account), read, |account, transaction| {
        if account.password_hash != known_hash {
            return Err(wrong_password());
        }
        let next = renewed(&app, account, hash.clone());
        transaction.replace(&key, &next, account.user.meta.version)?;
        tries.require(transaction)?;
        let session = home.session(actor.user(), actor.session());
        transaction.keep_session(&session, next.epoch, Problem::unauthenticated())?;
        tell(&app, transaction, home, &next)
    });
    changed.await.map(|()| Deleted)
}

/// Ask for a mail with which a new password can be chosen. The answer is always the same: it does not tell whether anybody has
/// the email. Whoever was invited gets a new invitation.
#[utoipa::path(post, path = "/v1/auth/password/forgot", tag = "auth", operation_id = "forgotPassword", security(()),
    request_body = Forgotten, responses((status = 202, description = "If somebody has the email, a mail follows.")),
    extensions(("x-round-trips" = json!(5))))]
pub(crate) async fn forgot(
    State(app): State<App>,
    source: Source,
    store: Store,
    Body(Forgotten { email }): Body<Forgotten>,
) -> Result<Accepted> {
    let found = account::by_email(&app, &store, &email).await?;
    let read = || async {
        tokio::try_join!(MAIL.count(&app, &store, email.folded()), MAIL_FROM_SOURCE.count(&app, &store, &source))
    };
    let counts = read().await?;
    // Neither a mailbox nor the sender's good name is there for others to use up.
    if counts.0.is_full() || counts.1.is_full() {
        return Ok(Accepted);
    }
    let mailed = store.decide_from(Some(counts), read, |(by_email, by_source), transaction| {
        by_email.add(transaction)?;
        by_source.add(transaction)?;
        let Some(FoundUser { home, account }) = &found else { return Ok(()) };
        let Some(purpose) = Purpose::of(account.user.status) else { return Ok(()) };
        credential::mail(&app, transaction, *home, account, purpose)
    });
    match mailed.await {
        Err(problem) if problem.status().is_client_error() => Ok(Accepted),
        Err(problem) => Err(problem),
        Ok(()) => Ok(Accepted),
    }
}

/// Choose a new password with the token of a mail, and be signed in. Every other session ends.
#[utoipa::path(post, path = "/v1/auth/password/reset", tag = "auth", operation_id = "resetPassword", security(()),
    request_body = PasswordReset, responses((status = 200, body = Tokens, description = "Signed in.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn reset(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    source: Source,
    store: Store,
    Body(reset): Body<PasswordReset>,
) -> Result<Json<Tokens>> {
    let bearer = Bearer { app: &app, store: &store, source: &source, token: reset.token, purpose: Purpose::Reset };
    let chosen = bearer.choose(reset.new_password, |before, next, transaction| {
        forgive(&app, transaction, &before.account.user.email)?;
        tell(&app, transaction, before.home, next)
    });
    let (entered, user) = chosen.await?;
    entered.tokens(&issuer, user)
}

/// The account with another password.
pub(crate) fn renewed(app: &App, account: &Account, hash: String) -> Account {
    let mut next = account.clone().next_epoch();
    next.password_hash = Some(hash);
    next.user.meta = next.user.meta.changed(app.clock().now());
    next
}

/// Tells a user by mail that their password is another now.
fn tell(app: &App, transaction: &mut Transaction, home: HomeScope, account: &Account) -> Result<()> {
    let (to, first_name) = (account.user.email.clone(), account.user.first_name.clone());
    transaction.mail(app, home, &Mail::notice(to, Message::PasswordChanged { first_name }, app.clock().now()))
}

fn wrong_password() -> Problem {
    ValidationErrors::field("/currentPassword", InvalidValue::new("wrong_password", "is not the password")).into()
}
