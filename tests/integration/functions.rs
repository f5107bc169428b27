//! The compiled functions, as deployed, behind the Lambda Runtime API.

use harness::faults::Fault;
use harness::users::Answer;
use harness::world::{PASSWORD, World};
use serde_json::{Value, json};

/// Log lines of a request. Every line is a JSON object.
fn log_lines(world: &World, answer: &Answer) -> Vec<Value> {
    let printed = world.function_logs();
    let lines = printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")));
    lines.filter(|line: &Value| line["request_id"] == answer.header("x-request-id")).collect()
}

/// The only log line of a request.
fn log_line(world: &World, answer: &Answer) -> Value {
    let mut lines = log_lines(world, answer);
    assert_eq!(lines.len(), 1, "{lines:?} for {answer}");
    lines.remove(0)
}

#[tokio::test]
async fn compiled_functions_serve_sign_in_and_contact_requests() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    let person = json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" });
    let contact = shop.owner.post(&shop.contacts).json(person).created().await;
    assert_eq!(shop.owner.get(contact.location()).is(200).await.body, contact.body);
    let list = shop.owner.get(&shop.contacts).is(200).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
    shop.owner.patch(contact.location()).json(json!({ "email": null })).header("if-match", "\"1\"").is(200).await;
    shop.owner.delete(contact.location()).is(204).await;
    shop.owner.get(contact.location()).problem(404, "not_found").await;
    shop.owner.get("/v1/auth/me").is(200).await;
    let token = json!({ "refreshToken": shop.owner.session["refreshToken"] });
    world.anonymous().post("/v1/auth/refresh").json(token).is(200).await;
    world.anonymous().get("/health").is(200).await;
    world.anonymous().get("/.well-known/jwks.json").is(200).await;
    world.anonymous().get("/openapi.json").is(200).await;
    world.anonymous().get("/docs/").is(200).await;
    world.anonymous().get("/nowhere").problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn request_logs_one_line_with_route_and_cost() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    let answer = shop.owner.get(&shop.paths.contact).is(200).await;
    let line = log_line(&world, &answer);
    for (name, value) in [
        ("level", json!("INFO")),
        ("method", json!("GET")),
        ("route", json!("/v1/clients/{clientId}/contacts/{contactId}")),
        ("status", json!(200)),
        ("round_trips", json!(1)),
        ("read_units", json!(1.0)),
        ("write_units", json!(0.0)),
        ("user", json!(shop.owner.id())),
        ("tenant", json!(shop.paths.id("tenantId"))),
        ("agency", json!(shop.paths.id("agencyId"))),
        ("client", json!(shop.paths.id("clientId"))),
    ] {
        assert_eq!(line[name], value, "{name} in {line}");
    }
    assert!(line["latency_ms"].as_f64().unwrap() > 0.0, "{line}");
    assert!(line["timestamp"].is_string(), "{line}");
}

#[tokio::test]
async fn rejected_request_logs_one_line() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    for (request, status) in [
        (world.anonymous().get(&shop.contacts), 401),
        (shop.owner.delete(&shop.paths.client), 403),
        (shop.owner.get("/v1/clients/x"), 404),
        (shop.owner.post(&shop.contacts).json(json!({})), 422),
        (shop.owner.patch("/nowhere"), 404),
    ] {
        let answer = request.is(status).await;
        assert_eq!(log_line(&world, &answer)["status"], status);
    }
}

#[tokio::test]
async fn admin_request_is_logged_with_its_client() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    let answer = shop.admin.get(&shop.paths.contact).is(200).await;
    let line = log_line(&world, &answer);
    assert_eq!((&line["client"], &line["round_trips"]), (&json!(shop.paths.id("clientId")), &json!(2)), "{line}");
}

#[tokio::test]
async fn table_error_is_logged_by_kind_only() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    world.faults().always(Fault::ServerError);
    let answer = shop.owner.get(&shop.paths.contact).problem(503, "unavailable").await;
    let lines = log_lines(&world, &answer);
    let cause = lines.iter().find(|line| line["level"] == "ERROR").unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(cause["cause"], "the service returned an error: InternalServerError");
    assert!(!world.function_logs().contains("SECRET-INNER-MESSAGE"), "{}", world.function_logs());
}

#[tokio::test]
async fn logs_contain_no_personal_data_and_no_secrets() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    let person = json!({
        "firstName": "Wilhelmina", "lastName": "Thistlewood", "email": "mina@thistlewood.example",
        "phone": "+14155552671", "company": "Thistlewood Ltd",
    });
    let create = || shop.owner.post(&shop.contacts).json(&person).header("idempotency-key", "private-key-1");
    let contact = create().created().await;
    create().created().await;
    shop.owner.post(&shop.contacts).json(&person).problem(409, "email_taken").await;
    shop.owner.patch(contact.location()).json(json!({ "email": "mina@" })).is(422).await;
    shop.owner.patch(contact.location()).body("application/json", "{\"email\": mina}").is(400).await;
    shop.owner.get(&format!("{}?cursor=mina@thistlewood.example", shop.contacts)).is(400).await;
    shop.owner.get("/mina@thistlewood.example").is(404).await;
    let credentials = json!({ "email": "mina@thistlewood.example", "password": "hunter2hunter2" });
    world.anonymous().post("/v1/auth/login").json(credentials).is(401).await;
    world.faults().always(Fault::Throttled);
    shop.owner.patch(contact.location()).json(json!({ "email": "mina@example.com" })).is(503).await;

    let printed = world.function_logs();
    assert!(printed.lines().count() > 15, "{printed}");
    let session = &shop.owner.session;
    let secrets = [
        "Wilhelmina",
        "Thistlewood",
        "thistlewood",
        "mina@",
        "+14155552671",
        "private-key-1",
        "hunter2",
        PASSWORD,
        shop.owner.email(),
        session["accessToken"].as_str().unwrap(),
        session["refreshToken"].as_str().unwrap(),
        &world.keys().signing,
        &world.keys().refresh,
        &world.keys().users,
        &world.keys().mail,
        &world.keys().requests,
        "argon2",
        "Bearer",
    ];
    for secret in secrets {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
