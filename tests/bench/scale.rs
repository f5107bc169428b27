//! What the number of a client's contacts does to what a request costs: a small and a large client in one table, asked in
//! turn.

use std::env;
use std::fmt::Write;
use std::ops::Range;
use std::time::{Duration, Instant};

use harness::who::{Answer, Ask, Who};
use harness::world::World;
use lambda_http::http::StatusCode;
use serde_json::json;
use shared::auth::{AgencyScope, Role};

use crate::handlers::{Bench, Cost, TIMED, UNTIMED};
use crate::operations::id;
use crate::rows::Rows;

/// The contacts of the small client.
const SMALL: usize = 1_000;

/// The contacts of the large client, unless the environment says otherwise.
const LARGE: usize = 200_000;

/// The rows of a file. One of 5 MiB is the largest that is taken.
const FILE: usize = 20_000;

/// How often an import is looked at before it is held to come to no end.
const MOST_LOOKS: usize = 100;

/// What was measured.
pub(crate) struct Scale {
    /// The small and the large client.
    pub(crate) clients: [Filled; 2],
    /// Name, and what it took in each of the two.
    pub(crate) operations: Vec<(&'static str, [Side; 2])>,
    /// Where a contact is kept, its bytes there, and the bytes of its key there.
    pub(crate) copies: Vec<(String, usize, usize)>,
}

/// A client with contacts.
pub(crate) struct Filled {
    pub(crate) contacts: usize,
    pub(crate) imported_in: Duration,
}

/// What an operation took in one client.
pub(crate) struct Side {
    pub(crate) cost: Cost,
    pub(crate) times: Vec<Duration>,
}

/// Measures it in a world of its own, which has too many rows to be read and put back.
pub(crate) async fn measure() -> Scale {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    let scope = world.operator().platform().tenant(id(&tenant).parse().unwrap()).agency(id(&agency).parse().unwrap());
    let [small, large] =
        [Crowd::new(&world, &admin, &agency, scope).await, Crowd::new(&world, &admin, &agency, scope).await];
    let clients = [small.fill(SMALL).await, large.fill(large_size()).await];
    let crowds = [small.signed_in().await, large.signed_in().await];
    let copies = crowds[1].copies().await;
    let operations = measure_both(&crowds).await;
    Scale { clients, operations, copies }
}

fn large_size() -> usize {
    let named = env::var("UPZENTO_BENCH_CONTACTS").ok();
    named.map_or(LARGE, |number| number.parse().expect("UPZENTO_BENCH_CONTACTS is a number")).max(SMALL)
}

/// What each operation costs in either client, and how long it takes in each in turn, so that what disturbs the machine
/// disturbs both.
async fn measure_both(crowds: &[Crowd<'_>; 2]) -> Vec<(&'static str, [Side; 2])> {
    let [small, large] = crowds;
    let asks = small.asks().await.into_iter().zip(large.asks().await);
    let asks: Vec<_> = asks.map(|((name, small), (_, large))| (name, [small, large])).collect();
    let mut measured = Vec::new();
    for (name, [in_small, in_large]) in &asks {
        let [small, large] = [small.cost(in_small).await, large.cost(in_large).await];
        measured.push((*name, [small, large].map(|cost| Side { cost, times: Vec::new() })));
    }
    let bench = Bench::new(small.world);
    for round in 0..UNTIMED + TIMED {
        for ((_, asks), (_, sides)) in asks.iter().zip(&mut measured) {
            for ((crowd, ask), side) in crowds.iter().zip(asks).zip(sides) {
                let took = crowd.time(&bench, ask).await;
                if round >= UNTIMED {
                    side.times.push(took);
                }
            }
        }
    }
    measured
}

async fn create(admin: &Who<'_>, collection: &str) -> String {
    let body = json!({ "name": "Northwind" });
    admin.post(collection).json(body).created().await.location().to_owned()
}

/// A client, and somebody of it.
#[derive(Clone)]
struct Crowd<'w> {
    world: &'w World,
    user: Who<'w>,
    /// `/v1/clients/…`
    client: String,
}

impl<'w> Crowd<'w> {
    /// An empty client.
    async fn new(world: &'w World, admin: &Who<'w>, agency: &str, scope: AgencyScope) -> Self {
        let client = create(admin, &format!("{agency}/clients")).await;
        let user = world.user(scope.client(id(&client).parse().unwrap()), Role::ClientAdmin).await;
        Self { world, user, client }
    }

    /// The same with a new access token. An import may take longer than one is good for.
    async fn signed_in(&self) -> Self {
        Self { user: self.user.again().await, ..self.clone() }
    }

    fn contacts(&self) -> String {
        format!("{}/contacts", self.client)
    }

    /// Imports so many contacts.
    async fn fill(&self, contacts: usize) -> Filled {
        let start = Instant::now();
        for first in (0..contacts).step_by(FILE) {
            self.import(first..contacts.min(first + FILE)).await;
        }
        Filled { contacts, imported_in: start.elapsed() }
    }

    /// Imports these rows as one file.
    async fn import(&self, rows: Range<usize>) {
        let expected = rows.len();
        let user = self.user.again().await;
        let answer =
            user.post(&format!("{}/import", self.contacts())).body("text/csv", file(rows)).contended().send().await;
        assert!(answer.status.is_success(), "{answer}");
        let done = if answer.status == StatusCode::ACCEPTED { self.finish(answer.location()).await } else { answer };
        assert_eq!(done.body["status"], "DONE", "{done}");
        assert_eq!(done.body["created"], expected, "{done}");
    }

    /// Has the work of an import done, and gives what is said of it then.
    async fn finish(&self, location: &str) -> Answer {
        for _ in 0..MOST_LOOKS {
            self.world.work().await;
            let import = self.user.again().await.get(location).is(200).await;
            if import.body["status"] == "DONE" {
                return import;
            }
        }
        panic!("{location} comes to no end");
    }

    /// What is measured: one line an operation. Both clients have a page of what a list looks for, and more.
    async fn asks(&self) -> [(&'static str, Ask<'w>); 9] {
        let contacts = self.contacts();
        let list = |query: &str| self.user.get(&format!("{contacts}?{query}"));
        let tag = first_id(&self.user, &format!("{}/tags", self.client)).await;
        let contact = self.contact().await;
        [
            ("read contact", self.user.get(&contact)),
            ("list, oldest first", self.user.get(&contacts)),
            ("list by name", list("sort=name")),
            ("list by change, latest first", list("sort=updatedAt&order=desc")),
            ("look for 3 letters", list("q=lov")),
            ("look for most of an email", list("q=ada.lovelace.500@")),
            ("list of a tag", list(&format!("tagId={tag}"))),
            ("by email", list("email=ada.lovelace.500@example.com")),
            ("create contact", self.user.post(&contacts).json(newcomer())),
        ]
    }

    /// `/v1/clients/…/contacts/…`, of the first one.
    async fn contact(&self) -> String {
        let contacts = self.contacts();
        format!("{contacts}/{}", first_id(&self.user, &contacts).await)
    }

    /// What a contact takes in the table and in the indexes that have it.
    async fn copies(&self) -> Vec<(String, usize, usize)> {
        let contact = self.contact().await;
        let answer = self.user.get(&contact).is(200).await;
        Rows::named_by(&answer.calls, &self.world.engine(), self.world.table()).await.copies(id(&contact))
    }

    /// Makes the request once, through the recorder. What it created is deleted again: what is there then is what was there
    /// before, but for counts, whose size is the same.
    async fn cost(&self, ask: &Ask<'w>) -> Cost {
        let rows = async |calls| Rows::named_by(calls, &self.world.engine(), self.world.table()).await;
        let answer = ask.clone().send().await;
        assert!(answer.status.is_success(), "{answer}");
        let after = rows(&answer.calls).await;
        if answer.status == StatusCode::CREATED {
            self.undo(answer.location()).await;
        }
        let before = rows(&answer.calls).await;
        Cost::of(&answer.calls, before.write_units(&after, &answer.calls))
    }

    /// Makes the request, and deletes what it created.
    async fn time(&self, bench: &Bench, ask: &Ask<'w>) -> Duration {
        let (took, response) = bench.handle(ask).await;
        if response.status() == StatusCode::CREATED {
            self.undo(response.headers()["location"].to_str().expect("a path")).await;
        }
        took
    }

    /// Deletes what was created, with all that a deletion leaves to be done.
    async fn undo(&self, location: &str) {
        self.user.delete(location).is(204).await;
        self.world.work().await;
    }
}

/// The id of the first of a list.
async fn first_id(user: &Who<'_>, list: &str) -> String {
    let page = user.get(&format!("{list}?limit=1")).is(200).await;
    page.body["items"][0]["id"].as_str().unwrap_or_else(|| panic!("nothing in {page}")).to_owned()
}

fn newcomer() -> serde_json::Value {
    json!({
        "firstName": "Katherine",
        "lastName": "Johnson",
        "email": "katherine.johnson@example.com",
        "phone": "+12125550123",
        "company": "Analytical Engines",
        "jobTitle": "Mathematician",
        "source": "website",
    })
}

// ── Typical contacts ────────────────────────────────────────────────────────────────────────────────────────────────

const FIRST_NAMES: [&str; 20] = [
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Margaret", "Dennis", "Radia", "Kenneth",
    "Jean", "Niklaus", "Shafi", "Robin", "Adele", "Tony", "Anita", "Leslie",
];

const LAST_NAMES: [&str; 25] = [
    "Lovelace",
    "Hopper",
    "Turing",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Allen",
    "Backus",
    "Hamilton",
    "Ritchie",
    "Perlman",
    "Thompson",
    "Sammet",
    "Wirth",
    "Goldwasser",
    "Milner",
    "Goldberg",
    "Hoare",
    "Borg",
    "Lamport",
    "Bartik",
    "McCarthy",
    "Holberton",
    "Naur",
    "Cerf",
];

const COMPANIES: [&str; 6] = [
    "Analytical Engines",
    "Corner Bakery",
    "Riverside Clinic",
    "Blue Harbor Sailing",
    "Jade Tea House",
    "Northwind Group",
];

const JOB_TITLES: [&str; 5] = ["Mathematician", "Head of Operations", "Rear Admiral", "Buyer", "Office Manager"];

const SOURCES: [&str; 4] = ["website", "referral", "fair", "newsletter"];

/// How many tags the contacts of a client have between them.
const TAGS: usize = 19;

/// A file of contacts, each of whom has its number in its email.
fn file(rows: Range<usize>) -> String {
    let mut file = "firstName,lastName,email,phone,company,jobTitle,source,tags\r\n".to_owned();
    for number in rows {
        let [first, last] = name(number);
        let email = format!("{}.{}.{number}@example.com", first.to_lowercase(), last.to_lowercase());
        let [company, job, source] = [&COMPANIES[..], &JOB_TITLES, &SOURCES].map(|of| of[number % of.len()]);
        let (phone, tag) = (number % 10_000, number % TAGS);
        write!(file, "{first},{last},{email},+1212555{phone:04},{company},{job},{source},segment {tag}\r\n")
            .expect("a text can be written to");
    }
    file
}

/// Every first name with every last name, in turn.
fn name(number: usize) -> [&'static str; 2] {
    [FIRST_NAMES[number % FIRST_NAMES.len()], LAST_NAMES[number / FIRST_NAMES.len() % LAST_NAMES.len()]]
}
