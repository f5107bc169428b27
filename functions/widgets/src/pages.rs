//! The hosted pages: booking, and managing an appointment.

use askama::Template;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use deserr::Deserr;
use shared::value::{AppointmentId, ValidationErrors, marker};
use shared::web::{Parameters, PathId, Problem, Result};
use shared::widgets::WidgetAccess;
use utoipa::IntoParams;

use crate::captcha::{Captcha, CaptchaProvider};
use crate::config::LANGUAGES;

/// The policy of the pages; the guard adds the frame ancestors.
///
/// No style source: the script uses constructed style sheets.
const POLICY: &str = "default-src 'none'; img-src https:; base-uri 'none'; form-action 'none'";

/// The sources of a page without a CAPTCHA.
const OWN_SOURCES: &str = "script-src 'self'; connect-src 'self'";

/// The query parameters of the booking page: the attributes of its widget.
///
/// Unknown ones are ignored: campaigns add their own.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors)]
#[into_params(parameter_in = Query)]
pub(crate) struct BookingPageQuery {
    /// The language of the texts, `en` or `de`. Default: that of the browser.
    #[deserr(default)]
    language: Option<String>,
    /// The id of the service; the visitor does not choose one then.
    #[deserr(default)]
    service: Option<String>,
    /// The id of the staff member; the visitor does not choose one then.
    #[deserr(default)]
    staff: Option<String>,
    /// How the client got the contact.
    #[deserr(default)]
    source: Option<String>,
}

/// The query parameters of the page of an appointment. Unknown ones are ignored: mail programs add their own.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors)]
#[into_params(parameter_in = Query)]
pub(crate) struct ManagePageQuery {
    /// The manage token of the appointment.
    #[deserr(default)]
    token: Option<String>,
    /// The language of the texts, `en` or `de`. Default: that of the browser.
    #[deserr(default)]
    language: Option<String>,
    /// The step that is shown first: `move` or `cancel`. Nothing changes without another click.
    #[deserr(default)]
    action: Option<String>,
}

#[derive(Template)]
#[template(path = "booking.html")]
struct BookingPage<'a> {
    language: &'static str,
    key: &'a str,
    /// The attributes of the widget that the query sets.
    attributes: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "manage.html")]
struct ManagePage<'a> {
    language: &'static str,
    key: &'a str,
    id: AppointmentId,
    attributes: Vec<(&'static str, String)>,
}

/// Get the booking page.
///
/// A page with the booking widget, for an iframe on one of the client's domains, or for a plain link.
#[utoipa::path(
    get, path = "/widgets/{widgetKey}/booking", tag = "widget", operation_id = "getBookingPage", security(()),
    params(("widgetKey" = String, Path, description = "The widget key."), BookingPageQuery),
    responses((status = 200, content_type = "text/html", body = String, description = "The page."))
)]
pub(crate) async fn booking(
    widget: WidgetAccess,
    captcha: Captcha,
    headers: HeaderMap,
    Parameters(query): Parameters<BookingPageQuery>,
) -> Result<Response> {
    let BookingPageQuery { language: chosen, service, staff, source } = query;
    let language = language(chosen.as_deref(), &headers);
    let attributes = [("service", service), ("staff", staff), ("source", source)];
    let sources = captcha.provider().map_or(OWN_SOURCES, CaptchaProvider::policy);
    page(&BookingPage { language, key: widget.key(), attributes: set(attributes) }, sources)
}

/// Get the page of an appointment.
///
/// A page to confirm, move or cancel it. The page has no data: its script reads the appointment with the token.
#[utoipa::path(
    get, path = "/widgets/{widgetKey}/manage/{appointmentId}", tag = "manage", operation_id = "getManagePage",
    security(()),
    params(
        ("widgetKey" = String, Path, description = "The widget key; a replaced one, too."),
        ("appointmentId" = AppointmentId, Path, description = "The appointment's id."),
        ManagePageQuery
    ),
    responses((status = 200, content_type = "text/html", body = String, description = "The page."))
)]
pub(crate) async fn manage(
    widget: WidgetAccess,
    PathId(id): PathId<marker::Appointment>,
    headers: HeaderMap,
    Parameters(query): Parameters<ManagePageQuery>,
) -> Result<Response> {
    let language = language(query.language.as_deref(), &headers);
    let attributes = set([("token", query.token), ("action", query.action)]);
    page(&ManagePage { language, key: widget.key(), id, attributes }, OWN_SOURCES)
}

/// The language of a page: the chosen one, or else the first supported one that the browser accepts.
fn language(chosen: Option<&str>, headers: &HeaderMap) -> &'static str {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tags = chosen.into_iter().chain(accepted.split(','));
    let mut primary = tags.map(|tag| tag.trim().split(['-', ';']).next().unwrap_or_default().to_ascii_lowercase());
    primary.find_map(|tag| LANGUAGES.into_iter().find(|language| *language == tag)).unwrap_or(LANGUAGES[0])
}

fn set<const N: usize>(attributes: [(&'static str, Option<String>); N]) -> Vec<(&'static str, String)> {
    attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn page(page: &impl Template, sources: &str) -> Result<Response> {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, format!("{POLICY}; {sources}")),
        // The token in the address of a page must not reach other sites.
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    Ok((headers, Html(page.render().map_err(Problem::internal)?)).into_response())
}
