//! CORS of an HTTP API with a `CorsConfiguration`.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::aws::template::Cors;

const RESPONSE_HEADERS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// The parts of a request that CORS depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CorsRequest {
    origin: Option<HeaderValue>,
    preflight: bool,
}

impl CorsRequest {
    pub(super) fn new(method: &Method, headers: &HeaderMap) -> Self {
        let origin = headers.get(ORIGIN).cloned();
        let preflight =
            method == Method::OPTIONS && origin.is_some() && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Self { origin, preflight }
    }

    pub(super) fn is_preflight(&self) -> bool {
        self.preflight
    }

    /// Replaces the CORS headers of a response with the configured ones.
    pub(super) fn apply(&self, cors: &Cors, headers: &mut HeaderMap) {
        for name in RESPONSE_HEADERS {
            headers.remove(name);
        }
        let Some(origin) = self.allowed_origin(cors) else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if cors.allow_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        set_list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers);
        if self.preflight {
            set_list(headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods);
            set_list(headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers);
            if let Some(seconds) = cors.max_age {
                headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
            }
        }
    }

    fn allowed_origin(&self, cors: &Cors) -> Option<HeaderValue> {
        let origin = self.origin.as_ref()?;
        if cors.allow_origins.iter().any(|allowed| allowed == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        let text = origin.to_str().ok()?;
        let allowed = cors.allow_origins.iter().any(|allowed| matches(allowed, text));
        allowed.then(|| origin.clone())
    }
}

/// Matches an origin, or a scheme with a wildcard such as `https://*`, as AWS does.
fn matches(allowed: &str, origin: &str) -> bool {
    match allowed.strip_suffix("//*") {
        Some(scheme) => origin.starts_with(scheme),
        None => allowed.eq_ignore_ascii_case(origin),
    }
}

fn set_list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if values.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(values.join(",")) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        Cors {
            allow_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            allow_methods: vec!["GET".to_owned(), "PATCH".to_owned()],
            allow_headers: vec!["authorization".to_owned()],
            expose_headers: vec!["etag".to_owned()],
            max_age: Some(600),
            allow_credentials: false,
        }
    }

    fn request(method: &Method, origin: &'static str, preflight: bool) -> CorsRequest {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        if preflight {
            headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        }
        CorsRequest::new(method, &headers)
    }

    fn applied(request: &CorsRequest, cors: &Cors) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://function.example"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("1"));
        request.apply(cors, &mut headers);
        headers
    }

    #[test]
    fn preflight_gets_all_headers() {
        let headers = applied(&request(&Method::OPTIONS, "https://a.example", true), &cors(&["https://a.example"]));
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET,PATCH");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "authorization");
        assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "600");
    }

    #[test]
    fn simple_request_gets_origin_and_exposed_headers() {
        let headers = applied(&request(&Method::GET, "https://a.example", false), &cors(&["*"]));
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "etag");
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn unlisted_origin_gets_no_headers() {
        let headers = applied(&request(&Method::GET, "https://b.example", false), &cors(&["https://a.example"]));
        assert!(headers.is_empty());
    }

    #[test]
    fn scheme_wildcard_matches_only_its_scheme() {
        let rules = cors(&["https://*"]);
        assert!(!applied(&request(&Method::GET, "https://b.example", false), &rules).is_empty());
        assert!(applied(&request(&Method::GET, "http://b.example", false), &rules).is_empty());
    }

    #[test]
    fn options_without_requested_method_is_not_a_preflight() {
        assert!(!request(&Method::OPTIONS, "https://a.example", false).is_preflight());
        assert!(request(&Method::OPTIONS, "https://a.example", true).is_preflight());
    }
}
