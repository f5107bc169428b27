//! The effect of the size of a client on the cost of a request.
//!
//! A small and a large client in one table receive the same requests, in alternation.

mod client;
mod data;

use std::env;
use std::time::Duration;

use harness::users::{RequestBuilder, TestUser};
use harness::world::{World, engine_endpoint};
use infra::aws::engine;
use serde_json::json;

use crate::handlers::{Bench, Cost};
use crate::items::ItemCopy;
use crate::operations::id;

use client::SampleClient;

/// The number of contacts of the small client.
const SMALL: usize = 1_000;

/// The default number of contacts of the large client.
const LARGE: usize = 200_000;

/// The number of rounds in which each operation is timed.
const TIMED: usize = 300;

/// The number of rounds before them, for warming up.
const UNTIMED: usize = 20;

/// The measurements.
pub(crate) struct Scale {
    /// The small and the large client.
    pub(crate) clients: [ClientSize; 2],
    /// The operations on contacts.
    pub(crate) contacts: Vec<Measurement>,
    /// The operations on deals.
    pub(crate) deals: Vec<Measurement>,
    /// The sizes of a contact in the table and in the indexes.
    pub(crate) copies: Vec<(&'static str, Vec<ItemCopy>)>,
}

/// The size of a client, and the time that creating its data took.
pub(crate) struct ClientSize {
    /// The number of contacts.
    pub(crate) contacts: usize,
    /// The time of importing the contacts.
    pub(crate) imported_in: Duration,
    /// The number of deals.
    pub(crate) deals: usize,
    /// The time of creating the deals.
    pub(crate) created_in: Duration,
}

/// The measurements of one operation.
pub(crate) struct Measurement {
    /// The label of the operation.
    pub(crate) name: &'static str,
    /// Those of the small and of the large client.
    pub(crate) samples: [Sample; 2],
}

/// The measurements of one operation in one client.
pub(crate) struct Sample {
    /// The cost of one request.
    pub(crate) cost: Cost,
    /// The times of the handler.
    pub(crate) times: Vec<Duration>,
}

/// Measures everything in a world of its own.
///
/// It has too many items for a [`Snapshot`](crate::items::Snapshot) of the table.
pub(crate) async fn measure() -> Scale {
    let world = World::new().await;
    let bench = Bench::new(&world, shared::web::client(engine::config(&engine_endpoint())));
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    let scope = world.operator().platform().tenant(id(&tenant).parse().unwrap()).agency(id(&agency).parse().unwrap());
    let client =
        async || SampleClient::new(&world, &bench, create(&admin, &format!("{agency}/clients")).await, scope).await;
    let [small, large] = [client().await, client().await];
    let clients = [small.fill(SMALL).await, large.fill(large_size()).await];
    let both = [small.signed_in().await, large.signed_in().await];
    let copies = vec![("contact", both[1].copies_of_contact().await)];
    let requests = [both[0].contact_requests().await, both[1].contact_requests().await];
    let contacts = measure_both(&both, requests).await;
    let both = [small.signed_in().await, large.signed_in().await];
    let requests = [both[0].deal_requests().await, both[1].deal_requests().await];
    let deals = measure_both(&both, requests).await;
    Scale { clients, contacts, deals, copies }
}

fn large_size() -> usize {
    let contacts = env::var("UPZENTO_BENCH_CONTACTS").ok();
    contacts.map_or(LARGE, |number| number.parse().expect("UPZENTO_BENCH_CONTACTS is a number")).max(SMALL)
}

async fn create(admin: &TestUser<'_>, collection: &str) -> String {
    let body = json!({ "name": "Northwind" });
    admin.post(collection).json(body).created().await.location().to_owned()
}

/// The measured requests to one client, by label.
type Requests<'w> = Vec<(&'static str, RequestBuilder<'w>)>;

/// Measures the requests in both clients.
///
/// The clients alternate, so that other load on the machine affects both.
async fn measure_both<'w>(clients: &[SampleClient<'w>; 2], [small, large]: [Requests<'w>; 2]) -> Vec<Measurement> {
    let mut measurements = Vec::new();
    let mut requests = Vec::new();
    for ((name, to_small), (_, to_large)) in small.into_iter().zip(large) {
        let costs = [clients[0].cost(&to_small).await, clients[1].cost(&to_large).await];
        measurements.push(Measurement { name, samples: costs.map(|cost| Sample { cost, times: Vec::new() }) });
        requests.push([to_small, to_large]);
    }
    for round in 0..UNTIMED + TIMED {
        for (requests, Measurement { samples, .. }) in requests.iter().zip(&mut measurements) {
            // Each client is the first in every other round, because the request before is of another operation.
            for index in [round % 2, (round + 1) % 2] {
                let duration = clients[index].time(&requests[index]).await;
                if round >= UNTIMED {
                    samples[index].times.push(duration);
                }
            }
        }
    }
    measurements
}
