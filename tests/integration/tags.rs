//! Tags, and who has them.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::paging::{ids, walk, whole};

fn tags(shop: &SalonFixture<'_>) -> String {
    format!("{}/tags", shop.spot.client)
}

fn create<'w>(shop: &SalonFixture<'w>, name: &str) -> RequestBuilder<'w> {
    shop.owner.post(&tags(shop)).json(json!({ "name": name }))
}

/// The request that tags a contact, both by their paths.
fn put<'w>(shop: &SalonFixture<'w>, contact: &str, tag: &Answer) -> RequestBuilder<'w> {
    shop.owner.ask(Method::PUT, &format!("{contact}/tags/{}", tag.id()))
}

async fn taken(ask: RequestBuilder<'_>) {
    let problem = ask.problem(409, "name_taken").await;
    assert_eq!(problem.body["errors"][0]["pointer"], "/name", "{problem}");
}

async fn names_of(shop: &SalonFixture<'_>, contact: &str) -> Vec<String> {
    let tags = whole(&shop.owner, &format!("{contact}/tags")).await;
    tags.iter().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_tag_lives_and_goes() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.spot.tag).is(204).await;
    let vip = shop.owner.post(&tags(&shop)).json(json!({ "name": " VIP ", "color": "#2f855a" })).created().await;
    assert_eq!(vip.location(), format!("{}/{}", tags(&shop), vip.id()));
    assert_eq!(
        vip.body,
        json!({
            "id": vip.id(), "clientId": shop.spot.scope.id(), "name": "VIP", "color": "#2f855a", "version": 1,
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
    world.assert_whole().await;
}

#[tokio::test]
async fn tags_are_listed_by_creation_in_pages() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut expected = vec![shop.spot.tag.rsplit('/').next().unwrap().to_owned()];
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
async fn a_name_is_one_tags_in_any_case() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let vip = create(&shop, "Vip Ünter").created().await;
    for same in ["Vip Ünter", "VIP ÜNTER", "vip ünter", " vip u\u{308}nter "] {
        taken(create(&shop, same)).await;
    }
    create(&other, "vip ünter").created().await;
    let press = create(&shop, "press").created().await;
    taken(shop.owner.patch(press.location()).json(json!({ "name": "VIP ünter" }))).await;

    // A new spelling of its own name, then a new name: the old one is free.
    let change = |name: &str| shop.owner.patch(vip.location()).json(json!({ "name": name }));
    assert_eq!(change("VIP ÜNTER").is(200).await.body["name"], "VIP ÜNTER");
    taken(create(&shop, "vip ünter")).await;
    change("gold").is(200).await;
    taken(create(&shop, "GOLD")).await;
    let next = create(&shop, "vip ünter").created().await;
    taken(change("Vip Ünter")).await;
    assert_eq!(shop.owner.get(vip.location()).is(200).await.body["name"], "gold");

    // A tag that goes gives its name back at once.
    shop.owner.delete(next.location()).is(204).await;
    change("Vip Ünter").is(200).await;
    shop.owner.delete(vip.location()).is(204).await;
    for name in ["gold", "vip ünter"] {
        create(&shop, name).created().await;
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn a_repeated_create_makes_one_tag() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ask = || create(&shop, "vip").header("idempotency-key", "one");
    let first = ask().created().await;
    let again = ask().created().await;
    assert_eq!((again.text.as_str(), again.header("idempotency-replayed")), (first.text.as_str(), "true"));
    shop.owner.delete(first.location()).is(204).await;
    assert_eq!(ask().created().await.text, first.text);
    assert_eq!(whole(&shop.owner, &tags(&shop)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_one_name_one_gets_it() {
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
    world.assert_whole().await;

    // One who renames and one who deletes leave no name behind.
    for round in 0..6 {
        let tag = create(&shop, "silver").created().await;
        let rename = shop.owner.patch(tag.location()).json(json!({ "name": format!("bronze {round}") }));
        at_once([rename.contended(), shop.owner.delete(tag.location()).contended()].map(RequestBuilder::send)).await;
        shop.owner.get(tag.location()).problem(404, "not_found").await;
    }
    world.assert_whole().await;
}

// ── Who has which ───────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_contact_is_tagged_and_untagged() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (vip, press) = (create(&shop, "vip").created().await, create(&shop, "press").created().await);
    let ada = &shop.spot.contact;
    assert_eq!(names_of(&shop, ada).await, Vec::<String>::new());
    world.clock().advance(1);

    let first = put(&shop, ada, &press).is(200).await;
    assert_eq!((&first.body["tagIds"], first.header("etag")), (&json!([press.id()]), "\"2\""));
    assert!(first.body["updatedAt"].as_str() > first.body["createdAt"].as_str());
    assert_eq!(shop.owner.get(ada).is(200).await.body, first.body);
    let again = put(&shop, ada, &press).is(200).await;
    assert_eq!((&again.body, again.header("etag")), (&first.body, "\"2\""), "nothing changed");
    put(&shop, ada, &vip).is(200).await;
    assert_eq!(names_of(&shop, ada).await, ["press", "vip"]);

    let by_tag = |tag: &Answer| format!("{}?tagId={}", shop.contacts, tag.id());
    assert_eq!(ids(&whole(&shop.owner, &by_tag(&vip)).await), [first.id()]);

    let take = |tag: &Answer| shop.owner.delete(&format!("{ada}/tags/{}", tag.id()));
    assert_eq!(take(&press).is(204).await.text, "");
    take(&press).problem(404, "not_found").await;
    assert_eq!(names_of(&shop, ada).await, ["vip"]);
    assert_eq!(whole(&shop.owner, &by_tag(&press)).await, Vec::<Value>::new());
    assert_eq!(shop.owner.get(ada).is(200).await.header("etag"), "\"4\"");

    // As it is at the contact, whatever way it is written.
    shop.owner.patch(ada).json(json!({ "tagIds": [press.id()] })).is(200).await;
    assert_eq!(names_of(&shop, ada).await, ["press"]);
    assert_eq!(whole(&shop.owner, &by_tag(&vip)).await, Vec::<Value>::new());
    shop.owner.patch(press.location()).json(json!({ "name": "Media" })).is(200).await;
    assert_eq!(names_of(&shop, ada).await, ["Media"]);
    shop.owner.delete(ada).is(204).await;
    assert_eq!(whole(&shop.owner, &by_tag(&press)).await, Vec::<Value>::new());
    shop.owner.get(&format!("{ada}/tags")).problem(404, "not_found").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn the_tags_of_a_contact_are_listed_in_pages_in_the_order_in_which_it_got_them() {
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
}

#[tokio::test]
async fn whoever_tags_may_say_which_version() {
    let world = World::new().await;
    let shop = world.shop().await;
    let vip = create(&shop, "vip").created().await;
    let ada = &shop.spot.contact;
    let take = || shop.owner.delete(&format!("{ada}/tags/{}", vip.id()));
    put(&shop, ada, &vip).header("if-match", "\"7\"").problem(412, "precondition_failed").await;
    put(&shop, ada, &vip).header("if-match", "\"1\"").is(200).await;
    put(&shop, ada, &vip).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    put(&shop, ada, &vip).header("if-match", "\"2\"").is(200).await;
    take().header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    take().header("if-match", "x").problem(400, "invalid_if_match").await;
    take().header("if-match", "\"2\"").is(204).await;
}

#[tokio::test]
async fn what_is_not_there_or_another_clients_cannot_be_tagged() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    let (own, theirs) = (create(&here, "vip").created().await, create(&there, "vip").created().await);
    let nothing = Uuid::now_v7();
    let before = world.rows().await.len();
    let foreign = format!("{}/{}", here.contacts, there.spot.id("contactId"));
    for path in [
        format!("{}/tags/{}", here.spot.contact, theirs.id()),
        format!("{}/tags/{nothing}", here.spot.contact),
        format!("{}/tags/vip", here.spot.contact),
        format!("{foreign}/tags/{}", own.id()),
        format!("{}/{nothing}/tags/{}", here.contacts, own.id()),
        format!("{}/tags/{}", there.spot.contact, theirs.id()),
        format!("{}/tags/{}", there.spot.contact, own.id()),
    ] {
        here.owner.ask(Method::PUT, &path).problem(404, "not_found").await;
        here.owner.delete(&path).problem(404, "not_found").await;
    }
    for path in
        [format!("{foreign}/tags"), format!("{}/tags", there.spot.contact), format!("{}/{nothing}/tags", here.contacts)]
    {
        here.owner.get(&path).problem(404, "not_found").await;
    }
    assert_eq!(world.rows().await.len(), before);
    assert_eq!(here.owner.get(&here.spot.contact).is(200).await.body["version"], 1);
    let answer =
        here.owner.post(&format!("{}/tags/{}", here.spot.contact, own.id())).problem(405, "method_not_allowed").await;
    let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "PUT"]);
}

#[tokio::test]
async fn a_contact_gets_no_31st_tag_in_any_way() {
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
        let known = json!({ "email": "ada@example.com", "tagIds": [tag.id()] });
        shop.owner.post(&format!("{}/upsert", shop.contacts)).json(known)
    };
    upsert(last).invalid(&["/tagIds"]).await;
    assert_eq!(upsert(&own[3]).is(200).await.body["version"], 1);
    // Once one is deleted, there is room at once.
    shop.owner.delete(own[4].location()).is(204).await;
    assert_eq!(put(&shop, ada.location(), last).is(200).await.body["tagIds"].as_array().map(Vec::len), Some(30));
    world.work().await;
    assert_eq!(names_of(&shop, ada.location()).await.len(), 30);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_client_with_a_tag_is_not_empty() {
    let world = World::new().await;
    let shop = world.shop().await;
    let clients = format!("{}/clients", shop.spot.agency);
    let client = shop.admin.post(&clients).json(json!({ "name": "Second" })).created().await;
    let tag = shop.admin.post(&format!("{}/tags", client.location())).json(json!({ "name": "vip" })).created().await;
    shop.admin.delete(client.location()).problem(409, "not_empty").await;
    shop.admin.delete(tag.location()).is(204).await;
    shop.admin.delete(client.location()).is(204).await;
    shop.admin.get(&format!("{}/tags", client.location())).problem(404, "not_found").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tagging_at_once_loses_no_tag() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut own = Vec::new();
    for number in 0..12 {
        own.push(create(&shop, &format!("tag {number}")).created().await);
    }
    let answers = at_once(own.iter().map(|tag| put(&shop, &shop.spot.contact, tag).contended().send())).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(names_of(&shop, &shop.spot.contact).await.len(), 12);
    let take = |tag: &Answer| shop.owner.delete(&format!("{}/tags/{}", shop.spot.contact, tag.id())).contended().send();
    let answers = at_once(own[..6].iter().map(take)).await;
    assert!(answers.iter().all(|answer| answer.status == 204), "{answers:?}");
    assert_eq!(names_of(&shop, &shop.spot.contact).await.len(), 6);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tags_while_the_tag_is_deleted_leaves_nothing_dangling() {
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
        for contact in whole(&shop.owner, &shop.contacts).await {
            assert!(!contact["tagIds"].as_array().unwrap().contains(&json!(tag.id())), "{contact}");
        }
        world.work().await;
    }
    world.assert_whole().await;
    world.clock().advance(61);
    world.work().await;
    world.assert_whole().await;
    assert!(world.rows().await.iter().all(|row| !row["pk"].as_str().unwrap().ends_with("#GONE")));
}
