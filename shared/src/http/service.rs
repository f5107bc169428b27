//! The service around every router: what is the same for every answer.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use lambda_http::RequestExt;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::trace::RequestContext;
use crate::{App, Problem, Result};

/// The routes of a module, with their description.
pub type Api = OpenApiRouter<App>;

/// The service of a module.
pub fn serve(api: Api, app: App) -> Router {
    let (router, _): (Router<App>, OpenApi) = api.split_for_parts();
    problems(router.with_state(app))
}

/// What is the same around every router, with or without an app: problem documents, headers, one line in the log.
pub fn problems(router: Router) -> Router {
    router.fallback(nothing_here).method_not_allowed_fallback(method_not_allowed).layer(from_fn(around))
}

/// axum adds `Allow` by itself.
///
/// A preflight is no mistake: API Gateway hands it to a route that takes any method, adds the headers of its CORS
/// configuration to the answer, and a browser goes on only if that is a success.
async fn method_not_allowed(method: Method, headers: HeaderMap) -> Result<StatusCode> {
    if is_preflight(&method, &headers) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let detail = "This resource has no such method; see Allow.";
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail))
}

/// A preflight passes here too: the browser's page shall see the 404 that follows, not a CORS failure.
async fn nothing_here(method: Method, headers: HeaderMap) -> Result<StatusCode> {
    if is_preflight(&method, &headers) { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether the path is the one that API Gateway routed. `lambda_http` reads the decoded path as a URL, which drops white space
/// and what follows a `#` or `?`: the rest of it might name something else.
fn is_whole(request: &Request) -> bool {
    let read = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    let routed = request.raw_http_path();
    routed.is_empty() || routed == read
}

async fn around(mut request: Request, next: Next) -> Response {
    let trace = RequestContext::start(&request);
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("none", MatchedPath::as_str);
    request.extensions_mut().insert(trace.clone());
    let mut response = if is_whole(&request) { next.run(request).await } else { Problem::not_found().into_response() };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        log_cause(&problem, &trace);
        let from_axum = std::mem::take(response.headers_mut());
        response = problem.render(trace.request_id());
        keep_allow(&from_axum, &mut response);
    }
    finish(&mut response, &trace);
    trace.log(&method, route, response.status());
    response
}

/// The one header of a bare answer that its problem document must keep (RFC 9110, 15.5.6).
fn keep_allow(bare: &HeaderMap, response: &mut Response) {
    if let Some(allow) = bare.get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
}

fn log_cause(problem: &Problem, trace: &RequestContext) {
    if let Some(cause) = problem.cause() {
        tracing::error!(request_id = trace.request_id(), code = problem.code(), cause = %cause, "request failed");
    }
}

fn finish(response: &mut Response, trace: &RequestContext) {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(trace.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Whatever says nothing else is a tenant's.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
