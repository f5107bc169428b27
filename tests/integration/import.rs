//! Contacts from a CSV file.

use std::collections::BTreeSet;
use std::iter;
use std::time::Duration;

use harness::at_once;
use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use infra::function::EVENT_LIMIT;
use serde_json::{Value, json};
use shared::auth::Role;
use uuid::Uuid;

/// The most that a file may have, in bytes.
const MOST_BYTES: usize = 5 * 1024 * 1024;

/// Longer than a call holds on to its import, in seconds, and shorter than the jobs' function does.
const PAST_THE_CALL: i64 = 60;

/// Longer than the jobs' function holds on to an import, in seconds.
const PAST_THE_JOB: i64 = 400;

/// Sends a file. A large one takes more round trips than the route's budget, which is for a small one.
pub(crate) fn import<'w>(shop: &SalonFixture<'w>, file: impl Into<Vec<u8>>) -> RequestBuilder<'w> {
    shop.owner.post(&format!("{}/import", shop.contacts)).body("text/csv", file).contended()
}

/// Asks what a file would do.
fn rehearse<'w>(shop: &SalonFixture<'w>, file: impl Into<Vec<u8>>) -> RequestBuilder<'w> {
    shop.owner.post(&format!("{}/import?dryRun=true", shop.contacts)).body("text/csv", file).contended()
}

/// Imports a file within one call, and gives the report.
pub(crate) async fn imported(shop: &SalonFixture<'_>, file: impl Into<Vec<u8>>) -> Value {
    let answer = import(shop, file).is(200).await;
    assert_eq!(answer.body["status"], "DONE", "{answer}");
    answer.body
}

/// What a report counts: created, updated, skipped.
pub(crate) fn counts(report: &Value) -> [u64; 3] {
    ["created", "updated", "skipped"].map(|name| report[name].as_u64().unwrap())
}

/// What a report says is wrong: line, pointer, code.
fn faults(report: &Value) -> Vec<(u64, &str, &str)> {
    let errors = report["errors"].as_array().unwrap().iter();
    let fault =
        |error: &'_ Value| assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
    errors
        .inspect(|error| fault(error))
        .map(|error| {
            (error["line"].as_u64().unwrap(), error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap())
        })
        .collect()
}

/// A report without its id, which is another each time.
fn without_id(report: &Value) -> Value {
    let mut report = report.clone();
    report.as_object_mut().unwrap().remove("id");
    report
}

async fn poll(shop: &SalonFixture<'_>, location: &str) -> Value {
    shop.owner.get(location).contended().is(200).await.body
}

/// Has a handed over import done, and gives the report. A worker that fails on the way tries again later.
async fn worked(world: &World, shop: &SalonFixture<'_>, location: &str) -> Value {
    for pause in [0, 10, PAST_THE_JOB] {
        world.clock().advance(pause);
        world.work().await;
        let report = poll(shop, location).await;
        if report["status"] == "DONE" {
            return report;
        }
    }
    panic!("{location} comes to no end");
}

/// The rows of a collection of the client, in the order of their sort keys.
async fn rows(world: &World, shop: &SalonFixture<'_>, collection: &str) -> Vec<Value> {
    let partition = format!("{}{collection}", shop.spot.scope);
    let mut rows = world.rows().await;
    rows.retain(|row| row["pk"] == partition);
    rows.sort_by_key(|row| row["sk"].as_str().unwrap().to_owned());
    rows
}

/// The rows of the client's contacts but for the one that every client has, oldest first.
pub(crate) async fn contacts(world: &World, shop: &SalonFixture<'_>) -> Vec<Value> {
    let mut rows = rows(world, shop, "CONTACT").await;
    rows.retain(|row| !shop.spot.contact.ends_with(row["sk"].as_str().unwrap()));
    rows
}

/// The only contact of the client but for the one that every client has.
async fn only(world: &World, shop: &SalonFixture<'_>) -> Value {
    let mut contacts = contacts(world, shop).await;
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    contacts.remove(0)
}

/// The names of all tags but for the one that every client has, in order.
async fn tags(world: &World, shop: &SalonFixture<'_>) -> Vec<String> {
    let mut tags = rows(world, shop, "TAG").await;
    tags.retain(|row| !shop.spot.tag.ends_with(row["sk"].as_str().unwrap()));
    let mut names: Vec<_> = tags.iter().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

/// What a user sees of the client's contacts, whoever made them and when: their fields, with the tags by name.
pub(crate) async fn seen(world: &World, shop: &SalonFixture<'_>) -> BTreeSet<String> {
    let tags = rows(world, shop, "TAG").await;
    let name = |id: &Value| tags.iter().find(|tag| tag["id"] == *id).map(|tag| tag["name"].clone());
    let fields = ["firstName", "lastName", "email", "phone", "company", "jobTitle", "source"];
    let seen = |contact: &Value| {
        let names: BTreeSet<_> =
            contact["tagIds"].as_array().unwrap().iter().filter_map(name).map(|name| name.to_string()).collect();
        format!("{:?} {names:?}", fields.map(|field| contact[field].clone()))
    };
    contacts(world, shop).await.iter().map(seen).collect()
}

/// A file with a header, and a row for each of these.
fn file<T: std::fmt::Display>(header: &str, rows: impl IntoIterator<Item = T>) -> String {
    iter::once(header.to_owned()).chain(rows.into_iter().map(|row| row.to_string())).map(|row| row + "\r\n").collect()
}

/// A file of people with emails.
pub(crate) fn people(numbers: impl IntoIterator<Item = usize>) -> String {
    file("firstName,lastName,email", numbers.into_iter().map(|n| format!("Ada {n},Lovelace,ada{n}@example.com")))
}

// ── What a file says ────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_file_becomes_contacts() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "firstName,lastName,email,phone,company,jobTitle,source,tags\r\n\
                Ada,Lovelace,Ada@Example.com,+1 415 555 2671,Analytical Engines,Programmer,fair,newsletter;VIP\r\n\
                Zoë,de la Cruz,,,,,,\r\n";
    let answer = shop.owner.post(&format!("{}/import", shop.contacts)).body("text/csv", file).is(200).await;
    let id = answer.id();
    let expected = json!({ "id": id, "status": "DONE", "created": 2, "updated": 0, "skipped": 0, "errors": [] });
    assert_eq!(answer.body, expected);
    assert_eq!(answer.location(), format!("{}/imports/{id}", shop.contacts));
    assert_eq!(shop.owner.get(answer.location()).is(200).await.body, expected);
    assert_eq!(tags(&world, &shop).await, ["VIP", "newsletter"]);
    let list = shop.owner.get(&format!("{}?email=ada@example.com", shop.contacts)).is(200).await.body;
    let ada = &list["items"][0];
    for (name, value) in [
        ("firstName", "Ada"),
        ("lastName", "Lovelace"),
        ("email", "Ada@Example.com"),
        ("phone", "+14155552671"),
        ("company", "Analytical Engines"),
        ("jobTitle", "Programmer"),
        ("source", "fair"),
    ] {
        assert_eq!(ada[name], value, "{name}");
    }
    assert_eq!(ada["tagIds"].as_array().unwrap().len(), 2);
    assert_eq!((&ada["version"], &ada["clientId"]), (&json!(1), &json!(shop.spot.id("clientId"))));
    world.assert_whole().await;
}

#[tokio::test]
async fn a_file_of_no_rows_is_done() {
    let world = World::new().await;
    let shop = world.shop().await;
    for file in ["email", "email\r\n", "email\r\n\r\n,\r\n"] {
        assert_eq!(counts(&imported(&shop, file).await), [0, 0, 0], "{file:?}");
    }
}

#[tokio::test]
async fn columns_are_found_by_their_names_however_they_are_spelt() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "\u{feff}E-Mail,LAST_NAME,\" First Name \",job title,Created At,version\n\
                ada@example.com,Lovelace,Ada,Programmer,yesterday,seven\n";
    assert_eq!(counts(&imported(&shop, file).await), [1, 0, 0]);
    let ada = only(&world, &shop).await;
    for (name, value) in
        [("firstName", "Ada"), ("lastName", "Lovelace"), ("email", "ada@example.com"), ("jobTitle", "Programmer")]
    {
        assert_eq!(ada[name], value, "{name}");
    }
    assert_eq!(ada["version"].as_f64(), Some(1.0));
}

#[tokio::test]
async fn cells_may_be_quoted_and_have_commas_quotes_and_any_script() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "firstName,lastName,company\r\n\"Ada\",\"O\"\"Hara, Jr.\",\"日本語 \u{1f600}\"\r\n";
    assert_eq!(counts(&imported(&shop, file).await), [1, 0, 0]);
    let ada = only(&world, &shop).await;
    assert_eq!((&ada["lastName"], &ada["company"]), (&json!("O\"Hara, Jr."), &json!("日本語 \u{1f600}")));
}

#[tokio::test]
async fn a_header_at_fault_is_refused_with_each_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (file, pointers) in [
        ("email,shoe size,E-mail,,phone\r\n", &["/header/1", "/header/2", "/header/3"][..]),
        ("phone,company\r\n1,2\r\n", &["/header"]),
        ("firstName\r\n", &["/header"]),
        ("email;firstName\r\n", &["/header/0"]),
        ("", &["/header"]),
        ("\r\n\r\n", &["/header"]),
    ] {
        import(&shop, file).invalid(pointers).await;
        rehearse(&shop, file).invalid(pointers).await;
    }
    assert_eq!(contacts(&world, &shop).await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_not_csv_is_a_415() {
    let world = World::new().await;
    let shop = world.shop().await;
    let path = format!("{}/import", shop.contacts);
    for media in ["application/json", "text/plain", "multipart/form-data; boundary=x", "text/csvx"] {
        shop.owner.post(&path).body(media, people([1])).problem(415, "unsupported_media_type").await;
    }
    shop.owner.post(&path).problem(415, "unsupported_media_type").await;
    shop.owner.post(&path).body("Text/CSV; charset=utf-8; header=present", people([1])).is(200).await;
}

#[tokio::test]
async fn a_file_that_is_not_utf_8_is_a_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    let latin_1 = b"firstName,lastName\r\nZo\xeb,M\xfcller\r\n";
    import(&shop, *latin_1).problem(400, "invalid_csv").await;
    rehearse(&shop, *latin_1).problem(400, "invalid_csv").await;
    assert_eq!(contacts(&world, &shop).await, Vec::<Value>::new());
}

#[tokio::test]
async fn whether_to_rehearse_is_true_or_false() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ask = |query: &str| shop.owner.post(&format!("{}/import?{query}", shop.contacts)).body("text/csv", people([1]));
    ask("dryRun=yes").invalid(&["/dryRun"]).await;
    ask("dryrun=true").invalid(&["/dryrun"]).await;
    assert_eq!(contacts(&world, &shop).await, Vec::<Value>::new());
    ask("dryRun=false").is(200).await;
    assert_eq!(contacts(&world, &shop).await.len(), 1);
}

// ── How large ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// A file of one row and so many bytes; blank lines take up room, and little of an event.
fn large(bytes: usize) -> String {
    let file = people([1]);
    format!("{file}{}", "\n".repeat(bytes - file.len()))
}

#[tokio::test]
async fn a_file_has_at_most_5_mib() {
    let world = World::new().await;
    let shop = world.shop().await;
    let long = "x".repeat(MOST_BYTES - people([1]).len());
    let file = format!("{}{long}", people([1]));
    assert_eq!(file.len(), MOST_BYTES);
    assert_eq!(faults(&imported(&shop, file.as_str()).await), [(3, "", "wrong_length")]);
    import(&shop, format!("{file}x")).problem(413, "body_too_large").await;
    rehearse(&shop, format!("{file}x")).problem(413, "body_too_large").await;
}

#[tokio::test]
async fn a_file_that_makes_too_large_an_event_is_a_413_too() {
    let world = World::new().await;
    let shop = world.shop().await;
    // Each quote and each line end takes two bytes of the event.
    for file in [large(MOST_BYTES), format!("{}{}", people([1]), "\"".repeat(EVENT_LIMIT / 2))] {
        assert!(file.len() <= MOST_BYTES);
        let answer = import(&shop, file).is(413).await;
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    assert_eq!(contacts(&world, &shop).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_file_has_at_most_20000_rows() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = |rows| file("email", iter::repeat_n("no", rows));
    import(&shop, file(20_001)).problem(422, "too_many_rows").await;
    rehearse(&shop, file(20_001)).problem(422, "too_many_rows").await;
    let report = rehearse(&shop, file(20_000)).is(200).await.body;
    assert_eq!(counts(&report), [0, 0, 20_000]);
    assert_eq!(faults(&report).last(), Some(&(20_001, "/email", "invalid_email")));
}

// ── Rows at fault ───────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_row_at_fault_costs_that_row_only_and_is_reported_with_its_line() {
    let world = World::new().await;
    let shop = world.shop().await;
    let long = "x".repeat(201);
    let names: Vec<_> = (0..31).map(|n| n.to_string()).collect();
    let rows = [
        ",Ada,Lovelace,ada@example.com,,,",
        "7,Ada,Lovelace,,,,",
        &format!(",{long},Lovelace,,,,"),
        ",Ada,\"Love\u{7}lace\",,,,",
        ",Ada,Lovelace,nobody,,,",
        ",Ada,Lovelace,,01 42 68 53 00,,",
        &format!(",Ada,Lovelace,,,{long},"),
        &format!(",Ada,Lovelace,,,,{}", names.join(";")),
        &format!(",Ada,Lovelace,,,,{}", "y".repeat(101)),
        ",Ada,Lovelace",
        ",Ada,Lovelace,,,,,",
        ",,Lovelace,l@example.com,,,",
        ",Ada,,a@example.com,,,",
        ",,,nobody@example.com,,,",
        "7,\"\u{202e}\",,nobody,1,,",
        ",\"two\nlines\",Lovelace,,,,",
        ",Grace,Hopper,grace@example.com,,,",
    ];
    let report = imported(&shop, file("id,firstName,lastName,email,phone,company,tags", rows)).await;
    let expected = [
        (3, "/id", "invalid_id"),
        (4, "/firstName", "too_long"),
        (5, "/lastName", "control_character"),
        (6, "/email", "invalid_email"),
        (7, "/phone", "invalid_phone"),
        (8, "/company", "too_long"),
        (9, "/tags", "too_many"),
        (10, "/tags", "too_long"),
        (11, "", "wrong_length"),
        (12, "", "wrong_length"),
        (13, "/firstName", "required"),
        (14, "/lastName", "required"),
        (15, "/firstName", "required"),
        (15, "/lastName", "required"),
        (16, "/id", "invalid_id"),
        (16, "/firstName", "control_character"),
        (16, "/email", "invalid_email"),
        (16, "/phone", "invalid_phone"),
        (17, "/firstName", "control_character"),
    ];
    assert_eq!(faults(&report), expected);
    assert_eq!(counts(&report), [2, 0, 15]);
    let emails: Vec<_> = contacts(&world, &shop).await.iter().map(|contact| contact["email"].clone()).collect();
    assert_eq!(emails, ["ada@example.com", "grace@example.com"]);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_row_at_fault_makes_no_tag() {
    let world = World::new().await;
    let shop = world.shop().await;
    let rows = ["Ada,Lovelace,no,one", ",,nobody@example.com,two", "Ada,Lovelace,ada@example.com,three"];
    assert_eq!(counts(&imported(&shop, file("firstName,lastName,email,tags", rows)).await), [1, 0, 2]);
    assert_eq!(tags(&world, &shop).await, ["three"]);
}

/// So many rows, each with eight faults.
fn at_fault(rows: usize) -> String {
    let row = "7,\u{1},\u{1},no,no,\u{1},\u{1},\u{1},\r\n";
    format!("id,firstName,lastName,email,phone,company,jobTitle,source,tags\r\n{}", row.repeat(rows))
}

#[tokio::test]
async fn a_long_report_is_whole_and_says_where_to_ask_when_the_request_comes_again() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ask = || import(&shop, at_fault(600)).header("idempotency-key", "one");
    let answer = ask().is(200).await;
    assert_eq!((counts(&answer.body), faults(&answer.body).len()), ([0, 0, 600], 4800));
    assert_eq!(poll(&shop, answer.location()).await, answer.body);
    assert!(rows(&world, &shop, "JOB").await.is_empty(), "it is done");
    // A row has no room for the whole.
    let again = ask().is(202).await;
    assert_eq!((again.header("idempotency-replayed"), again.location()), ("true", answer.location()));
}

#[tokio::test]
async fn a_report_that_is_long_enough_has_only_the_first_fault_of_each_row_more() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = at_fault(2600);
    let rehearsed = rehearse(&shop, file.as_str()).is(200).await.body;
    let report = imported(&shop, file).await;
    assert_eq!(without_id(&rehearsed), without_id(&report));
    assert_eq!(counts(&report), [0, 0, 2600]);
    let named = faults(&report);
    // Eight faults a row make 5,000 of the first 625.
    assert_eq!(named.len(), 5000 + (2600 - 625));
    assert_eq!((named[4999].0, named[5000]), (626, (627, "/id", "invalid_id")));
    assert_eq!(named.last(), Some(&(2601, "/id", "invalid_id")));
}

// ── Telephone numbers ───────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_national_number_is_read_as_one_of_the_clients_country() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.spot.client).json(json!({ "country": "FR" })).is(200).await;
    let rows = ["Ada,Lovelace,01 42 68 53 00", "Grace,Hopper,'+1 415 555 2671", "Eve,Bar,555"];
    let report = imported(&shop, file("firstName,lastName,phone", rows)).await;
    assert_eq!(faults(&report), [(4, "/phone", "invalid_phone")]);
    let phones: Vec<_> = contacts(&world, &shop).await.iter().map(|contact| contact["phone"].clone()).collect();
    assert_eq!(phones, ["+33142685300", "+14155552671"]);
}

// ── Who a row is ────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_row_adds_to_the_contact_that_has_its_email_and_blanks_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let header = "firstName,lastName,email,phone,company,jobTitle,source,tags";
    imported(&shop, file(header, ["Ada,Lovelace,ada@example.com,+14155552671,Engines,Programmer,fair,one"])).await;
    let before = only(&world, &shop).await;
    let report = imported(&shop, file(header, [" , ,ADA@EXAMPLE.COM,,, ,,"])).await;
    assert_eq!(counts(&report), [0, 0, 1]);
    assert_eq!(only(&world, &shop).await, before);

    let report = imported(&shop, file(header, [",King,ADA@EXAMPLE.COM,,,,,Two"])).await;
    assert_eq!(counts(&report), [0, 1, 0]);
    let after = only(&world, &shop).await;
    for name in ["id", "firstName", "email", "phone", "company", "jobTitle", "source", "createdAt"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!((&after["lastName"], after["version"].as_f64()), (&json!("King"), Some(2.0)));
    assert_eq!(after["tagIds"].as_array().unwrap().len(), 2);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_row_is_the_contact_of_its_id_before_that_of_its_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people([1, 2])).await;
    let before = contacts(&world, &shop).await;
    let id = |at: usize| before[at]["id"].as_str().unwrap();
    let rows = [
        format!("{},King,", id(0)),
        format!("{},,ada2@example.com", id(0)),
        format!("{},,new@example.com", id(1)),
        format!("{},,nobody@example.com", Uuid::now_v7()),
        format!("{},Queen,ada1@example.com", Uuid::now_v7()),
    ];
    let report = imported(&shop, file("id,lastName,email", rows)).await;
    // The second row comes before the third gives that email up, and the fourth is nobody.
    let nobody = ["/firstName", "/lastName"].map(|pointer| (5, pointer, "required"));
    assert_eq!(faults(&report), [&[(3, "/email", "taken")][..], &nobody].concat());
    assert_eq!(counts(&report), [0, 3, 2]);
    let after = contacts(&world, &shop).await;
    assert_eq!((&after[0]["lastName"], &after[0]["email"]), (&json!("Queen"), &json!("ada1@example.com")));
    assert_eq!((&after[1]["lastName"], &after[1]["email"]), (&json!("Lovelace"), &json!("new@example.com")));
    world.assert_whole().await;
}

#[tokio::test]
async fn an_id_of_another_client_is_nobody_here() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    imported(&there, people([1])).await;
    let theirs = only(&world, &there).await;
    let row = format!("{},Eve,Bar,eve@example.com", theirs["id"].as_str().unwrap());
    assert_eq!(counts(&imported(&here, file("id,firstName,lastName,email", [row])).await), [1, 0, 0]);
    assert_eq!(only(&world, &there).await, theirs);
    assert_ne!(only(&world, &here).await["id"], theirs["id"]);
}

#[tokio::test]
async fn rows_of_one_file_follow_one_another() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, "firstName,lastName,email,company\r\nEve,Bar,eve@example.com,One\r\n").await;
    let rows = [
        // Whoever comes first makes the contact, and the others find it.
        "Ada,Lovelace,ada@example.com,",
        ",,ADA@example.com,",
        ",King,ada@example.com,",
        // There and back again.
        ",,eve@example.com,Two",
        ",,eve@example.com,One",
    ];
    let report = imported(&shop, file("firstName,lastName,email,company", rows)).await;
    assert_eq!(faults(&report), []);
    assert_eq!(counts(&report), [1, 3, 1]);
    let after = contacts(&world, &shop).await;
    assert_eq!((&after[0]["company"], after[0]["version"].as_f64()), (&json!("One"), Some(3.0)));
    assert_eq!((&after[1]["lastName"], after[1]["version"].as_f64()), (&json!("King"), Some(2.0)));
}

#[tokio::test]
async fn an_email_that_a_row_gives_up_is_free_for_the_next() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people([1, 2])).await;
    let before = contacts(&world, &shop).await;
    let id = |at: usize| before[at]["id"].as_str().unwrap();
    let rows = [
        format!("{},,,moved@example.com", id(0)),
        format!("{},,,ada1@example.com", id(1)),
        ",Grace,Hopper,ada2@example.com".to_owned(),
    ];
    let file = file("id,firstName,lastName,email", rows);
    let rehearsed = rehearse(&shop, file.as_str()).is(200).await.body;
    let report = imported(&shop, file).await;
    assert_eq!((counts(&report), faults(&report)), ([1, 2, 0], vec![]));
    assert_eq!(without_id(&rehearsed), without_id(&report));
    let emails: Vec<_> = contacts(&world, &shop).await.iter().map(|contact| contact["email"].clone()).collect();
    assert_eq!(emails, ["moved@example.com", "ada1@example.com", "ada2@example.com"]);
    world.assert_whole().await;
}

// ── The same again ──────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn the_same_file_again_creates_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let header = "firstName,lastName,email,company,tags";
    for (rows, first) in [
        (vec!["Ada,Lovelace,ada@example.com,,vip", "Grace,Hopper,grace@example.com,Navy,"], [2, 0, 0]),
        (vec!["Ada,Lovelace,,,vip", "Grace,Hopper,,Navy,"], [2, 0, 0]),
        (vec!["Eve,Bar,,,", "Eve,Bar,eve@example.com,,", "Eve,Bar,,Foo,"], [3, 0, 0]),
        (vec!["Bob,Baz,,,", " Bob , Baz ,,,", "Bob,Baz,b@example.com,,", "Bob,Baz,B@example.com,,"], [2, 0, 2]),
    ] {
        let file = file(header, &rows);
        assert_eq!(counts(&imported(&shop, file.as_str()).await), first, "{rows:?}");
        let before = (contacts(&world, &shop).await, tags(&world, &shop).await);
        let skipped = u64::try_from(rows.len()).unwrap();
        assert_eq!(counts(&imported(&shop, file).await), [0, 0, skipped], "{rows:?}");
        assert_eq!((contacts(&world, &shop).await, tags(&world, &shop).await), before, "{rows:?}");
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn the_same_rows_in_another_order_and_spelling_create_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, "firstName,lastName,phone,tags\r\nAda,Lovelace,+14155552671,vip\r\nZoë,Foo,,\r\n").await;
    let again = "tags;phone;Last Name;First Name\n;;Foo;Zoe\u{308}\nvip;'+1 415 555 2671;Lovelace;\"Ada\"\n";
    assert_eq!(counts(&imported(&shop, again.replace(';', ",")).await), [0, 0, 2]);
}

#[tokio::test]
async fn what_became_of_a_contact_since_stays() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "firstName,lastName,tags\r\nAda,Lovelace,vip\r\n";
    imported(&shop, file).await;
    let ada = only(&world, &shop).await["id"].as_str().unwrap().to_owned();
    let path = format!("{}/{ada}", shop.contacts);
    let changed = shop.owner.patch(&path).json(json!({ "lastName": "King", "tagIds": [] })).is(200).await;
    assert_eq!(counts(&imported(&shop, file).await), [0, 0, 1]);
    assert_eq!(shop.owner.get(&path).is(200).await.body, changed.body);
    // Who is deleted comes again: nobody is there to be recognised.
    shop.owner.delete(&path).is(204).await;
    assert_eq!(counts(&imported(&shop, file).await), [1, 0, 0]);
    world.work().await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_tag_that_was_deleted_does_not_come_back_for_rows_that_change_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "firstName,lastName,tags\r\nAda,Lovelace,vip\r\n";
    imported(&shop, file).await;
    let tag = only(&world, &shop).await["tagIds"][0].as_str().unwrap().to_owned();
    shop.owner.delete(&format!("{}/tags/{tag}", shop.spot.client)).is(204).await;
    world.work().await;
    assert_eq!(counts(&imported(&shop, file).await), [0, 0, 1]);
    assert_eq!(tags(&world, &shop).await, Vec::<String>::new());
}

// ── Tags ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn tags_are_found_in_any_case_and_made_if_they_are_not_there() {
    let world = World::new().await;
    let shop = world.shop().await;
    let vip = shop.owner.post(&format!("{}/tags", shop.spot.client)).json(json!({ "name": "VIP" })).created().await;
    let rows = ["a@example.com,A,B,vip; New ;vip", "b@example.com,A,B,new;Vip;;", r"c@example.com,A,B,one\;two"];
    imported(&shop, file("email,firstName,lastName,tags", rows)).await;
    let found = contacts(&world, &shop).await;
    assert_eq!(found[0]["tagIds"][0], vip.id());
    assert_eq!(found[1]["tagIds"], json!([found[0]["tagIds"][1], vip.id()]));
    assert_eq!(tags(&world, &shop).await, ["New", "VIP", "one;two"]);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_contact_has_at_most_30_tags_by_import_too() {
    let world = World::new().await;
    let shop = world.shop().await;
    let names = |numbers: std::ops::Range<usize>| numbers.map(|n| format!("tag {n}")).collect::<Vec<_>>().join(";");
    let row = |numbers| format!("a@example.com,A,B,{}", names(numbers));
    let header = "email,firstName,lastName,tags";
    assert_eq!(faults(&imported(&shop, file(header, [row(0..31)])).await), [(2, "/tags", "too_many")]);
    assert_eq!(tags(&world, &shop).await.len(), 0);
    assert_eq!(counts(&imported(&shop, file(header, [row(0..30)])).await), [1, 0, 0]);
    let report = imported(&shop, file(header, [row(30..31), row(10..20)])).await;
    assert_eq!((counts(&report), faults(&report)), ([0, 0, 2], vec![(2, "/tags", "too_many")]));
    assert_eq!(only(&world, &shop).await["tagIds"].as_array().unwrap().len(), 30);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_imports_at_once_make_each_tag_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = |number: usize| {
        let rows = (0..2).map(|n| format!("{number}.{n}@example.com,A,B,one;two;Three"));
        file("email,firstName,lastName,tags", rows)
    };
    let answers = at_once((0..16).map(|number| import(&shop, file(number)).send())).await;
    let locations: Vec<_> = answers.iter().map(Answer::location).collect();
    for answer in &answers {
        assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer}");
    }
    world.clock().advance(PAST_THE_CALL);
    for location in locations {
        assert_eq!(counts(&worked(&world, &shop, location).await), [2, 0, 0]);
    }
    assert_eq!(tags(&world, &shop).await, ["Three", "one", "two"]);
    assert_eq!(contacts(&world, &shop).await.len(), 32);
    world.assert_whole().await;
}

// ── Rehearsals ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// Draws, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth, MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    /// A row of a few people who are named, changed, and named again, by these ids among others.
    fn row(&mut self, ids: &[String]) -> String {
        let id = match self.roll(12) {
            0 => "7".to_owned(),
            1..4 => ids.get(self.roll(8)).cloned().unwrap_or_default(),
            _ => String::new(),
        };
        let email = match self.roll(8) {
            0 => "no".to_owned(),
            1..4 => String::new(),
            _ => format!("{}@example.com", self.pick(&["a", "B", "b", "c", "d", "e", "f"])),
        };
        let [first, last] = [["Ada", "Bob", "", "Cid"], ["Foo", "Bar", "", "Baz"]].map(|names| self.pick(&names));
        let phone = self.pick(&["", "", "+14155552671", "1"]);
        let company = self.pick(&["", "", "One", "Two"]);
        let tags = self.pick(&["", "", "", "x", "y;X", "z"]);
        let short = if self.roll(30) == 0 { "" } else { "," };
        format!("{id},{first},{last},{email},{phone},{company}{short}{tags}")
    }
}

const ANY_HEADER: &str = "id,firstName,lastName,email,phone,company,tags";

#[tokio::test]
async fn a_rehearsal_writes_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people(0..3)).await;
    let before = world.rows().await;
    let file = people(0..50).replace("Ada 2", "Eve") + "Ada,Lovelace,no\r\nAda,Lovelace,\r\n";
    let report = rehearse(&shop, file.as_str()).header("idempotency-key", "one").is(200).await.body;
    assert_eq!((counts(&report), report["status"].as_str()), ([48, 1, 3], Some("DONE")));
    assert_eq!(faults(&report), [(52, "/email", "invalid_email")]);
    shop.owner.get(&format!("{}/imports/{}", shop.contacts, report["id"].as_str().unwrap())).is(404).await;
    let rows = |rows: Vec<Value>| rows.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(rows(world.rows().await), rows(before));
}

#[tokio::test]
async fn a_rehearsal_reports_what_the_import_then_does() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut ids: Vec<String> = Vec::new();
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let file = file(ANY_HEADER, (0..80).map(|_| dice.row(&ids)));
        let rehearsed = rehearse(&shop, file.as_str()).is(200).await.body;
        let report = imported(&shop, file.as_str()).await;
        assert_eq!(without_id(&rehearsed), without_id(&report), "{file}");
        let there = contacts(&world, &shop).await;
        ids = there.iter().take(7).map(|contact| contact["id"].as_str().unwrap().to_owned()).collect();
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn a_file_does_what_its_rows_do_one_after_another() {
    let world = World::new().await;
    let (whole, by_row) = (world.shop().await, world.shop().await);
    let mut dice = Dice(7);
    let lines: Vec<_> = (0..50).map(|_| dice.row(&[])).collect();
    let report = imported(&whole, file(ANY_HEADER, &lines)).await;
    let mut sum = [0; 3];
    let mut named = Vec::new();
    for (line, row) in (2..).zip(&lines) {
        let report = imported(&by_row, file(ANY_HEADER, [row])).await;
        named.extend(faults(&report).into_iter().map(|(_, pointer, code)| (line, pointer.to_owned(), code.to_owned())));
        sum = [0, 1, 2].map(|at| sum[at] + counts(&report)[at]);
    }
    assert_eq!(counts(&report), sum);
    let faults = faults(&report).into_iter();
    let faults: Vec<_> = faults.map(|(line, pointer, code)| (line, pointer.to_owned(), code.to_owned())).collect();
    assert_eq!(faults, named);
    assert_eq!(seen(&world, &whole).await, seen(&world, &by_row).await);
    assert_eq!(tags(&world, &whole).await, tags(&world, &by_row).await);
}

// ── Requests that come again ────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_file_that_comes_again_with_its_key_gets_the_same_answer() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ask = |file: String| import(&shop, file).header("idempotency-key", "one");
    let first = ask(people(0..40) + "no\r\n").is(200).await;
    assert_eq!((counts(&first.body), first.header("idempotency-replayed")), ([40, 0, 1], ""));
    let again = ask(people(0..40) + "no\r\n").is(200).await;
    assert_eq!((&again.body, again.location()), (&first.body, first.location()));
    assert_eq!(again.header("idempotency-replayed"), "true");
    ask(people(0..41)).problem(422, "idempotency_key_reused").await;
    assert_eq!(contacts(&world, &shop).await.len(), 40);
    assert_eq!(rows(&world, &shop, "IMPORT").await.len(), 2, "one of every client's, and this");
    world.work().await;
    assert_eq!(poll(&shop, first.location()).await, first.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_requests_with_one_key_at_once_one_imports() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ask = || import(&shop, people(0..30)).header("idempotency-key", "one");
    let answers = at_once((0..4).map(|_| ask().send())).await;
    for answer in &answers {
        assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer}");
        assert_eq!(answer.location(), answers[0].location());
    }
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    world.clock().advance(PAST_THE_CALL);
    assert_eq!(counts(&worked(&world, &shop, answers[0].location()).await), [30, 0, 0]);
}

// ── Imports at the same time ────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_of_overlapping_files_at_once_create_nobody_twice() {
    let world = World::new().await;
    let shop = world.shop().await;
    let nameless =
        |numbers: std::ops::Range<usize>| numbers.map(|n| format!("Eve {n},Bar,\r\n")).collect::<Vec<_>>().concat();
    let files = [
        people(0..50) + &nameless(0..20),
        people((20..70).rev()) + &nameless(10..30),
        people(30..40) + &nameless(0..30),
    ];
    let answers = at_once(files.iter().map(|file| import(&shop, file.as_str()).send())).await;
    world.clock().advance(PAST_THE_CALL);
    let mut created = 0;
    for (answer, file) in answers.iter().zip(&files) {
        assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer}");
        let report = worked(&world, &shop, answer.location()).await;
        let (rows, counts) = (file.lines().count() - 1, counts(&report));
        assert_eq!(counts.iter().sum::<u64>(), u64::try_from(rows).unwrap(), "{report}");
        assert_eq!(faults(&report), []);
        created += counts[0];
    }
    assert_eq!(created, 70 + 30);
    assert_eq!(contacts(&world, &shop).await.len(), 70 + 30);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_that_change_while_they_are_imported_keep_both_changes() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people(0..20)).await;
    let before = contacts(&world, &shop).await;
    let rows = (0..20).map(|n| format!("ada{n}@example.com,Engines"));
    let file = file("email,company", rows);
    let patches = before.iter().map(|contact| {
        let path = format!("{}/{}", shop.contacts, contact["id"].as_str().unwrap());
        shop.owner.patch(&path).json(json!({ "source": "fair" })).contended()
    });
    let mut asks = vec![import(&shop, file)];
    asks.extend(patches);
    let answers = at_once(asks.into_iter().map(RequestBuilder::send)).await;
    assert!(answers.iter().all(|answer| answer.status.is_success()));
    world.clock().advance(PAST_THE_CALL);
    assert_eq!(counts(&worked(&world, &shop, answers[0].location()).await), [0, 20, 0]);
    for contact in contacts(&world, &shop).await {
        assert_eq!((&contact["company"], &contact["source"]), (&json!("Engines"), &json!("fair")), "{contact}");
        assert_eq!(contact["version"].as_f64(), Some(3.0));
    }
    world.assert_whole().await;
}

// ── What does not fit the call ──────────────────────────────────────────────────────────────────────────────────────

/// Begins an import whose call does not get further than to make so many steps, and gives its location.
async fn begun(world: &World, shop: &SalonFixture<'_>, file: &str, steps: usize) -> String {
    // The job comes first.
    world.faults().writes_after(1 + steps, [Fault::ServerError; 6]);
    let answer = import(shop, file).is(202).await;
    world.faults().none();
    assert_eq!(answer.body["status"], "RUNNING");
    assert_eq!(counts(&answer.body)[0] > 0, steps > 0, "what is done by then is told");
    assert_eq!(answer.location(), format!("{}/imports/{}", shop.contacts, answer.id()));
    answer.location().to_owned()
}

#[tokio::test]
async fn an_import_that_does_not_fit_the_call_goes_on_from_where_it_was() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let file = people(0..120) + "no\r\n";
    let location = begun(&world, &shop, &file, 2).await;
    let running = poll(&shop, &location).await;
    let [so_far, 0, 0] = counts(&running) else { panic!("{running}") };
    assert!(running["status"] == "RUNNING" && (1..120).contains(&so_far), "{running}");
    assert_eq!(u64::try_from(contacts(&world, &shop).await.len()).unwrap(), so_far);
    let report = worked(&world, &shop, &location).await;
    assert_eq!(counts(&report), [120, 0, 1]);
    assert_eq!(faults(&report), [(122, "", "wrong_length")]);
    assert_eq!(contacts(&world, &shop).await.len(), 120);
    let partition = format!("{}IMPORT#{}#TEXT", shop.spot.scope, location.rsplit('/').next().unwrap());
    assert!(world.rows().await.iter().all(|row| row["pk"] != partition), "the text goes with the job");
    assert!(rows(&world, &shop, "JOB").await.is_empty());
    world.assert_whole().await;
}

#[tokio::test]
async fn an_import_is_seen_in_its_client_only() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    let answer = import(&here, people([1])).is(200).await;
    let id = answer.id();
    there.owner.get(answer.location()).problem(404, "not_found").await;
    there.owner.get(&format!("{}/imports/{id}", there.contacts)).problem(404, "not_found").await;
    here.admin.get(&format!("{}/imports/{id}", there.contacts)).problem(404, "not_found").await;
    world.anyone().get(answer.location()).problem(401, "unauthenticated").await;
    here.owner.get(&format!("{}/imports/{}", here.contacts, Uuid::now_v7())).problem(404, "not_found").await;
    here.owner.get(&format!("{}/imports/7", here.contacts)).problem(404, "not_found").await;
    there
        .owner
        .post(&format!("{}/import", here.contacts))
        .body("text/csv", people([2]))
        .problem(404, "not_found")
        .await;
    let colleague = world.user(here.spot.scope, Role::ClientUser).await;
    assert_eq!(colleague.get(answer.location()).is(200).await.body, answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_at_once_on_one_import_count_each_row_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let location = begun(&world, &shop, &people(0..120), 1).await;
    let progress = async || counts(&poll(&shop, &location).await)[0];
    let late = async {
        while progress().await < 30 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The first is taken for dead, and is not.
        world.clock().advance(PAST_THE_JOB);
        world.work().await;
    };
    tokio::join!(world.work(), late);
    let report = worked(&world, &shop, &location).await;
    assert_eq!(counts(&report), [120, 0, 0]);
    assert_eq!(contacts(&world, &shop).await.len(), 120);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_taken_for_dead_and_a_worker_count_each_row_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let late = async {
        while contacts(&world, &shop).await.len() < 30 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.clock().advance(PAST_THE_CALL);
        world.work().await;
    };
    let file = people(0..120) + "no\r\n";
    let (answer, ()) = tokio::join!(import(&shop, file).send(), late);
    assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer}");
    let report = worked(&world, &shop, answer.location()).await;
    assert_eq!(counts(&report), [120, 0, 1]);
    assert_eq!(faults(&report), [(122, "", "wrong_length")]);
    assert_eq!(contacts(&world, &shop).await.len(), 120);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_client_that_is_deleted_takes_its_imports_along() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let client = &shop.spot.client;
    let name = json!({ "name": "Bakery" });
    let bare = shop.admin.post(&format!("{}/clients", shop.spot.agency)).json(name).created().await;
    let ask = shop.admin.post(&format!("{}/contacts/import", bare.location())).body("text/csv", people(0..50));
    world.faults().writes_after(1, [Fault::ServerError; 6]);
    let answer = ask.clone().contended().is(202).await;
    world.faults().none();
    shop.admin.delete(bare.location()).is(204).await;
    world.work().await;
    world.assert_whole().await;
    let scope = bare.id();
    let left: Vec<_> =
        world.rows().await.into_iter().filter(|row| row["pk"].as_str().unwrap().contains(scope)).collect();
    for row in &left {
        let collection = row["pk"].as_str().unwrap();
        assert!(collection.contains("#IMPORT") && row["ttl"].is_number(), "{row}");
    }
    shop.admin.get(answer.location()).problem(404, "not_found").await;
    ask.problem(404, "not_found").await;
    assert_ne!(bare.location(), client);
}

// ── Whoever dies ────────────────────────────────────────────────────────────────────────────────────────────────────

/// A file that makes several steps: rows of every kind, with emails and a tag of their own.
fn eventful(name: &str) -> String {
    let people = (0..12).map(|n| format!("Ada {n},Lovelace,{name}{n}@example.com,,{name}"));
    let nameless = (0..8).map(|n| format!("{name} {n},Lovelace,,,"));
    let again = (0..3).map(|n| format!(",,{name}{n}@EXAMPLE.com,Engines,"));
    let known = (3..6).map(|n| format!("Ada {n},,{name}{n}@example.com,,"));
    let bad = (0..2).map(|_| "Ada,Lovelace,no,,".to_owned());
    file("firstName,lastName,email,company,tags", people.chain(nameless).chain(again).chain(known).chain(bad))
}

/// Expects that an eventful file did what it is to do, once.
async fn assert_done(world: &World, shop: &SalonFixture<'_>, name: &str, location: &str) {
    let report = worked(world, shop, location).await;
    assert_eq!(counts(&report), [20, 3, 5], "{name}: {report}");
    let lines: Vec<_> = faults(&report).into_iter().map(|(line, ..)| line).collect();
    assert_eq!(lines, [28, 29], "{name}: {report}");
    let own = |contact: &&Value| {
        let email = contact["email"].as_str().unwrap_or_default();
        email.starts_with(name) || contact["firstName"].as_str().unwrap().starts_with(&format!("{name} "))
    };
    let there = contacts(world, shop).await;
    assert_eq!(there.iter().filter(own).count(), 20, "{name}");
    assert_eq!(there.iter().filter(own).filter(|contact| contact["company"] == "Engines").count(), 3, "{name}");
    assert_eq!(tags(world, shop).await.iter().filter(|tag| *tag == name).count(), 1, "{name}");
}

/// How many transactions it takes to import an eventful file.
async fn writes(shop: &SalonFixture<'_>) -> usize {
    let answer = import(shop, eventful("x")).header("idempotency-key", "x").is(200).await;
    answer.operations().into_iter().filter(|operation| *operation == "TransactWriteItems").count()
}

/// Each transaction of a call in turn is the first that comes to nothing, or whose answer nobody hears.
async fn die_in_the_call(fault: Fault) {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let all = writes(&shop).await;
    assert!(all > 4, "{all}");
    for spared in 0..all {
        let name = format!("{}z", char::from(b'a' + u8::try_from(spared).unwrap()));
        let ask =
            async |shop: &SalonFixture<'_>| import(shop, eventful(&name)).header("idempotency-key", &name).send().await;
        world.faults().all_writes_after(spared, fault);
        let answer = ask(&shop).await;
        world.faults().none();
        assert!(matches!(answer.status.as_u16(), 200 | 202 | 503), "{name}: {answer}");
        assert_eq!(answer.status == 503, spared < 1, "{name}: {answer}");
        world.clock().advance(PAST_THE_CALL);
        world.work().await;
        let again = ask(&shop).await;
        assert!(matches!(again.status.as_u16(), 200 | 202), "{name}: {again}");
        assert!(answer.status == 503 || again.location() == answer.location(), "{name}: {again}");
        assert_done(&world, &shop, &name, again.location()).await;
        world.clock().reset();
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn a_call_that_fails_at_any_write_loses_no_row_and_counts_none_twice() {
    die_in_the_call(Fault::ServerError).await;
}

#[tokio::test]
async fn a_call_whose_answers_are_lost_from_any_write_on_loses_no_row_and_counts_none_twice() {
    die_in_the_call(Fault::AnswerLost).await;
}

/// The same for a worker, which dies and then is well again.
async fn die_at_work(fault: Fault) {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let all = writes(&shop).await;
    for spared in 0..all {
        let name = format!("{}z", char::from(b'a' + u8::try_from(spared).unwrap()));
        let location = begun(&world, &shop, &eventful(&name), 0).await;
        world.faults().writes_after(spared, [fault; 12]);
        world.work().await;
        world.faults().none();
        world.clock().advance(PAST_THE_JOB);
        assert_done(&world, &shop, &name, &location).await;
        world.clock().reset();
    }
    assert!(rows(&world, &shop, "JOB").await.is_empty());
    world.assert_whole().await;
}

#[tokio::test]
async fn a_worker_that_fails_at_any_write_loses_no_row_and_counts_none_twice() {
    die_at_work(Fault::ServerError).await;
}

#[tokio::test]
async fn a_worker_whose_answers_are_lost_from_any_write_on_loses_no_row_and_counts_none_twice() {
    die_at_work(Fault::AnswerLost).await;
}
