//! Concurrent creation, moves, edits and deletion of deals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::RequestBuilder;
use harness::world::World;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::paging::{ids, list_all};

const DEALS: usize = 500;
const WORKERS: u64 = 16;
const CHANGES_PER_WORKER: usize = 30;

/// The kind of a move after another deal, and of all higher numbers: it often fails, because that deal is in another stage.
const MOVE_AFTER: u32 = 8;

/// Acknowledged versions of each existing deal, by path. A change without effect answers with an earlier version.
type Versions = Mutex<BTreeMap<String, BTreeSet<u64>>>;

struct DealFixture<'w> {
    shop: SalonFixture<'w>,
    deals: String,
    stages: Vec<String>,
    versions: Versions,
    /// Number of successful changes of each kind.
    successes: Mutex<BTreeMap<u32, u32>>,
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().expect("a path ends in an id")
}

impl<'w> DealFixture<'w> {
    async fn new(world: &'w World) -> Self {
        let shop = world.shop().await;
        shop.owner.delete(&shop.paths.deal).is(204).await;
        let pipeline = shop.owner.get(&shop.paths.pipeline).is(200).await.body;
        let stages = pipeline["stages"].as_array().expect("stages").iter();
        let stages = stages.map(|stage| stage["id"].as_str().expect("an id").to_owned()).collect();
        Self {
            deals: format!("{}/deals", shop.paths.client),
            shop,
            stages,
            versions: Versions::default(),
            successes: Mutex::default(),
        }
    }

    async fn create(&self, number: usize) {
        let deal = json!({
            "title": number.to_string(), "value": number, "stageId": self.stages[number % self.stages.len()],
            "currency": (["USD", "EUR", "JPY"][number % 3]), "status": (["OPEN", "OPEN", "OPEN", "WON"][number % 4]),
            "contactId": number.is_multiple_of(5).then_some(self.shop.paths.id("contactId")),
        });
        let answer = self.shop.owner.post(&self.deals).json(deal).contended().send().await;
        assert!([201, 409].contains(&answer.status.as_u16()), "{answer}");
        if answer.status == 201 {
            self.versions.lock().unwrap().insert(answer.location().to_owned(), BTreeSet::from([1]));
        }
    }

    fn random_deal(&self, random: &mut SmallRng) -> String {
        let versions = self.versions.lock().unwrap();
        let at = random.random_range(0..versions.len());
        versions.keys().nth(at).expect("an existing deal").clone()
    }

    /// Changes a random deal in a random way and records whether it succeeded.
    async fn change_randomly(&self, random: &mut SmallRng) {
        let (deal, after) = (self.random_deal(random), self.random_deal(random));
        let stage = &self.stages[random.random_range(0..self.stages.len())];
        let owner = &self.shop.owner;
        let patch = |body: Value| owner.patch(&deal).json(body);
        let move_to = |to: Value| owner.post(&format!("{deal}/move")).json(to);
        let cents = f64::from(random.random_range(0..10_000)) / 100.0;
        let kind: u32 = random.random_range(0..11);
        let request: RequestBuilder<'_> = match kind {
            0 => owner.delete(&deal),
            1 => patch(json!({ "status": (["OPEN", "WON", "LOST"][random.random_range(0..3)]) })),
            2 => patch(json!({ "value": cents, "currency": (["USD", "EUR"][random.random_range(0..2)]) })),
            3 => patch(json!({ "assignedToId": random.random_bool(0.5).then_some(owner.id()) })),
            4 => patch(json!({ "stageId": stage, "contactId": null })),
            5 | 6 => move_to(json!({ "stageId": stage })),
            7 => owner.post(&format!("{deal}/notes")).json(json!({ "content": "Call." })),
            _ => move_to(json!({ "stageId": stage, "afterDealId": id(&after) })),
        };
        let answer = request.contended().send().await;
        if answer.status.is_success() {
            *self.successes.lock().unwrap().entry(kind.min(MOVE_AFTER)).or_default() += 1;
        }
        match (kind, answer.status.as_u16()) {
            (0, 204) => drop(self.versions.lock().unwrap().remove(&deal)),
            // The deal may have been deleted by another worker since.
            (1.., 200) => {
                let version = answer.body["version"].as_u64().unwrap();
                if let Some(versions) = self.versions.lock().unwrap().get_mut(&deal) {
                    versions.insert(version);
                }
            }
            // A created note; or the deal was deleted, was changed too often meanwhile, or cannot be moved behind a
            // deal of another stage.
            (7, 201) | (_, 404 | 409 | 422) => {}
            _ => panic!("{answer}"),
        }
    }

    async fn list(&self, query: &str) -> Vec<Value> {
        list_all(&self.shop.owner, &format!("{}?{query}", self.deals)).await
    }
}

/// Converts a value to the minor units of its currency.
fn minor(value: &Value, currency: &str) -> i64 {
    let units = if currency == "JPY" { 1.0 } else { 100.0 };
    let minor = (value.as_f64().unwrap_or_default() * units).round();
    minor.to_string().parse().expect("a whole number")
}

fn text<'a>(deal: &'a Value, name: &str) -> &'a str {
    deal[name].as_str().unwrap_or_default()
}

/// Sums of deals in minor units, by currency.
fn totals(deals: &[&Value]) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for deal in deals {
        *totals.entry(text(deal, "currency").to_owned()).or_default() += minor(&deal["value"], text(deal, "currency"));
    }
    totals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_keep_totals_positions_and_lists_consistent() {
    let world = World::new().await;
    let fixture = DealFixture::new(&world).await;
    let numbers: Vec<_> = (0..DEALS).collect();
    for chunk in numbers.chunks(16) {
        at_once(chunk.iter().map(|number| fixture.create(*number))).await;
    }
    let worker = async |seed: u64| {
        let mut random = SmallRng::seed_from_u64(seed);
        for number in 0..CHANGES_PER_WORKER {
            fixture.change_randomly(&mut random).await;
            if number % 10 == 9 {
                fixture.create(DEALS + number).await;
            }
        }
    };
    at_once((0..WORKERS).map(worker)).await;

    let successes = fixture.successes.lock().unwrap().clone();
    assert!((0..=MOVE_AFTER).all(|kind| successes.get(&kind).is_some_and(|times| *times > 3)), "{successes:?}");
    world.assert_consistent().await;
    world.run_jobs().await;
    world.assert_consistent().await;
    let all = list_all(&fixture.shop.owner, &fixture.deals).await;
    let versions: BTreeMap<_, _> =
        all.iter().map(|deal| (text(deal, "id"), deal["version"].as_u64().unwrap())).collect();
    let acknowledged = fixture.versions.lock().unwrap().clone();
    let every_one = |last: u64| (1..=last).collect::<BTreeSet<_>>();
    let versions: BTreeMap<_, _> = versions.into_iter().map(|(id, last)| (id, every_one(last))).collect();
    let acknowledged: BTreeMap<_, _> =
        acknowledged.iter().map(|(path, versions)| (id(path), versions.clone())).collect();
    assert_eq!(versions, acknowledged, "each acknowledged change is applied exactly once");
    assert!(all.len() > DEALS / 2, "{}", all.len());
    assert_lists_agree(&fixture, &all).await;
    assert_board_agrees(&fixture, &all).await;
}

/// Every filtered list contains exactly its deals, each once.
async fn assert_lists_agree(fixture: &DealFixture<'_>, all: &[Value]) {
    let owner = fixture.shop.owner.id();
    let contact = fixture.shop.paths.id("contactId");
    for (query, field, value) in [
        (format!("assignedToId={owner}"), "assignedToId", owner),
        (format!("contactId={contact}"), "contactId", contact),
        (
            format!("pipelineId={}", fixture.shop.paths.id("pipelineId")),
            "pipelineId",
            fixture.shop.paths.id("pipelineId"),
        ),
        ("status=WON".to_owned(), "status", "WON"),
        ("updatedSince=2020-01-01T00:00:00Z".to_owned(), "clientId", text(&all[0], "clientId")),
    ] {
        let listed = fixture.list(&query).await;
        let expected: BTreeSet<_> =
            all.iter().filter(|deal| text(deal, field) == value).map(|deal| text(deal, "id")).collect();
        assert_eq!((listed.len(), ids(&listed).into_iter().collect()), (expected.len(), expected), "{query}");
        assert!(listed.iter().all(|deal| all.contains(deal)), "{query}");
    }
}

/// Every stage lists its deals in order; the board has correct counts and sums.
async fn assert_board_agrees(fixture: &DealFixture<'_>, all: &[Value]) {
    let board = format!("{}/board?limit=5", fixture.shop.paths.pipeline);
    let board = fixture.shop.owner.get(&board).is(200).await.body;
    for (stage, column) in fixture.stages.iter().zip(board["stages"].as_array().expect("columns")) {
        let mut stage_deals: Vec<_> = all.iter().filter(|deal| text(deal, "stageId") == *stage).collect();
        let column_of =
            |deal: &Value| ["OPEN", "WON", "LOST"].iter().position(|status| text(deal, "status") == *status);
        stage_deals.sort_by_key(|deal| (column_of(deal), text(deal, "position"), text(deal, "id")));
        assert_eq!(fixture.list(&format!("stageId={stage}")).await.iter().collect::<Vec<_>>(), stage_deals);
        let at = |deal: &Value| (column_of(deal), text(deal, "position").to_owned());
        let duplicates = stage_deals.windows(2).filter(|two| at(two[0]) == at(two[1])).count();
        // Two concurrent moves get the same random position once in thousands of times.
        assert!(duplicates < 3, "{duplicates} deals share a position");
        let open: Vec<_> = stage_deals.into_iter().filter(|deal| deal["status"] == "OPEN").collect();
        assert_eq!(column["count"], open.len());
        let first: Vec<_> = column["deals"].as_array().expect("deals").iter().collect();
        assert_eq!(first, open[..open.len().min(5)]);
        let board_totals = column["totals"].as_array().expect("totals").iter();
        let board_totals = board_totals
            .map(|total| (text(total, "currency").to_owned(), minor(&total["value"], text(total, "currency"))));
        assert_eq!(board_totals.collect::<BTreeMap<_, _>>(), totals(&open));
    }
}
