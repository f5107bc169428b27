//! What the number of a client's contacts and deals does to what a request costs: a small and a large client in one table, asked in
//! turn.

mod crowd;
mod file;

use std::env;
use std::time::Duration;

use harness::who::{RequestBuilder, Who};
use harness::world::{World, engine_endpoint};
use infra::engine;
use serde_json::json;

use crate::handlers::{Bench, Cost};
use crate::operations::id;

use crowd::Crowd;

/// The contacts of the small client.
const SMALL: usize = 1_000;

/// The contacts of the large client, unless the environment says otherwise.
const LARGE: usize = 200_000;

/// How often each operation is timed in each client, after [`UNTIMED`] times more.
const TIMED: usize = 300;
const UNTIMED: usize = 20;

/// What was measured.
pub(crate) struct Scale {
    /// The small and the large client.
    pub(crate) clients: [Filled; 2],
    /// Those whose cost may depend on the number of contacts.
    pub(crate) contacts: Vec<Measured>,
    /// Those whose cost may depend on the number of deals.
    pub(crate) deals: Vec<Measured>,
    /// Where a contact is kept, its bytes there, and the bytes of its key there.
    pub(crate) copies: Vec<(String, usize, usize)>,
}

/// How much a client holds, and how long it took to come.
pub(crate) struct Filled {
    pub(crate) contacts: usize,
    pub(crate) imported_in: Duration,
    pub(crate) deals: usize,
    pub(crate) created_in: Duration,
}

/// An operation, and what it took in each of the two clients.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) sides: [Side; 2],
}

/// What an operation took in one client.
pub(crate) struct Side {
    pub(crate) cost: Cost,
    pub(crate) times: Vec<Duration>,
}

/// Measures it in a world of its own, which has too many rows to be read and put back.
pub(crate) async fn measure() -> Scale {
    let world = World::new().await;
    let bench = Bench::new(&world, shared::client(engine::config(&engine_endpoint())));
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    let scope = world.operator().platform().tenant(id(&tenant).parse().unwrap()).agency(id(&agency).parse().unwrap());
    let client = async || Crowd::new(&world, &bench, create(&admin, &format!("{agency}/clients")).await, scope).await;
    let [small, large] = [client().await, client().await];
    let clients = [small.fill(SMALL).await, large.fill(large_size()).await];
    let crowds = [small.signed_in().await, large.signed_in().await];
    let copies = crowds[1].copies().await;
    let contacts = measure_both(&crowds, [crowds[0].contact_asks().await, crowds[1].contact_asks().await]).await;
    let crowds = [small.signed_in().await, large.signed_in().await];
    let deals = measure_both(&crowds, [crowds[0].deal_asks().await, crowds[1].deal_asks().await]).await;
    Scale { clients, contacts, deals, copies }
}

fn large_size() -> usize {
    let named = env::var("UPZENTO_BENCH_CONTACTS").ok();
    named.map_or(LARGE, |number| number.parse().expect("UPZENTO_BENCH_CONTACTS is a number")).max(SMALL)
}

async fn create(admin: &Who<'_>, collection: &str) -> String {
    let body = json!({ "name": "Northwind" });
    admin.post(collection).json(body).created().await.location().to_owned()
}

/// What is asked of a client: one line an operation.
type Asks<'w> = Vec<(&'static str, RequestBuilder<'w>)>;

/// What each operation costs in either client, and how long it takes in each in turn, so that what disturbs the machine
/// disturbs both.
async fn measure_both<'w>(crowds: &[Crowd<'w>; 2], [small, large]: [Asks<'w>; 2]) -> Vec<Measured> {
    let mut measured = Vec::new();
    let mut asks = Vec::new();
    for ((name, in_small), (_, in_large)) in small.into_iter().zip(large) {
        let costs = [crowds[0].cost(&in_small).await, crowds[1].cost(&in_large).await];
        measured.push(Measured { name, sides: costs.map(|cost| Side { cost, times: Vec::new() }) });
        asks.push([in_small, in_large]);
    }
    for round in 0..UNTIMED + TIMED {
        for (asks, Measured { sides, .. }) in asks.iter().zip(&mut measured) {
            // Neither is always the one that comes after another operation.
            for at in [round % 2, (round + 1) % 2] {
                let took = crowds[at].time(&asks[at]).await;
                if round >= UNTIMED {
                    sides[at].times.push(took);
                }
            }
        }
    }
    measured
}
