//! CAPTCHA verification of bookings and leads, with a provider on this machine.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Form, Json, Router};
use harness::world::{World, local_config};
use infra::local::modules::LocalConfig;
use lambda_http::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use widgets::CaptchaConfig;

use crate::widget_site::{Website, booking};

/// The responses that were verified already.
type Used = Arc<Mutex<HashSet<String>>>;

#[derive(Deserialize)]
struct Verification {
    secret: String,
    response: String,
}

/// Accepts each response that begins with `solved` once, as the providers do.
async fn site_verify(State(used): State<Used>, Form(form): Form<Verification>) -> Json<Value> {
    let is_new = used.lock().unwrap().insert(form.response.clone());
    if form.secret != "shh" {
        return Json(json!({ "success": false, "error-codes": ["invalid-input-secret"] }));
    }
    let success = form.response.starts_with("solved") && is_new;
    let errors = if success { vec![] } else { vec!["invalid-input-response"] };
    Json(json!({ "success": success, "error-codes": errors }))
}

/// The configuration of an account at a provider with this URL.
fn account(verify_url: &str, secret: &str) -> LocalConfig {
    let variables = [
        ("CAPTCHA_PROVIDER", "turnstile"),
        ("CAPTCHA_SITE_KEY", "site-key"),
        ("CAPTCHA_SECRET", secret),
        ("CAPTCHA_VERIFY_URL", verify_url),
    ];
    let value = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    LocalConfig { captcha: CaptchaConfig::from_variables(value).unwrap(), ..local_config() }
}

async fn world_with_provider() -> World {
    world_with_secret("shh").await
}

async fn world_with_secret(secret: &str) -> World {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/verify", listener.local_addr().unwrap());
    let provider = Router::new().route("/verify", post(site_verify)).with_state(Used::default());
    tokio::spawn(async move { axum::serve(listener, provider).await });
    World::with_config(&account(&url, secret)).await
}

/// A website with a service of Ann.
async fn site_with_service(world: &World) -> (Website<'_>, String) {
    let site = Website::open(world).await;
    let service = site.salon.service(json!({})).await;
    site.salon.staff(json!({})).await;
    (site, service)
}

#[tokio::test]
async fn configuration_has_the_challenge_only_if_one_is_required() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    assert_eq!(site.get("/config").is(200).await.body["captcha"], Value::Null);
    let world = world_with_provider().await;
    let site = Website::open(&world).await;
    let challenge = json!({
        "provider": "turnstile", "siteKey": "site-key",
        "scriptUrl": "https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit",
    });
    assert_eq!(site.get("/config").is(200).await.body["captcha"], challenge);
}

#[tokio::test]
async fn booking_requires_an_accepted_response() {
    let world = world_with_provider().await;
    let (site, service) = site_with_service(&world).await;
    let visit = site.visit().await;
    let body = booking(&service, "2026-03-02T10:00:00Z");
    visit.book(&body).problem(403, "captcha_failed").await;
    visit.book(&body).header("captcha-response", "guessed").problem(403, "captcha_failed").await;
    visit.book(&body).header("captcha-response", "solved 1").is(201).await;
    let next = booking(&service, "2026-03-02T12:00:00Z");
    visit.book(&next).header("captcha-response", "solved 1").problem(403, "captcha_failed").await;
    visit.book(&next).header("captcha-response", "solved 2").is(201).await;
}

#[tokio::test]
async fn lead_requires_an_accepted_response() {
    let world = world_with_provider().await;
    let site = Website::open(&world).await;
    let visit = site.visit().await;
    let lead = json!({ "firstName": "Ada", "email": "ada@example.com", "openDeal": false });
    visit.post("/leads", &lead).problem(403, "captcha_failed").await;
    visit.post("/leads", &lead).header("captcha-response", "solved").is(201).await;
}

#[tokio::test]
async fn hold_requires_no_response() {
    let world = world_with_provider().await;
    let (site, service) = site_with_service(&world).await;
    site.visit().await.hold(&service, None, "2026-03-02T10:00:00Z").is(201).await;
}

#[tokio::test]
async fn repeated_booking_is_replayed_with_a_used_or_another_response() {
    let world = world_with_provider().await;
    let (site, service) = site_with_service(&world).await;
    let visit = site.visit().await;
    let body = booking(&service, "2026-03-02T10:00:00Z");
    let book = |response| visit.book(&body).header("idempotency-key", "k").header("captcha-response", response);
    let first = book("solved 1").is(201).await;
    for response in ["solved 1", "solved 2", "guessed"] {
        assert_eq!(book(response).is(201).await.id(), first.id(), "{response}");
    }
}

#[tokio::test]
async fn invalid_form_does_not_use_up_the_response() {
    let world = world_with_provider().await;
    let (site, service) = site_with_service(&world).await;
    let visit = site.visit().await;
    let mut body = booking(&service, "2026-03-02T10:00:00Z");
    body["email"] = json!("ada");
    visit.book(&body).header("captcha-response", "solved").problem(422, "invalid").await;
    visit.book(&booking(&service, "2026-03-02T10:00:00Z")).header("captcha-response", "solved").is(201).await;
}

#[tokio::test]
async fn provider_that_cannot_be_asked_is_503() {
    // No server listens on this port any more.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let world = World::with_config(&account(&format!("http://127.0.0.1:{port}/verify"), "shh")).await;
    let (site, service) = site_with_service(&world).await;
    let body = booking(&service, "2026-03-02T10:00:00Z");
    let visit = site.visit().await;
    visit.book(&body).header("captcha-response", "solved").problem(503, "unavailable").await;
}

#[tokio::test]
async fn wrong_secret_of_the_account_is_503_and_not_the_fault_of_the_visitor() {
    let world = world_with_secret("wrong").await;
    let (site, service) = site_with_service(&world).await;
    let body = booking(&service, "2026-03-02T10:00:00Z");
    site.visit().await.book(&body).header("captcha-response", "solved").problem(503, "unavailable").await;
}

#[tokio::test]
async fn booking_page_allows_the_sources_of_the_provider() {
    let world = world_with_provider().await;
    let site = Website::open(&world).await;
    let page = site.request_from(None, Method::GET, "/booking").is(200).await;
    let policy = page.header("content-security-policy").to_owned();
    for source in
        ["script-src 'self' https://challenges.cloudflare.com;", "frame-src https://challenges.cloudflare.com;"]
    {
        assert!(policy.contains(source), "{policy}");
    }
}
