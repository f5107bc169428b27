//! Requests when the table is slow, busy, failing or unreachable.

use std::time::{Duration, Instant};

use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::users::RequestBuilder;
use harness::world::World;
use serde_json::{Value, json};

fn person() -> Value {
    json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" })
}

async fn count(shop: &SalonFixture<'_>) -> usize {
    shop.owner.get(&shop.contacts).is(200).await.body["items"].as_array().unwrap().len()
}

/// Expects a 503 in reasonable time, with `Retry-After`, without details.
async fn assert_unavailable(request: RequestBuilder<'_>) {
    let started = Instant::now();
    let problem = request.problem(503, "unavailable").await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(problem.header("retry-after"), "1");
    for internal in ["SECRET-INNER-MESSAGE", "Exception", "dynamodb", "127.0.0.1", "upzento-"] {
        assert!(!problem.text.contains(internal), "{internal} in {problem}");
    }
}

#[tokio::test]
async fn throttled_calls_are_retried() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    for faults in [1, 2, 4] {
        world.faults().next(vec![Fault::Throttled; faults]);
        shop.owner.get(&shop.paths.contact).is(200).await;
        assert_eq!(world.faults().calls(), faults + 1);
    }
    world.faults().next([Fault::Throttled, Fault::Throttled]);
    shop.owner.post(&shop.contacts).json(person()).created().await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn server_errors_and_lost_requests_are_retried() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    for fault in [Fault::ServerError, Fault::RequestLost] {
        world.faults().next([fault, fault]);
        shop.owner.get(&shop.contacts).is(200).await;
        world.faults().next_writes([fault, fault]);
        shop.owner.patch(&shop.paths.contact).json(json!({ "source": format!("{fault:?}") })).is(200).await;
    }
    assert_eq!(shop.owner.get(&shop.paths.contact).is(200).await.body["version"], 3);
}

#[tokio::test]
async fn transaction_conflicts_are_retried() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().next([Fault::Conflict; 5]);
    shop.owner.post(&shop.contacts).json(person()).created().await;
    assert_eq!(world.faults().calls(), 6);
    assert_eq!(count(&shop).await, 2);
    world.assert_consistent().await;
}

#[tokio::test]
async fn persistent_transaction_conflict_returns_503_in_time() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().always(Fault::Conflict);
    assert_unavailable(shop.owner.post(&shop.contacts).json(person())).await;
    world.faults().none();
    assert_eq!(count(&shop).await, 1);
}

#[tokio::test]
async fn persistent_throttling_returns_503() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().always(Fault::Throttled);
    assert_unavailable(shop.owner.get(&shop.paths.contact)).await;
    assert_unavailable(shop.owner.get(&shop.contacts)).await;
    assert_unavailable(shop.owner.post(&shop.contacts).json(person())).await;
    assert_unavailable(world.anonymous().get("/health")).await;
}

#[tokio::test]
async fn unreachable_table_returns_503() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().shut_down().await;
    assert_unavailable(shop.owner.get(&shop.paths.contact)).await;
    assert_unavailable(shop.owner.patch(&shop.paths.contact).json(json!({ "source": "web" }))).await;
    assert_unavailable(shop.owner.post(&shop.contacts).json(person())).await;
}

#[tokio::test]
async fn unanswered_read_returns_503() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().always(Fault::NoResponse);
    assert_unavailable(shop.owner.get(&shop.paths.contact)).await;
}

#[tokio::test]
async fn unanswered_write_returns_503() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().always(Fault::NoResponse);
    assert_unavailable(shop.owner.post(&shop.contacts).json(person())).await;
}

#[tokio::test]
async fn call_that_hangs_once_is_retried() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().next([Fault::NoResponse]);
    shop.owner.get(&shop.paths.contact).is(200).await;
}

// ── Lost answers ────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn create_with_lost_answer_is_applied_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().next([Fault::AnswerLost]);
    let contact = shop.owner.post(&shop.contacts).json(person()).created().await;
    assert_eq!(world.faults().calls(), 2);
    assert_eq!(count(&shop).await, 2);
    shop.owner.get(contact.location()).is(200).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn change_with_lost_answer_is_applied_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let contact = shop.owner.post(&shop.contacts).json(person()).created().await;
    world.faults().next_writes([Fault::AnswerLost; 2]);
    let changed = shop.owner.patch(contact.location()).json(json!({ "email": "king@example.com" })).is(200).await;
    assert_eq!(changed.body["version"], 2);
    world.faults().next_writes([Fault::AnswerLost; 2]);
    shop.owner.delete(contact.location()).is(204).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn create_retried_while_in_progress_is_applied_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().next_writes([vec![Fault::AnswerLost], vec![Fault::InProgress; 6]].concat());
    shop.owner.post(&shop.contacts).json(person()).created().await;
    assert_eq!(count(&shop).await, 2);
    world.assert_consistent().await;
}

#[tokio::test]
async fn change_retried_while_in_progress_is_applied_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let patch = |source: &str| shop.owner.patch(&shop.paths.contact).json(json!({ "source": source }));
    let faults = [vec![Fault::AnswerLost], vec![Fault::InProgress; 6]].concat();
    world.faults().next_writes(faults.clone());
    assert_eq!(patch("web").header("if-match", "\"1\"").is(200).await.body["version"], 2);
    world.faults().next_writes(faults);
    assert_eq!(patch("shop").is(200).await.body["version"], 3);
}

#[tokio::test]
async fn refresh_with_lost_answer_keeps_the_session() {
    let world = World::with_faults().await;
    let admin = world.admin().await;
    let refresh = |session: &Value| {
        world.anonymous().post("/v1/auth/refresh").json(json!({ "refreshToken": session["refreshToken"] }))
    };
    world.faults().next_writes([Fault::AnswerLost; 2]);
    let second = refresh(&admin.session).is(200).await.body;
    refresh(&second).is(200).await;
}

#[tokio::test]
async fn unacknowledged_create_can_be_retried_with_its_key() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let create = || shop.owner.post(&shop.contacts).json(person()).header("idempotency-key", "one");
    world.faults().always(Fault::AnswerLost);
    assert_unavailable(create()).await;
    world.faults().none();
    let contact = create().created().await;
    assert_eq!(contact.header("idempotency-replayed"), "true");
    assert_eq!(count(&shop).await, 2);
    world.assert_consistent().await;
}
