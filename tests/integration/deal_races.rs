//! Many who create, move, edit and delete deals at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use harness::at_once;
use harness::tree::SalonFixture;
use harness::who::RequestBuilder;
use harness::world::World;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::paging::{ids, whole};

const DEALS: usize = 500;
const WORKERS: u64 = 16;
const TURNS: usize = 30;

/// How often each deal that there must be was changed, by its path.
type Changed = Mutex<BTreeMap<String, u64>>;

struct Place<'w> {
    shop: SalonFixture<'w>,
    deals: String,
    stages: Vec<String>,
    changed: Changed,
    /// How often each kind of turn did something.
    done: Mutex<BTreeMap<u32, u32>>,
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().expect("a path ends in an id")
}

impl<'w> Place<'w> {
    async fn of(world: &'w World) -> Self {
        let shop = world.shop().await;
        shop.owner.delete(&shop.spot.deal).is(204).await;
        let pipeline = shop.owner.get(&shop.spot.pipeline).is(200).await.body;
        let stages = pipeline["stages"].as_array().expect("stages").iter();
        let stages = stages.map(|stage| stage["id"].as_str().expect("an id").to_owned()).collect();
        Self {
            deals: format!("{}/deals", shop.spot.client),
            shop,
            stages,
            changed: Changed::default(),
            done: Mutex::default(),
        }
    }

    async fn create(&self, number: usize) {
        let deal = json!({
            "title": number.to_string(), "value": number, "stageId": self.stages[number % self.stages.len()],
            "currency": (["USD", "EUR", "JPY"][number % 3]), "status": (["OPEN", "OPEN", "OPEN", "WON"][number % 4]),
            "contactId": number.is_multiple_of(5).then_some(self.shop.spot.id("contactId")),
        });
        let answer = self.shop.owner.post(&self.deals).json(deal).contended().send().await;
        assert!([201, 409].contains(&answer.status.as_u16()), "{answer}");
        if answer.status == 201 {
            self.changed.lock().unwrap().insert(answer.location().to_owned(), 0);
        }
    }

    fn pick(&self, random: &mut SmallRng) -> String {
        let changed = self.changed.lock().unwrap();
        let at = random.random_range(0..changed.len());
        changed.keys().nth(at).expect("one of them").clone()
    }

    /// Does something to a deal, and notes whether it was done.
    async fn turn(&self, random: &mut SmallRng) {
        let (deal, after) = (self.pick(random), self.pick(random));
        let stage = &self.stages[random.random_range(0..self.stages.len())];
        let owner = &self.shop.owner;
        let patch = |body: Value| owner.patch(&deal).json(body);
        let relocate = |to: Value| owner.post(&format!("{deal}/move")).json(to);
        let cents = f64::from(random.random_range(0..10_000)) / 100.0;
        let what: u32 = random.random_range(0..11);
        let ask: RequestBuilder<'_> = match what {
            0 => owner.delete(&deal),
            1 => patch(json!({ "status": (["OPEN", "WON", "LOST"][random.random_range(0..3)]) })),
            2 => patch(json!({ "value": cents, "currency": (["USD", "EUR"][random.random_range(0..2)]) })),
            3 => patch(json!({ "assignedToId": random.random_bool(0.5).then_some(owner.id()) })),
            4 => patch(json!({ "stageId": stage, "contactId": null })),
            5 | 6 => relocate(json!({ "stageId": stage })),
            7 => owner.post(&format!("{deal}/notes")).json(json!({ "content": "Call." })),
            _ => relocate(json!({ "stageId": stage, "afterDealId": id(&after) })),
        };
        let answer = ask.contended().send().await;
        if answer.status.is_success() {
            *self.done.lock().unwrap().entry(what).or_default() += 1;
        }
        match (what, answer.status.as_u16()) {
            (0, 204) => drop(self.changed.lock().unwrap().remove(&deal)),
            // Another may have deleted it since.
            (1.., 200) => {
                self.changed.lock().unwrap().entry(deal).and_modify(|changes| *changes += 1);
            }
            // A note; or deleted, changed too often meanwhile, or not behind a deal of another stage.
            (7, 201) | (_, 404 | 409 | 422) => {}
            _ => panic!("{answer}"),
        }
    }

    async fn list(&self, query: &str) -> Vec<Value> {
        whole(&self.shop.owner, &format!("{}?{query}", self.deals)).await
    }
}

/// The smallest units of a value.
fn minor(value: &Value, currency: &str) -> i64 {
    let units = if currency == "JPY" { 1.0 } else { 100.0 };
    let minor = (value.as_f64().unwrap_or_default() * units).round();
    minor.to_string().parse().expect("a whole number")
}

fn text<'a>(deal: &'a Value, name: &str) -> &'a str {
    deal[name].as_str().unwrap_or_default()
}

/// Counts and sums of open deals, by currency.
fn totals(deals: &[&Value]) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for deal in deals {
        *totals.entry(text(deal, "currency").to_owned()).or_default() += minor(&deal["value"], text(deal, "currency"));
    }
    totals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_500_deals_under_16_workers_every_total_position_and_list_is_right() {
    let world = World::new().await;
    let place = Place::of(&world).await;
    let numbers: Vec<_> = (0..DEALS).collect();
    for some in numbers.chunks(16) {
        at_once(some.iter().map(|number| place.create(*number))).await;
    }
    let worker = async |seed: u64| {
        let mut random = SmallRng::seed_from_u64(seed);
        for turn in 0..TURNS {
            place.turn(&mut random).await;
            if turn % 10 == 9 {
                place.create(DEALS + turn).await;
            }
        }
    };
    at_once((0..WORKERS).map(worker)).await;

    let done = place.done.lock().unwrap().clone();
    assert!(done.len() == 11 && done.values().all(|times| *times > 3), "{done:?}");
    world.assert_whole().await;
    world.work().await;
    world.assert_whole().await;
    let all = whole(&place.shop.owner, &place.deals).await;
    let versions: BTreeMap<_, _> =
        all.iter().map(|deal| (text(deal, "id"), deal["version"].as_u64().unwrap())).collect();
    let changed = place.changed.lock().unwrap().clone();
    let acknowledged: BTreeMap<_, _> = changed.iter().map(|(path, changes)| (id(path), changes + 1)).collect();
    assert_eq!(versions, acknowledged, "each change that was acknowledged was made, and once");
    assert!(all.len() > DEALS / 2, "{}", all.len());
    lists_agree(&place, &all).await;
    board_agrees(&place, &all).await;
}

/// Every list shows what it is of, and each deal once.
async fn lists_agree(place: &Place<'_>, all: &[Value]) {
    let owner = place.shop.owner.id();
    let contact = place.shop.spot.id("contactId");
    for (query, field, value) in [
        (format!("assignedToId={owner}"), "assignedToId", owner),
        (format!("contactId={contact}"), "contactId", contact),
        (format!("pipelineId={}", place.shop.spot.id("pipelineId")), "pipelineId", place.shop.spot.id("pipelineId")),
        ("status=WON".to_owned(), "status", "WON"),
        ("updatedSince=2020-01-01T00:00:00Z".to_owned(), "clientId", text(&all[0], "clientId")),
    ] {
        let listed = place.list(&query).await;
        let of: BTreeSet<_> =
            all.iter().filter(|deal| text(deal, field) == value).map(|deal| text(deal, "id")).collect();
        assert_eq!((listed.len(), ids(&listed).into_iter().collect()), (of.len(), of), "{query}");
        assert!(listed.iter().all(|deal| all.contains(deal)), "{query}");
    }
}

/// Every stage holds its deals in their order, and the board counts and sums the open ones.
async fn board_agrees(place: &Place<'_>, all: &[Value]) {
    let board = format!("{}/board?limit=5", place.shop.spot.pipeline);
    let board = place.shop.owner.get(&board).is(200).await.body;
    for (stage, column) in place.stages.iter().zip(board["stages"].as_array().expect("columns")) {
        let mut here: Vec<_> = all.iter().filter(|deal| text(deal, "stageId") == *stage).collect();
        let column_of =
            |deal: &Value| ["OPEN", "WON", "LOST"].iter().position(|status| text(deal, "status") == *status);
        here.sort_by_key(|deal| (column_of(deal), text(deal, "position"), text(deal, "id")));
        assert_eq!(place.list(&format!("stageId={stage}")).await.iter().collect::<Vec<_>>(), here);
        let at = |deal: &Value| (column_of(deal), text(deal, "position").to_owned());
        let at_one = here.windows(2).filter(|two| at(two[0]) == at(two[1])).count();
        // Two who come at once get the same place once in thousands of times.
        assert!(at_one < 3, "{at_one} stand where another does");
        let open: Vec<_> = here.into_iter().filter(|deal| deal["status"] == "OPEN").collect();
        assert_eq!(column["count"], open.len());
        let first: Vec<_> = column["deals"].as_array().expect("deals").iter().collect();
        assert_eq!(first, open[..open.len().min(5)]);
        let shown = column["totals"].as_array().expect("totals").iter();
        let shown =
            shown.map(|total| (text(total, "currency").to_owned(), minor(&total["value"], text(total, "currency"))));
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), totals(&open));
    }
}
