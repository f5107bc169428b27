//! The host names that the server accepts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The names of this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The `Host` headers of requests to a server on this machine. Clients omit the port 80.
///
/// `others` are accepted with and without a port, for a proxy in front of the server.
pub fn hosts(port: u16, others: &[String]) -> Arc<[String]> {
    let names = || LOOPBACK.into_iter().chain(others.iter().map(String::as_str));
    let with_port = names().map(|name| format!("{name}:{port}"));
    let loopback_without_port = LOOPBACK.into_iter().filter(|_| port == 80);
    let without_port = loopback_without_port.chain(others.iter().map(String::as_str)).map(str::to_owned);
    with_port.chain(without_port).collect()
}

/// Rejects a request with another `Host`: otherwise a website could call the server by DNS rebinding.
pub(super) async fn require_host(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if hosts.iter().any(|accepted| accepted.eq_ignore_ascii_case(host)) {
        return next.run(request).await;
    }
    let error = format!("this server accepts only the hosts {}", hosts.join(", "));
    (StatusCode::MISDIRECTED_REQUEST, Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine_have_the_port_of_the_server() {
        assert_eq!(hosts(3000, &[])[..], ["localhost:3000", "127.0.0.1:3000", "[::1]:3000"]);
        assert!(hosts(80, &[]).contains(&"localhost".to_owned()));
    }

    #[test]
    fn configured_host_is_accepted_with_and_without_the_port() {
        let hosts = hosts(3000, &["crm.test".to_owned()]);
        assert_eq!(hosts[3..], ["crm.test:3000", "crm.test"]);
    }
}
