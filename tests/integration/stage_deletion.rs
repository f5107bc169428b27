//! Deletion of stages and pipelines with deals, which are moved to another stage.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::at_once;
use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::json;
use uuid::Uuid;

use crate::contact_jobs::{dies_at_every_write, in_collection};
use crate::paging::list_all;

async fn pipeline(shop: &SalonFixture<'_>, name: &str, stages: usize) -> Answer {
    let stages: Vec<_> = (0..stages).map(|at| json!({ "name": at.to_string() })).collect();
    let pipeline = json!({ "name": name, "stages": stages });
    shop.owner.post(&format!("{}/pipelines", shop.paths.client)).json(pipeline).created().await
}

fn stage_id(pipeline: &Answer, at: usize) -> String {
    pipeline.body["stages"][at]["id"].as_str().expect("an id").to_owned()
}

fn stage_path(pipeline: &Answer, at: usize) -> String {
    format!("{}/stages/{}", pipeline.location(), stage_id(pipeline, at))
}

/// Creates deals in a stage, in order, titled with numbers starting at `from`.
async fn deals(shop: &SalonFixture<'_>, stage: &str, from: usize, many: usize) -> Vec<Answer> {
    let mut created = Vec::new();
    for at in from..from + many {
        let deal = json!({ "title": format!("{at:03}"), "value": 0.1, "stageId": stage });
        created.push(shop.owner.post(&format!("{}/deals", shop.paths.client)).json(deal).created().await);
    }
    created
}

/// The titles of the deals in a stage, in order.
async fn titles(shop: &SalonFixture<'_>, stage: &str) -> Vec<String> {
    let listed = list_all(&shop.owner, &format!("{}/deals?stageId={stage}", shop.paths.client)).await;
    listed.iter().map(|deal| deal["title"].as_str().expect("a title").to_owned()).collect()
}

fn numbers(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{number:03}")).collect()
}

fn delete<'w>(shop: &SalonFixture<'w>, path: &str, to: &str) -> RequestBuilder<'w> {
    shop.owner.delete(&format!("{path}?moveTo={to}"))
}

#[tokio::test]
async fn few_deals_move_to_the_end_of_the_target_stage_at_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (from, to) = (pipeline(&shop, "From", 2).await, pipeline(&shop, "To", 1).await);
    let target = stage_id(&to, 0);
    deals(&shop, &target, 0, 1).await;
    let created = deals(&shop, &stage_id(&from, 0), 1, 20).await;
    shop.owner.patch(created[0].location()).json(json!({ "status": "WON" })).is(200).await;
    let stage = stage_path(&from, 0);
    delete(&shop, &stage, &target).header("if-match", "\"9\"").problem(412, "precondition_failed").await;
    delete(&shop, &stage, &target).is(204).await;
    shop.owner.get(&stage).problem(404, "not_found").await;
    delete(&shop, &stage, &target).problem(404, "not_found").await;
    assert_eq!(titles(&shop, &target).await, numbers([0].into_iter().chain(2..=20).chain([1])));
    let moved = shop.owner.get(created[1].location()).is(200).await.body;
    assert_eq!(
        (&moved["stageId"], &moved["pipelineId"], &moved["version"]),
        (&json!(target), &json!(to.id()), &json!(2))
    );
    let history = list_all(&shop.owner, &format!("{}/history", created[1].location())).await;
    let change = json!([{ "field": "stageId", "from": stage_id(&from, 0), "to": target }]);
    assert_eq!((&history[1]["changes"], &history[1]["changedById"]), (&change, &json!(shop.owner.id())));
    world.assert_consistent().await;

    // All stages of a pipeline are moved in order, and an empty pipeline is deleted too.
    deals(&shop, &stage_id(&to, 0), 21, 1).await;
    let many = pipeline(&shop, "Many", 50).await;
    deals(&shop, &stage_id(&many, 1), 31, 2).await;
    deals(&shop, &stage_id(&many, 0), 40, 2).await;
    delete(&shop, many.location(), &target).is(204).await;
    shop.owner.get(many.location()).problem(404, "not_found").await;
    let open = [0].into_iter().chain(2..=21).chain([40, 41, 31, 32]);
    assert_eq!(titles(&shop, &target).await, numbers(open.chain([1])));
    delete(&shop, from.location(), &target).is(204).await;
    assert!(in_collection(&world.rows().await, "JOB").is_empty());
    world.assert_consistent().await;
}

#[tokio::test]
async fn many_deals_move_to_the_target_stage_by_a_job() {
    let world = World::new().await;
    let shop = world.shop().await;
    let pipeline = pipeline(&shop, "Sales", 3).await;
    let [from, to, other] = [0, 1, 2].map(|at| stage_id(&pipeline, at));
    let stage = stage_path(&pipeline, 0);
    let created = deals(&shop, &from, 0, 45).await;
    let accepted = delete(&shop, &stage, &to).is(202).await;
    assert_eq!((accepted.location(), accepted.header("etag")), (&*stage, "\"2\""));
    assert_eq!((&accepted.body["id"], &accepted.body["movesTo"]), (&json!(from), &json!(to)));
    assert_eq!(shop.owner.get(&stage).is(200).await.body, accepted.body);
    world.assert_consistent().await;

    // No deal can be added to the stage, and neither the stage nor its target can be deleted in another way.
    let new = json!({ "title": "New", "stageId": from });
    shop.owner.post(&format!("{}/deals", shop.paths.client)).json(new).invalid(&["/stageId"]).await;
    let move_to = |stage: &str| shop.owner.post(&format!("{}/move", shop.paths.deal)).json(json!({ "stageId": stage }));
    move_to(&from).invalid(&["/stageId"]).await;
    shop.owner.patch(&shop.paths.deal).json(json!({ "stageId": from })).invalid(&["/stageId"]).await;
    let implied = json!({ "title": "New", "pipelineId": pipeline.id() });
    let implied = shop.owner.post(&format!("{}/deals", shop.paths.client)).json(implied).created().await;
    assert_eq!(implied.body["stageId"], json!(to), "the first stage that is not being deleted");
    shop.owner.delete(implied.location()).is(204).await;
    shop.owner.delete(&stage).problem(409, "not_empty").await;
    delete(&shop, &stage, &other).problem(409, "being_deleted").await;
    let target = stage_path(&pipeline, 1);
    shop.owner.delete(&target).problem(409, "not_empty").await;
    delete(&shop, &target, &other).problem(409, "not_empty").await;
    shop.owner.delete(pipeline.location()).problem(409, "not_empty").await;
    delete(&shop, &stage_path(&pipeline, 2), &from).invalid(&["/moveTo"]).await;
    assert_eq!(delete(&shop, &stage, &to).is(202).await.body, accepted.body);
    let jobs = world.rows().await;
    assert_eq!(in_collection(&jobs, "JOB").iter().filter(|job| job["job"] == "moveDeals").count(), 1);

    // Deals of the stage can still be changed, moved and deleted.
    shop.owner.patch(created[3].location()).json(json!({ "value": 7, "stageId": from })).is(200).await;
    shop.owner.post(&format!("{}/move", created[4].location())).json(json!({ "stageId": other })).is(200).await;
    shop.owner.delete(created[5].location()).is(204).await;
    shop.owner.patch(&stage).json(json!({ "name": "Going" })).is(200).await;
    let board = shop.owner.get(&format!("{}/board", pipeline.location())).is(200).await.body;
    let column = &board["stages"][0];
    assert_eq!((&column["count"], &column["stage"]["movesTo"]), (&json!(43), &json!(to)));
    assert_eq!(column["totals"][0]["value"], json!(11.2));
    world.assert_consistent().await;

    world.run_jobs().await;
    shop.owner.get(&stage).problem(404, "not_found").await;
    assert_eq!(titles(&shop, &to).await, numbers((0..45).filter(|at| ![4, 5].contains(at))));
    assert!(in_collection(&world.rows().await, "JOB").is_empty());
    world.assert_consistent().await;
    delete(&shop, &target, &other).is(202).await;
    world.run_jobs().await;
    assert_eq!(titles(&shop, &other).await.len(), 44);
    shop.owner.delete(pipeline.location()).problem(409, "not_empty").await;
}

#[tokio::test]
async fn pipeline_with_many_deals_is_deleted_by_a_job() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (from, to) = (pipeline(&shop, "From", 3).await, pipeline(&shop, "To", 1).await);
    let target = stage_id(&to, 0);
    deals(&shop, &stage_id(&from, 2), 30, 15).await;
    deals(&shop, &stage_id(&from, 0), 0, 15).await;
    let default = |pipeline: &str| shop.owner.patch(pipeline).json(json!({ "isDefault": true }));
    default(from.location()).is(200).await;
    delete(&shop, from.location(), &target).problem(409, "default_pipeline").await;
    default(&shop.paths.pipeline).is(200).await;
    // First one stage is deleted, then the whole pipeline.
    deals(&shop, &stage_id(&from, 1), 60, 21).await;
    delete(&shop, &stage_path(&from, 1), &target).is(202).await;
    let accepted = delete(&shop, from.location(), &target).is(202).await;
    assert_eq!((accepted.location(), &accepted.body["movesTo"]), (from.location(), &json!(target)));
    assert!(accepted.body["stages"].as_array().unwrap().iter().all(|stage| stage["movesTo"] == json!(target)));
    world.assert_consistent().await;
    default(from.location()).problem(409, "being_deleted").await;
    let stages = format!("{}/stages", from.location());
    shop.owner.post(&stages).json(json!({ "name": "More" })).problem(409, "being_deleted").await;
    shop.owner.delete(to.location()).problem(409, "not_empty").await;
    assert_eq!(delete(&shop, from.location(), &target).is(202).await.body, accepted.body);
    world.run_jobs().await;
    shop.owner.get(from.location()).problem(404, "not_found").await;
    let moved: BTreeSet<_> = titles(&shop, &target).await.into_iter().collect();
    let all: BTreeSet<_> = numbers((0..15).chain(30..45).chain(60..81)).into_iter().collect();
    assert_eq!(moved, all);
    assert!(in_collection(&world.rows().await, "JOB").is_empty());
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_target_stage_is_rejected() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, foreign) = (tree.own(), tree.sibling());
    let owner = tree.user(shared::identity::Role::ClientAdmin);
    let first = owner.get(&own.deal).is(200).await.body["stageId"].as_str().expect("an id").to_owned();
    let stage = format!("{}/stages/{first}", own.pipeline);
    let missing = Uuid::now_v7().to_string();
    for to in [first.as_str(), foreign.id("stageId"), &missing, "x"] {
        owner.delete(&format!("{stage}?moveTo={to}")).invalid(&["/moveTo"]).await;
    }
    for to in [first.as_str(), own.id("stageId"), foreign.id("stageId"), &missing] {
        owner.delete(&format!("{}?moveTo={to}", own.pipeline)).invalid(&["/moveTo"]).await;
    }
    owner.delete(&format!("{stage}?moveto={missing}")).invalid(&["/moveto"]).await;
    let user = tree.user(shared::identity::Role::ClientUser);
    user.delete(&format!("{stage}?moveTo={}", own.id("stageId"))).problem(403, "forbidden").await;
    let unknown = format!("{}/stages/{missing}?moveTo={}", own.pipeline, own.id("stageId"));
    owner.delete(&unknown).problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn crash_during_stage_deletion_loses_no_deal() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let pipeline = pipeline(&shop, "Sales", 1).await;
    let stages = format!("{}/stages", pipeline.location());
    deals(&shop, &stage_id(&pipeline, 0), 0, 45).await;
    let stage = std::cell::RefCell::new(stage_path(&pipeline, 0));
    let begin = async || {
        let next = shop.owner.post(&stages).json(json!({ "name": "Next" })).created().await;
        let deleted = stage.replace(next.location().to_owned());
        delete(&shop, &deleted, next.id()).is(202).await;
        deleted
    };
    let check = async |deleted: &str| {
        let mut all_titles = Vec::new();
        let target = stage.borrow().clone();
        for stage in [&target, deleted] {
            all_titles.extend(titles(&shop, stage.rsplit('/').next().expect("an id")).await);
        }
        all_titles.sort_unstable();
        assert_eq!(all_titles, numbers(0..45));
    };
    // The writes of the job: lease, two steps, deletion of the stage, end of the job.
    dies_at_every_write(&world, 5, begin, check).await;
    assert_eq!(shop.owner.get(pipeline.location()).is(200).await.body["stages"].as_array().unwrap().len(), 1);

    // A request that moves a few deals itself is safe to retry too.
    let last_stage = stage.borrow().clone();
    let id = last_stage.rsplit('/').next().expect("an id").to_owned();
    let listed = list_all(&shop.owner, &format!("{}/deals?stageId={id}", shop.paths.client)).await;
    let target = shop.owner.post(&stages).json(json!({ "name": "Last" })).created().await;
    for deal in &listed[..30] {
        let path = format!("{}/deals/{}", shop.paths.client, deal["id"].as_str().expect("an id"));
        shop.owner.delete(&path).is(204).await;
    }
    world.faults().next_writes([Fault::RequestLost; 50]);
    delete(&shop, &last_stage, target.id()).problem(503, "unavailable").await;
    world.faults().none();
    assert_eq!(titles(&shop, &id).await.len(), 15);
    world.faults().next_writes([Fault::AnswerLost]);
    delete(&shop, &last_stage, target.id()).is(204).await;
    assert_eq!(titles(&shop, target.id()).await.len(), 15);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_workers_and_users_lose_no_deal() {
    let world = World::new().await;
    let shop = world.shop().await;
    let pipeline = pipeline(&shop, "Sales", 3).await;
    let [from, to, other] = [0, 1, 2].map(|at| stage_id(&pipeline, at));
    let own_deals = deals(&shop, &from, 0, 60).await;
    let other_deals = deals(&shop, &other, 60, 20).await;
    let is_accepted = AtomicBool::new(false);
    let users = async {
        let move_to = |deal: &Answer, stage: &str| {
            shop.owner.post(&format!("{}/move", deal.location())).json(json!({ "stageId": stage }))
        };
        let changes = own_deals.iter().enumerate().map(|(at, deal)| match at % 5 {
            0 => move_to(deal, &other),
            1 => shop.owner.patch(deal.location()).json(json!({ "value": at, "status": "WON" })),
            2 => shop.owner.delete(deal.location()),
            _ => shop.owner.patch(deal.location()).json(json!({ "currency": "EUR" })),
        });
        // Half of the moves into the stage are sent before the other changes, half after.
        let move_in = |deal| (true, move_to(deal, &from));
        let (early, late) = other_deals.split_at(10);
        let changes = changes.map(|request| (false, request));
        let requests = early.iter().map(move_in).chain(changes).chain(late.iter().map(move_in));
        let mut requests = requests.collect::<Vec<_>>().into_iter();
        let mut statuses = BTreeSet::new();
        loop {
            let is_after_deletion = is_accepted.load(Ordering::Relaxed);
            let (kinds, batch): (Vec<_>, Vec<_>) = requests.by_ref().take(10).unzip();
            if batch.is_empty() {
                break statuses;
            }
            let answers = at_once(batch.into_iter().map(|request| request.contended().send())).await;
            for (is_move_in, answer) in kinds.into_iter().zip(answers) {
                assert!(!(is_move_in && is_after_deletion) || answer.status == 422, "{answer}");
                statuses.insert(answer.status.as_u16());
            }
        }
    };
    let deletion = async {
        delete(&shop, &stage_path(&pipeline, 0), &to).contended().is(202).await;
        is_accepted.store(true, Ordering::Relaxed);
        at_once((0..3).map(|_| world.run_jobs_once())).await;
    };
    let (statuses, ()) = tokio::join!(users, deletion);
    assert!(statuses.is_subset(&[200, 204, 422].into()), "{statuses:?}");
    for _ in 0..2 {
        world.run_jobs().await;
        world.clock().advance(91);
    }
    world.run_jobs().await;
    world.clock().advance(-182);
    assert!(in_collection(&world.rows().await, "JOB").is_empty());
    world.assert_consistent().await;
    shop.owner.get(&stage_path(&pipeline, 0)).problem(404, "not_found").await;
    let remaining = [titles(&shop, &to).await, titles(&shop, &other).await].concat();
    let remaining: BTreeSet<_> = remaining.into_iter().collect();
    assert_eq!(remaining, numbers((0..80).filter(|at| *at >= 60 || at % 5 != 2)).into_iter().collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stage_that_is_being_deleted_is_no_target() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..5 {
        let (first, second) = (pipeline(&shop, "First", 1).await, pipeline(&shop, "Second", 2).await);
        let [source, middle, target] = [stage_id(&first, 0), stage_id(&second, 0), stage_id(&second, 1)];
        for stage in [&source, &middle] {
            deals(&shop, stage, 0, 21).await;
        }
        // The first deletion moves deals into the stage that the second one deletes.
        let requests =
            [delete(&shop, &stage_path(&first, 0), &middle), delete(&shop, &stage_path(&second, 0), &target)];
        let answers = at_once(requests.map(|request| request.contended().send())).await;
        match (answers[0].status.as_u16(), answers[1].status.as_u16()) {
            (202, 409) | (422, 202) => {}
            _ => panic!("{} {}", answers[0], answers[1]),
        }
        world.assert_consistent().await;
        world.run_jobs().await;
        world.assert_consistent().await;
        assert!(in_collection(&world.rows().await, "JOB").is_empty());
    }
}

#[tokio::test]
async fn stage_deletion_waits_for_an_outdated_index() {
    let world = World::new().await;
    let shop = world.shop().await;
    let pipeline = pipeline(&shop, "Sales", 2).await;
    let stage = stage_path(&pipeline, 0);
    deals(&shop, &stage_id(&pipeline, 0), 0, 41).await;
    // The index does not show one of the deals yet.
    let hidden = world.rows().await.into_iter().find(|row| row["title"] == "040").expect("the last deal");
    let mut unindexed = hidden.clone();
    unindexed["p1"] = json!("NOWHERE");
    world.put_row(unindexed).await;
    delete(&shop, &stage, &stage_id(&pipeline, 1)).is(202).await;
    let index_update = async {
        while titles(&shop, &stage_id(&pipeline, 1)).await.len() < 40 {}
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.put_row(hidden).await;
    };
    tokio::join!(world.run_jobs_once(), index_update);
    shop.owner.get(&stage).problem(404, "not_found").await;
    assert_eq!(titles(&shop, &stage_id(&pipeline, 1)).await, numbers(0..41));
    world.assert_consistent().await;
}
