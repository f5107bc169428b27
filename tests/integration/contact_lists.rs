//! The contact list: sorting, filters, search and paging.

use std::fmt;

use harness::at_once;
use harness::tree::SalonFixture;
use harness::world::World;
use serde_json::{Value, json};
use shared::value::{Email, NormalizedText};

use crate::paging::{PagedList, encoded, ids, list_all, walk};

// ── Expected lists ──────────────────────────────────────────────────────────────────────────────────────────────────

/// Query parameters of a list request.
#[derive(Clone, Debug, Default)]
struct ListQuery<'a> {
    q: Option<&'a str>,
    email: Option<&'a str>,
    tag: Option<&'a str>,
    since: Option<&'a str>,
    sort: Option<&'a str>,
    order: Option<&'a str>,
}

impl fmt::Display for ListQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { q, email, tag, since, sort, order } = self;
        let given =
            [("q", q), ("email", email), ("tagId", tag), ("updatedSince", since), ("sort", sort), ("order", order)];
        let given = given.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?))));
        write!(f, "?{}", given.collect::<Vec<_>>().join("&"))
    }
}

fn text<'a>(contact: &'a Value, field: &str) -> &'a str {
    contact[field].as_str().unwrap_or_default()
}

/// A text normalized and cut as in the search and sort indexes.
fn normalized(text: &str) -> String {
    NormalizedText::of(text).cut().to_owned()
}

/// The words of a normalized name that a search finds. The fixture's names have no punctuation but these.
fn words(name: &str) -> Vec<&str> {
    let terms = name.split(' ');
    terms.flat_map(|term| [term].into_iter().chain(term.split_once(['-', '\'']).map(|(_, rest)| rest))).collect()
}

/// A contact and the keys by which lists sort and find it.
struct IndexedContact {
    contact: Value,
    name: [String; 2],
    /// Search entries: the text, and its position among all entries.
    search_entries: Vec<(String, String)>,
    email: Option<String>,
}

impl IndexedContact {
    fn of(contact: Value) -> Self {
        let name = ["lastName", "firstName"].map(|field| normalized(text(&contact, field)));
        let email: Option<Email> = contact["email"].as_str().map(|email| email.parse().unwrap());
        let words = name.iter().flat_map(|name| words(name));
        let mut search_entries: Vec<_> =
            words.map(|word| (word.to_owned(), format!("{word}\u{1}{}", text(&contact, "id")))).collect();
        search_entries
            .extend(email.as_ref().map(|email| (email.search_form().to_string(), email.search_form().to_string())));
        Self { name, search_entries, email: email.map(|email| email.folded()), contact }
    }

    fn text(&self, field: &str) -> &str {
        text(&self.contact, field)
    }

    fn id(&self) -> &str {
        self.text("id")
    }

    /// Whether each term of `q` begins a word or the email.
    fn matches(&self, q: &str) -> bool {
        q.split(' ').all(|term| self.search_entries.iter().any(|(text, _)| text.starts_with(term)))
    }

    /// Position of the first search entry with the longest term of `q` as prefix, in list order.
    fn match_position(&self, q: &str, order: Option<&str>) -> Option<&str> {
        let longest = q.split(' ').map(|term| term.chars().count()).max();
        let term = q.split(' ').find(|term| Some(term.chars().count()) == longest).unwrap();
        let matching = self.search_entries.iter().filter(|(text, _)| text.starts_with(term));
        let positions = matching.map(|(_, position)| position.as_str());
        if order == Some("desc") { positions.max() } else { positions.min() }
    }
}

impl ListQuery<'_> {
    /// Ids of the contacts that the list must contain, in order.
    fn expected<'c>(&self, all: &'c [IndexedContact]) -> Vec<&'c str> {
        let q = self.q.map(normalized);
        let email = self.email.map(|email| email.parse::<Email>().unwrap().folded());
        let matches = |listed: &&IndexedContact| {
            q.as_ref().is_none_or(|q| listed.matches(q))
                && email.as_ref().is_none_or(|email| listed.email.as_ref() == Some(email))
                && self.tag.is_none_or(|tag| listed.contact["tagIds"].as_array().unwrap().contains(&json!(tag)))
                && self.since.is_none_or(|since| listed.text("updatedAt") >= since)
        };
        let sort_key = |listed: &&'c IndexedContact| match (self.sort, &q, self.tag, self.since) {
            (Some("name"), ..) => [listed.name[0].as_str(), &listed.name[1], listed.id()],
            (Some("updatedAt"), ..) | (None, None, None, Some(_)) => [listed.text("updatedAt"), listed.id(), ""],
            (None, Some(q), ..) => [listed.match_position(q, self.order).unwrap(), "", ""],
            _ => [listed.id(), "", ""],
        };
        let mut matching: Vec<_> = all.iter().filter(matches).collect();
        matching.sort_by_key(sort_key);
        if self.order == Some("desc") {
            matching.reverse();
        }
        matching.into_iter().map(IndexedContact::id).collect()
    }

    async fn walk(&self, shop: &SalonFixture<'_>, limit: usize) -> PagedList {
        walk(&shop.owner, &format!("{}{self}", shop.contacts), limit).await
    }
}

/// Expects every listed contact to equal the contact fetched by id.
async fn assert_items_complete(shop: &SalonFixture<'_>, walked: &PagedList) {
    for contact in &walked.items {
        let one = shop.owner.get(&format!("{}/{}", shop.contacts, text(contact, "id"))).is(200).await;
        assert_eq!(*contact, one.body);
    }
}

// ── Varied contacts ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Deterministic pseudo-random numbers.
struct SeededRandom(u64);

impl SeededRandom {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Creates contacts in addition to the fixture's, 60 in all.
///
/// They have names of many scripts, equal names and the longest names, with and without emails and tags.
async fn create_varied_contacts(world: &World, shop: &SalonFixture<'_>, tags: &[String]) -> Vec<IndexedContact> {
    let long =
        ["a".repeat(200), "日".repeat(200), format!("{}本", "日".repeat(199)), "ﷺ".repeat(200), "🙂".repeat(200)];
    let mut names = vec![
        "Ada",
        "ada",
        "ÁDA",
        "Adam",
        "A",
        "Ann",
        "Ann-Marie",
        "Anna",
        "Łukasz",
        "Søren",
        "Straße",
        "STRASSE",
        "李",
        "李小龍",
        "小龍",
        "محمد",
        "Ψυχή",
        "Ёлкин",
        "Елкин",
        "Nguyễn",
        "Đức",
        "O’Brien",
        "O'Brien",
        "がく",
        "हिन्दी",
        "한국",
        "Zoë",
        "Zoe",
        "von Neumann",
        "Ada Lovelace",
    ];
    names.extend(long.iter().map(String::as_str));
    let domains = ["example.com", "Example.com", "bücher.example", "ada.example"];
    let mut random = SeededRandom(7);
    for number in 1..60 {
        let (first, last) = (*random.pick(&names), *random.pick(&names));
        // Every fifth contact has the same first and last name.
        let last = if number % 5 == 0 { first } else { last };
        let local_part = match number % 4 {
            0 => None,
            1 => Some(format!("ada{number}")),
            2 => Some(format!("Zo\u{eb}.{number}")),
            _ => Some(format!("{number}")),
        };
        let email = local_part.map(|local_part| format!("{local_part}@{}", random.pick(&domains)));
        let tag_ids: Vec<_> = tags.iter().filter(|_| random.below(3) == 0).collect();
        let person = json!({ "firstName": first, "lastName": last, "email": email, "tagIds": tag_ids });
        shop.owner.post(&shop.contacts).json(person).created().await;
    }
    let contacts = list_all(&shop.owner, &shop.contacts).await;
    for _ in 0..25 {
        world.clock().advance(1);
        let contact = format!("{}/{}", shop.contacts, text(random.pick(&contacts), "id"));
        let source = json!({ "source": format!("fair {}", random.below(1000)) });
        shop.owner.patch(&contact).json(source).is(200).await;
    }
    list_all(&shop.owner, &shop.contacts).await.into_iter().map(IndexedContact::of).collect()
}

async fn tags(shop: &SalonFixture<'_>, names: &[impl serde::Serialize]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        let tag = shop.owner.post(&format!("{}/tags", shop.paths.client)).json(json!({ "name": name })).created().await;
        ids.push(tag.id().to_owned());
    }
    ids
}

const ORDERS: [Option<&str>; 3] = [None, Some("asc"), Some("desc")];
const SORTS: [Option<&str>; 4] = [None, Some("createdAt"), Some("updatedAt"), Some("name")];

#[tokio::test]
async fn list_is_correct_for_every_order_filter_and_page_size() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = tags(&shop, &["vip", "press"]).await;
    let all = create_varied_contacts(&world, &shop, &tags).await;
    assert_eq!(all.len(), 60);
    check_sort_orders(&shop, &all).await;
    check_searches(&shop, &all).await;
    check_tag_filter(&shop, &all, &tags).await;
    check_combined_filters(&shop, &all, &tags).await;
    check_updated_since(&shop, &all).await;
    world.assert_consistent().await;
}

async fn check_sort_orders(shop: &SalonFixture<'_>, all: &[IndexedContact]) {
    for sort in SORTS {
        for order in ORDERS {
            let query = ListQuery { sort, order, ..ListQuery::default() };
            for limit in [if order.is_none() { 2 } else { 7 }, 59, 60, 61] {
                let walked = query.walk(shop, limit).await;
                assert_eq!(walked.ids(), query.expected(all), "{query} by {limit}");
                walked.assert_full(limit);
            }
        }
    }
    let query = ListQuery { sort: Some("name"), ..ListQuery::default() };
    assert_items_complete(shop, &query.walk(shop, 100).await).await;
}

const SEARCHES: [&str; 46] = [
    "a",
    "A",
    "á",
    "ad",
    "ada",
    "ÂDA",
    "ada ",
    "ada l",
    "adam",
    "ann",
    "ann-",
    "anne",
    "z",
    "ZOE",
    "zoë",
    "zoë.2",
    "ł",
    "luk",
    "sor",
    "strasse",
    "straß",
    "李",
    "小",
    "محمد",
    "ψ",
    "ел",
    "ё",
    "nguyen",
    "duc",
    "o'b",
    "o’b",
    "が",
    "か",
    "ada1@ex",
    "1",
    "unknown",
    "love",
    "lovelace ad",
    "l ada",
    "neumann",
    "von neu",
    "marie ann",
    "marie a ann-",
    "bri",
    "ada ada1@",
    "ann adam ł",
];

async fn check_searches(shop: &SalonFixture<'_>, all: &[IndexedContact]) {
    let long = ["a".repeat(100), "日".repeat(100), "🙂".repeat(100)];
    let mut found = 0;
    for q in SEARCHES.into_iter().chain(long.iter().map(String::as_str)) {
        for (order, limits) in [(None, [3, 100].as_slice()), (Some("desc"), &[if q.len() == 1 { 5 } else { 1 }])] {
            let query = ListQuery { q: Some(q), order, ..ListQuery::default() };
            let expected = query.expected(all);
            found += expected.len();
            for limit in limits {
                let walked = query.walk(shop, *limit).await;
                assert_eq!(walked.ids(), expected, "{query} by {limit}");
            }
        }
    }
    assert!(found > 300, "too few search results: {found}");
    assert_items_complete(shop, &ListQuery { q: Some("a"), ..ListQuery::default() }.walk(shop, 100).await).await;
}

async fn check_tag_filter(shop: &SalonFixture<'_>, all: &[IndexedContact], tags: &[String]) {
    for tag in tags {
        for (sort, order) in [(None, None), (None, Some("desc")), (Some("createdAt"), None)] {
            let query = ListQuery { tag: Some(tag), sort, order, ..ListQuery::default() };
            for limit in [3, 10, 100] {
                let walked = query.walk(shop, limit).await;
                assert_eq!(walked.ids(), query.expected(all), "{query} by {limit}");
                walked.assert_full(limit);
            }
        }
    }
}

async fn check_combined_filters(shop: &SalonFixture<'_>, all: &[IndexedContact], tags: &[String]) {
    let mut changes: Vec<_> = all.iter().map(|listed| listed.text("updatedAt")).collect();
    changes.sort_unstable();
    let email = all.iter().find_map(|listed| listed.contact["email"].as_str()).unwrap().to_uppercase();
    let mut random = SeededRandom(11);
    let mut shown = 0;
    for q in [None, Some("a"), Some("zo")] {
        for email in [None, Some(email.as_str())] {
            for tag in [None, Some(tags[0].as_str())] {
                for since in [None, Some(changes[40])] {
                    for sort in SORTS {
                        let order = *random.pick(&[None, Some("desc")]);
                        let query = ListQuery { q, email, tag, since, sort, order };
                        for limit in [*random.pick(&[2, 3, 7]), 100] {
                            let walked = query.walk(shop, limit).await;
                            assert_eq!(walked.ids(), query.expected(all), "{query} by {limit}");
                            shown += walked.items.len();
                        }
                    }
                }
            }
        }
    }
    assert!(shown > 500, "too few contacts pass the filters: {shown}");
}

async fn check_updated_since(shop: &SalonFixture<'_>, all: &[IndexedContact]) {
    let last = all.iter().max_by_key(|listed| listed.text("updatedAt")).unwrap();
    let at: shared::value::Instant = last.text("updatedAt").parse().unwrap();
    let in_other_offset = at.to_utc().with_timezone(&chrono::FixedOffset::east_opt(19_800).unwrap()).to_rfc3339();
    let just_after = at.after(std::time::Duration::from_millis(1)).to_string();
    for sort in SORTS {
        for (since, expected) in [
            (at.to_string(), vec![last.id()]),
            (in_other_offset.clone(), vec![last.id()]),
            (just_after.clone(), vec![]),
        ] {
            let query = ListQuery { since: Some(&since), sort, ..ListQuery::default() };
            assert_eq!(query.walk(shop, 25).await.ids(), expected, "{query}");
        }
    }
}

// ── Search ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async fn found(shop: &SalonFixture<'_>, query: &str) -> Vec<String> {
    let walked = list_all(&shop.owner, &format!("{}?{query}", shop.contacts)).await;
    ids(&walked).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn contact_is_found_by_prefix_of_names_and_email_in_any_spelling() {
    let world = World::new().await;
    let shop = world.shop().await;
    let person = json!({ "firstName": "Zoë Ann", "lastName": "Sørensen", "email": "Chef@Bücher.example" });
    let zoe = shop.owner.post(&shop.contacts).json(person).created().await;
    for q in [
        "z",
        "ZOE",
        "zoë",
        "zoe\u{308}",
        "zoe  a",
        "zoe sor",
        "ann",
        "sor zoë an",
        "sor",
        "SØR",
        "sören",
        "chef",
        "CHEF@B",
        "chef@buch",
        "chef@bücher.example",
    ] {
        assert_eq!(found(&shop, &format!("q={}", encoded(q))).await, [zoe.id()], "{q}");
    }
    for q in ["nn", "oe", "ørensen", "bücher", "@", "chef@xn--", "zoe sorry", "zoë ann x"] {
        assert_eq!(found(&shop, &format!("q={}", encoded(q))).await, Vec::<String>::new(), "{q}");
    }
    for email in [
        "chef@bücher.example",
        "CHEF@BÜCHER.EXAMPLE",
        "chef@xn--bcher-kva.example",
        " chef@b\u{75}\u{308}cher.example ",
    ] {
        assert_eq!(found(&shop, &format!("email={}", encoded(email))).await, [zoe.id()], "{email}");
    }
    for email in ["chef@bucher.example", "che@bücher.example", "chef@bücher.examples"] {
        assert_eq!(found(&shop, &format!("email={}", encoded(email))).await, Vec::<String>::new(), "{email}");
    }
}

#[tokio::test]
async fn renamed_contact_is_found_only_by_its_new_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    let person = json!({ "firstName": "Ada", "lastName": "Byron", "email": "ada@example.com" });
    let ada = shop.owner.post(&shop.contacts).json(person).created().await;
    for (patch, hits, misses) in [
        (json!({ "lastName": "King" }), vec!["ada", "king"], vec!["byron"]),
        (json!({ "firstName": "King", "lastName": "Ada" }), vec!["ada", "king", "ada@"], vec![]),
        (json!({ "firstName": "Adam", "lastName": "Adam" }), vec!["ada", "adam", "ada@"], vec!["king"]),
        (json!({ "email": "countess@example.com" }), vec!["ada", "adam", "countess@"], vec!["ada@"]),
        (json!({ "email": null, "firstName": "Ad" }), vec!["ad", "ada", "adam"], vec!["countess"]),
        (json!({ "firstName": "ad", "email": "AD@example.com" }), vec!["ad", "ad@", "adam"], vec![]),
    ] {
        shop.owner.patch(ada.location()).json(&patch).is(200).await;
        for q in hits {
            assert_eq!(found(&shop, &format!("q={q}")).await, [ada.id()], "{q} after {patch}");
        }
        for q in misses {
            assert_eq!(found(&shop, &format!("q={q}")).await, Vec::<String>::new(), "{q} after {patch}");
        }
    }
    world.assert_consistent().await;
    let names = list_all(&shop.owner, &format!("{}?sort=name", shop.contacts)).await;
    assert_eq!(text(&names[0], "id"), ada.id(), "Adam is sorted before Hopper");
    shop.owner.delete(ada.location()).is(204).await;
    for query in ["q=ad", "q=adam", "email=ad@example.com", "sort=name", "sort=updatedAt"] {
        assert!(!found(&shop, query).await.contains(&ada.id().to_owned()), "{query}");
    }
    world.assert_consistent().await;
    let next = json!({ "firstName": "Ad", "lastName": "Adam", "email": "ad@example.com" });
    let next = shop.owner.post(&shop.contacts).json(next).created().await;
    assert_eq!(found(&shop, "email=ad@example.com").await, [next.id()]);
}

#[tokio::test]
async fn longest_names_and_emails_are_stored_found_and_sorted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let names: Vec<_> = (0..30).map(|number| format!("tag {number}")).collect();
    let tags = tags(&shop, &names).await;
    for (number, letter) in ["x", "ß", "ẞ", "é", "日", "ﷺ", "🙂", "𝓐", "ᾲ", "İ"].into_iter().enumerate()
    {
        let name = letter.repeat(200);
        // The longest email, measured in bytes.
        let domain = format!("{}.example", ["a".repeat(60), "b".repeat(60), "c".repeat(60)].join("."));
        let local: String = letter.repeat(64 / letter.len());
        let email = format!("{local}@{domain}");
        let person = json!({ "firstName": name, "lastName": name, "email": email, "tagIds": tags });
        let answer = shop.owner.post(&shop.contacts).json(&person).send().await;
        if answer.status == 422 {
            assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(1), "{answer}");
            assert_eq!(answer.body["errors"][0]["pointer"], "/email", "{answer}");
            continue;
        }
        assert_eq!(answer.status, 201, "{answer}");
        let q = encoded(&letter.repeat(5));
        assert_eq!(found(&shop, &format!("q={q}")).await, [answer.id()], "{letter}");
        assert_eq!(found(&shop, &format!("email={}", encoded(&email))).await, [answer.id()], "{letter}");
        assert_eq!(found(&shop, "sort=name").await.len(), 2, "{letter}");
        // All attributes with index rows change in one request.
        let change = json!({ "firstName": "y".repeat(200), "lastName": format!("z{number}"), "email": "y@example.com", "tagIds": [] });
        shop.owner.patch(answer.location()).json(change).is(200).await;
        shop.owner.delete(answer.location()).is(204).await;
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn full_name_in_any_order_and_words_inside_names_find_the_contact() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut ids = Vec::new();
    for (first, last) in
        [("Maria", "da Vinci"), ("Jean-Luc", "Picard"), ("Fatima", "O\u{2019}Brien"), ("علی", "مُحمَّد رضا")]
    {
        let person = json!({ "firstName": first, "lastName": last });
        ids.push(shop.owner.post(&shop.contacts).json(person).created().await.id().to_owned());
    }
    for (contact, searches) in [
        (0, ["maria da vinci", "vinci", "da vin maria", "VINCI MAR"].as_slice()),
        (1, &["jean luc", "luc", "jean-luc", "picard jean-l", "LUC PIC"]),
        (2, &["brien", "o'brien", "o\u{2019}bri fat"]),
        (3, &["علي محمد", "محمّد علی", "رضا"]),
    ] {
        for q in searches {
            assert_eq!(found(&shop, &format!("q={}", encoded(q))).await, [ids[contact].as_str()], "{q}");
            assert_eq!(found(&shop, &format!("sort=name&q={}", encoded(q))).await, [ids[contact].as_str()], "{q}");
        }
    }
    for q in ["maria vincent", "aria", "uc", "maria picard", "da vinci maria x"] {
        assert_eq!(found(&shop, &format!("q={}", encoded(q))).await, Vec::<String>::new(), "{q}");
    }
    world.assert_consistent().await;
}

/// A name of 8 words that differ from those of another number.
fn eight_words(number: usize) -> String {
    (0..8).map(|word| format!("w{number}x{word}")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn all_words_the_email_and_30_tags_change_in_one_request() {
    let world = World::new().await;
    let shop = world.shop().await;
    let names: Vec<_> = (0..60).map(|number| format!("tag {number}")).collect();
    let tags = tags(&shop, &names).await;
    let person = |number: usize, tags: &[String]| {
        let email = format!("mail{number}@example.com");
        json!({ "firstName": eight_words(number), "lastName": eight_words(number + 1), "email": email, "tagIds": tags })
    };
    let contact = shop.owner.post(&shop.contacts).json(person(1, &tags[..30])).created().await;
    let changed = shop.owner.patch(contact.location()).json(person(3, &tags[30..])).is(200).await;
    assert_eq!(changed.body["tagIds"], json!(tags[30..]));
    assert_eq!(found(&shop, "q=w4x7").await, [contact.id()]);
    assert_eq!(found(&shop, "q=w1x7").await, Vec::<String>::new());
    world.assert_consistent().await;

    // Tags that do not exist are reported with their index, also if the tags were read before the transaction.
    let mut with_unknown = tags[..30].to_vec();
    for index in [3, 29] {
        with_unknown[index] = "0195f6a0-8f5e-7c3a-9b1d-2f4e6a8c0d1e".replace("1e", &format!("{index:02}"));
    }
    let patch = json!({ "tagIds": with_unknown });
    shop.owner.patch(contact.location()).json(patch).invalid(&["/tagIds/3", "/tagIds/29"]).await;
    shop.owner.delete(&format!("{}/tags/{}", shop.paths.client, tags[7])).is(204).await;
    shop.owner.patch(contact.location()).json(json!({ "tagIds": tags[..30] })).invalid(&["/tagIds/7"]).await;
    let csv = format!(
        "id,firstName,lastName,email\n{},{},{},last@example.com\n",
        contact.id(),
        eight_words(5),
        eight_words(6)
    );
    let import = shop.owner.post(&format!("{}/import", shop.contacts)).body("text/csv", csv.as_bytes()).is(200).await;
    assert_eq!(import.body["updated"], 1, "{import}");
    world.assert_consistent().await;
}

#[tokio::test]
async fn all_attributes_of_a_contact_can_change_in_one_request() {
    let world = World::new().await;
    let shop = world.shop().await;
    let names: Vec<_> = (0..60).map(|number| format!("tag {number}")).collect();
    let tags = tags(&shop, &names).await;
    let before = json!({ "firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "tagIds": tags[..30] });
    let ada = shop.owner.post(&shop.contacts).json(before).header("idempotency-key", "one").created().await;
    let after =
        json!({ "firstName": "Grace", "lastName": "Hopper", "email": "grace@example.com", "tagIds": tags[30..] });
    let changed = shop.owner.patch(ada.location()).json(after).is(200).await;
    assert_eq!(changed.body["tagIds"], json!(tags[30..]));
    let mut merged = json!({ "email": "grace@example.com", "firstName": "Ada", "lastName": "Byron" });
    shop.owner.patch(ada.location()).json(json!({ "tagIds": [] })).is(200).await;
    merged["tagIds"] = json!(tags[..30]);
    let upsert = shop.owner.post(&format!("{}/upsert", shop.contacts)).json(merged).header("idempotency-key", "two");
    assert_eq!(upsert.is(200).await.body["tagIds"], json!(tags[..30]));
    world.assert_consistent().await;
    shop.owner.delete(ada.location()).is(204).await;
    world.assert_consistent().await;
}

// ── Pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Creates similar contacts with a tag, one for each number.
async fn create_similar_contacts(shop: &SalonFixture<'_>, numbers: std::ops::Range<usize>, tag: &str) {
    let numbers: Vec<_> = numbers.collect();
    for chunk in numbers.chunks(10) {
        at_once(chunk.iter().map(|number| {
            let email = format!("clone{number:04}@example.com");
            let person = json!({ "firstName": "Clone", "lastName": format!("Number {number:04}"), "email": email, "tagIds": [tag] });
            shop.owner.post(&shop.contacts).json(person).contended().is(201)
        }))
        .await;
    }
}

/// Cost of the first page of each list: calls, consumed units, number of items.
async fn costs(shop: &SalonFixture<'_>, lists: &[String]) -> Vec<(String, Vec<(String, f64)>, u64)> {
    let mut costs = Vec::new();
    for list in lists {
        let page = shop.owner.get(list).is(200).await;
        let units = page.calls.iter().map(|call| {
            let capacity = call.answer.as_ref().and_then(|answer| answer.capacity).expect("the consumed capacity");
            (call.operation.clone(), capacity.read)
        });
        costs.push((list.clone(), units.collect(), page.body["items"].as_array().map_or(0, Vec::len) as u64));
    }
    costs
}

#[tokio::test]
async fn page_cost_is_independent_of_list_size_and_rare_match_is_found() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tag = tags(&shop, &["clone"]).await.remove(0);
    let since = world.clock().now().to_string();
    create_similar_contacts(&shop, 0..30, &tag).await;
    let lists: Vec<_> = [
        "limit=10".to_owned(),
        "limit=10&order=desc".to_owned(),
        "limit=10&sort=name".to_owned(),
        "limit=10&sort=name&order=desc".to_owned(),
        "limit=10&sort=updatedAt".to_owned(),
        "limit=10&sort=updatedAt&order=desc".to_owned(),
        format!("limit=10&updatedSince={since}"),
        format!("limit=10&tagId={tag}"),
        format!("limit=10&tagId={tag}&order=desc"),
        "limit=10&q=clone".to_owned(),
        "limit=10&q=number".to_owned(),
        "limit=10&q=CLONE00&order=desc".to_owned(),
        "email=clone0007@example.com".to_owned(),
    ]
    .map(|query| format!("{}?{query}", shop.contacts))
    .into();
    let few = costs(&shop, &lists).await;
    for (list, calls, _) in &few {
        let queries = calls.iter().filter(|(operation, _)| operation == "Query").count();
        let batches = calls.iter().filter(|(operation, _)| operation == "BatchGetItem").count();
        let points = calls.iter().filter(|(operation, _)| operation == "GetItem").count();
        let expected = match list {
            list if list.contains("email=") => (0, 0, 3),
            list if list.contains("q=") || list.contains("tagId=") => (1, 1, 1),
            _ => (1, 0, 1),
        };
        assert_eq!((queries, batches, points), expected, "{list}: {calls:?}");
    }
    create_similar_contacts(&shop, 30..300, &tag).await;
    assert_eq!(costs(&shop, &lists).await, few);

    // A match that only filtering finds, behind more rows than are read for one page.
    let needle = json!({ "firstName": "Needle", "lastName": "Zzz", "company": "Haystack" });
    let needle = shop.owner.post(&shop.contacts).json(needle).created().await;
    create_similar_contacts(&shop, 300..520, &tag).await;
    for query in ["q=needle&sort=updatedAt&order=desc", "q=needle&sort=name", "q=needle&sort=createdAt"] {
        let walked = walk(&shop.owner, &format!("{}?{query}", shop.contacts), 25).await;
        assert_eq!(walked.ids(), [needle.id()], "{query}");
        assert!(walked.pages.len() <= 6, "{query}: {:?}", walked.pages);
    }
    let all = ListQuery { q: Some("clone"), email: None, tag: Some(&tag), since: None, sort: None, order: None };
    assert_eq!(all.walk(&shop, 100).await.items.len(), 520);
    let first = shop.owner.get(&format!("{}?q=unknown&sort=name", shop.contacts)).is(200).await;
    assert_eq!(first.body["items"], json!([]));
    assert!(first.body["nextCursor"].is_string(), "more rows remain to be filtered: {first}");
}

#[tokio::test]
async fn cursor_is_rejected_by_other_lists() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = tags(&shop, &["vip", "press"]).await;
    for number in 0..3 {
        let person = json!({ "firstName": "Ada", "lastName": "Ada", "email": format!("ada{number}@example.com"), "tagIds": tags });
        shop.owner.post(&shop.contacts).json(person).created().await;
    }
    let since = "2020-01-01T00:00:00Z";
    let lists: Vec<_> = [
        "/contacts?".to_owned(),
        "/contacts?order=desc".to_owned(),
        "/contacts?sort=name".to_owned(),
        "/contacts?sort=name&order=desc".to_owned(),
        "/contacts?sort=updatedAt".to_owned(),
        "/contacts?sort=updatedAt&order=desc".to_owned(),
        format!("/contacts?updatedSince={since}"),
        "/contacts?updatedSince=2020-01-02T00:00:00Z".to_owned(),
        format!("/contacts?sort=updatedAt&updatedSince={since}"),
        "/contacts?q=a".to_owned(),
        "/contacts?q=ad".to_owned(),
        "/contacts?q=a&order=desc".to_owned(),
        "/contacts?q=a&sort=name".to_owned(),
        format!("/contacts?tagId={}", tags[0]),
        format!("/contacts?tagId={}", tags[1]),
        format!("/contacts?tagId={}&q=a", tags[0]),
        "/tags?".to_owned(),
    ]
    .map(|list| format!("{}{list}", shop.paths.client))
    .into();
    let mut cursors = Vec::new();
    for list in &lists {
        let page = shop.owner.get(&format!("{list}&limit=1")).is(200).await;
        cursors.push(page.body["nextCursor"].as_str().unwrap_or_else(|| panic!("{page}")).to_owned());
    }
    for (origin, cursor) in cursors.iter().enumerate() {
        for (target, list) in lists.iter().enumerate() {
            let request = shop.owner.get(&format!("{list}&cursor={cursor}"));
            if origin == target {
                // Valid for another page size as well.
                request.is(200).await;
            } else {
                request.problem(400, "invalid_cursor").await;
            }
        }
        let email = shop.owner.get(&format!("{}?email=ada1@example.com&cursor={cursor}", shop.contacts));
        email.problem(400, "invalid_cursor").await;
    }
}

#[tokio::test]
async fn every_invalid_parameter_is_reported() {
    let world = World::new().await;
    let shop = world.shop().await;
    let list = |query: &str| shop.owner.get(&format!("{}?{query}", shop.contacts));
    for (query, pointers) in [
        ("q=%20%CC%81", vec!["/q"]),
        (&format!("q={}", "a".repeat(101)), vec!["/q"]),
        ("email=", vec!["/email"]),
        ("email=ada", vec!["/email"]),
        ("tagId=", vec!["/tagId"]),
        ("tagId=vip", vec!["/tagId"]),
        ("tagId=0195F6A0-8F5E-7C3A-9B1D-2F4E6A8C0D1E", vec!["/tagId"]),
        ("sort=", vec!["/sort"]),
        ("sort=Name", vec!["/sort"]),
        ("sort=lastName", vec!["/sort"]),
        ("order=", vec!["/order"]),
        ("order=ASC", vec!["/order"]),
        ("updatedSince=", vec!["/updatedSince"]),
        ("updatedSince=yesterday", vec!["/updatedSince"]),
        ("updatedSince=2026-03-08", vec!["/updatedSince"]),
        ("tagid=x&updated_since=x&Q=a", vec!["/tagid", "/updated_since", "/Q"]),
        ("q=a&q=b", vec!["/q"]),
        (
            "q=%20&email=x&tagId=x&sort=x&order=x&updatedSince=x&limit=0&typo=x",
            vec!["/q", "/email", "/tagId", "/sort", "/order", "/updatedSince", "/limit", "/typo"],
        ),
    ] {
        let answer = list(query).invalid(&pointers).await;
        assert_eq!(answer.operations(), Vec::<&str>::new(), "{query}");
    }
    // An unknown tag matches no contact.
    let empty = list("tagId=0195f6a0-8f5e-7c3a-9b1d-2f4e6a8c0d1e").is(200).await;
    assert_eq!(empty.body, json!({ "items": [], "nextCursor": null }));
}

#[tokio::test]
async fn list_is_empty_without_matches_and_404_after_client_deletion() {
    let world = World::new().await;
    let shop = world.shop().await;
    let queries = [
        "q=unknown",
        "email=unknown@example.com",
        "sort=name&q=unknown",
        "sort=updatedAt&updatedSince=2099-01-01T00:00:00Z",
        "updatedSince=2099-01-01T00:00:00Z",
        "tagId=0195f6a0-8f5e-7c3a-9b1d-2f4e6a8c0d1e",
    ];
    for query in queries {
        let list = shop.owner.get(&format!("{}?{query}", shop.contacts)).is(200).await;
        assert_eq!(list.body, json!({ "items": [], "nextCursor": null }), "{query}");
    }
    // The client is deleted while its user is still signed in.
    for path in shop.paths.contents() {
        shop.admin.delete(path).is(204).await;
    }
    for user in [shop.paths.client_user.clone(), format!("{}/users/{}", shop.paths.client, shop.owner.id())] {
        shop.admin.delete(&user).is(204).await;
    }
    shop.admin.delete(&shop.paths.client).is(204).await;
    for query in queries.iter().chain(&["sort=name", "order=desc"]) {
        shop.owner.get(&format!("{}?{query}", shop.contacts)).problem(404, "not_found").await;
    }
    let person = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" });
    shop.owner.post(&shop.contacts).json(&person).problem(404, "not_found").await;
    shop.owner.post(&format!("{}/upsert", shop.contacts)).json(&person).problem(404, "not_found").await;
    shop.owner
        .post(&format!("{}/tags", shop.paths.client))
        .json(json!({ "name": "vip" }))
        .problem(404, "not_found")
        .await;
    world.run_jobs().await;
    world.clock().advance(61);
    world.run_jobs().await;
    world.assert_consistent().await;
}
