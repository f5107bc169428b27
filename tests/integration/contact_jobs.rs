//! What does not fit one call: a tag that many have is deleted, or a contact to whom much refers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use harness::at_once;
use harness::faults::Fault;
use harness::tree::{START, SalonFixture};
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::Problem;
use shared::appointments::{BookingRequest, SlotAllocator};
use shared::entity::{Appointment, AppointmentFields, BookingSource, ContactId, Deal};
use shared::value::Id;
use uuid::Uuid;

use crate::paging::{ids, walk, whole};

/// Longer than somebody who died in the middle of a job keeps it from others.
const LEASE: i64 = 331;

/// Longer than what was deleted is remembered.
const TOMBSTONE_TTL: i64 = 61;

async fn tag(shop: &SalonFixture<'_>, name: &str) -> Answer {
    shop.owner.post(&format!("{}/tags", shop.spot.client)).json(json!({ "name": name })).created().await
}

/// So many new contacts with these tags; their paths.
async fn people(shop: &SalonFixture<'_>, many: usize, tags: &[&Answer]) -> Vec<String> {
    let tags: Vec<_> = tags.iter().map(|tag| tag.id()).collect();
    let mut paths = Vec::new();
    while paths.len() < many {
        let some = (0..10.min(many - paths.len())).map(|_| {
            let person = json!({ "firstName": "Ada", "lastName": Uuid::new_v4(), "tagIds": tags });
            shop.owner.post(&shop.contacts).json(person).contended().is(201)
        });
        paths.extend(at_once(some).await.iter().map(|answer| answer.location().to_owned()));
    }
    paths
}

pub(crate) fn in_collection<'a>(rows: &'a [Value], collection: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["pk"].as_str().is_some_and(|pk| pk.ends_with(&format!("#{collection}")))).collect()
}

/// Lets a minute pass, after which nothing is left of any job.
async fn settle(world: &World) {
    world.work().await;
    world.clock().advance(TOMBSTONE_TTL);
    world.work().await;
    assert_done(world).await;
}

async fn assert_done(world: &World) {
    world.assert_whole().await;
    let rows = world.rows().await;
    for collection in ["GONE", "JOB"] {
        assert_eq!(in_collection(&rows, collection), Vec::<&Value>::new());
    }
}

// ── A tag ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Every way to read a client's contacts, and the answers.
async fn everything_read(shop: &SalonFixture<'_>, tag: &Answer, some: &[String]) -> Vec<Answer> {
    let mut paths = vec![format!("{}/tags?limit=100", shop.spot.client), format!("{}/export", shop.contacts)];
    paths.extend(some.iter().flat_map(|contact| [contact.clone(), format!("{contact}/tags")]));
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

/// Nobody sees the tag anywhere, and nobody can use it.
async fn assert_nowhere(shop: &SalonFixture<'_>, tag: &Answer, some: &[String]) {
    for answer in everything_read(shop, tag, some).await {
        assert!(!answer.text.contains(tag.id()), "{answer}");
    }
    assert_eq!(whole(&shop.owner, &format!("{}?tagId={}", shop.contacts, tag.id())).await, Vec::<Value>::new());
    shop.owner.get(tag.location()).problem(404, "not_found").await;
    let contact = &some[0];
    let its = format!("{contact}/tags/{}", tag.id());
    let before = shop.owner.get(contact).is(200).await;
    shop.owner.ask(Method::PUT, &its).problem(404, "not_found").await;
    shop.owner.delete(&its).problem(404, "not_found").await;
    let mut with = before.body["tagIds"].as_array().unwrap().clone();
    with.push(json!(tag.id()));
    let last = format!("/tagIds/{}", with.len() - 1);
    shop.owner.patch(contact).json(json!({ "tagIds": with })).invalid(&[&last]).await;
    let known = json!({ "firstName": "Ada", "lastName": "King", "email": "new@example.com", "tagIds": [tag.id()] });
    shop.owner.post(&shop.contacts).json(&known).invalid(&["/tagIds/0"]).await;
    shop.owner.post(&format!("{}/upsert", shop.contacts)).json(&known).invalid(&["/tagIds/0"]).await;
    assert_eq!(shop.owner.get(contact).is(200).await.body, before.body);
}

/// The bodies of contacts by id and version, without the instant of the last change.
#[derive(Default)]
struct Versions(BTreeMap<(String, u64), Value>);

impl Versions {
    /// Takes a look at the contacts: each has its version as its `ETag`, and what looks different has another version.
    async fn look(&mut self, shop: &SalonFixture<'_>, contacts: &[String]) {
        for contact in contacts {
            let answer = shop.owner.get(contact).is(200).await;
            let version = answer.body["version"].as_u64().unwrap();
            assert_eq!(answer.header("etag"), format!("\"{version}\""));
            let mut body = answer.body.clone();
            body["updatedAt"] = Value::Null;
            let earlier = self.0.entry((contact.clone(), version)).or_insert(body.clone());
            assert_eq!(*earlier, body, "version {version} has changed");
            let (_, newest) = self.0.keys().rfind(|(other, _)| other == contact).unwrap();
            assert_eq!(*newest, version, "it was newer before");
        }
    }
}

#[tokio::test]
async fn a_tag_that_250_have_is_nowhere_from_the_moment_it_is_deleted() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let (vip, press) = (tag(&shop, "VIP").await, tag(&shop, "press").await);
    let mut with_both = people(&shop, 5, &[&press, &vip]).await;
    let ada = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "tagIds": [vip.id()] });
    let ada = shop.owner.post(&shop.contacts).json(ada).created().await;
    let many = people(&shop, 244, &[&vip]).await;
    with_both.push(ada.location().to_owned());
    with_both.push(many[0].clone());
    with_both.push(many[243].clone());
    let some = &with_both;
    let mut versions = Versions::default();
    versions.look(&shop, some).await;
    assert_eq!(whole(&shop.owner, &format!("{}?tagId={}", shop.contacts, vip.id())).await.len(), 250);

    world.clock().advance(1);
    shop.owner.delete(vip.location()).is(204).await;
    let next = tag(&shop, "vip").await;
    assert_nowhere(&shop, &vip, some).await;
    versions.look(&shop, some).await;
    for contact in some {
        // Whoever has it as it was before is told that it has changed.
        let known = shop.owner.get(contact).header("if-none-match", "\"1\"").is(200).await;
        assert_eq!(known.body["version"], 2, "{known}");
        shop.owner.get(contact).header("if-none-match", "\"2\"").is(304).await;
        for stale in [shop.owner.patch(contact).json(json!({ "source": "x" })), shop.owner.delete(contact)] {
            stale.header("if-match", "\"1\"").problem(412, "precondition_failed").await;
        }
    }
    // Changes in the meantime, of every kind, go from what is seen.
    let changed =
        shop.owner.patch(&some[0]).json(json!({ "source": "fair" })).header("if-match", "\"2\"").is(200).await;
    assert_eq!((&changed.body["tagIds"], &changed.body["version"]), (&json!([press.id()]), &json!(3)));
    let unchanged = shop.owner.patch(&some[1]).json(json!({ "firstName": "Ada" })).is(200).await;
    assert_eq!((&unchanged.body["tagIds"], &unchanged.body["version"]), (&json!([press.id()]), &json!(3)));
    let tagged = shop.owner.ask(Method::PUT, &format!("{}/tags/{}", some[2], next.id())).is(200).await;
    assert_eq!(tagged.body["tagIds"], json!([press.id(), next.id()]));
    let known = json!({ "email": "ada@example.com", "company": "Engines", "tagIds": [next.id()] });
    let merged = shop.owner.post(&format!("{}/upsert", shop.contacts)).json(&known).is(200).await;
    assert_eq!(merged.body["tagIds"], json!([next.id()]));
    shop.owner.delete(&some[3]).header("if-match", "\"2\"").is(204).await;
    let some = [&some[..3], &some[4..]].concat();
    versions.look(&shop, &some).await;
    world.assert_whole().await;

    // In the middle of it: taken up, three steps made, then the worker dies.
    world.faults().writes_after(4, [Fault::Lost; 50]);
    assert_eq!(world.work_once().await, 1);
    world.faults().none();
    let has = |rows: &[Value]| in_collection(rows, &format!("TAG#{}#CONTACT", vip.id())).len();
    let left = has(&world.rows().await);
    assert!((1..249).contains(&left), "{left} are left");
    assert_nowhere(&shop, &vip, &some).await;
    versions.look(&shop, &some).await;
    world.assert_whole().await;
    world.work().await;
    assert_eq!(has(&world.rows().await), left, "the dead one's lease lasts");

    world.clock().advance(LEASE);
    world.work().await;
    assert_nowhere(&shop, &vip, &some).await;
    versions.look(&shop, &some).await;
    world.assert_whole().await;
    let rows = world.rows().await;
    assert_eq!((has(&rows), in_collection(&rows, "GONE").len()), (0, 1), "it is still remembered");
    for contact in whole(&shop.owner, &shop.contacts).await {
        let version = contact["version"].as_u64().unwrap();
        assert!(version <= 3, "nobody is written twice: {contact}");
        assert!(!rows.iter().any(|row| row["sk"] == contact["id"] && row["tagIds"].to_string().contains(vip.id())));
    }

    world.clock().advance(TOMBSTONE_TTL);
    world.work().await;
    assert_done(&world).await;
    assert_nowhere(&shop, &vip, &some).await;
    versions.look(&shop, &some).await;
    assert_eq!(whole(&shop.owner, &format!("{}?tagId={}", shop.contacts, next.id())).await.len(), 2);
}

/// How a worker dies at a write: before it, or after it and before it hears of it.
fn deaths() -> [Vec<Fault>; 2] {
    let dead = vec![Fault::Lost; 50];
    [dead.clone(), [vec![Fault::AnswerLost], dead].concat()]
}

/// Lets a worker die at each write of a job in turn; in between the table is whole, and others end the job.
pub(crate) async fn dies_at_every_write(
    world: &World,
    writes: usize,
    mut begin: impl AsyncFnMut() -> String,
    mut check: impl AsyncFnMut(&str),
) {
    for death in deaths() {
        for at in 0..writes {
            let gone = begin().await;
            world.faults().writes_after(at, death.clone());
            world.work_once().await;
            // What was done to the end of its first part dies when the time comes to forget.
            world.clock().advance(TOMBSTONE_TTL);
            world.work_once().await;
            world.faults().none();
            world.assert_whole().await;
            check(&gone).await;
            for _ in 0..2 {
                world.clock().advance(LEASE);
                world.work().await;
                check(&gone).await;
            }
            assert_done(world).await;
            // So that nobody has to sign in again.
            world.clock().advance(-(TOMBSTONE_TTL + 2 * LEASE));
        }
    }
}

#[tokio::test]
async fn whoever_dies_while_a_tag_goes_leaves_the_rest_to_others() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    // Two steps, the second of one.
    let contacts = people(&shop, 41, &[]).await;
    let begin = async || {
        let tag = tag(&shop, "vip").await;
        let put = |contact: &String| shop.owner.ask(Method::PUT, &format!("{contact}/tags/{}", tag.id())).is(200);
        for some in contacts.chunks(10) {
            at_once(some.iter().map(put)).await;
        }
        shop.owner.delete(tag.location()).is(204).await;
        tag.id().to_owned()
    };
    let check = async |gone: &str| {
        let list = shop.owner.get(&format!("{}?limit=100", shop.contacts)).is(200).await;
        assert!(!list.text.contains(gone), "{list}");
    };
    // Taken up, two steps, at rest; taken up, forgotten, ended.
    dies_at_every_write(&world, 7, begin, check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_at_once_and_users_beside_them_lose_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = [tag(&shop, "a").await, tag(&shop, "b").await, tag(&shop, "c").await, tag(&shop, "d").await];
    let contacts = people(&shop, 50, &[&tags[0], &tags[1], &tags[2]]).await;
    let workers = async || {
        at_once((0..4).map(|_| world.work_once())).await;
    };
    // One tag and four workers, two of whom come when the first ones' time is over.
    shop.owner.delete(tags[0].location()).is(204).await;
    let late = async {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        world.clock().advance(LEASE);
        workers().await;
    };
    tokio::join!(workers(), late);
    settle(&world).await;
    for contact in whole(&shop.owner, &shop.contacts).await {
        assert!(contact["version"].as_u64().unwrap() <= 2, "nobody is written twice: {contact}");
    }

    // Two tags of the same contacts, and users who change these contacts and tag them.
    at_once(tags[1..3].iter().map(|tag| shop.owner.delete(tag.location()).contended().is(204))).await;
    let users = async {
        let numbered: Vec<_> = contacts.iter().enumerate().collect();
        for some in numbered.chunks(8) {
            let asks = some.iter().map(|(at, contact)| match at % 3 {
                0 => shop.owner.patch(contact).json(json!({ "source": "fair" })),
                1 => shop.owner.ask(Method::PUT, &format!("{contact}/tags/{}", tags[3].id())),
                _ => shop.owner.delete(contact),
            });
            let answers = at_once(asks.map(|ask| ask.contended().send())).await;
            assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
        }
    };
    tokio::join!(users, workers());
    for _ in 0..4 {
        world.clock().advance(TOMBSTONE_TTL);
        world.work().await;
    }
    assert_done(&world).await;
    let left = whole(&shop.owner, &shop.contacts).await;
    let tagged = left.iter().filter(|contact| contact["tagIds"] == json!([tags[3].id()])).count();
    assert_eq!((left.len(), tagged), (1 + 17 + 17, 17));
}

#[tokio::test]
async fn a_client_may_go_while_its_jobs_are_under_way() {
    let world = World::new().await;
    let shop = world.shop().await;
    let client = shop.admin.post(&format!("{}/clients", shop.spot.agency)).json(json!({ "name": "Second" }));
    let client = client.created().await;
    let contacts = format!("{}/contacts", client.location());
    let tag = shop.admin.post(&format!("{}/tags", client.location())).json(json!({ "name": "vip" })).created().await;
    let person = json!({ "firstName": "Ada", "lastName": "Lovelace", "tagIds": [tag.id()] });
    let ada = shop.admin.post(&contacts).json(person).created().await;
    shop.admin.delete(tag.location()).is(204).await;
    shop.admin.delete(client.location()).problem(409, "not_empty").await;
    shop.admin.delete(ada.location()).is(204).await;
    shop.admin.delete(client.location()).is(204).await;
    settle(&world).await;
}

// ── A contact ───────────────────────────────────────────────────────────────────────────────────────────────────────

fn contact_id(path: &str) -> ContactId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// What stands at every deal and appointment that a test makes.
fn common(world: &World, shop: &SalonFixture<'_>, contact: ContactId) -> Value {
    let now = world.clock().now();
    json!({
        "id": Uuid::now_v7(), "clientId": shop.spot.scope.id(), "contactId": contact, "version": 1,
        "createdAt": now, "updatedAt": now,
    })
}

fn with(mut common: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("what is added is an object") };
    common.as_object_mut().unwrap().extend(more);
    common
}

/// Makes a deal with a contact, as those will who make deals.
async fn deal(world: &World, shop: &SalonFixture<'_>, contact: ContactId) -> Result<Value, Problem> {
    let client = shop.spot.scope;
    let deal = with(
        common(world, shop, contact),
        json!({
            "title": "Engines", "value": 12.5, "currency": "USD", "stageId": shop.spot.id("stageId"), "pipelineId": shop.spot.id("pipelineId"),
            "assignedToId": null, "status": "OPEN", "lostReason": null, "expectedCloseDate": null, "position": "V0001",
            "closedAt": null,
        }),
    );
    let row: Deal = serde_json::from_value(deal.clone()).unwrap();
    let mut transaction = world.store().transaction();
    shared::deals::create(&mut transaction, client, &row, shop.owner.id().parse().unwrap(), None)?;
    transaction.commit().await.map(|()| deal)
}

/// Books an appointment for a contact, whatever the hours.
async fn appointment(
    world: &World,
    shop: &SalonFixture<'_>,
    contact: ContactId,
    start: &str,
) -> Result<Value, Problem> {
    let (client, store, now) = (shop.spot.scope, world.store(), world.clock().now());
    let id = |name| shop.spot.id(name);
    let (service, staff) = (id("serviceId").parse().unwrap(), Some(id("staffId").parse().unwrap()));
    let wish = BookingRequest { service, staff, start: start.parse().unwrap(), force: true };
    let desk = SlotAllocator::read(&store, client, &wish, now).await?;
    let fields = AppointmentFields { contact_id: Some(contact), notes: None };
    let (id, seat) = (Id::from_uuid(Uuid::now_v7()), desk.seat(&wish, None, now)?);
    let new = Appointment::new(id, client.id(), &seat, fields, BookingSource::Api, now);
    let mut transaction = store.transaction();
    shared::appointments::create(&mut transaction, client, (&desk, &seat), &new)?;
    transaction.commit().await.map(|()| json!(new))
}

/// A time at which nothing is booked: each time it is asked for, the next hour.
fn another_time() -> String {
    static HOUR: AtomicU32 = AtomicU32::new(0);
    let hour = HOUR.fetch_add(1, Ordering::Relaxed);
    format!("2027-{:02}-{:02}T{:02}:00:00Z", 1 + hour / 672, 1 + hour / 24 % 28, hour % 24)
}

/// A new contact to whom so many deals and appointments refer, about as many of each.
async fn referred(world: &World, shop: &SalonFixture<'_>, many: usize) -> String {
    let path = people(shop, 1, &[]).await.remove(0);
    let contact = contact_id(&path);
    for number in 0..many {
        if number % 2 == 0 {
            deal(world, shop, contact).await.unwrap();
        } else {
            appointment(world, shop, contact, &another_time()).await.unwrap();
        }
    }
    path
}

/// The deals and appointments that a test made. A shop has one of each of its own, with nobody.
fn referring(rows: &[Value]) -> Vec<&Value> {
    let deals = in_collection(rows, "DEAL").into_iter().filter(|deal| deal["title"] == "Engines");
    let booked = in_collection(rows, "APPOINTMENT").into_iter().filter(|booked| booked["startTime"] != START);
    deals.chain(booked).collect()
}

#[tokio::test]
async fn a_contacts_deals_and_appointments_are_listed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (ada, grace) = (referred(&world, &shop, 0).await, referred(&world, &shop, 3).await);
    let (mut deals, mut appointments) = (Vec::new(), Vec::new());
    for number in 0..7 {
        deals.push(deal(&world, &shop, contact_id(&ada)).await.unwrap());
        // Later ones are booked first.
        let start = format!("2026-03-0{}T06:30:00.000Z", 9 - number);
        appointments.insert(0, appointment(&world, &shop, contact_id(&ada), &start).await.unwrap());
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
        for wrong in [format!("{ada}/{other}"), format!("{grace}/{name}"), shop.contacts.clone()] {
            shop.owner.get(&format!("{wrong}?cursor={cursor}")).problem(400, "invalid_cursor").await;
        }
        let none = shop.owner.get(&format!("{}/{name}", shop.spot.contact)).is(200).await;
        assert_eq!(none.body, json!({ "items": [], "nextCursor": null }));
        shop.owner.get(&format!("{list}?sort=title&limit=0")).invalid(&["/sort", "/limit"]).await;
        shop.owner.get(&format!("{}/{}/{name}", shop.contacts, Uuid::now_v7())).problem(404, "not_found").await;
    }
    assert_eq!(whole(&shop.owner, &format!("{grace}/deals")).await.len(), 2);
    assert_eq!(whole(&shop.owner, &format!("{grace}/appointments")).await.len(), 1);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_contact_goes_however_much_refers_to_it_and_all_of_that_stays() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let mut total = 0;
    for (many, needs_job) in [(0, false), (3, false), (20, false), (21, true), (250, true)] {
        let tag = tag(&shop, &format!("tag {many}")).await;
        let contact = referred(&world, &shop, many).await;
        total += many;
        shop.owner.ask(Method::PUT, &format!("{contact}/tags/{}", tag.id())).is(200).await;
        let before = world.rows().await;
        shop.owner.delete(&contact).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
        world.clock().advance(1);
        shop.owner.delete(&contact).header("if-match", "\"2\"").is(204).await;
        let jobs = in_collection(&world.rows().await, "JOB").len();
        assert_eq!(jobs, usize::from(needs_job), "{many}");
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
            assert!(!ids(&whole(&shop.owner, &shop.contacts).await).contains(&id.to_string().as_str()));
            assert!(deal(&world, &shop, id).await.is_err(), "nobody comes to refer to it");
            world.assert_whole().await;
            // First part of it, then all of it.
            if round == 0 {
                world.faults().writes_after(2, [Fault::ServerError; 50]);
                world.work_once().await;
                world.faults().none();
                world.clock().advance(LEASE);
            }
            world.work().await;
        }
        world.clock().advance(TOMBSTONE_TTL);
        world.work().await;
        assert_done(&world).await;
        let rows = world.rows().await;
        assert_eq!(in_collection(&rows, "REFERRED"), Vec::<&Value>::new());
        let after = referring(&rows);
        assert_eq!(after.len(), total);
        for row in after {
            let was = before.iter().find(|was| was["sk"] == row["sk"]).unwrap();
            if was["contactId"].is_null() {
                assert_eq!(row, was);
                continue;
            }
            assert_eq!((row["contactId"].is_null(), row["version"].as_f64()), (true, Some(2.0)), "{row}");
            assert!(row["updatedAt"].as_str() > was["updatedAt"].as_str());
            for same in ["title", "startTime", "createdAt", "status", "clientId"] {
                assert_eq!(row[same], was[same], "{same}");
            }
        }
        shop.owner.delete(tag.location()).is(204).await;
        settle(&world).await;
        // So that nobody has to sign in again.
        world.clock().advance(-(LEASE + 2 * TOMBSTONE_TTL));
    }
}

#[tokio::test]
async fn whoever_dies_while_a_contact_goes_leaves_the_rest_to_others() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let total = std::cell::Cell::new(0);
    let begin = async || {
        // Two steps: of one kind there are more than fit one.
        let contact = referred(&world, &shop, 1).await;
        for _ in 0..21 {
            deal(&world, &shop, contact_id(&contact)).await.unwrap();
        }
        total.set(total.get() + 22);
        shop.owner.delete(&contact).is(204).await;
        contact
    };
    let check = async |gone: &str| {
        shop.owner.get(gone).problem(404, "not_found").await;
        let rows = world.rows().await;
        assert_eq!(referring(&rows).len(), total.get());
        world.assert_whole().await;
    };
    // Taken up, two steps, the count closed, at rest; taken up, forgotten, ended.
    dies_at_every_write(&world, 8, begin, check).await;
    assert!(
        referring(&world.rows().await)
            .iter()
            .all(|row| row["contactId"].is_null() && row["version"].as_f64() == Some(2.0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_refer_to_a_contact_that_is_being_deleted_is_refused_or_cleared() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut made = 0;
    for before in [0, 2, 15, 25] {
        let contact = referred(&world, &shop, before).await;
        made += before;
        let id = contact_id(&contact);
        let delete = async {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            shop.owner.delete(&contact).contended().is(204).await;
        };
        let deals = at_once((0..12).map(|_| deal(&world, &shop, id)));
        let (deals, (), _) = tokio::join!(deals, delete, at_once((0..2).map(|_| world.work_once())));
        made += deals.iter().filter(|deal| deal.is_ok()).count();
        let refused = deals.iter().filter_map(|deal| deal.as_ref().err());
        assert!(refused.map(Problem::status).all(|status| status == 422));
        for _ in 0..2 {
            world.work().await;
            world.clock().advance(LEASE);
        }
        world.work().await;
        assert_done(&world).await;
        world.clock().advance(-2 * LEASE);
        let rows = world.rows().await;
        assert_eq!(referring(&rows).len(), made);
        assert!(referring(&rows).iter().all(|row| row["contactId"].is_null()), "{rows:?}");
    }
}

// ── Too much at once ────────────────────────────────────────────────────────────────────────────────────────────────

/// As if so much had been deleted of late.
async fn bury(world: &World, shop: &SalonFixture<'_>, many: usize) {
    let ids = (0..many).map(|_| Uuid::now_v7().to_string()).collect();
    let request = world.engine().put_item().table_name(world.table());
    let request = request.item("pk", AttributeValue::S(format!("{}GONE", shop.spot.scope)));
    let request = request.item("sk", AttributeValue::S("IDS".to_owned())).item("ids", AttributeValue::Ss(ids));
    request.send().await.expect("the row is put");
}

#[tokio::test]
async fn more_deletions_than_can_be_remembered_wait() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (vip, ada) = (tag(&shop, "vip").await, referred(&world, &shop, 21).await);
    let (few, none) = (referred(&world, &shop, 20).await, referred(&world, &shop, 0).await);
    bury(&world, &shop, 1000).await;
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
    bury(&world, &shop, 999).await;
    shop.owner.delete(&ada).is(204).await;
    shop.owner.delete(vip.location()).problem(429, "too_many_deletions").await;
    // It has 36 KB, full as it is.
    let tagged = shop.owner.ask(Method::PUT, &format!("{}/tags/{}", shop.spot.contact, vip.id())).is(200).await;
    let read = shop.owner.get(&shop.spot.contact).is(200).await;
    assert_eq!(read.body, tagged.body);
    let units = read.calls.iter().map(|call| call.answer.as_ref().unwrap().capacity.unwrap().read);
    assert_eq!(units.collect::<Vec<_>>(), [1.0, 9.0]);
    world.work().await;
    world.clock().advance(TOMBSTONE_TTL);
    world.work().await;
    let owner = shop.owner.again().await;
    owner.delete(vip.location()).is(204).await;
    world.assert_whole().await;
}

/// A delete that is asked for by many at once is done once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_delete_one_deletes() {
    let world = World::new().await;
    let shop = world.shop().await;
    let vip = tag(&shop, "vip").await;
    people(&shop, 3, &[&vip]).await;
    for path in [vip.location().to_owned(), referred(&world, &shop, 5).await, referred(&world, &shop, 21).await] {
        let answers = at_once((0..6).map(|_| shop.owner.delete(&path).contended()).map(RequestBuilder::send)).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404, 404, 404, 404, 404], "{path}");
    }
    assert_eq!(in_collection(&world.rows().await, "JOB").len(), 2);
    settle(&world).await;
    let id: Id<Deal> = Id::from_uuid(Uuid::now_v7());
    assert!(world.store().get(&shop.spot.scope.deal(id)).await.unwrap().is_none());
}
