//! The compiled functions, exactly as they are deployed, behind Lambda's Runtime API.

use harness::faults::Fault;
use harness::who::Answer;
use harness::world::{PASSWORD, World};
use serde_json::{Value, json};

/// The lines about a request, each of which is a JSON object.
fn lines(world: &World, answer: &Answer) -> Vec<Value> {
    let printed = world.printed();
    let lines = printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")));
    lines.filter(|line: &Value| line["request_id"] == answer.header("x-request-id")).collect()
}

fn line(world: &World, answer: &Answer) -> Value {
    let mut lines = lines(world, answer);
    assert_eq!(lines.len(), 1, "{lines:?} for {answer}");
    lines.remove(0)
}

#[tokio::test]
async fn one_signs_in_creates_and_reads_over_the_compiled_functions() {
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
    world.anyone().post("/v1/auth/refresh").json(token).is(200).await;
    world.anyone().get("/health").is(200).await;
    world.anyone().get("/.well-known/jwks.json").is(200).await;
    world.anyone().get("/openapi.json").is(200).await;
    world.anyone().get("/docs/").is(200).await;
    world.anyone().get("/nowhere").problem(404, "not_found").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn each_request_leaves_one_line_with_where_it_went_and_what_it_cost() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    let answer = shop.owner.get(&shop.spot.contact).is(200).await;
    let line = line(&world, &answer);
    for (name, value) in [
        ("level", json!("INFO")),
        ("method", json!("GET")),
        ("route", json!("/v1/clients/{clientId}/contacts/{contactId}")),
        ("status", json!(200)),
        ("round_trips", json!(1)),
        ("read_units", json!(1.0)),
        ("write_units", json!(0.0)),
        ("user", json!(shop.owner.id())),
        ("tenant", json!(shop.spot.id("tenantId"))),
        ("agency", json!(shop.spot.id("agencyId"))),
        ("client", json!(shop.spot.id("clientId"))),
    ] {
        assert_eq!(line[name], value, "{name} in {line}");
    }
    assert!(line["latency_ms"].as_f64().unwrap() > 0.0, "{line}");
    assert!(line["timestamp"].is_string(), "{line}");
}

#[tokio::test]
async fn a_refused_request_leaves_a_line_too() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    for (ask, status) in [
        (world.anyone().get(&shop.contacts), 401),
        (shop.owner.delete(&shop.spot.client), 403),
        (shop.owner.get("/v1/clients/x"), 404),
        (shop.owner.post(&shop.contacts).json(json!({})), 422),
        (shop.owner.patch("/nowhere"), 404),
    ] {
        let answer = ask.is(status).await;
        assert_eq!(line(&world, &answer)["status"], status);
    }
}

#[tokio::test]
async fn what_an_admin_does_is_logged_where_it_was_done() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    let answer = shop.admin.get(&shop.spot.contact).is(200).await;
    let line = line(&world, &answer);
    assert_eq!((&line["client"], &line["round_trips"]), (&json!(shop.spot.id("clientId")), &json!(2)), "{line}");
}

#[tokio::test]
async fn a_broken_table_is_logged_by_its_kind_alone() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    world.faults().always(Fault::ServerError);
    let answer = shop.owner.get(&shop.spot.contact).problem(503, "unavailable").await;
    let lines = lines(&world, &answer);
    let cause = lines.iter().find(|line| line["level"] == "ERROR").unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(cause["cause"], "the service refused: InternalServerError");
    assert!(!world.printed().contains("SECRET-INNER-MESSAGE"), "{}", world.printed());
}

#[tokio::test]
async fn the_logs_name_no_person_and_no_secret() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    let person = json!({
        "firstName": "Wilhelmina", "lastName": "Thistlewood", "email": "mina@thistlewood.example",
        "phone": "+14155552671", "company": "Thistlewood Ltd",
    });
    let ask = || shop.owner.post(&shop.contacts).json(&person).header("idempotency-key", "private-key-1");
    let contact = ask().created().await;
    ask().created().await;
    shop.owner.post(&shop.contacts).json(&person).problem(409, "email_taken").await;
    shop.owner.patch(contact.location()).json(json!({ "email": "mina@" })).is(422).await;
    shop.owner.patch(contact.location()).body("application/json", "{\"email\": mina}").is(400).await;
    shop.owner.get(&format!("{}?cursor=mina@thistlewood.example", shop.contacts)).is(400).await;
    shop.owner.get("/mina@thistlewood.example").is(404).await;
    let wrong = json!({ "email": "mina@thistlewood.example", "password": "hunter2hunter2" });
    world.anyone().post("/v1/auth/login").json(wrong).is(401).await;
    world.faults().always(Fault::Throttled);
    shop.owner.patch(contact.location()).json(json!({ "email": "mina@example.com" })).is(503).await;

    let printed = world.printed();
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
        &world.keys().data,
        "argon2",
        "Bearer",
    ];
    for secret in secrets {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
