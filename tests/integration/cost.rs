//! Exact cost of requests: DynamoDB calls and consumed capacity.
//!
//! The budgets in `harness/round_trips.txt` are upper bounds for every request of every test.

use harness::call::Capacity;
use harness::users::Answer;
use harness::world::World;
use serde_json::{Value, json};

use crate::appointments::Salon;

/// Consumed read capacity units, per call.
fn read_units(answer: &Answer) -> Vec<f64> {
    let consumed = answer.calls.iter().map(|call| call.answer.as_ref().and_then(|answer| answer.capacity));
    consumed
        .map(|capacity: Option<Capacity>| capacity.expect("every call reports its consumed capacity").read)
        .collect()
}

#[tokio::test]
async fn get_by_id_costs_one_get_item_and_one_read_unit() {
    let world = World::new().await;
    let tree = world.tree().await;
    for (role, path) in [
        (shared::identity::Role::ClientUser, &tree.own().contact),
        (shared::identity::Role::AgencyUser, &tree.own().contact),
        (shared::identity::Role::ClientUser, &tree.own().client),
        (shared::identity::Role::AgencyUser, &tree.own().client),
        (shared::identity::Role::AgencyUser, &tree.own().agency),
        (shared::identity::Role::Admin, &tree.own().tenant),
    ] {
        let answer = tree.user(role).get(path).is(200).await;
        assert_eq!((answer.operations(), read_units(&answer)), (vec!["GetItem"], vec![1.0]), "{answer}");
    }
}

#[tokio::test]
async fn not_modified_costs_one_get_item() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answer = shop.owner.get(&shop.paths.contact).header("if-none-match", "\"1\"").is(304).await;
    assert_eq!(answer.operations(), ["GetItem"]);
}

#[tokio::test]
async fn admin_request_looks_up_the_scope_first() {
    let world = World::new().await;
    let shop = world.shop().await;
    for path in [&shop.paths.contact, &shop.paths.client, &shop.paths.agency] {
        let answer = shop.admin.get(path).is(200).await;
        assert_eq!((answer.operations(), read_units(&answer)), (vec!["GetItem"; 2], vec![1.0; 2]), "{answer}");
    }
}

#[tokio::test]
async fn list_costs_one_query_at_any_length() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..12 {
        let answer = shop.owner.get(&format!("{}?limit=5", shop.contacts)).is(200).await;
        assert_eq!(answer.operations(), ["Query"], "{answer}");
        shop.owner.post(&shop.contacts).json(json!({ "firstName": "Ada", "lastName": "Lovelace" })).created().await;
    }
}

#[tokio::test]
async fn page_reads_only_the_rows_that_it_shows() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..100 {
        let source = "x".repeat(100);
        let person = json!({ "firstName": "Ada", "lastName": "Lovelace", "source": source, "company": source });
        shop.owner.post(&shop.contacts).json(person).created().await;
    }
    let page = shop.owner.get(&format!("{}?limit=2", shop.contacts)).is(200).await;
    assert_eq!(read_units(&page), [1.0], "three rows below 4 KB");
    let hundred = shop.owner.get(&format!("{}?limit=100", shop.contacts)).is(200).await;
    assert!(read_units(&hundred)[0] > 10.0, "a hundred rows cost more than ten units: {:?}", read_units(&hundred));
}

#[tokio::test]
async fn next_page_costs_one_query() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.post(&shop.contacts).json(json!({ "firstName": "Ada", "lastName": "Lovelace" })).created().await;
    let page = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let next = shop.owner.get(&format!("{}?cursor={cursor}", shop.contacts)).is(200).await;
    assert_eq!((next.operations(), read_units(&next)), (vec!["Query"], vec![1.0]));
}

#[tokio::test]
async fn empty_list_checks_that_its_scope_exists() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.paths.contact).is(204).await;
    let answer = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(answer.operations(), ["Query", "GetItem"]);
}

#[tokio::test]
async fn create_costs_one_transaction_and_a_replay_two_reads_more() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" });
    // A replay checks that the client exists, and reads the number that seals the response from the contact.
    let (once, replay) = (["TransactWriteItems"].as_slice(), ["TransactWriteItems", "GetItem", "GetItem"].as_slice());
    for (key, operations) in [(None, once), (Some("one"), once), (Some("one"), replay)] {
        let request = shop.owner.post(&shop.contacts).json(&contact);
        let request = if let Some(key) = key { request.header("idempotency-key", key) } else { request };
        let answer = request.send().await;
        assert_eq!(answer.operations(), operations, "{answer}");
        if answer.status == 201 && key.is_none() {
            shop.owner.delete(answer.location()).is(204).await;
        }
    }
    let named = json!({ "name": "Northwind" });
    for (user, list) in [(&shop.admin, "/v1/tenants"), (&shop.admin, &format!("{}/agencies", shop.paths.tenant))] {
        let answer = user.post(list).json(&named).created().await;
        assert_eq!(answer.operations(), ["TransactWriteItems"], "{answer}");
    }
}

#[tokio::test]
async fn change_costs_its_reads_and_one_transaction() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answer = shop.owner.patch(&shop.paths.contact).json(json!({ "email": "ada@example.com" })).is(200).await;
    assert_eq!(answer.operations(), ["GetItem", "TransactWriteItems"]);
    // Reads the contact and its reference count.
    let answer = shop.owner.delete(&shop.paths.contact).is(204).await;
    assert_eq!(answer.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn tagged_contact_costs_one_more_read() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tag = shop.paths.id("tagId");
    let tagged = format!("{}/tags/{tag}", shop.paths.contact);
    let put = || shop.owner.request("PUT".parse().unwrap(), &tagged);
    assert_eq!(put().is(200).await.operations(), ["GetItem", "TransactWriteItems"]);
    assert_eq!(put().is(200).await.operations(), ["GetItem", "GetItem"], "an unchanged contact is not written");
    let read = shop.owner.get(&shop.paths.contact).is(200).await;
    assert_eq!((read.operations(), read_units(&read)), (vec!["GetItem"; 2], vec![1.0; 2]));
    let list = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(list.operations(), ["Query", "GetItem"]);
    let tags = shop.owner.get(&format!("{}/tags", shop.paths.contact)).is(200).await;
    assert_eq!(tags.operations(), ["GetItem", "GetItem", "BatchGetItem"]);
    let changed = shop.owner.patch(&shop.paths.contact).json(json!({ "source": "web" })).is(200).await;
    assert_eq!(changed.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
    let untagged = shop.owner.delete(&tagged).is(204).await;
    assert_eq!(untagged.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
    let deleted = shop.owner.delete(&shop.paths.tag).is(204).await;
    assert_eq!(deleted.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn upsert_costs_an_email_lookup_and_one_transaction() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut contact = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" });
    let upsert = format!("{}/upsert", shop.contacts);
    let created = shop.owner.post(&upsert).json(&contact).is(201).await;
    assert_eq!(created.operations(), ["GetItem", "TransactWriteItems"]);
    let same = shop.owner.post(&upsert).json(&contact).is(200).await;
    assert_eq!(same.operations(), ["GetItem", "GetItem"]);
    contact["source"] = json!("web");
    let merged = shop.owner.post(&upsert).json(&contact).is(200).await;
    assert_eq!(merged.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn stale_change_is_rejected_after_one_read() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = shop.owner.patch(&shop.paths.contact).json(json!({ "source": "web" })).header("if-match", "\"7\"");
    assert_eq!(patch.is(412).await.operations(), ["GetItem"]);
}

#[tokio::test]
async fn invalid_request_makes_no_calls() {
    let world = World::new().await;
    let shop = world.shop().await;
    for request in [
        shop.owner.post(&shop.contacts).json(json!({})),
        shop.owner.get(&format!("{}?limit=0", shop.contacts)),
        shop.owner.get(&format!("{}?cursor=x", shop.contacts)),
        shop.owner.get(&format!("{}/x", shop.contacts)),
    ] {
        assert_eq!(request.send().await.operations(), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn sign_in_costs_five_reads_and_one_transaction() {
    let world = World::new().await;
    let admin = world.admin().await;
    let login = json!({ "email": admin.email(), "password": harness::world::PASSWORD });
    let answer = world.anonymous().post("/v1/auth/login").json(login).is(200).await;
    assert_eq!(answer.operations(), ["GetItem", "GetItem", "GetItem", "GetItem", "GetItem", "TransactWriteItems"]);
    let token = json!({ "refreshToken": answer.body["refreshToken"] });
    let answer = world.anonymous().post("/v1/auth/refresh").json(token).is(200).await;
    assert_eq!(answer.operations(), ["GetItem", "GetItem", "TransactWriteItems"]);
    assert_eq!(admin.get("/v1/auth/me").is(200).await.operations(), ["GetItem"]);
    assert_eq!(admin.post("/v1/auth/logout").is(204).await.operations(), ["TransactWriteItems"]);
}

/// One write unit covers 1 KB of attribute names and values.
#[tokio::test]
async fn typical_contact_fits_into_one_write_unit() {
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

/// Actions of the items of the last transaction.
fn transaction_actions(answer: &Answer) -> Vec<&str> {
    let transaction = answer.calls.last().filter(|call| call.operation == "TransactWriteItems");
    transaction.expect("a transaction").touches.iter().map(|touch| touch.action.as_str()).collect()
}

fn write_units(answer: &Answer) -> f64 {
    let consumed = answer.calls.iter().filter_map(|call| call.answer.as_ref()).filter_map(|answer| answer.capacity);
    consumed.map(|capacity| capacity.write).sum()
}

#[tokio::test]
async fn week_of_availability_costs_one_batch_and_one_query() {
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
    let one_staff = salon.owner().get(&format!("{week}&staffId={staff}")).is(200).await;
    assert_eq!(
        (one_staff.operations(), read_units(&one_staff)),
        (vec!["BatchGetItem", "Query"], vec![2.0, 1.0]),
        "{one_staff}"
    );
    let explained = salon.owner().get(&format!("{week}&staffId={staff}&explain=true")).is(200).await;
    assert_eq!(explained.operations(), one_staff.operations());
    // Without `staffId`: the service, all staff members, and the days of each of the two staff members.
    let any_staff = salon.owner().get(&week).is(200).await;
    assert_eq!(any_staff.operations(), ["BatchGetItem", "Query", "Query", "Query"], "{any_staff}");
    salon
        .owner()
        .patch(&format!("{}/services/{service}", salon.client))
        .json(json!({ "staffIds": [staff] }))
        .is(200)
        .await;
    let restricted = salon.owner().get(&week).is(200).await;
    assert_eq!(restricted.operations(), ["BatchGetItem", "Query", "Query"], "{restricted}");
}

#[tokio::test]
async fn booking_costs_two_batches_at_once_and_one_transaction() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booking = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-02T10:00:00Z" });
    let booked = salon.ask_for(&booking).created().await;
    // The service and the staff member with its days; the reminder settings and the client.
    assert_eq!(booked.operations(), ["BatchGetItem", "BatchGetItem", "TransactWriteItems"], "{booked}");
    assert_eq!((read_units(&booked)[..2].iter().sum(), write_units(&booked)), (3.0, 10.0), "{booked}");
    // The appointment and the day; the reference counts of the service and the staff member.
    assert_eq!(transaction_actions(&booked), ["PutItem", "PutItem", "UpdateItem", "UpdateItem"]);
    assert_eq!(salon.ask_for(&booking).problem(409, "slot_unavailable").await.operations(), ["BatchGetItem"; 2]);
    let mut with_contact = booking.clone();
    with_contact["startTime"] = json!("2026-03-02T12:00:00Z");
    with_contact["contactId"] = json!(salon.shop.paths.id("contactId"));
    let with_contact = salon.ask_for(with_contact).header("idempotency-key", "one").created().await;
    assert_eq!(with_contact.operations(), ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]);
    // In addition: the check of the contact, its reference count, the stored answer, a confirmation and a reminder.
    assert_eq!(transaction_actions(&with_contact).len(), 9, "{with_contact}");
    let moved = salon.then(&booked, "reschedule").json(json!({ "startTime": "2026-03-02T10:30:00Z" })).is(200).await;
    let mut operations = moved.operations();
    operations.sort_unstable();
    assert_eq!(operations, ["BatchGetItem", "BatchGetItem", "BatchGetItem", "GetItem", "TransactWriteItems"]);
    let confirmed = salon.then(&booked, "confirm").is(200).await;
    assert_eq!(confirmed.operations(), ["GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn appointments_of_a_range_cost_one_query_per_month() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    for start in ["2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z", "2026-04-02T10:00:00Z"] {
        salon.book(&service, Some(&staff), start).created().await;
    }
    let list = async |query: &str| salon.owner().get(&format!("{}/appointments?{query}", salon.client)).is(200).await;
    let month = list("from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z").await;
    assert_eq!((month.operations(), read_units(&month)), (vec!["Query"], vec![0.5]), "{month}");
    let three_months = list("from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z").await;
    assert_eq!(three_months.operations(), ["Query"; 3]);
    // A page that is full does not query the next month.
    let page = list("from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z&limit=1").await;
    assert_eq!(page.operations(), ["Query"]);
    assert_eq!(
        list(&format!("staffId={staff}&from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z")).await.operations(),
        ["Query"]
    );
    assert_eq!(list("status=SCHEDULED").await.operations(), ["Query"]);
}
