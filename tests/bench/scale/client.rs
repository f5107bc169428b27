//! A client with many contacts and deals, and the requests to it.

use std::iter;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use harness::users::{RequestBuilder, TestUser};
use harness::world::World;
use lambda_http::http::StatusCode;
use serde_json::{Value, json};
use shared::contacts::limits::MAX_IMPORTS;
use shared::identity::{AgencyScope, Role};

use super::data::{contacts_file, deal, new_contact};
use super::{ClientSize, Requests};
use crate::handlers::{Bench, Cost};
use crate::items::{ItemCopy, Snapshot};
use crate::operations::id;

/// The number of rows of a file, which keeps it below the limit of 5 MiB.
const FILE_ROWS: usize = 20_000;

/// The number of concurrent requests.
///
/// The engine runs one transaction at a time: this keeps it busy.
const MAX_CONCURRENCY: usize = 4;

/// The number of deals that are created with one access token, before it expires.
const DEALS_PER_TOKEN: usize = 2_000;

/// The number of contacts for each deal of a client.
const CONTACTS_PER_DEAL: usize = 10;

/// The number of deals of a page.
///
/// Each stage of the small client has more: a fifth of its deals.
const PAGE: usize = 10;

/// The number of contacts that have deals.
const BUYERS: usize = 20;

/// A client and one of its users.
#[derive(Clone)]
pub(super) struct SampleClient<'w> {
    world: &'w World,
    bench: &'w Bench,
    user: TestUser<'w>,
    /// The path: `/v1/clients/…`.
    client: String,
}

impl<'w> SampleClient<'w> {
    /// An empty client.
    pub(super) async fn new(world: &'w World, bench: &'w Bench, client: String, agency: AgencyScope) -> Self {
        let user = world.user(agency.client(id(&client).parse().unwrap()), Role::ClientAdmin).await;
        Self { world, bench, user, client }
    }

    /// The same client with a new access token.
    ///
    /// Creating the data takes longer than a token is valid.
    pub(super) async fn signed_in(&self) -> Self {
        Self { user: self.user.sign_in_again().await, ..self.clone() }
    }

    fn path(&self, collection: &str) -> String {
        format!("{}/{collection}", self.client)
    }

    /// Imports contacts and creates deals for them, without the proxy.
    ///
    /// Nearly all of the time is spent in the engine's writes.
    pub(super) async fn fill(&self, contacts: usize) -> ClientSize {
        let deals = contacts / CONTACTS_PER_DEAL;
        let start = Instant::now();
        self.import_contacts(contacts).await;
        let imported_in = start.elapsed();
        let start = Instant::now();
        self.create_deals(deals).await;
        ClientSize { contacts, imported_in, deals, created_in: start.elapsed() }
    }

    /// Imports contacts, as many files at a time as a client may.
    async fn import_contacts(&self, contacts: usize) {
        let files: Vec<_> =
            (0..contacts).step_by(FILE_ROWS).map(|first| first..contacts.min(first + FILE_ROWS)).collect();
        for files in files.chunks(usize::try_from(MAX_IMPORTS).expect("a small number")) {
            let client = self.signed_in().await;
            let imports = join_all(files.iter().map(|rows| client.start_import(rows.clone()))).await;
            self.bench.run_jobs().await;
            let user = self.user.sign_in_again().await;
            for (import, rows) in imports.iter().zip(files) {
                let import = user.get(import).is(200).await;
                assert_eq!(import.body["status"], "DONE", "{import}");
                assert_eq!(import.body["created"], rows.len(), "{import}");
            }
        }
    }

    /// Sends rows as one file and returns the path of the import.
    async fn start_import(&self, rows: Range<usize>) -> String {
        let request = self.user.post(&self.path("contacts/import")).body("text/csv", contacts_file(rows));
        let (_, response) = self.bench.handle(&request).await;
        response.headers()["location"].to_str().expect("a path").to_owned()
    }

    /// Creates deals, spread over the default stages and over [`BUYERS`] contacts.
    async fn create_deals(&self, deals: usize) {
        let pipeline = self.user.sign_in_again().await.post(&self.path("pipelines")).json(json!({ "name": "Sales" }));
        let pipeline = pipeline.created().await;
        let stages = ids(&pipeline.body["stages"]);
        let buyers = self.user.sign_in_again().await.get(&self.path(&format!("contacts?limit={BUYERS}"))).is(200).await;
        let buyers = ids(&buyers.body["items"]);
        let links: Vec<_> = iter::zip(stages.iter().cycle(), buyers.iter().cycle()).take(deals).collect();
        for links in links.chunks(DEALS_PER_TOKEN) {
            let user = self.user.sign_in_again().await;
            let requests = links.iter().map(|(stage, buyer)| user.post(&self.path("deals")).json(deal(stage, buyer)));
            let created = stream::iter(requests).map(|request| async move { self.bench.handle(&request).await });
            created.buffer_unordered(MAX_CONCURRENCY).for_each(async |_| {}).await;
        }
    }

    /// The measured requests to contacts.
    ///
    /// In both clients, every list has more than one page.
    pub(super) async fn contact_requests(&self) -> Requests<'w> {
        let contacts = self.path("contacts");
        let list = |query: &str| self.user.get(&format!("{contacts}?{query}"));
        let tag = &self.first_ids("tags?limit=1").await[0];
        vec![
            ("getContact", self.user.get(&self.first_contact().await)),
            ("listContacts", self.user.get(&contacts)),
            ("listContacts, sort=name", list("sort=name")),
            ("listContacts, sort=updatedAt, order=desc", list("sort=updatedAt&order=desc")),
            ("listContacts, q of 3 letters", list("q=lov")),
            ("listContacts, q of an email prefix", list("q=ada.lovelace.480@")),
            ("listContacts, tagId", list(&format!("tagId={tag}"))),
            ("listContacts, email", list("email=ada.lovelace.480@example.com")),
            ("createContact", self.user.post(&contacts).json(new_contact())),
        ]
    }

    /// The measured requests to deals.
    ///
    /// In both clients, every list has more than one page.
    pub(super) async fn deal_requests(&self) -> Requests<'w> {
        let pipeline = &self.first_ids("pipelines?limit=1").await[0];
        let stage = self.user.get(&self.path(&format!("pipelines/{pipeline}/stages"))).is(200).await;
        let stage = &ids(&stage.body["items"])[0];
        let deals_of_stage = format!("deals?stageId={stage}&limit={PAGE}");
        let first = self.first_ids(&deals_of_stage).await;
        let buyer = &self.first_ids("contacts?limit=1").await[0];
        let deal_path = self.path(&format!("deals/{}", first[0]));
        let move_behind = json!({ "stageId": stage, "afterDealId": first[4] });
        vec![
            ("getBoard", self.user.get(&self.path(&format!("pipelines/{pipeline}/board?limit={PAGE}")))),
            ("listDeals, stageId", self.user.get(&self.path(&deals_of_stage))),
            ("listContactDeals", self.user.get(&self.path(&format!("contacts/{buyer}/deals?limit=2")))),
            ("getDeal", self.user.get(&deal_path)),
            ("moveDeal", self.user.post(&format!("{deal_path}/move")).json(move_behind)),
            ("createDeal", self.user.post(&self.path("deals")).json(deal(stage, buyer))),
        ]
    }

    /// The path of the client's first contact.
    async fn first_contact(&self) -> String {
        self.path(&format!("contacts/{}", self.first_ids("contacts?limit=1").await[0]))
    }

    /// The ids of the first page of a list.
    async fn first_ids(&self, list: &str) -> Vec<String> {
        ids(&self.user.get(&self.path(list)).is(200).await.body["items"])
    }

    /// The copies of the first contact in the table and in the indexes.
    pub(super) async fn copies_of_contact(&self) -> Vec<ItemCopy> {
        let contact = self.first_contact().await;
        let answer = self.user.get(&contact).is(200).await;
        let snapshot = Snapshot::of_calls(&answer.calls, &self.world.engine(), self.world.table()).await;
        snapshot.copies("#CONTACT", id(&contact))
    }

    /// Measures the cost of a request through the recording proxy.
    ///
    /// The first request shows which items are involved, the second one how they change.
    pub(super) async fn cost(&self, request: &RequestBuilder<'w>) -> Cost {
        let snapshot = async |calls| Snapshot::of_calls(calls, &self.world.engine(), self.world.table()).await;
        let send = async || {
            let answer = request.clone().send().await;
            assert!(answer.status.is_success(), "{answer}");
            answer
        };
        let first = send().await;
        self.undo(first.status, first.location()).await;
        let before = snapshot(&first.calls).await;
        let answer = send().await;
        let after = snapshot(&answer.calls).await;
        self.undo(answer.status, answer.location()).await;
        Cost::of(&answer.calls, before.write_units(&after, &answer.calls))
    }

    /// Measures the time of the handler, then deletes the created entity, if any.
    pub(super) async fn time(&self, request: &RequestBuilder<'w>) -> Duration {
        let (duration, response) = self.bench.handle(request).await;
        let location = response.headers().get("location").map(|path| path.to_str().expect("a path"));
        self.undo(response.status(), location.unwrap_or_default()).await;
        duration
    }

    /// Deletes the entity that a request created, if any.
    async fn undo(&self, status: StatusCode, location: &str) {
        if status == StatusCode::CREATED {
            self.bench.handle(&self.user.delete(location)).await;
        }
    }
}

/// The ids of some entities.
fn ids(entities: &Value) -> Vec<String> {
    let entities = entities.as_array().into_iter().flatten();
    entities.map(|entity| entity["id"].as_str().expect("an entity has an id").to_owned()).collect()
}
