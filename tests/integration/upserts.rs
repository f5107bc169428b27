//! Upserts of contacts by email.

use std::collections::BTreeSet;

use harness::at_once;
use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::paging::list_all;

fn upsert<'w>(shop: &SalonFixture<'w>, contact: &Value) -> RequestBuilder<'w> {
    shop.owner.post(&format!("{}/upsert", shop.contacts)).json(contact)
}

fn ada() -> Value {
    json!({ "email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace" })
}

async fn tag(shop: &SalonFixture<'_>) -> String {
    let tag = json!({ "name": Uuid::new_v4() });
    shop.owner.post(&format!("{}/tags", shop.paths.client)).json(tag).created().await.id().to_owned()
}

fn statuses(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test]
async fn upsert_creates_new_and_merges_existing_contact() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = [tag(&shop).await, tag(&shop).await, tag(&shop).await];
    let mut contact = ada();
    contact["phone"] = json!("+1 (415) 555-2671");
    contact["tagIds"] = json!([tags[0], tags[1], tags[0]]);
    let created = upsert(&shop, &contact).created().await;
    let mut expected = json!({
        "id": created.id(), "clientId": shop.paths.scope.id(), "firstName": "Ada", "lastName": "Lovelace",
        "email": "ada@example.com", "phone": "+14155552671", "company": null, "jobTitle": null, "source": null,
        "timeZone": null, "language": null, "remindersOff": false, "tagIds": [tags[0], tags[1]], "version": 1, "createdAt": created.body["createdAt"],
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

    // An upsert without new values changes nothing.
    world.clock().advance(5);
    let unchanged = [
        json!({ "email": "ada@example.com" }),
        json!({ "email": " Ada@EXAMPLE.com ", "firstName": "Ada", "lastName": " King " }),
        json!({ "email": "ada@example.com", "phone": "+14155552671", "tagIds": [tags[1]] }),
        json!({ "email": "ada@example.com", "phone": null, "company": null, "source": null, "tagIds": [] }),
        json!({ "email": "ada@example.com", "tagIds": null }),
    ];
    for contact in &unchanged {
        assert_eq!(upsert(&shop, contact).is(200).await.body, expected, "{contact}");
    }
    assert_eq!(list_all(&shop.owner, &shop.contacts).await.len(), 2);
    world.assert_consistent().await;
}

#[tokio::test]
async fn null_or_empty_field_does_not_clear_a_value() {
    let world = World::new().await;
    let shop = world.shop().await;
    let full = json!({
        "email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace", "phone": "+14155552671",
        "company": "Engines", "jobTitle": "Programmer", "source": "fair", "tagIds": [tag(&shop).await],
    });
    let created = upsert(&shop, &full).created().await;
    for name in ["firstName", "lastName"] {
        let same = upsert(&shop, &json!({ "email": "ada@example.com", name: " " })).is(200).await;
        assert_eq!(same.body, created.body);
    }
    for field in ["firstName", "lastName", "phone", "company", "jobTitle", "source"] {
        let same = upsert(&shop, &json!({ "email": "ada@example.com", field: null })).is(200).await;
        assert_eq!(same.body, created.body);
    }
    for field in ["phone", "company", "jobTitle", "source"] {
        upsert(&shop, &json!({ "email": "ada@example.com", field: "" })).invalid(&[&format!("/{field}")]).await;
    }
}

#[tokio::test]
async fn upsert_creates_a_contact_without_names() {
    let world = World::new().await;
    let shop = world.shop().await;
    let created = upsert(&shop, &json!({ "email": "new@example.com", "lastName": "" })).created().await;
    assert_eq!((&created.body["firstName"], &created.body["lastName"]), (&json!(""), &json!("")));
    let named = upsert(&shop, &json!({ "email": "new@example.com", "firstName": "Nora" })).is(200).await;
    assert_eq!((&named.body["firstName"], &named.body["lastName"]), (&json!("Nora"), &json!("")));
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_upsert_fields_are_reported() {
    let world = World::new().await;
    let shop = world.shop().await;
    upsert(&shop, &json!({})).invalid(&["/email"]).await;
    upsert(&shop, &json!({ "email": null })).invalid(&["/email"]).await;
    let mut contact = ada();
    contact["tagIds"] = json!([Uuid::now_v7(), tag(&shop).await, Uuid::now_v7()]);
    upsert(&shop, &contact).invalid(&["/tagIds/0", "/tagIds/2"]).await;
    let wrong = json!({ "email": "x", "phone": "1", "company": 1, "tagIds": ["x"], "id": Uuid::now_v7(), "typo": 1 });
    upsert(&shop, &wrong).invalid(&["/email", "/phone", "/company", "/tagIds/0", "/id", "/typo"]).await;
    assert_eq!(list_all(&shop.owner, &shop.contacts).await.len(), 1);
    // The same errors for an existing contact: pointers refer to positions in the request.
    upsert(&shop, &ada()).created().await;
    upsert(&shop, &contact).invalid(&["/tagIds/0", "/tagIds/2"]).await;
    let list = shop.owner.request("PUT".parse().unwrap(), &format!("{}/upsert", shop.contacts));
    list.problem(405, "method_not_allowed").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn repeated_upsert_returns_its_first_answer() {
    let world = World::new().await;
    let shop = world.shop().await;
    let keyed = |contact: &Value, key: &str| upsert(&shop, contact).header("idempotency-key", key);
    let created = keyed(&ada(), "one").created().await;
    let mut more = ada();
    more["company"] = json!("Engines");
    let merged = keyed(&more, "two").is(200).await;
    let same = keyed(&more, "three").is(200).await;
    assert_eq!((&same.body["version"], same.header("idempotency-replayed")), (&json!(2), ""));
    shop.owner.patch(created.location()).json(json!({ "company": "Other", "email": "king@example.com" })).is(200).await;
    for (contact, key, first) in [(&ada(), "one", &created), (&more, "two", &merged), (&more, "three", &same)] {
        let replayed = keyed(contact, key).is(first.status.as_u16()).await;
        assert_eq!((&replayed.text, replayed.header("idempotency-replayed")), (&first.text, "true"));
        for name in ["etag", "location"] {
            assert_eq!(replayed.header(name), first.header(name));
        }
        keyed(&json!({ "email": "ada@example.com" }), key).problem(422, "idempotency_key_reused").await;
    }
    shop.owner.delete(created.location()).is(204).await;
    keyed(&ada(), "one").problem(404, "not_found").await;
    // Idempotency keys of a create are separate from those of an upsert.
    let create = shop.owner.post(&shop.contacts).json(ada()).header("idempotency-key", "one").created().await;
    assert_ne!(create.id(), created.id());
    world.assert_consistent().await;
}

#[tokio::test]
async fn upsert_of_a_freed_email_creates_a_contact() {
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
    world.assert_consistent().await;
}

// ── Concurrency ─────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_creates_with_one_email_succeed_once() {
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
        for rejected in answers.iter().filter(|answer| answer.status == 409) {
            assert_eq!(
                (&rejected.body["code"], &rejected.body["existingId"]),
                (&json!("email_taken"), &winner.body["id"]),
                "{rejected}"
            );
        }
    }
    assert_eq!(list_all(&shop.owner, &shop.contacts).await.len(), 3);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_upserts_with_one_email_create_once_and_merge() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answers = at_once((0..50).map(|_| upsert(&shop, &ada()).contended().send())).await;
    assert_eq!((statuses(&answers, 201), statuses(&answers, 200)), (1, 49), "{answers:?}");
    let ids: BTreeSet<_> = answers.iter().map(Answer::id).collect();
    assert_eq!(ids.len(), 1);
    assert!(answers.iter().all(|answer| answer.body["version"] == 1));
    assert_eq!(list_all(&shop.owner, &shop.contacts).await.len(), 2);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_upserts_with_different_tags_are_all_merged() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut tags = Vec::new();
    for _ in 0..10 {
        tags.push(tag(&shop).await);
    }
    let upsert_tag = |at: usize| {
        let mut contact = ada();
        contact["tagIds"] = json!([tags[at % 10]]);
        upsert(&shop, &contact).contended().send()
    };
    let answers = at_once((0..20).map(upsert_tag)).await;
    assert_eq!((statuses(&answers, 201), statuses(&answers, 200)), (1, 19), "{answers:?}");
    let mut actual = shop.owner.get(answers[0].location()).is(200).await.body["tagIds"].as_array().unwrap().clone();
    actual.sort_by_key(Value::to_string);
    assert_eq!(json!(actual), json!(tags));
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_upserts_with_one_idempotency_key_have_one_effect() {
    let world = World::new().await;
    let shop = world.shop().await;
    let requests = (0..20).map(|_| upsert(&shop, &ada()).header("idempotency-key", "one").contended().is(201));
    let answers = at_once(requests).await;
    let bodies: BTreeSet<_> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(bodies.len(), 1);
    let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty());
    assert_eq!(first.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upsert_during_deletion_or_rename_keeps_data_consistent() {
    let world = World::new().await;
    let shop = world.shop().await;
    for round in 0..6 {
        let existing = upsert(&shop, &ada()).send().await;
        let mut contact = ada();
        contact["company"] = json!(format!("Engines {round}"));
        let renamed = json!({ "email": format!("{round}@example.com") });
        let other = if round % 2 == 0 {
            shop.owner.delete(existing.location())
        } else {
            shop.owner.patch(existing.location()).json(renamed)
        };
        let requests = [other, upsert(&shop, &contact), upsert(&shop, &contact)].map(RequestBuilder::contended);
        let answers = at_once(requests.map(RequestBuilder::send)).await;
        assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
        let contacts = list_all(&shop.owner, &format!("{}?email=ada@example.com", shop.contacts)).await;
        assert!(contacts.len() == 1 || answers[1].status == 200, "{answers:?}");
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn upsert_with_lost_answer_has_one_effect() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    for (status, contact) in [(201, ada()), (200, json!({ "email": "ada@example.com", "company": "Engines" }))] {
        world.faults().next_writes([Fault::AnswerLost; 2]);
        let answer = upsert(&shop, &contact).is(status).await;
        assert_eq!(answer.body["version"], if status == 201 { 1 } else { 2 });
    }
    // A retry with the same key gets the answer that was lost.
    let retry =
        || upsert(&shop, &json!({ "email": "ada@example.com", "source": "fair" })).header("idempotency-key", "one");
    world.faults().next_writes([Fault::AnswerLost; 200]);
    retry().problem(503, "unavailable").await;
    world.faults().none();
    let answer = retry().is(200).await;
    assert_eq!((&answer.body["version"], answer.header("idempotency-replayed")), (&json!(3), "true"));
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upsert_does_not_overwrite_an_email_changed_after_lookup() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let first = upsert(&shop, &ada()).created().await;
    // The email's owner has been read; the read of the contact gets no response and is retried.
    world.faults().after(1, [Fault::NoResponse]);
    let upserting = upsert(&shop, &ada()).send();
    let rename = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        shop.owner.patch(first.location()).json(json!({ "email": "king@example.com" })).is(200).await
    };
    let (second, renamed) = tokio::join!(upserting, rename);
    assert_eq!(second.status, 201, "{second}");
    assert_ne!(second.id(), first.id());
    assert_eq!(shop.owner.get(first.location()).is(200).await.body, renamed.body);
    world.assert_consistent().await;
}
