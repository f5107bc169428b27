//! Deleted users are removed from the deals that are assigned to them.

use harness::users::TestUser;
use harness::world::World;
use serde_json::{Value, json};
use shared::identity::Role;

/// Creates a deal that is assigned to a user.
async fn assigned_deal(owner: &TestUser<'_>, client: &str, user: &str) -> String {
    let deal = json!({ "title": "Engine", "assignedToId": user });
    owner.post(&format!("{client}/deals")).json(deal).created().await.location().to_owned()
}

async fn assignee(owner: &TestUser<'_>, deal: &str) -> Value {
    owner.get(deal).is(200).await.body["assignedToId"].clone()
}

/// Runs the job, and its second pass when the index has caught up.
async fn run_both_passes(world: &World) {
    world.run_jobs().await;
    world.clock().advance(61);
    world.run_jobs().await;
    let jobs = world.rows().await.into_iter().filter(|row| row["pk"].as_str().unwrap().ends_with("#JOB"));
    assert_eq!(jobs.count(), 0, "no job is left");
}

#[tokio::test]
async fn deleted_user_of_a_client_is_removed_from_all_deals_with_a_history_entry() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (owner, client) = (&shop.owner, &shop.paths.client);
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let mut deals = Vec::new();
    for _ in 0..45 {
        deals.push(assigned_deal(owner, client, user.id()).await);
    }
    let others = assigned_deal(owner, client, owner.id()).await;
    owner.delete(&format!("{client}/users/{}", user.id())).is(204).await;
    run_both_passes(&world).await;
    for deal in &deals {
        assert_eq!(assignee(owner, deal).await, Value::Null);
    }
    assert_eq!(assignee(owner, &others).await, owner.id());
    let history = owner.get(&format!("{}/history", deals[0])).is(200).await;
    let change = json!([{ "field": "assignedToId", "from": user.id(), "to": null }]);
    let last = history.body["items"].as_array().unwrap().iter().find(|entry| entry["version"] == 2).unwrap();
    assert_eq!((&last["changes"], &last["changedById"]), (&change, &json!(owner.id())));
    world.assert_consistent().await;
}

#[tokio::test]
async fn deleted_user_of_an_agency_is_removed_in_each_of_its_clients() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, admin) = (tree.own(), world.admin().await);
    let user = world.user(own.agency_scope, Role::AgencyUser).await;
    let clients = admin.get(&format!("{}/clients", own.agency)).is(200).await;
    let clients: Vec<_> = clients.body["items"].as_array().unwrap().iter().map(|client| client["id"].clone()).collect();
    let client = |index: usize| format!("/v1/clients/{}", clients[index].as_str().unwrap());
    assert!(clients.len() >= 2, "{clients:?}");
    let more = json!({ "name": "Third", "timeZone": "UTC" });
    let third = admin.post(&format!("{}/clients", own.agency)).json(more).created().await.location().to_owned();
    let stages = json!({ "name": "Sales", "stages": [{ "name": "New", "probability": 10 }] });
    admin.post(&format!("{third}/pipelines")).json(stages).created().await;
    // The client between the two has no deals of the user.
    let deals = [
        assigned_deal(&admin, &client(0), user.id()).await,
        assigned_deal(&admin, &client(0), user.id()).await,
        assigned_deal(&admin, &third, user.id()).await,
    ];
    admin.delete(&format!("{}/users/{}", own.agency, user.id())).is(204).await;
    world.run_single_steps(&[]).await;
    run_both_passes(&world).await;
    for deal in &deals {
        assert_eq!(assignee(&admin, deal).await, Value::Null);
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn deal_that_was_assigned_to_another_user_meanwhile_is_not_changed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let deal = assigned_deal(&shop.owner, &shop.paths.client, user.id()).await;
    shop.owner.delete(&format!("{}/users/{}", shop.paths.client, user.id())).is(204).await;
    shop.owner.patch(&deal).json(json!({ "assignedToId": shop.owner.id() })).is(200).await;
    run_both_passes(&world).await;
    let kept = shop.owner.get(&deal).is(200).await;
    assert_eq!((&kept.body["assignedToId"], &kept.body["version"]), (&json!(shop.owner.id()), &json!(2)));
}

#[tokio::test]
async fn deleted_user_cannot_be_assigned() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    shop.owner.delete(&format!("{}/users/{}", shop.paths.client, user.id())).is(204).await;
    let deal = json!({ "title": "Engine", "assignedToId": user.id() });
    shop.owner.post(&format!("{}/deals", shop.paths.client)).json(deal).invalid(&["/assignedToId"]).await;
    shop.owner.patch(&shop.paths.deal).json(json!({ "assignedToId": user.id() })).invalid(&["/assignedToId"]).await;
}
