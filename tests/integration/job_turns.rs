//! Turns: how the clients share the jobs function.

use harness::at_once;
use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::users::Answer;
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};

use crate::contact_jobs::{create_contacts, create_tag, in_collection};
use crate::import::people_csv;

/// Seconds after which the lease of a crashed worker has expired.
const LEASE: i64 = 91;

/// The number of contacts that one step removes a tag from.
const BATCH: usize = 40;

/// The faults that make one write fail, including its retries.
const FAILED_WRITE: [Fault; 5] = [Fault::ServerError; 5];

/// Creates tags, each with so many contacts, and deletes them: one job for each tag.
async fn delete_tags(shop: &SalonFixture<'_>, names: &[&str], contacts: usize) -> Vec<Answer> {
    let mut tags = Vec::new();
    for name in names {
        tags.push(create_tag(shop, name).await);
    }
    create_contacts(shop, contacts, &tags.iter().collect::<Vec<_>>()).await;
    for tag in &tags {
        shop.owner.delete(tag.location()).is(204).await;
    }
    tags
}

/// The number of contacts that still have a deleted tag.
async fn tagged(world: &World, tag: &Answer) -> usize {
    in_collection(&world.rows().await, &format!("TAG#{}#CONTACT", tag.id())).len()
}

/// The jobs of a client, oldest first.
async fn jobs(world: &World, shop: &SalonFixture<'_>) -> Vec<Value> {
    let partition = shop.paths.partition("JOB");
    let mut rows = world.rows().await;
    rows.retain(|row| row["pk"] == partition);
    rows.sort_by_key(|row| row["sk"].as_str().unwrap().to_owned());
    rows
}

#[tokio::test]
async fn neighbour_waits_for_at_most_one_turn_of_a_busy_client() {
    let world = World::new().await;
    let (busy, neighbour) = (world.shop().await, world.shop().await);
    let busy_tags = delete_tags(&busy, &["a", "b", "c"], 2 * BATCH + 1).await;
    let neighbour_tags = delete_tags(&neighbour, &["a"], 1).await;
    // The stream has reported the busy client's jobs; the neighbour's job is behind them.
    world.run_single_steps(&jobs(&world, &busy).await).await;
    assert_eq!(tagged(&world, &neighbour_tags[0]).await, 0, "the neighbour's job waits");
    let mut remaining = Vec::new();
    for tag in &busy_tags {
        remaining.push(tagged(&world, tag).await);
    }
    assert_eq!(remaining, [BATCH + 1, 2 * BATCH + 1, 2 * BATCH + 1], "the busy client has one step");
    world.assert_consistent().await;
}

#[tokio::test]
async fn jobs_of_a_client_take_turns_one_step_at_a_time() {
    let world = World::new().await;
    let (busy, neighbour) = (world.shop().await, world.shop().await);
    let tags = delete_tags(&busy, &["a", "b"], BATCH + 1).await;
    let neighbour_tags = delete_tags(&neighbour, &["a"], BATCH + 1).await;
    for expected in [[1, BATCH + 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]] {
        world.run_single_steps(&[]).await;
        let [first, second] = [tagged(&world, &tags[0]).await, tagged(&world, &tags[1]).await];
        assert_eq!([first, second, tagged(&world, &neighbour_tags[0]).await], expected);
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn job_without_time_in_the_turn_triggers_the_function_again() {
    let world = World::new().await;
    let shop = world.shop().await;
    // Each job has one step.
    delete_tags(&shop, &["a", "b"], 0).await;
    let before = jobs(&world, &shop).await;
    assert_eq!(world.run_single_steps(&before).await, 1);
    let after = jobs(&world, &shop).await;
    assert!(after.len() == 2 && after[1]["job"] == "removeTag", "{after:?}");
    assert_ne!(after[1], before[1], "the stream reports changed rows only");
    assert_eq!(world.run_single_steps(&after[1..]).await, 1);
}

#[tokio::test]
async fn client_runs_one_job_at_a_time_and_delays_no_other_client() {
    let world = World::with_faults().await;
    let (shop, neighbour) = (world.shop().await, world.shop().await);
    let tags = delete_tags(&shop, &["a", "b"], 1).await;
    // The worker crashes after it has leased the first job.
    world.faults().writes_after(1, [Fault::RequestLost; 50]);
    world.run_jobs_once().await;
    world.faults().none();
    let neighbour_tags = delete_tags(&neighbour, &["a"], 1).await;
    world.run_jobs().await;
    let remaining = async |tag: &Answer| tagged(&world, tag).await;
    assert_eq!([remaining(&tags[0]).await, remaining(&tags[1]).await], [1, 1], "the first job is leased");
    assert_eq!(remaining(&neighbour_tags[0]).await, 0);
    world.clock().advance(LEASE);
    world.run_jobs().await;
    assert_eq!([remaining(&tags[0]).await, remaining(&tags[1]).await], [0, 0]);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_workers_run_each_job_of_a_client_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let tags = delete_tags(&shop, &["a", "b", "c"], BATCH + 1).await;
    let ran: u64 = at_once((0..4).map(|_| world.run_jobs_once())).await.iter().sum();
    assert_eq!(ran, 3);
    for tag in &tags {
        assert_eq!(tagged(&world, tag).await, 0);
    }
    assert!(jobs(&world, &shop).await.iter().all(|job| job["job"] == "removeTombstone" && job["attempts"] == 1));
    world.assert_consistent().await;
}

#[tokio::test]
async fn import_that_runs_in_its_request_does_not_block_jobs() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    // The request crashes after it has created the import's job, which stays leased to it.
    world.faults().all_writes_after(1, Fault::ServerError);
    let import = shop.owner.post(&format!("{}/import", shop.contacts)).body("text/csv", people_csv(0..3));
    let answer = import.contended().is(202).await;
    world.faults().none();
    let tags = delete_tags(&shop, &["a"], 1).await;
    world.run_jobs().await;
    assert_eq!(tagged(&world, &tags[0]).await, 0);
    assert_eq!(shop.owner.get(answer.location()).is(200).await.body["status"], "RUNNING");
}

#[tokio::test]
async fn failed_job_does_not_block_the_other_jobs_of_its_client() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let tags = delete_tags(&shop, &["a", "b"], 1).await;
    // The lease is written, the step is not.
    world.faults().writes_after(1, FAILED_WRITE);
    assert_eq!(world.run_jobs_once().await, 2);
    world.faults().none();
    assert_eq!([tagged(&world, &tags[0]).await, tagged(&world, &tags[1]).await], [1, 0]);
    assert_eq!(jobs(&world, &shop).await[0]["failures"], 1);
    world.clock().advance(3);
    world.run_jobs().await;
    assert_eq!(tagged(&world, &tags[0]).await, 0);
    world.assert_consistent().await;
}

// ── Progress ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Lets a client's only job fail twice, each time after one step that succeeds.
///
/// Expects that the failures are not consecutive.
async fn assert_progress_resets_failures(world: &World, shop: &SalonFixture<'_>, failed_writes: usize) {
    for round in 1..=2 {
        world.faults().writes_after(2, FAILED_WRITE.repeat(failed_writes));
        assert_eq!(world.run_jobs_once().await, 1);
        world.faults().none();
        let jobs = jobs(world, shop).await;
        assert!(jobs.len() == 1 && jobs[0]["failures"] == 1, "round {round}: {jobs:?}");
        world.clock().advance(3);
    }
    world.run_jobs().await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn deletion_of_a_tag_that_makes_progress_is_not_failing() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let tags = delete_tags(&shop, &["a"], 2 * BATCH + 1).await;
    assert_progress_resets_failures(&world, &shop, 1).await;
    assert_eq!(tagged(&world, &tags[0]).await, 0);
}

#[tokio::test]
async fn import_that_makes_progress_is_not_failing() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().writes_after(1, FAILED_WRITE);
    let import = shop.owner.post(&format!("{}/import", shop.contacts)).body("text/csv", people_csv(0..100));
    let answer = import.contended().is(202).await;
    world.faults().none();
    // The worker ends the steps of a turn at the first failure, then tries one more.
    assert_progress_resets_failures(&world, &shop, 2).await;
    assert_eq!(shop.owner.get(answer.location()).is(200).await.body["created"], 100);
}

#[tokio::test]
async fn stage_deletion_that_makes_progress_is_not_failing() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let stages = json!([{ "name": "New" }, { "name": "Done" }]);
    let pipelines = format!("{}/pipelines", shop.paths.client);
    let pipeline = shop.owner.post(&pipelines).json(json!({ "name": "Sales", "stages": stages })).created().await;
    let [from, to] = [0, 1].map(|at| pipeline.body["stages"][at]["id"].as_str().unwrap().to_owned());
    let create = |at: usize| {
        let deal = json!({ "title": format!("{at}"), "value": 1, "currency": "EUR", "stageId": from });
        shop.owner.post(&format!("{}/deals", shop.paths.client)).json(deal).contended().is(201)
    };
    for start in (0..2 * BATCH).step_by(10) {
        at_once((start..start + 10).map(create)).await;
    }
    let stage = format!("{}/stages/{from}?moveTo={to}", pipeline.location());
    shop.owner.request(Method::DELETE, &stage).contended().is(202).await;
    assert_progress_resets_failures(&world, &shop, 2).await;
    assert!(jobs(&world, &shop).await.is_empty());
}
