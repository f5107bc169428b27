//! What holds on every route, shown on contacts and tenants.

use std::collections::HashSet;

use harness::at_once;
use harness::tree::SalonFixture;
use harness::who::{Answer, RequestBuilder};
use harness::world::{PASSWORD, World};
use lambda_http::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

fn ada() -> Value {
    json!({ "firstName": "Ada", "lastName": "Lovelace" })
}

async fn create_ada(shop: &SalonFixture<'_>) -> Answer {
    shop.owner.post(&shop.contacts).json(ada()).created().await
}

// ── Bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn an_unknown_field_is_refused_by_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    let body = json!({ "firstName": "Ada", "lastName": "Lovelace", "firstNmae": "Ada" });
    shop.owner.post(&shop.contacts).json(body).invalid(&["/firstNmae"]).await;
}

#[tokio::test]
async fn a_field_that_the_server_writes_is_unknown_in_a_request() {
    let world = World::new().await;
    let shop = world.shop().await;
    let body = json!({ "firstName": "Ada", "lastName": "Lovelace", "id": Uuid::new_v4(), "version": 7 });
    shop.owner.post(&shop.contacts).json(body).invalid(&["/id", "/version"]).await;
}

#[tokio::test]
async fn every_field_at_fault_is_named_at_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let body = json!({ "lastName": "", "email": "nobody", "phone": "12", "company": 7, "tagIds": ["x"], "typo": 1 });
    let named = ["/firstName", "/lastName", "/email", "/phone", "/company", "/tagIds/0", "/typo"];
    shop.owner.post(&shop.contacts).json(body).invalid(&named).await;
}

#[tokio::test]
async fn a_field_at_fault_has_a_code_and_a_sentence() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answer = shop.owner.post(&shop.contacts).json(json!({ "firstName": "Ada" })).invalid(&["/lastName"]).await;
    assert_eq!(answer.body["errors"], json!([{ "pointer": "/lastName", "code": "required", "detail": "is required" }]));
}

#[tokio::test]
async fn a_refused_create_leaves_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = world.rows().await.len();
    shop.owner.post(&shop.contacts).json(json!({ "firstName": "Ada" })).is(422).await;
    assert_eq!(world.rows().await.len(), before);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    for body in ["", "{", "{'firstName': 'Ada'}", "{\"firstName\": \"Ada\"} x", &"[".repeat(1000)] {
        shop.owner.post(&shop.contacts).body("application/json", body).problem(400, "invalid_json").await;
    }
    shop.owner.post(&shop.contacts).body("application/json", [0xff, 0xfe]).problem(400, "invalid_json").await;
    shop.owner.patch(&shop.spot.contact).body("application/json", "{").problem(400, "invalid_json").await;
}

#[tokio::test]
async fn a_member_that_is_named_twice_is_a_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    let body = r#"{"firstName":"Ada","firstName":"Grace","lastName":"Hopper"}"#;
    shop.owner.post(&shop.contacts).body("application/json", body).problem(400, "invalid_json").await;
}

#[tokio::test]
async fn a_flood_of_faults_is_answered_with_the_first_hundred() {
    let world = World::new().await;
    let shop = world.shop().await;
    let members: serde_json::Map<_, _> = (0..50_000).map(|n| (format!("k{n}"), json!(0))).collect();
    for ask in
        [shop.owner.post(&shop.contacts), shop.owner.patch(&shop.spot.contact), world.anyone().post("/v1/auth/login")]
    {
        let answer = ask.json(Value::Object(members.clone())).problem(422, "invalid").await;
        assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(100));
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let world = World::new().await;
    let shop = world.shop().await;
    for body in [json!([]), json!("Ada"), json!(7), json!(null)] {
        shop.owner.post(&shop.contacts).json(&body).invalid(&[""]).await;
        shop.owner.patch(&shop.spot.contact).json(&body).invalid(&[""]).await;
    }
}

#[tokio::test]
async fn another_media_type_is_a_415() {
    let world = World::new().await;
    let shop = world.shop().await;
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", "application/jsonp"]
    {
        let create = shop.owner.post(&shop.contacts).body(media, ada().to_string());
        create.problem(415, "unsupported_media_type").await;
    }
    let create = shop.owner.post(&shop.contacts);
    create.problem(415, "unsupported_media_type").await;
}

#[tokio::test]
async fn the_charset_beside_the_media_type_does_not_matter() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.post(&shop.contacts).body("Application/JSON; charset=utf-8", ada().to_string()).created().await;
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_a_413() {
    let world = World::new().await;
    let shop = world.shop().await;
    let padded = |bytes: usize| format!("{}{}", ada(), " ".repeat(bytes - ada().to_string().len()));
    shop.owner.post(&shop.contacts).body("application/json", padded(1024 * 1024)).created().await;
    let over = shop.owner.post(&shop.contacts).body("application/json", padded(1024 * 1024 + 1));
    over.problem(413, "body_too_large").await;
}

#[tokio::test]
async fn text_of_any_script_comes_back_as_it_went_in() {
    let world = World::new().await;
    let shop = world.shop().await;
    for name in ["Åsa", "李小龍", "محمد", "Ψυχή", "👩‍🔬", "O'Brien \"quoted\" \\ <b>&amp;"] {
        let contact = shop.owner.post(&shop.contacts).json(json!({ "firstName": name, "lastName": name }));
        let contact = contact.created().await;
        let read = shop.owner.get(contact.location()).is(200).await;
        assert_eq!(read.body["firstName"], name);
    }
}

// ── Routes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_method_that_a_resource_has_not_is_a_405_with_allow() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (path, methods) in [
        (shop.contacts.as_str(), ["GET", "POST"].as_slice()),
        (&shop.spot.contact, &["DELETE", "GET", "PATCH"]),
        ("/v1/auth/login", &["POST"]),
        ("/openapi.json", &["GET"]),
    ] {
        let answer = shop.owner.ask("PUT".parse().unwrap(), path).problem(405, "method_not_allowed").await;
        let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).filter(|m| *m != "HEAD").collect();
        allowed.sort_unstable();
        assert_eq!(allowed, methods, "{answer}");
    }
}

#[tokio::test]
async fn a_path_that_is_nobodys_is_a_404_problem() {
    let world = World::new().await;
    for path in ["/", "/v1", "/v1/tenant", "/v2/tenants", "/v1/clients", "/.env"] {
        world.anyone().get(path).problem(404, "not_found").await;
        world.anyone().post(path).json(json!({})).problem(404, "not_found").await;
    }
    world.anyone().get("/docs/nothing.js").problem(404, "not_found").await;
}

#[tokio::test]
async fn a_path_with_more_than_an_id_names_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.get(&shop.spot.contact).is(200).await;
    for more in ["%20", "%09", "%0A", "%23abc", "%253Fx=1", "%253F"] {
        shop.owner.get(&format!("{}{more}", shop.spot.contact)).problem(404, "not_found").await;
    }
}

#[tokio::test]
async fn a_preflight_passes_wherever_it_goes() {
    let world = World::new().await;
    for path in ["/v1/tenants", "/v1/nothing/here"] {
        let preflight = world.anyone().ask(Method::OPTIONS, path).header("origin", "https://app.example");
        let answer = preflight.header("access-control-request-method", "POST").is(204).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn a_malformed_id_names_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let id = Uuid::now_v7();
    for bad in ["7".to_owned(), id.to_string().to_uppercase(), id.simple().to_string(), format!("%7B{id}%7D")] {
        shop.owner.get(&format!("{}/{bad}", shop.contacts)).problem(404, "not_found").await;
        shop.owner.get(&format!("/v1/clients/{bad}/contacts")).problem(404, "not_found").await;
        shop.admin.get(&format!("/v1/tenants/{bad}")).problem(404, "not_found").await;
        shop.admin.delete(&format!("/v1/agencies/{bad}")).problem(404, "not_found").await;
    }
}

#[tokio::test]
async fn a_browser_may_ask_whether_it_may_call() {
    let world = World::new().await;
    let ask = world.anyone().ask("OPTIONS".parse().unwrap(), "/v1/tenants").header("origin", "https://app.example");
    let ask = ask.header("access-control-request-method", "PATCH");
    let answer = ask.header("access-control-request-headers", "authorization,if-match").send().await;
    assert!(answer.status.is_success(), "{answer}");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-allow-methods").contains("PATCH"), "{answer}");
    assert!(answer.header("access-control-allow-headers").contains("authorization"), "{answer}");
}

// ── Creating, changing, deleting ────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_create_answers_the_whole_entity_and_where_it_is() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = create_ada(&shop).await;
    assert_eq!(contact.location(), format!("{}/{}", shop.contacts, contact.id()));
    assert_eq!(contact.header("etag"), "\"1\"");
    let read = shop.owner.get(contact.location()).is(200).await;
    assert_eq!(read.body, contact.body);
    assert_eq!(read.header("etag"), "\"1\"");
    let expected = json!({
        "id": contact.id(), "clientId": shop.spot.scope.id(), "firstName": "Ada", "lastName": "Lovelace", "email": null,
        "phone": null, "company": null, "jobTitle": null, "source": null, "tagIds": [], "version": 1,
        "createdAt": contact.body["createdAt"], "updatedAt": contact.body["createdAt"],
    });
    assert_eq!(contact.body, expected);
}

#[tokio::test]
async fn an_id_is_a_version_7_uuid_of_the_moment_of_creation() {
    let world = World::new().await;
    world.clock().set("2031-05-06T07:08:09.123Z".parse().unwrap());
    let shop = world.shop().await;
    let contact = create_ada(&shop).await;
    let id: Uuid = contact.id().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    let (seconds, _) = id.get_timestamp().unwrap().to_unix();
    assert_eq!(contact.body["createdAt"].as_str().unwrap()[..16], *"2031-05-06T07:08");
    let created = chrono::DateTime::parse_from_rfc3339(contact.body["createdAt"].as_str().unwrap()).unwrap();
    assert_eq!(i64::try_from(seconds).unwrap(), created.timestamp());
}

#[tokio::test]
async fn an_instant_is_utc_to_the_millisecond() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = create_ada(&shop).await;
    let created = contact.body["createdAt"].as_str().unwrap();
    let pattern: String = created.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(pattern, "0000-00-00T00:00:00.000Z");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_no_more() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut body = ada();
    body["company"] = json!("Analytical Engines");
    body["source"] = json!("website");
    let contact = shop.owner.post(&shop.contacts).json(body).created().await;
    let patch = json!({ "jobTitle": "Programmer", "company": null });
    let changed = shop.owner.patch(contact.location()).json(patch).is(200).await;

    let mut expected = contact.body.clone();
    expected["jobTitle"] = json!("Programmer");
    expected["company"] = Value::Null;
    expected["version"] = json!(2);
    expected["updatedAt"] = changed.body["updatedAt"].clone();
    assert_eq!(changed.body, expected);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!(shop.owner.get(contact.location()).is(200).await.body, expected);
}

#[tokio::test]
async fn a_patch_moves_updated_at_and_not_created_at() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = create_ada(&shop).await;
    world.clock().advance(60);
    let changed = shop.owner.patch(contact.location()).json(json!({ "source": "web" })).is(200).await;
    assert_eq!(changed.body["createdAt"], contact.body["createdAt"]);
    assert!(changed.body["updatedAt"].as_str() > contact.body["updatedAt"].as_str());
}

#[tokio::test]
async fn a_patch_may_be_of_either_media_type() {
    let world = World::new().await;
    let shop = world.shop().await;
    for media in ["application/merge-patch+json", "application/json"] {
        shop.owner.patch(&shop.spot.contact).body(media, r#"{"source":"web"}"#).is(200).await;
    }
    let csv = shop.owner.patch(&shop.spot.contact).body("text/csv", "source");
    csv.problem(415, "unsupported_media_type").await;
}

#[tokio::test]
async fn a_patch_with_an_unknown_field_is_refused_even_to_clear_it() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = json!({ "emial": null, "Phone": "+14155552671" });
    shop.owner.patch(&shop.spot.contact).json(patch).invalid(&["/emial", "/Phone"]).await;
}

#[tokio::test]
async fn a_patch_cannot_touch_what_the_server_writes() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = json!({ "id": Uuid::now_v7(), "version": 9, "clientId": Uuid::now_v7(), "createdAt": null });
    let named = ["/id", "/version", "/clientId", "/createdAt"];
    shop.owner.patch(&shop.spot.contact).json(patch).invalid(&named).await;
}

#[tokio::test]
async fn a_required_field_cannot_be_cleared() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.spot.contact).json(json!({ "firstName": null })).invalid(&["/firstName"]).await;
}

#[tokio::test]
async fn a_refused_patch_changes_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = shop.owner.get(&shop.spot.contact).is(200).await.body;
    shop.owner.patch(&shop.spot.contact).json(json!({ "source": "web", "email": "no" })).invalid(&["/email"]).await;
    assert_eq!(shop.owner.get(&shop.spot.contact).is(200).await.body, before);
}

#[tokio::test]
async fn what_was_deleted_is_not_there() {
    let world = World::new().await;
    let shop = world.shop().await;
    let gone = shop.owner.delete(&shop.spot.contact).is(204).await;
    assert_eq!(gone.text, "");
    shop.owner.delete(&shop.spot.contact).problem(404, "not_found").await;
    shop.owner.get(&shop.spot.contact).problem(404, "not_found").await;
    shop.owner.patch(&shop.spot.contact).json(json!({})).problem(404, "not_found").await;
    let list = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(list.body, json!({ "items": [], "nextCursor": null }));
}

// ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_stale_if_match_is_a_412_and_changes_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = &shop.spot.contact;
    let changed = shop.owner.patch(contact).json(json!({ "source": "web" })).is(200).await;
    for stale in ["\"1\"", "\"3\"", "W/\"2\"", "\"1\", \"3\"", "\"x\""] {
        let patch = shop.owner.patch(contact).json(json!({ "source": "shop" })).header("if-match", stale);
        patch.problem(412, "precondition_failed").await;
        shop.owner.delete(contact).header("if-match", stale).problem(412, "precondition_failed").await;
    }
    assert_eq!(shop.owner.get(contact).is(200).await.body, changed.body);
}

#[tokio::test]
async fn a_current_if_match_passes() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = &shop.spot.contact;
    for (version, tag) in [(2, "\"1\""), (3, "*"), (4, "\"7\", \"3\"")] {
        let patch = shop.owner.patch(contact).json(json!({ "source": "web" })).header("if-match", tag);
        assert_eq!(patch.is(200).await.body["version"], version);
    }
    shop.owner.delete(contact).header("if-match", "\"4\"").is(204).await;
}

#[tokio::test]
async fn any_version_will_do_for_a_delete_that_matches_any() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.spot.contact).header("if-match", "*").is(204).await;
    shop.owner.delete(&shop.spot.contact).header("if-match", "*").problem(404, "not_found").await;
}

#[tokio::test]
async fn an_if_match_that_is_no_entity_tag_is_a_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    for tag in ["1", "", "\"1", "'1'", "\"1\" \"2\""] {
        let patch = shop.owner.patch(&shop.spot.contact).json(json!({ "source": "web" })).header("if-match", tag);
        patch.problem(400, "invalid_if_match").await;
    }
}

#[tokio::test]
async fn who_has_the_version_gets_a_304() {
    let world = World::new().await;
    let shop = world.shop().await;
    for has in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let answer = shop.owner.get(&shop.spot.contact).header("if-none-match", has).is(304).await;
        assert_eq!((answer.text.as_str(), answer.header("etag")), ("", "\"1\""));
    }
    shop.owner.get(&shop.spot.contact).header("if-none-match", "\"2\"").is(200).await;
    shop.owner.patch(&shop.spot.contact).json(json!({ "source": "web" })).is(200).await;
    shop.owner.get(&shop.spot.contact).header("if-none-match", "\"1\"").is(200).await;
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_wins() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = |source: &str| {
        let ask = shop.owner.patch(&shop.spot.contact).json(json!({ "source": source }));
        ask.header("if-match", "\"1\"").contended().send()
    };
    let answers = at_once(["web", "shop", "fair", "mail"].map(patch)).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412]);
}

// ── Requests that come again ────────────────────────────────────────────────────────────────────────────────────────

fn again<'w>(shop: &SalonFixture<'w>, key: &str, body: &Value) -> RequestBuilder<'w> {
    shop.owner.post(&shop.contacts).json(body).header("idempotency-key", key)
}

async fn count(shop: &SalonFixture<'_>) -> usize {
    shop.owner.get(&shop.contacts).is(200).await.body["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_repeated_create_gets_the_same_answer_and_has_one_effect() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = count(&shop).await;
    let mut body = ada();
    body["email"] = json!("ada@example.com");
    let first = again(&shop, "one", &body).created().await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let second = again(&shop, "one", &body).created().await;
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(second.text, first.text);
    for name in ["location", "etag", "content-type"] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    assert_eq!(count(&shop).await, before + 1);
}

#[tokio::test]
async fn a_replay_shows_what_was_created_even_after_a_change() {
    let world = World::new().await;
    let shop = world.shop().await;
    let first = again(&shop, "one", &ada()).created().await;
    shop.owner.patch(first.location()).json(json!({ "firstName": "Augusta" })).is(200).await;
    assert_eq!(again(&shop, "one", &ada()).created().await.text, first.text);
}

#[tokio::test]
async fn neither_white_space_nor_order_makes_another_body() {
    let world = World::new().await;
    let shop = world.shop().await;
    let first = again(&shop, "one", &ada()).created().await;
    let spelled = r#"{ "lastName": "Lovelace",  "firstName": "\u0041da" }"#;
    let ask = shop.owner.post(&shop.contacts).body("application/json", spelled).header("idempotency-key", "one");
    assert_eq!(ask.created().await.text, first.text);
}

#[tokio::test]
async fn a_key_that_was_used_for_another_body_is_a_422() {
    let world = World::new().await;
    let shop = world.shop().await;
    again(&shop, "one", &ada()).created().await;
    let before = count(&shop).await;
    let other = json!({ "firstName": "Grace", "lastName": "Hopper" });
    again(&shop, "one", &other).problem(422, "idempotency_key_reused").await;
    assert_eq!(count(&shop).await, before);
}

#[tokio::test]
async fn a_refused_create_does_not_use_up_its_key() {
    let world = World::new().await;
    let shop = world.shop().await;
    again(&shop, "one", &json!({ "firstName": "Ada" })).is(422).await;
    again(&shop, "one", &ada()).created().await;
}

#[tokio::test]
async fn a_key_is_a_clients_own() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    let first = again(&here, "one", &ada()).created().await;
    let second = again(&there, "one", &ada()).created().await;
    assert_eq!(second.header("idempotency-replayed"), "");
    assert_ne!(first.id(), second.id());
}

#[tokio::test]
async fn a_key_is_a_routes_own() {
    let world = World::new().await;
    let shop = world.shop().await;
    let named = json!({ "name": "Northwind" });
    let tenant = shop.admin.post("/v1/tenants").json(&named).header("idempotency-key", "one").created().await;
    let agencies = format!("{}/agencies", tenant.location());
    let agency = shop.admin.post(&agencies).json(&named).header("idempotency-key", "one").created().await;
    assert_eq!(agency.header("idempotency-replayed"), "");
    assert_ne!(agency.id(), tenant.id());
}

#[tokio::test]
async fn a_key_is_good_for_a_day() {
    let world = World::new().await;
    let shop = world.shop().await;
    let first = again(&shop, "one", &ada()).created().await;
    world.clock().advance(24 * 3600 - 60);
    let owner = shop.owner.again().await;
    let later = || owner.post(&shop.contacts).json(ada()).header("idempotency-key", "one");
    assert_eq!(later().created().await.id(), first.id());
    world.clock().advance(120);
    let anew = later().created().await;
    assert_eq!(anew.header("idempotency-replayed"), "");
    assert_ne!(anew.id(), first.id());
    assert_eq!(later().created().await.id(), anew.id());
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_characters() {
    let world = World::new().await;
    let shop = world.shop().await;
    for bad in ["", "a b", "\u{e9}", &"x".repeat(256)] {
        again(&shop, bad, &ada()).problem(400, "invalid_idempotency_key").await;
    }
    again(&shop, &"x".repeat(255), &ada()).created().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_repeats_at_once_have_one_effect_and_one_answer() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = count(&shop).await;
    let mut body = ada();
    body["email"] = json!("ada@example.com");
    let answers = at_once((0..20).map(|_| again(&shop, "one", &body).contended().is(201))).await;
    let bodies: HashSet<_> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(bodies.len(), 1);
    let made = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty());
    assert_eq!(made.count(), 1);
    assert_eq!(count(&shop).await, before + 1);
}

// ── Lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Creates so many contacts and gives the ids of all, in order of creation.
async fn crowd(shop: &SalonFixture<'_>, size: usize) -> Vec<String> {
    let mut ids = vec![shop.spot.contact.rsplit('/').next().unwrap().to_owned()];
    for _ in 1..size {
        ids.push(create_ada(shop).await.id().to_owned());
    }
    ids
}

fn ids(page: &Answer) -> Vec<String> {
    let items = page.body["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_page_has_25_items_unless_told_otherwise() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = crowd(&shop, 27).await;
    let page = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(ids(&page), all[..25]);
    assert!(page.body["nextCursor"].is_string(), "{page}");
}

#[tokio::test]
async fn pages_show_everything_once_in_order_of_creation() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = crowd(&shop, 7).await;
    for limit in 1..=8 {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop.owner.get(&format!("{}?limit={limit}{cursor}", shop.contacts)).is(200).await;
            assert!(ids(&page).len() <= limit, "{page}");
            seen.extend(ids(&page));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, all, "limit {limit}");
    }
}

#[tokio::test]
async fn the_last_page_says_that_it_is_the_last() {
    let world = World::new().await;
    let shop = world.shop().await;
    crowd(&shop, 4).await;
    let page = shop.owner.get(&format!("{}?limit=4", shop.contacts)).is(200).await;
    assert_eq!(page.body["nextCursor"], Value::Null);
}

#[tokio::test]
async fn a_cursor_outlives_the_item_that_it_stands_on() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = crowd(&shop, 4).await;
    let page = shop.owner.get(&format!("{}?limit=2", shop.contacts)).is(200).await;
    shop.owner.delete(&format!("{}/{}", shop.contacts, all[1])).is(204).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let rest = shop.owner.get(&format!("{}?cursor={cursor}", shop.contacts)).is(200).await;
    assert_eq!(ids(&rest), all[2..]);
}

#[tokio::test]
async fn a_limit_is_1_to_100() {
    let world = World::new().await;
    let shop = world.shop().await;
    for good in ["1", "100"] {
        shop.owner.get(&format!("{}?limit={good}", shop.contacts)).is(200).await;
    }
    for bad in ["0", "101", "-1", "1.5", "ten", "", "99999999999999999999"] {
        shop.owner.get(&format!("{}?limit={bad}", shop.contacts)).invalid(&["/limit"]).await;
    }
}

#[tokio::test]
async fn a_parameter_that_is_given_twice_is_refused_by_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.get(&format!("{}?limit=1&limit=2", shop.contacts)).invalid(&["/limit"]).await;
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_by_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.get(&format!("{}?limt=5&page=2", shop.contacts)).invalid(&["/limt", "/page"]).await;
}

#[tokio::test]
async fn a_cursor_is_opaque() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = crowd(&shop, 2).await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, cursor).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(&all[0]));
    assert!(!cursor.contains(&all[0]));
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_is_a_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    crowd(&shop, 2).await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let flipped = if cursor.starts_with('A') { "B" } else { "A" };
    let tampered = [
        format!("{flipped}{}", &cursor[1..]),
        cursor[..cursor.len() - 4].to_owned(),
        format!("{cursor}AAAA"),
        String::new(),
        "garbage".to_owned(),
        "%00".to_owned(),
    ];
    for bad in tampered {
        shop.owner.get(&format!("{}?cursor={bad}", shop.contacts)).problem(400, "invalid_cursor").await;
    }
}

#[tokio::test]
async fn a_cursor_of_another_client_is_a_400() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    crowd(&here, 2).await;
    let page = here.owner.get(&format!("{}?limit=1", here.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let ask = there.owner.get(&format!("{}?cursor={cursor}", there.contacts));
    ask.problem(400, "invalid_cursor").await;
}

#[tokio::test]
async fn a_cursor_of_another_list_is_a_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.admin.post("/v1/tenants").json(json!({ "name": "Second" })).created().await;
    let page = shop.admin.get("/v1/tenants?limit=1").is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    for list in [&shop.contacts, &format!("{}/clients", shop.spot.agency), &format!("{}/agencies", shop.spot.tenant)] {
        shop.admin.get(&format!("{list}?cursor={cursor}")).problem(400, "invalid_cursor").await;
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_whoever_may_read_the_list() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = crowd(&shop, 2).await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let rest = shop.admin.get(&format!("{}?cursor={cursor}", shop.contacts)).is(200).await;
    assert_eq!(ids(&rest), all[1..]);
}

// ── Headers and problems ────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn every_answer_carries_its_request_id_and_is_not_to_be_stored_or_sniffed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let asks = [
        shop.owner.get(&shop.contacts),
        shop.owner.get(&shop.spot.contact),
        shop.owner.post(&shop.contacts).json(ada()),
        shop.owner.post(&shop.contacts).json(json!({})),
        shop.owner.get(&shop.spot.contact).header("if-none-match", "*"),
        shop.owner.delete(&shop.spot.contact),
        shop.owner.delete(&shop.spot.contact),
        world.anyone().get(&shop.contacts),
        world.anyone().post("/v1/auth/login").json(json!({ "email": shop.owner.email(), "password": PASSWORD })),
    ];
    let mut seen = HashSet::new();
    for ask in asks {
        let answer = ask.send().await;
        assert!(seen.insert(answer.header("x-request-id").to_owned()), "{answer}");
        assert_ne!(answer.header("x-request-id"), "", "{answer}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer}");
    }
}

#[tokio::test]
async fn an_answer_is_json() {
    let world = World::new().await;
    let shop = world.shop().await;
    for ask in [shop.owner.get(&shop.contacts), shop.owner.post(&shop.contacts).json(ada())] {
        assert_eq!(ask.send().await.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn a_problem_has_the_members_of_rfc_9457() {
    let world = World::new().await;
    let problem = world.anyone().get("/v1/tenants").problem(401, "unauthenticated").await;
    let expected = json!({
        "type": "urn:upzento:problem:unauthenticated", "title": "Unauthorized", "status": 401,
        "detail": "A valid access token is required.", "code": "unauthenticated",
        "requestId": problem.header("x-request-id"),
    });
    assert_eq!(problem.body, expected);
}

#[tokio::test]
async fn a_401_says_how_to_authenticate() {
    let world = World::new().await;
    let problem = world.anyone().get("/v1/auth/me").problem(401, "unauthenticated").await;
    assert_eq!(problem.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn the_service_says_that_it_is_well() {
    let world = World::new().await;
    let health = world.anyone().get("/health").is(200).await;
    assert_eq!(health.body, json!({ "status": "ok" }));
}
