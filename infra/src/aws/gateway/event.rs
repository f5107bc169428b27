//! Converts an HTTP request to a Lambda event (payload format 2.0).

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::Bytes;
use axum::http::header::{CONNECTION, CONTENT_TYPE, COOKIE, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::routes::Match;

/// Placeholder account id in events and ARNs.
pub const ACCOUNT_ID: &str = "000000000000";

/// Headers omitted from the event.
///
/// Connection headers, and cookies, which have their own field.
const OMITTED_HEADERS: [HeaderName; 7] =
    [COOKIE, CONNECTION, EXPECT, HeaderName::from_static("keep-alive"), TE, TRANSFER_ENCODING, UPGRADE];

/// Data about a call that is not part of the request itself.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Id of the API.
    pub api: &'a str,
    /// The path, decoded by [`decode_path`].
    pub path: &'a str,
    /// The matched route.
    pub route: &'a Match,
    /// IP address of the client.
    pub source_ip: IpAddr,
    /// Request id assigned by the gateway.
    pub request_id: &'a str,
    /// Time of arrival.
    pub time: DateTime<Utc>,
}

/// A path that API Gateway rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path is not valid percent-encoding")]
pub struct BadPath;

/// Decodes a path as API Gateway does for functions behind an HTTP API.
///
/// API Gateway decodes the path twice and truncates it at a question mark that the first pass reveals.
/// Source: captures of a live HTTP API, where `%20` arrives as a space, `a%2Fb` as `a/b`, `a%252Fb` as `a/b`,
/// `a%3Fb` as `a`, `%253F` as `?`, and `100%25done` results in a 400.
pub fn decode_path(raw: &str) -> Result<String, BadPath> {
    let once = decode(raw)?;
    decode(once.split('?').next().unwrap_or_default())
}

fn decode(text: &str) -> Result<String, BadPath> {
    let is_valid = text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2).unwrap_or_default();
        digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
    });
    if !is_valid {
        return Err(BadPath);
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| BadPath)?;
    Ok(decoded.into_owned())
}

/// Builds the event for a request.
pub fn event(request: &Request<Bytes>, call: &Call<'_>) -> Value {
    let query = request.uri().query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": call.route.key,
        "rawPath": call.path,
        "rawQueryString": query,
        "headers": headers(request, call),
        "requestContext": request_context(request, call),
        "isBase64Encoded": false,
    });
    // API Gateway omits empty fields.
    let cookies = cookies(request.headers());
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = json!(query_parameters(query));
    }
    if !call.route.path_parameters.is_empty() {
        event["pathParameters"] = json!(call.route.path_parameters);
    }
    add_body(&mut event, request);
    event
}

fn request_context(request: &Request<Bytes>, call: &Call<'_>) -> Value {
    let domain = host(request).split(':').next().unwrap_or_default();
    json!({
        "accountId": ACCOUNT_ID,
        "apiId": call.api,
        "domainName": domain,
        "domainPrefix": domain.split('.').next(),
        "http": {
            "method": request.method().as_str(),
            "path": call.path,
            "protocol": "HTTP/1.1",
            "sourceIp": call.source_ip.to_string(),
            "userAgent": header_text(request.headers(), &USER_AGENT),
        },
        "requestId": call.request_id,
        "routeKey": call.route.key,
        "stage": "$default",
        "time": call.time.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "timeEpoch": call.time.timestamp_millis(),
    })
}

/// Builds the headers of the event.
///
/// Names are in lowercase, repeated headers are joined by commas, and API Gateway adds headers of its own.
fn headers(request: &Request<Bytes>, call: &Call<'_>) -> Map<String, Value> {
    let mut headers = Map::new();
    for name in request.headers().keys().filter(|name| !OMITTED_HEADERS.contains(name)) {
        headers.insert(name.to_string(), json!(header_text(request.headers(), name)));
    }
    let port = host(request).split_once(':').map_or("80", |(_, port)| port);
    headers.insert("content-length".to_owned(), json!(request.body().len().to_string()));
    headers.insert("x-amzn-trace-id".to_owned(), json!(trace_id(call.time)));
    headers.insert("x-forwarded-for".to_owned(), json!(forwarded_for(request, call)));
    headers.insert("x-forwarded-port".to_owned(), json!(port));
    headers.insert("x-forwarded-proto".to_owned(), json!("http"));
    headers
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(",")
}

fn host(request: &Request<Bytes>) -> &str {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    header.unwrap_or("localhost")
}

fn forwarded_for(request: &Request<Bytes>, call: &Call<'_>) -> String {
    let earlier = header_text(request.headers(), &HeaderName::from_static("x-forwarded-for"));
    if earlier.is_empty() { call.source_ip.to_string() } else { format!("{earlier}, {}", call.source_ip) }
}

/// Creates an X-Ray trace id, which starts with the time.
pub(crate) fn trace_id(time: DateTime<Utc>) -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{:08x}-{}", time.timestamp(), &random[..24])
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| String::from_utf8_lossy(value.as_bytes()).split(';').map(str::to_owned).collect::<Vec<_>>())
        .map(|cookie| cookie.trim().to_owned())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// Decodes the query and joins the values of a repeated key by commas.
fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(key.into_owned())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    parameters
}

fn add_body(event: &mut Value, request: &Request<Bytes>) {
    let body = request.body();
    if body.is_empty() {
        return;
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_text(request.headers()) => event["body"] = json!(text),
        _ => {
            event["body"] = json!(STANDARD.encode(body));
            event["isBase64Encoded"] = json!(true);
        }
    }
}

/// Whether API Gateway passes a body of this content type as text.
///
/// AWS does not document the list. Source: captures of the live service. `text/*` and these three types
/// arrived as text if the charset was UTF-8 or absent. Requests without a content type, forms, `+json` types
/// and other charsets arrived as base64.
fn is_text(headers: &HeaderMap) -> bool {
    let value = header_text(headers, &CONTENT_TYPE).to_ascii_lowercase();
    let (media_type, parameters) = value.split_once(';').unwrap_or((&value, ""));
    let media_type = media_type.trim();
    let is_text_type = media_type.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&media_type);
    let charset = parameters.trim().strip_prefix("charset=").unwrap_or("utf-8");
    is_text_type && charset.trim_matches('"') == "utf-8"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route() -> Match {
        Match {
            function: "F".to_owned(),
            key: "ANY /things/{id}".to_owned(),
            path_parameters: BTreeMap::from([("id".to_owned(), "a b".to_owned())]),
        }
    }

    fn event_of(request: &Request<Bytes>) -> Value {
        let path = decode_path(request.uri().path()).unwrap();
        event(
            request,
            &Call {
                api: "api",
                path: &path,
                route: &route(),
                source_ip: IpAddr::from([192, 0, 2, 1]),
                request_id: "request",
                time: DateTime::from_timestamp_millis(1_783_711_145_766).unwrap(),
            },
        )
    }

    fn with_body(content_type: Option<&str>, body: &'static [u8]) -> Value {
        let mut request = Request::post("/things/1");
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        event_of(&request.body(Bytes::from_static(body)).unwrap())
    }

    #[test]
    fn paths_are_decoded_as_by_the_live_service() {
        let cases = [
            ("/capture/plain", Ok("/capture/plain")),
            ("/capture/space%20value", Ok("/capture/space value")),
            ("/capture/question%3Fvalue", Ok("/capture/question")),
            ("/capture/percent%25done", Err(BadPath)),
            ("/capture/hash%23value", Ok("/capture/hash#value")),
            ("/capture/slash%2Fvalue", Ok("/capture/slash/value")),
            ("/capture/unicode-%CE%BB", Ok("/capture/unicode-λ")),
            ("/capture/literal%252Fvalue", Ok("/capture/literal/value")),
            ("/capture/literal%253Fvalue", Ok("/capture/literal?value")),
            ("/capture/literal%2525value", Ok("/capture/literal%value")),
        ];
        for (path, expected) in cases {
            assert_eq!(decode_path(path), expected.map(str::to_owned), "{path}");
        }
    }

    #[test]
    fn query_is_passed_raw_and_decoded() {
        let query = "repeat=one&repeat=two&redirect=https%3A%2F%2Fexample.com&plus=a+b&encoded=a%2Bb&empty=";
        let request = Request::get(format!("/things/1?{query}")).body(Bytes::new()).unwrap();
        let event = event_of(&request);
        assert_eq!(event["rawQueryString"], query);
        let expected = json!({
            "repeat": "one,two",
            "redirect": "https://example.com",
            "plus": "a b",
            "encoded": "a+b",
            "empty": "",
        });
        assert_eq!(event["queryStringParameters"], expected);
    }

    #[test]
    fn repeated_headers_are_joined_and_cookies_are_separate() {
        let request = Request::get("/things/1")
            .header("X-Probe", "first")
            .header("X-Probe", "second")
            .header("Cookie", "session=abc123; theme=dark")
            .header("Cookie", "third=3")
            .header("X-Forwarded-For", "198.51.100.7")
            .body(Bytes::new())
            .unwrap();
        let event = event_of(&request);
        assert_eq!(event["headers"]["x-probe"], "first,second");
        assert_eq!(event["headers"]["x-forwarded-for"], "198.51.100.7, 192.0.2.1");
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!(event["cookies"], json!(["session=abc123", "theme=dark", "third=3"]));
    }

    #[test]
    fn request_context_describes_the_request() {
        let request = Request::get("/things/a%20b")
            .header("Host", "api.example.com:8080")
            .header("User-Agent", "probe")
            .body(Bytes::new())
            .unwrap();
        let context = &event_of(&request)["requestContext"];
        assert_eq!(context["domainName"], "api.example.com");
        assert_eq!(context["domainPrefix"], "api");
        assert_eq!(context["http"]["path"], "/things/a b");
        assert_eq!(context["http"]["userAgent"], "probe");
        assert_eq!(context["routeKey"], "ANY /things/{id}");
        assert_eq!(context["time"], "10/Jul/2026:19:19:05 +0000");
        assert_eq!(context["timeEpoch"], 1_783_711_145_766_i64);
    }

    #[test]
    fn empty_fields_are_omitted() {
        let event = event_of(&Request::get("/things/1").body(Bytes::new()).unwrap());
        for key in ["body", "cookies", "queryStringParameters", "stageVariables"] {
            assert_eq!(event.get(key), None, "{key}");
        }
        assert_eq!(event["isBase64Encoded"], false);
        assert_eq!(event["headers"]["content-length"], "0");
    }

    #[test]
    fn text_body_is_passed_as_text() {
        for content_type in ["application/json", "text/csv", "text/plain; charset=UTF-8", "application/xml"] {
            let event = with_body(Some(content_type), "{\"é\":1}".as_bytes());
            assert_eq!(event["body"], "{\"é\":1}", "{content_type}");
            assert_eq!(event["isBase64Encoded"], false, "{content_type}");
        }
    }

    #[test]
    fn other_content_types_are_passed_as_base64() {
        let types = [
            None,
            Some("application/octet-stream"),
            Some("application/merge-patch+json"),
            Some("application/x-www-form-urlencoded"),
            Some("text/plain; charset=iso-8859-1"),
        ];
        for content_type in types {
            let event = with_body(content_type, b"a=1");
            assert_eq!(event["body"], "YT0x", "{content_type:?}");
            assert_eq!(event["isBase64Encoded"], true, "{content_type:?}");
        }
    }

    #[test]
    fn text_body_that_is_not_utf_8_is_passed_as_base64() {
        assert_eq!(with_body(Some("text/plain"), b"\xff")["isBase64Encoded"], true);
    }
}
