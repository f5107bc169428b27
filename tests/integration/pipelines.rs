//! Pipelines and their stages.

use std::time::Duration;

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::identity::Role;

use crate::paging::walk;

fn pipelines(shop: &SalonFixture<'_>) -> String {
    format!("{}/pipelines", shop.paths.client)
}

fn create<'w>(shop: &SalonFixture<'w>, body: Value) -> RequestBuilder<'w> {
    shop.owner.post(&pipelines(shop)).json(body)
}

fn names(pipeline: &Value) -> Vec<&str> {
    pipeline["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect()
}

fn stage_ids(pipeline: &Value) -> Vec<&str> {
    pipeline["stages"].as_array().unwrap().iter().map(|stage| stage["id"].as_str().unwrap()).collect()
}

fn reorder<'w>(shop: &SalonFixture<'w>, pipeline: &Answer, ids: &[&str]) -> RequestBuilder<'w> {
    let path = format!("{}/stages/order", pipeline.location());
    shop.owner.request(Method::PUT, &path).json(json!({ "stageIds": ids }))
}

#[tokio::test]
async fn pipeline_is_created_read_updated_and_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let stages = json!([{ "name": "First" }, { "name": "Second", "probability": 40 }]);
    let created = create(&shop, json!({ "name": " Renewals ", "stages": stages })).created().await;
    assert_eq!(created.location(), format!("{}/{}", pipelines(&shop), created.id()));
    let first = &created.body["stages"][0];
    assert_eq!(
        first,
        &json!({
            "id": first["id"], "clientId": shop.paths.scope.id(), "pipelineId": created.id(), "name": "First", "order": 0,
            "probability": 0, "movesTo": null, "version": 1, "createdAt": created.body["createdAt"], "updatedAt": created.body["createdAt"],
        })
    );
    assert_eq!((names(&created.body), &created.body["isDefault"]), (vec!["First", "Second"], &json!(false)));
    let read = shop.owner.get(created.location()).is(200).await;
    assert_eq!((&read.body, read.header("etag")), (&created.body, "\"1\""));
    let listed = shop.owner.get(&pipelines(&shop)).is(200).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
    let renamed = shop.owner.patch(created.location()).json(json!({ "name": "Upsells" })).is(200).await;
    assert_eq!((&renamed.body["name"], &renamed.body["version"]), (&json!("Upsells"), &json!(2)));
    shop.owner.delete(created.location()).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    shop.owner.delete(created.location()).is(204).await;
    shop.owner.delete(created.location()).problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn new_pipeline_has_default_stages_unless_stages_are_given() {
    let world = World::new().await;
    let shop = world.shop().await;
    let usual = create(&shop, json!({ "name": "Usual" })).created().await;
    let probabilities = usual.body["stages"].as_array().unwrap().iter().map(|stage| stage["probability"].as_u64());
    assert_eq!(names(&usual.body).len(), 5);
    assert!(probabilities.is_sorted());
    let none = create(&shop, json!({ "name": "Empty", "stages": [] })).created().await;
    assert_eq!(none.body["stages"], json!([]));
    let ordered = json!([{ "name": "B", "order": 2 }, { "name": "A", "order": 1 }]);
    let ordered = create(&shop, json!({ "name": "Ordered", "stages": ordered })).created().await;
    assert_eq!(names(&ordered.body), ["A", "B"]);
}

#[tokio::test]
async fn concurrent_default_changes_leave_one_default_pipeline() {
    let world = World::new().await;
    let shop = world.shop().await;
    // The client's first pipeline is the default without being requested.
    assert_eq!(shop.owner.get(&shop.paths.pipeline).is(200).await.body["isDefault"], true);
    let creates =
        (0..6).map(|n| create(&shop, json!({ "name": format!("P{n}"), "isDefault": true })).contended().send());
    assert!(at_once(creates).await.iter().all(|answer| answer.status == 201));
    world.assert_consistent().await;
    let listed = shop.owner.get(&pipelines(&shop)).is(200).await.body;
    let paths = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}/{}", pipelines(&shop), one["id"].as_str().unwrap()));
    let changes = paths.map(|path| shop.owner.patch(&path).json(json!({ "isDefault": true })).contended().send());
    assert!(at_once(changes).await.iter().all(|answer| answer.status == 200));
    world.assert_consistent().await;
    let listed = shop.owner.get(&pipelines(&shop)).is(200).await.body;
    let default = listed["items"].as_array().unwrap().iter().find(|one| one["isDefault"] == true).unwrap();
    let path = format!("{}/{}", pipelines(&shop), default["id"].as_str().unwrap());
    let rejected = shop.owner.patch(&path).json(json!({ "isDefault": false })).problem(422, "invalid").await;
    assert_eq!(rejected.body["errors"][0]["pointer"], "/isDefault");
}

#[tokio::test]
async fn concurrent_creates_and_deletes_leave_one_default_pipeline() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.paths.deal).is(204).await;
    let mut default = shop.paths.pipeline.clone();
    for _ in 0..20 {
        let [one, other] = [
            create(&shop, json!({ "name": "One" })).created().await,
            create(&shop, json!({ "name": "Other" })).created().await,
        ];
        let make_default = |path: &str| shop.owner.patch(path).json(json!({ "isDefault": true }));
        let new = create(&shop, json!({ "name": "New", "isDefault": true }));
        let changes = (0..7).map(|_| make_default(one.location()));
        let requests = changes.chain([make_default(other.location()), shop.owner.delete(&default), new]);
        // Staggered, so that some requests read while others write.
        let requests = requests.zip(0..).map(async |(request, at)| {
            tokio::time::sleep(Duration::from_millis(3 * at)).await;
            request.contended().send().await
        });
        for answer in at_once(requests).await {
            assert!(
                [200, 201, 204].contains(&answer.status.as_u16()) || answer.body["code"] == "default_pipeline",
                "{answer}"
            );
        }
        world.assert_consistent().await;
        let listed = shop.owner.get(&pipelines(&shop)).is(200).await.body;
        for pipeline in listed["items"].as_array().unwrap() {
            let path = format!("{}/{}", pipelines(&shop), pipeline["id"].as_str().unwrap());
            if pipeline["isDefault"] == true {
                default = path;
            } else {
                shop.owner.delete(&path).is(204).await;
            }
        }
    }
    // The last pipeline is deleted once.
    for _ in 0..20 {
        let answers = at_once((0..3).map(|_| shop.owner.delete(&default).contended().send())).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404, 404]);
        world.assert_consistent().await;
        default = create(&shop, json!({ "name": "First" })).created().await.location().to_owned();
    }
}

#[tokio::test]
async fn default_pipeline_is_deleted_last() {
    let world = World::new().await;
    let shop = world.shop().await;
    let second = create(&shop, json!({ "name": "Second" })).created().await;
    shop.owner.delete(&shop.paths.deal).is(204).await;
    shop.owner.delete(&shop.paths.pipeline).problem(409, "default_pipeline").await;
    shop.owner.delete(second.location()).is(204).await;
    shop.owner.delete(&shop.paths.pipeline).is(204).await;
    world.assert_consistent().await;
    let deal = shop.owner.post(&format!("{}/deals", shop.paths.client)).json(json!({ "title": "Engine" }));
    let rejected = deal.problem(422, "invalid").await;
    assert_eq!(rejected.body["errors"][0]["pointer"], "/stageId");
    assert_eq!(create(&shop, json!({ "name": "First again" })).created().await.body["isDefault"], true);
}

#[tokio::test]
async fn stages_are_created_moved_and_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let created = create(&shop, json!({ "name": "P", "stages": [{ "name": "A" }, { "name": "B" }] })).created().await;
    let stages = format!("{}/stages", created.location());
    let post = |body: Value| shop.owner.post(&stages).json(body);
    let c = post(json!({ "name": "C", "probability": 80 })).created().await;
    let front = post(json!({ "name": "0", "order": 0 })).created().await;
    assert_eq!(
        (&c.body["order"], &front.body["order"], c.location()),
        (&json!(2), &json!(0), &*format!("{stages}/{}", c.id()))
    );
    let read = shop.owner.get(created.location()).is(200).await;
    assert_eq!(names(&read.body), ["0", "A", "B", "C"]);
    let listed = walk(&shop.owner, &stages, 2).await;
    listed.assert_full(2);
    assert_eq!(json!(listed.items), read.body["stages"]);
    let page = shop.owner.get(&format!("{stages}?limit=1")).is(200).await.body;
    let second_page = format!("{stages}?limit=1&cursor={}", page["nextCursor"].as_str().unwrap());
    assert_eq!(names(&json!({ "stages": shop.owner.get(&second_page).is(200).await.body["items"] })), ["A"]);

    // C has a new position by now, and so a new version.
    let current_c = shop.owner.get(c.location()).is(200).await;
    assert_eq!((&current_c.body["version"], &current_c.body["order"]), (&json!(2), &json!(3)));
    shop.owner
        .patch(c.location())
        .json(json!({ "name": "X" }))
        .header("if-match", "\"1\"")
        .problem(412, "precondition_failed")
        .await;
    let moved = shop.owner.patch(c.location()).json(json!({ "order": 1, "probability": 5 })).is(200).await;
    assert_eq!((&moved.body["order"], &moved.body["probability"]), (&json!(1), &json!(5)));
    shop.owner.delete(front.location()).is(204).await;
    shop.owner.get(front.location()).problem(404, "not_found").await;
    // The stage of the first page was deleted, and C has moved: the next page has all others, once.
    let rest = shop.owner.get(&second_page.replace("limit=1", "limit=9")).is(200).await.body;
    assert_eq!(names(&json!({ "stages": rest["items"] })), ["C", "A", "B"]);
    assert_eq!(rest["nextCursor"], json!(null));

    let current = shop.owner.get(created.location()).is(200).await.body;
    assert_eq!(names(&current), ["C", "A", "B"]);
    let mut ids = stage_ids(&current);
    ids.reverse();
    let reordered = reorder(&shop, &created, &ids).is(200).await;
    assert_eq!(names(&reordered.body), ["B", "A", "C"]);
    for wrong in [&ids[1..], &[ids[0], ids[0], ids[1]], &[ids[0], ids[1], ids[2], created.id()]] {
        let problem = reorder(&shop, &created, wrong).problem(422, "invalid").await;
        assert_eq!(problem.body["errors"][0]["pointer"], "/stageIds");
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn stage_or_pipeline_with_deals_is_not_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let deal = shop.owner.get(&shop.paths.deal).is(200).await.body;
    let stage = format!("{}/stages/{}", shop.paths.pipeline, deal["stageId"].as_str().unwrap());
    shop.owner.delete(&stage).problem(409, "not_empty").await;
    shop.owner.delete(&shop.paths.pipeline).problem(409, "not_empty").await;
    // A won deal counts too.
    shop.owner.patch(&shop.paths.deal).json(json!({ "status": "WON" })).is(200).await;
    shop.owner.delete(&stage).problem(409, "not_empty").await;
    shop.owner.delete(&shop.paths.deal).is(204).await;
    shop.owner.delete(&stage).is(204).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_pipeline_fields_are_reported() {
    let world = World::new().await;
    let shop = world.shop().await;
    let stages = json!([{ "name": "A", "probability": 101 }, { "probability": 2.5 }, { "name": "C", "colour": 1 }]);
    let problem = create(&shop, json!({ "name": "", "stages": stages, "isDefault": 1 })).problem(422, "invalid").await;
    let mut at: Vec<_> =
        problem.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    at.sort_unstable();
    assert_eq!(
        at,
        ["/isDefault", "/name", "/stages/0/probability", "/stages/1/name", "/stages/1/probability", "/stages/2/colour"]
    );
    let many: Vec<_> = (0..51).map(|n| json!({ "name": n.to_string() })).collect();
    create(&shop, json!({ "name": "P", "stages": many })).problem(422, "invalid").await;
    let most = create(&shop, json!({ "name": "P", "stages": many[1..] })).created().await;
    shop.owner
        .post(&format!("{}/stages", most.location()))
        .json(json!({ "name": "More" }))
        .problem(409, "too_many_stages")
        .await;
    shop.owner.delete(most.location()).is(204).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn client_user_reads_but_does_not_change_pipelines() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    user.get(&shop.paths.pipeline).is(200).await;
    user.post(&pipelines(&shop)).json(json!({ "name": "P" })).problem(403, "forbidden").await;
    let agency_user = world.user(shop.paths.agency_scope(), Role::AgencyUser).await;
    agency_user.post(&pipelines(&shop)).json(json!({ "name": "P" })).created().await;
}
