//! Contacts of a client.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};
use shared::identity::Role;
use uuid::Uuid;

fn person(email: &str) -> Value {
    json!({ "firstName": "Ada", "lastName": "Lovelace", "email": email })
}

fn create<'w>(shop: &SalonFixture<'w>, email: &str) -> RequestBuilder<'w> {
    shop.owner.post(&shop.contacts).json(person(email))
}

/// Expects a conflict with the contact that has the email.
async fn assert_email_taken(request: RequestBuilder<'_>, existing: &Answer) {
    let problem = request.problem(409, "email_taken").await;
    assert_eq!(problem.body["existingId"], existing.id(), "{problem}");
    assert_eq!(problem.body["errors"][0]["pointer"], "/email", "{problem}");
}

/// Creates a tag and returns its id.
async fn create_tag(shop: &SalonFixture<'_>) -> String {
    let named = json!({ "name": Uuid::new_v4() });
    shop.owner.post(&format!("{}/tags", shop.paths.client)).json(named).created().await.id().to_owned()
}

#[tokio::test]
async fn admin_can_create_the_tree_down_to_a_contact() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = admin.post("/v1/tenants").json(json!({ "name": "Northwind" })).created().await;
    let agency =
        admin.post(&format!("{}/agencies", tenant.location())).json(json!({ "name": "Bright" })).created().await;
    let client =
        admin.post(&format!("{}/clients", agency.location())).json(json!({ "name": "Bakery" })).created().await;
    let contacts = format!("{}/contacts", client.location());
    let contact = admin.post(&contacts).json(json!({ "firstName": "Ada", "lastName": "Lovelace" })).created().await;
    let read = admin.get(contact.location()).is(200).await;
    assert_eq!(read.body, contact.body);
}

#[tokio::test]
async fn contact_can_be_created_read_changed_and_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.paths.contact).is(204).await;
    let fields = json!({
        "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "phone": "+14155552671",
        "company": "Analytical Engines", "jobTitle": "Programmer", "source": "website", "tagIds": [],
    });
    let created = shop.owner.post(&shop.contacts).json(&fields).created().await;
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&created.body[name], value, "{name}");
    }
    let list = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(list.body["items"], json!([created.body]));
    let changed = shop.owner.patch(created.location()).json(json!({ "lastName": "King" })).is(200).await;
    assert_eq!(shop.owner.get(created.location()).is(200).await.body, changed.body);
    shop.owner.delete(created.location()).is(204).await;
    shop.owner.get(created.location()).problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn contact_needs_only_a_name_an_email_or_a_phone() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (number, fields) in [
        json!({ "firstName": "Nora" }),
        json!({ "firstName": null, "lastName": "Quist" }),
        json!({ "firstName": "", "lastName": " ", "email": "only@example.com" }),
        json!({ "phone": "+14155552671" }),
    ]
    .into_iter()
    .enumerate()
    {
        let created = shop.owner.post(&shop.contacts).json(&fields).created().await;
        for name in ["firstName", "lastName"] {
            assert_eq!(created.body[name], fields[name].as_str().unwrap_or_default().trim(), "{name} of {fields}");
        }
        assert_eq!(shop.owner.get(created.location()).is(200).await.body, created.body);
        let clear = json!({ "firstName": null, "lastName": "", "email": null, "phone": null });
        shop.owner.patch(created.location()).json(clear).invalid(&["/firstName"]).await;
        let email = format!("{number}@example.com");
        let change = json!({ "firstName": null, "lastName": "", "email": email, "phone": null });
        let changed = shop.owner.patch(created.location()).json(change).is(200).await;
        let names = ["firstName", "lastName"].map(|name| &changed.body[name]);
        assert_eq!((names, &changed.body["email"]), ([&json!(""), &json!("")], &json!(email)));
    }
    shop.owner.post(&shop.contacts).json(json!({})).invalid(&["/firstName"]).await;
    shop.owner.post(&shop.contacts).json(json!({ "company": "Engines" })).invalid(&["/firstName"]).await;
    assert_eq!(shop.owner.get(&format!("{}?sort=name", shop.contacts)).is(200).await.body["items"][0]["lastName"], "");
    world.assert_consistent().await;
}

// ── Emails ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn email_is_unique_within_a_client_in_any_case() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ada = create(&shop, "Ada@Example.com").created().await;
    assert_eq!(ada.body["email"], "Ada@Example.com");
    for spelling in ["Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM", " ada@example.com "] {
        assert_email_taken(create(&shop, spelling), &ada).await;
    }
    assert_email_taken(shop.owner.patch(&shop.paths.contact).json(json!({ "email": "ada@EXAMPLE.com" })), &ada).await;
}

#[tokio::test]
async fn same_email_is_accepted_in_another_client() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    create(&shop, "ada@example.com").created().await;
    create(&other, "ada@example.com").created().await;
}

#[tokio::test]
async fn several_contacts_without_email_are_accepted() {
    let world = World::new().await;
    let shop = world.shop().await;
    for body in
        [json!({ "firstName": "A", "lastName": "B" }), json!({ "firstName": "A", "lastName": "B", "email": null })]
    {
        shop.owner.post(&shop.contacts).json(&body).created().await;
        shop.owner.post(&shop.contacts).json(&body).created().await;
    }
}

#[tokio::test]
async fn released_email_can_be_used_again() {
    let world = World::new().await;
    let shop = world.shop().await;
    for patch in [json!({ "email": "other@example.com" }), json!({ "email": null })] {
        let ada = create(&shop, "ada@example.com").created().await;
        shop.owner.patch(ada.location()).json(patch).is(200).await;
        let next = create(&shop, "ada@example.com").created().await;
        shop.owner.delete(next.location()).is(204).await;
    }
    let last = create(&shop, "ada@example.com").created().await;
    assert_email_taken(create(&shop, "other@example.com"), &contact_with_email(&shop, "other@example.com").await).await;
    shop.owner.delete(last.location()).is(204).await;
    world.assert_consistent().await;
}

/// Fetches the contact with this email.
async fn contact_with_email(shop: &SalonFixture<'_>, email: &str) -> Answer {
    let list = shop.owner.get(&shop.contacts).is(200).await;
    let found = list.body["items"].as_array().unwrap().iter().find(|contact| contact["email"] == email).unwrap();
    shop.owner.get(&format!("{}/{}", shop.contacts, found["id"].as_str().unwrap())).is(200).await
}

#[tokio::test]
async fn patched_email_replaces_and_releases_the_old_one() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ada = create(&shop, "ada@example.com").created().await;
    let moved = shop.owner.patch(ada.location()).json(json!({ "email": "king@example.com" })).is(200).await;
    assert_eq!(moved.body["email"], "king@example.com");
    assert_email_taken(create(&shop, "king@example.com"), &ada).await;
    create(&shop, "ada@example.com").created().await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn email_case_can_be_changed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ada = create(&shop, "ada@example.com").created().await;
    let changed = shop.owner.patch(ada.location()).json(json!({ "email": "Ada@Example.com" })).is(200).await;
    assert_eq!(changed.body["email"], "Ada@Example.com");
    assert_email_taken(create(&shop, "ada@example.com"), &ada).await;
    shop.owner.delete(ada.location()).is(204).await;
    create(&shop, "ada@example.com").created().await;
}

#[tokio::test]
async fn email_swap_in_one_step_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (ada, grace) =
        (create(&shop, "ada@x.example").created().await, create(&shop, "grace@x.example").created().await);
    assert_email_taken(shop.owner.patch(ada.location()).json(json!({ "email": "grace@x.example" })), &grace).await;
    assert_eq!(shop.owner.get(ada.location()).is(200).await.body, ada.body);
}

#[tokio::test]
async fn invalid_email_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    for invalid in ["", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "Ada <ada@example.com>"] {
        create(&shop, invalid).invalid(&["/email"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_creates_with_one_email_succeed_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answers = at_once((0..30).map(|_| create(&shop, "ada@example.com").contended().send())).await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 1);
    for conflict in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(conflict.body["code"], "email_taken", "{conflict}");
        assert_eq!(conflict.body["existingId"], created[0].id(), "{conflict}");
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_patches_to_one_email_succeed_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut contacts = Vec::new();
    for number in 0..10 {
        contacts.push(create(&shop, &format!("{number}@example.com")).created().await);
    }
    let patch = json!({ "email": "ada@example.com" });
    let requests = contacts.iter().map(|contact| shop.owner.patch(contact.location()).json(&patch).contended().send());
    let answers = at_once(requests).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.body["code"] == "email_taken").count(), 9);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_change_and_delete_leave_no_email_constraint() {
    let world = World::new().await;
    let shop = world.shop().await;
    for round in 0..8 {
        let ada = create(&shop, "ada@example.com").created().await;
        let change = shop.owner.patch(ada.location()).json(json!({ "email": format!("{round}@example.com") }));
        let requests = [change.contended(), shop.owner.delete(ada.location()).contended()];
        at_once(requests.map(RequestBuilder::send)).await;
        shop.owner.get(ada.location()).problem(404, "not_found").await;
    }
    world.assert_consistent().await;
}

// ── Changes at the same time ────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_patches_lose_no_change() {
    let world = World::new().await;
    let shop = world.shop().await;
    let fields = ["firstName", "lastName", "company", "jobTitle", "source"];
    let patch = |number: usize| {
        let field = fields[number % fields.len()];
        shop.owner.patch(&shop.paths.contact).json(json!({ field: format!("{field} {number}") })).contended().is(200)
    };
    let answers = at_once((0..20).map(patch)).await;
    let mut versions: Vec<_> = answers.iter().map(|answer| answer.body["version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=21).collect::<Vec<_>>());

    let last = shop.owner.get(&shop.paths.contact).is(200).await.body;
    assert_eq!(last["version"], 21);
    for field in fields {
        // Each field has the value of its last change.
        let changes = answers.iter().enumerate().filter(|(number, _)| fields[number % fields.len()] == field);
        let (number, _) = changes.max_by_key(|(_, answer)| answer.body["version"].as_u64()).unwrap();
        assert_eq!(last[field], format!("{field} {number}"));
    }
}

// ── Phones ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn phone_is_stored_in_e164_format() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (given, kept) in [
        ("+1 (415) 555-2671", "+14155552671"),
        ("+44 20 7946 0018", "+442079460018"),
        (" +49-30-901820 ", "+4930901820"),
        ("+33 1 42 68 53 00", "+33142685300"),
    ] {
        let changed = shop.owner.patch(&shop.paths.contact).json(json!({ "phone": given })).is(200).await;
        assert_eq!(changed.body["phone"], kept);
    }
}

#[tokio::test]
async fn invalid_phone_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    for invalid in ["", "phone", "+", "+1", "+1 415", "+999 123 456 789", "+1 415 555 2671 ext. 5"] {
        shop.owner.patch(&shop.paths.contact).json(json!({ "phone": invalid })).invalid(&["/phone"]).await;
    }
}

// ── Tags ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn contact_accepts_tags_of_its_client() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = [create_tag(&shop).await, create_tag(&shop).await];
    let changed = shop.owner.patch(&shop.paths.contact).json(json!({ "tagIds": tags })).is(200).await;
    assert_eq!(changed.body["tagIds"], json!(tags));
    let cleared = shop.owner.patch(&shop.paths.contact).json(json!({ "tagIds": null })).is(200).await;
    assert_eq!(cleared.body["tagIds"], json!([]));
}

#[tokio::test]
async fn every_unknown_tag_is_reported() {
    let world = World::new().await;
    let shop = world.shop().await;
    let existing = create_tag(&shop).await;
    let body = json!({ "firstName": "A", "lastName": "B", "tagIds": [Uuid::now_v7(), existing, Uuid::now_v7()] });
    shop.owner.post(&shop.contacts).json(body).invalid(&["/tagIds/0", "/tagIds/2"]).await;
    let patch = json!({ "tagIds": [Uuid::now_v7()] });
    shop.owner.patch(&shop.paths.contact).json(patch).invalid(&["/tagIds/0"]).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn tag_of_another_client_is_rejected() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let foreign_tag = create_tag(&other).await;
    shop.owner.patch(&shop.paths.contact).json(json!({ "tagIds": [foreign_tag] })).invalid(&["/tagIds/0"]).await;
}

#[tokio::test]
async fn duplicate_tag_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let existing = create_tag(&shop).await;
    shop.owner.patch(&shop.paths.contact).json(json!({ "tagIds": [existing, existing] })).invalid(&["/tagIds"]).await;
}

#[tokio::test]
async fn contact_has_at_most_30_tags() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut tags = Vec::new();
    for _ in 0..30 {
        tags.push(create_tag(&shop).await);
    }
    let full = shop.owner.patch(&shop.paths.contact).json(json!({ "tagIds": tags })).is(200).await;
    assert_eq!(full.body["tagIds"], json!(tags));
    tags.push(create_tag(&shop).await);
    shop.owner.patch(&shop.paths.contact).json(json!({ "tagIds": tags })).invalid(&["/tagIds"]).await;
}

#[tokio::test]
async fn recorded_response_of_a_deleted_contact_can_no_longer_be_read() {
    let world = World::new().await;
    let shop = world.shop().await;
    let create = shop.owner.post(&shop.contacts).json(person("ada@example.com")).header("idempotency-key", "one");
    let upsert = shop.owner.post(&format!("{}/upsert", shop.contacts)).json(person("bob@example.com"));
    let upsert = upsert.header("idempotency-key", "two");
    for request in [create, upsert] {
        let created = request.clone().created().await;
        shop.owner.patch(created.location()).json(json!({ "lastName": "Changed" })).is(200).await;
        let replayed = request.clone().created().await;
        assert_eq!((replayed.header("idempotency-replayed"), &replayed.body), ("true", &created.body));
        shop.owner.delete(created.location()).is(204).await;
        let gone = request.problem(404, "not_found").await;
        assert!(!gone.text.contains("example.com"), "{gone}");
        let email = created.body["email"].as_str().unwrap();
        for row in world.rows().await {
            assert!(!row.to_string().contains(email), "{row}");
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn nothing_of_a_deleted_client_is_returned_to_its_agency() {
    let world = World::new().await;
    let tree = world.tree().await;
    let agent = tree.user(Role::AgencyAdmin);
    let clients = format!("{}/clients", tree.own().agency);
    let client = agent.post(&clients).json(json!({ "name": "Bakery" })).created().await;
    let contacts = format!("{}/contacts", client.location());
    let create = agent.post(&contacts).json(person("ada@example.com")).header("idempotency-key", "one");
    let upsert = agent.post(&format!("{contacts}/upsert")).json(person("bob@example.com"));
    let upsert = upsert.header("idempotency-key", "two");
    let import = agent.post(&format!("{contacts}/import")).body("text/csv", "email\ncy@example.com\nx\n");
    let import = import.header("idempotency-key", "three");
    let created = [create.clone().created().await, upsert.clone().created().await];
    let report = import.clone().is(200).await;
    assert_eq!(create.clone().created().await.header("idempotency-replayed"), "true");
    assert_eq!(import.clone().is(200).await.header("idempotency-replayed"), "true");
    let report = agent.get(&format!("{contacts}/imports/{}", report.id()));
    assert_eq!(report.clone().is(200).await.body["errors"][0]["line"], 3);

    let imported = agent.get(&format!("{contacts}?email=cy@example.com")).is(200).await;
    let imported = format!("{contacts}/{}", imported.body["items"][0]["id"].as_str().unwrap());
    for contact in created.iter().map(Answer::location).chain([&*imported]) {
        agent.delete(contact).is(204).await;
    }
    agent.delete(client.location()).is(204).await;
    for request in [create, upsert, import, report] {
        let answer = request.problem(404, "not_found").await;
        assert!(!answer.text.contains("example.com"), "{answer}");
    }
    world.assert_consistent().await;
}
