//! Deals, their positions, notes and history, and the board.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};
use shared::identity::Role;
use uuid::Uuid;

use crate::contact_jobs::{dies_at_every_write, in_collection};
use crate::paging::{ids, list_all, walk};

fn deals(shop: &SalonFixture<'_>) -> String {
    format!("{}/deals", shop.paths.client)
}

fn create<'w>(shop: &SalonFixture<'w>, body: Value) -> RequestBuilder<'w> {
    shop.owner.post(&deals(shop)).json(body)
}

/// Stage ids of the first pipeline.
async fn stages(shop: &SalonFixture<'_>) -> Vec<String> {
    let pipeline = shop.owner.get(&shop.paths.pipeline).is(200).await.body;
    pipeline["stages"].as_array().unwrap().iter().map(|stage| stage["id"].as_str().unwrap().to_owned()).collect()
}

async fn board(shop: &SalonFixture<'_>, limit: usize) -> Value {
    shop.owner.get(&format!("{}/board?limit={limit}", shop.paths.pipeline)).is(200).await.body
}

fn titles(deals: &Value) -> Vec<&str> {
    deals.as_array().unwrap().iter().map(|deal| deal["title"].as_str().unwrap()).collect()
}

fn move_deal<'w>(shop: &SalonFixture<'w>, deal: &str, stage: &str, after: Option<&str>) -> RequestBuilder<'w> {
    let mut to = json!({ "stageId": stage });
    if let Some(after) = after {
        to["afterDealId"] = json!(after);
    }
    shop.owner.post(&format!("{deal}/move")).json(to)
}

fn pointers(problem: &Answer) -> Vec<&str> {
    problem.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn deal_can_be_created_read_changed_and_deleted() {
    let world = World::new().await;
    let shop = world.shop().await;
    let stages = stages(&shop).await;
    let body = json!({
        "title": " Engine ", "value": 1250.5, "currency": "EUR", "stageId": stages[1], "contactId": shop.paths.id("contactId"),
        "assignedToId": shop.owner.id(), "expectedCloseDate": "2026-12-24",
    });
    let made = create(&shop, body).created().await;
    assert_eq!(made.location(), format!("{}/{}", deals(&shop), made.id()));
    assert_eq!(
        made.body,
        json!({
            "id": made.id(), "clientId": shop.paths.scope.id(), "title": "Engine", "value": 1250.5, "currency": "EUR",
            "stageId": stages[1], "pipelineId": shop.paths.id("pipelineId"), "contactId": shop.paths.id("contactId"),
            "assignedToId": shop.owner.id(), "status": "OPEN", "lostReason": null, "expectedCloseDate": "2026-12-24",
            "position": made.body["position"], "closedAt": null, "version": 1, "createdAt": made.body["createdAt"],
            "updatedAt": made.body["createdAt"],
        })
    );
    let read = shop.owner.get(made.location()).is(200).await;
    assert_eq!((&read.body, read.header("etag")), (&made.body, "\"1\""));
    shop.owner.get(made.location()).header("if-none-match", "\"1\"").is(304).await;
    let patch = |body: Value| shop.owner.patch(made.location()).json(body);
    patch(json!({ "title": "X" })).header("if-match", "\"2\"").problem(412, "precondition_failed").await;
    let changed = patch(json!({ "title": "Mill", "value": null, "contactId": null })).is(200).await;
    assert_eq!(
        (&changed.body["title"], &changed.body["value"], &changed.body["version"]),
        (&json!("Mill"), &json!(null), &json!(2))
    );
    world.assert_consistent().await;
    shop.owner.delete(made.location()).is(204).await;
    shop.owner.delete(made.location()).problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn pipeline_stage_and_currency_of_a_deal_have_defaults() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.paths.client).json(json!({ "currency": "JPY" })).is(200).await;
    let made = create(&shop, json!({ "title": "Engine" })).created().await;
    let stages = stages(&shop).await;
    assert_eq!((&made.body["stageId"], &made.body["currency"]), (&json!(stages[0]), &json!("JPY")));
    let problem = create(&shop, json!({ "title": "Engine", "value": 0.5 })).problem(422, "invalid").await;
    assert_eq!(pointers(&problem), ["/value"]);
    let other = json!({ "name": "Other", "stages": [{ "name": "Only" }] });
    let other = shop.owner.post(&format!("{}/pipelines", shop.paths.client)).json(other).created().await;
    let made = create(&shop, json!({ "title": "Engine", "pipelineId": other.id() })).created().await;
    assert_eq!(made.body["stageId"], other.body["stages"][0]["id"]);
    let mixed = create(&shop, json!({ "title": "Engine", "pipelineId": other.id(), "stageId": stages[0] }));
    assert_eq!(pointers(&mixed.problem(422, "invalid").await), ["/stageId"]);
    shop.owner.patch(&shop.paths.deal).json(json!({ "value": null, "currency": "EUR" })).is(200).await;
    let reset = shop.owner.patch(&shop.paths.deal).json(json!({ "currency": null })).is(200).await;
    assert_eq!(reset.body["currency"], "JPY");
    // Changing only the pipeline selects its first stage; changing only the stage selects its pipeline.
    let moved = shop.owner.patch(&shop.paths.deal).json(json!({ "pipelineId": other.id() })).is(200).await;
    assert_eq!(moved.body["stageId"], other.body["stages"][0]["id"]);
    let back = shop.owner.patch(&shop.paths.deal).json(json!({ "stageId": stages[2] })).is(200).await;
    assert_eq!(back.body["pipelineId"], shop.paths.id("pipelineId"));
    world.assert_consistent().await;
}

#[tokio::test]
async fn closing_sets_closed_at_and_reopening_clears_it() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = |body: Value| shop.owner.patch(&shop.paths.deal).json(body);
    let won = patch(json!({ "status": "WON" })).is(200).await.body;
    assert_eq!(won["closedAt"], won["updatedAt"]);
    let renamed = patch(json!({ "title": "Mill" })).is(200).await.body;
    assert_eq!(renamed["closedAt"], won["closedAt"]);
    let lost = patch(json!({ "status": "LOST", "lostReason": "Too dear" })).is(200).await.body;
    assert_eq!((&lost["closedAt"], &lost["lostReason"]), (&lost["updatedAt"], &json!("Too dear")));
    let open = patch(json!({ "status": "OPEN" })).is(200).await.body;
    assert_eq!((&open["closedAt"], &open["lostReason"]), (&json!(null), &json!(null)));
    let problem = patch(json!({ "lostReason": "Too dear" })).problem(422, "invalid").await;
    assert_eq!(pointers(&problem), ["/lostReason"]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn references_to_another_client_are_rejected() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, foreign) = (tree.own(), tree.sibling());
    let owner = tree.user(Role::ClientAdmin);
    let post = |body: Value| owner.post(&format!("{}/deals", own.client)).json(body);
    for (name, value) in [
        ("stageId", foreign.id("stageId")),
        ("pipelineId", foreign.id("pipelineId")),
        ("contactId", foreign.id("contactId")),
        ("assignedToId", foreign.id_in("/v1/clients/", "userId")),
    ] {
        let problem = post(json!({ "title": "Engine", name: value })).problem(422, "invalid").await;
        assert_eq!(pointers(&problem), [format!("/{name}")]);
        let problem = owner.patch(&own.deal).json(json!({ name: value })).problem(422, "invalid").await;
        assert_eq!(pointers(&problem), [format!("/{name}")]);
    }
    let unknown_id = Uuid::now_v7();
    let problem = post(json!({ "title": "Engine", "contactId": unknown_id, "assignedToId": unknown_id }))
        .problem(422, "invalid")
        .await;
    let mut reported = pointers(&problem);
    reported.sort_unstable();
    assert_eq!(reported, ["/assignedToId", "/contactId"]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_deal_reports_every_error() {
    let world = World::new().await;
    let shop = world.shop().await;
    let unknown_id = Uuid::now_v7();
    let target = json!({ "stageId": unknown_id, "afterDealId": unknown_id });
    shop.owner.post(&format!("{}/move", shop.paths.deal)).json(target).invalid(&["/stageId", "/afterDealId"]).await;
    let invalid = json!({ "title": "Engine", "value": 0.005, "lostReason": "Too dear", "stageId": unknown_id });
    for request in [shop.owner.post(&deals(&shop)), shop.owner.patch(&shop.paths.deal)] {
        request.json(invalid.clone()).invalid(&["/value", "/lostReason", "/stageId"]).await;
    }
}

#[tokio::test]
async fn default_stage_survives_a_concurrent_stage_deletion() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..20 {
        let pipeline = json!({ "name": "Sales", "stages": [{ "name": "First" }, { "name": "Second" }] });
        let pipeline = shop.owner.post(&format!("{}/pipelines", shop.paths.client)).json(pipeline).created().await;
        let first = pipeline.body["stages"][0]["id"].as_str().unwrap();
        let first = shop.owner.delete(&format!("{}/stages/{first}", pipeline.location()));
        let new = || create(&shop, json!({ "title": "Engine", "pipelineId": pipeline.id() }));
        let moved = shop.owner.patch(&shop.paths.deal).json(json!({ "pipelineId": pipeline.id() }));
        let answers = at_once([first, new(), moved, new()].map(|request| request.contended().send())).await;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert!([204, 409].contains(&statuses[0]) && statuses[1..] == [201, 200, 201], "{statuses:?}");
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn every_user_with_access_to_the_client_can_be_assignee() {
    let world = World::new().await;
    let tree = world.tree().await;
    let owner = tree.user(Role::ClientAdmin);
    let deal = |id: &str| {
        owner.post(&format!("{}/deals", tree.own().client)).json(json!({ "title": "Engine", "assignedToId": id }))
    };
    for (_, user) in &tree.users {
        let made = deal(user.id()).header("idempotency-key", user.id()).created().await;
        assert_eq!(made.body["assignedToId"], user.id());
        let replayed = deal(user.id()).header("idempotency-key", user.id()).is(201).await;
        assert_eq!((&replayed.body, replayed.header("idempotency-replayed")), (&made.body, "true"));
    }
    let disabled = world.user(tree.own().scope, Role::ClientUser).await;
    world.set_status(&disabled, "DISABLED").await;
    assert_eq!(pointers(&deal(disabled.id()).problem(422, "invalid").await), ["/assignedToId"]);
}

#[tokio::test]
async fn deal_can_be_moved_within_and_between_stages() {
    let world = World::new().await;
    let shop = world.shop().await;
    let stages = stages(&shop).await;
    let mut made = Vec::new();
    for title in ["A", "B", "C", "D"] {
        made.push(create(&shop, json!({ "title": title, "stageId": stages[1] })).created().await);
    }
    let order = async || titles(&board(&shop, 10).await["stages"][1]["deals"]).join("");
    assert_eq!(order().await, "ABCD");
    let to = |deal: usize, stage: &str, after: Option<usize>| {
        move_deal(&shop, made[deal].location(), stage, after.map(|at| made[at].id()))
    };
    let moved = to(3, &stages[1], Some(0)).is(200).await;
    assert_eq!((order().await, &moved.body["version"], moved.header("etag")), ("ADBC".to_owned(), &json!(2), "\"2\""));
    to(2, &stages[1], None).is(200).await;
    assert_eq!(order().await, "CADB");
    to(2, &stages[1], Some(1)).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    to(2, &stages[1], Some(1)).is(200).await;
    assert_eq!(order().await, "ADBC");
    to(0, &stages[2], None).is(200).await;
    assert_eq!(order().await, "DBC");
    for (stage, after) in [(&stages[1], Some(0)), (&stages[2], Some(0))] {
        assert_eq!(pointers(&to(0, stage, after).problem(422, "invalid").await), ["/afterDealId"]);
    }
    let unknown_id = Uuid::now_v7().to_string();
    assert_eq!(
        pointers(&move_deal(&shop, made[0].location(), &unknown_id, None).problem(422, "invalid").await),
        ["/stageId"]
    );
    world.assert_consistent().await;
}

#[tokio::test]
async fn board_totals_are_exact_and_the_list_continues_its_cursor() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.paths.deal).is(204).await;
    let stages = stages(&shop).await;
    for (title, value, currency, status) in [
        ("A", json!(0.1), "USD", "OPEN"),
        ("B", json!(0.2), "USD", "OPEN"),
        ("C", json!(7), "JPY", "OPEN"),
        ("D", json!(5), "USD", "WON"),
        ("E", json!(null), "EUR", "OPEN"),
        ("F", json!(999_999_999_999_999_i64), "KWD", "OPEN"),
        ("G", json!(999_999_999_999.999), "KWD", "OPEN"),
    ] {
        let body =
            json!({ "title": title, "value": value, "currency": currency, "status": status, "stageId": stages[0] });
        create(&shop, body).created().await;
    }
    let answer = shop.owner.get(&format!("{}/board?limit=2", shop.paths.pipeline)).is(200).await;
    let column = &answer.body["stages"][0];
    assert_eq!((&column["count"], titles(&column["deals"])), (&json!(6), vec!["A", "B"]));
    assert_eq!(column["stage"]["id"], stages[0]);
    // Compared as text: the largest value has more digits than a binary floating-point number holds.
    assert!(answer.text.contains(
        r#""totals":[{"currency":"EUR","value":0,"weighted":0},{"currency":"JPY","value":7,"weighted":0.7},{"currency":"KWD","value":1000999999999998.999,"weighted":100099999999999.8999},{"currency":"USD","value":0.3,"weighted":0.03}]"#
    ), "{}", answer.text);
    let rest = format!(
        "{}?stageId={}&status=OPEN&limit=3&cursor={}",
        deals(&shop),
        stages[0],
        column["nextCursor"].as_str().unwrap()
    );
    let rest = shop.owner.get(&rest).is(200).await.body;
    assert_eq!(titles(&rest["items"]), ["C", "E", "F"]);
    assert_eq!(
        (&answer.body["stages"][1]["count"], &answer.body["stages"][1]["nextCursor"]),
        (&json!(0), &json!(null))
    );
    let board_with_cursor = format!("{}/board?cursor={}", shop.paths.pipeline, column["nextCursor"].as_str().unwrap());
    shop.owner.get(&board_with_cursor).problem(400, "invalid_cursor").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn deals_are_listed_by_single_and_combined_filters() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.delete(&shop.paths.deal).is(204).await;
    let stages = stages(&shop).await;
    let contact = shop.paths.id("contactId");
    let mut made = Vec::new();
    for at in 0..12 {
        let body = json!({
            "title": format!("D{at:02}"), "stageId": stages[at % 2], "contactId": (at % 3 == 0).then_some(contact),
            "assignedToId": (at % 4 == 0).then_some(shop.owner.id()), "status": if at < 6 { "OPEN" } else { "LOST" },
        });
        made.push(create(&shop, body).created().await);
    }
    let list = async |query: &str| {
        let path = if query.is_empty() { deals(&shop) } else { format!("{}?{query}", deals(&shop)) };
        let found = walk(&shop.owner, &path, 2).await;
        let mut titles: Vec<_> =
            found.items.iter().map(|deal| deal["title"].as_str().unwrap()[1..].parse::<usize>().unwrap()).collect();
        titles.sort_unstable();
        titles
    };
    let expected = |matches: fn(usize) -> bool| (0..12).filter(|at| matches(*at)).collect::<Vec<_>>();
    let stage = format!("stageId={}", stages[1]);
    let (by_contact, by_user) = (format!("contactId={contact}"), format!("assignedToId={}", shop.owner.id()));
    assert_eq!(list("").await, expected(|_| true));
    assert_eq!(list(&stage).await, expected(|at| at % 2 == 1));
    assert_eq!(list(&format!("{stage}&status=OPEN")).await, expected(|at| at % 2 == 1 && at < 6));
    assert_eq!(list(&by_contact).await, expected(|at| at % 3 == 0));
    assert_eq!(list(&by_user).await, expected(|at| at % 4 == 0));
    assert_eq!(list("status=LOST").await, expected(|at| at >= 6));
    assert_eq!(list(&format!("{by_contact}&{by_user}")).await, [0]);
    assert_eq!(list(&format!("{stage}&{by_contact}&status=LOST")).await, [9]);
    assert_eq!(list(&format!("pipelineId={}", shop.paths.id("pipelineId"))).await, expected(|_| true));
    assert_eq!(list(&format!("pipelineId={}", Uuid::now_v7())).await, Vec::<usize>::new());
    let since = made[4].body["updatedAt"].as_str().unwrap();
    assert!(list(&format!("updatedSince={since}")).await.len() >= 8);
    let problem = shop.owner.get(&format!("{}?status=open&stage=1", deals(&shop))).problem(422, "invalid").await;
    assert_eq!(pointers(&problem).len(), 2);
}

#[tokio::test]
async fn deal_history_records_author_time_and_fields() {
    let world = World::new().await;
    let shop = world.shop().await;
    let made = create(&shop, json!({ "title": "Engine", "value": 10 })).created().await;
    let stages = stages(&shop).await;
    shop.admin.patch(made.location()).json(json!({ "value": 12.5, "assignedToId": shop.owner.id() })).is(200).await;
    shop.owner.patch(made.location()).json(json!({ "title": "Mill" })).is(200).await;
    move_deal(&shop, made.location(), &stages[1], None).is(200).await;
    let last = shop.owner.patch(made.location()).json(json!({ "status": "WON" })).is(200).await;
    let history = format!("{}/history", made.location());
    let changes = walk(&shop.owner, &history, 1).await.items;
    let authors: Vec<_> = changes
        .iter()
        .map(|change| (change["version"].as_u64().unwrap(), change["changedById"].as_str().unwrap()))
        .collect();
    let (owner, admin) = (shop.owner.id(), shop.admin.id());
    assert_eq!(authors, [(1, owner), (2, admin), (4, owner), (5, owner)]);
    assert_eq!(
        changes[1]["changes"],
        json!([
            { "field": "value", "from": 10, "to": 12.5 }, { "field": "assignedToId", "from": null, "to": owner },
        ])
    );
    assert_eq!(changes[2]["changes"], json!([{ "field": "stageId", "from": stages[0], "to": stages[1] }]));
    assert_eq!(changes[3]["changes"], json!([{ "field": "status", "from": "OPEN", "to": "WON" }]));
    assert_eq!(changes[3]["changedAt"], last.body["updatedAt"]);
    shop.owner.delete(made.location()).is(204).await;
    shop.owner.get(&history).problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn note_can_be_managed_and_is_deleted_with_its_deal() {
    let world = World::new().await;
    let shop = world.shop().await;
    let notes = format!("{}/notes", shop.paths.deal);
    let made = shop.owner.post(&notes).json(json!({ "content": "Line one\r\nline two" })).created().await;
    assert_eq!(
        made.body,
        json!({
            "id": made.id(), "clientId": shop.paths.scope.id(), "dealId": shop.paths.id("dealId"), "authorId": shop.owner.id(),
            "content": "Line one\nline two", "version": 1, "createdAt": made.body["createdAt"], "updatedAt": made.body["createdAt"],
        })
    );
    assert_eq!(shop.owner.get(made.location()).is(200).await.body, made.body);
    assert_eq!(ids(&list_all(&shop.owner, &notes).await).len(), 2);
    let changed = shop.owner.patch(made.location()).json(json!({ "content": "x".repeat(10_000) })).is(200).await;
    assert_eq!(changed.body["version"], 2);
    for invalid in [json!("x".repeat(10_001)), json!(" \n "), json!(null), json!(7)] {
        let problem = shop.owner.post(&notes).json(json!({ "content": invalid })).problem(422, "invalid").await;
        assert_eq!(pointers(&problem), ["/content"]);
    }
    shop.owner.delete(made.location()).is(204).await;
    shop.owner.get(made.location()).problem(404, "not_found").await;
    shop.owner.delete(&shop.paths.deal).is(204).await;
    shop.owner.get(&notes).problem(404, "not_found").await;
    assert_eq!(child_rows(&world, shop.paths.id("dealId")).await, 0);
    world.assert_consistent().await;
}

/// Counts the note and history rows of a deal.
async fn child_rows(world: &World, deal: &str) -> usize {
    let rows = world.rows().await;
    ["NOTE", "HISTORY"].map(|kind| in_collection(&rows, &format!("DEAL#{deal}#{kind}")).len()).into_iter().sum()
}

#[tokio::test]
async fn note_created_during_deal_deletion_is_deleted_too() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut created = 0;
    for _ in 0..20 {
        let deal = create(&shop, json!({ "title": "Engine" })).created().await;
        let note = || shop.owner.post(&format!("{}/notes", deal.location())).json(json!({ "content": "Call." }));
        let requests = [note(), shop.owner.delete(deal.location()), note(), note()];
        let answers = at_once(requests.map(|request| request.contended().send())).await;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert!(statuses[1] == 204 && statuses.iter().all(|status| [201, 204, 404].contains(status)), "{statuses:?}");
        created += statuses.iter().filter(|status| **status == 201).count();
        world.assert_consistent().await;
        world.run_jobs().await;
        assert_eq!(child_rows(&world, deal.id()).await, 0);
    }
    assert!(created > 0);
    world.assert_consistent().await;
}

#[tokio::test]
async fn crash_while_deleting_notes_of_a_deal_is_recovered() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let begin = async || {
        let deal = create(&shop, json!({ "title": "Engine" })).created().await;
        let note = shop.owner.post(&format!("{}/notes", deal.location())).json(json!({ "content": "Call." }));
        let note = note.created().await;
        let mut row = world.rows().await.into_iter().find(|row| row["sk"] == note.id()).expect("the note");
        for _ in 0..89 {
            row["sk"] = json!(Uuid::now_v7());
            row["id"] = row["sk"].clone();
            world.put_row(row.clone()).await;
        }
        shop.owner.delete(deal.location()).is(204).await;
        assert_eq!(child_rows(&world, deal.id()).await, 50);
        let remaining_note = format!("{}/notes/{}", deal.location(), row["id"].as_str().unwrap());
        shop.owner.delete(&remaining_note).problem(404, "not_found").await;
        deal.id().to_owned()
    };
    let check = async |deal: &str| {
        let deal = format!("{}/{deal}", deals(&shop));
        shop.owner.get(&format!("{deal}/notes")).problem(404, "not_found").await;
        shop.owner.post(&format!("{deal}/notes")).json(json!({ "content": "Call." })).problem(404, "not_found").await;
    };
    // Writes: lease, two steps, end.
    dies_at_every_write(&world, 4, begin, check).await;
    let remaining = in_collection(&world.rows().await, "NOTE").len();
    assert_eq!(remaining, list_all(&shop.owner, &format!("{}/notes", shop.paths.deal)).await.len());
}

#[tokio::test]
async fn deleted_contact_is_removed_from_its_deals_immediately() {
    let world = World::new().await;
    let shop = world.shop().await;
    let contact = shop.paths.id("contactId");
    let made =
        (0..30).map(|n| create(&shop, json!({ "title": n.to_string(), "contactId": contact })).contended().send());
    let made = at_once(made).await;
    shop.owner.delete(&shop.paths.contact).is(204).await;
    let deal = shop.owner.get(made[0].location()).is(200).await;
    assert_eq!((&deal.body["contactId"], &deal.body["version"]), (&json!(null), &json!(2)));
    // A change in the meantime also removes the reference to the contact.
    let patch = shop.owner.patch(made[0].location()).json(json!({ "value": 1 }));
    patch.header("if-match", "\"2\"").is(200).await;
    world.assert_consistent().await;
    let column = &board(&shop, 50).await["stages"][0];
    assert!(column["deals"].as_array().unwrap().iter().all(|deal| deal["contactId"].is_null()));
    world.run_jobs().await;
    world.assert_consistent().await;
}
