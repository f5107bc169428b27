//! Domains of a client's website, and the widget key that identifies the client.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::{RequestBuilder, TestUser};
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

fn register<'w>(user: &TestUser<'w>, client: &str, domain: &str) -> RequestBuilder<'w> {
    user.post(&format!("{client}/domains")).json(json!({ "domain": domain }))
}

fn register_own<'w>(shop: &SalonFixture<'w>, domain: &str) -> RequestBuilder<'w> {
    register(&shop.owner, &shop.paths.client, domain)
}

async fn key(shop: &SalonFixture<'_>) -> String {
    let widget = shop.owner.get(&format!("{}/widget", shop.paths.client)).is(200).await;
    widget.body["widgetKey"].as_str().unwrap().to_owned()
}

fn rotate<'w>(shop: &SalonFixture<'w>) -> RequestBuilder<'w> {
    shop.owner.post(&format!("{}/widget/rotate", shop.paths.client))
}

/// The pointer row that maps a widget key to its client.
async fn key_pointer(world: &World, key: &str) -> Option<Value> {
    world.rows().await.into_iter().find(|row| row["pk"] == format!("GLOBAL#WIDGET#{key}"))
}

// ── Domains ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn domain_is_stored_in_normalized_form() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (input, normalized) in [
        ("Shop.Example.COM", "shop.example.com"),
        (" *.Shop.example.com ", "*.shop.example.com"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("*.例え.テスト", "*.xn--r8jz45g.xn--zckzah"),
        ("mystore.github.io", "mystore.github.io"),
        ("example.co.uk", "example.co.uk"),
        ("LOCALHOST", "localhost"),
    ] {
        let made = register_own(&shop, input).created().await;
        assert_eq!(made.body["domain"], normalized);
        assert_eq!(made.body["clientId"], shop.paths.id("clientId"));
        assert_eq!(shop.owner.get(made.location()).is(200).await.body, made.body);
        for spelling in [input, normalized, &normalized.to_uppercase()] {
            let refused = register_own(&shop, spelling).problem(409, "domain_taken").await;
            assert_eq!(refused.body["errors"][0]["pointer"], "/domain", "{refused}");
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_domain_or_public_suffix_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    for suffix in ["com", "*.com", "co.uk", "*.co.uk", "github.io", "*.github.io", "*.kawasaki.jp", "公司.cn", "*.ck"]
    {
        let refused = register_own(&shop, suffix).invalid(&["/domain"]).await;
        assert_eq!(refused.body["errors"][0]["code"], "public_suffix", "{suffix}");
    }
    let invalid =
        ["", "*", "*.*.example.com", "https://example.com", "example.com/", "example.com:443", "127.0.0.1", "a b.com"];
    for invalid in invalid.into_iter().map(Value::from).chain([json!(null), json!(7), json!(["example.com"])]) {
        let request = shop.owner.post(&format!("{}/domains", shop.paths.client)).json(json!({ "domain": invalid }));
        request.invalid(&["/domain"]).await;
    }
    shop.owner
        .post(&format!("{}/domains", shop.paths.client))
        .json(json!({ "name": "x" }))
        .invalid(&["/domain", "/name"])
        .await;
}

#[tokio::test]
async fn two_clients_can_register_the_same_domain() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    register_own(&shop, "shop.example.com").created().await;
    register_own(&other, "shop.example.com").created().await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_registrations_of_one_domain_succeed_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    for round in 0..5 {
        let spellings = [format!("b{round}ü.example"), format!("B{round}Ü.example"), format!(" b{round}ü.EXAMPLE")];
        let requests = spellings.iter().cycle().take(6).map(|domain| register_own(&shop, domain).contended().send());
        let answers = at_once(requests).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(refused.body["code"], "domain_taken", "{refused}");
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn changed_domain_releases_the_old_one() {
    let world = World::new().await;
    let shop = world.shop().await;
    let domain = register_own(&shop, "old.example.com").created().await.location().to_owned();
    register_own(&shop, "taken.example.com").created().await;
    let patch = |to: &str| shop.owner.patch(&domain).json(json!({ "domain": to }));
    let moved = patch("NEW.example.com").header("if-match", "\"1\"").is(200).await;
    assert_eq!((&moved.body["domain"], &moved.body["version"]), (&json!("new.example.com"), &json!(2)));
    patch("taken.example.com").problem(409, "domain_taken").await;
    patch("co.uk").invalid(&["/domain"]).await;
    patch("third.example.com").header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    patch("new.Example.com").is(200).await;
    register_own(&shop, "old.example.com").created().await;
    let pointer = key_pointer(&world, &key(&shop).await).await.unwrap();
    assert!(!pointer["domains"].as_array().unwrap().contains(&json!("third.example.com")), "{pointer}");
    world.assert_consistent().await;
}

#[tokio::test]
async fn client_has_at_most_50_domains() {
    let world = World::new().await;
    let shop = world.shop().await;
    for at in 1..50 {
        register_own(&shop, &format!("{at}.example.com")).created().await;
    }
    register_own(&shop, "one-more.example.com").problem(409, "too_many_domains").await;
    let moved = shop.owner.patch(&shop.paths.domain).json(json!({ "domain": "one-more.example.com" }));
    moved.is(200).await;
    shop.owner.delete(&shop.paths.domain).is(204).await;
    shop.owner.delete(&shop.paths.domain).problem(404, "not_found").await;
    register_own(&shop, "one-more.example.com").created().await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn client_with_a_domain_cannot_be_deleted() {
    let world = World::new().await;
    let admin = world.admin().await;
    let name = json!({ "name": "Northwind" });
    let tenant = admin.post("/v1/tenants").json(&name).created().await.location().to_owned();
    let agency = admin.post(&format!("{tenant}/agencies")).json(&name).created().await.location().to_owned();
    let client = admin.post(&format!("{agency}/clients")).json(&name).created().await.location().to_owned();
    let domain = register(&admin, &client, "shop.example.com").created().await.location().to_owned();
    admin.delete(&client).problem(409, "not_empty").await;
    admin.delete(&domain).is(204).await;
    admin.delete(&client).is(204).await;
    world.assert_consistent().await;
    register(&admin, &client, "shop.example.com").problem(404, "not_found").await;
    admin.post(&format!("{client}/widget/rotate")).problem(404, "not_found").await;
    let widgets = world.rows().await.into_iter().filter(|row| row["pk"].as_str().unwrap().contains("WIDGET"));
    assert_eq!(widgets.count(), 0, "the widget key is deleted with its client");
}

#[tokio::test]
async fn registration_with_the_same_idempotency_key_is_replayed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let request = || register_own(&shop, "shop.example.com").header("idempotency-key", "one");
    let first = request().created().await;
    let second = request().send().await;
    assert_eq!((second.status.as_u16(), second.header("idempotency-replayed")), (201, "true"), "{second}");
    assert_eq!(second.body, first.body);
    register_own(&shop, "shop.example.com").header("idempotency-key", "two").problem(409, "domain_taken").await;
}

// ── Widget key ──────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn widget_key_is_part_of_the_snippet() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let widget = shop.owner.get(&format!("{}/widget", shop.paths.client)).is(200).await;
    let key = widget.body["widgetKey"].as_str().unwrap();
    let digits = key.strip_prefix("wk_").unwrap();
    assert!(digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{key}");
    let snippet = widget.body["snippet"].as_str().unwrap();
    assert!(snippet.starts_with("<script src=\"http://localhost:3001/widgets/embed.js\""), "{snippet}");
    assert!(snippet.contains(&format!("<upzento-booking widget-key=\"{key}\">")), "{snippet}");
    let other_widget = other.owner.get(&format!("{}/widget", other.paths.client)).is(200).await;
    assert_ne!(other_widget.body["widgetKey"], key);
}

#[tokio::test]
async fn rotated_widget_key_replaces_the_old_one() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = key(&shop).await;
    let old = key_pointer(&world, &before).await.expect("a pointer row");
    let rotated = rotate(&shop).is(200).await;
    let after = key(&shop).await;
    assert_ne!(before, after);
    assert_eq!(rotated.body["widgetKey"], after);
    assert!(rotated.body["snippet"].as_str().unwrap().contains(&after), "{rotated}");
    assert_eq!(key_pointer(&world, &before).await, None);
    let new = key_pointer(&world, &after).await.expect("a pointer row");
    for name in ["tenantId", "agencyId", "clientId", "domains"] {
        assert_eq!(new[name], old[name], "{name}");
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_key_and_domain_changes_stay_consistent() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut domain = shop.paths.domain.clone();
    for round in 0..20 {
        let new = format!("{}.example.com", Uuid::new_v4());
        let mut requests = vec![rotate(&shop), register_own(&shop, &new), shop.owner.delete(&domain), rotate(&shop)];
        requests.rotate_left(round % 4);
        let mut answers = at_once(requests.into_iter().map(|request| request.contended().send())).await;
        answers.rotate_right(round % 4);
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, [200, 201, 204, 200], "{answers:?}");
        answers[1].location().clone_into(&mut domain);
        world.assert_consistent().await;
    }
}
