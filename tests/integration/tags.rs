//! Tags and tagged contacts.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::paging::{ids, list_all, walk};

fn tags(shop: &SalonFixture<'_>) -> String {
    format!("{}/tags", shop.paths.client)
}

fn create<'w>(shop: &SalonFixture<'w>, name: &str) -> RequestBuilder<'w> {
    shop.owner.post(&tags(shop)).json(json!({ "name": name }))
}

/// Builds the request that adds a tag to the contact at a path.
fn put<'w>(shop: &SalonFixture<'w>, contact: &str, tag: &Answer) -> RequestBuilder<'w> {
    shop.owner.request(Method::PUT, &format!("{contact}/tags/{}", tag.id()))
}

async fn assert_name_taken(request: RequestBuilder<'_>) {
    let problem = request.problem(409, "name_taken").await;
    assert_eq!(problem.body["errors"][0]["pointer"], "/name", "{problem}");
}

async fn names_of(shop: &SalonFixture<'_>, contact: &str) -> Vec<String> {
    let tags = list_all(&shop.owner, &format!("{contact}/tags")).await;
    tags.iter().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tag_is_created_read_updated_and_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.paths.tag).is(204).await;
    let vip = shop.owner.post(&tags(&shop)).json(json!({ "name": " VIP ", "color": "#2f855a" })).created().await;
    assert_eq!(vip.location(), format!("{}/{}", tags(&shop), vip.id()));
    assert_eq!(
        vip.body,
        json!({
            "id": vip.id(), "clientId": shop.paths.scope.id(), "name": "VIP", "color": "#2f855a", "version": 1,
            "createdAt": vip.body["createdAt"], "updatedAt": vip.body["createdAt"],
        })
    );
    let read = shop.owner.get(vip.location()).is(200).await;
    assert_eq!((&read.body, read.header("etag")), (&vip.body, "\"1\""));
    shop.owner.get(vip.location()).header("if-none-match", "\"1\"").is(304).await;
    assert_eq!(shop.owner.get(&tags(&shop)).is(200).await.body, json!({ "items": [vip.body], "nextCursor": null }));

    let patch = |body: Value| shop.owner.patch(vip.location()).json(body);
    patch(json!({ "name": "Press" })).header("if-match", "\"2\"").problem(412, "precondition_failed").await;
    let changed = patch(json!({ "name": "Press", "color": null })).header("if-match", "\"1\"").is(200).await;
    assert_eq!(
        (&changed.body["name"], &changed.body["color"], &changed.body["version"]),
        (&json!("Press"), &Value::Null, &json!(2))
    );
    patch(json!({ "name": null, "colour": "red" })).invalid(&["/name", "/colour"]).await;
    patch(json!({ "name": "", "color": "x".repeat(33) })).invalid(&["/name", "/color"]).await;
    shop.owner.post(&tags(&shop)).json(json!({ "color": "red" })).invalid(&["/name"]).await;
    create(&shop, &"日".repeat(101)).invalid(&["/name"]).await;
    create(&shop, &"日".repeat(100)).created().await;

    shop.owner.delete(vip.location()).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    shop.owner.delete(vip.location()).header("if-match", "\"2\"").is(204).await;
    shop.owner.delete(vip.location()).problem(404, "not_found").await;
    shop.owner.get(vip.location()).problem(404, "not_found").await;
    patch(json!({ "name": "Press" })).problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn tags_are_listed_in_order_of_creation() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut expected = vec![shop.paths.tag.rsplit('/').next().unwrap().to_owned()];
    for number in (0..8).rev() {
        expected.push(create(&shop, &format!("tag {number}")).created().await.id().to_owned());
    }
    for limit in [1, 3, 8, 9, 10] {
        let walked = walk(&shop.owner, &tags(&shop), limit).await;
        assert_eq!(walked.ids(), expected, "by {limit}");
        walked.assert_full(limit);
    }
    for unknown in ["q=tag", "sort=name", "order=desc"] {
        shop.owner.get(&format!("{}?{unknown}", tags(&shop))).is(422).await;
    }
}

// ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn tag_name_is_unique_and_case_insensitive() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let vip = create(&shop, "Vip Ünter").created().await;
    for spelling in ["Vip Ünter", "VIP ÜNTER", "vip ünter", " vip u\u{308}nter "] {
        assert_name_taken(create(&shop, spelling)).await;
    }
    create(&other, "vip ünter").created().await;
    let press = create(&shop, "press").created().await;
    assert_name_taken(shop.owner.patch(press.location()).json(json!({ "name": "VIP ünter" }))).await;

    // Changing the case of its own name is allowed. After a rename the old name is free.
    let change = |name: &str| shop.owner.patch(vip.location()).json(json!({ "name": name }));
    assert_eq!(change("VIP ÜNTER").is(200).await.body["name"], "VIP ÜNTER");
    assert_name_taken(create(&shop, "vip ünter")).await;
    change("gold").is(200).await;
    assert_name_taken(create(&shop, "GOLD")).await;
    let next = create(&shop, "vip ünter").created().await;
    assert_name_taken(change("Vip Ünter")).await;
    assert_eq!(shop.owner.get(vip.location()).is(200).await.body["name"], "gold");

    // Deleting a tag frees its name immediately.
    shop.owner.delete(next.location()).is(204).await;
    change("Vip Ünter").is(200).await;
    shop.owner.delete(vip.location()).is(204).await;
    for name in ["gold", "vip ünter"] {
        create(&shop, name).created().await;
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn repeated_create_with_idempotency_key_creates_one_tag() {
    let world = World::new().await;
    let shop = world.shop().await;
    let request = || create(&shop, "vip").header("idempotency-key", "one");
    let first = request().created().await;
    let replayed = request().created().await;
    assert_eq!((replayed.text.as_str(), replayed.header("idempotency-replayed")), (first.text.as_str(), "true"));
    shop.owner.delete(first.location()).is(204).await;
    assert_eq!(request().created().await.text, first.text);
    assert_eq!(list_all(&shop.owner, &tags(&shop)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_use_of_one_name_succeeds_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let statuses = |answers: &[Answer], status: u16| answers.iter().filter(|answer| answer.status == status).count();
    let spellings = ["vip", "VIP", "Vip", "vIP"];
    let answers = at_once((0..20).map(|at| create(&shop, spellings[at % 4]).contended().send())).await;
    assert_eq!((statuses(&answers, 201), statuses(&answers, 409)), (1, 19));

    let mut others = Vec::new();
    for number in 0..8 {
        others.push(create(&shop, &format!("tag {number}")).created().await);
    }
    let gold = json!({ "name": "gold" });
    let answers =
        at_once(others.iter().map(|tag| shop.owner.patch(tag.location()).json(&gold).contended().send())).await;
    assert_eq!((statuses(&answers, 200), statuses(&answers, 409)), (1, 7));
    world.assert_consistent().await;

    // A concurrent rename and deletion leave no reserved name behind.
    for round in 0..6 {
        let tag = create(&shop, "silver").created().await;
        let rename = shop.owner.patch(tag.location()).json(json!({ "name": format!("bronze {round}") }));
        at_once([rename.contended(), shop.owner.delete(tag.location()).contended()].map(RequestBuilder::send)).await;
        shop.owner.get(tag.location()).problem(404, "not_found").await;
    }
    world.assert_consistent().await;
}

// ── Tagged contacts ─────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn contact_is_tagged_and_untagged() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (vip, press) = (create(&shop, "vip").created().await, create(&shop, "press").created().await);
    let ada = &shop.paths.contact;
    assert_eq!(names_of(&shop, ada).await, Vec::<String>::new());
    world.clock().advance(1);

    let first = put(&shop, ada, &press).is(200).await;
    assert_eq!((&first.body["tagIds"], first.header("etag")), (&json!([press.id()]), "\"2\""));
    assert!(first.body["updatedAt"].as_str() > first.body["createdAt"].as_str());
    assert_eq!(shop.owner.get(ada).is(200).await.body, first.body);
    let repeated = put(&shop, ada, &press).is(200).await;
    assert_eq!((&repeated.body, repeated.header("etag")), (&first.body, "\"2\""), "nothing changed");
    put(&shop, ada, &vip).is(200).await;
    assert_eq!(names_of(&shop, ada).await, ["press", "vip"]);

    let by_tag = |tag: &Answer| format!("{}?tagId={}", shop.contacts, tag.id());
    assert_eq!(ids(&list_all(&shop.owner, &by_tag(&vip)).await), [first.id()]);

    let remove = |tag: &Answer| shop.owner.delete(&format!("{ada}/tags/{}", tag.id()));
    assert_eq!(remove(&press).is(204).await.text, "");
    remove(&press).problem(404, "not_found").await;
    assert_eq!(names_of(&shop, ada).await, ["vip"]);
    assert_eq!(list_all(&shop.owner, &by_tag(&press)).await, Vec::<Value>::new());
    assert_eq!(shop.owner.get(ada).is(200).await.header("etag"), "\"4\"");

    // A patch of the contact's `tagIds` has the same effects.
    shop.owner.patch(ada).json(json!({ "tagIds": [press.id()] })).is(200).await;
    assert_eq!(names_of(&shop, ada).await, ["press"]);
    assert_eq!(list_all(&shop.owner, &by_tag(&vip)).await, Vec::<Value>::new());
    shop.owner.patch(press.location()).json(json!({ "name": "Media" })).is(200).await;
    assert_eq!(names_of(&shop, ada).await, ["Media"]);
    shop.owner.delete(ada).is(204).await;
    assert_eq!(list_all(&shop.owner, &by_tag(&press)).await, Vec::<Value>::new());
    shop.owner.get(&format!("{ada}/tags")).problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn tags_of_a_contact_are_listed_in_order_of_tagging() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut tags = Vec::new();
    for name in ["c", "a", "d", "b"] {
        tags.push(create(&shop, name).created().await.id().to_owned());
    }
    tags.reverse();
    let person = |tags: &[String]| json!({ "firstName": "Ada", "lastName": "Lovelace", "tagIds": tags });
    let ada = shop.owner.post(&shop.contacts).json(person(&tags)).created().await;
    let list = format!("{}/tags", ada.location());
    for limit in [1, 2, 3, 4, 5] {
        let walked = walk(&shop.owner, &list, limit).await;
        assert_eq!(walked.ids(), tags, "by {limit}");
        walked.assert_full(limit);
    }

    let page = shop.owner.get(&format!("{list}?limit=2")).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let twin = shop.owner.post(&shop.contacts).json(person(&tags)).created().await;
    shop.owner.get(&format!("{}/tags?cursor={cursor}", twin.location())).problem(400, "invalid_cursor").await;
    shop.owner.get(&format!("{list}?order=desc")).is(422).await;

    // The cursor outlives the tags of its page.
    for tag in &tags[..2] {
        shop.owner.delete(&format!("{list}/{tag}")).is(204).await;
    }
    let rest = shop.owner.get(&format!("{list}?cursor={cursor}")).is(200).await;
    assert_eq!(ids(rest.body["items"].as_array().unwrap()), tags[2..]);
    assert_eq!(rest.body["nextCursor"], json!(null));
}

#[tokio::test]
async fn tagging_checks_if_match() {
    let world = World::new().await;
    let shop = world.shop().await;
    let vip = create(&shop, "vip").created().await;
    let ada = &shop.paths.contact;
    let remove = || shop.owner.delete(&format!("{ada}/tags/{}", vip.id()));
    put(&shop, ada, &vip).header("if-match", "\"7\"").problem(412, "precondition_failed").await;
    put(&shop, ada, &vip).header("if-match", "\"1\"").is(200).await;
    put(&shop, ada, &vip).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    put(&shop, ada, &vip).header("if-match", "\"2\"").is(200).await;
    remove().header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    remove().header("if-match", "x").problem(400, "invalid_if_match").await;
    remove().header("if-match", "\"2\"").is(204).await;
}

#[tokio::test]
async fn missing_or_foreign_contact_or_tag_is_not_found() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let (own_tag, foreign_tag) = (create(&shop, "vip").created().await, create(&other, "vip").created().await);
    let missing = Uuid::now_v7();
    let before = world.rows().await.len();
    let foreign_contact = format!("{}/{}", shop.contacts, other.paths.id("contactId"));
    for path in [
        format!("{}/tags/{}", shop.paths.contact, foreign_tag.id()),
        format!("{}/tags/{missing}", shop.paths.contact),
        format!("{}/tags/vip", shop.paths.contact),
        format!("{foreign_contact}/tags/{}", own_tag.id()),
        format!("{}/{missing}/tags/{}", shop.contacts, own_tag.id()),
        format!("{}/tags/{}", other.paths.contact, foreign_tag.id()),
        format!("{}/tags/{}", other.paths.contact, own_tag.id()),
    ] {
        shop.owner.request(Method::PUT, &path).problem(404, "not_found").await;
        shop.owner.delete(&path).problem(404, "not_found").await;
    }
    for path in [
        format!("{foreign_contact}/tags"),
        format!("{}/tags", other.paths.contact),
        format!("{}/{missing}/tags", shop.contacts),
    ] {
        shop.owner.get(&path).problem(404, "not_found").await;
    }
    assert_eq!(world.rows().await.len(), before);
    assert_eq!(shop.owner.get(&shop.paths.contact).is(200).await.body["version"], 1);
    let answer = shop
        .owner
        .post(&format!("{}/tags/{}", shop.paths.contact, own_tag.id()))
        .problem(405, "method_not_allowed")
        .await;
    let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "PUT"]);
}

#[tokio::test]
async fn tags_of_a_contact_are_limited_to_30() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut own = Vec::new();
    for number in 0..31 {
        own.push(create(&shop, &format!("tag {number}")).created().await);
    }
    let thirty: Vec<_> = own[..30].iter().map(Answer::id).collect();
    let last = &own[30];
    let person = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "tagIds": thirty });
    let ada = shop.owner.post(&shop.contacts).json(person).created().await;
    put(&shop, ada.location(), last).problem(409, "too_many_tags").await;
    put(&shop, ada.location(), &own[0]).is(200).await;
    let upsert = |tag: &Answer| {
        let contact = json!({ "email": "ada@example.com", "tagIds": [tag.id()] });
        shop.owner.post(&format!("{}/upsert", shop.contacts)).json(contact)
    };
    upsert(last).invalid(&["/tagIds"]).await;
    assert_eq!(upsert(&own[3]).is(200).await.body["version"], 1);
    // A deleted tag no longer counts, even before it is removed from the contact.
    shop.owner.delete(own[4].location()).is(204).await;
    assert_eq!(put(&shop, ada.location(), last).is(200).await.body["tagIds"].as_array().map(Vec::len), Some(30));
    world.run_jobs().await;
    assert_eq!(names_of(&shop, ada.location()).await.len(), 30);
    world.assert_consistent().await;
}

#[tokio::test]
async fn tags_of_a_client_are_limited_to_1000() {
    let world = World::new().await;
    let shop = world.shop().await;
    set_tag_count(&world, &shop, 998).await;
    let tag = create(&shop, "999").created().await;
    let answers = at_once(["a", "b", "c"].map(|name| create(&shop, name).contended().send())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
    create(&shop, "d").problem(409, "too_many_client_tags").await;
    shop.owner.delete(tag.location()).is(204).await;
    create(&shop, "d").created().await;
    // The tag of the fixture, and two of these.
    set_tag_count(&world, &shop, 3).await;
    world.assert_consistent().await;
}

/// Sets the stored number of tags of the client.
pub(crate) async fn set_tag_count(world: &World, shop: &SalonFixture<'_>, tags: u32) {
    let partition = shop.paths.partition("HOLDS");
    let row = world.rows().await.into_iter().find(|row| row["pk"] == partition);
    let mut row = row.expect("the counts of the client");
    row["tags"] = tags.into();
    world.put_row(row).await;
}

#[tokio::test]
async fn client_with_a_tag_is_not_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let clients = format!("{}/clients", shop.paths.agency);
    let client = shop.admin.post(&clients).json(json!({ "name": "Second" })).created().await;
    let tag = shop.admin.post(&format!("{}/tags", client.location())).json(json!({ "name": "vip" })).created().await;
    shop.admin.delete(client.location()).problem(409, "not_empty").await;
    shop.admin.delete(tag.location()).is(204).await;
    shop.admin.delete(client.location()).is(204).await;
    shop.admin.get(&format!("{}/tags", client.location())).problem(404, "not_found").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_tagging_loses_no_tag() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut own = Vec::new();
    for number in 0..12 {
        own.push(create(&shop, &format!("tag {number}")).created().await);
    }
    let answers = at_once(own.iter().map(|tag| put(&shop, &shop.paths.contact, tag).contended().send())).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(names_of(&shop, &shop.paths.contact).await.len(), 12);
    let remove =
        |tag: &Answer| shop.owner.delete(&format!("{}/tags/{}", shop.paths.contact, tag.id())).contended().send();
    let answers = at_once(own[..6].iter().map(remove)).await;
    assert!(answers.iter().all(|answer| answer.status == 204), "{answers:?}");
    assert_eq!(names_of(&shop, &shop.paths.contact).await.len(), 6);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tagging_during_tag_deletion_leaves_no_dangling_reference() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut people = Vec::new();
    for _ in 0..4 {
        let person = json!({ "firstName": "Ada", "lastName": "Lovelace" });
        people.push(shop.owner.post(&shop.contacts).json(person).created().await);
    }
    for round in 0..4 {
        let tag = create(&shop, &format!("tag {round}")).created().await;
        let tagging = people.iter().map(|contact| put(&shop, contact.location(), &tag).contended());
        let delete = [shop.owner.delete(tag.location()).contended()];
        let answers = at_once(tagging.chain(delete).map(RequestBuilder::send)).await;
        assert!(answers.iter().all(|answer| [200, 204, 404].contains(&answer.status.as_u16())), "{answers:?}");
        for contact in list_all(&shop.owner, &shop.contacts).await {
            assert!(!contact["tagIds"].as_array().unwrap().contains(&json!(tag.id())), "{contact}");
        }
        world.run_jobs().await;
    }
    world.assert_consistent().await;
    world.clock().advance(61);
    world.run_jobs().await;
    world.assert_consistent().await;
    assert!(world.rows().await.iter().all(|row| !row["pk"].as_str().unwrap().ends_with("#GONE")));
}
