//! Change of a password, and reset of a forgotten password by mail.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use deserr::Deserr;
use shared::identity::password::{self, NewPassword, Password};
use shared::identity::{HomeScope, Issuer};
use shared::mail::{self, Mail, Message};
use shared::table::{Store, Transaction};
use shared::users::accounts;
use shared::users::attempts::{MAIL, MAIL_FROM_SOURCE, SIGN_IN, mail_counters};
use shared::users::one_time_token::{self, Purpose};
use shared::users::{Account, repository};
use shared::value::{Email, InvalidValue, ValidationErrors};
use shared::web::{Accepted, App, Authenticated, Body, Deleted, Problem, Result, Source};
use utoipa::ToSchema;

use crate::failed_sign_ins::reset_by_email;
use crate::me;
use crate::sessions::Tokens;
use crate::token_redemption::Redemption;

/// A request to change a password.
#[derive(Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "currentPassword": "correct horse battery staple",
    "newPassword": "seven quiet rivers run north",
}))]
pub(crate) struct ChangePasswordRequest {
    /// The current password.
    current_password: Password,
    /// The new password.
    new_password: NewPassword,
}

/// A request for a mail to reset a forgotten password.
#[derive(Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com" }))]
pub(crate) struct ForgotPasswordRequest {
    /// The user's email.
    email: Email,
}

/// A request to reset a forgotten password.
#[derive(Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "token": "3q2-7wX0sY9vK4mJ8nB1cD5eF6gH7iJ9kL0mN1oP2qR",
    "newPassword": "seven quiet rivers run north",
}))]
pub(crate) struct ResetPasswordRequest {
    /// The token from the mail.
    token: String,
    /// The new password.
    new_password: NewPassword,
}

/// Change the password of the signed-in user.
///
/// Ends all other sessions of the user and mails a notice, at most 5 an hour: then the response is `429`. A wrong
/// current password is a `422` with the code `wrong_password` at `/currentPassword`; after ten of these within
/// 15 minutes, the response is `429`.
#[utoipa::path(
    post, path = "/v1/auth/password", tag = "auth", operation_id = "changePassword",
    request_body = ChangePasswordRequest,
    responses((status = 204, description = "The password was changed.")),
    extensions(("x-errors" = json!(["not_found", "too_many_attempts"])))
)]
pub(crate) async fn change(
    Authenticated(actor): Authenticated,
    State(app): State<App>,
    store: Store,
    Body(request): Body<ChangePasswordRequest>,
) -> Result<Deleted> {
    let home = actor.home();
    let account = me::find(&store, &actor).await?;
    // Counted by session: a stolen session allows few guesses, which do not lock out the user's other sessions.
    let read_attempts = || SIGN_IN.attempts(&app, &store, format!("session {}", actor.session()));
    let read_mails =
        async |account: &Account| mail_counters(&app, &actor, home, &account.user.email)?.read(&app, &store).await;
    let (attempts, mails) = tokio::try_join!(read_attempts(), read_mails(&account))?;
    attempts.check()?;
    let verified_hash = account.password_hash.clone();
    if !password::verify(request.current_password, verified_hash.clone()).await? {
        let recorded = store.retry_on_conflict_from(Some(attempts), read_attempts, |attempts, transaction| {
            Ok(attempts.record(transaction)?)
        });
        return Err(recorded.await.err().unwrap_or_else(wrong_password));
    }
    let hash = password::hash(request.new_password).await?;
    let read = || async {
        let account = me::find(&store, &actor).await?;
        let mails = read_mails(&account).await?;
        Ok((account, mails))
    };
    let changed = store.retry_on_conflict_from(Some((account, mails)), read, |(account, mails), transaction| {
        if account.password_hash != verified_hash {
            return Err(wrong_password());
        }
        let next = with_password(&app, account, hash.clone());
        repository::replace(transaction, home, account, &next)?;
        attempts.require_below_limit(transaction)?;
        let session = (actor.user(), actor.session());
        repository::keep_session(transaction, home, session, &next, app.now(), Problem::unauthenticated())?;
        mails.record(transaction)?;
        notify(&app, transaction, home, &next)
    });
    changed.await.map(|()| Deleted)
}

/// Request a mail to reset a forgotten password.
///
/// The response is always the same, so that it does not reveal whether the email is in use. A user who has
/// not accepted an invitation yet gets a new invitation instead. At most 5 mails an hour are sent to one
/// email, and at most 50 an hour for requests from one source address.
#[utoipa::path(
    post, path = "/v1/auth/password/forgot", tag = "auth", operation_id = "forgotPassword", security(()),
    request_body = ForgotPasswordRequest,
    responses((status = 202, description = "A mail will be sent if a user has this email."))
)]
pub(crate) async fn forgot(
    State(app): State<App>,
    source: Source,
    store: Store,
    Body(ForgotPasswordRequest { email }): Body<ForgotPasswordRequest>,
) -> Result<Accepted> {
    let found = accounts::by_email(&app, &store, &email).await?;
    let read = || async {
        tokio::try_join!(MAIL.attempts(&app, &store, email.folded()), MAIL_FROM_SOURCE.attempts(&app, &store, &source))
    };
    let attempts = read().await?;
    // The limits protect mailboxes from floods of mail, and the reputation of the sender.
    if attempts.0.is_limit_reached() || attempts.1.is_limit_reached() {
        return Ok(Accepted);
    }
    let mailed = store.retry_on_conflict_from(Some(attempts), read, |(by_email, by_source), transaction| {
        by_email.record(transaction)?;
        by_source.record(transaction)?;
        one_time_token::mail_on_request(&app, transaction, &email, found.as_ref())
    });
    match mailed.await {
        Err(problem) if problem.status().is_client_error() => Ok(Accepted),
        Err(problem) => Err(problem),
        Ok(()) => Ok(Accepted),
    }
}

/// Reset a forgotten password.
///
/// Sets a new password with the token from the mail, signs the user in, ends all other sessions and mails a
/// notice. The token is valid once, for an hour: an invalid, used or expired token is a `422` with the code
/// `invalid_token` at `/token`.
#[utoipa::path(
    post, path = "/v1/auth/password/reset", tag = "auth", operation_id = "resetPassword", security(()),
    request_body = ResetPasswordRequest,
    responses((status = 200, body = Tokens, description = "The tokens of a new session.")),
    extensions(("x-errors" = json!(["not_found"])))
)]
pub(crate) async fn reset(
    State(app): State<App>,
    Extension(issuer): Extension<Arc<Issuer>>,
    source: Source,
    store: Store,
    Body(request): Body<ResetPasswordRequest>,
) -> Result<Json<Tokens>> {
    let (token, purpose) = (request.token, Purpose::Reset);
    let redemption = Redemption { app: &app, store: &store, source: &source, token, purpose };
    let redeemed = redemption.redeem(request.new_password, |before, next, transaction| {
        reset_by_email(&app, transaction, &before.account.user.email)?;
        notify(&app, transaction, before.home, next)
    });
    let (session, user) = redeemed.await?;
    session.tokens(&issuer, user)
}

/// The account with another password, in the next epoch.
pub(crate) fn with_password(app: &App, account: &Account, hash: String) -> Account {
    let mut next = account.clone().next_epoch();
    next.password_hash = Some(hash);
    next.user.meta = next.user.meta.changed(app.now());
    next
}

/// Mails a notice of a changed password to the user.
fn notify(app: &App, transaction: &mut Transaction, home: HomeScope, account: &Account) -> Result<()> {
    let (to, name) = (account.user.email.clone(), (&account.user.first_name).into());
    mail::enqueue(transaction, app, home, &Mail::notice(to, Message::PasswordChanged { name }, app.now()))
}

fn wrong_password() -> Problem {
    ValidationErrors::field("/currentPassword", InvalidValue::new("wrong_password", "is not the current password"))
        .into()
}
