//! Emulation of an HTTP API: routing, events, responses, CORS and limits.

mod cors;
mod event;
mod hosts;
mod response;
mod routes;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use axum::middleware::from_fn_with_state;
use chrono::Utc;
use serde_json::Value;
use tokio::net::TcpListener;
use uuid::Uuid;

use self::cors::CorsRequest;
pub(crate) use self::event::trace_id;
pub use self::event::{ACCOUNT_ID, BadPath, Call, decode_path, event};
pub use self::hosts::hosts;
use self::hosts::require_host;
use self::response::error_response;
pub use self::response::response;
pub use self::routes::Match;
use self::routes::RouteTable;
use crate::aws::function::{FunctionError, Functions, Invoke};
use crate::aws::template::{Cors, Template};

/// Maximum size of a request body in bytes.
///
/// Source: "Payload size" in the quotas of HTTP APIs.
pub const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// How long the gateway waits for a function.
///
/// Source: "Maximum integration timeout" in the quotas of HTTP APIs.
pub const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// An HTTP API of the template.
pub struct Gateway {
    api: String,
    cors: Option<Cors>,
    routes: RouteTable,
    functions: Functions,
    timeouts: BTreeMap<String, Duration>,
    local: Option<Router>,
    hosts: Option<Arc<[String]>>,
}

/// The template lacks something that the gateway needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The template declares no API with this logical id.
    #[error("the template has no HttpApi called {0}")]
    NoApi(String),
    /// No implementation was passed for a function that has a route in this API.
    #[error("no implementation for the function {0}")]
    NoFunction(String),
}

impl Gateway {
    /// Creates the API with this logical id.
    ///
    /// `functions` must contain each function that has a route in this API.
    pub fn new(template: &Template, api: &str, functions: Functions) -> Result<Self, GatewayError> {
        let properties = template.apis.get(api).ok_or_else(|| GatewayError::NoApi(api.to_owned()))?;
        for (id, function) in &template.functions {
            let routed = function.routes.iter().any(|route| route.api == api);
            if routed && !functions.contains_key(id) {
                return Err(GatewayError::NoFunction(id.clone()));
            }
        }
        let timeouts = template.functions.iter().map(|(id, function)| (id.clone(), function.timeout));
        Ok(Self {
            api: api.to_owned(),
            cors: properties.cors.clone(),
            routes: RouteTable::new(template, api),
            functions,
            timeouts: timeouts.collect(),
            local: None,
            hosts: None,
        })
    }

    /// Adds routes that are served beside the API, without CORS and limits.
    ///
    /// The router is asked first; paths that it does not route go to the API.
    #[must_use]
    pub fn with_local(mut self, router: Router) -> Self {
        self.local = Some(router);
        self
    }

    /// Serves only requests with these `Host` headers; otherwise any.
    #[must_use]
    pub fn with_hosts(mut self, hosts: Arc<[String]>) -> Self {
        self.hosts = Some(hosts);
        self
    }

    /// Serves HTTP until `shutdown` resolves, then completes running requests.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let (local, hosts) = (self.local.take().unwrap_or_default(), self.hosts.take());
        let service = local.fallback_service(Router::new().fallback(receive).with_state(Arc::new(self)));
        let service = match hosts {
            Some(hosts) => service.layer(from_fn_with_state(hosts, require_host)),
            None => service,
        };
        axum::serve(listener, service.into_make_service_with_connect_info::<SocketAddr>())
            .with_graceful_shutdown(shutdown)
            .await
    }

    /// Handles one request without a socket.
    pub async fn handle(&self, request: Request<Bytes>, source_ip: IpAddr) -> Response<Bytes> {
        let cors_request = CorsRequest::new(request.method(), request.headers());
        let is_head = request.method() == Method::HEAD;
        let request_id = Uuid::new_v4().to_string();
        let mut response = self.answer(request, &cors_request, source_ip, &request_id).await;
        if let Some(cors) = &self.cors {
            cors_request.apply(cors, response.headers_mut());
        }
        if let Ok(id) = HeaderValue::try_from(request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        if is_head {
            let length = std::mem::take(response.body_mut()).len();
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }

    async fn answer(
        &self,
        request: Request<Bytes>,
        cors_request: &CorsRequest,
        source_ip: IpAddr,
        request_id: &str,
    ) -> Response<Bytes> {
        if request.body().len() > BODY_LIMIT {
            return error_response(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let Ok(path) = decode_path(request.uri().path()) else {
            return error_response(StatusCode::BAD_REQUEST);
        };
        let Some(route) = self.routes.find(request.method().as_str(), &path) else {
            return self.without_route(cors_request);
        };
        let call = Call { api: &self.api, path: &path, route: &route, source_ip, request_id, time: Utc::now() };
        self.invoke(&route.function, event(&request, &call)).await
    }

    /// Response to a request that matches no route.
    ///
    /// API Gateway answers a preflight itself only if no route matches. `ANY` routes and `$default` do match,
    /// and then the function must answer it successfully. Source: "The `$default` route catches requests for
    /// all methods […] including OPTIONS requests", developer guide, "Configure CORS for HTTP APIs".
    fn without_route(&self, cors_request: &CorsRequest) -> Response<Bytes> {
        if self.cors.is_none() || !cors_request.is_preflight() {
            return error_response(StatusCode::NOT_FOUND);
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    }

    async fn invoke(&self, id: &str, event: Value) -> Response<Bytes> {
        let (Some(function), Some(&timeout)) = (self.functions.get(id), self.timeouts.get(id)) else {
            return error_response(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let invocation = invoke(Arc::clone(function), event, timeout);
        // On a timeout or a disconnect of the client the function keeps running, as on AWS.
        let Ok(joined) = tokio::time::timeout(INTEGRATION_TIMEOUT, tokio::spawn(invocation)).await else {
            return error_response(StatusCode::SERVICE_UNAVAILABLE);
        };
        let answer = joined.unwrap_or_else(|error| Err(FunctionError::failed("Runtime.ExitError", error.to_string())));
        if let Err(error) = &answer {
            tracing::error!(function = id, %error, "invocation failed");
        }
        response(answer)
    }
}

async fn invoke(function: Arc<dyn Invoke>, event: Value, timeout: Duration) -> Result<Value, FunctionError> {
    function.invoke(event, timeout).await
}

async fn receive(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return error_response(StatusCode::PAYLOAD_TOO_LARGE).map(Body::from);
    };
    let request = Request::from_parts(head, body);
    gateway.handle(request, client.ip()).await.map(Body::from)
}
