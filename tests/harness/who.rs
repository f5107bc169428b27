//! The language of the tests: who does what, with which body, and what comes back.
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
use shared::auth::HomeScope;

use crate::assert_isolated;
use crate::call::Call;
use crate::isolation::{self, Caller, Home};
use crate::world::{OPENAPI, PASSWORD, World};

/// Where everybody is.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Who<'w> {
    world: &'w World,
    token: Option<String>,
    home: Option<HomeScope>,
    /// What the sign-in answered; `null` for who has not signed in.
    pub session: Value,
}

impl<'w> Who<'w> {
    pub(crate) const fn anyone(world: &'w World) -> Self {
        Self { world, token: None, home: None, session: Value::Null }
    }

    /// Somebody who has not signed in and knows a secret that is good in a home.
    pub(crate) const fn with_secret_of(world: &'w World, home: HomeScope) -> Self {
        Self { world, token: None, home: Some(home), session: Value::Null }
    }

    pub(crate) async fn sign_in(world: &'w World, email: &str, home: HomeScope) -> Self {
        let login = json!({ "email": email, "password": PASSWORD });
        let session = Self::anyone(world).post("/v1/auth/login").json(login).is(200).await.body;
        let token = session["accessToken"].as_str().map(str::to_owned);
        Self { world, token, home: Some(home), session }
    }

    /// The same user, signed in once more.
    pub async fn again(&self) -> Self {
        Self::sign_in(self.world, self.email(), self.home.expect("somebody who has signed in")).await
    }

    /// The same with another access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A `GET`.
    pub fn get(&self, path: &str) -> RequestBuilder<'w> {
        self.ask(Method::GET, path)
    }

    /// A `POST`.
    pub fn post(&self, path: &str) -> RequestBuilder<'w> {
        self.ask(Method::POST, path)
    }

    /// A `PATCH`.
    pub fn patch(&self, path: &str) -> RequestBuilder<'w> {
        self.ask(Method::PATCH, path)
    }

    /// A `DELETE`.
    pub fn delete(&self, path: &str) -> RequestBuilder<'w> {
        self.ask(Method::DELETE, path)
    }

    /// Any request.
    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder<'w> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        RequestBuilder {
            who: self.clone(),
            method,
            path: path.to_owned(),
            headers,
            body: Vec::new(),
            contended: false,
            from: HERE,
        }
    }

    /// The user's id.
    pub fn id(&self) -> &str {
        self.session["user"]["id"].as_str().expect("somebody who has signed in")
    }

    /// The user's email.
    pub fn email(&self) -> &str {
        self.session["user"]["email"].as_str().expect("somebody who has signed in")
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

/// A request that is being put together.
#[derive(Clone)]
#[must_use = "it is sent by what it expects: `.is(200).await`"]
pub struct RequestBuilder<'w> {
    who: Who<'w>,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
    contended: bool,
    from: IpAddr,
}

impl RequestBuilder<'_> {
    /// With a JSON body.
    pub fn json(self, body: impl Borrow<Value>) -> Self {
        self.body("application/json", body.borrow().to_string())
    }

    /// With a body of any media type.
    pub fn body(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", media)
    }

    /// With a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header value"));
        self
    }

    /// From another network address than everybody else's.
    pub fn from(mut self, address: &str) -> Self {
        self.from = address.parse().expect("an address");
        self
    }

    /// Others ask at the same time: it may take more round trips than its route's budget.
    pub fn contended(mut self) -> Self {
        self.contended = true;
        self
    }

    /// What it sends.
    pub fn request(&self) -> Request<Bytes> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        *request.headers_mut().unwrap() = self.headers.clone();
        request.body(self.body.clone().into()).unwrap()
    }

    /// Sends it and gives whatever comes back, after the recorder's rules have been checked.
    pub async fn send(self) -> Answer {
        let request = self.request();
        let world = self.who.world;
        let response = world.gateway.handle(request, self.from).await;
        let (parts, body) = response.into_parts();
        let id = parts.headers.get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
        let calls = id.as_deref().map(World::calls).unwrap_or_default();
        if let Some(module) = id.as_deref().and_then(|id| world.served(id)) {
            assert_isolated(&calls, self.who.caller().as_ref(), &world.policies[module]);
        }
        let text = String::from_utf8(body.to_vec()).unwrap_or_default();
        let answer = Answer {
            asked: format!("{} {}", self.method, self.path),
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
            calls,
        };
        self.check_budget(&answer);
        assert_eq!(leaks(&answer), Vec::<String>::new(), "{answer}");
        answer
    }

    /// Sends it and expects this status.
    pub async fn is(self, status: u16) -> Answer {
        let answer = self.send().await;
        assert_eq!(answer.status.as_u16(), status, "{answer}");
        answer
    }

    /// Sends it and expects a `201` whose `Location` can be read.
    pub async fn created(self) -> Answer {
        let answer = self.is(201).await;
        assert!(answer.header("location").starts_with("/v1/"), "{answer}");
        answer
    }

    /// Sends it and expects a problem document with this status and code.
    pub async fn problem(self, status: u16, code: &str) -> Answer {
        let answer = self.is(status).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{answer}");
        assert_eq!(answer.body["code"], code, "{answer}");
        assert_eq!(answer.body["status"], status, "{answer}");
        assert_eq!(answer.body["requestId"], answer.header("x-request-id"), "{answer}");
        answer
    }

    /// Sends it and expects a `422` that names exactly these fields, in any order.
    pub async fn invalid(self, pointers: &[&str]) -> Answer {
        let answer = self.problem(422, "invalid").await;
        let errors = answer.body["errors"].as_array().expect("errors");
        let mut named: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().expect("a pointer")).collect();
        let mut expected = pointers.to_vec();
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected, "{answer}");
        answer
    }

    /// The most round trips stand beside the route, for the way that succeeds; the others may need one more read.
    fn check_budget(&self, answer: &Answer) {
        let Some(budget) = budget(&self.method, self.path.split('?').next().unwrap_or_default()) else { return };
        let platform = matches!(self.who.home, Some(HomeScope::Platform(_)));
        let looked_up = usize::from(platform && (self.path.contains("/agencies/") || self.path.contains("/clients/")));
        let empty = usize::from(answer.body["items"].as_array().is_some_and(Vec::is_empty));
        let refused = usize::from(!answer.status.is_success());
        if !self.contended && self.who.world.counts_round_trips() {
            let over = isolation::budget(&answer.calls, budget + looked_up + empty + refused);
            assert!(over.is_empty(), "{over:?}\n{answer}");
        }
    }
}

/// What an answer shows of the inside: attributes of rows, keys, hashes, tokens that only a mail has, or a password.
fn leaks(answer: &Answer) -> Vec<String> {
    let values = answer.headers.values().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let seen: Vec<_> = values.chain([answer.text.clone()]).collect();
    let is_script = answer.header("content-type").contains("javascript");
    let mut found: Vec<String> = SECRETS
        .into_iter()
        .filter(|secret| !is_script && seen.iter().any(|text| text.contains(secret)))
        .map(str::to_owned)
        .collect();
    collect_inner("", &answer.body, &mut found);
    found
}

/// What no answer says.
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

/// Attributes of rows that no answer has.
const INNER: [&str; 33] = [
    "pk",
    "sk",
    "sv",
    "ttl",
    "due_pk",
    "due_sk",
    "sorted_pk",
    "sorted_sk",
    "changed_pk",
    "changed_sk",
    "contact_pk",
    "contact_sk",
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

/// Members whose values are tokens, cursors or public keys: the only ones that may look like 256 bits.
const OPAQUE: [&str; 6] = ["accessToken", "refreshToken", "nextCursor", "x", "y", "kid"];

/// What stands in a JSON body under `name`. Where the API is described, names are not those of an answer.
fn collect_inner(name: &str, body: &Value, found: &mut Vec<String>) {
    match body {
        Value::Object(members) if members.contains_key("openapi") => {}
        Value::Object(members) => {
            let inner = members.keys().filter(|name| INNER.contains(&name.as_str())).cloned();
            found.extend(inner);
            members.iter().for_each(|(name, member)| collect_inner(name, member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_inner(name, item, found)),
        Value::String(text) if !OPAQUE.contains(&name) => {
            found.extend(bits_256(text).map(|bits| format!("{name}: {bits}")));
        }
        _ => {}
    }
}

/// The parts of a text that look like 256 bits in base64url, as tokens of mails and all keyed hashes are.
fn bits_256(text: &str) -> impl Iterator<Item = &str> {
    const LENGTH: usize = 43;
    let parts = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-' && letter != '_');
    parts.filter(|part| {
        let kinds = [char::is_uppercase, char::is_lowercase];
        part.len() == LENGTH && kinds.iter().all(|kind| part.chars().any(kind))
    })
}

/// The budget of the operation that a path belongs to.
fn budget(method: &Method, path: &str) -> Option<usize> {
    let paths = OPENAPI["paths"].as_object()?;
    let (_, item) = paths.iter().find(|(template, _)| {
        let (template, path) = (template.split('/'), path.split('/'));
        template.clone().count() == path.clone().count()
            && template.zip(path).all(|(name, part)| name == part || name.starts_with('{'))
    })?;
    let operation = item.get(method.as_str().to_lowercase())?;
    let budget = operation["x-round-trips"].as_u64().expect("every operation has its budget");
    usize::try_from(budget).ok()
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    asked: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` if it is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
    /// The calls that it took.
    pub calls: Vec<Call>,
}

impl Answer {
    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }

    /// The path of what was created.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// The `id` of the entity.
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self}"))
    }

    /// What the calls did, such as `["GetItem", "TransactWriteItems"]`.
    pub fn operations(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call.operation.as_str()).collect()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {} {}", self.asked, self.status, self.text)?;
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
            asked: "GET /".to_owned(),
            status: StatusCode::OK,
            headers: map,
            body: body.clone(),
            text: body.to_string(),
            calls: Vec::new(),
        }
    }

    fn found(body: &Value) -> Vec<String> {
        leaks(&answer(&[], body))
    }

    #[test]
    fn what_answers_have_is_no_leak() {
        let tokens = json!({
            "accessToken": BITS, "refreshToken": BITS, "tokenType": "Bearer",
            "user": { "id": "0195f6a0-8f5e-7c3a-9b1d-2f4e6a8c0d1e", "email": "a@example.com", "role": "ADMIN" },
        });
        let page = json!({ "items": [{ "firstName": "x".repeat(43), "version": 1 }], "nextCursor": BITS });
        let jwks = json!({ "keys": [{ "kty": "EC", "x": BITS, "y": BITS, "kid": BITS }] });
        let widget = json!({ "widgetKey": "wk_3f2b6c1d8e4a4f0b9c7d5e6f7a8b9c0d", "snippet": "<script src=\"…\">" });
        let described =
            json!({ "openapi": "3.1.0", "components": { "schemas": { "X": { "users": {}, "token": {} } } } });
        for body in [tokens, page, jwks, widget, described] {
            assert_eq!(found(&body), Vec::<String>::new());
        }
    }

    #[test]
    fn a_password_and_its_hash_are_leaks() {
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$v6mlh+b8ce71QVsyBbQPtw$oeyGNndi/CO+Yg0+DVseUy/7ptM1mtbt2DOMLcRRfL0";
        assert_eq!(found(&json!({ "passwordHash": null })), ["passwordHash"]);
        assert!(found(&json!({ "detail": hash })).contains(&"$argon2".to_owned()));
        assert_eq!(found(&json!({ "errors": [{ "detail": format!("{PASSWORD} is bad") }] })), [PASSWORD]);
        assert_eq!(found(&json!({ "password": "…" })), ["password"]);
    }

    #[test]
    fn a_token_of_a_mail_and_a_hash_are_leaks() {
        for text in [BITS.to_owned(), format!("http://localhost/accept-invitation?token={BITS}"), format!("no {BITS}.")]
        {
            assert_eq!(found(&json!({ "detail": text })), [format!("detail: {BITS}")]);
            assert_eq!(found(&json!({ "items": [text] })), [format!("items: {BITS}")]);
        }
        let key = format!("GLOBAL#TOKEN#{BITS}");
        assert_eq!(found(&json!({ "id": key })), ["GLOBAL#".to_owned(), format!("id: {BITS}")]);
        assert_eq!(found(&json!({ "token": "short" })), ["token"]);
    }

    #[test]
    fn an_attribute_of_a_row_is_a_leak_however_deep() {
        for name in INNER {
            assert_eq!(found(&json!({ "items": [{ "user": { name: 1 } }] })), [name], "{name}");
        }
        for key in ["PLATFORM#USER", "T#1#A#2#USER", "DUE#MAIL", "TAG_NAME#vip", "CONTACT_ORIGIN#hash"] {
            assert!(!found(&json!({ "detail": key })).is_empty(), "{key}");
        }
    }

    #[test]
    fn a_header_leaks_as_a_body_does() {
        let headers = [("x-debug", "GLOBAL#EMAIL")];
        assert_eq!(leaks(&answer(&headers, &Value::Null)), ["GLOBAL#"]);
    }
}
