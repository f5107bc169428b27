//! Domains of a client's website, and the key by which its widgets say whose they are.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::who::{RequestBuilder, Who};
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

fn register<'w>(who: &Who<'w>, client: &str, domain: &str) -> RequestBuilder<'w> {
    who.post(&format!("{client}/domains")).json(json!({ "domain": domain }))
}

fn own<'w>(shop: &SalonFixture<'w>, domain: &str) -> RequestBuilder<'w> {
    register(&shop.owner, &shop.spot.client, domain)
}

async fn key(shop: &SalonFixture<'_>) -> String {
    let widget = shop.owner.get(&format!("{}/widget", shop.spot.client)).is(200).await;
    widget.body["widgetKey"].as_str().unwrap().to_owned()
}

fn rotate<'w>(shop: &SalonFixture<'w>) -> RequestBuilder<'w> {
    shop.owner.post(&format!("{}/widget/rotate", shop.spot.client))
}

/// The row from which a request of a widget learns whose key it is.
async fn place(world: &World, key: &str) -> Option<Value> {
    world.rows().await.into_iter().find(|row| row["pk"] == format!("GLOBAL#WIDGET#{key}"))
}

// ── Domains ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_domain_is_kept_in_one_spelling() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (typed, kept) in [
        ("Shop.Example.COM", "shop.example.com"),
        (" *.Shop.example.com ", "*.shop.example.com"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("*.例え.テスト", "*.xn--r8jz45g.xn--zckzah"),
        ("mystore.github.io", "mystore.github.io"),
        ("example.co.uk", "example.co.uk"),
        ("LOCALHOST", "localhost"),
    ] {
        let made = own(&shop, typed).created().await;
        assert_eq!(made.body["domain"], kept);
        assert_eq!(made.body["clientId"], shop.spot.id("clientId"));
        assert_eq!(shop.owner.get(made.location()).is(200).await.body, made.body);
        for again in [typed, kept, &kept.to_uppercase()] {
            let refused = own(&shop, again).problem(409, "domain_taken").await;
            assert_eq!(refused.body["errors"][0]["pointer"], "/domain", "{refused}");
        }
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn what_is_no_domain_or_everybodys_is_refused() {
    let world = World::new().await;
    let shop = world.shop().await;
    for suffix in ["com", "*.com", "co.uk", "*.co.uk", "github.io", "*.github.io", "*.kawasaki.jp", "公司.cn", "*.ck"]
    {
        let refused = own(&shop, suffix).invalid(&["/domain"]).await;
        assert_eq!(refused.body["errors"][0]["code"], "public_suffix", "{suffix}");
    }
    let bad =
        ["", "*", "*.*.example.com", "https://example.com", "example.com/", "example.com:443", "127.0.0.1", "a b.com"];
    for bad in bad.into_iter().map(Value::from).chain([json!(null), json!(7), json!(["example.com"])]) {
        let ask = shop.owner.post(&format!("{}/domains", shop.spot.client)).json(json!({ "domain": bad }));
        ask.invalid(&["/domain"]).await;
    }
    shop.owner
        .post(&format!("{}/domains", shop.spot.client))
        .json(json!({ "name": "x" }))
        .invalid(&["/domain", "/name"])
        .await;
}

#[tokio::test]
async fn two_clients_may_have_the_same_domain() {
    let world = World::new().await;
    let (shop, beside) = (world.shop().await, world.shop().await);
    own(&shop, "shop.example.com").created().await;
    own(&beside, "shop.example.com").created().await;
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_register_a_domain_at_once_one_does() {
    let world = World::new().await;
    let shop = world.shop().await;
    for round in 0..5 {
        let spellings = [format!("b{round}ü.example"), format!("B{round}Ü.example"), format!(" b{round}ü.EXAMPLE")];
        let asks = spellings.iter().cycle().take(6).map(|domain| own(&shop, domain).contended().send());
        let answers = at_once(asks).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(refused.body["code"], "domain_taken", "{refused}");
        }
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn a_changed_domain_moves() {
    let world = World::new().await;
    let shop = world.shop().await;
    let domain = own(&shop, "old.example.com").created().await.location().to_owned();
    own(&shop, "taken.example.com").created().await;
    let patch = |to: &str| shop.owner.patch(&domain).json(json!({ "domain": to }));
    let moved = patch("NEW.example.com").header("if-match", "\"1\"").is(200).await;
    assert_eq!((&moved.body["domain"], &moved.body["version"]), (&json!("new.example.com"), &json!(2)));
    patch("taken.example.com").problem(409, "domain_taken").await;
    patch("co.uk").invalid(&["/domain"]).await;
    patch("third.example.com").header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    patch("new.Example.com").is(200).await;
    own(&shop, "old.example.com").created().await;
    let place = place(&world, &key(&shop).await).await.unwrap();
    assert!(!place["domains"].as_array().unwrap().contains(&json!("third.example.com")), "{place}");
    world.assert_whole().await;
}

#[tokio::test]
async fn a_client_has_fifty_domains_at_most() {
    let world = World::new().await;
    let shop = world.shop().await;
    for at in 1..50 {
        own(&shop, &format!("{at}.example.com")).created().await;
    }
    own(&shop, "one-more.example.com").problem(409, "too_many_domains").await;
    let moved = shop.owner.patch(&shop.spot.domain).json(json!({ "domain": "one-more.example.com" }));
    moved.is(200).await;
    shop.owner.delete(&shop.spot.domain).is(204).await;
    shop.owner.delete(&shop.spot.domain).problem(404, "not_found").await;
    own(&shop, "one-more.example.com").created().await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_client_that_holds_a_domain_is_not_empty() {
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
    world.assert_whole().await;
    register(&admin, &client, "shop.example.com").problem(404, "not_found").await;
    admin.post(&format!("{client}/widget/rotate")).problem(404, "not_found").await;
    let widgets = world.rows().await.into_iter().filter(|row| row["pk"].as_str().unwrap().contains("WIDGET"));
    assert_eq!(widgets.count(), 0, "its key goes with it");
}

#[tokio::test]
async fn a_domain_registered_twice_with_one_key_is_one() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ask = || own(&shop, "shop.example.com").header("idempotency-key", "one");
    let first = ask().created().await;
    let second = ask().send().await;
    assert_eq!((second.status.as_u16(), second.header("idempotency-replayed")), (201, "true"), "{second}");
    assert_eq!(second.body, first.body);
    own(&shop, "shop.example.com").header("idempotency-key", "two").problem(409, "domain_taken").await;
}

// ── The widgets' key ────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_widget_key_stands_in_the_snippet() {
    let world = World::new().await;
    let (shop, beside) = (world.shop().await, world.shop().await);
    let widget = shop.owner.get(&format!("{}/widget", shop.spot.client)).is(200).await;
    let key = widget.body["widgetKey"].as_str().unwrap();
    let digits = key.strip_prefix("wk_").unwrap();
    assert!(digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{key}");
    let snippet = widget.body["snippet"].as_str().unwrap();
    assert!(snippet.starts_with("<script src=\"http://localhost:3001/widgets/embed.js\""), "{snippet}");
    assert!(snippet.contains(&format!("data-widget-key=\"{key}\"")), "{snippet}");
    let other = beside.owner.get(&format!("{}/widget", beside.spot.client)).is(200).await;
    assert_ne!(other.body["widgetKey"], key);
}

#[tokio::test]
async fn a_rotated_key_takes_the_place_of_the_old_one() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = key(&shop).await;
    let old = place(&world, &before).await.expect("a place");
    let rotated = rotate(&shop).is(200).await;
    let after = key(&shop).await;
    assert_ne!(before, after);
    assert_eq!(rotated.body["widgetKey"], after);
    assert!(rotated.body["snippet"].as_str().unwrap().contains(&after), "{rotated}");
    assert_eq!(place(&world, &before).await, None);
    let new = place(&world, &after).await.expect("a place");
    for name in ["tenantId", "agencyId", "clientId", "domains"] {
        assert_eq!(new[name], old[name], "{name}");
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_domains_that_change_at_once_stay_whole() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut domain = shop.spot.domain.clone();
    for round in 0..20 {
        let new = format!("{}.example.com", Uuid::new_v4());
        let mut asks = vec![rotate(&shop), own(&shop, &new), shop.owner.delete(&domain), rotate(&shop)];
        asks.rotate_left(round % 4);
        let mut answers = at_once(asks.into_iter().map(|ask| ask.contended().send())).await;
        answers.rotate_right(round % 4);
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, [200, 201, 204, 200], "{answers:?}");
        answers[1].location().clone_into(&mut domain);
        world.assert_whole().await;
    }
}
