//! The link in reminders that stops them (RFC 8058).

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use shared::contacts::{ConflictPolicy, ContactRow, repository};
use shared::reminders::OptOutToken;
use shared::table::{Store, StoreError, Transaction};
use shared::web::{App, Problem, Result};

/// The policy of the pages: a form that is sent to the same address, and nothing else.
const POLICY: &str = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct UnsubscribePage {
    is_german: bool,
    /// Whether the contact gets no reminders any more.
    is_done: bool,
}

/// Show the page that stops reminders.
///
/// Changes nothing: mail programs and scanners open links.
#[utoipa::path(
    get, path = "/reminders/unsubscribe", tag = "reminders", operation_id = "showUnsubscribePage", security(("optOut" = [])),
    params(("token" = String, Query, description = "The token of the link.")),
    responses((status = 200, content_type = "text/html", body = String, description = "A page with a button."))
)]
pub(crate) async fn show(token: OptOutToken, store: Store) -> Result<Response> {
    let contact = find(&store, &token).await?;
    page(contact.as_ref(), contact.as_ref().is_none_or(|row| row.contact.fields.reminders_off))
}

/// Stop the reminders of a contact.
///
/// Takes any body, and answers without a redirect (RFC 8058). Confirmations and notices are still sent.
#[utoipa::path(
    post, path = "/reminders/unsubscribe", tag = "reminders", operation_id = "stopReminders", security(("optOut" = [])),
    params(("token" = String, Query, description = "The token of the link.")),
    responses((status = 200, content_type = "text/html", body = String, description = "The reminders are stopped."))
)]
pub(crate) async fn stop(token: OptOutToken, State(app): State<App>, store: Store) -> Result<Response> {
    let read = || find(&store, &token);
    let decide = |current: &Option<ContactRow>, transaction: &mut Transaction| {
        let Some(row) = current.as_ref().filter(|row| !row.contact.fields.reminders_off) else { return Ok(None) };
        let mut fields = row.contact.fields.clone();
        fields.reminders_off = true;
        let next = row.next(row.contact.changed(fields, app.now()));
        repository::replace(transaction, token.client(), row, &next, ConflictPolicy::RETRY)?;
        Ok::<_, Problem>(Some(next))
    };
    let contact = store.retry_on_conflict(read, decide).await?;
    page(contact.as_ref(), true)
}

/// The contact; `None` if it was deleted, so that it gets no reminders.
async fn find(store: &Store, token: &OptOutToken) -> Result<Option<ContactRow>> {
    match repository::find(store, token.client(), token.contact()).await {
        Ok(row) => Ok(Some(row)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn page(contact: Option<&ContactRow>, is_done: bool) -> Result<Response> {
    let language = contact.and_then(|row| row.contact.fields.language.as_ref());
    let is_german = language.is_some_and(|language| language.primary() == "de");
    let text = UnsubscribePage { is_german, is_done }.render().map_err(Problem::internal)?;
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, "no-referrer")];
    Ok((headers, Html(text)).into_response())
}
