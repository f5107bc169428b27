//! The service around every router.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use lambda_http::RequestExt;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::OpenApiRouter;

use super::ErrorCode;
use super::idempotency::Module;
use super::openapi::errors::query_parameters;
use super::page::{NoFilters, Parameters};
use super::{App, Problem, RequestContext, Result};

/// The routes of a module, with their OpenAPI document.
pub type Api = OpenApiRouter<App>;

/// The service of a module; `module` is its name in upper case, in the keys of recorded responses.
pub fn serve(module: &'static str, api: Api, app: App) -> Router {
    serve_guarded(module, api, app, |router| router)
}

/// The service of a module with a guard around all of its responses, including those to unsupported methods.
pub fn serve_guarded(module: &'static str, api: Api, app: App, guard: impl FnOnce(Router) -> Router) -> Router {
    let (router, document): (Router<App>, OpenApi) = api.split_for_parts();
    let router = router.route_layer(from_fn_with_state((app.clone(), WithQuery::of(&document)), reject_unknown_query));
    guarded(router.with_state(app).layer(Extension(Module(module))), guard)
}

/// The operations with query parameters, which their handlers parse.
#[derive(Clone)]
struct WithQuery(Arc<HashSet<(String, Method)>>);

impl WithQuery {
    fn of(document: &OpenApi) -> Self {
        let operations = document.paths.paths.iter().flat_map(|(path, item)| {
            let named = |(method, operation): (_, Option<&Operation>)| {
                operation
                    .filter(|operation| query_parameters(operation).next().is_some())
                    .map(|_| (path.clone(), method))
            };
            let PathItem { get, put, post, delete, patch, .. } = item;
            let methods = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH];
            methods.into_iter().zip([get, put, post, delete, patch].map(Option::as_ref)).filter_map(named)
        });
        Self(Arc::new(operations.collect()))
    }
}

/// Rejects query parameters of an operation without any: a misspelled one must not be ignored.
async fn reject_unknown_query(
    State((app, WithQuery(with_query))): State<(App, WithQuery)>,
    matched: MatchedPath,
    request: Request,
    next: Next,
) -> Result<Response> {
    if request.uri().query().is_none_or(str::is_empty)
        || with_query.contains(&(matched.as_str().to_owned(), request.method().clone()))
    {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    Parameters::<NoFilters>::from_request_parts(&mut parts, &app).await?;
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Wraps a router: problem documents, common headers, one log line per request.
///
/// For a router without an app.
pub fn problems(router: Router) -> Router {
    guarded(router, |router| router)
}

fn guarded(router: Router, guard: impl FnOnce(Router) -> Router) -> Router {
    guard(router.fallback(unknown_path).method_not_allowed_fallback(method_not_allowed)).layer(from_fn(around))
}

/// The response to a method that the route does not have. axum adds `Allow`.
///
/// A CORS preflight succeeds: API Gateway forwards it to routes that accept any method and adds the headers
/// of its CORS configuration to the response, and a browser continues only after a success.
async fn method_not_allowed(method: Method, headers: HeaderMap) -> Result<StatusCode> {
    if is_preflight(&method, &headers) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let detail = "The resource does not have this method. The Allow header lists its methods.";
    Err(Problem::new(ErrorCode::MethodNotAllowed, detail))
}

/// The response on an unknown path.
///
/// A CORS preflight succeeds here, too, so that the page in the browser sees the 404 and not a CORS failure.
async fn unknown_path(method: Method, headers: HeaderMap) -> Result<StatusCode> {
    if is_preflight(&method, &headers) { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether the path is the one that API Gateway routed.
///
/// `lambda_http` parses the decoded path as a URL, which drops white space and everything after a `#` or `?`:
/// the remaining path might be another route.
fn is_routed_path(request: &Request) -> bool {
    let parsed = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    let routed = request.raw_http_path();
    routed.is_empty() || routed == parsed
}

/// Marks a `HEAD` request that is answered as a `GET`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsHead;

async fn around(mut request: Request, next: Next) -> Response {
    let context = RequestContext::start(&request);
    let is_head = request.extensions().get::<IsHead>().is_some();
    let method = if is_head { Method::HEAD } else { request.method().clone() };
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("none", MatchedPath::as_str);
    request.extensions_mut().insert(context.clone());
    let mut response =
        if is_routed_path(&request) { next.run(request).await } else { Problem::not_found().into_response() };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        log_cause(&problem, &context);
        let headers = std::mem::take(response.headers_mut());
        response = problem.render(context.request_id());
        keep_headers(headers, &mut response);
    }
    finish(&mut response, &context);
    context.log(&method, route, response.status());
    response
}

/// Keeps the headers that axum and the layers of the router added to a problem.
///
/// For example `Allow` (RFC 9110, 15.5.6) and the headers of CORS.
fn keep_headers(added: HeaderMap, response: &mut Response) {
    for (name, value) in added {
        let Some(name) = name else { continue };
        response.headers_mut().entry(name).or_insert(value);
    }
}

fn log_cause(problem: &Problem, context: &RequestContext) {
    if let Some(cause) = problem.cause() {
        tracing::error!(request_id = context.request_id(), code = problem.code(), cause = %cause, "request failed");
    }
}

fn finish(response: &mut Response, context: &RequestContext) {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(context.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A response without `Cache-Control` may contain data of a tenant: no cache may store it.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
