//! Conventions of every route, tested with contacts and tenants.

use std::collections::HashSet;

use harness::at_once;
use harness::operation::{operations, resolve};
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
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
async fn unknown_field_is_rejected_by_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    let body = json!({ "firstName": "Ada", "lastName": "Lovelace", "firstNmae": "Ada" });
    shop.owner.post(&shop.contacts).json(body).invalid(&["/firstNmae"]).await;
}

#[tokio::test]
async fn server_field_is_rejected_in_a_create() {
    let world = World::new().await;
    let shop = world.shop().await;
    let body = json!({ "firstName": "Ada", "lastName": "Lovelace", "id": Uuid::new_v4(), "version": 7 });
    shop.owner.post(&shop.contacts).json(body).invalid(&["/id", "/version"]).await;
}

#[tokio::test]
async fn every_invalid_field_is_reported() {
    let world = World::new().await;
    let shop = world.shop().await;
    let body = json!({ "firstName": 7, "lastName": "\u{7}", "email": "unknown", "phone": "12", "company": 7, "tagIds": ["x"], "typo": 1 });
    let pointers = ["/firstName", "/lastName", "/email", "/phone", "/company", "/tagIds/0", "/typo"];
    shop.owner.post(&shop.contacts).json(body).invalid(&pointers).await;
}

#[tokio::test]
async fn field_error_has_code_and_detail() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answer = shop.owner.post(&shop.contacts).json(json!({ "company": "Engines" })).invalid(&["/firstName"]).await;
    let detail = "is required unless lastName, email or phone is present";
    assert_eq!(answer.body["errors"], json!([{ "pointer": "/firstName", "code": "required", "detail": detail }]));
}

#[tokio::test]
async fn rejected_create_writes_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = world.rows().await.len();
    shop.owner.post(&shop.contacts).json(json!({ "company": "Engines" })).is(422).await;
    assert_eq!(world.rows().await.len(), before);
}

#[tokio::test]
async fn invalid_json_returns_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    for body in ["", "{", "{'firstName': 'Ada'}", "{\"firstName\": \"Ada\"} x", &"[".repeat(1000)] {
        shop.owner.post(&shop.contacts).body("application/json", body).problem(400, "invalid_json").await;
    }
    shop.owner.post(&shop.contacts).body("application/json", [0xff, 0xfe]).problem(400, "invalid_json").await;
    shop.owner.patch(&shop.paths.contact).body("application/json", "{").problem(400, "invalid_json").await;
}

#[tokio::test]
async fn duplicate_member_returns_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    let body = r#"{"firstName":"Ada","firstName":"Grace","lastName":"Hopper"}"#;
    shop.owner.post(&shop.contacts).body("application/json", body).problem(400, "invalid_json").await;
}

#[tokio::test]
async fn field_errors_are_limited_to_100() {
    let world = World::new().await;
    let shop = world.shop().await;
    let members: serde_json::Map<_, _> = (0..50_000).map(|n| (format!("k{n}"), json!(0))).collect();
    for request in [
        shop.owner.post(&shop.contacts),
        shop.owner.patch(&shop.paths.contact),
        world.anonymous().post("/v1/auth/login"),
    ] {
        let answer = request.json(Value::Object(members.clone())).problem(422, "invalid").await;
        assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(100));
    }
}

#[tokio::test]
async fn body_other_than_object_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    for body in [json!([]), json!("Ada"), json!(7), json!(null)] {
        shop.owner.post(&shop.contacts).json(&body).invalid(&[""]).await;
        shop.owner.patch(&shop.paths.contact).json(&body).invalid(&[""]).await;
    }
}

#[tokio::test]
async fn unsupported_media_type_returns_415() {
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
async fn charset_of_the_media_type_is_ignored() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.post(&shop.contacts).body("Application/JSON; charset=utf-8", ada().to_string()).created().await;
}

#[tokio::test]
async fn body_over_1_mib_returns_413() {
    let world = World::new().await;
    let shop = world.shop().await;
    let padded = |bytes: usize| format!("{}{}", ada(), " ".repeat(bytes - ada().to_string().len()));
    shop.owner.post(&shop.contacts).body("application/json", padded(1024 * 1024)).created().await;
    let over = shop.owner.post(&shop.contacts).body("application/json", padded(1024 * 1024 + 1));
    over.problem(413, "body_too_large").await;
}

#[tokio::test]
async fn text_of_any_script_is_preserved() {
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
async fn unsupported_method_returns_405_with_allow() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (path, methods) in [
        (shop.contacts.as_str(), ["GET", "POST"].as_slice()),
        (&shop.paths.contact, &["DELETE", "GET", "PATCH"]),
        ("/v1/auth/login", &["POST"]),
        ("/openapi.json", &["GET"]),
    ] {
        let answer = shop.owner.request("PUT".parse().unwrap(), path).problem(405, "method_not_allowed").await;
        let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).filter(|m| *m != "HEAD").collect();
        allowed.sort_unstable();
        assert_eq!(allowed, methods, "{answer}");
    }
}

/// Headers that differ between two responses to the same request.
const CHANGING_HEADERS: [&str; 3] = ["x-request-id", "apigw-requestid", "content-length"];

#[tokio::test]
async fn head_has_the_headers_of_get_and_the_length_of_its_body() {
    let world = World::new().await;
    let shop = world.shop().await;
    let missing = format!("{}/{}", shop.contacts, Uuid::now_v7());
    for path in [
        shop.contacts.as_str(),
        &shop.paths.contact,
        &shop.paths.client,
        &format!("{}/export", shop.contacts),
        &missing,
        "/v1/auth/me",
        "/v1/auth/login",
        "/health",
        "/openapi.json",
        "/docs/",
    ] {
        let get = shop.owner.get(path).send().await;
        let head = shop.owner.request(Method::HEAD, path).send().await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("content-length"), get.text.len().to_string(), "{path}");
        let same = |answer: &Answer| {
            let headers = answer.headers.iter().filter(|(name, _)| !CHANGING_HEADERS.contains(&name.as_str()));
            headers.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        assert_eq!(same(&head), same(&get), "{path}");
    }
}

#[tokio::test]
async fn unknown_path_returns_404_problem() {
    let world = World::new().await;
    for path in ["/", "/v1", "/v1/tenant", "/v2/tenants", "/v1/clients", "/.env"] {
        world.anonymous().get(path).problem(404, "not_found").await;
        world.anonymous().post(path).json(json!({})).problem(404, "not_found").await;
    }
    world.anonymous().get("/docs/nothing.js").problem(404, "not_found").await;
}

#[tokio::test]
async fn path_with_suffix_after_id_returns_404() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.get(&shop.paths.contact).is(200).await;
    for suffix in ["%20", "%09", "%0A", "%23abc", "%253Fx=1", "%253F"] {
        shop.owner.get(&format!("{}{suffix}", shop.paths.contact)).problem(404, "not_found").await;
    }
}

#[tokio::test]
async fn preflight_succeeds_on_any_path() {
    let world = World::new().await;
    for path in ["/v1/tenants", "/v1/nothing/here"] {
        let preflight = world.anonymous().request(Method::OPTIONS, path).header("origin", "https://app.example");
        let answer = preflight.header("access-control-request-method", "POST").is(204).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn malformed_id_returns_404() {
    let world = World::new().await;
    let shop = world.shop().await;
    let id = Uuid::now_v7();
    for invalid in ["7".to_owned(), id.to_string().to_uppercase(), id.simple().to_string(), format!("%7B{id}%7D")] {
        shop.owner.get(&format!("{}/{invalid}", shop.contacts)).problem(404, "not_found").await;
        shop.owner.get(&format!("/v1/clients/{invalid}/contacts")).problem(404, "not_found").await;
        shop.admin.get(&format!("/v1/tenants/{invalid}")).problem(404, "not_found").await;
        shop.admin.delete(&format!("/v1/agencies/{invalid}")).problem(404, "not_found").await;
    }
}

#[tokio::test]
async fn preflight_allows_methods_and_headers() {
    let world = World::new().await;
    let request =
        world.anonymous().request("OPTIONS".parse().unwrap(), "/v1/tenants").header("origin", "https://app.example");
    let request = request.header("access-control-request-method", "PATCH");
    let answer = request.header("access-control-request-headers", "authorization,if-match").send().await;
    assert!(answer.status.is_success(), "{answer}");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-allow-methods").contains("PATCH"), "{answer}");
    assert!(answer.header("access-control-allow-headers").contains("authorization"), "{answer}");
}

/// Calls that only read.
const READS: [&str; 3] = ["BatchGetItem", "GetItem", "Query"];

#[tokio::test]
async fn patch_without_effect_makes_no_version_and_writes_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut checked = 0;
    for operation in operations().iter().filter(|operation| operation.method == Method::PATCH) {
        let (user, path) = (&shop.admin, operation.at(&shop.paths));
        let before = user.get(&path).is(200).await;
        let (_, example) = operation.example();
        let fields = example.as_object().unwrap().keys().filter(|field| before.body.get(*field).is_some());
        let own: Value = fields.map(|field| (field.clone(), before.body[field].clone())).collect();
        for patch in [json!({}), own] {
            let after = user.patch(&path).json(&patch).header("if-match", before.header("etag")).is(200).await;
            assert_eq!((&after.body, after.header("etag")), (&before.body, before.header("etag")), "{}", operation.id);
            let calls = after.operations();
            assert!(calls.iter().all(|call| READS.contains(call)), "{}: {calls:?}", operation.id);
        }
        user.patch(&path).json(json!({})).header("if-match", "\"999\"").problem(412, "precondition_failed").await;
        user.patch(&path).json(json!({})).header("if-none-match", "*").problem(412, "precondition_failed").await;
        user.patch(&path).json(json!({})).header("if-none-match", "3").problem(400, "invalid_if_match").await;
        user.patch(&path).json(json!({})).header("if-none-match", "\"999\"").is(200).await;
        checked += 1;
    }
    assert!(checked >= 17, "{checked}");
}

#[tokio::test]
async fn unknown_query_parameter_is_rejected_by_every_operation() {
    let world = World::new().await;
    let shop = world.shop().await;
    for operation in operations().iter().filter(|operation| !operation.takes_secret()) {
        let path = operation.at(&shop.paths);
        if path.starts_with("/docs") || path == "/openapi.json" {
            continue;
        }
        let and = if path.contains('?') { '&' } else { '?' };
        let request = shop.admin.request(operation.method.clone(), &format!("{path}{and}dryrun=true"));
        let (media, example) = if operation.described["requestBody"].is_null() {
            ("application/json", Value::Null)
        } else {
            operation.example()
        };
        let body = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        let answer = request.body(media, body).problem(422, "invalid").await;
        let named = answer.body["errors"].as_array().unwrap().iter().any(|error| error["pointer"] == "/dryrun");
        assert!(named, "{}: {answer}", operation.id);
        let calls = answer.operations();
        assert!(calls.iter().all(|call| READS.contains(call)), "{}: {calls:?}", operation.id);
    }
}

#[tokio::test]
async fn compressed_body_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    for encoding in ["gzip", "br", "identity, gzip"] {
        let request = shop.owner.post(&shop.contacts).json(ada()).header("content-encoding", encoding);
        request.problem(415, "unsupported_media_type").await;
        let import = shop.owner.post(&format!("{}/import", shop.contacts)).body("text/csv", "email\na@example.com\n");
        import.header("content-encoding", encoding).problem(415, "unsupported_media_type").await;
    }
    shop.owner.post(&shop.contacts).json(ada()).header("content-encoding", "Identity").created().await;
}

// ── Creating, changing, deleting ────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn create_returns_the_entity_and_its_location() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = create_ada(&shop).await;
    assert_eq!(contact.location(), format!("{}/{}", shop.contacts, contact.id()));
    assert_eq!(contact.header("etag"), "\"1\"");
    let read = shop.owner.get(contact.location()).is(200).await;
    assert_eq!(read.body, contact.body);
    assert_eq!(read.header("etag"), "\"1\"");
    let expected = json!({
        "id": contact.id(), "clientId": shop.paths.scope.id(), "firstName": "Ada", "lastName": "Lovelace", "email": null,
        "phone": null, "company": null, "jobTitle": null, "source": null, "timeZone": null,
        "language": null, "remindersOff": false, "tagIds": [], "version": 1,
        "createdAt": contact.body["createdAt"], "updatedAt": contact.body["createdAt"],
    });
    assert_eq!(contact.body, expected);
}

#[tokio::test]
async fn id_is_a_version_7_uuid_of_the_creation_time() {
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
async fn instant_is_utc_with_milliseconds() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = create_ada(&shop).await;
    let created = contact.body["createdAt"].as_str().unwrap();
    let pattern: String = created.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(pattern, "0000-00-00T00:00:00.000Z");
}

#[tokio::test]
async fn patch_changes_only_the_given_fields() {
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
async fn patch_changes_updated_at_but_not_created_at() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = create_ada(&shop).await;
    world.clock().advance(60);
    let changed = shop.owner.patch(contact.location()).json(json!({ "source": "web" })).is(200).await;
    assert_eq!(changed.body["createdAt"], contact.body["createdAt"]);
    assert!(changed.body["updatedAt"].as_str() > contact.body["updatedAt"].as_str());
}

#[tokio::test]
async fn patch_accepts_json_and_merge_patch() {
    let world = World::new().await;
    let shop = world.shop().await;
    for media in ["application/merge-patch+json", "application/json"] {
        shop.owner.patch(&shop.paths.contact).body(media, r#"{"source":"web"}"#).is(200).await;
    }
    let csv = shop.owner.patch(&shop.paths.contact).body("text/csv", "source");
    csv.problem(415, "unsupported_media_type").await;
}

#[tokio::test]
async fn patch_rejects_unknown_fields_even_if_null() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = json!({ "emial": null, "Phone": "+14155552671" });
    shop.owner.patch(&shop.paths.contact).json(patch).invalid(&["/emial", "/Phone"]).await;
}

#[tokio::test]
async fn patch_rejects_server_fields() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = json!({ "id": Uuid::now_v7(), "version": 9, "clientId": Uuid::now_v7(), "createdAt": null });
    let pointers = ["/id", "/version", "/clientId", "/createdAt"];
    shop.owner.patch(&shop.paths.contact).json(patch).invalid(&pointers).await;
}

#[tokio::test]
async fn required_field_cannot_be_cleared() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.paths.client).json(json!({ "name": null })).invalid(&["/name"]).await;
}

/// Whether a schema of the document accepts `null`.
fn accepts_null(schema: &Value) -> bool {
    let is_null = |schema: &Value| schema["type"] == "null";
    schema["type"].as_array().is_some_and(|types| types.contains(&json!("null")))
        || schema["oneOf"].as_array().is_some_and(|items| items.iter().any(is_null))
}

#[tokio::test]
async fn patch_accepts_null_where_the_document_does() {
    let world = World::new().await;
    let shop = world.shop().await;
    let admin = world.admin().await;
    for operation in operations().into_iter().filter(|operation| operation.method == Method::PATCH) {
        let body = &operation.described["requestBody"]["content"]["application/merge-patch+json"]["schema"];
        let fields = resolve(body["$ref"].as_str().unwrap())["properties"].as_object().unwrap();
        assert!(!fields.is_empty(), "{}", operation.id);
        let path = operation.at(&shop.paths);
        let before = admin.get(&path).is(200).await.body;
        for (name, schema) in fields {
            let answer = admin.patch(&path).json(json!({ (name): null })).send().await;
            let is_rejected = answer.status == 422 && answer.body["errors"][0]["pointer"] == format!("/{name}");
            assert_eq!(is_rejected, !accepts_null(schema), "{} of {}: {answer}", name, operation.id);
            assert!(is_rejected || answer.status == 200, "{} of {}: {answer}", name, operation.id);
            if !is_rejected && !before[name].is_null() {
                admin.patch(&path).json(json!({ (name): before[name] })).is(200).await;
            }
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn rejected_patch_changes_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = shop.owner.get(&shop.paths.contact).is(200).await.body;
    shop.owner.patch(&shop.paths.contact).json(json!({ "source": "web", "email": "no" })).invalid(&["/email"]).await;
    assert_eq!(shop.owner.get(&shop.paths.contact).is(200).await.body, before);
}

#[tokio::test]
async fn deleted_resource_returns_404() {
    let world = World::new().await;
    let shop = world.shop().await;
    let deleted = shop.owner.delete(&shop.paths.contact).is(204).await;
    assert_eq!(deleted.text, "");
    shop.owner.delete(&shop.paths.contact).problem(404, "not_found").await;
    shop.owner.get(&shop.paths.contact).problem(404, "not_found").await;
    shop.owner.patch(&shop.paths.contact).json(json!({})).problem(404, "not_found").await;
    let list = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(list.body, json!({ "items": [], "nextCursor": null }));
}

// ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn stale_if_match_returns_412_and_changes_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = &shop.paths.contact;
    let changed = shop.owner.patch(contact).json(json!({ "source": "web" })).is(200).await;
    for stale in ["\"1\"", "\"3\"", "W/\"2\"", "\"1\", \"3\"", "\"x\""] {
        let patch = shop.owner.patch(contact).json(json!({ "source": "shop" })).header("if-match", stale);
        patch.problem(412, "precondition_failed").await;
        shop.owner.delete(contact).header("if-match", stale).problem(412, "precondition_failed").await;
    }
    assert_eq!(shop.owner.get(contact).is(200).await.body, changed.body);
}

#[tokio::test]
async fn current_if_match_is_accepted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = &shop.paths.contact;
    for (version, tag) in [(2, "\"1\""), (3, "*"), (4, "\"7\", \"3\"")] {
        let patch =
            shop.owner.patch(contact).json(json!({ "source": format!("web {version}") })).header("if-match", tag);
        assert_eq!(patch.is(200).await.body["version"], version);
    }
    shop.owner.delete(contact).header("if-match", "\"4\"").is(204).await;
}

#[tokio::test]
async fn delete_with_if_match_any_accepts_any_version() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.paths.contact).header("if-match", "*").is(204).await;
    shop.owner.delete(&shop.paths.contact).header("if-match", "*").problem(404, "not_found").await;
}

#[tokio::test]
async fn malformed_if_match_returns_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    for tag in ["1", "", "\"1", "'1'", "\"1\" \"2\""] {
        let patch = shop.owner.patch(&shop.paths.contact).json(json!({ "source": "web" })).header("if-match", tag);
        patch.problem(400, "invalid_if_match").await;
    }
}

#[tokio::test]
async fn matching_if_none_match_returns_304() {
    let world = World::new().await;
    let shop = world.shop().await;
    for etag in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let answer = shop.owner.get(&shop.paths.contact).header("if-none-match", etag).is(304).await;
        assert_eq!((answer.text.as_str(), answer.header("etag")), ("", "\"1\""));
    }
    shop.owner.get(&shop.paths.contact).header("if-none-match", "\"2\"").is(200).await;
    shop.owner.patch(&shop.paths.contact).json(json!({ "source": "web" })).is(200).await;
    shop.owner.get(&shop.paths.contact).header("if-none-match", "\"1\"").is(200).await;
}

#[tokio::test]
async fn concurrent_changes_of_one_version_succeed_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = |source: &str| {
        let request = shop.owner.patch(&shop.paths.contact).json(json!({ "source": source }));
        request.header("if-match", "\"1\"").contended().send()
    };
    let answers = at_once(["web", "shop", "fair", "mail"].map(patch)).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412]);
}

// ── Idempotency keys ────────────────────────────────────────────────────────────────────────────────────────────────

fn create_with_key<'w>(shop: &SalonFixture<'w>, key: &str, body: &Value) -> RequestBuilder<'w> {
    shop.owner.post(&shop.contacts).json(body).header("idempotency-key", key)
}

async fn count(shop: &SalonFixture<'_>) -> usize {
    shop.owner.get(&shop.contacts).is(200).await.body["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn repeated_create_is_replayed_and_has_one_effect() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = count(&shop).await;
    let mut body = ada();
    body["email"] = json!("ada@example.com");
    let first = create_with_key(&shop, "one", &body).created().await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let second = create_with_key(&shop, "one", &body).created().await;
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(second.text, first.text);
    for name in ["location", "etag", "content-type"] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    assert_eq!(count(&shop).await, before + 1);
}

#[tokio::test]
async fn replay_returns_the_created_state_after_a_change() {
    let world = World::new().await;
    let shop = world.shop().await;
    let first = create_with_key(&shop, "one", &ada()).created().await;
    shop.owner.patch(first.location()).json(json!({ "firstName": "Augusta" })).is(200).await;
    assert_eq!(create_with_key(&shop, "one", &ada()).created().await.text, first.text);
}

#[tokio::test]
async fn white_space_and_member_order_do_not_matter_for_replay() {
    let world = World::new().await;
    let shop = world.shop().await;
    let first = create_with_key(&shop, "one", &ada()).created().await;
    let reformatted = r#"{ "lastName": "Lovelace",  "firstName": "\u0041da" }"#;
    let request =
        shop.owner.post(&shop.contacts).body("application/json", reformatted).header("idempotency-key", "one");
    assert_eq!(request.created().await.text, first.text);
}

#[tokio::test]
async fn key_reused_with_another_body_returns_422() {
    let world = World::new().await;
    let shop = world.shop().await;
    create_with_key(&shop, "one", &ada()).created().await;
    let before = count(&shop).await;
    let other = json!({ "firstName": "Grace", "lastName": "Hopper" });
    create_with_key(&shop, "one", &other).problem(422, "idempotency_key_reused").await;
    assert_eq!(count(&shop).await, before);
}

#[tokio::test]
async fn rejected_create_does_not_consume_its_key() {
    let world = World::new().await;
    let shop = world.shop().await;
    create_with_key(&shop, "one", &json!({ "company": "Engines" })).is(422).await;
    create_with_key(&shop, "one", &ada()).created().await;
}

#[tokio::test]
async fn key_is_scoped_to_its_client() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let first = create_with_key(&shop, "one", &ada()).created().await;
    let second = create_with_key(&other, "one", &ada()).created().await;
    assert_eq!(second.header("idempotency-replayed"), "");
    assert_ne!(first.id(), second.id());
}

#[tokio::test]
async fn key_is_scoped_to_its_route() {
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
async fn key_is_valid_for_one_day() {
    let world = World::new().await;
    let shop = world.shop().await;
    let first = create_with_key(&shop, "one", &ada()).created().await;
    world.clock().advance(24 * 3600 - 60);
    let owner = shop.owner.sign_in_again().await;
    let later = || owner.post(&shop.contacts).json(ada()).header("idempotency-key", "one");
    assert_eq!(later().created().await.id(), first.id());
    world.clock().advance(120);
    let created = later().created().await;
    assert_eq!(created.header("idempotency-replayed"), "");
    assert_ne!(created.id(), first.id());
    assert_eq!(later().created().await.id(), created.id());
}

#[tokio::test]
async fn key_has_1_to_255_visible_characters() {
    let world = World::new().await;
    let shop = world.shop().await;
    for invalid in ["", "a b", "\u{e9}", &"x".repeat(256)] {
        create_with_key(&shop, invalid, &ada()).problem(400, "invalid_idempotency_key").await;
    }
    create_with_key(&shop, &"x".repeat(255), &ada()).created().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_repeats_have_one_effect_and_one_answer() {
    let world = World::new().await;
    let shop = world.shop().await;
    let before = count(&shop).await;
    let mut body = ada();
    body["email"] = json!("ada@example.com");
    let answers = at_once((0..20).map(|_| create_with_key(&shop, "one", &body).contended().is(201))).await;
    let bodies: HashSet<_> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(bodies.len(), 1);
    let created = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty());
    assert_eq!(created.count(), 1);
    assert_eq!(count(&shop).await, before + 1);
}

// ── Lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Creates contacts up to this number and returns all ids in order of creation.
async fn create_contacts(shop: &SalonFixture<'_>, count: usize) -> Vec<String> {
    let mut ids = vec![shop.paths.contact.rsplit('/').next().unwrap().to_owned()];
    for _ in 1..count {
        ids.push(create_ada(shop).await.id().to_owned());
    }
    ids
}

fn ids(page: &Answer) -> Vec<String> {
    let items = page.body["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn page_has_25_items_by_default() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = create_contacts(&shop, 27).await;
    let page = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(ids(&page), all[..25]);
    assert!(page.body["nextCursor"].is_string(), "{page}");
}

#[tokio::test]
async fn pages_contain_every_item_once_in_creation_order() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = create_contacts(&shop, 7).await;
    for limit in 1..=8 {
        let (mut listed, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop.owner.get(&format!("{}?limit={limit}{cursor}", shop.contacts)).is(200).await;
            assert!(ids(&page).len() <= limit, "{page}");
            listed.extend(ids(&page));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(listed, all, "limit {limit}");
    }
}

#[tokio::test]
async fn last_page_has_no_next_cursor() {
    let world = World::new().await;
    let shop = world.shop().await;
    create_contacts(&shop, 4).await;
    let page = shop.owner.get(&format!("{}?limit=4", shop.contacts)).is(200).await;
    assert_eq!(page.body["nextCursor"], Value::Null);
}

#[tokio::test]
async fn cursor_remains_valid_after_its_item_is_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = create_contacts(&shop, 4).await;
    let page = shop.owner.get(&format!("{}?limit=2", shop.contacts)).is(200).await;
    shop.owner.delete(&format!("{}/{}", shop.contacts, all[1])).is(204).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let rest = shop.owner.get(&format!("{}?cursor={cursor}", shop.contacts)).is(200).await;
    assert_eq!(ids(&rest), all[2..]);
}

#[tokio::test]
async fn limit_must_be_1_to_100() {
    let world = World::new().await;
    let shop = world.shop().await;
    for valid in ["1", "100"] {
        shop.owner.get(&format!("{}?limit={valid}", shop.contacts)).is(200).await;
    }
    for invalid in ["0", "101", "-1", "1.5", "ten", "", "99999999999999999999"] {
        shop.owner.get(&format!("{}?limit={invalid}", shop.contacts)).invalid(&["/limit"]).await;
    }
}

#[tokio::test]
async fn duplicate_parameter_is_rejected_by_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.get(&format!("{}?limit=1&limit=2", shop.contacts)).invalid(&["/limit"]).await;
}

#[tokio::test]
async fn unknown_parameter_is_rejected_by_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.get(&format!("{}?limt=5&page=2", shop.contacts)).invalid(&["/limt", "/page"]).await;
}

#[tokio::test]
async fn cursor_is_opaque() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = create_contacts(&shop, 2).await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, cursor).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(&all[0]));
    assert!(!cursor.contains(&all[0]));
}

#[tokio::test]
async fn tampered_cursor_returns_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    create_contacts(&shop, 2).await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let flipped = if cursor.starts_with('A') { "B" } else { "A" };
    let tampered = [
        format!("{flipped}{}", &cursor[1..]),
        cursor[..cursor.len() - 4].to_owned(),
        format!("{cursor}AAAA"),
        "garbage".to_owned(),
        "%00".to_owned(),
    ];
    for invalid in tampered {
        shop.owner.get(&format!("{}?cursor={invalid}", shop.contacts)).problem(400, "invalid_cursor").await;
    }
}

#[tokio::test]
async fn cursor_of_another_client_returns_400() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    create_contacts(&shop, 2).await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let request = other.owner.get(&format!("{}?cursor={cursor}", other.contacts));
    request.problem(400, "invalid_cursor").await;
}

#[tokio::test]
async fn cursor_of_another_list_returns_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.admin.post("/v1/tenants").json(json!({ "name": "Second" })).created().await;
    let page = shop.admin.get("/v1/tenants?limit=1").is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    for list in [&shop.contacts, &format!("{}/clients", shop.paths.agency), &format!("{}/agencies", shop.paths.tenant)]
    {
        shop.admin.get(&format!("{list}?cursor={cursor}")).problem(400, "invalid_cursor").await;
    }
}

#[tokio::test]
async fn cursor_is_valid_for_every_reader_of_the_list() {
    let world = World::new().await;
    let shop = world.shop().await;
    let all = create_contacts(&shop, 2).await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let rest = shop.admin.get(&format!("{}?cursor={cursor}", shop.contacts)).is(200).await;
    assert_eq!(ids(&rest), all[1..]);
}

// ── Headers and problems ────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn every_answer_has_a_request_id_and_no_store_and_nosniff() {
    let world = World::new().await;
    let shop = world.shop().await;
    let requests = [
        shop.owner.get(&shop.contacts),
        shop.owner.get(&shop.paths.contact),
        shop.owner.post(&shop.contacts).json(ada()),
        shop.owner.post(&shop.contacts).json(json!({})),
        shop.owner.get(&shop.paths.contact).header("if-none-match", "*"),
        shop.owner.delete(&shop.paths.contact),
        shop.owner.delete(&shop.paths.contact),
        world.anonymous().get(&shop.contacts),
        world.anonymous().post("/v1/auth/login").json(json!({ "email": shop.owner.email(), "password": PASSWORD })),
    ];
    let mut request_ids = HashSet::new();
    for request in requests {
        let answer = request.send().await;
        assert!(request_ids.insert(answer.header("x-request-id").to_owned()), "{answer}");
        assert_ne!(answer.header("x-request-id"), "", "{answer}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer}");
    }
}

#[tokio::test]
async fn answer_is_json() {
    let world = World::new().await;
    let shop = world.shop().await;
    for request in [shop.owner.get(&shop.contacts), shop.owner.post(&shop.contacts).json(ada())] {
        assert_eq!(request.send().await.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn problem_has_the_members_of_rfc_9457() {
    let world = World::new().await;
    let problem = world.anonymous().get("/v1/tenants").problem(401, "unauthenticated").await;
    let expected = json!({
        "type": "urn:upzento:problem:unauthenticated", "title": "Unauthorized", "status": 401,
        "detail": "A valid access token is required.", "code": "unauthenticated",
        "requestId": problem.header("x-request-id"),
    });
    assert_eq!(problem.body, expected);
}

#[tokio::test]
async fn unauthenticated_answer_names_the_scheme() {
    let world = World::new().await;
    let problem = world.anonymous().get("/v1/auth/me").problem(401, "unauthenticated").await;
    assert_eq!(problem.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn health_check_returns_ok() {
    let world = World::new().await;
    let health = world.anonymous().get("/health").is(200).await;
    assert_eq!(health.body, json!({ "status": "ok" }));
}

#[tokio::test]
async fn recorded_response_of_a_deleted_person_can_no_longer_be_read() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (user, staff) = ("grace.user@example.com", "grace.staff@example.com");
    let user_fields = json!({ "email": user, "firstName": "Grace", "lastName": "Hopper", "password": PASSWORD });
    let staff_fields = json!({ "name": "Grace Hopper", "email": staff });
    for (collection, email, fields) in [("users", user, user_fields), ("staff", staff, staff_fields)] {
        let request = shop.owner.post(&format!("{}/{collection}", shop.paths.client)).json(fields);
        let request = request.header("idempotency-key", "one");
        let created = request.clone().created().await;
        let replayed = request.clone().created().await;
        assert_eq!((replayed.header("idempotency-replayed"), &replayed.body), ("true", &created.body));
        shop.owner.delete(created.location()).is(204).await;
        request.problem(404, "not_found").await;
        for row in world.rows().await {
            assert!(!row.to_string().contains(email), "{row}");
        }
    }
    world.assert_consistent().await;
}
