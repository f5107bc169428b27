//! All contacts of a client as CSV, and back.

use std::collections::BTreeSet;

use harness::tree::SalonFixture;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};

use crate::import::{contacts, counts, import, imported, people, seen};

const HEADER: &str = "id,firstName,lastName,email,phone,company,jobTitle,source,tags,createdAt,updatedAt";

fn export<'w>(shop: &SalonFixture<'w>, query: &str) -> RequestBuilder<'w> {
    shop.owner.get(&format!("{}/export{query}", shop.contacts))
}

/// Where the next page is, if there is one.
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

/// Takes away the contact that every client has.
async fn emptied(shop: &SalonFixture<'_>) {
    shop.owner.delete(&shop.spot.contact).is(204).await;
}

/// People whose fields a file could get wrong.
async fn difficult(shop: &SalonFixture<'_>) {
    let tags = shop.spot.client.clone() + "/tags";
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
async fn an_export_is_a_csv_file_of_all_contacts() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tag = shop.owner.post(&format!("{}/tags", shop.spot.client)).json(json!({ "name": "VIP" })).created().await;
    let ada = json!({
        "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "phone": "+14155552671",
        "company": "Engines, Ltd", "jobTitle": "Programmer", "source": "fair", "tagIds": [tag.id()],
    });
    let ada = shop.owner.post(&shop.contacts).json(ada).created().await;
    let grace = shop.owner.get(&shop.spot.contact).is(200).await;
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
async fn an_export_of_nobody_is_a_header() {
    let world = World::new().await;
    let shop = world.shop().await;
    emptied(&shop).await;
    let page = export(&shop, "").is(200).await;
    assert_eq!((page.text.as_str(), next(&page)), (&*format!("{HEADER}\r\n"), None));
    assert_eq!(counts(&imported(&shop, page.text).await), [0, 0, 0]);
}

#[tokio::test]
async fn no_cell_begins_like_a_formula() {
    let world = World::new().await;
    let shop = world.shop().await;
    difficult(&shop).await;
    let page = export(&shop, "").is(200).await;
    // What stands at the start of a line or after a comma; none of these texts has a comma before such a character.
    let cells = page.text.lines().flat_map(|line| line.split(','));
    for cell in cells {
        let begins = cell.trim_start_matches('"').chars().next().unwrap_or('x');
        assert!(!['=', '+', '-', '@', '\t', '＝'].contains(&begins), "{cell:?}");
    }
}

#[tokio::test]
async fn an_export_leaves_out_tags_that_are_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, "firstName,lastName,tags\r\nAda,Lovelace,one;two;three\r\n").await;
    let contact = &contacts(&world, &shop).await[0];
    let two = contact["tagIds"][1].as_str().unwrap();
    shop.owner.delete(&format!("{}/tags/{two}", shop.spot.client)).is(204).await;
    let before = export(&shop, "").is(200).await.text;
    assert!(before.contains(",one;three,"), "{before}");
    world.work().await;
    let after = export(&shop, "").is(200).await.text;
    assert!(after.contains(",one;three,"), "{after}");
    // A new tag of that name is another.
    imported(&shop, "firstName,lastName,tags\r\nEve,Bar,two\r\n").await;
    let again = export(&shop, "").is(200).await.text;
    assert!(again.contains(",one;three,") && again.contains("Eve,Bar,,,,,,two,"), "{again}");
}

#[tokio::test]
async fn an_export_is_of_its_client_only() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    imported(&there, people([1])).await;
    assert!(!export(&here, "").is(200).await.text.contains("ada1@example.com"));
    here.owner.get(&format!("{}/export", there.contacts)).problem(404, "not_found").await;
    world.anyone().get(&format!("{}/export", here.contacts)).problem(401, "unauthenticated").await;
}

// ── Pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn pages_have_everybody_once_and_in_order() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people(0..23)).await;
    let whole = export(&shop, "").is(200).await.text;
    for limit in [1, 7, 8, 23, 24, 25, 1000] {
        let pages = pages(&shop, limit).await;
        assert_eq!(pages.len(), 24_usize.div_ceil(limit), "{limit}");
        for page in &pages {
            assert!(page.starts_with(HEADER) && page.lines().count() <= limit + 1, "{page}");
        }
        let rows: String = pages.iter().map(|page| &page[HEADER.len() + 2..]).collect();
        assert_eq!(format!("{HEADER}\r\n{rows}"), whole, "{limit}");
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people(0..3)).await;
    for limit in ["0", "1001", "-1", "x", ""] {
        export(&shop, &format!("?limit={limit}")).invalid(&["/limit"]).await;
    }
    export(&shop, "?limit=1&limit=2").invalid(&["/limit"]).await;
    export(&shop, "?q=ada").invalid(&["/q"]).await;
    export(&shop, "?cursor=x").problem(400, "invalid_cursor").await;
    // Neither another list's cursor nor another client's.
    let list = shop.owner.get(&format!("{}?limit=1", shop.contacts)).is(200).await;
    let cursor = list.body["nextCursor"].as_str().unwrap();
    export(&shop, &format!("?cursor={cursor}")).problem(400, "invalid_cursor").await;
    let page = next(&export(&shop, "?limit=1").is(200).await).unwrap();
    let (_, cursor) = page.split_once("cursor=").unwrap();
    shop.owner.get(&format!("{}?cursor={cursor}", shop.contacts)).problem(400, "invalid_cursor").await;
    let there = world.shop().await;
    export(&there, &format!("?cursor={cursor}")).problem(400, "invalid_cursor").await;
}

#[tokio::test]
async fn whoever_comes_and_goes_between_pages_moves_nobody_else() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, people(0..6)).await;
    let first = export(&shop, "?limit=3").is(200).await;
    let there = contacts(&world, &shop).await;
    for contact in &there[1..3] {
        shop.owner.delete(&format!("{}/{}", shop.contacts, contact["id"].as_str().unwrap())).is(204).await;
    }
    imported(&shop, people([9])).await;
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

// ── There and back ──────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn an_export_changes_nothing_where_it_came_from() {
    let world = World::new().await;
    let shop = world.shop().await;
    difficult(&shop).await;
    let before = contacts(&world, &shop).await;
    let file = export(&shop, "").is(200).await.text;
    let report = imported(&shop, file.as_str()).await;
    assert_eq!((counts(&report), &report["errors"]), ([0, 0, 9], &json!([])), "{file}");
    assert_eq!(contacts(&world, &shop).await, before);
}

#[tokio::test]
async fn an_export_makes_the_same_contacts_elsewhere() {
    let world = World::new().await;
    let (here, there) = (world.shop().await, world.shop().await);
    emptied(&here).await;
    emptied(&there).await;
    difficult(&here).await;
    // Two of one name, whom only their ids tell apart.
    for _ in 0..2 {
        let namesake = json!({ "firstName": "John", "lastName": "Smith" });
        here.owner.post(&here.contacts).json(namesake).created().await;
    }
    // One after another in one file, as a program that follows the links would put them.
    let file = pages(&here, 3).await.concat();
    let report = imported(&there, file.as_str()).await;
    assert_eq!((counts(&report), &report["errors"]), ([10, 0, 0], &json!([])), "{file}");
    assert_eq!(seen(&world, &there).await, seen(&world, &here).await);
    assert_eq!(counts(&imported(&there, file.as_str()).await), [0, 0, 10]);
    let without_ids = |file: String| -> BTreeSet<String> {
        let rows = file.lines().skip(1).map(|line| line.split_once(',').unwrap().1.rsplitn(3, ',').last().unwrap());
        rows.map(str::to_owned).collect()
    };
    let [there, here] = [export(&there, "").is(200).await.text, export(&here, "").is(200).await.text];
    assert_eq!(without_ids(there), without_ids(here));
    world.assert_whole().await;
}

#[tokio::test]
async fn an_export_that_was_edited_changes_what_was_edited() {
    let world = World::new().await;
    let shop = world.shop().await;
    imported(&shop, "firstName,lastName,email\r\nAda,Lovelace,\r\nEve,Bar,eve@example.com\r\n").await;
    let file = export(&shop, "").is(200).await.text;
    let edited = file.replace("Lovelace,,", "King,ada@example.com,").replace("eve@example.com", "");
    assert_eq!(counts(&imported(&shop, edited).await), [0, 1, 2]);
    let fields = |contact: &Value| ["lastName", "email"].map(|name| contact[name].as_str().unwrap().to_owned());
    let found: Vec<_> = contacts(&world, &shop).await.iter().map(fields).collect();
    assert_eq!(found, [["King", "ada@example.com"], ["Bar", "eve@example.com"]]);
    // A row of it that a spreadsheet has made shorter is at fault, and hides nobody else.
    let cut = file.replace("Ada,Lovelace,,,,,,,", "Ada,Lovelace");
    let answer = import(&shop, cut).is(200).await;
    assert_eq!(counts(&answer.body), [0, 0, 3]);
    assert_eq!(answer.body["errors"][0]["code"], "wrong_length");
}
