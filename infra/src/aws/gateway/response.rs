//! Converts a function's response (payload format 2.0) to an HTTP response.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::function::FunctionError;

/// Headers that only the gateway may set, because they describe its connection.
const IGNORED_HEADERS: [HeaderName; 3] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];

/// Builds the HTTP response for the result of an invocation.
///
/// A failed invocation results in a 500 without details, which are only logged. A throttled invocation
/// results in a 503, an oversized event in a 413.
pub fn response(answer: Result<Value, FunctionError>) -> Response<Bytes> {
    match answer {
        Ok(answer) => from_answer(answer).unwrap_or_else(internal_error),
        Err(FunctionError::EventTooLarge) => error_response(StatusCode::PAYLOAD_TOO_LARGE),
        Err(FunctionError::Throttled) => error_response(StatusCode::SERVICE_UNAVAILABLE),
        Err(FunctionError::TimedOut { .. } | FunctionError::Failed { .. }) => internal_error(),
    }
}

/// Error response of the gateway itself.
pub(super) fn error_response(status: StatusCode) -> Response<Bytes> {
    // The wording of the service where it differs from the standard reason phrase.
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        status => status.canonical_reason().unwrap_or_default(),
    };
    json_response(status, json!({ "message": message }).to_string())
}

fn internal_error() -> Response<Bytes> {
    error_response(StatusCode::INTERNAL_SERVER_ERROR)
}

fn json_response(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    headers: Option<BTreeMap<String, Value>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

/// Returns `None` for a response that API Gateway rejects as malformed.
fn from_answer(answer: Value) -> Option<Response<Bytes>> {
    if answer.get("statusCode").is_none() {
        return Some(inferred_response(answer));
    }
    let answer: Answer = serde_json::from_value(answer).ok()?;
    let mut response = Response::new(body(&answer)?);
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    *response.headers_mut() = headers(answer)?;
    if !response.body().is_empty() && !response.headers().contains_key(CONTENT_TYPE) {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
    }
    Some(response)
}

/// Without a status code, the function's whole return value is the body.
fn inferred_response(answer: Value) -> Response<Bytes> {
    let body = match answer {
        Value::String(text) => text,
        other => other.to_string(),
    };
    json_response(StatusCode::OK, body)
}

fn body(answer: &Answer) -> Option<Bytes> {
    let text = answer.body.as_deref().unwrap_or_default();
    if answer.is_base64_encoded.unwrap_or(false) {
        STANDARD.decode(text).ok().map(Bytes::from)
    } else {
        Some(Bytes::from(text.to_owned()))
    }
}

fn headers(answer: Answer) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers.unwrap_or_default() {
        let name = HeaderName::try_from(name).ok()?;
        if !IGNORED_HEADERS.contains(&name) {
            headers.append(name, header_value(value)?);
        }
    }
    for cookie in answer.cookies.unwrap_or_default() {
        headers.append(SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    Some(headers)
}

fn header_value(value: Value) -> Option<HeaderValue> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn answer_fields_become_the_response() {
        let response = response(Ok(json!({
            "statusCode": 201,
            "headers": { "Location": "/things/1", "content-length": "999", "x-count": 3 },
            "multiValueHeaders": { "ignored": ["1"] },
            "cookies": ["a=1; Path=/", "b=2"],
            "body": "{}",
        })));
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["location"], "/things/1");
        assert_eq!(response.headers()["x-count"], "3");
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
        assert!(!response.headers().contains_key("content-length"));
        assert!(!response.headers().contains_key("ignored"));
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    }

    #[test]
    fn base64_body_is_decoded() {
        let answer = json!({ "statusCode": 200, "body": "AP8=", "isBase64Encoded": true });
        assert_eq!(response(Ok(answer)).body().as_ref(), [0x00, 0xff]);
    }

    #[test]
    fn answer_without_status_code_is_the_body() {
        let object = response(Ok(json!({ "message": "hi" })));
        assert_eq!(object.status(), StatusCode::OK);
        assert_eq!(object.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(object.body().as_ref(), br#"{"message":"hi"}"#);
        assert_eq!(response(Ok(json!("hi"))).body().as_ref(), b"hi");
    }

    #[test]
    fn malformed_answer_is_a_500() {
        let answers = [
            json!({ "statusCode": "many" }),
            json!({ "statusCode": 20 }),
            json!({ "statusCode": 200, "body": { "not": "text" } }),
            json!({ "statusCode": 200, "body": "not base64!", "isBase64Encoded": true }),
            json!({ "statusCode": 200, "headers": { "bad name": "1" } }),
        ];
        for answer in answers {
            let response = response(Ok(answer.clone()));
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{answer}");
            assert_eq!(response.body().as_ref(), br#"{"message":"Internal Server Error"}"#);
        }
    }

    #[test]
    fn failed_invocation_is_a_500_without_details() {
        let failures = [
            FunctionError::TimedOut { limit: Duration::from_secs(3) },
            FunctionError::Failed { error_type: "Panic".to_owned(), message: "secret".to_owned() },
        ];
        for failure in failures {
            let response = response(Err(failure));
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.body().as_ref(), br#"{"message":"Internal Server Error"}"#);
        }
    }

    #[test]
    fn throttling_is_a_503_and_an_oversized_event_a_413() {
        assert_eq!(response(Err(FunctionError::Throttled)).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response(Err(FunctionError::EventTooLarge)).status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
