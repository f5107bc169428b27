//! Stages and pipelines that are deleted while they hold deals, which go to another stage.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::at_once;
use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::json;
use uuid::Uuid;

use crate::contact_jobs::{dies_at_every_write, in_collection};
use crate::paging::whole;

async fn pipeline(shop: &SalonFixture<'_>, name: &str, stages: usize) -> Answer {
    let stages: Vec<_> = (0..stages).map(|at| json!({ "name": at.to_string() })).collect();
    let pipeline = json!({ "name": name, "stages": stages });
    shop.owner.post(&format!("{}/pipelines", shop.spot.client)).json(pipeline).created().await
}

fn stage_id(pipeline: &Answer, at: usize) -> String {
    pipeline.body["stages"][at]["id"].as_str().expect("an id").to_owned()
}

fn stage_path(pipeline: &Answer, at: usize) -> String {
    format!("{}/stages/{}", pipeline.location(), stage_id(pipeline, at))
}

/// New deals in a stage, one behind the other, whose titles are numbers from `from` on.
async fn deals(shop: &SalonFixture<'_>, stage: &str, from: usize, many: usize) -> Vec<Answer> {
    let mut made = Vec::new();
    for at in from..from + many {
        let deal = json!({ "title": format!("{at:03}"), "value": 0.1, "stageId": stage });
        made.push(shop.owner.post(&format!("{}/deals", shop.spot.client)).json(deal).created().await);
    }
    made
}

/// The titles of the deals of a stage, in their order.
async fn titles(shop: &SalonFixture<'_>, stage: &str) -> Vec<String> {
    let listed = whole(&shop.owner, &format!("{}/deals?stageId={stage}", shop.spot.client)).await;
    listed.iter().map(|deal| deal["title"].as_str().expect("a title").to_owned()).collect()
}

fn numbers(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{number:03}")).collect()
}

fn delete<'w>(shop: &SalonFixture<'w>, path: &str, to: &str) -> RequestBuilder<'w> {
    shop.owner.delete(&format!("{path}?moveTo={to}"))
}

#[tokio::test]
async fn a_few_deals_go_with_their_stage_to_the_end_of_another() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (from, to) = (pipeline(&shop, "From", 2).await, pipeline(&shop, "To", 1).await);
    let target = stage_id(&to, 0);
    deals(&shop, &target, 0, 1).await;
    let made = deals(&shop, &stage_id(&from, 0), 1, 20).await;
    shop.owner.patch(made[0].location()).json(json!({ "status": "WON" })).is(200).await;
    let stage = stage_path(&from, 0);
    delete(&shop, &stage, &target).header("if-match", "\"9\"").problem(412, "precondition_failed").await;
    delete(&shop, &stage, &target).is(204).await;
    shop.owner.get(&stage).problem(404, "not_found").await;
    delete(&shop, &stage, &target).problem(404, "not_found").await;
    assert_eq!(titles(&shop, &target).await, numbers([0].into_iter().chain(2..=20).chain([1])));
    let moved = shop.owner.get(made[1].location()).is(200).await.body;
    assert_eq!(
        (&moved["stageId"], &moved["pipelineId"], &moved["version"]),
        (&json!(target), &json!(to.id()), &json!(2))
    );
    let history = whole(&shop.owner, &format!("{}/history", made[1].location())).await;
    let change = json!([{ "field": "stageId", "from": stage_id(&from, 0), "to": target }]);
    assert_eq!((&history[1]["changes"], &history[1]["changedById"]), (&change, &json!(shop.owner.id())));
    world.assert_whole().await;

    // The same of all stages of a pipeline, in their order, and of one that is empty.
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
    world.assert_whole().await;
}

#[tokio::test]
async fn many_deals_leave_a_stage_step_by_step_and_stand_where_they_are_shown() {
    let world = World::new().await;
    let shop = world.shop().await;
    let pipeline = pipeline(&shop, "Sales", 3).await;
    let [from, to, other] = [0, 1, 2].map(|at| stage_id(&pipeline, at));
    let stage = stage_path(&pipeline, 0);
    let made = deals(&shop, &from, 0, 45).await;
    let accepted = delete(&shop, &stage, &to).is(202).await;
    assert_eq!((accepted.location(), accepted.header("etag")), (&*stage, "\"2\""));
    assert_eq!((&accepted.body["id"], &accepted.body["movesTo"]), (&json!(from), &json!(to)));
    assert_eq!(shop.owner.get(&stage).is(200).await.body, accepted.body);
    world.assert_whole().await;

    // Nobody comes to it, and neither it nor where they go is deleted otherwise.
    let new = json!({ "title": "New", "stageId": from });
    shop.owner.post(&format!("{}/deals", shop.spot.client)).json(new).invalid(&["/stageId"]).await;
    let enter = |stage: &str| shop.owner.post(&format!("{}/move", shop.spot.deal)).json(json!({ "stageId": stage }));
    enter(&from).invalid(&["/stageId"]).await;
    shop.owner.patch(&shop.spot.deal).json(json!({ "stageId": from })).invalid(&["/stageId"]).await;
    let implied = json!({ "title": "New", "pipelineId": pipeline.id() });
    let implied = shop.owner.post(&format!("{}/deals", shop.spot.client)).json(implied).created().await;
    assert_eq!(implied.body["stageId"], json!(to), "the first that stays");
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
    assert_eq!(in_collection(&jobs, "JOB").iter().filter(|job| job["work"] == "vacate").count(), 1);

    // Its deals are changed and leave as ever.
    shop.owner.patch(made[3].location()).json(json!({ "value": 7, "stageId": from })).is(200).await;
    shop.owner.post(&format!("{}/move", made[4].location())).json(json!({ "stageId": other })).is(200).await;
    shop.owner.delete(made[5].location()).is(204).await;
    shop.owner.patch(&stage).json(json!({ "name": "Going" })).is(200).await;
    let board = shop.owner.get(&format!("{}/board", pipeline.location())).is(200).await.body;
    let column = &board["stages"][0];
    assert_eq!((&column["count"], &column["stage"]["movesTo"]), (&json!(43), &json!(to)));
    assert_eq!(column["totals"][0]["value"], json!(11.2));
    world.assert_whole().await;

    world.work().await;
    shop.owner.get(&stage).problem(404, "not_found").await;
    assert_eq!(titles(&shop, &to).await, numbers((0..45).filter(|at| ![4, 5].contains(at))));
    assert!(in_collection(&world.rows().await, "JOB").is_empty());
    world.assert_whole().await;
    delete(&shop, &target, &other).is(202).await;
    world.work().await;
    assert_eq!(titles(&shop, &other).await.len(), 44);
    shop.owner.delete(pipeline.location()).problem(409, "not_empty").await;
}

#[tokio::test]
async fn many_deals_leave_a_pipeline_which_then_goes() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (from, to) = (pipeline(&shop, "From", 3).await, pipeline(&shop, "To", 1).await);
    let target = stage_id(&to, 0);
    deals(&shop, &stage_id(&from, 2), 30, 15).await;
    deals(&shop, &stage_id(&from, 0), 0, 15).await;
    let default = |pipeline: &str| shop.owner.patch(pipeline).json(json!({ "isDefault": true }));
    default(from.location()).is(200).await;
    delete(&shop, from.location(), &target).problem(409, "default_pipeline").await;
    default(&shop.spot.pipeline).is(200).await;
    // One stage goes on its own, and then all of them.
    deals(&shop, &stage_id(&from, 1), 60, 21).await;
    delete(&shop, &stage_path(&from, 1), &target).is(202).await;
    let accepted = delete(&shop, from.location(), &target).is(202).await;
    assert_eq!((accepted.location(), &accepted.body["movesTo"]), (from.location(), &json!(target)));
    assert!(accepted.body["stages"].as_array().unwrap().iter().all(|stage| stage["movesTo"] == json!(target)));
    world.assert_whole().await;
    default(from.location()).problem(409, "being_deleted").await;
    let stages = format!("{}/stages", from.location());
    shop.owner.post(&stages).json(json!({ "name": "More" })).problem(409, "being_deleted").await;
    shop.owner.delete(to.location()).problem(409, "not_empty").await;
    assert_eq!(delete(&shop, from.location(), &target).is(202).await.body, accepted.body);
    world.work().await;
    shop.owner.get(from.location()).problem(404, "not_found").await;
    let moved: BTreeSet<_> = titles(&shop, &target).await.into_iter().collect();
    let all: BTreeSet<_> = numbers((0..15).chain(30..45).chain(60..81)).into_iter().collect();
    assert_eq!(moved, all);
    assert!(in_collection(&world.rows().await, "JOB").is_empty());
    world.assert_whole().await;
}

#[tokio::test]
async fn deals_go_to_another_stage_of_the_same_client_that_stays() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, foreign) = (tree.own(), tree.sibling());
    let owner = tree.user(shared::auth::Role::ClientAdmin);
    let first = owner.get(&own.deal).is(200).await.body["stageId"].as_str().expect("an id").to_owned();
    let stage = format!("{}/stages/{first}", own.pipeline);
    let nobody = Uuid::now_v7().to_string();
    for to in [first.as_str(), foreign.id("stageId"), &nobody, "x"] {
        owner.delete(&format!("{stage}?moveTo={to}")).invalid(&["/moveTo"]).await;
    }
    for to in [first.as_str(), own.id("stageId"), foreign.id("stageId"), &nobody] {
        owner.delete(&format!("{}?moveTo={to}", own.pipeline)).invalid(&["/moveTo"]).await;
    }
    owner.delete(&format!("{stage}?moveto={nobody}")).invalid(&["/moveto"]).await;
    let user = tree.user(shared::auth::Role::ClientUser);
    user.delete(&format!("{stage}?moveTo={}", own.id("stageId"))).problem(403, "forbidden").await;
    let unknown = format!("{}/stages/{nobody}?moveTo={}", own.pipeline, own.id("stageId"));
    owner.delete(&unknown).problem(404, "not_found").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn whoever_dies_while_deals_leave_a_stage_leaves_the_rest_to_others() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let pipeline = pipeline(&shop, "Sales", 1).await;
    let stages = format!("{}/stages", pipeline.location());
    deals(&shop, &stage_id(&pipeline, 0), 0, 45).await;
    let stage = std::cell::RefCell::new(stage_path(&pipeline, 0));
    let begin = async || {
        let next = shop.owner.post(&stages).json(json!({ "name": "Next" })).created().await;
        let gone = stage.replace(next.location().to_owned());
        delete(&shop, &gone, next.id()).is(202).await;
        gone
    };
    let check = async |gone: &str| {
        let mut there = Vec::new();
        let now = stage.borrow().clone();
        for stage in [&now, gone] {
            there.extend(titles(&shop, stage.rsplit('/').next().expect("an id")).await);
        }
        there.sort_unstable();
        assert_eq!(there, numbers(0..45));
    };
    // Taken up, two steps, deleted, ended.
    dies_at_every_write(&world, 5, begin, check).await;
    assert_eq!(shop.owner.get(pipeline.location()).is(200).await.body["stages"].as_array().unwrap().len(), 1);

    // And so whoever deletes a few.
    let few = stage.borrow().clone();
    let id = few.rsplit('/').next().expect("an id").to_owned();
    let listed = whole(&shop.owner, &format!("{}/deals?stageId={id}", shop.spot.client)).await;
    let target = shop.owner.post(&stages).json(json!({ "name": "Last" })).created().await;
    for deal in &listed[..30] {
        let path = format!("{}/deals/{}", shop.spot.client, deal["id"].as_str().expect("an id"));
        shop.owner.delete(&path).is(204).await;
    }
    world.faults().next_writes([Fault::Lost; 50]);
    delete(&shop, &few, target.id()).problem(503, "unavailable").await;
    world.faults().none();
    assert_eq!(titles(&shop, &id).await.len(), 15);
    world.faults().next_writes([Fault::AnswerLost]);
    delete(&shop, &few, target.id()).is(204).await;
    assert_eq!(titles(&shop, target.id()).await.len(), 15);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_at_once_and_users_beside_them_lose_no_deal() {
    let world = World::new().await;
    let shop = world.shop().await;
    let pipeline = pipeline(&shop, "Sales", 3).await;
    let [from, to, other] = [0, 1, 2].map(|at| stage_id(&pipeline, at));
    let here = deals(&shop, &from, 0, 60).await;
    let elsewhere = deals(&shop, &other, 60, 20).await;
    let is_accepted = AtomicBool::new(false);
    let users = async {
        let move_to = |deal: &Answer, stage: &str| {
            shop.owner.post(&format!("{}/move", deal.location())).json(json!({ "stageId": stage }))
        };
        let changes = here.iter().enumerate().map(|(at, deal)| match at % 5 {
            0 => move_to(deal, &other),
            1 => shop.owner.patch(deal.location()).json(json!({ "value": at, "status": "WON" })),
            2 => shop.owner.delete(deal.location()),
            _ => shop.owner.patch(deal.location()).json(json!({ "currency": "EUR" })),
        });
        // Half of those who come are early.
        let comes = |deal| (true, move_to(deal, &from));
        let (early, late) = elsewhere.split_at(10);
        let asks = early.iter().map(comes).chain(changes.map(|ask| (false, ask))).chain(late.iter().map(comes));
        let mut asks = asks.collect::<Vec<_>>().into_iter();
        let mut statuses = BTreeSet::new();
        loop {
            let is_late = is_accepted.load(Ordering::Relaxed);
            let (come, some): (Vec<_>, Vec<_>) = asks.by_ref().take(10).unzip();
            if some.is_empty() {
                break statuses;
            }
            let answers = at_once(some.into_iter().map(|ask| ask.contended().send())).await;
            for (comes, answer) in come.into_iter().zip(answers) {
                assert!(!(comes && is_late) || answer.status == 422, "{answer}");
                statuses.insert(answer.status.as_u16());
            }
        }
    };
    let leave = async {
        delete(&shop, &stage_path(&pipeline, 0), &to).contended().is(202).await;
        is_accepted.store(true, Ordering::Relaxed);
        at_once((0..3).map(|_| world.work_once())).await;
    };
    let (statuses, ()) = tokio::join!(users, leave);
    assert!(statuses.is_subset(&[200, 204, 422].into()), "{statuses:?}");
    for _ in 0..2 {
        world.work().await;
        world.clock().advance(331);
    }
    world.work().await;
    world.clock().advance(-662);
    assert!(in_collection(&world.rows().await, "JOB").is_empty());
    world.assert_whole().await;
    shop.owner.get(&stage_path(&pipeline, 0)).problem(404, "not_found").await;
    let left = [titles(&shop, &to).await, titles(&shop, &other).await].concat();
    let left: BTreeSet<_> = left.into_iter().collect();
    assert_eq!(left, numbers((0..80).filter(|at| *at >= 60 || at % 5 != 2)).into_iter().collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_deals_are_on_their_way_to_a_stage_that_is_left() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..5 {
        let (here, there) = (pipeline(&shop, "Here", 1).await, pipeline(&shop, "There", 2).await);
        let [one, two, three] = [stage_id(&here, 0), stage_id(&there, 0), stage_id(&there, 1)];
        for stage in [&one, &two] {
            deals(&shop, stage, 0, 21).await;
        }
        let asks = [delete(&shop, &stage_path(&here, 0), &two), delete(&shop, &stage_path(&there, 0), &three)];
        let answers = at_once(asks.map(|ask| ask.contended().send())).await;
        match (answers[0].status.as_u16(), answers[1].status.as_u16()) {
            (202, 409) | (422, 202) => {}
            _ => panic!("{} {}", answers[0], answers[1]),
        }
        world.assert_whole().await;
        world.work().await;
        world.assert_whole().await;
        assert!(in_collection(&world.rows().await, "JOB").is_empty());
    }
}

#[tokio::test]
async fn whoever_moves_deals_waits_for_an_index_that_has_not_caught_up() {
    let world = World::new().await;
    let shop = world.shop().await;
    let pipeline = pipeline(&shop, "Sales", 2).await;
    let stage = stage_path(&pipeline, 0);
    deals(&shop, &stage_id(&pipeline, 0), 0, 41).await;
    // One of them is where the index does not show it.
    let hidden = world.rows().await.into_iter().find(|row| row["title"] == "040").expect("the last deal");
    let mut behind = hidden.clone();
    behind["sorted_pk"] = json!("NOWHERE");
    world.put_row(behind).await;
    delete(&shop, &stage, &stage_id(&pipeline, 1)).is(202).await;
    let caught_up = async {
        while titles(&shop, &stage_id(&pipeline, 1)).await.len() < 40 {}
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.put_row(hidden).await;
    };
    tokio::join!(world.work_once(), caught_up);
    shop.owner.get(&stage).problem(404, "not_found").await;
    assert_eq!(titles(&shop, &stage_id(&pipeline, 1)).await, numbers(0..41));
    world.assert_whole().await;
}
