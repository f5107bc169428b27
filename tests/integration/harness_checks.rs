//! Checks of the harness: it detects handlers that are wrong on purpose.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::routing::get;
use harness::users::TestUser;
use harness::world::World;
use lambda_http::http::StatusCode;
use serde_json::json;
use shared::identity::{ClientScope, Role};
use uuid::Uuid;

const LIST: &str = "/v1/clients/{clientId}/contacts";

/// Creates a client without contacts.
///
/// Returns its scope, a user of the client and the path of its contacts.
async fn client(world: &World) -> (ClientScope, TestUser<'_>, String) {
    let admin = world.admin().await;
    let create = async |collection: &str| {
        let created = admin.post(collection).json(json!({ "name": "Northwind" })).created().await;
        (created.location().to_owned(), created.id().to_owned())
    };
    let (tenant, tenant_id) = create("/v1/tenants").await;
    let (agency, agency_id) = create(&format!("{tenant}/agencies")).await;
    let (client, client_id) = create(&format!("{agency}/clients")).await;
    let platform = world.operator().platform();
    let agency = platform.tenant(tenant_id.parse().unwrap()).agency(agency_id.parse().unwrap());
    let scope = agency.client(client_id.parse().unwrap());
    (scope, world.user(scope, Role::ClientUser).await, format!("{client}/contacts"))
}

fn key(partition: &str) -> HashMap<String, AttributeValue> {
    [("pk", partition), ("sk", "x")].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into()
}

async fn read(client: &Client, table: &str, partition: &str) -> StatusCode {
    client.get_item().table_name(table).set_key(Some(key(partition))).send().await.unwrap();
    StatusCode::OK
}

#[tokio::test]
#[should_panic(expected = "outside the caller's home")]
async fn read_of_another_clients_row_is_detected() {
    let foreign = format!("T#{0}#A#{0}#C#{0}#CONTACT", Uuid::now_v7());
    let world = World::with_module("contacts", |client, table| {
        Router::new().route(LIST, get(|| async move { read(&client, &table, &foreign).await }))
    });
    let world = world.await;
    let (_, user, contacts) = client(&world).await;
    user.get(&contacts).send().await;
}

#[tokio::test]
#[should_panic(expected = "Scan: reaches beyond named keys")]
async fn scan_is_detected() {
    let world = World::with_module("contacts", |client, table| {
        let scan = async move || {
            client.scan().table_name(&table).send().await.unwrap();
            StatusCode::OK
        };
        Router::new().route(LIST, get(scan))
    });
    let world = world.await;
    let (_, user, contacts) = client(&world).await;
    user.get(&contacts).send().await;
}

#[tokio::test]
#[should_panic(expected = "no statement allows it")]
async fn call_denied_by_the_policy_is_detected() {
    let world = World::with_module("contacts", |client, table| {
        Router::new().route(LIST, get(|| async move { read(&client, &table, "GLOBAL#EMAIL#x").await }))
    });
    let world = world.await;
    let (_, user, contacts) = client(&world).await;
    user.get(&contacts).send().await;
}

#[tokio::test]
#[should_panic(expected = "4 round trips instead of 3")]
async fn exceeded_round_trip_budget_is_detected() {
    let world = World::with_module("contacts", |client, table| {
        let too_often = async move |path: axum::extract::Path<String>| {
            for _ in 0..4 {
                read(&client, &table, &format!("GLOBAL#CLIENT#{}", path.0)).await;
            }
            StatusCode::OK
        };
        Router::new().route(LIST, get(too_often))
    });
    let world = world.await;
    let (_, user, contacts) = client(&world).await;
    user.get(&contacts).send().await;
}

#[tokio::test]
#[should_panic(expected = "passwordHash")]
async fn stored_attribute_in_an_answer_is_detected() {
    let world =
        World::with_module("contacts", |_, _| Router::new().route(LIST, get(|| async { "{\"passwordHash\":1}" })));
    let world = world.await;
    let (_, user, contacts) = client(&world).await;
    user.get(&contacts).send().await;
}

#[tokio::test]
async fn correct_handler_passes() {
    let world = World::with_module("contacts", |client, table| {
        let own = async move |path: axum::extract::Path<String>| {
            read(&client, &table, &format!("GLOBAL#CLIENT#{}", path.0)).await
        };
        Router::new().route(LIST, get(own))
    });
    let world = world.await;
    let (_, user, contacts) = client(&world).await;
    let answer = user.get(&contacts).is(200).await;
    assert_eq!(answer.operations(), ["GetItem"]);
}
