//! Which pages may use a widget, and what they may read.

use harness::users::Answer;
use harness::world::World;
use lambda_http::http::Method;
use serde_json::json;

use crate::widget_site::{ORIGIN, OWN_ORIGIN, Website, booking};

const CORS: [&str; 4] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
];

fn has_cors(answer: &Answer) -> bool {
    CORS.iter().any(|name| answer.headers.contains_key(*name))
}

#[tokio::test]
async fn registered_origin_is_echoed_without_credentials() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let config = site.get("/config").is(200).await;
    assert_eq!(config.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(config.header("vary"), "Origin");
    assert!(!config.headers.contains_key("access-control-allow-credentials"));
    let policy = config.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; frame-ancestors ") && policy.ends_with(" www.salon.example:*"),
        "{policy}"
    );

    let preflight = site.request(Method::OPTIONS, "/appointments").header("access-control-request-method", "POST");
    let preflight = preflight.is(204).await;
    assert_eq!(preflight.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(preflight.header("access-control-max-age"), "300");
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        "authorization, captcha-response, content-type, idempotency-key"
    );
    assert_eq!(preflight.header("vary"), "Origin");
}

#[tokio::test]
async fn other_origin_is_refused_without_cors_headers() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    for origin in ["https://salon.example", "https://evil-www.salon.example", "null", "https://WWW.salon.example"] {
        let preflight = site.request_from(Some(origin), Method::OPTIONS, "/config");
        let preflight = preflight.header("access-control-request-method", "GET");
        let page = site.request_from(Some(origin), Method::GET, "/booking");
        for request in [preflight, site.request_from(Some(origin), Method::GET, "/config"), page] {
            let refused = request.problem(403, "domain_not_authorized").await;
            assert!(!has_cors(&refused), "{refused}");
            assert_eq!(refused.header("vary"), "Origin");
            assert!(refused.header("content-security-policy").ends_with(" www.salon.example:*"));
            assert!(!refused.headers.contains_key("x-frame-options"));
        }
    }
}

#[tokio::test]
async fn request_without_origin_reads_and_does_not_write() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let service = site.salon.service(json!({})).await;
    let config = site.request_from(None, Method::GET, "/config").is(200).await;
    assert!(!has_cors(&config), "{config}");
    assert_eq!(config.header("vary"), "Origin");
    let write = site.request_from(None, Method::POST, "/appointments");
    let write = write.json(booking(&service, "2026-03-02T10:00:00Z"));
    let refused = write.problem(403, "domain_not_authorized").await;
    assert!(!has_cors(&refused), "{refused}");
}

#[tokio::test]
async fn own_origin_of_the_widget_api_is_allowed() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let config = site.request_from(Some(OWN_ORIGIN), Method::GET, "/config").is(200).await;
    assert_eq!(config.header("access-control-allow-origin"), OWN_ORIGIN);
    // A browser sends no origin with a GET of the hosted page, but sends it with a write.
    let config = site.request_from(None, Method::GET, "/config").is(200).await;
    let token = format!("Bearer {}", config.body["sessionToken"].as_str().unwrap());
    let hold = site.request_from(Some(OWN_ORIGIN), Method::POST, "/holds").header("authorization", &token);
    hold.json(json!({})).invalid(&["/serviceId", "/startTime"]).await;
}

#[tokio::test]
async fn unknown_widget_key_is_not_found_and_never_framed() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    for key in ["wk_00000000000000000000000000000000", "wk_x", "null"] {
        for page in ["config", "booking"] {
            let visitor = world.anonymous();
            let request = visitor.get(&format!("/widgets/{key}/{page}")).header("origin", ORIGIN);
            let missing = request.problem(404, "not_found").await;
            assert!(!has_cors(&missing), "{missing}");
            assert!(missing.header("content-security-policy").ends_with("frame-ancestors 'none'"), "{missing}");
        }
    }
    let domains = site.salon.owner().get(&format!("{}/domains", site.salon.client)).is(200).await;
    for domain in domains.body["items"].as_array().unwrap() {
        let path = format!("{}/domains/{}", site.salon.client, domain["id"].as_str().unwrap());
        site.salon.owner().delete(&path).is(204).await;
    }
    site.get("/config").problem(403, "domain_not_authorized").await;
}

#[tokio::test]
async fn errors_of_a_registered_origin_can_be_read_by_its_page() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let refused = site.request(Method::POST, "/holds").json(json!({})).problem(401, "unauthenticated").await;
    assert_eq!(refused.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(
        refused.header("access-control-expose-headers"),
        "idempotency-replayed, location, retry-after, x-request-id"
    );
    let refused = site.request(Method::PUT, "/config").problem(405, "method_not_allowed").await;
    assert_eq!((refused.header("access-control-allow-origin"), refused.header("allow")), (ORIGIN, "GET,HEAD"));
}

#[tokio::test]
async fn session_token_is_bound_to_key_origin_and_time() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let wildcard = json!({ "domain": "*.salon.example" });
    site.salon.owner().post(&format!("{}/domains", site.salon.client)).json(wildcard).created().await;
    let visit = site.visit().await;
    let bearer = format!("Bearer {}", visit.token);
    let other_origin = site.request_from(Some("https://shop.salon.example"), Method::POST, "/holds");
    other_origin.header("authorization", &bearer).json(json!({})).problem(401, "unauthenticated").await;
    let other = Website::open(&world).await;
    let other_key = other.request(Method::POST, "/holds").header("authorization", &bearer);
    other_key.json(json!({})).problem(401, "unauthenticated").await;
    visit.post("/holds", &json!({})).invalid(&["/serviceId", "/startTime"]).await;
    world.clock().advance(3 * 60 * 60);
    visit.post("/holds", &json!({})).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn config_services_and_staff_show_the_public_minimum() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let salon = &site.salon;
    let brand = json!({ "displayName": "Salon Ada", "color": "#2f855a", "logoUrl": "https://salon.example/logo.svg" });
    let change = json!({ "brand": brand, "timeZone": "Europe/Berlin", "language": "de", "currency": "EUR" });
    salon.owner().patch(&salon.client).json(change).is(200).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({ "name": "Grace" })).await);
    salon.service(json!({ "name": "Hidden", "bookableOnline": false })).await;
    salon.staff(json!({ "name": "Gone", "active": false })).await;

    let config = site.get("/config").is(200).await;
    let mut body = config.body.clone();
    let fixture = salon.shop.paths.id("serviceId");
    body["services"].as_array_mut().unwrap().retain(|service| service["id"] != fixture);
    let shown = json!({
        "id": service, "name": "Haircut", "duration": 60, "price": 40, "currency": "EUR", "horizonDays": 60,
    });
    assert_eq!(
        body,
        json!({
            "brand": { "displayName": "Salon Ada", "color": "#2f855a", "logoUrl": "https://salon.example/logo.svg" },
            "timeZone": "Europe/Berlin", "language": "de", "languages": ["en", "de"], "services": [shown], "captcha": null,
            "sessionToken": config.body["sessionToken"], "sessionExpiresAt": config.body["sessionExpiresAt"],
        })
    );
    assert!(config.body["sessionExpiresAt"].as_str().unwrap().starts_with("2026-03-01T14:00:0"), "{config}");
    assert_eq!(config.calls.len(), 3, "two sequential round trips: the pointer, then the client and the services");

    let services = site.get("/services").is(200).await;
    assert_eq!(services.body["items"], config.body["services"]);
    let everyone = site.get("/staff").is(200).await;
    let listed = site.get(&format!("/staff?serviceId={service}")).is(200).await;
    assert_eq!(everyone.body, listed.body, "the service lists no staff members: all of them offer it");
    let listed: Vec<_> =
        listed.body["items"].as_array().unwrap().iter().filter(|member| member["id"] == staff).collect();
    assert_eq!(listed, [&json!({ "id": staff, "name": "Grace", "timeZone": "UTC" })]);
}

#[tokio::test]
async fn service_that_is_not_bookable_online_does_not_exist_for_visitors() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let service = site.salon.service(json!({ "bookableOnline": false })).await;
    site.salon.staff(json!({})).await;
    let range = "from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z";
    site.get(&format!("/availability?serviceId={service}&{range}")).invalid(&["/serviceId"]).await;
    site.get(&format!("/staff?serviceId={service}")).invalid(&["/serviceId"]).await;
    let visit = site.visit().await;
    visit.hold(&service, None, "2026-03-02T10:00:00Z").invalid(&["/serviceId"]).await;
    visit.book(&booking(&service, "2026-03-02T10:00:00Z")).invalid(&["/serviceId"]).await;
}

#[tokio::test]
async fn pages_have_a_strict_policy_and_no_data() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let page = site.request_from(None, Method::GET, "/booking").is(200).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = "default-src 'none'; img-src https:; base-uri 'none'; form-action 'none'; script-src 'self'; \
                  connect-src 'self'; frame-ancestors ";
    assert!(page.header("content-security-policy").starts_with(policy), "{page}");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.text.contains(&format!("widget-key=\"{}\"", site.key)), "{}", page.text);
    for (accepted, language) in [("de-AT,en;q=0.8", "de"), ("fr, en;q=0.5", "en"), ("fr", "en")] {
        let page = site.request_from(None, Method::GET, "/booking").header("accept-language", accepted).is(200).await;
        assert!(page.text.contains(&format!("<html lang=\"{language}\">")), "{accepted}: {}", page.text);
    }
    assert!(!page.text.contains("<style") && !page.text.contains("style="), "{}", page.text);
    let id = uuid::Uuid::now_v7();
    let manage = format!("/manage/{id}?token=%22%3E%3Cscript%3E&utm_source=mail");
    let page = site.request_from(None, Method::GET, &manage).is(200).await;
    assert!(page.text.contains(&id.to_string()) && !page.text.contains("\"><script>"), "{}", page.text);
}

#[tokio::test]
async fn script_is_cached_by_its_content() {
    let world = World::new().await;
    let script = world.anonymous().get("/widgets/embed.js").is(200).await;
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(script.header("cache-control"), "public, max-age=3600, stale-while-revalidate=86400");
    let tag = script.header("etag").to_owned();
    world.anonymous().get("/widgets/embed.js").header("if-none-match", &tag).is(304).await;
    world.anonymous().get("/widgets/embed.js?ver=6.4.1").is(200).await;
    let gzipped = world.anonymous().get("/widgets/embed.js").header("accept-encoding", "gzip").is(200).await;
    assert_eq!(gzipped.header("content-encoding"), "gzip");
}
