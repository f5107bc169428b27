//! What requests cost: the calls that they make, and what the engine says these consumed.
//!
//! The budgets in the OpenAPI document bound every request of every test; these are exact.

use harness::call::Capacity;
use harness::who::Answer;
use harness::world::World;
use serde_json::{Value, json};

use crate::appointments::Salon;

/// What each call of a read consumed, in read units.
fn read_units(answer: &Answer) -> Vec<f64> {
    let consumed = answer.calls.iter().map(|call| call.answer.as_ref().and_then(|answer| answer.capacity));
    consumed.map(|capacity: Option<Capacity>| capacity.expect("every call reports what it consumed").read).collect()
}

#[tokio::test]
async fn reading_by_id_is_one_get_item_of_one_unit() {
    let world = World::new().await;
    let tree = world.tree().await;
    for (role, path) in [
        (shared::auth::Role::ClientUser, &tree.own().contact),
        (shared::auth::Role::AgencyUser, &tree.own().contact),
        (shared::auth::Role::ClientUser, &tree.own().client),
        (shared::auth::Role::AgencyUser, &tree.own().client),
        (shared::auth::Role::AgencyUser, &tree.own().agency),
        (shared::auth::Role::Admin, &tree.own().tenant),
    ] {
        let answer = tree.user(role).get(path).is(200).await;
        assert_eq!((answer.operations(), read_units(&answer)), (vec!["GetItem"], vec![1.0]), "{answer}");
    }
}

#[tokio::test]
async fn a_304_costs_what_a_200_costs() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answer = shop.owner.get(&shop.spot.contact).header("if-none-match", "\"1\"").is(304).await;
    assert_eq!(answer.operations(), ["GetItem"]);
}

#[tokio::test]
async fn an_admin_looks_the_scope_up_first() {
    let world = World::new().await;
    let shop = world.shop().await;
    for path in [&shop.spot.contact, &shop.spot.client, &shop.spot.agency] {
        let answer = shop.admin.get(path).is(200).await;
        assert_eq!((answer.operations(), read_units(&answer)), (vec!["GetItem"; 2], vec![1.0; 2]), "{answer}");
    }
}

#[tokio::test]
async fn a_list_is_one_query_whatever_its_length() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..12 {
        let answer = shop.owner.get(&format!("{}?limit=5", shop.contacts)).is(200).await;
        assert_eq!(answer.operations(), ["Query"], "{answer}");
        shop.owner.post(&shop.contacts).json(json!({ "firstName": "Ada", "lastName": "Lovelace" })).created().await;
    }
}

#[tokio::test]
async fn a_page_reads_no_more_than_it_shows() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..100 {
        let source = "x".repeat(100);
        let person = json!({ "firstName": "Ada", "lastName": "Lovelace", "source": source, "company": source });
        shop.owner.post(&shop.contacts).json(person).created().await;
    }
    let page = shop.owner.get(&format!("{}?limit=2", shop.contacts)).is(200).await;
    assert_eq!(read_units(&page), [1.0], "three rows below 4 KB");
    let whole = shop.owner.get(&format!("{}?limit=100", shop.contacts)).is(200).await;
    assert!(read_units(&whole)[0] > 10.0, "a hundred rows are more than one unit: {:?}", read_units(&whole));
}

#[tokio::test]
async fn the_next_page_is_one_query_too() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.post(&shop.contacts).json(json!({ "firstName": "Ada", "lastName": "Lovelace" })).created().await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let next = shop.owner.get(&format!("{}?cursor={cursor}", shop.contacts)).is(200).await;
    assert_eq!((next.operations(), read_units(&next)), (vec!["Query"], vec![1.0]));
}

#[tokio::test]
async fn an_empty_list_looks_whether_its_scope_is_there() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.spot.contact).is(204).await;
    let answer = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(answer.operations(), ["Query", "GetItem"]);
}

#[tokio::test]
async fn a_create_is_one_transaction() {
    let world = World::new().await;
    let shop = world.shop().await;
    let full = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" });
    for key in [None, Some("one"), Some("one")] {
        let ask = shop.owner.post(&shop.contacts).json(&full);
        let ask = if let Some(key) = key { ask.header("idempotency-key", key) } else { ask };
        let answer = ask.send().await;
        assert_eq!(answer.operations(), ["TransactWriteItems"], "{answer}");
        if answer.status == 201 && key.is_none() {
            shop.owner.delete(answer.location()).is(204).await;
        }
    }
    let named = json!({ "name": "Northwind" });
    for (who, list) in [(&shop.admin, "/v1/tenants"), (&shop.admin, &format!("{}/agencies", shop.spot.tenant))] {
        let answer = who.post(list).json(&named).created().await;
        assert_eq!(answer.operations(), ["TransactWriteItems"], "{answer}");
    }
}

#[tokio::test]
async fn a_change_is_a_read_and_one_transaction() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answer = shop.owner.patch(&shop.spot.contact).json(json!({ "email": "ada@example.com" })).is(200).await;
    assert_eq!(answer.operations(), ["GetItem", "TransactWriteItems"]);
    // The contact, and how many rows refer to it.
    let answer = shop.owner.delete(&shop.spot.contact).is(204).await;
    assert_eq!(answer.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn a_contact_with_tags_costs_one_read_more() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tag = shop.spot.id("tagId");
    let tagged = format!("{}/tags/{tag}", shop.spot.contact);
    let put = || shop.owner.ask("PUT".parse().unwrap(), &tagged);
    assert_eq!(put().is(200).await.operations(), ["GetItem", "TransactWriteItems"]);
    assert_eq!(put().is(200).await.operations(), ["GetItem", "GetItem"], "nothing changes");
    let read = shop.owner.get(&shop.spot.contact).is(200).await;
    assert_eq!((read.operations(), read_units(&read)), (vec!["GetItem"; 2], vec![1.0; 2]));
    let list = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(list.operations(), ["Query", "GetItem"]);
    let tags = shop.owner.get(&format!("{}/tags", shop.spot.contact)).is(200).await;
    assert_eq!(tags.operations(), ["GetItem", "GetItem", "BatchGetItem"]);
    let changed = shop.owner.patch(&shop.spot.contact).json(json!({ "source": "web" })).is(200).await;
    assert_eq!(changed.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
    let untagged = shop.owner.delete(&tagged).is(204).await;
    assert_eq!(untagged.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
    let deleted = shop.owner.delete(&shop.spot.tag).is(204).await;
    assert_eq!(deleted.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn an_upsert_is_a_look_at_the_email_and_one_transaction() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut known = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" });
    let upsert = format!("{}/upsert", shop.contacts);
    let created = shop.owner.post(&upsert).json(&known).is(201).await;
    assert_eq!(created.operations(), ["GetItem", "TransactWriteItems"]);
    let same = shop.owner.post(&upsert).json(&known).is(200).await;
    assert_eq!(same.operations(), ["GetItem", "GetItem"]);
    known["source"] = json!("web");
    let merged = shop.owner.post(&upsert).json(&known).is(200).await;
    assert_eq!(merged.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn a_stale_change_is_refused_after_one_read() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = shop.owner.patch(&shop.spot.contact).json(json!({ "source": "web" })).header("if-match", "\"7\"");
    assert_eq!(patch.is(412).await.operations(), ["GetItem"]);
}

#[tokio::test]
async fn what_is_invalid_costs_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    for ask in [
        shop.owner.post(&shop.contacts).json(json!({})),
        shop.owner.get(&format!("{}?limit=0", shop.contacts)),
        shop.owner.get(&format!("{}?cursor=x", shop.contacts)),
        shop.owner.get(&format!("{}/x", shop.contacts)),
    ] {
        assert_eq!(ask.send().await.operations(), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn signing_in_is_five_small_reads_and_one_transaction() {
    let world = World::new().await;
    let admin = world.admin().await;
    let login = json!({ "email": admin.email(), "password": harness::world::PASSWORD });
    let answer = world.anyone().post("/v1/auth/login").json(login).is(200).await;
    assert_eq!(answer.operations(), ["GetItem", "GetItem", "GetItem", "GetItem", "GetItem", "TransactWriteItems"]);
    let token = json!({ "refreshToken": answer.body["refreshToken"] });
    let answer = world.anyone().post("/v1/auth/refresh").json(token).is(200).await;
    assert_eq!(answer.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
    assert_eq!(admin.get("/v1/auth/me").is(200).await.operations(), ["GetItem"]);
    assert_eq!(admin.post("/v1/auth/logout").is(204).await.operations(), ["TransactWriteItems"]);
}

/// An item's size is that of its attributes' names and values; 1 KB is what one write unit covers.
#[tokio::test]
async fn a_typical_contact_fits_into_one_write_unit() {
    let world = World::new().await;
    let shop = world.shop().await;
    let typical = json!({
        "firstName": "Marguerite", "lastName": "Featherstonehaugh", "email": "marguerite.featherstonehaugh@example.com",
        "phone": "+14155552671", "company": "Featherstonehaugh and Daughters", "jobTitle": "Managing Director",
        "source": "website",
    });
    let contact = shop.owner.post(&shop.contacts).json(typical).created().await;
    let rows = world.rows().await;
    let row = rows.iter().find(|row| row["sk"] == contact.id()).unwrap().as_object().unwrap();
    let size: usize = row.iter().map(|(name, value)| name.len() + size(value)).sum();
    assert!(size < 1024, "{size} bytes");
}

fn size(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), str::len)
}

// ── Appointments ────────────────────────────────────────────────────────────────────────────────────────────────────

/// What the parts of a transaction do.
fn parts(answer: &Answer) -> Vec<&str> {
    let transaction = answer.calls.last().filter(|call| call.operation == "TransactWriteItems");
    transaction.expect("a transaction").touches.iter().map(|touch| touch.action.as_str()).collect()
}

fn write_units(answer: &Answer) -> f64 {
    let consumed = answer.calls.iter().filter_map(|call| call.answer.as_ref()).filter_map(|answer| answer.capacity);
    consumed.map(|capacity| capacity.write).sum()
}

#[tokio::test]
async fn availability_of_a_week_is_a_batch_and_a_query() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    for day in 2..7 {
        for hour in [9, 12, 15] {
            salon.book(&service, Some(&staff), &format!("2026-03-{day:02}T{hour:02}:00:00Z")).created().await;
        }
    }
    let week =
        format!("{}/availability?serviceId={service}&from=2026-03-02T00:00:00Z&to=2026-03-09T00:00:00Z", salon.client);
    let one = salon.owner().get(&format!("{week}&staffId={staff}")).is(200).await;
    assert_eq!((one.operations(), read_units(&one)), (vec!["BatchGetItem", "Query"], vec![2.0, 1.0]), "{one}");
    let explained = salon.owner().get(&format!("{week}&staffId={staff}&explain=true")).is(200).await;
    assert_eq!(explained.operations(), one.operations());
    // Of anybody: the service, all of the staff, and the days of each of the two.
    let any = salon.owner().get(&week).is(200).await;
    assert_eq!(any.operations(), ["GetItem", "Query", "Query", "Query"], "{any}");
    salon
        .owner()
        .patch(&format!("{}/services/{service}", salon.client))
        .json(json!({ "staffIds": [staff] }))
        .is(200)
        .await;
    let named = salon.owner().get(&week).is(200).await;
    assert_eq!(named.operations(), ["GetItem", "BatchGetItem", "Query"], "{named}");
}

#[tokio::test]
async fn a_booking_is_a_batch_and_a_transaction() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let wish = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-02T10:00:00Z" });
    let booked = salon.ask_for(&wish).created().await;
    assert_eq!(booked.operations(), ["BatchGetItem", "TransactWriteItems"], "{booked}");
    assert_eq!((read_units(&booked)[0], write_units(&booked)), (2.0, 18.0), "{booked}");
    // The appointment and the day; what refers to the service, and to the member of the staff.
    assert_eq!(parts(&booked), ["PutItem", "PutItem", "UpdateItem", "UpdateItem"]);
    assert_eq!(salon.ask_for(&wish).problem(409, "slot_unavailable").await.operations(), ["BatchGetItem"]);
    let mut known = wish.clone();
    known["startTime"] = json!("2026-03-02T12:00:00Z");
    known["contactId"] = json!(salon.shop.spot.id("contactId"));
    let known = salon.ask_for(known).header("idempotency-key", "one").created().await;
    assert_eq!(known.operations(), ["BatchGetItem", "TransactWriteItems"]);
    // Beside that, that the contact is there, how much refers to it, and the answer.
    assert_eq!(parts(&known).len(), 7, "{known}");
    let moved = salon.then(&booked, "reschedule").json(json!({ "startTime": "2026-03-02T10:30:00Z" })).is(200).await;
    let mut operations = moved.operations();
    operations.sort_unstable();
    assert_eq!(operations, ["BatchGetItem", "BatchGetItem", "GetItem", "TransactWriteItems"]);
    let confirmed = salon.then(&booked, "confirm").is(200).await;
    assert_eq!(confirmed.operations(), ["GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn appointments_of_a_range_are_a_query_for_each_month() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    for start in ["2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z", "2026-04-02T10:00:00Z"] {
        salon.book(&service, Some(&staff), start).created().await;
    }
    let list = async |query: &str| salon.owner().get(&format!("{}/appointments?{query}", salon.client)).is(200).await;
    let month = list("from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z").await;
    assert_eq!((month.operations(), read_units(&month)), (vec!["Query"], vec![0.5]), "{month}");
    let three = list("from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z").await;
    assert_eq!(three.operations(), ["Query"; 3]);
    // A page that is full before the next month has not to look at it.
    let page = list("from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z&limit=1").await;
    assert_eq!(page.operations(), ["Query"]);
    assert_eq!(
        list(&format!("staffId={staff}&from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z")).await.operations(),
        ["Query"]
    );
    assert_eq!(list("status=SCHEDULED").await.operations(), ["Query"]);
}
