//! CSV export of all contacts of a client, and its re-import.

use std::collections::BTreeSet;

use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};

use crate::import::{contacts, counts, import, imported, people_csv, visible_contacts};

const HEADER: &str = "id,firstName,lastName,email,phone,company,jobTitle,source,tags,createdAt,updatedAt";

fn export<'w>(shop: &SalonFixture<'w>, query: &str) -> RequestBuilder<'w> {
    shop.owner.get(&format!("{}/export{query}", shop.contacts))
}

/// Link to the next page, if any.
fn next(page: &Answer) -> Option<String> {
    let link = page.header("link");
    (!link.is_empty()).then(|| link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned())
}

/// All pages of an export.
async fn pages(shop: &SalonFixture<'_>, limit: usize) -> Vec<String> {
    let mut page = export(shop, &format!("?limit={limit}")).is(200).await;
    let mut pages = vec![page.text.clone()];
    while let Some(next) = next(&page) {
        page = shop.owner.get(&next).is(200).await;
        pages.push(page.text.clone());
    }
    pages
}

/// Deletes the fixture's contact.
async fn delete_fixture_contact(shop: &SalonFixture<'_>) {
    shop.owner.delete(&shop.paths.contact).is(204).await;
}

/// Creates contacts with fields that are hard to encode as CSV.
async fn create_difficult_contacts(shop: &SalonFixture<'_>) {
    let tags = shop.paths.client.clone() + "/tags";
    let mut ids = Vec::new();
    for name in ["a;b", "=1+1", r"C:\dir\", "\"quoted\", too", "'tis", ";", "日本語"] {
        ids.push(shop.owner.post(&tags).json(json!({ "name": name })).created().await.id().to_owned());
    }
    for (at, (first, last, company)) in [
        ("=cmd|' /C calc'!A0", "+1", "-1"),
        ("@SUM(A1)", "O\"Hara, Jr.", "''=x"),
        ("'quoted", "''", "'"),
        ("Zoë", "Ünal\u{a0}Çelik", "日本語 \u{1f600}"),
        ("עברית", "مرحبا", "＝1"),
        ("id", "firstName", "lastName"),
        (",", ";", "\\"),
        ("\t=x", "- x", "'-"),
        ("a;=x", "b,@c|-d", "e; '+f"),
    ]
    .into_iter()
    .enumerate()
    {
        let email = (at % 2 == 0).then(|| format!("=person{at}@example.com"));
        let tags: Vec<_> = ids.iter().skip(at % 5).take(at % 4).collect();
        let contact = json!({
            "firstName": first, "lastName": last, "company": company, "jobTitle": format!("={at}"), "email": email,
            "phone": (at % 3 == 0).then_some("+14155552671"), "tagIds": tags,
        });
        shop.owner.post(&shop.contacts).json(contact).created().await;
    }
}

// ── One page ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn export_is_a_csv_file_of_all_contacts() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tag = shop.owner.post(&format!("{}/tags", shop.paths.client)).json(json!({ "name": "VIP" })).created().await;
    let ada = json!({
        "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "phone": "+14155552671",
        "company": "Engines, Ltd", "jobTitle": "Programmer", "source": "fair", "tagIds": [tag.id()],
    });
    let ada = shop.owner.post(&shop.contacts).json(ada).created().await;
    let grace = shop.owner.get(&shop.paths.contact).is(200).await;
    let page = export(&shop, "").is(200).await;
    assert_eq!(page.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(page.header("content-disposition"), "attachment; filename=\"contacts.csv\"");
    assert_eq!((page.header("cache-control"), page.header("x-content-type-options")), ("no-store", "nosniff"));
    assert_eq!(next(&page), None);
    let line = |contact: &Answer, fields: &str| {
        let text = |name: &str| contact.body[name].as_str().unwrap().to_owned();
        format!("{},{fields},{},{}\r\n", text("id"), text("createdAt"), text("updatedAt"))
    };
    let expected = [
        format!("{HEADER}\r\n"),
        line(&grace, "Grace,Hopper,,,,,,"),
        line(&ada, "Ada,Lovelace,ada@example.com,'+14155552671,\"Engines, Ltd\",Programmer,fair,VIP"),
    ];
    assert_eq!(page.text, expected.concat());
}

#[tokio::test]
async fn export_without_contacts_is_only_the_header() {
    let world = World::new().await;
    let shop = world.shop().await;
    delete_fixture_contact(&shop).await;
    let page = export(&shop, "").is(200).await;
    assert_eq!((page.text.as_str(), next(&page)), (&*format!("{HEADER}\r\n"), None));
    assert_eq!(counts(&imported(&shop, page.text).await), [0, 0, 0]);
}

#[tokio::test]
async fn exported_cell_never_starts_a_formula() {
    let world = World::new().await;
    let shop = world.shop().await;
    create_difficult_contacts(&shop).await;
    let page = export(&shop, "").is(200).await;
    // Cells start at the start of a line or after a comma; no quoted text has a comma before such a character.
    let cells = page.text.lines().flat_map(|line| line.split(','));
    for cell in cells {
        let first = cell.trim_start_matches('"').chars().next().unwrap_or('x');
        assert!(!['=', '+', '-', '@', '\t', '＝'].contains(&first), "{cell:?}");
    }
}

#[tokio::test]
async fn export_omits_deleted_tags() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, "firstName,lastName,tags\r\nAda,Lovelace,one;two;three\r\n").await;
    let contact = &contacts(&world, &shop).await[0];
    let two = contact["tagIds"][1].as_str().unwrap();
    shop.owner.delete(&format!("{}/tags/{two}", shop.paths.client)).is(204).await;
    let before = export(&shop, "").is(200).await.text;
    assert!(before.contains(",one;three,"), "{before}");
    world.run_jobs().await;
    let after = export(&shop, "").is(200).await.text;
    assert!(after.contains(",one;three,"), "{after}");
    // A new tag with the same name is a different tag.
    imported(&shop, "firstName,lastName,tags\r\nEve,Bar,two\r\n").await;
    let again = export(&shop, "").is(200).await.text;
    assert!(again.contains(",one;three,") && again.contains("Eve,Bar,,,,,,two,"), "{again}");
}

#[tokio::test]
async fn export_contains_only_contacts_of_its_client() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    imported(&other, people_csv([1])).await;
    assert!(!export(&shop, "").is(200).await.text.contains("ada1@example.com"));
    shop.owner.get(&format!("{}/export", other.contacts)).problem(404, "not_found").await;
    world.anonymous().get(&format!("{}/export", shop.contacts)).problem(401, "unauthenticated").await;
}

// ── Pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn pages_contain_every_contact_once_in_order() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people_csv(0..23)).await;
    let unpaged = export(&shop, "").is(200).await.text;
    for limit in [1, 7, 8, 23, 24, 25, 1000] {
        let pages = pages(&shop, limit).await;
        assert_eq!(pages.len(), 24_usize.div_ceil(limit), "{limit}");
        for page in &pages {
            assert!(page.starts_with(HEADER) && page.lines().count() <= limit + 1, "{page}");
        }
        let rows: String = pages.iter().map(|page| &page[HEADER.len() + 2..]).collect();
        assert_eq!(format!("{HEADER}\r\n{rows}"), unpaged, "{limit}");
    }
}

#[tokio::test]
async fn invalid_page_parameter_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people_csv(0..3)).await;
    for limit in ["0", "1001", "-1", "x", ""] {
        export(&shop, &format!("?limit={limit}")).invalid(&["/limit"]).await;
    }
    export(&shop, "?limit=1&limit=2").invalid(&["/limit"]).await;
    export(&shop, "?q=ada").invalid(&["/q"]).await;
    export(&shop, "?cursor=x").problem(400, "invalid_cursor").await;
    // Cursors of another list and of another client.
    let list = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = list.body["nextCursor"].as_str().unwrap();
    export(&shop, &format!("?cursor={cursor}")).problem(400, "invalid_cursor").await;
    let page = next(&export(&shop, "?limit=1").is(200).await).unwrap();
    let (_, cursor) = page.split_once("cursor=").unwrap();
    shop.owner.get(&format!("{}?cursor={cursor}", shop.contacts)).problem(400, "invalid_cursor").await;
    let other = world.shop().await;
    export(&other, &format!("?cursor={cursor}")).problem(400, "invalid_cursor").await;
}

#[tokio::test]
async fn changes_between_pages_do_not_shift_other_contacts() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people_csv(0..6)).await;
    let first = export(&shop, "?limit=3").is(200).await;
    let listed = contacts(&world, &shop).await;
    for contact in &listed[1..3] {
        shop.owner.delete(&format!("{}/{}", shop.contacts, contact["id"].as_str().unwrap())).is(204).await;
    }
    imported(&shop, people_csv([9])).await;
    let second = shop.owner.get(&next(&first).unwrap()).is(200).await;
    let emails = |page: &Answer| -> Vec<String> {
        page.text.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().to_owned()).collect()
    };
    assert_eq!(emails(&first), ["", "ada0@example.com", "ada1@example.com"]);
    let rest = ["ada3@example.com", "ada4@example.com", "ada5@example.com"];
    assert_eq!(emails(&second), rest);
    let last = shop.owner.get(&next(&second).unwrap()).is(200).await;
    assert_eq!((emails(&last), next(&last)), (vec!["ada9@example.com".to_owned()], None));
}

// ── Re-import ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn reimported_export_changes_nothing_in_its_client() {
    let world = World::new().await;
    let shop = world.shop().await;
    create_difficult_contacts(&shop).await;
    let before = contacts(&world, &shop).await;
    let file = export(&shop, "").is(200).await.text;
    let report = imported(&shop, file.as_str()).await;
    assert_eq!((counts(&report), &report["errors"]), ([0, 0, 10], &json!([])), "{file}");
    assert_eq!(contacts(&world, &shop).await, before);
}

#[tokio::test]
async fn export_recreates_its_contacts_in_another_client() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    delete_fixture_contact(&shop).await;
    delete_fixture_contact(&other).await;
    create_difficult_contacts(&shop).await;
    // Two contacts that differ only in their ids.
    for _ in 0..2 {
        let namesake = json!({ "firstName": "John", "lastName": "Smith" });
        shop.owner.post(&shop.contacts).json(namesake).created().await;
    }
    // All pages in one file, as written by a program that follows the links.
    let file = pages(&shop, 3).await.concat();
    let report = imported(&other, file.as_str()).await;
    assert_eq!((counts(&report), &report["errors"]), ([11, 0, 0], &json!([])), "{file}");
    assert_eq!(visible_contacts(&world, &other).await, visible_contacts(&world, &shop).await);
    assert_eq!(counts(&imported(&other, file.as_str()).await), [0, 0, 11]);
    let without_ids = |file: String| -> BTreeSet<String> {
        let rows = file.lines().skip(1).map(|line| line.split_once(',').unwrap().1.rsplitn(3, ',').last().unwrap());
        rows.map(str::to_owned).collect()
    };
    let [other_rows, rows] = [export(&other, "").is(200).await.text, export(&shop, "").is(200).await.text];
    assert_eq!(without_ids(other_rows), without_ids(rows));
    world.assert_consistent().await;
}

#[tokio::test]
async fn edited_export_updates_only_edited_contacts() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, "firstName,lastName,email\r\nAda,Lovelace,\r\nEve,Bar,eve@example.com\r\n").await;
    let file = export(&shop, "").is(200).await.text;
    let edited = file.replace("Lovelace,,", "King,ada@example.com,").replace("eve@example.com", "");
    assert_eq!(counts(&imported(&shop, edited).await), [0, 1, 2]);
    let fields = |contact: &Value| ["lastName", "email"].map(|name| contact[name].as_str().unwrap().to_owned());
    let found: Vec<_> = contacts(&world, &shop).await.iter().map(fields).collect();
    assert_eq!(found, [["King", "ada@example.com"], ["Bar", "eve@example.com"]]);
    // A row with moved cells is invalid and does not affect other rows.
    let shortened = file.replace("Ada,Lovelace,,,,,,,", "Ada,Lovelace");
    let answer = import(&shop, shortened).is(200).await;
    assert_eq!(counts(&answer.body), [0, 0, 3]);
    assert_eq!(answer.body["errors"][0]["code"], "invalid_email");
}

#[tokio::test]
async fn export_with_a_byte_order_mark_is_imported_unchanged() {
    let world = World::new().await;
    let shop = world.shop().await;
    create_difficult_contacts(&shop).await;
    let plain = export(&shop, "").is(200).await;
    let marked = export(&shop, "?bom=true").is(200).await;
    assert_eq!(marked.text, format!("\u{feff}{}", plain.text));
    let page = export(&shop, "?bom=true&limit=2").is(200).await;
    assert!(page.header("link").contains("&bom=true>"), "{}", page.header("link"));
    export(&shop, "?bom=1").invalid(&["/bom"]).await;
    let report = imported(&shop, marked.text).await;
    assert_eq!(counts(&report), [0, 0, 10], "the contact of the fixture and nine more");
}
