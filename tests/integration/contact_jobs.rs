//! Deletions that need a job: tags of many contacts, contacts with references.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use harness::at_once;
use harness::faults::Fault;
use harness::tree::{START, SalonFixture};
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::appointments::{Appointment, AppointmentFields, BookingSource, HoldPolicy};
use shared::appointments::{BookingRequest, SlotAllocator};
use shared::contacts::{ContactId, ContactOrigin};
use shared::deals::Deal;
use shared::reminders::ReminderRules;
use shared::value::Id;
use shared::web::Problem;
use uuid::Uuid;

use crate::paging::{ids, list_all, walk};

/// Seconds after which the lease of a crashed worker has expired.
const LEASE: i64 = 91;

/// Seconds after which a tombstone has expired.
const TOMBSTONE_TTL: i64 = 61;

pub(crate) async fn create_tag(shop: &SalonFixture<'_>, name: &str) -> Answer {
    shop.owner.post(&format!("{}/tags", shop.paths.client)).json(json!({ "name": name })).created().await
}

/// Creates contacts with these tags and returns their paths.
pub(crate) async fn create_contacts(shop: &SalonFixture<'_>, count: usize, tags: &[&Answer]) -> Vec<String> {
    let tags: Vec<_> = tags.iter().map(|tag| tag.id()).collect();
    let mut paths = Vec::new();
    while paths.len() < count {
        let requests = (0..10.min(count - paths.len())).map(|_| {
            let person = json!({ "firstName": "Ada", "lastName": Uuid::new_v4(), "tagIds": tags });
            shop.owner.post(&shop.contacts).json(person).contended().is(201)
        });
        paths.extend(at_once(requests).await.iter().map(|answer| answer.location().to_owned()));
    }
    paths
}

pub(crate) fn in_collection<'a>(rows: &'a [Value], collection: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["pk"].as_str().is_some_and(|pk| pk.ends_with(&format!("#{collection}")))).collect()
}

/// Runs all jobs and lets the tombstones expire. None is left.
async fn finish_jobs(world: &World) {
    world.run_jobs().await;
    world.clock().advance(TOMBSTONE_TTL);
    world.run_jobs().await;
    assert_jobs_done(world).await;
}

async fn assert_jobs_done(world: &World) {
    world.assert_consistent().await;
    let rows = world.rows().await;
    for collection in ["GONE", "JOB"] {
        assert_eq!(in_collection(&rows, collection), Vec::<&Value>::new());
    }
}

// ── Deleting a tag ──────────────────────────────────────────────────────────────────────────────────────────────────

/// Answers of every operation that reads contacts or tags of a client.
async fn read_everything(shop: &SalonFixture<'_>, tag: &Answer, contacts: &[String]) -> Vec<Answer> {
    let mut paths = vec![format!("{}/tags?limit=100", shop.paths.client), format!("{}/export", shop.contacts)];
    paths.extend(contacts.iter().flat_map(|contact| [contact.clone(), format!("{contact}/tags")]));
    let mut answers = Vec::new();
    for path in paths {
        answers.push(shop.owner.get(&path).is(200).await);
    }
    let since = "updatedSince=2020-01-01T00:00:00Z";
    let by_tag = format!("tagId={}", tag.id());
    for query in
        ["sort=createdAt", "sort=updatedAt", "sort=name&order=desc", since, "q=ada", "q=ada&sort=name", &by_tag]
    {
        let mut cursor = String::new();
        loop {
            let page = shop.owner.get(&format!("{}?limit=100&{query}{cursor}", shop.contacts)).is(200).await;
            let next = page.body["nextCursor"].as_str().map(|next| format!("&cursor={next}"));
            answers.push(page);
            let Some(next) = next else { break };
            cursor = next;
        }
    }
    answers
}

/// Expects the tag to be invisible in every answer and unusable in every request.
async fn assert_tag_hidden(shop: &SalonFixture<'_>, tag: &Answer, contacts: &[String]) {
    for answer in read_everything(shop, tag, contacts).await {
        assert!(!answer.text.contains(tag.id()), "{answer}");
    }
    assert_eq!(list_all(&shop.owner, &format!("{}?tagId={}", shop.contacts, tag.id())).await, Vec::<Value>::new());
    shop.owner.get(tag.location()).problem(404, "not_found").await;
    let contact = &contacts[0];
    let tag_of_contact = format!("{contact}/tags/{}", tag.id());
    let before = shop.owner.get(contact).is(200).await;
    shop.owner.request(Method::PUT, &tag_of_contact).problem(404, "not_found").await;
    shop.owner.delete(&tag_of_contact).problem(404, "not_found").await;
    let mut tag_ids = before.body["tagIds"].as_array().unwrap().clone();
    tag_ids.push(json!(tag.id()));
    let last = format!("/tagIds/{}", tag_ids.len() - 1);
    shop.owner.patch(contact).json(json!({ "tagIds": tag_ids })).invalid(&[&last]).await;
    let tagged = json!({ "firstName": "Ada", "lastName": "King", "email": "new@example.com", "tagIds": [tag.id()] });
    shop.owner.post(&shop.contacts).json(&tagged).invalid(&["/tagIds/0"]).await;
    shop.owner.post(&format!("{}/upsert", shop.contacts)).json(&tagged).invalid(&["/tagIds/0"]).await;
    assert_eq!(shop.owner.get(contact).is(200).await.body, before.body);
}

/// Bodies of contacts by path and version, without `updatedAt`.
#[derive(Default)]
struct Versions(BTreeMap<(String, u64), Value>);

impl Versions {
    /// Reads the contacts and checks their versions.
    ///
    /// The `ETag` is the version, and different bodies have different versions.
    async fn check(&mut self, shop: &SalonFixture<'_>, contacts: &[String]) {
        for contact in contacts {
            let answer = shop.owner.get(contact).is(200).await;
            let version = answer.body["version"].as_u64().unwrap();
            assert_eq!(answer.header("etag"), format!("\"{version}\""));
            let mut body = answer.body.clone();
            body["updatedAt"] = Value::Null;
            let earlier = self.0.entry((contact.clone(), version)).or_insert(body.clone());
            assert_eq!(*earlier, body, "version {version} has two different bodies");
            let (_, newest) = self.0.keys().rfind(|(other, _)| other == contact).unwrap();
            assert_eq!(*newest, version, "the version went back");
        }
    }
}

#[tokio::test]
async fn deleted_tag_of_250_contacts_is_hidden_immediately() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let (vip, press) = (create_tag(&shop, "VIP").await, create_tag(&shop, "press").await);
    let mut with_both = create_contacts(&shop, 5, &[&press, &vip]).await;
    let ada = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "tagIds": [vip.id()] });
    let ada = shop.owner.post(&shop.contacts).json(ada).created().await;
    let many = create_contacts(&shop, 244, &[&vip]).await;
    with_both.push(ada.location().to_owned());
    with_both.push(many[0].clone());
    with_both.push(many[243].clone());
    let sample = &with_both;
    let mut versions = Versions::default();
    versions.check(&shop, sample).await;
    assert_eq!(list_all(&shop.owner, &format!("{}?tagId={}", shop.contacts, vip.id())).await.len(), 250);

    world.clock().advance(1);
    shop.owner.delete(vip.location()).is(204).await;
    let next = create_tag(&shop, "vip").await;
    assert_tag_hidden(&shop, &vip, sample).await;
    versions.check(&shop, sample).await;
    for contact in sample {
        // The version before the deletion is stale.
        let current = shop.owner.get(contact).header("if-none-match", "\"1\"").is(200).await;
        assert_eq!(current.body["version"], 2, "{current}");
        shop.owner.get(contact).header("if-none-match", "\"2\"").is(304).await;
        for stale in [shop.owner.patch(contact).json(json!({ "source": "x" })), shop.owner.delete(contact)] {
            stale.header("if-match", "\"1\"").problem(412, "precondition_failed").await;
        }
    }
    // Changes of every kind in the meantime are based on the visible state.
    let changed =
        shop.owner.patch(&sample[0]).json(json!({ "source": "fair" })).header("if-match", "\"2\"").is(200).await;
    assert_eq!((&changed.body["tagIds"], &changed.body["version"]), (&json!([press.id()]), &json!(3)));
    let unchanged = shop.owner.patch(&sample[1]).json(json!({ "firstName": "Ada" })).is(200).await;
    assert_eq!((&unchanged.body["tagIds"], &unchanged.body["version"]), (&json!([press.id()]), &json!(2)));
    let tagged = shop.owner.request(Method::PUT, &format!("{}/tags/{}", sample[2], next.id())).is(200).await;
    assert_eq!(tagged.body["tagIds"], json!([press.id(), next.id()]));
    let upsert = json!({ "email": "ada@example.com", "company": "Engines", "tagIds": [next.id()] });
    let merged = shop.owner.post(&format!("{}/upsert", shop.contacts)).json(&upsert).is(200).await;
    assert_eq!(merged.body["tagIds"], json!([next.id()]));
    shop.owner.delete(&sample[3]).header("if-match", "\"2\"").is(204).await;
    let sample = [&sample[..3], &sample[4..]].concat();
    versions.check(&shop, &sample).await;
    world.assert_consistent().await;

    // The worker crashes after acquiring the lease and making three steps.
    world.faults().writes_after(4, [Fault::RequestLost; 50]);
    assert_eq!(world.run_jobs_once().await, 1);
    world.faults().none();
    let tagged_rows = |rows: &[Value]| in_collection(rows, &format!("TAG#{}#CONTACT", vip.id())).len();
    let remaining = tagged_rows(&world.rows().await);
    assert!((1..249).contains(&remaining), "{remaining} rows remain");
    assert_tag_hidden(&shop, &vip, &sample).await;
    versions.check(&shop, &sample).await;
    world.assert_consistent().await;
    world.run_jobs().await;
    assert_eq!(tagged_rows(&world.rows().await), remaining, "the lease of the crashed worker has not expired");

    world.clock().advance(LEASE);
    world.run_jobs().await;
    assert_tag_hidden(&shop, &vip, &sample).await;
    versions.check(&shop, &sample).await;
    world.assert_consistent().await;
    let rows = world.rows().await;
    assert_eq!((tagged_rows(&rows), in_collection(&rows, "GONE").len()), (0, 1), "the tombstone is still stored");
    for contact in list_all(&shop.owner, &shop.contacts).await {
        let version = contact["version"].as_u64().unwrap();
        assert!(version <= 3, "the contact was written twice: {contact}");
        assert!(!rows.iter().any(|row| row["sk"] == contact["id"] && row["tagIds"].to_string().contains(vip.id())));
    }

    world.clock().advance(TOMBSTONE_TTL);
    world.run_jobs().await;
    assert_jobs_done(&world).await;
    assert_tag_hidden(&shop, &vip, &sample).await;
    versions.check(&shop, &sample).await;
    assert_eq!(list_all(&shop.owner, &format!("{}?tagId={}", shop.contacts, next.id())).await.len(), 2);
}

/// Faults that crash a worker at a write: before it, or before its answer.
fn crashes() -> [Vec<Fault>; 2] {
    let lost = vec![Fault::RequestLost; 50];
    [lost.clone(), [vec![Fault::AnswerLost], lost].concat()]
}

/// Crashes a worker at each write of a job in turn.
///
/// Expects consistent rows, and that other workers end the job.
pub(crate) async fn dies_at_every_write(
    world: &World,
    writes: usize,
    mut begin: impl AsyncFnMut() -> String,
    mut check: impl AsyncFnMut(&str),
) {
    for crash in crashes() {
        for at in 0..writes {
            let deleted = begin().await;
            world.faults().writes_after(at, crash.clone());
            world.run_jobs_once().await;
            // If the first part was done to its end, the worker crashes while removing the tombstone.
            world.clock().advance(TOMBSTONE_TTL);
            world.run_jobs_once().await;
            world.faults().none();
            world.assert_consistent().await;
            check(&deleted).await;
            for _ in 0..2 {
                world.clock().advance(LEASE);
                world.run_jobs().await;
                check(&deleted).await;
            }
            assert_jobs_done(world).await;
            // Set the clock back, so that sessions do not expire.
            world.clock().advance(-(TOMBSTONE_TTL + 2 * LEASE));
        }
    }
}

#[tokio::test]
async fn crash_while_deleting_a_tag_is_recovered() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    // Two steps, the second with one contact.
    let contacts = create_contacts(&shop, 41, &[]).await;
    let begin = async || {
        let tag = create_tag(&shop, "vip").await;
        let put = |contact: &String| shop.owner.request(Method::PUT, &format!("{contact}/tags/{}", tag.id())).is(200);
        for chunk in contacts.chunks(10) {
            at_once(chunk.iter().map(put)).await;
        }
        shop.owner.delete(tag.location()).is(204).await;
        tag.id().to_owned()
    };
    let check = async |deleted: &str| {
        let list = shop.owner.get(&format!("{}?limit=100", shop.contacts)).is(200).await;
        assert!(!list.text.contains(deleted), "{list}");
    };
    // Writes: lease, two steps, wait; lease, remove the tombstone, end.
    dies_at_every_write(&world, 7, begin, check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_workers_and_users_lose_no_change() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = [
        create_tag(&shop, "a").await,
        create_tag(&shop, "b").await,
        create_tag(&shop, "c").await,
        create_tag(&shop, "d").await,
    ];
    let contacts = create_contacts(&shop, 50, &[&tags[0], &tags[1], &tags[2]]).await;
    let workers = async || {
        at_once((0..4).map(|_| world.run_jobs_once())).await;
    };
    // One tag and eight workers, four of which start after the leases of the first four have expired.
    shop.owner.delete(tags[0].location()).is(204).await;
    let late_workers = async {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        world.clock().advance(LEASE);
        workers().await;
    };
    tokio::join!(workers(), late_workers);
    finish_jobs(&world).await;
    for contact in list_all(&shop.owner, &shop.contacts).await {
        assert!(contact["version"].as_u64().unwrap() <= 2, "the contact was written twice: {contact}");
    }

    // Two tags of the same contacts, while users change and tag these contacts.
    at_once(tags[1..3].iter().map(|tag| shop.owner.delete(tag.location()).contended().is(204))).await;
    let users = async {
        let numbered: Vec<_> = contacts.iter().enumerate().collect();
        for chunk in numbered.chunks(8) {
            let requests = chunk.iter().map(|(at, contact)| match at % 3 {
                0 => shop.owner.patch(contact).json(json!({ "source": "fair" })),
                1 => shop.owner.request(Method::PUT, &format!("{contact}/tags/{}", tags[3].id())),
                _ => shop.owner.delete(contact),
            });
            let answers = at_once(requests.map(|request| request.contended().send())).await;
            assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
        }
    };
    tokio::join!(users, workers());
    for _ in 0..4 {
        world.clock().advance(TOMBSTONE_TTL);
        world.run_jobs().await;
    }
    assert_jobs_done(&world).await;
    let remaining = list_all(&shop.owner, &shop.contacts).await;
    let tagged = remaining.iter().filter(|contact| contact["tagIds"] == json!([tags[3].id()])).count();
    assert_eq!((remaining.len(), tagged), (1 + 17 + 17, 17));
}

#[tokio::test]
async fn client_with_unfinished_jobs_can_be_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let client = shop.admin.post(&format!("{}/clients", shop.paths.agency)).json(json!({ "name": "Second" }));
    let client = client.created().await;
    let contacts = format!("{}/contacts", client.location());
    let tag = shop.admin.post(&format!("{}/tags", client.location())).json(json!({ "name": "vip" })).created().await;
    let person = json!({ "firstName": "Ada", "lastName": "Lovelace", "tagIds": [tag.id()] });
    let ada = shop.admin.post(&contacts).json(person).created().await;
    shop.admin.delete(tag.location()).is(204).await;
    shop.admin.delete(client.location()).problem(409, "not_empty").await;
    shop.admin.delete(ada.location()).is(204).await;
    shop.admin.delete(client.location()).is(204).await;
    finish_jobs(&world).await;
}

// ── Deleting a contact ──────────────────────────────────────────────────────────────────────────────────────────────

fn contact_id(path: &str) -> ContactId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// Fields that all deals of a test share.
fn common_fields(world: &World, shop: &SalonFixture<'_>, contact: ContactId) -> Value {
    let now = world.clock().now();
    json!({
        "id": Uuid::now_v7(), "clientId": shop.paths.scope.id(), "contactId": contact, "version": 1,
        "createdAt": now, "updatedAt": now,
    })
}

fn extended(mut fields: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("the added fields must be an object") };
    fields.as_object_mut().unwrap().extend(more);
    fields
}

/// Creates a deal with a contact through the repository.
async fn create_deal(world: &World, shop: &SalonFixture<'_>, contact: ContactId) -> Result<Value, Problem> {
    let client = shop.paths.scope;
    let deal = extended(
        common_fields(world, shop, contact),
        json!({
            "title": "Engines", "value": 12.5, "currency": "USD", "stageId": shop.paths.id("stageId"), "pipelineId": shop.paths.id("pipelineId"),
            "assignedToId": null, "status": "OPEN", "lostReason": null, "expectedCloseDate": null, "position": "V0001",
            "closedAt": null,
        }),
    );
    let row: Deal = serde_json::from_value(deal.clone()).unwrap();
    let mut transaction = world.store().transaction();
    let by = shop.owner.id().parse().unwrap();
    shared::deals::repository::create(&mut transaction, client, (&row, ContactOrigin::Named), Some(by))?;
    transaction.commit().await?;
    Ok(deal)
}

/// Books an appointment for a contact, outside working hours too.
async fn book_appointment(
    world: &World,
    shop: &SalonFixture<'_>,
    contact: ContactId,
    start: &str,
) -> Result<Value, Problem> {
    let (client, store, now) = (shop.paths.scope, world.store(), world.clock().now());
    let id = |name| shop.paths.id(name);
    let (service, staff) = (id("serviceId").parse().unwrap(), Some(id("staffId").parse().unwrap()));
    let (start, holds) = (start.parse().unwrap(), HoldPolicy::Ignore);
    let booking = BookingRequest { service, staff, start, force: true, holds };
    let allocator = SlotAllocator::read(&store, client, &booking).await?;
    let fields = AppointmentFields { contact_id: Some(contact), notes: None };
    let (id, slot) = (Id::from_uuid(Uuid::now_v7()), allocator.allocate(&booking, None, now)?);
    let rules = ReminderRules::read(&store, client, Some(contact)).await?;
    let new = Appointment::new(id, client.id(), &slot, fields, BookingSource::Api, now).with_reminders(&rules, now);
    let mut transaction = store.transaction();
    shared::appointments::repository::create(
        &mut transaction,
        client,
        (&allocator, &slot),
        None,
        (&new, ContactOrigin::Named),
        &rules,
    )?;
    transaction.commit().await?;
    Ok(json!(new))
}

/// A start without bookings: each call returns the next hour.
fn next_free_start() -> String {
    static HOUR: AtomicU32 = AtomicU32::new(0);
    let hour = HOUR.fetch_add(1, Ordering::Relaxed);
    format!("2027-{:02}-{:02}T{:02}:00:00Z", 1 + hour / 672, 1 + hour / 24 % 28, hour % 24)
}

/// Creates a contact with this number of references.
///
/// Half of them are deals, half appointments.
async fn referenced_contact(world: &World, shop: &SalonFixture<'_>, count: usize) -> String {
    let path = create_contacts(shop, 1, &[]).await.remove(0);
    let contact = contact_id(&path);
    for number in 0..count {
        if number % 2 == 0 {
            create_deal(world, shop, contact).await.unwrap();
        } else {
            book_appointment(world, shop, contact, &next_free_start()).await.unwrap();
        }
    }
    path
}

/// Deals and appointments created by a test.
///
/// The fixture's own deal and appointment have no contact.
fn referencing_rows(rows: &[Value]) -> Vec<&Value> {
    let deals = in_collection(rows, "DEAL").into_iter().filter(|deal| deal["title"] == "Engines");
    let booked = in_collection(rows, "APPOINTMENT").into_iter().filter(|booked| booked["startTime"] != START);
    deals.chain(booked).collect()
}

#[tokio::test]
async fn deals_and_appointments_of_a_contact_are_listed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (ada, grace) = (referenced_contact(&world, &shop, 0).await, referenced_contact(&world, &shop, 3).await);
    let (mut deals, mut appointments) = (Vec::new(), Vec::new());
    for number in 0..7 {
        deals.push(create_deal(&world, &shop, contact_id(&ada)).await.unwrap());
        // Booked in descending order of their starts.
        let start = format!("2026-03-0{}T06:30:00.000Z", 9 - number);
        appointments.insert(0, book_appointment(&world, &shop, contact_id(&ada), &start).await.unwrap());
    }
    for (name, expected) in [("deals", &deals), ("appointments", &appointments)] {
        let list = format!("{ada}/{name}");
        for limit in [1, 3, 7, 8] {
            let walked = walk(&shop.owner, &list, limit).await;
            assert_eq!(walked.items, *expected, "{name} by {limit}");
            walked.assert_full(limit);
        }
        let page = shop.owner.get(&format!("{list}?limit=2")).is(200).await;
        let mut operations = page.operations();
        operations.sort_unstable();
        assert_eq!(operations, ["GetItem", "Query"]);
        let cursor = page.body["nextCursor"].as_str().unwrap();
        let other = if name == "deals" { "appointments" } else { "deals" };
        for other_list in [format!("{ada}/{other}"), format!("{grace}/{name}"), shop.contacts.clone()] {
            shop.owner.get(&format!("{other_list}?cursor={cursor}")).problem(400, "invalid_cursor").await;
        }
        let empty = shop.owner.get(&format!("{}/{name}", shop.paths.contact)).is(200).await;
        assert_eq!(empty.body, json!({ "items": [], "nextCursor": null }));
        shop.owner.get(&format!("{list}?sort=title&limit=0")).invalid(&["/sort", "/limit"]).await;
        shop.owner.get(&format!("{}/{}/{name}", shop.contacts, Uuid::now_v7())).problem(404, "not_found").await;
    }
    assert_eq!(list_all(&shop.owner, &format!("{grace}/deals")).await.len(), 2);
    assert_eq!(list_all(&shop.owner, &format!("{grace}/appointments")).await.len(), 1);
    world.assert_consistent().await;
}

#[tokio::test]
async fn contact_deletion_clears_and_keeps_all_references() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let mut total = 0;
    for (references, needs_job) in [(0, false), (3, false), (20, false), (21, true), (250, true)] {
        let tag = create_tag(&shop, &format!("tag {references}")).await;
        let contact = referenced_contact(&world, &shop, references).await;
        total += references;
        shop.owner.request(Method::PUT, &format!("{contact}/tags/{}", tag.id())).is(200).await;
        let before = world.rows().await;
        shop.owner.delete(&contact).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
        world.clock().advance(1);
        shop.owner.delete(&contact).header("if-match", "\"2\"").is(204).await;
        let jobs = in_collection(&world.rows().await, "JOB").len();
        assert_eq!(jobs, usize::from(needs_job), "{references}");
        let id = contact_id(&contact);
        for round in 0..3 {
            for path in [
                contact.clone(),
                format!("{contact}/deals"),
                format!("{contact}/appointments"),
                format!("{contact}/tags"),
            ] {
                shop.owner.get(&path).problem(404, "not_found").await;
            }
            shop.owner.delete(&contact).problem(404, "not_found").await;
            assert!(!ids(&list_all(&shop.owner, &shop.contacts).await).contains(&id.to_string().as_str()));
            assert!(create_deal(&world, &shop, id).await.is_err(), "a new reference is rejected");
            world.assert_consistent().await;
            // The first round runs a part of the job, the second round the rest.
            if round == 0 {
                world.faults().writes_after(2, [Fault::ServerError; 50]);
                world.run_jobs_once().await;
                world.faults().none();
                world.clock().advance(LEASE);
            }
            world.run_jobs().await;
        }
        world.clock().advance(TOMBSTONE_TTL);
        world.run_jobs().await;
        assert_jobs_done(&world).await;
        let rows = world.rows().await;
        assert_eq!(in_collection(&rows, "REFERRED"), Vec::<&Value>::new());
        let after = referencing_rows(&rows);
        assert_eq!(after.len(), total);
        for row in after {
            let old = before.iter().find(|old| old["sk"] == row["sk"]).unwrap();
            if old["contactId"].is_null() {
                assert_eq!(row, old);
                continue;
            }
            assert_eq!((row["contactId"].is_null(), row["version"].as_f64()), (true, Some(2.0)), "{row}");
            assert!(row["updatedAt"].as_str() > old["updatedAt"].as_str());
            for unchanged in ["title", "startTime", "createdAt", "status", "clientId"] {
                assert_eq!(row[unchanged], old[unchanged], "{unchanged}");
            }
        }
        shop.owner.delete(tag.location()).is(204).await;
        finish_jobs(&world).await;
        // Set the clock back, so that sessions do not expire.
        world.clock().advance(-(LEASE + 2 * TOMBSTONE_TTL));
    }
}

#[tokio::test]
async fn crash_while_deleting_a_contact_is_recovered() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let total = std::cell::Cell::new(0);
    let begin = async || {
        // Two steps: there are more deals than fit one step.
        let contact = referenced_contact(&world, &shop, 1).await;
        for _ in 0..21 {
            create_deal(&world, &shop, contact_id(&contact)).await.unwrap();
        }
        total.set(total.get() + 22);
        shop.owner.delete(&contact).is(204).await;
        contact
    };
    let check = async |deleted: &str| {
        shop.owner.get(deleted).problem(404, "not_found").await;
        let rows = world.rows().await;
        assert_eq!(referencing_rows(&rows).len(), total.get());
        world.assert_consistent().await;
    };
    // Writes: lease, two steps, close the count, wait; lease, remove the tombstone, end.
    dies_at_every_write(&world, 8, begin, check).await;
    assert!(
        referencing_rows(&world.rows().await)
            .iter()
            .all(|row| row["contactId"].is_null() && row["version"].as_f64() == Some(2.0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reference_to_a_contact_being_deleted_is_rejected_or_cleared() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut created = 0;
    for before in [0, 2, 15, 25] {
        let contact = referenced_contact(&world, &shop, before).await;
        created += before;
        let id = contact_id(&contact);
        let delete = async {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            shop.owner.delete(&contact).contended().is(204).await;
        };
        let deals = at_once((0..12).map(|_| create_deal(&world, &shop, id)));
        let (deals, (), _) = tokio::join!(deals, delete, at_once((0..2).map(|_| world.run_jobs_once())));
        created += deals.iter().filter(|deal| deal.is_ok()).count();
        let refused = deals.iter().filter_map(|deal| deal.as_ref().err());
        assert!(refused.map(Problem::status).all(|status| status == 422));
        for _ in 0..2 {
            world.run_jobs().await;
            world.clock().advance(LEASE);
        }
        world.run_jobs().await;
        assert_jobs_done(&world).await;
        world.clock().advance(-2 * LEASE);
        let rows = world.rows().await;
        assert_eq!(referencing_rows(&rows).len(), created);
        assert!(referencing_rows(&rows).iter().all(|row| row["contactId"].is_null()), "{rows:?}");
    }
}

// ── Limits and concurrency ──────────────────────────────────────────────────────────────────────────────────────────

/// Stores this number of tombstones, as after as many recent deletions.
async fn add_tombstones(world: &World, shop: &SalonFixture<'_>, count: usize) {
    let ids = (0..count).map(|_| Uuid::now_v7().to_string()).collect();
    let request = world.engine().put_item().table_name(world.table());
    let request = request.item("pk", AttributeValue::S(format!("{}GONE", shop.paths.scope)));
    let request = request.item("sk", AttributeValue::S("IDS".to_owned())).item("ids", AttributeValue::Ss(ids));
    request.send().await.expect("the row is put");
}

#[tokio::test]
async fn deletions_beyond_the_tombstone_limit_are_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (vip, ada) = (create_tag(&shop, "vip").await, referenced_contact(&world, &shop, 21).await);
    let (few, none) = (referenced_contact(&world, &shop, 20).await, referenced_contact(&world, &shop, 0).await);
    add_tombstones(&world, &shop, 1000).await;
    let before = world.rows().await.len();
    for path in [vip.location(), &ada] {
        let refused = shop.owner.delete(path).problem(429, "too_many_deletions").await;
        assert_eq!(refused.header("retry-after"), "60");
        shop.owner.get(path).is(200).await;
    }
    assert_eq!(world.rows().await.len(), before);
    for path in [&few, &none] {
        shop.owner.delete(path).is(204).await;
    }
    add_tombstones(&world, &shop, 999).await;
    shop.owner.delete(&ada).is(204).await;
    shop.owner.delete(vip.location()).problem(429, "too_many_deletions").await;
    // The row of tombstones is full and has 36 KB.
    let tagged = shop.owner.request(Method::PUT, &format!("{}/tags/{}", shop.paths.contact, vip.id())).is(200).await;
    let read = shop.owner.get(&shop.paths.contact).is(200).await;
    assert_eq!(read.body, tagged.body);
    let units = read.calls.iter().map(|call| call.answer.as_ref().unwrap().capacity.unwrap().read);
    assert_eq!(units.collect::<Vec<_>>(), [1.0, 9.0]);
    world.run_jobs().await;
    world.clock().advance(TOMBSTONE_TTL);
    world.run_jobs().await;
    let owner = shop.owner.sign_in_again().await;
    owner.delete(vip.location()).is(204).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_deletes_succeed_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let vip = create_tag(&shop, "vip").await;
    create_contacts(&shop, 3, &[&vip]).await;
    for path in [
        vip.location().to_owned(),
        referenced_contact(&world, &shop, 5).await,
        referenced_contact(&world, &shop, 21).await,
    ] {
        let answers = at_once((0..6).map(|_| shop.owner.delete(&path).contended()).map(RequestBuilder::send)).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404, 404, 404, 404, 404], "{path}");
    }
    assert_eq!(in_collection(&world.rows().await, "JOB").len(), 2);
    finish_jobs(&world).await;
    let id: Id<Deal> = Id::from_uuid(Uuid::now_v7());
    assert!(world.store().get(&shop.paths.scope.deal(id)).await.unwrap().is_none());
}
