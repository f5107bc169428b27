//! The gateway over real HTTP, with a router as its function.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, RawQuery};
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri};
use axum::routing::{any, get, options, post};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use infra::aws::function::{Functions, InProcess};
use infra::aws::gateway::Gateway;
use infra::aws::template::Template;
use tokio::net::TcpListener;

const TEMPLATE: &str = r#"
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration:
        AllowOrigins: ["https://app.example"]
        AllowMethods: [GET, POST]
        AllowHeaders: [authorization]
        ExposeHeaders: [etag]
        MaxAge: 60
  Open: { Type: AWS::Serverless::HttpApi }
  EchoFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: echo/
      Timeout: 1
      Events:
        Bytes: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: POST, Path: /bytes } }
        Cookies: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: GET, Path: /cookies } }
        Query: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: GET, Path: /query } }
        Item: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: GET, Path: "/items/{id}" } }
        Any: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: ANY, Path: /any } }
        Panic: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: GET, Path: /panic } }
        Slow: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: GET, Path: /slow } }
        Large: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: GET, Path: /large } }
        OpenAny: { Type: HttpApi, Properties: { ApiId: !Ref Open, Method: ANY, Path: /any } }
"#;

fn echo() -> Router {
    let any_routes = get(|| async { ([("access-control-allow-origin", "https://function.example")], "any") })
        .merge(options(|| async { StatusCode::NO_CONTENT }));
    Router::new()
        .route("/bytes", post(|body: Bytes| async { ([(CONTENT_TYPE, "application/octet-stream")], body) }))
        .route("/cookies", get(cookies))
        .route("/query", get(|RawQuery(query): RawQuery| async { query.unwrap_or_default() }))
        .route("/items/{id}", get(|Path(id): Path<String>| async { id }))
        .route("/any", any_routes)
        .route("/panic", get(panicking))
        .route("/slow", get(|| tokio::time::sleep(Duration::from_secs(5))))
        .route("/large", get(|| async { "x".repeat(7 * 1024 * 1024) }))
        .fallback(|uri: Uri| async move { (StatusCode::NOT_FOUND, uri.to_string()) })
}

async fn cookies(headers: HeaderMap) -> Response<Body> {
    let received = headers[COOKIE].to_str().unwrap().to_owned();
    Response::builder().header(SET_COOKIE, "a=1; Path=/").header(SET_COOKIE, "b=2").body(Body::from(received)).unwrap()
}

async fn panicking() -> StatusCode {
    panic!("deliberate panic")
}

/// Serves the API with this logical id on a free port until the test ends.
async fn start(api: &str) -> SocketAddr {
    let template = Template::parse(TEMPLATE).unwrap();
    let function = InProcess::new("echo", echo());
    let functions: Functions = BTreeMap::from([("EchoFunction".to_owned(), Arc::new(function) as _)]);
    let local = Router::new().route("/_local/clock", any(|| async { "now" }));
    let gateway = Gateway::new(&template, api, functions).unwrap().with_local(local);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(gateway.serve(listener, std::future::pending()));
    address
}

async fn send(api: &str, path: &str, change: impl FnOnce(&mut Request<Body>)) -> (StatusCode, HeaderMap, Bytes) {
    let address = start(api).await;
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = format!("http://{address}{path}").parse().unwrap();
    change(&mut request);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
    (head.status, head.headers, body)
}

async fn fetch(path: &str) -> (StatusCode, HeaderMap, Bytes) {
    send("Api", path, |_| {}).await
}

fn set(request: &mut Request<Body>, name: &'static str, value: &'static str) {
    request.headers_mut().append(name, value.parse().unwrap());
}

#[tokio::test]
async fn binary_bodies_are_passed_unchanged() {
    let sent: Vec<u8> = (0..=255).collect();
    let body = sent.clone();
    let (status, headers, received) = send("Api", "/bytes", |request| {
        *request.method_mut() = axum::http::Method::POST;
        set(request, "content-type", "application/octet-stream");
        *request.body_mut() = Body::from(body);
    })
    .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[CONTENT_TYPE], "application/octet-stream");
    assert_eq!(received, sent);
    assert!(headers.contains_key("apigw-requestid"));
}

#[tokio::test]
async fn cookies_are_passed_in_both_directions() {
    let (_, headers, body) = send("Api", "/cookies", |request| {
        set(request, "cookie", "x=1; y=2");
    })
    .await;
    assert_eq!(body, "x=1; y=2");
    let set_cookies: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
    assert_eq!(set_cookies, ["a=1; Path=/", "b=2"]);
}

#[tokio::test]
async fn raw_query_is_passed_unchanged() {
    let (_, _, body) = fetch("/query?tag=one&tag=two&q=a%20b").await;
    assert_eq!(body, "tag=one&tag=two&q=a%20b");
}

#[tokio::test]
async fn path_variable_is_decoded() {
    assert_eq!(fetch("/items/a%20b%C3%A9").await.2, "a bé");
}

#[tokio::test]
async fn encoded_slash_separates_segments() {
    assert_eq!(fetch("/items/a%2Fb").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn undecodable_path_is_a_400() {
    let (status, _, body) = fetch("/items/100%25done").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body, r#"{"message":"Bad Request"}"#);
}

#[tokio::test]
async fn unknown_route_is_a_404_of_the_gateway() {
    let (status, headers, body) = fetch("/nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    assert_eq!(body, r#"{"message":"Not Found"}"#);
}

#[tokio::test]
async fn wrong_method_matches_no_route() {
    assert_eq!(fetch("/bytes").await.2, r#"{"message":"Not Found"}"#);
}

#[tokio::test]
async fn preflight_without_matching_route_is_answered_by_the_gateway() {
    let (status, headers, _) = send("Api", "/cookies", |request| {
        *request.method_mut() = axum::http::Method::OPTIONS;
        set(request, "origin", "https://app.example");
        set(request, "access-control-request-method", "GET");
    })
    .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(headers["access-control-allow-methods"], "GET,POST");
    assert_eq!(headers["access-control-max-age"], "60");
}

#[tokio::test]
async fn preflight_with_matching_route_is_passed_to_the_function() {
    let (status, headers, _) = send("Api", "/any", |request| {
        *request.method_mut() = axum::http::Method::OPTIONS;
        set(request, "origin", "https://app.example");
        set(request, "access-control-request-method", "GET");
    })
    .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(headers["access-control-allow-methods"], "GET,POST");
}

#[tokio::test]
async fn configured_cors_replaces_the_headers_of_the_function() {
    let (_, headers, _) = send("Api", "/any", |request| {
        set(request, "origin", "https://app.example");
    })
    .await;
    assert_eq!(headers["access-control-allow-origin"], "https://app.example");
    let (_, headers, _) = send("Api", "/any", |request| {
        set(request, "origin", "https://evil.example");
    })
    .await;
    assert!(!headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn cors_headers_of_the_function_pass_without_a_configuration() {
    let (_, headers, _) = send("Open", "/any", |request| {
        set(request, "origin", "https://evil.example");
    })
    .await;
    assert_eq!(headers["access-control-allow-origin"], "https://function.example");
}

#[tokio::test]
async fn panic_is_a_500_without_details() {
    let (status, _, body) = fetch("/panic").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body, r#"{"message":"Internal Server Error"}"#);
}

#[tokio::test]
async fn timeout_is_a_500_without_details() {
    assert_eq!(fetch("/slow").await.2, r#"{"message":"Internal Server Error"}"#);
}

#[tokio::test]
async fn oversized_answer_is_a_500() {
    assert_eq!(fetch("/large").await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn oversized_body_is_a_413() {
    for megabytes in [7, 11] {
        let (status, _, body) = send("Api", "/bytes", |request| {
            *request.method_mut() = axum::http::Method::POST;
            *request.body_mut() = Body::from(vec![b'x'; megabytes * 1024 * 1024]);
        })
        .await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{megabytes} MiB");
        assert_eq!(body, r#"{"message":"Request Entity Too Large"}"#);
    }
}

#[tokio::test]
async fn local_routes_bypass_the_api() {
    let (status, headers, body) = fetch("/_local/clock").await;
    assert_eq!((status, body.as_ref()), (StatusCode::OK, b"now".as_slice()));
    assert!(!headers.contains_key("apigw-requestid"));
}
