//! The tree tenant › agency › client.

use harness::at_once;
use harness::users::{Answer, TestUser};
use harness::world::World;
use serde_json::{Value, json};
use shared::identity::Role;
use shared::value::Id;
use uuid::Uuid;

use crate::users::{person, unique_email};

/// The paths of a tenant, an agency and a client without contents.
struct Branch {
    tenant: String,
    agency: String,
    client: String,
}

async fn create(user: &TestUser<'_>, collection: &str) -> String {
    user.post(collection).json(json!({ "name": "Northwind" })).created().await.location().to_owned()
}

async fn branch(admin: &TestUser<'_>) -> Branch {
    let tenant = create(admin, "/v1/tenants").await;
    let agency = create(admin, &format!("{tenant}/agencies")).await;
    let client = create(admin, &format!("{agency}/clients")).await;
    Branch { tenant, agency, client }
}

async fn items(user: &TestUser<'_>, list: &str) -> Value {
    user.get(list).is(200).await.body["items"].clone()
}

/// Checks create, read, list, update and delete in an empty collection.
async fn assert_crud(admin: &TestUser<'_>, collection: &str, body: Value, fields: Value) {
    let created = admin.post(collection).json(&body).created().await;
    let mut expected = fields;
    for name in ["id", "version", "createdAt", "updatedAt"] {
        expected[name] = created.body[name].clone();
    }
    assert_eq!(created.body, expected);
    let path = created.location();
    assert_eq!(admin.get(path).is(200).await.body, expected);
    assert_eq!(items(admin, collection).await, json!([expected]));

    let changed = admin.patch(path).json(json!({ "name": "Southwind" })).is(200).await;
    expected["name"] = json!("Southwind");
    expected["version"] = json!(2);
    expected["updatedAt"] = changed.body["updatedAt"].clone();
    assert_eq!(changed.body, expected);
    assert_eq!(items(admin, collection).await, json!([expected]));

    admin.delete(path).is(204).await;
    admin.get(path).problem(404, "not_found").await;
    assert_eq!(items(admin, collection).await, json!([]));
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn tenant_is_created_read_updated_and_deleted() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = json!({ "name": "Northwind", "domain": "northwind.example" });
    assert_crud(&admin, "/v1/tenants", body.clone(), body).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn agency_is_created_read_updated_and_deleted() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let fields = json!({ "name": "Bright", "tenantId": id(&tenant) });
    assert_crud(&admin, &format!("{tenant}/agencies"), json!({ "name": "Bright" }), fields).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn client_is_created_read_updated_and_deleted() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    let body = json!({
        "name": "Bakery", "timeZone": "Europe/Paris", "currency": "EUR", "country": "FR", "language": "fr",
        "brand": { "displayName": "La Boulangerie", "color": "#2f855a", "logoUrl": null, "replyTo": null },
    });
    let mut fields = body.clone();
    fields["agencyId"] = json!(id(&agency));
    assert_crud(&admin, &format!("{agency}/clients"), body, fields).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn client_defaults_to_utc_and_usd() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    let client = admin.get(&branch.client).is(200).await.body;
    assert_eq!((&client["timeZone"], &client["currency"]), (&json!("UTC"), &json!("USD")));
    let set = json!({ "timeZone": "Asia/Tokyo", "currency": "JPY" });
    admin.patch(&branch.client).json(set).is(200).await;
    let cleared = admin.patch(&branch.client).json(json!({ "timeZone": null, "currency": null })).is(200).await.body;
    assert_eq!((&cleared["timeZone"], &cleared["currency"]), (&json!("UTC"), &json!("USD")));
}

#[tokio::test]
async fn list_has_direct_children_only() {
    let world = World::new().await;
    let tree = world.tree().await;
    let admin = tree.admin();
    let own = tree.own();
    assert_eq!(items(admin, "/v1/tenants").await.as_array().unwrap().len(), 2);
    for (list, expected) in [
        (format!("{}/agencies", own.tenant), [&own.agency, &tree.other_agency().agency]),
        (format!("{}/clients", own.agency), [&own.client, &tree.sibling().client]),
    ] {
        let items = items(admin, &list).await;
        let ids: Vec<_> = items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected.map(|path| id(path)));
    }
}

#[tokio::test]
async fn missing_parent_is_not_found() {
    let world = World::new().await;
    let admin = world.admin().await;
    let missing = Uuid::now_v7();
    for list in [
        format!("/v1/tenants/{missing}/agencies"),
        format!("/v1/agencies/{missing}/clients"),
        format!("/v1/clients/{missing}/contacts"),
    ] {
        admin.get(&list).problem(404, "not_found").await;
        let body = if list.ends_with("contacts") {
            json!({ "firstName": "Ada", "lastName": "Lovelace" })
        } else {
            json!({ "name": "Northwind" })
        };
        admin.post(&list).json(body).problem(404, "not_found").await;
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn deleted_parent_is_not_found() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Branch { tenant, agency, client } = branch(&admin).await;
    for (parent, list) in [(client, "contacts"), (agency, "clients"), (tenant, "agencies")] {
        admin.delete(&parent).is(204).await;
        admin.get(&format!("{parent}/{list}")).problem(404, "not_found").await;
    }
}

#[tokio::test]
async fn list_of_an_empty_parent_is_empty() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    assert_eq!(items(&admin, &format!("{}/contacts", branch.client)).await, json!([]));
    let tenant = create(&admin, "/v1/tenants").await;
    assert_eq!(items(&admin, &format!("{tenant}/agencies")).await, json!([]));
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    assert_eq!(items(&admin, &format!("{agency}/clients")).await, json!([]));
}

#[tokio::test]
async fn parent_with_children_is_not_deleted() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Branch { tenant, agency, client } = branch(&admin).await;
    let person = json!({ "firstName": "Ada", "lastName": "Lovelace" });
    let contact = admin.post(&format!("{client}/contacts")).json(person).created().await.location().to_owned();
    for parent in [&tenant, &agency, &client] {
        admin.delete(parent).problem(409, "not_empty").await;
        admin.get(parent).is(200).await;
    }
    for path in [&contact, &client, &agency, &tenant] {
        admin.delete(path).is(204).await;
        world.assert_consistent().await;
    }
}

#[tokio::test]
async fn client_or_agency_with_a_user_is_not_deleted() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Branch { tenant, agency, client } = branch(&admin).await;
    let scope = world.operator().platform().tenant(id_of(&tenant)).agency(id_of(&agency));
    world.user(scope.client(id_of(&client)), Role::ClientUser).await;
    admin.delete(&client).problem(409, "not_empty").await;
    let second = create(&admin, &format!("{tenant}/agencies")).await;
    let scope = world.operator().platform().tenant(id_of(&tenant)).agency(id_of(&second));
    world.user(scope, Role::AgencyAdmin).await;
    admin.delete(&second).problem(409, "not_empty").await;
    world.assert_consistent().await;
}

fn id_of<T>(path: &str) -> Id<T> {
    id(path).parse().unwrap()
}

#[tokio::test]
async fn stale_delete_is_rejected_before_the_child_check() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    admin.delete(&branch.tenant).header("if-match", "\"9\"").problem(412, "precondition_failed").await;
}

#[tokio::test]
async fn name_has_1_to_200_characters_of_any_script() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Branch { tenant, agency, .. } = branch(&admin).await;
    for collection in ["/v1/tenants", &format!("{tenant}/agencies"), &format!("{agency}/clients")] {
        for letter in ["x", "é", "語", "𝒳", "🥐"] {
            let longest = letter.repeat(200);
            let created = admin.post(collection).json(json!({ "name": longest })).created().await;
            assert_eq!(created.body["name"], longest);
            admin.post(collection).json(json!({ "name": letter.repeat(201) })).invalid(&["/name"]).await;
        }
        for invalid in [json!(""), json!("   "), json!("a\u{0}b"), json!("a\nb"), json!(7), json!(null), json!(["x"])] {
            admin.post(collection).json(json!({ "name": invalid })).invalid(&["/name"]).await;
        }
    }
}

#[tokio::test]
async fn name_is_trimmed() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = admin.post("/v1/tenants").json(json!({ "name": "  Northwind \t" })).created().await;
    assert_eq!(tenant.body["name"], "Northwind");
}

#[tokio::test]
async fn time_zone_must_be_an_iana_name() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    for valid in ["UTC", "America/Argentina/Buenos_Aires", "Asia/Kolkata"] {
        let changed = admin.patch(&branch.client).json(json!({ "timeZone": valid })).is(200).await;
        assert_eq!(changed.body["timeZone"], valid);
    }
    for invalid in ["", "CET+1", "Europe/Atlantis", "europe/paris", "+02:00", "Europe/Paris "] {
        admin.patch(&branch.client).json(json!({ "timeZone": invalid })).invalid(&["/timeZone"]).await;
    }
}

#[tokio::test]
async fn currency_must_be_an_iso_4217_code() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    for valid in ["EUR", "JPY", "BHD"] {
        let changed = admin.patch(&branch.client).json(json!({ "currency": valid })).is(200).await;
        assert_eq!(changed.body["currency"], valid);
    }
    for invalid in ["XXX", "XAU", "", "usd", "EURO", "XYZ", "€"] {
        admin.patch(&branch.client).json(json!({ "currency": invalid })).invalid(&["/currency"]).await;
    }
}

#[tokio::test]
async fn country_must_be_an_iso_3166_code_or_null() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    assert_eq!(admin.get(&branch.client).is(200).await.body["country"], json!(null));
    for (input, stored) in [(json!("FR"), json!("FR")), (json!("gb"), json!("GB")), (json!(null), json!(null))] {
        let changed = admin.patch(&branch.client).json(json!({ "country": input })).is(200).await;
        assert_eq!(changed.body["country"], stored);
    }
    for invalid in ["", "UK", "FRA", "France", "ZZ"] {
        admin.patch(&branch.client).json(json!({ "country": invalid })).invalid(&["/country"]).await;
    }
}

#[tokio::test]
async fn language_is_a_canonical_tag_and_english_by_default() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    assert_eq!(admin.get(&branch.client).is(200).await.body["language"], "en");
    for (input, stored) in [(json!("pt-br"), "pt-BR"), (json!("DE"), "de"), (json!(null), "en")] {
        let changed = admin.patch(&branch.client).json(json!({ "language": input })).is(200).await;
        assert_eq!(changed.body["language"], stored);
    }
    for invalid in ["", "und", "en_US", "en-"] {
        admin.patch(&branch.client).json(json!({ "language": invalid })).invalid(&["/language"]).await;
    }
}

#[tokio::test]
async fn brand_is_merged_field_by_field_and_checked() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    let patch = |brand: Value| admin.patch(&branch.client).json(json!({ "brand": brand }));
    assert_eq!(admin.get(&branch.client).is(200).await.body["brand"], json!(null));
    let logo = "https://cdn.example.com/logo.svg";
    let given = json!({ "displayName": " The Bakery ", "color": "#2F855A", "logoUrl": logo });
    let stored = json!({ "displayName": "The Bakery", "color": "#2f855a", "logoUrl": logo, "replyTo": null });
    assert_eq!(patch(given).is(200).await.body["brand"], stored);
    let stored = json!({ "displayName": "The Bakery", "color": null, "logoUrl": logo, "replyTo": "hi@bakery.example" });
    assert_eq!(patch(json!({ "color": null, "replyTo": "hi@bakery.example" })).is(200).await.body["brand"], stored);
    let wrong =
        json!({ "displayName": "", "color": "red", "logoUrl": "http://x.example/", "replyTo": "x", "font": "x" });
    let pointers = ["/brand/displayName", "/brand/color", "/brand/logoUrl", "/brand/replyTo", "/brand/font"];
    patch(wrong).invalid(&pointers).await;
    assert_eq!(admin.get(&branch.client).is(200).await.body["brand"], stored);
    assert_eq!(patch(json!(null)).is(200).await.body["brand"], json!(null));
    world.assert_consistent().await;
}

#[tokio::test]
async fn parent_cannot_be_changed() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, other) = (tree.own(), tree.other_tenant());
    let patch = json!({ "tenantId": id(&other.tenant) });
    tree.admin().patch(&own.agency).json(patch).invalid(&["/tenantId"]).await;
    let patch = json!({ "agencyId": id(&other.agency) });
    tree.admin().patch(&own.client).json(patch).invalid(&["/agencyId"]).await;
}

// ── Concurrency ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// Checks the outcome of a race of child creations with a parent deletion.
///
/// Either the parent was deleted and no child was created, or it remains and every child was created.
fn assert_deleted_or_all_created(deleted: &Answer, created: &[Answer]) {
    let is_deleted = deleted.status == 204;
    assert!(is_deleted || deleted.body["code"] == "not_empty", "{deleted}");
    for child in created {
        let expected = if is_deleted { 404 } else { 201 };
        assert_eq!(child.status.as_u16(), expected, "{deleted}\n{child}");
    }
}

async fn race(admin: &TestUser<'_>, parent: &str, children: &str, child: impl Fn() -> Value, round: usize) {
    let list = format!("{parent}/{children}");
    // Each round sends the deletion at another position.
    let requests = (0..4).map(|at| {
        if at == round % 4 { admin.delete(parent).contended() } else { admin.post(&list).json(child()).contended() }
    });
    let mut answers = at_once(requests.map(harness::users::RequestBuilder::send)).await;
    let deleted = answers.remove(round % 4);
    assert_deleted_or_all_created(&deleted, &answers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_tenant_deletion_leaves_no_agency() {
    let world = World::new().await;
    let admin = world.admin().await;
    for round in 0..16 {
        let tenant = create(&admin, "/v1/tenants").await;
        race(&admin, &tenant, "agencies", || json!({ "name": "Bright" }), round).await;
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_agency_deletion_leaves_no_client() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    for round in 0..16 {
        let agency = create(&admin, &format!("{tenant}/agencies")).await;
        race(&admin, &agency, "clients", || json!({ "name": "Bakery" }), round).await;
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_client_deletion_leaves_no_contact() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    for round in 0..16 {
        let client = create(&admin, &format!("{agency}/clients")).await;
        let person = json!({ "firstName": "Ada", "lastName": "Lovelace" });
        race(&admin, &client, "contacts", || person.clone(), round).await;
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_home_deletion_leaves_no_user() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    for round in 0..16 {
        let agency = create(&admin, &format!("{tenant}/agencies")).await;
        let client = create(&admin, &format!("{agency}/clients")).await;
        race(&admin, &client, "users", || person(&unique_email()), round).await;
        let second = create(&admin, &format!("{tenant}/agencies")).await;
        race(&admin, &second, "users", || person(&unique_email()), round).await;
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_client_deletion_leaves_no_domain() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    for round in 0..16 {
        let client = create(&admin, &format!("{agency}/clients")).await;
        let domain = || json!({ "domain": format!("{}.example.com", Uuid::now_v7()) });
        race(&admin, &client, "domains", domain, round).await;
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_client_deletion_leaves_no_child_of_any_kind() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    for round in 0..16 {
        let client = create(&admin, &format!("{agency}/clients")).await;
        let domain = json!({ "domain": "shop.example.com" });
        let mut requests = vec![
            admin.delete(&client),
            admin.post(&format!("{client}/users")).json(person(&unique_email())),
            admin.post(&format!("{client}/domains")).json(domain),
            admin.post(&format!("{client}/widget/rotate")),
        ];
        requests.rotate_left(round % 4);
        let mut answers = at_once(requests.into_iter().map(|request| request.contended().send())).await;
        answers.rotate_right(round % 4);
        // A rotated key does not block the deletion of the client.
        assert!([200, 404].contains(&answers[3].status.as_u16()), "{answers:?}");
        assert_deleted_or_all_created(&answers[0], &answers[1..3]);
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_deletes_succeed_once() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    let answers = at_once((0..8).map(|_| admin.delete(&branch.client).contended().send())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404, 404, 404, 404, 404, 404, 404]);
    world.assert_consistent().await;
    admin.delete(&branch.agency).is(204).await;
}
