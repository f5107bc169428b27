//! Test DSL: users send requests and assert on the answers.
//!
//! ```ignore
//! let bakery = admin.post(&clients).json(json!({ "name": "Bakery" })).created().await;
//! stranger.get(&bakery.path).problem(404, "not_found").await;
//! ```

use std::borrow::Borrow;
use std::net::{IpAddr, Ipv4Addr};

use hyper::body::Bytes;
use lambda_http::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use shared::identity::HomeScope;

use crate::assert_isolated;
use crate::call::Call;
use crate::contract::{ROUND_TRIPS, operation_object, undocumented};
use crate::isolation::{self, Caller, Home};
use crate::world::{PASSWORD, WIDGETS_PATH, World};

/// The default source address of requests.
const DEFAULT_SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A user who sends requests, signed in or anonymous.
#[derive(Clone)]
pub struct TestUser<'w> {
    world: &'w World,
    token: Option<String>,
    home: Option<HomeScope>,
    /// The body of the sign-in response; `null` for an anonymous user.
    pub session: Value,
}

impl<'w> TestUser<'w> {
    pub(crate) const fn anonymous(world: &'w World) -> Self {
        Self { world, token: None, home: None, session: Value::Null }
    }

    /// An anonymous user with a secret that grants access to `home`.
    pub(crate) const fn with_secret_for(world: &'w World, home: HomeScope) -> Self {
        Self { world, token: None, home: Some(home), session: Value::Null }
    }

    pub(crate) async fn sign_in(world: &'w World, email: &str, home: HomeScope) -> Self {
        let login = json!({ "email": email, "password": PASSWORD });
        let session = Self::anonymous(world).post("/v1/auth/login").json(login).is(200).await.body;
        let token = session["accessToken"].as_str().map(str::to_owned);
        Self { world, token, home: Some(home), session }
    }

    /// The same user with a second session.
    pub async fn sign_in_again(&self) -> Self {
        Self::sign_in(self.world, self.email(), self.home.expect("a signed-in user")).await
    }

    /// The same user with another access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Builds a `GET` request.
    pub fn get(&self, path: &str) -> RequestBuilder<'w> {
        self.request(Method::GET, path)
    }

    /// Builds a `POST` request.
    pub fn post(&self, path: &str) -> RequestBuilder<'w> {
        self.request(Method::POST, path)
    }

    /// Builds a `PATCH` request.
    pub fn patch(&self, path: &str) -> RequestBuilder<'w> {
        self.request(Method::PATCH, path)
    }

    /// Builds a `DELETE` request.
    pub fn delete(&self, path: &str) -> RequestBuilder<'w> {
        self.request(Method::DELETE, path)
    }

    /// Builds a request with any method.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder<'w> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        RequestBuilder {
            user: self.clone(),
            method,
            path: path.to_owned(),
            headers,
            body: Vec::new(),
            contended: false,
            source: DEFAULT_SOURCE,
        }
    }

    /// The user's id.
    pub fn id(&self) -> &str {
        self.session["user"]["id"].as_str().expect("a signed-in user")
    }

    /// The user's email.
    pub fn email(&self) -> &str {
        self.session["user"]["email"].as_str().expect("a signed-in user")
    }

    fn caller(&self) -> Option<Caller> {
        let (tenant, agency, client) = self.home?.ids();
        let home = match (tenant, agency, client) {
            (Some(tenant), Some(agency), Some(client)) => {
                Home::Client { tenant: tenant.uuid(), agency: agency.uuid(), client: client.uuid() }
            }
            (Some(tenant), Some(agency), None) => Home::Agency { tenant: tenant.uuid(), agency: agency.uuid() },
            _ => Home::Platform,
        };
        Some(Caller { home })
    }
}

/// A request under construction.
#[derive(Clone)]
#[must_use = "a request is sent by an expectation, such as `.is(200).await`"]
pub struct RequestBuilder<'w> {
    user: TestUser<'w>,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
    contended: bool,
    source: IpAddr,
}

impl RequestBuilder<'_> {
    /// Sets a JSON body.
    pub fn json(self, body: impl Borrow<Value>) -> Self {
        self.body("application/json", body.borrow().to_string())
    }

    /// Sets a body of any media type.
    pub fn body(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", media)
    }

    /// Sets a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header value"));
        self
    }

    /// Sets the source IP address, instead of localhost.
    pub fn from(mut self, address: &str) -> Self {
        self.source = address.parse().expect("an address");
        self
    }

    /// Exempts the request from its round-trip budget.
    ///
    /// Concurrent requests may force it to retry.
    pub fn contended(mut self) -> Self {
        self.contended = true;
        self
    }

    /// The HTTP request to send.
    pub fn request(&self) -> Request<Bytes> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        *request.headers_mut().unwrap() = self.headers.clone();
        request.body(self.body.clone().into()).unwrap()
    }

    /// Sends the request and returns the answer with any status.
    ///
    /// Checks the recorded calls and the round-trip budget, that the answer is documented and that it leaks
    /// nothing internal.
    pub async fn send(self) -> Answer {
        let request = self.request();
        let world = self.user.world;
        let response = world.gateway_of(&self.path).handle(request, self.source).await;
        let (parts, body) = response.into_parts();
        let id = parts.headers.get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
        let calls = id.as_deref().map(World::calls).unwrap_or_default();
        let operation = operation_object(&self.method, self.path.split('?').next().unwrap_or_default());
        // A public operation ignores the access token. The widget key grants access to its client.
        let is_public = !self.path.starts_with(WIDGETS_PATH)
            && operation.is_some_and(|operation| operation["security"] == json!([{}]));
        let caller = self.user.caller().filter(|_| !is_public);
        if let Some(module) = id.as_deref().and_then(|id| world.module_of(id)) {
            assert_isolated(&calls, caller.as_ref(), &world.policies[module]);
        }
        let text = String::from_utf8(body.to_vec()).unwrap_or_default();
        let answer = Answer {
            request: format!("{} {}", self.method, self.path),
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
            calls,
        };
        if let Some(operation) = operation {
            self.check_budget(operation, &answer);
            assert_eq!(undocumented(&self.path, operation, &answer), None, "{answer}");
        }
        assert_eq!(leaks(&answer), Vec::<String>::new(), "{answer}");
        answer
    }

    /// Sends the request and expects this status.
    pub async fn is(self, status: u16) -> Answer {
        let answer = self.send().await;
        assert_eq!(answer.status.as_u16(), status, "{answer}");
        answer
    }

    /// Sends the request and expects a `201` with a `Location` under `/v1/`.
    pub async fn created(self) -> Answer {
        let answer = self.is(201).await;
        assert!(answer.header("location").starts_with("/v1/"), "{answer}");
        answer
    }

    /// Sends the request and expects a problem document with this status and code.
    pub async fn problem(self, status: u16, code: &str) -> Answer {
        let answer = self.is(status).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{answer}");
        assert_eq!(answer.body["code"], code, "{answer}");
        assert_eq!(answer.body["status"], status, "{answer}");
        assert_eq!(answer.body["requestId"], answer.header("x-request-id"), "{answer}");
        answer
    }

    /// Sends the request and expects a `422` with errors for exactly these fields.
    ///
    /// The order of the fields does not matter.
    pub async fn invalid(self, pointers: &[&str]) -> Answer {
        let answer = self.problem(422, "invalid").await;
        let errors = answer.body["errors"].as_array().expect("errors");
        let mut actual: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().expect("a pointer")).collect();
        let mut expected = pointers.to_vec();
        actual.sort_unstable();
        expected.sort_unstable();
        assert_eq!(actual, expected, "{answer}");
        answer
    }

    /// Checks that the request kept to the round-trip budget of its operation.
    ///
    /// The declared budget is for the successful path. Each of these adds one read: a platform user's lookup
    /// of an agency or a client, an empty page, and an error. A repeated request adds two: the scope of its recorded
    /// response, and the entity that seals it.
    fn check_budget(&self, operation: &Value, answer: &Answer) {
        let budget = ROUND_TRIPS[operation["operationId"].as_str().unwrap_or_default()];
        let is_platform = matches!(self.user.home, Some(HomeScope::Platform(_)));
        let lookup = usize::from(is_platform && (self.path.contains("/agencies/") || self.path.contains("/clients/")));
        let empty = usize::from(answer.body["items"].as_array().is_some_and(Vec::is_empty));
        let failed = usize::from(!answer.status.is_success());
        let is_repeated = !answer.header("idempotency-replayed").is_empty();
        let replayed = 2 * usize::from(is_repeated || (failed > 0 && self.headers.contains_key("idempotency-key")));
        if !self.contended && self.user.world.counts_round_trips() {
            let violations = isolation::budget(&answer.calls, budget + lookup + empty + replayed + failed);
            assert!(violations.is_empty(), "{violations:?}\n{answer}");
        }
    }
}

/// Finds internal data in an answer.
///
/// Internal are stored attributes, keys, hashes, passwords and the tokens that are sent by mail only.
fn leaks(answer: &Answer) -> Vec<String> {
    let values = answer.headers.values().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let texts: Vec<_> = values.chain([answer.text.clone()]).collect();
    let is_script = answer.header("content-type").contains("javascript");
    let mut leaks: Vec<String> = SECRETS
        .into_iter()
        .filter(|secret| !is_script && texts.iter().any(|text| text.contains(secret)))
        .map(str::to_owned)
        .collect();
    collect_leaks("", &answer.body, &mut leaks);
    leaks
}

/// Strings that no answer may contain.
const SECRETS: [&str; 11] = [
    "passwordHash",
    "$argon2",
    PASSWORD,
    "GLOBAL#",
    "PLATFORM#",
    "T#",
    "DUE#",
    "TAG_NAME#",
    "CONTACT_ORIGIN#",
    "PRIVATE KEY",
    "arn:aws",
];

/// Stored attributes that no answer may have as a member.
const STORED_ATTRIBUTES: [&str; 38] = [
    "pk",
    "sk",
    "sv",
    "ttl",
    "dp",
    "ds",
    "p1",
    "s1",
    "p2",
    "s2",
    "p3",
    "s3",
    "p4",
    "s4",
    "p5",
    "s5",
    "d",
    "seen",
    "ids",
    "epoch",
    "generation",
    "sealed",
    "bodyHash",
    "n",
    "revision",
    "off",
    "calendars",
    "users",
    "admins",
    "owner",
    "ends",
    "purpose",
    "userId",
    "attempts",
    "due",
    "failedAt",
    "token",
    "password",
];

/// Members with tokens, cursors or public keys, which may look like 256 bits.
const OPAQUE_MEMBERS: [&str; 6] = ["accessToken", "refreshToken", "nextCursor", "x", "y", "kid"];

/// Collects stored attributes and 256-bit values from the member `name`.
///
/// An OpenAPI document is skipped: its member names are schema names, not data.
fn collect_leaks(name: &str, body: &Value, leaks: &mut Vec<String>) {
    match body {
        Value::Object(members) if members.contains_key("openapi") => {}
        Value::Object(members) => {
            let stored = members.keys().filter(|name| STORED_ATTRIBUTES.contains(&name.as_str())).cloned();
            leaks.extend(stored);
            members.iter().for_each(|(name, member)| collect_leaks(name, member, leaks));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_leaks(name, item, leaks)),
        Value::String(text) if !OPAQUE_MEMBERS.contains(&name) => {
            leaks.extend(bits_256(text).map(|bits| format!("{name}: {bits}")));
        }
        _ => {}
    }
}

/// Finds parts of a text that look like 256 bits in base64url.
///
/// Mailed tokens and keyed hashes have this form.
fn bits_256(text: &str) -> impl Iterator<Item = &str> {
    const LENGTH: usize = 43;
    let parts = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-' && letter != '_');
    parts.filter(|part| {
        let kinds = [char::is_uppercase, char::is_lowercase];
        part.len() == LENGTH && kinds.iter().all(|kind| part.chars().any(kind))
    })
}

/// The response to a request, with the calls that were recorded.
#[derive(Debug)]
pub struct Answer {
    /// The method and path of the request.
    request: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` if the body is not JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
    /// The `DynamoDB` calls of the request.
    pub calls: Vec<Call>,
}

impl Answer {
    /// The value of a header; empty if the header is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }

    /// The `Location` header: the path of the created resource.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// The `id` member of the body.
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self}"))
    }

    /// The operations of the calls, such as `["GetItem", "TransactWriteItems"]`.
    pub fn operations(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call.operation.as_str()).collect()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {} {}", self.request, self.status, self.text)?;
        self.calls.iter().try_for_each(|call| write!(f, "\n  {call}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: &str = "Tpooi_9DOD3LuERSK-eha2giLDmDt5vFPLvpEB35Ub4";

    fn answer(headers: &[(&'static str, &str)], body: &Value) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Answer {
            request: "GET /".to_owned(),
            status: StatusCode::OK,
            headers: map,
            body: body.clone(),
            text: body.to_string(),
            calls: Vec::new(),
        }
    }

    fn body_leaks(body: &Value) -> Vec<String> {
        leaks(&answer(&[], body))
    }

    #[test]
    fn ordinary_answers_have_no_leaks() {
        let tokens = json!({
            "accessToken": BITS, "refreshToken": BITS, "tokenType": "Bearer",
            "user": { "id": "0195f6a0-8f5e-7c3a-9b1d-2f4e6a8c0d1e", "email": "a@example.com", "role": "ADMIN" },
        });
        let page = json!({ "items": [{ "firstName": "x".repeat(43), "version": 1 }], "nextCursor": BITS });
        let jwks = json!({ "keys": [{ "kty": "EC", "x": BITS, "y": BITS, "kid": BITS }] });
        let widget = json!({ "widgetKey": "wk_3f2b6c1d8e4a4f0b9c7d5e6f7a8b9c0d", "snippet": "<script src=\"…\">" });
        let openapi = json!({ "openapi": "3.1.0", "components": { "schemas": { "X": { "users": {}, "token": {} } } } });
        for body in [tokens, page, jwks, widget, openapi] {
            assert_eq!(body_leaks(&body), Vec::<String>::new());
        }
    }

    #[test]
    fn password_and_password_hash_are_leaks() {
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$v6mlh+b8ce71QVsyBbQPtw$oeyGNndi/CO+Yg0+DVseUy/7ptM1mtbt2DOMLcRRfL0";
        assert_eq!(body_leaks(&json!({ "passwordHash": null })), ["passwordHash"]);
        assert!(body_leaks(&json!({ "detail": hash })).contains(&"$argon2".to_owned()));
        assert_eq!(body_leaks(&json!({ "errors": [{ "detail": format!("{PASSWORD} is bad") }] })), [PASSWORD]);
        assert_eq!(body_leaks(&json!({ "password": "…" })), ["password"]);
    }

    #[test]
    fn mailed_token_and_keyed_hash_are_leaks() {
        for text in [BITS.to_owned(), format!("http://localhost/accept-invitation?token={BITS}"), format!("no {BITS}.")]
        {
            assert_eq!(body_leaks(&json!({ "detail": text })), [format!("detail: {BITS}")]);
            assert_eq!(body_leaks(&json!({ "items": [text] })), [format!("items: {BITS}")]);
        }
        let key = format!("GLOBAL#TOKEN#{BITS}");
        assert_eq!(body_leaks(&json!({ "id": key })), ["GLOBAL#".to_owned(), format!("id: {BITS}")]);
        assert_eq!(body_leaks(&json!({ "token": "short" })), ["token"]);
    }

    #[test]
    fn nested_stored_attribute_is_a_leak() {
        for name in STORED_ATTRIBUTES {
            assert_eq!(body_leaks(&json!({ "items": [{ "user": { name: 1 } }] })), [name], "{name}");
        }
        for key in ["PLATFORM#USER", "T#1#A#2#USER", "DUE#MAIL#07", "TAG_NAME#vip", "CONTACT_ORIGIN#hash"] {
            assert!(!body_leaks(&json!({ "detail": key })).is_empty(), "{key}");
        }
    }

    #[test]
    fn key_in_a_header_is_a_leak() {
        let headers = [("x-debug", "GLOBAL#EMAIL")];
        assert_eq!(leaks(&answer(&headers, &Value::Null)), ["GLOBAL#"]);
    }
}
