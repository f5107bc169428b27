//! Contacts of a client.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

fn person(email: &str) -> Value {
    json!({ "firstName": "Ada", "lastName": "Lovelace", "email": email })
}

fn create<'w>(shop: &SalonFixture<'w>, email: &str) -> RequestBuilder<'w> {
    shop.owner.post(&shop.contacts).json(person(email))
}

async fn taken(ask: RequestBuilder<'_>, by: &Answer) {
    let problem = ask.problem(409, "email_taken").await;
    assert_eq!(problem.body["existingId"], by.id(), "{problem}");
    assert_eq!(problem.body["errors"][0]["pointer"], "/email", "{problem}");
}

/// Makes a tag and gives its id.
async fn tag(shop: &SalonFixture<'_>) -> String {
    let named = json!({ "name": Uuid::new_v4() });
    shop.owner.post(&format!("{}/tags", shop.spot.client)).json(named).created().await.id().to_owned()
}

#[tokio::test]
async fn an_admin_builds_the_tree_down_to_a_contact() {
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
async fn a_contact_lives_and_goes() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.spot.contact).is(204).await;
    let whole = json!({
        "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "phone": "+14155552671",
        "company": "Analytical Engines", "jobTitle": "Programmer", "source": "website", "tagIds": [],
    });
    let created = shop.owner.post(&shop.contacts).json(&whole).created().await;
    for (name, value) in whole.as_object().unwrap() {
        assert_eq!(&created.body[name], value, "{name}");
    }
    let list = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(list.body["items"], json!([created.body]));
    let changed = shop.owner.patch(created.location()).json(json!({ "lastName": "King" })).is(200).await;
    assert_eq!(shop.owner.get(created.location()).is(200).await.body, changed.body);
    shop.owner.delete(created.location()).is(204).await;
    shop.owner.get(created.location()).problem(404, "not_found").await;
    world.assert_whole().await;
}

// ── Emails ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn an_email_belongs_to_one_contact_of_a_client_in_any_case() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ada = create(&shop, "Ada@Example.com").created().await;
    assert_eq!(ada.body["email"], "Ada@Example.com");
    for same in ["Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM", " ada@example.com "] {
        taken(create(&shop, same), &ada).await;
    }
    taken(shop.owner.patch(&shop.spot.contact).json(json!({ "email": "ada@EXAMPLE.com" })), &ada).await;
}

#[tokio::test]
async fn an_email_may_be_in_another_client_too() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    create(&here, "ada@example.com").created().await;
    create(&there, "ada@example.com").created().await;
}

#[tokio::test]
async fn many_contacts_may_have_no_email() {
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
async fn an_email_that_was_given_up_is_free() {
    let world = World::new().await;
    let shop = world.shop().await;
    for given_up in [json!({ "email": "other@example.com" }), json!({ "email": null })] {
        let ada = create(&shop, "ada@example.com").created().await;
        shop.owner.patch(ada.location()).json(given_up).is(200).await;
        let next = create(&shop, "ada@example.com").created().await;
        shop.owner.delete(next.location()).is(204).await;
    }
    let last = create(&shop, "ada@example.com").created().await;
    taken(create(&shop, "other@example.com"), &first(&shop, "other@example.com").await).await;
    shop.owner.delete(last.location()).is(204).await;
    world.assert_whole().await;
}

/// The contact with this email, read again.
async fn first(shop: &SalonFixture<'_>, email: &str) -> Answer {
    let list = shop.owner.get(&shop.contacts).is(200).await;
    let found = list.body["items"].as_array().unwrap().iter().find(|contact| contact["email"] == email).unwrap();
    shop.owner.get(&format!("{}/{}", shop.contacts, found["id"].as_str().unwrap())).is(200).await
}

#[tokio::test]
async fn an_email_moves_with_a_patch() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ada = create(&shop, "ada@example.com").created().await;
    let moved = shop.owner.patch(ada.location()).json(json!({ "email": "king@example.com" })).is(200).await;
    assert_eq!(moved.body["email"], "king@example.com");
    taken(create(&shop, "king@example.com"), &ada).await;
    create(&shop, "ada@example.com").created().await;
    world.assert_whole().await;
}

#[tokio::test]
async fn an_email_may_change_its_case() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ada = create(&shop, "ada@example.com").created().await;
    let changed = shop.owner.patch(ada.location()).json(json!({ "email": "Ada@Example.com" })).is(200).await;
    assert_eq!(changed.body["email"], "Ada@Example.com");
    taken(create(&shop, "ada@example.com"), &ada).await;
    shop.owner.delete(ada.location()).is(204).await;
    create(&shop, "ada@example.com").created().await;
}

#[tokio::test]
async fn two_contacts_cannot_swap_their_emails_in_one_step() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (ada, grace) =
        (create(&shop, "ada@x.example").created().await, create(&shop, "grace@x.example").created().await);
    taken(shop.owner.patch(ada.location()).json(json!({ "email": "grace@x.example" })), &grace).await;
    assert_eq!(shop.owner.get(ada.location()).is(200).await.body, ada.body);
}

#[tokio::test]
async fn what_is_no_email_is_refused() {
    let world = World::new().await;
    let shop = world.shop().await;
    for bad in ["", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "Ada <ada@example.com>"] {
        create(&shop, bad).invalid(&["/email"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_creates_with_one_email_one_wins() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answers = at_once((0..30).map(|_| create(&shop, "ada@example.com").contended().send())).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(won.len(), 1);
    for lost in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(lost.body["code"], "email_taken", "{lost}");
        assert_eq!(lost.body["existingId"], won[0].id(), "{lost}");
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_contacts_that_want_one_email_one_gets_it() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut contacts = Vec::new();
    for number in 0..10 {
        contacts.push(create(&shop, &format!("{number}@example.com")).created().await);
    }
    let wish = json!({ "email": "ada@example.com" });
    let asks = contacts.iter().map(|contact| shop.owner.patch(contact.location()).json(&wish).contended().send());
    let answers = at_once(asks).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.body["code"] == "email_taken").count(), 9);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changes_and_deletes_at_once_leaves_no_claim_behind() {
    let world = World::new().await;
    let shop = world.shop().await;
    for round in 0..8 {
        let ada = create(&shop, "ada@example.com").created().await;
        let change = shop.owner.patch(ada.location()).json(json!({ "email": format!("{round}@example.com") }));
        let asks = [change.contended(), shop.owner.delete(ada.location()).contended()];
        at_once(asks.map(RequestBuilder::send)).await;
        shop.owner.get(ada.location()).problem(404, "not_found").await;
    }
    world.assert_whole().await;
}

// ── Changes at the same time ────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_changes_at_once_lose_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let fields = ["firstName", "lastName", "company", "jobTitle", "source"];
    let patch = |number: usize| {
        let field = fields[number % fields.len()];
        shop.owner.patch(&shop.spot.contact).json(json!({ field: format!("{field} {number}") })).contended().is(200)
    };
    let answers = at_once((0..20).map(patch)).await;
    let mut versions: Vec<_> = answers.iter().map(|answer| answer.body["version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=21).collect::<Vec<_>>());

    let last = shop.owner.get(&shop.spot.contact).is(200).await.body;
    assert_eq!(last["version"], 21);
    for field in fields {
        // Each field has the value of the last change of it.
        let changes = answers.iter().enumerate().filter(|(number, _)| fields[number % fields.len()] == field);
        let (number, _) = changes.max_by_key(|(_, answer)| answer.body["version"].as_u64()).unwrap();
        assert_eq!(last[field], format!("{field} {number}"));
    }
}

// ── Phones ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_phone_is_kept_in_e164() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (given, kept) in [
        ("+1 (415) 555-2671", "+14155552671"),
        ("+44 20 7946 0018", "+442079460018"),
        (" +49-30-901820 ", "+4930901820"),
        ("+33 1 42 68 53 00", "+33142685300"),
    ] {
        let changed = shop.owner.patch(&shop.spot.contact).json(json!({ "phone": given })).is(200).await;
        assert_eq!(changed.body["phone"], kept);
    }
}

#[tokio::test]
async fn what_is_no_phone_is_refused() {
    let world = World::new().await;
    let shop = world.shop().await;
    for bad in ["", "phone", "+", "+1", "+1 415", "+999 123 456 789", "+1 415 555 2671 ext. 5"] {
        shop.owner.patch(&shop.spot.contact).json(json!({ "phone": bad })).invalid(&["/phone"]).await;
    }
}

// ── Tags ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_contact_has_tags_of_its_client() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = [tag(&shop).await, tag(&shop).await];
    let changed = shop.owner.patch(&shop.spot.contact).json(json!({ "tagIds": tags })).is(200).await;
    assert_eq!(changed.body["tagIds"], json!(tags));
    let cleared = shop.owner.patch(&shop.spot.contact).json(json!({ "tagIds": null })).is(200).await;
    assert_eq!(cleared.body["tagIds"], json!([]));
}

#[tokio::test]
async fn each_tag_that_is_not_there_is_named() {
    let world = World::new().await;
    let shop = world.shop().await;
    let known = tag(&shop).await;
    let body = json!({ "firstName": "A", "lastName": "B", "tagIds": [Uuid::now_v7(), known, Uuid::now_v7()] });
    shop.owner.post(&shop.contacts).json(body).invalid(&["/tagIds/0", "/tagIds/2"]).await;
    let patch = json!({ "tagIds": [Uuid::now_v7()] });
    shop.owner.patch(&shop.spot.contact).json(patch).invalid(&["/tagIds/0"]).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_tag_of_another_client_is_not_there() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    let theirs = tag(&there).await;
    here.owner.patch(&here.spot.contact).json(json!({ "tagIds": [theirs] })).invalid(&["/tagIds/0"]).await;
}

#[tokio::test]
async fn a_tag_is_named_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let known = tag(&shop).await;
    shop.owner.patch(&shop.spot.contact).json(json!({ "tagIds": [known, known] })).invalid(&["/tagIds"]).await;
}

#[tokio::test]
async fn a_contact_has_at_most_30_tags() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut tags = Vec::new();
    for _ in 0..30 {
        tags.push(tag(&shop).await);
    }
    let full = shop.owner.patch(&shop.spot.contact).json(json!({ "tagIds": tags })).is(200).await;
    assert_eq!(full.body["tagIds"], json!(tags));
    tags.push(tag(&shop).await);
    shop.owner.patch(&shop.spot.contact).json(json!({ "tagIds": tags })).invalid(&["/tagIds"]).await;
}
