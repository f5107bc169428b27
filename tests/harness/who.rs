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
    pub fn get(&self, path: &str) -> Ask<'w> {
        self.ask(Method::GET, path)
    }

    /// A `POST`.
    pub fn post(&self, path: &str) -> Ask<'w> {
        self.ask(Method::POST, path)
    }

    /// A `PATCH`.
    pub fn patch(&self, path: &str) -> Ask<'w> {
        self.ask(Method::PATCH, path)
    }

    /// A `DELETE`.
    pub fn delete(&self, path: &str) -> Ask<'w> {
        self.ask(Method::DELETE, path)
    }

    /// Any request.
    pub fn ask(&self, method: Method, path: &str) -> Ask<'w> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        Ask {
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
pub struct Ask<'w> {
    who: Who<'w>,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
    contended: bool,
    from: IpAddr,
}

impl Ask<'_> {
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

/// What an answer shows of the inside: attributes of rows, keys, or a password.
fn leaks(answer: &Answer) -> Vec<String> {
    let mut found: Vec<String> = ["passwordHash", "$argon2", PASSWORD, "GLOBAL#", "PLATFORM#", "T#", "DUE#"]
        .into_iter()
        .filter(|secret| answer.text.contains(secret) && !answer.header("content-type").contains("javascript"))
        .map(str::to_owned)
        .collect();
    collect_attributes(&answer.body, &mut found);
    found
}

/// Attributes of rows that no answer has.
const INNER: [&str; 10] = ["pk", "sk", "sv", "ttl", "due_pk", "due_sk", "epoch", "generation", "sealed", "bodyHash"];

fn collect_attributes(body: &Value, found: &mut Vec<String>) {
    match body {
        Value::Object(members) => {
            let inner = members.keys().filter(|name| INNER.contains(&name.as_str())).cloned();
            found.extend(inner);
            members.values().for_each(|member| collect_attributes(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_attributes(item, found)),
        _ => {}
    }
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
