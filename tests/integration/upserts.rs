//! A contact by its email, whether it is there yet or not.

use std::collections::BTreeSet;

use harness::at_once;
use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::paging::whole;

fn upsert<'w>(shop: &SalonFixture<'w>, known: &Value) -> RequestBuilder<'w> {
    shop.owner.post(&format!("{}/upsert", shop.contacts)).json(known)
}

fn ada() -> Value {
    json!({ "email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace" })
}

async fn tag(shop: &SalonFixture<'_>) -> String {
    let tag = json!({ "name": Uuid::new_v4() });
    shop.owner.post(&format!("{}/tags", shop.spot.client)).json(tag).created().await.id().to_owned()
}

fn statuses(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test]
async fn who_is_new_is_created_and_who_is_there_is_merged_into() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = [tag(&shop).await, tag(&shop).await, tag(&shop).await];
    let mut known = ada();
    known["phone"] = json!("+1 (415) 555-2671");
    known["tagIds"] = json!([tags[0], tags[1], tags[0]]);
    let created = upsert(&shop, &known).created().await;
    let mut expected = json!({
        "id": created.id(), "clientId": shop.spot.scope.id(), "firstName": "Ada", "lastName": "Lovelace",
        "email": "ada@example.com", "phone": "+14155552671", "company": null, "jobTitle": null, "source": null,
        "tagIds": [tags[0], tags[1]], "version": 1, "createdAt": created.body["createdAt"],
        "updatedAt": created.body["createdAt"],
    });
    assert_eq!(created.body, expected);
    assert_eq!(created.location(), format!("{}/{}", shop.contacts, created.id()));
    assert_eq!(created.header("etag"), "\"1\"");

    world.clock().advance(5);
    let more = json!({
        "email": "ADA@Example.com", "lastName": "King", "company": "Engines", "phone": null, "firstName": null,
        "jobTitle": null, "tagIds": [tags[2], tags[1]],
    });
    let merged = upsert(&shop, &more).is(200).await;
    for (field, value) in [
        ("lastName", json!("King")),
        ("company", json!("Engines")),
        ("tagIds", json!([tags[0], tags[1], tags[2]])),
        ("version", json!(2)),
        ("updatedAt", merged.body["updatedAt"].clone()),
    ] {
        expected[field] = value;
    }
    assert_eq!(merged.body, expected);
    assert_eq!((merged.header("etag"), merged.location()), ("\"2\"", created.location()));
    assert!(merged.body["updatedAt"].as_str() > merged.body["createdAt"].as_str());
    assert_eq!(shop.owner.get(created.location()).is(200).await.body, expected);

    // What says nothing new changes nothing.
    world.clock().advance(5);
    let silent = [
        json!({ "email": "ada@example.com" }),
        json!({ "email": " Ada@EXAMPLE.com ", "firstName": "Ada", "lastName": " King " }),
        json!({ "email": "ada@example.com", "phone": "+14155552671", "tagIds": [tags[1]] }),
        json!({ "email": "ada@example.com", "phone": null, "company": null, "source": null, "tagIds": [] }),
        json!({ "email": "ada@example.com", "tagIds": null }),
    ];
    for nothing in &silent {
        assert_eq!(upsert(&shop, nothing).is(200).await.body, expected, "{nothing}");
    }
    assert_eq!(whole(&shop.owner, &shop.contacts).await.len(), 2);
    world.assert_whole().await;
}

#[tokio::test]
async fn nothing_blanks_a_field() {
    let world = World::new().await;
    let shop = world.shop().await;
    let full = json!({
        "email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace", "phone": "+14155552671",
        "company": "Engines", "jobTitle": "Programmer", "source": "fair", "tagIds": [tag(&shop).await],
    });
    let created = upsert(&shop, &full).created().await;
    for field in ["firstName", "lastName", "phone", "company", "jobTitle", "source"] {
        upsert(&shop, &json!({ "email": "ada@example.com", field: "" })).invalid(&[&format!("/{field}")]).await;
        let same = upsert(&shop, &json!({ "email": "ada@example.com", field: null })).is(200).await;
        assert_eq!(same.body, created.body);
    }
}

#[tokio::test]
async fn every_field_at_fault_is_named() {
    let world = World::new().await;
    let shop = world.shop().await;
    upsert(&shop, &json!({})).invalid(&["/email"]).await;
    upsert(&shop, &json!({ "email": null })).invalid(&["/email"]).await;
    upsert(&shop, &json!({ "email": "new@example.com" })).invalid(&["/firstName", "/lastName"]).await;
    upsert(&shop, &json!({ "email": "new@example.com", "firstName": "Ada" })).invalid(&["/lastName"]).await;
    upsert(&shop, &json!({ "email": "new@example.com", "lastName": "King" })).invalid(&["/firstName"]).await;
    let mut known = ada();
    known["tagIds"] = json!([Uuid::now_v7(), tag(&shop).await, Uuid::now_v7()]);
    upsert(&shop, &known).invalid(&["/tagIds/0", "/tagIds/2"]).await;
    let wrong = json!({ "email": "x", "phone": "1", "company": 1, "tagIds": ["x"], "id": Uuid::now_v7(), "typo": 1 });
    upsert(&shop, &wrong).invalid(&["/email", "/phone", "/company", "/tagIds/0", "/id", "/typo"]).await;
    assert_eq!(whole(&shop.owner, &shop.contacts).await.len(), 1);
    // The same of one who is there: the tags are named by their places in the request.
    upsert(&shop, &ada()).created().await;
    upsert(&shop, &known).invalid(&["/tagIds/0", "/tagIds/2"]).await;
    let list = shop.owner.ask("PUT".parse().unwrap(), &format!("{}/upsert", shop.contacts));
    list.problem(405, "method_not_allowed").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_repeated_upsert_gets_its_first_answer() {
    let world = World::new().await;
    let shop = world.shop().await;
    let keyed = |known: &Value, key: &str| upsert(&shop, known).header("idempotency-key", key);
    let created = keyed(&ada(), "one").created().await;
    let mut more = ada();
    more["company"] = json!("Engines");
    let merged = keyed(&more, "two").is(200).await;
    let same = keyed(&more, "three").is(200).await;
    assert_eq!((&same.body["version"], same.header("idempotency-replayed")), (&json!(2), ""));
    shop.owner.patch(created.location()).json(json!({ "company": "Other", "email": "king@example.com" })).is(200).await;
    for (known, key, first) in [(&ada(), "one", &created), (&more, "two", &merged), (&more, "three", &same)] {
        let again = keyed(known, key).is(first.status.as_u16()).await;
        assert_eq!((&again.text, again.header("idempotency-replayed")), (&first.text, "true"));
        for name in ["etag", "location"] {
            assert_eq!(again.header(name), first.header(name));
        }
        keyed(&json!({ "email": "ada@example.com" }), key).problem(422, "idempotency_key_reused").await;
    }
    shop.owner.delete(created.location()).is(204).await;
    assert_eq!(keyed(&ada(), "one").created().await.text, created.text);
    // A create has its keys to itself.
    let create = shop.owner.post(&shop.contacts).json(ada()).header("idempotency-key", "one").created().await;
    assert_ne!(create.id(), created.id());
    world.assert_whole().await;
}

#[tokio::test]
async fn an_email_that_moved_on_is_a_new_contacts() {
    let world = World::new().await;
    let shop = world.shop().await;
    let first = upsert(&shop, &ada()).created().await;
    shop.owner.patch(first.location()).json(json!({ "email": "king@example.com" })).is(200).await;
    let second = upsert(&shop, &ada()).created().await;
    assert_ne!(first.id(), second.id());
    shop.owner.delete(second.location()).is(204).await;
    let third = upsert(&shop, &ada()).created().await;
    assert_ne!(second.id(), third.id());
    assert_eq!(upsert(&shop, &json!({ "email": "KING@example.com" })).is(200).await.id(), first.id());
    world.assert_whole().await;
}

// ── At the same time ────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_creates_with_one_email_one_wins_and_49_name_it() {
    let world = World::new().await;
    let shop = world.shop().await;
    for spellings in [["ada@example.com"; 2], ["Grace@Example.com", "grace@EXAMPLE.com"]] {
        let create = |at: usize| {
            let mut person = ada();
            person["email"] = json!(spellings[at % 2]);
            shop.owner.post(&shop.contacts).json(person).contended().send()
        };
        let answers = at_once((0..50).map(create)).await;
        assert_eq!((statuses(&answers, 201), statuses(&answers, 409)), (1, 49));
        let winner = answers.iter().find(|answer| answer.status == 201).unwrap();
        for lost in answers.iter().filter(|answer| answer.status == 409) {
            assert_eq!(
                (&lost.body["code"], &lost.body["existingId"]),
                (&json!("email_taken"), &winner.body["id"]),
                "{lost}"
            );
        }
    }
    assert_eq!(whole(&shop.owner, &shop.contacts).await.len(), 3);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_upserts_with_one_email_one_creates_and_49_merge() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answers = at_once((0..50).map(|_| upsert(&shop, &ada()).contended().send())).await;
    assert_eq!((statuses(&answers, 201), statuses(&answers, 200)), (1, 49), "{answers:?}");
    let ids: BTreeSet<_> = answers.iter().map(Answer::id).collect();
    assert_eq!(ids.len(), 1);
    assert!(answers.iter().all(|answer| answer.body["version"] == 1));
    assert_eq!(whole(&shop.owner, &shop.contacts).await.len(), 2);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_upserts_that_each_know_something_else_none_is_lost() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut tags = Vec::new();
    for _ in 0..10 {
        tags.push(tag(&shop).await);
    }
    let known = |at: usize| {
        let mut known = ada();
        known["tagIds"] = json!([tags[at % 10]]);
        upsert(&shop, &known).contended().send()
    };
    let answers = at_once((0..20).map(known)).await;
    assert_eq!((statuses(&answers, 201), statuses(&answers, 200)), (1, 19), "{answers:?}");
    let mut got = shop.owner.get(answers[0].location()).is(200).await.body["tagIds"].as_array().unwrap().clone();
    got.sort_by_key(Value::to_string);
    assert_eq!(json!(got), json!(tags));
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upserts_with_one_key_have_one_effect_and_one_answer() {
    let world = World::new().await;
    let shop = world.shop().await;
    let asks = (0..20).map(|_| upsert(&shop, &ada()).header("idempotency-key", "one").contended().is(201));
    let answers = at_once(asks).await;
    let bodies: BTreeSet<_> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(bodies.len(), 1);
    let made = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty());
    assert_eq!(made.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_upserts_while_others_delete_or_rename_leaves_the_client_whole() {
    let world = World::new().await;
    let shop = world.shop().await;
    for round in 0..6 {
        let there = upsert(&shop, &ada()).send().await;
        let mut known = ada();
        known["company"] = json!(format!("Engines {round}"));
        let away = json!({ "email": format!("{round}@example.com") });
        let other = if round % 2 == 0 {
            shop.owner.delete(there.location())
        } else {
            shop.owner.patch(there.location()).json(away)
        };
        let asks = [other, upsert(&shop, &known), upsert(&shop, &known)].map(RequestBuilder::contended);
        let answers = at_once(asks.map(RequestBuilder::send)).await;
        assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
        let found = whole(&shop.owner, &format!("{}?email=ada@example.com", shop.contacts)).await;
        assert!(found.len() == 1 || answers[1].status == 200, "{answers:?}");
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn an_upsert_whose_answer_was_lost_counts_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    for (status, known) in [(201, ada()), (200, json!({ "email": "ada@example.com", "company": "Engines" }))] {
        world.faults().next_writes([Fault::AnswerLost; 2]);
        let answer = upsert(&shop, &known).is(status).await;
        assert_eq!(answer.body["version"], if status == 201 { 1 } else { 2 });
    }
    // One who gave up and asks again with the same key gets the answer that was lost.
    let again =
        || upsert(&shop, &json!({ "email": "ada@example.com", "source": "fair" })).header("idempotency-key", "one");
    world.faults().next_writes([Fault::AnswerLost; 200]);
    again().problem(503, "unavailable").await;
    world.faults().none();
    let answer = again().is(200).await;
    assert_eq!((&answer.body["version"], answer.header("idempotency-replayed")), (&json!(3), "true"));
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gives_an_email_up_while_it_is_looked_up_does_not_get_it_back() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let first = upsert(&shop, &ada()).created().await;
    // Whose the email is has been read; the answer with the contact itself takes its time.
    world.faults().after(1, [Fault::Silence]);
    let upserting = upsert(&shop, &ada()).send();
    let giving_up = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        shop.owner.patch(first.location()).json(json!({ "email": "king@example.com" })).is(200).await
    };
    let (second, given_up) = tokio::join!(upserting, giving_up);
    assert_eq!(second.status, 201, "{second}");
    assert_ne!(second.id(), first.id());
    assert_eq!(shop.owner.get(first.location()).is(200).await.body, given_up.body);
    world.assert_whole().await;
}
