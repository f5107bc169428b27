//! HTTP client for servers that run as separate processes.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// An HTTP response.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body as JSON; `null` if the body is not JSON.
    pub json: Value,
}

/// Sends a request and reads the response. A `null` body sends no body.
pub async fn request(
    method: &str,
    url: &str,
    token: Option<&str>,
    body: &Value,
) -> Result<Reply, Box<dyn std::error::Error>> {
    let mut request = Request::builder().method(method.parse::<Method>()?).uri(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let bytes = match body {
        Value::Null => Bytes::new(),
        body => {
            request = request.header("content-type", "application/json");
            body.to_string().into()
        }
    };
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let response = client.request(request.body(Full::new(bytes))?).await?;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(Reply { status, json: serde_json::from_slice(&bytes).unwrap_or_default() })
}
