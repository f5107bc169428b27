//! The local server that `make run` starts: process, ports, data and shutdown.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use harness::http::{Reply, request};
use harness::world::program;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use uuid::Uuid;

const ADMIN: (&str, &str) = ("admin@example.com", "upzento-demo-admin");

/// A running local server. Dropping it kills it.
pub(super) struct Server {
    process: Child,
    pub(super) port: u16,
}

impl Server {
    /// Starts a server on free ports; on others if another process takes one of them meanwhile.
    pub(super) async fn start(data: &Path, settings: &[(&str, &str)]) -> Self {
        for _ in 0..5 {
            let mut server = Self::spawn(data, settings);
            if server.is_ready().await {
                return server;
            }
        }
        panic!("the local server ends");
    }

    fn spawn(data: &Path, settings: &[(&str, &str)]) -> Self {
        let (port, engine_port) = (free_ports(3), free_ports(1));
        let mut command = Command::new(program("local"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("PORT", port.to_string()).env("DYNAMODB_PORT", engine_port.to_string()).env("DATA_DIR", data);
        command.envs(settings.iter().copied()).stdout(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().expect("the local server starts");
        Self { process, port }
    }

    /// Waits until the server answers; false if it has ended.
    async fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_mins(1);
        while Instant::now() < deadline {
            if let Ok(reply) = request("GET", &self.url("/health"), None, &Value::Null).await
                && reply.status == 200
            {
                return true;
            }
            if self.process.try_wait().expect("its status is known").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the local server did not answer in time");
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn request(&self, method: &str, path: &str, token: Option<&str>, body: Value) -> Reply {
        request(method, &self.url(path), token, &body).await.expect("an answer")
    }

    pub(super) async fn sign_in(&self, (email, password): (&str, &str)) -> String {
        let login = json!({ "email": email, "password": password });
        let reply = self.request("POST", "/v1/auth/login", None, login).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json["accessToken"].as_str().expect("a token").to_owned()
    }

    async fn create(&self, token: &str, path: &str, body: Value) -> String {
        let reply = self.request("POST", path, Some(token), body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json["id"].as_str().expect("an id").to_owned()
    }

    /// Stops the server by SIGINT, as Ctrl-C does, and waits until it has exited.
    pub(super) async fn stop(mut self) {
        let id = self.process.id().expect("the server is running").to_string();
        let asked = Command::new("kill").args(["-INT", &id]).status().await.expect("kill runs");
        assert!(asked.success());
        let ended = tokio::time::timeout(Duration::from_secs(20), self.process.wait()).await;
        assert!(ended.expect("it stops in time").expect("its status is known").success());
    }
}

/// The first of several free ports in a row.
///
/// Below the ports that the system gives to outgoing connections, of which the tests make many.
fn free_ports(count: u16) -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let random = || 20_000 + u16::from_be_bytes([Uuid::new_v4().as_bytes()[0], Uuid::new_v4().as_bytes()[1]]) % 12_000;
    let mut candidates = std::iter::repeat_with(random).take(1000);
    candidates.find(|first| (*first..first + count).all(is_free)).expect("free ports")
}

pub(super) fn data_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Creates a contact in a new client and returns its path.
async fn create_contact(server: &Server, token: &str) -> String {
    let tenant = server.create(token, "/v1/tenants", json!({ "name": "Tour" })).await;
    let agency = server.create(token, &format!("/v1/tenants/{tenant}/agencies"), json!({ "name": "Guides" })).await;
    let client = server.create(token, &format!("/v1/agencies/{agency}/clients"), json!({ "name": "Cafe" })).await;
    let contacts = format!("/v1/clients/{client}/contacts");
    let contact = server.create(token, &contacts, json!({ "firstName": "Ada", "lastName": "Lovelace" })).await;
    format!("{contacts}/{contact}")
}

#[tokio::test]
async fn data_persists_across_restart() {
    let data = data_folder();
    let server = Server::start(data.path(), &[("SEED", "empty")]).await;
    let token = server.sign_in(ADMIN).await;
    let contact = create_contact(&server, &token).await;
    let before = server.request("GET", &contact, Some(&token), Value::Null).await;
    server.stop().await;
    let server = Server::start(data.path(), &[("SEED", "empty")]).await;
    let after = server.request("GET", &contact, Some(&token), Value::Null).await;
    assert_eq!((after.status, after.json), (200, before.json));
    server.stop().await;
}

#[tokio::test]
async fn demo_data_has_each_role_and_is_created_once() {
    let data = data_folder();
    let server = Server::start(data.path(), &[]).await;
    for email in ["agency-user@bright.example", "client-admin@bakery.example", "client-user@bakery.example"] {
        server.sign_in((email, "upzento-demo")).await;
    }
    server.stop().await;
    let server = Server::start(data.path(), &[]).await;
    let token = server.sign_in(ADMIN).await;
    let tenants = server.request("GET", "/v1/tenants", Some(&token), Value::Null).await;
    assert_eq!(tenants.json["items"].as_array().map(Vec::len), Some(1), "{tenants:?}");
    server.stop().await;
}

#[tokio::test]
async fn local_clock_applies_to_every_function() {
    let data = data_folder();
    let server = Server::start(data.path(), &[("SEED", "empty")]).await;
    let token = server.sign_in(ADMIN).await;
    let moved = server.request("PUT", "/_local/clock", None, json!({ "advanceSeconds": 3600 })).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert_eq!(server.request("GET", "/v1/tenants", Some(&token), Value::Null).await.status, 401);
    server.request("PUT", "/_local/clock", None, json!({ "reset": true })).await;
    assert_eq!(server.request("GET", "/v1/tenants", Some(&token), Value::Null).await.status, 200);
    let set = server.request("PUT", "/_local/clock", None, json!({ "now": "2026-03-08T06:30:00Z" })).await;
    assert!(set.json["now"].as_str().expect("the time").starts_with("2026-03-08T06:30:0"), "{set:?}");
    assert_eq!(server.request("PUT", "/_local/clock", None, json!({ "then": 1 })).await.status, 422);
    server.stop().await;
}

#[tokio::test]
async fn outbox_is_listed_and_schedules_are_fired() {
    let data = data_folder();
    let server = Server::start(data.path(), &[("SEED", "empty")]).await;
    let outbox = server.request("GET", "/_local/outbox", None, Value::Null).await;
    assert_eq!((outbox.status, outbox.json), (200, json!([])));
    let tick = server.request("POST", "/_local/tick", None, Value::Null).await;
    let schedules = harness::world::TEMPLATE.functions.values().flat_map(|function| &function.schedules);
    let enabled = schedules.filter(|schedule| schedule.enabled).count();
    assert_eq!((tick.status, tick.json["fired"].as_array().map(Vec::len)), (200, Some(enabled)), "{tick:?}");
    server.stop().await;
}

#[tokio::test]
async fn compiled_functions_serve_the_api() {
    let data = data_folder();
    let server = Server::start(data.path(), &[("SEED", "empty"), ("MODE", "lambda")]).await;
    let token = server.sign_in(ADMIN).await;
    let contact = create_contact(&server, &token).await;
    let read = server.request("GET", &contact, Some(&token), Value::Null).await;
    assert_eq!((read.status, &read.json["firstName"]), (200, &json!("Ada")));
    assert_eq!(server.request("GET", "/openapi.json", None, Value::Null).await.status, 200);
    assert_eq!(server.request("GET", "/unknown", None, Value::Null).await.json["code"], "not_found");
    server.stop().await;
}

#[tokio::test]
async fn external_engine_is_used_for_the_table() {
    let data = data_folder();
    let endpoint = harness::world::engine_endpoint();
    let server = Server::start(data.path(), &[("SEED", "empty"), ("DYNAMODB_ENDPOINT", &endpoint)]).await;
    server.sign_in(ADMIN).await;
    server.stop().await;
    let mut files: Vec<PathBuf> = std::fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files, ["format", "keys.json"].map(|name| data.path().join(name)));
}

/// Checks that mail is sent by the table's stream, without a schedule being fired.
async fn assert_mail_arrives(settings: &[(&str, &str)]) {
    let data = data_folder();
    let settings = [&[("SEED", "empty")], settings].concat();
    let server = Server::start(data.path(), &settings).await;
    server.request("POST", "/v1/auth/password/forgot", None, json!({ "email": ADMIN.0 })).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    let mail = loop {
        let outbox = server.request("GET", "/_local/outbox", None, Value::Null).await.json;
        if let Some(mail) = outbox.as_array().and_then(|mails| mails.first()) {
            break mail.clone();
        }
        assert!(Instant::now() < deadline, "no mail in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&mail["to"], &mail["subject"]), (&json!([ADMIN.0]), &json!("Choose a new password for Upzento CRM")));
    let link = format!("http://localhost:{}/reset-password?token=", server.port + 2);
    assert!(mail["text"].as_str().unwrap().contains(&link), "{mail}");
    server.stop().await;
}

#[tokio::test]
async fn mail_is_sent_to_the_outbox_by_the_stream() {
    assert_mail_arrives(&[]).await;
}

#[tokio::test]
async fn compiled_functions_send_mail_by_the_stream() {
    assert_mail_arrives(&[("MODE", "lambda")]).await;
}
