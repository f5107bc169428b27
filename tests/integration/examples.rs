//! The example of every request body in the OpenAPI document is accepted.

use harness::mailbox::token;
use harness::operation::{Operation, operations};
use harness::tree::SalonFixture;
use harness::users::TestUser;
use harness::world::{PASSWORD, World, outbox};
use serde_json::{Value, json};

use crate::users::unique_email;

/// The prefix of the ids in examples.
///
/// The last digit represents a path parameter: see [`PARAMETERS`].
const EXAMPLE_ID: &str = "01900000-0000-7000-8000-00000000000";

/// The path parameter for each last digit.
const PARAMETERS: [(char, &str); 15] = [
    ('1', "clientId"),
    ('2', "contactId"),
    ('3', "tagId"),
    ('4', "pipelineId"),
    ('5', "stageId"),
    ('6', "dealId"),
    ('7', "noteId"),
    ('8', "serviceId"),
    ('9', "staffId"),
    ('a', "timeOffId"),
    ('b', "appointmentId"),
    ('c', "userId"),
    ('d', "agencyId"),
    ('e', "tenantId"),
    ('f', "domainId"),
];

#[tokio::test]
async fn examples_of_auth_are_accepted() {
    send_examples("auth").await;
}

#[tokio::test]
async fn examples_of_tenancy_are_accepted() {
    send_examples("tenancy").await;
}

#[tokio::test]
async fn examples_of_users_are_accepted() {
    send_examples("users").await;
}

#[tokio::test]
async fn examples_of_contacts_are_accepted() {
    send_examples("contacts").await;
}

#[tokio::test]
async fn examples_of_deals_are_accepted() {
    send_examples("deals").await;
}

#[tokio::test]
async fn examples_of_appointments_are_accepted() {
    send_examples("appointments").await;
}

/// Sends the example of each operation with this tag, each to a table of its own.
async fn send_examples(tag: &str) {
    let with_body = operations().into_iter().filter(|operation| !operation.described["requestBody"].is_null());
    for operation in with_body.filter(|operation| operation.described["tags"][0] == tag) {
        let (media, example) = operation.example();
        let world = World::new().await;
        let shop = world.shop().await;
        let (user, path, body) = prepare(&world, &shop, &operation, example).await;
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let answer = user.request(operation.method.clone(), &path).body(media, body).send().await;
        assert!(answer.status.is_success(), "{}: {answer}", operation.id);
    }
}

/// The user, the path and the body of the request, with ids and secrets that exist.
async fn prepare<'w>(
    world: &'w World,
    shop: &SalonFixture<'w>,
    operation: &Operation,
    mut body: Value,
) -> (TestUser<'w>, String, Value) {
    let path = operation.at(&shop.paths);
    match operation.id.as_str() {
        "login" => {
            create_user(shop, "clients", json!(body["email"]), json!(body["password"])).await;
            return (world.anonymous(), path, body);
        }
        "refresh" => body["refreshToken"] = shop.owner.session["refreshToken"].clone(),
        "acceptInvitation" => body["token"] = json!(mailed_token(world, &invite(shop).await).await),
        "resetPassword" => {
            let email = json!({ "email": shop.owner.email() });
            world.anonymous().post("/v1/auth/password/forgot").json(email).is(202).await;
            body["token"] = json!(mailed_token(world, shop.owner.email()).await);
        }
        "changePassword" => {
            body["currentPassword"] = json!(PASSWORD);
            return (shop.owner.clone(), path, body);
        }
        "updateAgencyUser" => return (shop.admin.clone(), active_user(shop, "agencies").await, body),
        "updateClientUser" => return (shop.admin.clone(), active_user(shop, "clients").await, body),
        "reorderStages" => {
            let stages = shop.admin.get(&path.replace("/order", "")).is(200).await.body;
            let ids = stages["items"].as_array().unwrap().iter().map(|stage| stage["id"].clone());
            body["stageIds"] = ids.collect();
        }
        _ => {}
    }
    (shop.admin.clone(), path, with_ids(shop, &body))
}

fn with_ids(shop: &SalonFixture<'_>, body: &Value) -> Value {
    let text = PARAMETERS.iter().fold(body.to_string(), |text, (digit, parameter)| {
        text.replace(&format!("{EXAMPLE_ID}{digit}"), shop.paths.id(parameter))
    });
    serde_json::from_str(&text).unwrap()
}

async fn create_user(shop: &SalonFixture<'_>, level: &str, email: Value, password: Value) -> String {
    let home = if level == "agencies" { &shop.paths.agency } else { &shop.paths.client };
    let user = json!({ "email": email, "firstName": "Ada", "lastName": "Lovelace", "password": password });
    shop.admin.post(&format!("{home}/users")).json(user).created().await.location().to_owned()
}

async fn active_user(shop: &SalonFixture<'_>, level: &str) -> String {
    create_user(shop, level, json!(unique_email()), json!(PASSWORD)).await
}

async fn invite(shop: &SalonFixture<'_>) -> String {
    let email = unique_email();
    create_user(shop, "clients", json!(email), Value::Null).await;
    email
}

async fn mailed_token(world: &World, email: &str) -> String {
    world.deliver().await;
    token(outbox().mails_to(email).last().expect("a mail")).to_owned()
}
