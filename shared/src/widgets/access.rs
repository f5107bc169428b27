//! Access of a page to a client's widget, decided for each request by its origin.

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lambda_http::http::request::Parts;
use lambda_http::http::{HeaderValue, Method, StatusCode, header};

use super::ManageAccess;
use super::origin::{OriginDecision, decide_origin, frame_ancestors};
use crate::identity::{ClientScope, HomeScope, PlatformScope};
use crate::table::Store;
use crate::tenants::{WidgetKey, WidgetPointer, WidgetsUrl, widget_pointer};
use crate::value::WebDomain;
use crate::web::{App, ErrorCode, Problem, RequestContext, Result};

/// The client of the widget in the path, for a page that may use it.
///
/// The first argument of handlers, which have no other way to get a scope.
#[derive(Clone, Debug)]
pub struct WidgetAccess(Arc<Granted>);

#[derive(Debug)]
struct Granted {
    client: ClientScope,
    key: String,
    /// The origin of the page. A request without one counts as one of the hosted pages: browsers send no origin with a
    /// `GET` to the origin of the page itself.
    origin: String,
}

impl WidgetAccess {
    /// The client.
    pub fn client(&self) -> ClientScope {
        self.0.client
    }

    /// The widget key in the path.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// The origin of the page.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }
}

impl FromRequestParts<App> for WidgetAccess {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::internal("a route without the guard of widgets"))
    }
}

/// How long a browser may keep the answer to a preflight, in seconds.
///
/// Short, so that a removed domain loses access soon.
const PREFLIGHT_MAX_AGE: &str = "300";

const ALLOWED_METHODS: &str = "GET, POST, DELETE";
const ALLOWED_HEADERS: &str = "authorization, captcha-response, content-type, idempotency-key";
const EXPOSED_HEADERS: &str = "idempotency-replayed, location, retry-after, x-request-id";

/// Decides on each request of a widget, and adds the headers of CORS and of the frame policy to its response.
///
/// Reads one item: the pointer of the widget key, or, for a request with a manage token, the domains of the token's
/// client. A path without a widget key is not restricted.
///
/// # Errors
/// `403 domain_not_authorized`, without headers of CORS, for an origin that is not allowed, and for a write without an
/// origin; 404 for an unknown key.
pub async fn guard(
    State((app, url)): State<(App, WidgetsUrl)>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let key = parameters.ok().and_then(|parameters| widget_key(&parameters));
    let Some(key) = key else { return next.run(request).await };
    let (mut parts, body) = request.into_parts();
    let site = match Site::find(&mut parts, &app, &key).await {
        Ok(site) => site,
        Err(problem) => return with_policy(problem.into_response(), &[]),
    };
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let response = match site.admit(&parts, key, url.origin()) {
        Err(problem) => problem.into_response(),
        Ok(_) if is_preflight(&parts) => with_cors(preflight(), origin),
        Ok(access) => {
            parts.extensions.insert(access);
            if let Some(manage) = site.manage {
                parts.extensions.insert(manage);
            }
            with_cors(next.run(Request::from_parts(parts, body)).await, origin)
        }
    };
    with_policy(response, &site.domains)
}

/// The widget key in the path; an unknown path has none.
fn widget_key(parameters: &RawPathParams) -> Option<String> {
    parameters.iter().find(|(name, _)| *name == "widgetKey").map(|(_, key)| key.to_owned())
}

/// The client that a request of a widget is about, with the domains where its widgets work.
struct Site {
    client: ClientScope,
    domains: Vec<WebDomain>,
    manage: Option<ManageAccess>,
}

impl Site {
    /// The client of the manage token in the query, or else of the widget key in the path: one read.
    async fn find(parts: &mut Parts, app: &App, key: &str) -> Result<Self> {
        let Ok(store) = Store::from_request_parts(parts, app).await;
        let token = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let token = token.into_owned().find_map(|(name, value)| (name == "token").then_some(value));
        if let Some(manage) = token.and_then(|token| ManageAccess::open(app, parts, &token).ok()) {
            let client = manage.client();
            let widget = store.get(&client.widget()).await?.ok_or_else(Problem::not_found)?;
            return Ok(Self { client, domains: widget.domains, manage: Some(manage) });
        }
        let key: WidgetKey = key.parse().map_err(|_| Problem::not_found())?;
        let pointer = store.get(&widget_pointer(&key)).await?.ok_or_else(Problem::not_found)?;
        let client = client_of(&pointer);
        RequestContext::of(parts).set_scope(HomeScope::from(client).ids());
        Ok(Self { client, domains: pointer.domains, manage: None })
    }

    /// The access of the page that makes the request.
    fn admit(&self, parts: &Parts, key: String, own_origin: String) -> Result<WidgetAccess> {
        let header = parts.headers.get(header::ORIGIN);
        // A text that is not ASCII is not an origin, but it is not absent either.
        let origin = header.map(|origin| origin.to_str().unwrap_or("null"));
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let origin = match decide_origin(origin, &own_origin, &self.domains) {
            OriginDecision::Allowed => origin.unwrap_or_default().to_owned(),
            OriginDecision::Absent if is_read => own_origin,
            OriginDecision::Absent | OriginDecision::Denied => return Err(not_authorized()),
        };
        Ok(WidgetAccess(Arc::new(Granted { client: self.client, key, origin })))
    }
}

/// The client of a stored pointer, which is the evidence of the scope.
fn client_of(pointer: &WidgetPointer) -> ClientScope {
    PlatformScope::root().tenant(pointer.tenant_id).agency(pointer.agency_id).client(pointer.client_id)
}

fn not_authorized() -> Problem {
    let detail = "The widget does not work on this origin: its host is not one of the client's domains.";
    Problem::new(ErrorCode::DomainNotAuthorized, detail)
}

fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Allows the page with this origin to read the response, without credentials.
fn with_cors(mut response: Response, origin: Option<HeaderValue>) -> Response {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    }
    response
}

/// Allows frames on the client's domains alone, and separates cached responses by origin.
fn with_policy(mut response: Response, domains: &[WebDomain]) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
    let policy = format!("{}; frame-ancestors {}", policy.unwrap_or("default-src 'none'"), frame_ancestors(domains));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
