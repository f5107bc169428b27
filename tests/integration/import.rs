//! CSV import of contacts.

use std::collections::BTreeSet;
use std::iter;
use std::time::Duration;

use harness::at_once;
use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use infra::aws::function::EVENT_LIMIT;
use serde_json::{Value, json};
use shared::identity::Role;
use uuid::Uuid;

use crate::tags::set_tag_count;

/// Maximum size of a file, in bytes.
const MAX_BYTES: usize = 5 * 1024 * 1024;

/// Seconds after which the lease of a call has expired.
///
/// The lease of the jobs function has not expired then.
const AFTER_CALL_LEASE: i64 = 60;

/// Seconds after which the lease of the jobs function has expired.
const AFTER_JOB_LEASE: i64 = 120;

/// A row with more filled cells than any header in the tests: it is skipped.
const SURPLUS_ROW: &str = "a,b,c,d,e,f,g,h,i,j\r\n";

/// Imports a file.
///
/// The round-trip budget of the route is for a small file; larger ones exceed it.
pub(crate) fn import<'w>(shop: &SalonFixture<'w>, file: impl Into<Vec<u8>>) -> RequestBuilder<'w> {
    shop.owner.post(&format!("{}/import", shop.contacts)).body("text/csv", file).contended()
}

/// Imports a file as a dry run.
fn dry_run<'w>(shop: &SalonFixture<'w>, file: impl Into<Vec<u8>>) -> RequestBuilder<'w> {
    shop.owner.post(&format!("{}/import?dryRun=true", shop.contacts)).body("text/csv", file).contended()
}

/// Imports a file within one call and returns the report.
pub(crate) async fn imported(shop: &SalonFixture<'_>, file: impl Into<Vec<u8>>) -> Value {
    let answer = import(shop, file).is(200).await;
    assert_eq!(answer.body["status"], "DONE", "{answer}");
    answer.body
}

/// Counts of a report: created, updated, skipped.
pub(crate) fn counts(report: &Value) -> [u64; 3] {
    ["created", "updated", "skipped"].map(|name| report[name].as_u64().unwrap())
}

/// Errors of a report: line, pointer, code.
fn report_errors(report: &Value) -> Vec<(u64, &str, &str)> {
    let errors = report["errors"].as_array().unwrap().iter();
    let assert_detail =
        |error: &'_ Value| assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
    errors
        .inspect(|error| assert_detail(error))
        .map(|error| {
            (error["line"].as_u64().unwrap(), error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap())
        })
        .collect()
}

/// A report without its id, which differs each time.
fn without_id(report: &Value) -> Value {
    let mut report = report.clone();
    report.as_object_mut().unwrap().remove("id");
    report
}

async fn poll(shop: &SalonFixture<'_>, location: &str) -> Value {
    shop.owner.get(location).contended().is(200).await.body
}

/// Finishes an import in the jobs function and returns the report.
///
/// A failed job is retried later.
async fn finished(world: &World, shop: &SalonFixture<'_>, location: &str) -> Value {
    for pause in [0, 10, AFTER_JOB_LEASE] {
        world.clock().advance(pause);
        world.run_jobs().await;
        let report = poll(shop, location).await;
        if report["status"] == "DONE" {
            return report;
        }
    }
    panic!("{location} is not finished");
}

/// Rows of a collection of the client, by sort key.
async fn rows(world: &World, shop: &SalonFixture<'_>, collection: &str) -> Vec<Value> {
    let partition = shop.paths.partition(collection);
    let mut rows = world.rows().await;
    rows.retain(|row| row["pk"] == partition);
    rows.sort_by_key(|row| row["sk"].as_str().unwrap().to_owned());
    rows
}

/// Contact rows of the client, oldest first, without the fixture's contact.
pub(crate) async fn contacts(world: &World, shop: &SalonFixture<'_>) -> Vec<Value> {
    let mut rows = rows(world, shop, "CONTACT").await;
    rows.retain(|row| !shop.paths.contact.ends_with(row["sk"].as_str().unwrap()));
    rows
}

/// The only contact of the client besides the fixture's contact.
async fn only(world: &World, shop: &SalonFixture<'_>) -> Value {
    let mut contacts = contacts(world, shop).await;
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    contacts.remove(0)
}

/// Sorted names of all tags, without the fixture's tag.
async fn tags(world: &World, shop: &SalonFixture<'_>) -> Vec<String> {
    let mut tags = rows(world, shop, "TAG").await;
    tags.retain(|row| !shop.paths.tag.ends_with(row["sk"].as_str().unwrap()));
    let mut names: Vec<_> = tags.iter().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

/// Visible fields of the client's contacts: tags by name, no ids and times.
pub(crate) async fn visible_contacts(world: &World, shop: &SalonFixture<'_>) -> BTreeSet<String> {
    let tags = rows(world, shop, "TAG").await;
    let name = |id: &Value| tags.iter().find(|tag| tag["id"] == *id).map(|tag| tag["name"].clone());
    let fields = ["firstName", "lastName", "email", "phone", "company", "jobTitle", "source"];
    let fields_and_tags = |contact: &Value| {
        let names: BTreeSet<_> =
            contact["tagIds"].as_array().unwrap().iter().filter_map(name).map(|name| name.to_string()).collect();
        format!("{:?} {names:?}", fields.map(|field| contact[field].clone()))
    };
    contacts(world, shop).await.iter().map(fields_and_tags).collect()
}

/// A file with this header and these rows.
fn file<T: std::fmt::Display>(header: &str, rows: impl IntoIterator<Item = T>) -> String {
    iter::once(header.to_owned()).chain(rows.into_iter().map(|row| row.to_string())).map(|row| row + "\r\n").collect()
}

/// A file of contacts with emails, one for each number.
pub(crate) fn people_csv(numbers: impl IntoIterator<Item = usize>) -> String {
    file("firstName,lastName,email", numbers.into_iter().map(|n| format!("Ada {n},Lovelace,ada{n}@example.com")))
}

// ── File format ─────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn file_creates_contacts_and_tags() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "firstName,lastName,email,phone,company,jobTitle,source,tags\r\n\
                Ada,Lovelace,Ada@Example.com,+1 415 555 2671,Analytical Engines,Programmer,fair,newsletter;VIP\r\n\
                Zoë,de la Cruz,,,,,,\r\n";
    let answer = shop.owner.post(&format!("{}/import", shop.contacts)).body("text/csv", file).is(200).await;
    let id = answer.id();
    let columns = ["firstName", "lastName", "email", "phone", "company", "jobTitle", "source", "tags"];
    let mapping: Vec<_> = columns.iter().map(|name| json!({ "header": name, "field": name })).collect();
    let expected = json!({
        "id": id, "status": "DONE", "created": 2, "updated": 0, "skipped": 0, "errors": [], "encoding": "UTF-8",
        "delimiter": ",", "mapping": mapping, "ignoredColumns": [],
    });
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
    assert_eq!((&ada["version"], &ada["clientId"]), (&json!(1), &json!(shop.paths.id("clientId"))));
    world.assert_consistent().await;
}

#[tokio::test]
async fn file_without_rows_is_done() {
    let world = World::new().await;
    let shop = world.shop().await;
    for file in ["email", "email\r\n", "email\r\n\r\n,\r\n"] {
        assert_eq!(counts(&imported(&shop, file).await), [0, 0, 0], "{file:?}");
    }
}

#[tokio::test]
async fn columns_are_matched_by_name_in_any_spelling() {
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
async fn quoted_cells_and_any_script_are_accepted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "firstName,lastName,company\r\n\"Ada\",\"O\"\"Hara, Jr.\",\"日本語 \u{1f600}\"\r\n";
    assert_eq!(counts(&imported(&shop, file).await), [1, 0, 0]);
    let ada = only(&world, &shop).await;
    assert_eq!((&ada["lastName"], &ada["company"]), (&json!("O\"Hara, Jr."), &json!("日本語 \u{1f600}")));
}

#[tokio::test]
async fn invalid_header_reports_every_column() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (file, pointers) in [
        ("email,phone,E-mail,,Phone\r\n", &["/header/2", "/header/4"][..]),
        ("tags,company\r\n1,2\r\n", &["/header"]),
        ("", &["/header"]),
        ("\r\n\r\n", &["/header"]),
    ] {
        import(&shop, file).invalid(pointers).await;
        dry_run(&shop, file).invalid(pointers).await;
    }
    assert_eq!(contacts(&world, &shop).await, Vec::<Value>::new());
}

#[tokio::test]
async fn media_type_other_than_csv_returns_415() {
    let world = World::new().await;
    let shop = world.shop().await;
    let path = format!("{}/import", shop.contacts);
    for media in ["application/json", "text/plain", "multipart/form-data; boundary=x", "text/csvx"] {
        shop.owner.post(&path).body(media, people_csv([1])).problem(415, "unsupported_media_type").await;
    }
    shop.owner.post(&path).problem(415, "unsupported_media_type").await;
    shop.owner.post(&path).body("Text/CSV; charset=utf-8; header=present", people_csv([1])).is(200).await;
}

#[tokio::test]
async fn file_that_is_not_text_in_its_charset_returns_400() {
    let world = World::new().await;
    let shop = world.shop().await;
    let path = format!("{}/import", shop.contacts);
    let latin_1 = b"firstName,lastName\r\nZo\xeb,M\xfcller\r\n";
    for media in ["text/csv; charset=utf-8", "text/csv; charset=klingon"] {
        shop.owner.post(&path).body(media, *latin_1).problem(400, "invalid_csv").await;
    }
    import(&shop, *b"firstName\0\r\nZoe\r\n").problem(400, "invalid_csv").await;
    dry_run(&shop, *b"PK\x03\x04\0\0\x08").problem(400, "invalid_csv").await;
    assert_eq!(contacts(&world, &shop).await, Vec::<Value>::new());
    let report = shop.owner.post(&path).body("Text/CSV; Charset=\"ISO-8859-1\"", *latin_1).is(200).await.body;
    assert_eq!(report["encoding"], "windows-1252");
    assert_eq!(only(&world, &shop).await["lastName"], "M\u{fc}ller");
}

/// The mapping of a report: header and field.
fn mapping(report: &Value) -> Vec<(&str, &str)> {
    let columns = report["mapping"].as_array().unwrap().iter();
    columns.map(|column| (column["header"].as_str().unwrap(), column["field"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn file_of_another_product_is_imported_and_its_mapping_reported() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.paths.client).json(json!({ "country": "SE" })).is(200).await;
    let google = "First Name,Middle Name,Last Name,Organization Name,Organization Title,Notes,Labels,E-mail 1 - Label,\
        E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value\nNora,,Quist,Quist AB,Chef,\"line one\nline two\",* myContacts,\
        * Work,nora@quist.example,Mobile,070-123 45 67\n";
    let hubspot = "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Create Date,Associated Company\n\
        101,Nora,Quist,nora@quist.example,+46701234567,,2024-01-01 10:00,Quist AB\n";
    let outlook = "Title;Vorname;Nachname;Firma;Position;Mobiltelefon;E-Mail-Adresse\r\n\
        Frau;Nora;Quist;Quist AB;Chef;+46 70 123 45 67;nora@quist.example\r\n";
    for (number, (file, columns, ignored)) in [(google, 6, 5), (hubspot, 5, 3), (outlook, 6, 1)].into_iter().enumerate()
    {
        let expected = if number == 0 { [1, 0, 0] } else { [0, 0, 1] };
        let preview = dry_run(&shop, file).is(200).await.body;
        let report = imported(&shop, file).await;
        assert_eq!(without_id(&preview), without_id(&report));
        assert_eq!(counts(&report), expected, "{report}");
        assert_eq!(mapping(&report).len(), columns, "{report}");
        assert_eq!(report["ignoredColumns"].as_array().unwrap().len(), ignored, "{report}");
        let contact = only(&world, &shop).await;
        for (name, value) in [
            ("firstName", "Nora"),
            ("lastName", "Quist"),
            ("email", "nora@quist.example"),
            ("phone", "+46701234567"),
            ("company", "Quist AB"),
            ("jobTitle", "Chef"),
        ] {
            assert_eq!(contact[name], value, "{name}");
        }
    }
    let strict = shop.owner.post(&format!("{}/import?strict=true", shop.contacts));
    strict.body("text/csv", hubspot).invalid(&["/header/0", "/header/5", "/header/6"]).await;
}

#[tokio::test]
async fn map_parameter_names_the_fields_of_columns() {
    let world = World::new().await;
    let shop = world.shop().await;
    let post = |query: &str| {
        let file = "Export of today\nID;Who;Private Mail;Shoe size\n7;Nora Quist;nora@quist.example;40\n";
        shop.owner.post(&format!("{}/import?{query}", shop.contacts)).body("text/csv", file)
    };
    let map = "map=ID:&map=who:name&map=Private%20Mail:email";
    for wrong in ["map=Who:nickname", "map=Who:name&map=Shoes:company", "map=Who"] {
        post(wrong).invalid(&["/map"]).await;
    }
    post(&format!("{map}&strict=true")).invalid(&["/header/3"]).await;
    post(&format!("{map}&strict=true&strict=true")).invalid(&["/strict"]).await;
    let report = post(map).is(200).await.body;
    assert_eq!((counts(&report), &report["delimiter"]), ([1, 0, 0], &json!(";")));
    assert_eq!(mapping(&report), [("Who", "name"), ("Private Mail", "email")]);
    assert_eq!(report["ignoredColumns"], json!(["ID", "Shoe size"]));
    let contact = only(&world, &shop).await;
    assert_eq!((&contact["firstName"], &contact["email"]), (&json!("Nora Quist"), &json!("nora@quist.example")));
}

#[tokio::test]
async fn every_row_is_counted_or_the_file_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let swallowing =
        "firstName,email,createdAt\nA,a@x.example,\"2020\nB,b@x.example,x\nC,c@x.example,\"2021\nD,d@x.example,2022\n";
    import(&shop, swallowing).problem(422, "unclosed_quote").await;
    let garbled = "firstName,lastName,email,company\nA,One,a@x.example,\"24\" Screens\"\nB,Two,b@x.example,\"Acme \\\"Best\\\" Inc\"\n\
        \"Robert \"Bob\"\",Smith,c@x.example,\nD,Four,d@x.example\nE,Five,e@x.example,,,\nF,Six,f@x.example,Acme,5\n";
    let report = imported(&shop, garbled).await;
    let expected = [(2, "misplaced_quote"), (3, "misplaced_quote"), (4, "misplaced_quote"), (7, "wrong_length")];
    assert_eq!(report_errors(&report), expected.map(|(line, code)| (line, "", code)));
    assert_eq!(counts(&report), [2, 0, 4]);
    let mailchimp = "Email Address,TAGS,\nd@x.example,\"\"\"VIP\"\",\"\"Blog\"\"\",\ne@x.example,\"vip,blog\",\n";
    assert_eq!(counts(&imported(&shop, mailchimp).await), [0, 2, 0]);
    assert_eq!(tags(&world, &shop).await, ["Blog", "VIP"]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn dry_run_parameter_must_be_true_or_false() {
    let world = World::new().await;
    let shop = world.shop().await;
    let request =
        |query: &str| shop.owner.post(&format!("{}/import?{query}", shop.contacts)).body("text/csv", people_csv([1]));
    request("dryRun=yes").invalid(&["/dryRun"]).await;
    request("dryrun=true").invalid(&["/dryrun"]).await;
    assert_eq!(contacts(&world, &shop).await, Vec::<Value>::new());
    request("dryRun=false").is(200).await;
    assert_eq!(contacts(&world, &shop).await.len(), 1);
}

// ── Limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A file of one row padded with blank lines to this size.
fn large(bytes: usize) -> String {
    let file = people_csv([1]);
    format!("{file}{}", "\n".repeat(bytes - file.len()))
}

#[tokio::test]
async fn file_over_5_mib_returns_413() {
    let world = World::new().await;
    let shop = world.shop().await;
    let long = "x".repeat(MAX_BYTES - people_csv([1]).len());
    let file = format!("{}{long}", people_csv([1]));
    assert_eq!(file.len(), MAX_BYTES);
    assert_eq!(report_errors(&imported(&shop, file.as_str()).await), [(3, "/firstName", "too_long")]);
    import(&shop, format!("{file}x")).problem(413, "body_too_large").await;
    dry_run(&shop, format!("{file}x")).problem(413, "body_too_large").await;
}

#[tokio::test]
async fn file_exceeding_the_event_limit_returns_413() {
    let world = World::new().await;
    let shop = world.shop().await;
    // Each quote and each line feed takes two bytes of the event.
    for file in [large(MAX_BYTES), format!("{}{}", people_csv([1]), "\"".repeat(EVENT_LIMIT / 2))] {
        assert!(file.len() <= MAX_BYTES);
        let answer = import(&shop, file).is(413).await;
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    assert_eq!(contacts(&world, &shop).await, Vec::<Value>::new());
}

#[tokio::test]
async fn file_over_20000_rows_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = |rows| file("email", iter::repeat_n("no", rows));
    import(&shop, file(20_001)).problem(422, "too_many_rows").await;
    dry_run(&shop, file(20_001)).problem(422, "too_many_rows").await;
    let report = dry_run(&shop, file(20_000)).is(200).await.body;
    assert_eq!(counts(&report), [0, 0, 20_000]);
    assert_eq!(report_errors(&report).last(), Some(&(20_001, "/email", "invalid_email")));
}

// ── Invalid rows ────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn invalid_row_is_skipped_and_reported_with_its_line() {
    let world = World::new().await;
    let shop = world.shop().await;
    let long = "x".repeat(201);
    let names: Vec<_> = (0..31).map(|n| n.to_string()).collect();
    let rows = [
        ",Ada,Lovelace,ada@example.com,,,",
        "7,Ada,Lovelace,,,,",
        &format!(",{long},Lovelace,,,,"),
        ",Ada,\"Love\u{7}lace\",,,,",
        ",Ada,Lovelace,unknown,,,",
        ",Ada,Lovelace,,01 42 68 53 00,,",
        &format!(",Ada,Lovelace,,,{long},"),
        &format!(",Ada,Lovelace,,,,{}", names.join(";")),
        &format!(",Ada,Lovelace,,,,{}", "y".repeat(101)),
        ",Ada,Lovelace",
        ",Ada,Lovelace,,,,,",
        ",,Lovelace,,,,",
        ",,,a@example.com,,,",
        ",,,,,Engines,",
        "7,\"A\u{202e}B\",,unknown,1,,",
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
        (15, "/firstName", "required"),
        (16, "/id", "invalid_id"),
        (16, "/firstName", "control_character"),
        (16, "/email", "invalid_email"),
        (16, "/phone", "invalid_phone"),
        (17, "/firstName", "control_character"),
    ];
    assert_eq!(report_errors(&report), expected);
    // Short rows are complete, and empty surplus cells are ignored. Lines 11 and 12 are then the same.
    assert_eq!(counts(&report), [5, 0, 12]);
    let emails: Vec<_> = contacts(&world, &shop).await.iter().map(|contact| contact["email"].clone()).collect();
    let expected =
        [json!("ada@example.com"), Value::Null, Value::Null, json!("a@example.com"), json!("grace@example.com")];
    assert_eq!(emails, expected);
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_row_creates_no_tag() {
    let world = World::new().await;
    let shop = world.shop().await;
    let rows = ["Ada,Lovelace,no,one", ",,,two", "Ada,Lovelace,ada@example.com,three"];
    assert_eq!(counts(&imported(&shop, file("firstName,lastName,email,tags", rows)).await), [1, 0, 2]);
    assert_eq!(tags(&world, &shop).await, ["three"]);
}

/// A file of rows with eight errors each.
fn invalid_rows(rows: usize) -> String {
    let row = "7,\u{1},\u{1},no,no,\u{1},\u{1},\u{1},\r\n";
    format!("id,firstName,lastName,email,phone,company,jobTitle,source,tags\r\n{}", row.repeat(rows))
}

#[tokio::test]
async fn long_report_is_complete_and_replayed_as_a_location() {
    let world = World::new().await;
    let shop = world.shop().await;
    let request = || import(&shop, invalid_rows(600)).header("idempotency-key", "one");
    let answer = request().is(200).await;
    assert_eq!((counts(&answer.body), report_errors(&answer.body).len()), ([0, 0, 600], 4800));
    assert_eq!(poll(&shop, answer.location()).await, answer.body);
    assert!(rows(&world, &shop, "JOB").await.is_empty(), "the job is finished");
    // The stored answer has no room for the whole report.
    let repeated = request().is(202).await;
    assert_eq!((repeated.header("idempotency-replayed"), repeated.location()), ("true", answer.location()));
}

#[tokio::test]
async fn report_over_5000_errors_adds_only_the_first_error_of_each_row() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = invalid_rows(2600);
    let dry_run_report = dry_run(&shop, file.as_str()).is(200).await.body;
    let report = imported(&shop, file).await;
    assert_eq!(without_id(&dry_run_report), without_id(&report));
    assert_eq!(counts(&report), [0, 0, 2600]);
    let reported = report_errors(&report);
    // Eight errors per row: the first 625 rows have 5,000 errors.
    assert_eq!(reported.len(), 5000 + (2600 - 625));
    assert_eq!((reported[4999].0, reported[5000]), (626, (627, "/id", "invalid_id")));
    assert_eq!(reported.last(), Some(&(2601, "/id", "invalid_id")));
}

// ── Phone numbers ───────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn national_phone_uses_the_country_of_the_client() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.paths.client).json(json!({ "country": "FR" })).is(200).await;
    let rows = ["Ada,Lovelace,01 42 68 53 00", "Grace,Hopper,'+1 415 555 2671", "Eve,Bar,555"];
    let report = imported(&shop, file("firstName,lastName,phone", rows)).await;
    assert_eq!(report_errors(&report), [(4, "/phone", "invalid_phone")]);
    let phones: Vec<_> = contacts(&world, &shop).await.iter().map(|contact| contact["phone"].clone()).collect();
    assert_eq!(phones, ["+33142685300", "+14155552671"]);
}

// ── Matching rows to contacts ───────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn row_updates_the_contact_with_its_email_and_clears_nothing() {
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
    world.assert_consistent().await;
}

#[tokio::test]
async fn row_matches_by_id_before_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people_csv([1, 2])).await;
    let before = contacts(&world, &shop).await;
    let id = |at: usize| before[at]["id"].as_str().unwrap();
    let rows = [
        format!("{},King,", id(0)),
        format!("{},,ada2@example.com", id(0)),
        format!("{},,new@example.com", id(1)),
        format!("{},,unknown@example.com", Uuid::now_v7()),
        format!("{},Queen,ada1@example.com", Uuid::now_v7()),
    ];
    let report = imported(&shop, file("id,lastName,email", rows)).await;
    // The second row precedes the third, which releases that email. The fourth row matches no contact.
    assert_eq!(report_errors(&report), [(3, "/email", "taken")]);
    assert_eq!(counts(&report), [1, 3, 1]);
    let after = contacts(&world, &shop).await;
    assert_eq!((&after[0]["lastName"], &after[0]["email"]), (&json!("Queen"), &json!("ada1@example.com")));
    assert_eq!((&after[1]["lastName"], &after[1]["email"]), (&json!("Lovelace"), &json!("new@example.com")));
    world.assert_consistent().await;
}

#[tokio::test]
async fn id_of_another_client_matches_no_contact() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    imported(&other, people_csv([1])).await;
    let foreign_contact = only(&world, &other).await;
    let row = format!("{},Eve,Bar,eve@example.com", foreign_contact["id"].as_str().unwrap());
    assert_eq!(counts(&imported(&shop, file("id,firstName,lastName,email", [row])).await), [1, 0, 0]);
    assert_eq!(only(&world, &other).await, foreign_contact);
    assert_ne!(only(&world, &shop).await["id"], foreign_contact["id"]);
}

#[tokio::test]
async fn rows_are_applied_in_file_order() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, "firstName,lastName,email,company\r\nEve,Bar,eve@example.com,One\r\n").await;
    let rows = [
        // The first row creates the contact, and the others match it.
        "Ada,Lovelace,ada@example.com,",
        ",,ADA@example.com,",
        ",King,ada@example.com,",
        // A change and its reversal.
        ",,eve@example.com,Two",
        ",,eve@example.com,One",
    ];
    let report = imported(&shop, file("firstName,lastName,email,company", rows)).await;
    assert_eq!(report_errors(&report), []);
    assert_eq!(counts(&report), [1, 3, 1]);
    let after = contacts(&world, &shop).await;
    assert_eq!((&after[0]["company"], after[0]["version"].as_f64()), (&json!("One"), Some(3.0)));
    assert_eq!((&after[1]["lastName"], after[1]["version"].as_f64()), (&json!("King"), Some(2.0)));
}

#[tokio::test]
async fn email_released_by_a_row_is_available_to_the_next() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people_csv([1, 2])).await;
    let before = contacts(&world, &shop).await;
    let id = |at: usize| before[at]["id"].as_str().unwrap();
    let rows = [
        format!("{},,,moved@example.com", id(0)),
        format!("{},,,ada1@example.com", id(1)),
        ",Grace,Hopper,ada2@example.com".to_owned(),
    ];
    let file = file("id,firstName,lastName,email", rows);
    let dry_run_report = dry_run(&shop, file.as_str()).is(200).await.body;
    let report = imported(&shop, file).await;
    assert_eq!((counts(&report), report_errors(&report)), ([1, 2, 0], vec![]));
    assert_eq!(without_id(&dry_run_report), without_id(&report));
    let emails: Vec<_> = contacts(&world, &shop).await.iter().map(|contact| contact["email"].clone()).collect();
    assert_eq!(emails, ["moved@example.com", "ada1@example.com", "ada2@example.com"]);
    world.assert_consistent().await;
}

// ── Repeated files ──────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn repeated_file_changes_nothing() {
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
    world.assert_consistent().await;
}

#[tokio::test]
async fn reordered_and_respelled_rows_create_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, "firstName,lastName,phone,tags\r\nAda,Lovelace,+14155552671,vip\r\nZoë,Foo,,\r\n").await;
    let repeated = "tags;phone;Last Name;First Name\n;;Foo;Zoe\u{308}\nvip;'+1 415 555 2671;Lovelace;\"Ada\"\n";
    assert_eq!(counts(&imported(&shop, repeated.replace(';', ",")).await), [0, 0, 2]);
}

#[tokio::test]
async fn repeated_file_keeps_later_changes_of_a_contact() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "firstName,lastName,tags\r\nAda,Lovelace,vip\r\n";
    imported(&shop, file).await;
    let ada = only(&world, &shop).await["id"].as_str().unwrap().to_owned();
    let path = format!("{}/{ada}", shop.contacts);
    let changed = shop.owner.patch(&path).json(json!({ "lastName": "King", "tagIds": [] })).is(200).await;
    assert_eq!(counts(&imported(&shop, file).await), [0, 0, 1]);
    assert_eq!(shop.owner.get(&path).is(200).await.body, changed.body);
    // A deleted contact is created again: no existing contact matches.
    shop.owner.delete(&path).is(204).await;
    assert_eq!(counts(&imported(&shop, file).await), [1, 0, 0]);
    world.run_jobs().await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn unchanged_row_does_not_recreate_a_deleted_tag() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = "firstName,lastName,tags\r\nAda,Lovelace,vip\r\n";
    imported(&shop, file).await;
    let tag = only(&world, &shop).await["tagIds"][0].as_str().unwrap().to_owned();
    shop.owner.delete(&format!("{}/tags/{tag}", shop.paths.client)).is(204).await;
    world.run_jobs().await;
    assert_eq!(counts(&imported(&shop, file).await), [0, 0, 1]);
    assert_eq!(tags(&world, &shop).await, Vec::<String>::new());
}

#[tokio::test]
async fn row_that_needs_a_tag_beyond_the_limit_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (round, stored) in [998, 1000].into_iter().enumerate() {
        set_tag_count(&world, &shop, stored).await;
        let person = |at: usize, tags: &str| format!("Ada,Lovelace,{round}-{at}@example.com,{tags}");
        let rows = [
            person(0, ""),
            person(1, "new"),
            person(2, "NEW;newer"),
            person(3, &format!("newest-{round}")),
            person(4, "new"),
            person(5, &format!("newer;even-newer-{round}")),
        ];
        let file = file("firstName,lastName,email,tags", rows);
        let predicted = without_id(&dry_run(&shop, file.as_str()).is(200).await.body);
        let report = imported(&shop, file).await;
        assert_eq!(without_id(&report), predicted, "round {round}");
        assert_eq!(counts(&report), [4, 0, 2], "round {round}: {report}");
        let expected = [(5, "/tags", "too_many_client_tags"), (7, "/tags", "too_many_client_tags")];
        assert_eq!(report_errors(&report), expected, "round {round}");
        set_tag_count(&world, &shop, 3).await;
        assert_eq!(tags(&world, &shop).await, ["new", "newer"], "round {round}");
        world.assert_consistent().await;
    }
}

// ── Tags ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn tags_are_matched_in_any_case_and_created_if_missing() {
    let world = World::new().await;
    let shop = world.shop().await;
    let vip = shop.owner.post(&format!("{}/tags", shop.paths.client)).json(json!({ "name": "VIP" })).created().await;
    let rows = ["a@example.com,A,B,vip; New ;vip", "b@example.com,A,B,new;Vip;;", r"c@example.com,A,B,one\;two"];
    imported(&shop, file("email,firstName,lastName,tags", rows)).await;
    let found = contacts(&world, &shop).await;
    assert_eq!(found[0]["tagIds"][0], vip.id());
    assert_eq!(found[1]["tagIds"], json!([found[0]["tagIds"][1], vip.id()]));
    assert_eq!(tags(&world, &shop).await, ["New", "VIP", "one;two"]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn import_enforces_the_limit_of_30_tags() {
    let world = World::new().await;
    let shop = world.shop().await;
    let names = |numbers: std::ops::Range<usize>| numbers.map(|n| format!("tag {n}")).collect::<Vec<_>>().join(";");
    let row = |numbers| format!("a@example.com,A,B,{}", names(numbers));
    let header = "email,firstName,lastName,tags";
    assert_eq!(report_errors(&imported(&shop, file(header, [row(0..31)])).await), [(2, "/tags", "too_many")]);
    assert_eq!(tags(&world, &shop).await.len(), 0);
    assert_eq!(counts(&imported(&shop, file(header, [row(0..30)])).await), [1, 0, 0]);
    let report = imported(&shop, file(header, [row(30..31), row(10..20)])).await;
    assert_eq!((counts(&report), report_errors(&report)), ([0, 0, 2], vec![(2, "/tags", "too_many")]));
    assert_eq!(only(&world, &shop).await["tagIds"].as_array().unwrap().len(), 30);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_imports_create_each_tag_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let file = |number: usize| {
        let rows = (0..8).map(|n| format!("{number}.{n}@example.com,A,B,one;two;Three"));
        file("email,firstName,lastName,tags", rows)
    };
    let answers = at_once((0..4).map(|number| import(&shop, file(number)).send())).await;
    let locations: Vec<_> = answers.iter().map(Answer::location).collect();
    for answer in &answers {
        assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer}");
    }
    world.clock().advance(AFTER_CALL_LEASE);
    for location in locations {
        assert_eq!(counts(&finished(&world, &shop, location).await), [8, 0, 0]);
    }
    assert_eq!(tags(&world, &shop).await, ["Three", "one", "two"]);
    assert_eq!(contacts(&world, &shop).await.len(), 32);
    world.assert_consistent().await;
}

// ── Dry runs ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Deterministic pseudo-random draws.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Constants of Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    /// A random row of a few recurring people, some of them identified by these ids.
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
async fn dry_run_writes_nothing() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people_csv(0..3)).await;
    let before = world.rows().await;
    let file = people_csv(0..50).replace("Ada 2", "Eve") + "Ada,Lovelace,no\r\nAda,Lovelace,\r\n";
    let report = dry_run(&shop, file.as_str()).header("idempotency-key", "one").is(200).await.body;
    assert_eq!((counts(&report), report["status"].as_str()), ([48, 1, 3], Some("DONE")));
    assert_eq!(report_errors(&report), [(52, "/email", "invalid_email")]);
    shop.owner.get(&format!("{}/imports/{}", shop.contacts, report["id"].as_str().unwrap())).is(404).await;
    let rows = |rows: Vec<Value>| rows.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(rows(world.rows().await), rows(before));
}

#[tokio::test]
async fn dry_run_report_equals_the_import_report() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut ids: Vec<String> = Vec::new();
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let file = file(ANY_HEADER, (0..80).map(|_| dice.row(&ids)));
        let dry_run_report = dry_run(&shop, file.as_str()).is(200).await.body;
        let report = imported(&shop, file.as_str()).await;
        assert_eq!(without_id(&dry_run_report), without_id(&report), "{file}");
        let found = contacts(&world, &shop).await;
        ids = found.iter().take(7).map(|contact| contact["id"].as_str().unwrap().to_owned()).collect();
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn file_has_the_effect_of_its_rows_imported_one_by_one() {
    let world = World::new().await;
    let (in_one_file, by_row) = (world.shop().await, world.shop().await);
    let mut dice = Dice(7);
    let lines: Vec<_> = (0..50).map(|_| dice.row(&[])).collect();
    let report = imported(&in_one_file, file(ANY_HEADER, &lines)).await;
    let mut sum = [0; 3];
    let mut reported = Vec::new();
    for (line, row) in (2..).zip(&lines) {
        let report = imported(&by_row, file(ANY_HEADER, [row])).await;
        reported.extend(
            report_errors(&report).into_iter().map(|(_, pointer, code)| (line, pointer.to_owned(), code.to_owned())),
        );
        sum = [0, 1, 2].map(|at| sum[at] + counts(&report)[at]);
    }
    assert_eq!(counts(&report), sum);
    let errors = report_errors(&report).into_iter();
    let errors: Vec<_> = errors.map(|(line, pointer, code)| (line, pointer.to_owned(), code.to_owned())).collect();
    assert_eq!(errors, reported);
    assert_eq!(visible_contacts(&world, &in_one_file).await, visible_contacts(&world, &by_row).await);
    assert_eq!(tags(&world, &in_one_file).await, tags(&world, &by_row).await);
}

// ── Idempotency keys ────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn repeated_file_with_its_key_is_replayed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let send = |file: String| import(&shop, file).header("idempotency-key", "one");
    let first = send(people_csv(0..40) + SURPLUS_ROW).is(200).await;
    assert_eq!((counts(&first.body), first.header("idempotency-replayed")), ([40, 0, 1], ""));
    let repeated = send(people_csv(0..40) + SURPLUS_ROW).is(200).await;
    assert_eq!((&repeated.body, repeated.location()), (&first.body, first.location()));
    assert_eq!(repeated.header("idempotency-replayed"), "true");
    send(people_csv(0..41)).problem(422, "idempotency_key_reused").await;
    // The query changes the effect as the file does.
    let file = people_csv(0..40) + SURPLUS_ROW;
    let strict = shop.owner.post(&format!("{}/import?strict=true", shop.contacts)).body("text/csv", file);
    strict.header("idempotency-key", "one").problem(422, "idempotency_key_reused").await;
    assert_eq!(contacts(&world, &shop).await.len(), 40);
    assert_eq!(rows(&world, &shop, "IMPORT").await.len(), 2, "the fixture's import and this one");
    world.run_jobs().await;
    assert_eq!(poll(&shop, first.location()).await, first.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_with_one_key_import_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let request = || import(&shop, people_csv(0..30)).header("idempotency-key", "one");
    let answers = at_once((0..4).map(|_| request().send())).await;
    for answer in &answers {
        assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer}");
        assert_eq!(answer.location(), answers[0].location());
    }
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    world.clock().advance(AFTER_CALL_LEASE);
    assert_eq!(counts(&finished(&world, &shop, answers[0].location()).await), [30, 0, 0]);
}

// ── Concurrent imports ──────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_overlapping_imports_create_no_duplicates() {
    let world = World::new().await;
    let shop = world.shop().await;
    let without_email =
        |numbers: std::ops::Range<usize>| numbers.map(|n| format!("Eve {n},Bar,\r\n")).collect::<Vec<_>>().concat();
    let files = [
        people_csv(0..50) + &without_email(0..20),
        people_csv((20..70).rev()) + &without_email(10..30),
        people_csv(30..40) + &without_email(0..30),
    ];
    let answers = at_once(files.iter().map(|file| import(&shop, file.as_str()).send())).await;
    world.clock().advance(AFTER_CALL_LEASE);
    let mut created = 0;
    for (answer, file) in answers.iter().zip(&files) {
        assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer}");
        let report = finished(&world, &shop, answer.location()).await;
        let (rows, counts) = (file.lines().count() - 1, counts(&report));
        assert_eq!(counts.iter().sum::<u64>(), u64::try_from(rows).unwrap(), "{report}");
        assert_eq!(report_errors(&report), []);
        created += counts[0];
    }
    assert_eq!(created, 70 + 30);
    assert_eq!(contacts(&world, &shop).await.len(), 70 + 30);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_patch_and_import_keep_both_changes() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people_csv(0..20)).await;
    let before = contacts(&world, &shop).await;
    let rows = (0..20).map(|n| format!("ada{n}@example.com,Engines"));
    let file = file("email,company", rows);
    let patches = before.iter().map(|contact| {
        let path = format!("{}/{}", shop.contacts, contact["id"].as_str().unwrap());
        shop.owner.patch(&path).json(json!({ "source": "fair" })).contended()
    });
    let mut requests = vec![import(&shop, file)];
    requests.extend(patches);
    let answers = at_once(requests.into_iter().map(RequestBuilder::send)).await;
    assert!(answers.iter().all(|answer| answer.status.is_success()));
    world.clock().advance(AFTER_CALL_LEASE);
    assert_eq!(counts(&finished(&world, &shop, answers[0].location()).await), [0, 20, 0]);
    for contact in contacts(&world, &shop).await {
        assert_eq!((&contact["company"], &contact["source"]), (&json!("Engines"), &json!("fair")), "{contact}");
        assert_eq!(contact["version"].as_f64(), Some(3.0));
    }
    world.assert_consistent().await;
}

// ── Imports that outlast the call ───────────────────────────────────────────────────────────────────────────────────

/// Starts an import and fails its call after this number of steps.
///
/// Returns the location of the report.
async fn interrupted_import(world: &World, shop: &SalonFixture<'_>, file: &str, steps: usize) -> String {
    // The first write creates the job.
    world.faults().writes_after(1 + steps, [Fault::ServerError; 6]);
    let answer = import(shop, file).is(202).await;
    world.faults().none();
    assert_eq!(answer.body["status"], "RUNNING");
    assert_eq!(counts(&answer.body)[0] > 0, steps > 0, "the answer counts the finished steps");
    assert_eq!(answer.location(), format!("{}/imports/{}", shop.contacts, answer.id()));
    answer.location().to_owned()
}

#[tokio::test]
async fn interrupted_import_resumes_where_it_stopped() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let file = people_csv(0..120) + SURPLUS_ROW;
    let location = interrupted_import(&world, &shop, &file, 2).await;
    let running = poll(&shop, &location).await;
    let [created, 0, 0] = counts(&running) else { panic!("{running}") };
    assert!(running["status"] == "RUNNING" && (1..120).contains(&created), "{running}");
    assert_eq!(u64::try_from(contacts(&world, &shop).await.len()).unwrap(), created);
    let report = finished(&world, &shop, &location).await;
    assert_eq!(counts(&report), [120, 0, 1]);
    assert_eq!(report_errors(&report), [(122, "", "wrong_length")]);
    assert_eq!(contacts(&world, &shop).await.len(), 120);
    let partition = shop.paths.partition(&format!("IMPORT#{}#TEXT", location.rsplit('/').next().unwrap()));
    assert!(world.rows().await.iter().all(|row| row["pk"] != partition), "the text is deleted with the job");
    assert!(rows(&world, &shop, "JOB").await.is_empty());
    world.assert_consistent().await;
}

#[tokio::test]
async fn imports_in_progress_are_limited_to_four() {
    let world = World::with_faults().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let mut imports = Vec::new();
    for first in [0, 10, 20, 30] {
        imports.push(interrupted_import(&world, &shop, &people_csv(first..first + 3), 0).await);
    }
    let fifth = || import(&shop, people_csv(40..43)).header("idempotency-key", "fifth");
    let rejected = fifth().problem(429, "too_many_imports").await;
    assert_eq!(rejected.header("retry-after"), "60");
    assert!(rows(&world, &shop, "JOB").await.len() == 4, "a rejected import has no job");
    let texts = world.rows().await.into_iter().filter(|row| row["pk"].as_str().unwrap().ends_with("#TEXT")).count();
    assert_eq!(texts, 4, "the file of a rejected import is not stored");
    dry_run(&shop, people_csv(40..43)).is(200).await;
    import(&other, people_csv(0..3)).is(200).await;
    world.assert_consistent().await;
    for location in &imports {
        finished(&world, &shop, location).await;
    }
    let accepted = fifth().is(200).await;
    for first in [50, 60, 70, 80] {
        interrupted_import(&world, &shop, &people_csv(first..first + 3), 0).await;
    }
    assert_eq!(fifth().is(200).await.body, accepted.body, "a repeated request is answered");
    world.run_jobs().await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn concurrent_imports_do_not_exceed_the_limit() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    // Each import creates its job and fails at its first step.
    for first in [0, 10, 20] {
        interrupted_import(&world, &shop, &people_csv(first..first + 3), 0).await;
    }
    let requests = [30, 40, 50, 60].map(|first| import(&shop, people_csv(first..first + 3)).contended().send());
    let answers = at_once(requests).await;
    let is_expected = |answer: &Answer| match answer.status.as_u16() {
        200 => true,
        429 => answer.body["code"] == "too_many_imports",
        _ => false,
    };
    assert!(answers.iter().all(is_expected) && answers.iter().any(|answer| answer.status == 200), "{answers:?}");
    world.assert_consistent().await;
}

#[tokio::test]
async fn import_is_visible_only_in_its_client() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let answer = import(&shop, people_csv([1])).is(200).await;
    let id = answer.id();
    other.owner.get(answer.location()).problem(404, "not_found").await;
    other.owner.get(&format!("{}/imports/{id}", other.contacts)).problem(404, "not_found").await;
    shop.admin.get(&format!("{}/imports/{id}", other.contacts)).problem(404, "not_found").await;
    world.anonymous().get(answer.location()).problem(401, "unauthenticated").await;
    shop.owner.get(&format!("{}/imports/{}", shop.contacts, Uuid::now_v7())).problem(404, "not_found").await;
    shop.owner.get(&format!("{}/imports/7", shop.contacts)).problem(404, "not_found").await;
    other
        .owner
        .post(&format!("{}/import", shop.contacts))
        .body("text/csv", people_csv([2]))
        .problem(404, "not_found")
        .await;
    let colleague = world.user(shop.paths.scope, Role::ClientUser).await;
    assert_eq!(colleague.get(answer.location()).is(200).await.body, answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_workers_count_each_row_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let location = interrupted_import(&world, &shop, &people_csv(0..120), 1).await;
    let progress = async || counts(&poll(&shop, &location).await)[0];
    let late_worker = async {
        while progress().await < 30 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The lease of the first worker expires while it is still running.
        world.clock().advance(AFTER_JOB_LEASE);
        world.run_jobs().await;
    };
    tokio::join!(world.run_jobs(), late_worker);
    let report = finished(&world, &shop, &location).await;
    assert_eq!(counts(&report), [120, 0, 0]);
    assert_eq!(contacts(&world, &shop).await.len(), 120);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_with_expired_lease_and_worker_count_each_row_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let late_worker = async {
        while contacts(&world, &shop).await.len() < 30 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.clock().advance(AFTER_CALL_LEASE);
        world.run_jobs().await;
    };
    let file = people_csv(0..120) + SURPLUS_ROW;
    let (answer, ()) = tokio::join!(import(&shop, file).send(), late_worker);
    assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer}");
    let report = finished(&world, &shop, answer.location()).await;
    assert_eq!(counts(&report), [120, 0, 1]);
    assert_eq!(report_errors(&report), [(122, "", "wrong_length")]);
    assert_eq!(contacts(&world, &shop).await.len(), 120);
    world.assert_consistent().await;
}

#[tokio::test]
async fn deleted_client_ends_its_imports() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let client = &shop.paths.client;
    let name = json!({ "name": "Bakery" });
    let second_client = shop.admin.post(&format!("{}/clients", shop.paths.agency)).json(name).created().await;
    let request =
        shop.admin.post(&format!("{}/contacts/import", second_client.location())).body("text/csv", people_csv(0..50));
    world.faults().writes_after(1, [Fault::ServerError; 6]);
    let answer = request.clone().contended().is(202).await;
    world.faults().none();
    shop.admin.delete(second_client.location()).is(204).await;
    world.run_jobs().await;
    world.assert_consistent().await;
    let client_id = second_client.id();
    let remaining: Vec<_> =
        world.rows().await.into_iter().filter(|row| row["pk"].as_str().unwrap().contains(client_id)).collect();
    for row in &remaining {
        let collection = row["pk"].as_str().unwrap();
        assert!(collection.contains("#IMPORT") && row["ttl"].is_number(), "{row}");
    }
    shop.admin.get(answer.location()).problem(404, "not_found").await;
    request.problem(404, "not_found").await;
    assert_ne!(second_client.location(), client);
}

// ── Crashes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A file that needs several steps, with rows of every kind.
///
/// Its emails and its tag are unique.
fn multi_step_file(name: &str) -> String {
    let with_email = (0..12).map(|n| format!("Ada {n},Lovelace,{name}{n}@example.com,,{name}"));
    let without_email = (0..8).map(|n| format!("{name} {n},Lovelace,,,"));
    let repeated = (0..3).map(|n| format!(",,{name}{n}@EXAMPLE.com,Engines,"));
    let unchanged = (3..6).map(|n| format!("Ada {n},,{name}{n}@example.com,,"));
    let invalid = (0..2).map(|_| "Ada,Lovelace,no,,".to_owned());
    file(
        "firstName,lastName,email,company,tags",
        with_email.chain(without_email).chain(repeated).chain(unchanged).chain(invalid),
    )
}

/// Expects the effects of a multi-step file exactly once.
async fn assert_imported_once(world: &World, shop: &SalonFixture<'_>, name: &str, location: &str) {
    let report = finished(world, shop, location).await;
    assert_eq!(counts(&report), [20, 3, 5], "{name}: {report}");
    let lines: Vec<_> = report_errors(&report).into_iter().map(|(line, ..)| line).collect();
    assert_eq!(lines, [28, 29], "{name}: {report}");
    let own = |contact: &&Value| {
        let email = contact["email"].as_str().unwrap_or_default();
        email.starts_with(name) || contact["firstName"].as_str().unwrap().starts_with(&format!("{name} "))
    };
    let found = contacts(world, shop).await;
    assert_eq!(found.iter().filter(own).count(), 20, "{name}");
    assert_eq!(found.iter().filter(own).filter(|contact| contact["company"] == "Engines").count(), 3, "{name}");
    assert_eq!(tags(world, shop).await.iter().filter(|tag| *tag == name).count(), 1, "{name}");
}

/// Number of transactions that import a multi-step file.
async fn writes(shop: &SalonFixture<'_>) -> usize {
    let answer = import(shop, multi_step_file("x")).header("idempotency-key", "x").is(200).await;
    answer.operations().into_iter().filter(|operation| *operation == "TransactWriteItems").count()
}

/// Fails all writes of a call from each transaction on, in turn.
///
/// Expects the import to finish once.
async fn crash_in_call(fault: Fault) {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let writes_needed = writes(&shop).await;
    assert!(writes_needed > 4, "{writes_needed}");
    for spared in 0..writes_needed {
        let name = format!("{}z", char::from(b'a' + u8::try_from(spared).unwrap()));
        let request = async |shop: &SalonFixture<'_>| {
            import(shop, multi_step_file(&name)).header("idempotency-key", &name).send().await
        };
        world.faults().all_writes_after(spared, fault);
        let answer = request(&shop).await;
        world.faults().none();
        assert!(matches!(answer.status.as_u16(), 200 | 202 | 503), "{name}: {answer}");
        assert_eq!(answer.status == 503, spared < 1, "{name}: {answer}");
        world.clock().advance(AFTER_CALL_LEASE);
        world.run_jobs().await;
        let repeated = request(&shop).await;
        assert!(matches!(repeated.status.as_u16(), 200 | 202), "{name}: {repeated}");
        assert!(answer.status == 503 || repeated.location() == answer.location(), "{name}: {repeated}");
        assert_imported_once(&world, &shop, &name, repeated.location()).await;
        world.clock().reset();
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn call_failing_at_any_write_imports_each_row_once() {
    crash_in_call(Fault::ServerError).await;
}

#[tokio::test]
async fn call_with_lost_answers_from_any_write_imports_each_row_once() {
    crash_in_call(Fault::AnswerLost).await;
}

/// Fails the writes of a worker from each transaction on, in turn.
///
/// Expects a retry to finish once.
async fn crash_in_worker(fault: Fault) {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let writes_needed = writes(&shop).await;
    for spared in 0..writes_needed {
        let name = format!("{}z", char::from(b'a' + u8::try_from(spared).unwrap()));
        let location = interrupted_import(&world, &shop, &multi_step_file(&name), 0).await;
        world.faults().writes_after(spared, [fault; 12]);
        world.run_jobs().await;
        world.faults().none();
        world.clock().advance(AFTER_JOB_LEASE);
        assert_imported_once(&world, &shop, &name, &location).await;
        world.clock().reset();
    }
    assert!(rows(&world, &shop, "JOB").await.is_empty());
    world.assert_consistent().await;
}

#[tokio::test]
async fn worker_failing_at_any_write_imports_each_row_once() {
    crash_in_worker(Fault::ServerError).await;
}

#[tokio::test]
async fn worker_with_lost_answers_from_any_write_imports_each_row_once() {
    crash_in_worker(Fault::AnswerLost).await;
}
