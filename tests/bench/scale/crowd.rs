//! A client with many contacts and deals, and what is asked of it.

use std::iter;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use harness::who::{RequestBuilder, Who};
use harness::world::World;
use lambda_http::http::StatusCode;
use serde_json::{Value, json};
use shared::auth::{AgencyScope, Role};

use super::file::{deal, file, newcomer};
use super::{Asks, Filled};
use crate::handlers::{Bench, Cost};
use crate::operations::id;
use crate::rows::Rows;

/// The rows of a file. One of 5 MiB is the largest that is taken.
const FILE: usize = 20_000;

/// How many files, or deals, are sent at a time, so that the engine, which takes one transaction after another, never waits.
const MAX_CONCURRENCY: usize = 4;

/// For how many deals somebody signs in anew, lest the token end before them.
const DEALS: usize = 2_000;

/// For so many contacts a client has one deal.
const CONTACTS_PER_DEAL: usize = 10;

/// The deals of a page. A fifth of the small client's, and so a stage of it, is more than that.
const PAGE: usize = 10;

/// How many contacts a client's deals have between them.
const BUYERS: usize = 20;

/// A client, and somebody of it.
#[derive(Clone)]
pub(super) struct Crowd<'w> {
    world: &'w World,
    bench: &'w Bench,
    user: Who<'w>,
    /// `/v1/clients/…`
    client: String,
}

impl<'w> Crowd<'w> {
    /// A client that is empty.
    pub(super) async fn new(world: &'w World, bench: &'w Bench, client: String, agency: AgencyScope) -> Self {
        let user = world.user(agency.client(id(&client).parse().unwrap()), Role::ClientAdmin).await;
        Self { world, bench, user, client }
    }

    /// The same with a new access token. To fill a client takes longer than one is good for.
    pub(super) async fn signed_in(&self) -> Self {
        Self { user: self.user.again().await, ..self.clone() }
    }

    fn path(&self, collection: &str) -> String {
        format!("{}/{collection}", self.client)
    }

    /// Imports so many contacts, and creates deals, straight on the engine, whose writing takes nearly all of the time.
    pub(super) async fn fill(&self, contacts: usize) -> Filled {
        let deals = contacts / CONTACTS_PER_DEAL;
        let start = Instant::now();
        self.import(contacts).await;
        let imported_in = start.elapsed();
        let start = Instant::now();
        self.sell(deals).await;
        Filled { contacts, imported_in, deals, created_in: start.elapsed() }
    }

    /// Imports so many contacts, a few files at a time.
    async fn import(&self, contacts: usize) {
        let files: Vec<_> = (0..contacts).step_by(FILE).map(|first| first..contacts.min(first + FILE)).collect();
        let imports = stream::iter(&files).map(|rows| self.send(rows.clone())).buffered(MAX_CONCURRENCY);
        let imports: Vec<_> = imports.collect().await;
        self.bench.work().await;
        let user = self.user.again().await;
        for (import, rows) in imports.iter().zip(files) {
            let import = user.get(import).is(200).await;
            assert_eq!(import.body["status"], "DONE", "{import}");
            assert_eq!(import.body["created"], rows.len(), "{import}");
        }
    }

    /// Sends these rows as one file; where the import is found.
    async fn send(&self, rows: Range<usize>) -> String {
        let ask = self.user.post(&self.path("contacts/import")).body("text/csv", file(rows));
        let (_, response) = self.bench.handle(&ask).await;
        response.headers()["location"].to_str().expect("a path").to_owned()
    }

    /// Creates so many deals, which go to the usual stages and to some contacts by turns.
    async fn sell(&self, deals: usize) {
        let pipeline = self.user.again().await.post(&self.path("pipelines")).json(json!({ "name": "Sales" }));
        let pipeline = pipeline.created().await;
        let stages = ids(&pipeline.body["stages"]);
        let buyers = self.user.again().await.get(&self.path(&format!("contacts?limit={BUYERS}"))).is(200).await;
        let buyers = ids(&buyers.body["items"]);
        let made: Vec<_> = iter::zip(stages.iter().cycle(), buyers.iter().cycle()).take(deals).collect();
        for some in made.chunks(DEALS) {
            let user = self.user.again().await;
            let asks = some.iter().map(|(stage, buyer)| user.post(&self.path("deals")).json(deal(stage, buyer)));
            let created = stream::iter(asks).map(|ask| async move { self.bench.handle(&ask).await });
            created.buffer_unordered(MAX_CONCURRENCY).for_each(async |_| {}).await;
        }
    }

    /// What is asked of the contacts. Both clients have a page of what a list looks for, and more.
    pub(super) async fn contact_asks(&self) -> Asks<'w> {
        let contacts = self.path("contacts");
        let list = |query: &str| self.user.get(&format!("{contacts}?{query}"));
        let tag = &self.first_ids("tags?limit=1").await[0];
        vec![
            ("read contact", self.user.get(&self.contact().await)),
            ("list, oldest first", self.user.get(&contacts)),
            ("list by name", list("sort=name")),
            ("list by change, latest first", list("sort=updatedAt&order=desc")),
            ("look for 3 letters", list("q=lov")),
            ("look for most of an email", list("q=ada.lovelace.480@")),
            ("list of a tag", list(&format!("tagId={tag}"))),
            ("by email", list("email=ada.lovelace.480@example.com")),
            ("create contact", self.user.post(&contacts).json(newcomer())),
        ]
    }

    /// What is asked of the deals. A stage has a page of them, and more.
    pub(super) async fn deal_asks(&self) -> Asks<'w> {
        let pipeline = &self.first_ids("pipelines?limit=1").await[0];
        let stage = self.user.get(&self.path(&format!("pipelines/{pipeline}/stages"))).is(200).await;
        let stage = &ids(&stage.body["items"])[0];
        let in_stage = format!("deals?stageId={stage}&limit={PAGE}");
        let first = self.first_ids(&in_stage).await;
        let buyer = &self.first_ids("contacts?limit=1").await[0];
        let deal_path = self.path(&format!("deals/{}", first[0]));
        let behind = json!({ "stageId": stage, "afterDealId": first[4] });
        vec![
            ("read board", self.user.get(&self.path(&format!("pipelines/{pipeline}/board?limit={PAGE}")))),
            ("list of a stage", self.user.get(&self.path(&in_stage))),
            ("deals of a contact", self.user.get(&self.path(&format!("contacts/{buyer}/deals?limit=2")))),
            ("read deal", self.user.get(&deal_path)),
            ("move deal", self.user.post(&format!("{deal_path}/move")).json(behind)),
            ("create deal", self.user.post(&self.path("deals")).json(deal(stage, buyer))),
        ]
    }

    /// `/v1/clients/…/contacts/…`, of the first one.
    async fn contact(&self) -> String {
        self.path(&format!("contacts/{}", self.first_ids("contacts?limit=1").await[0]))
    }

    /// The ids of a page.
    async fn first_ids(&self, list: &str) -> Vec<String> {
        ids(&self.user.get(&self.path(list)).is(200).await.body["items"])
    }

    /// What a contact takes in the table and in the indexes that have it.
    pub(super) async fn copies(&self) -> Vec<(String, usize, usize)> {
        let contact = self.contact().await;
        let answer = self.user.get(&contact).is(200).await;
        Rows::named_by(&answer.calls, &self.world.engine(), self.world.table()).await.copies(id(&contact))
    }

    /// Makes the request through the recorder: once to see which rows it is about, and then to see what becomes of them.
    pub(super) async fn cost(&self, ask: &RequestBuilder<'w>) -> Cost {
        let rows = async |calls| Rows::named_by(calls, &self.world.engine(), self.world.table()).await;
        let send = async || {
            let answer = ask.clone().send().await;
            assert!(answer.status.is_success(), "{answer}");
            answer
        };
        let first = send().await;
        self.undo(first.status, first.location()).await;
        let before = rows(&first.calls).await;
        let answer = send().await;
        let after = rows(&answer.calls).await;
        self.undo(answer.status, answer.location()).await;
        Cost::of(&answer.calls, before.write_units(&after, &answer.calls))
    }

    /// Makes the request, and deletes what it created.
    pub(super) async fn time(&self, ask: &RequestBuilder<'w>) -> Duration {
        let (took, response) = self.bench.handle(ask).await;
        let location = response.headers().get("location").map(|path| path.to_str().expect("a path"));
        self.undo(response.status(), location.unwrap_or_default()).await;
        took
    }

    /// Deletes what was created, so that there is what was there before.
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
