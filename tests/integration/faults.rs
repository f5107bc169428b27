//! When the table is slow, busy, broken or gone.

use std::time::{Duration, Instant};

use harness::faults::Fault;
use harness::tree::SalonFixture;
use harness::who::RequestBuilder;
use harness::world::World;
use serde_json::{Value, json};

fn person() -> Value {
    json!({ "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" })
}

async fn count(shop: &SalonFixture<'_>) -> usize {
    shop.owner.get(&shop.contacts).is(200).await.body["items"].as_array().unwrap().len()
}

/// Expects a 503 that tells the caller when to come back, and nothing else, in reasonable time.
async fn unavailable(ask: RequestBuilder<'_>) {
    let started = Instant::now();
    let problem = ask.problem(503, "unavailable").await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(problem.header("retry-after"), "1");
    for inner in ["SECRET-INNER-MESSAGE", "Exception", "dynamodb", "127.0.0.1", "upzento-"] {
        assert!(!problem.text.contains(inner), "{inner} in {problem}");
    }
}

#[tokio::test]
async fn throttled_calls_are_tried_again() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    for faults in [1, 2, 4] {
        world.faults().next(vec![Fault::Throttled; faults]);
        shop.owner.get(&shop.spot.contact).is(200).await;
        assert_eq!(world.faults().calls(), faults + 1);
    }
    world.faults().next([Fault::Throttled, Fault::Throttled]);
    shop.owner.post(&shop.contacts).json(person()).created().await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_failing_service_is_tried_again() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    for fault in [Fault::ServerError, Fault::Lost] {
        world.faults().next([fault, fault]);
        shop.owner.get(&shop.contacts).is(200).await;
        world.faults().next_writes([fault, fault]);
        shop.owner.patch(&shop.spot.contact).json(json!({ "source": "web" })).is(200).await;
    }
    assert_eq!(shop.owner.get(&shop.spot.contact).is(200).await.body["version"], 3);
}

#[tokio::test]
async fn a_transaction_that_met_another_is_tried_again() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().next([Fault::Conflict; 5]);
    shop.owner.post(&shop.contacts).json(person()).created().await;
    assert_eq!(world.faults().calls(), 6);
    assert_eq!(count(&shop).await, 2);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_transaction_that_always_meets_another_gives_up_in_time() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().always(Fault::Conflict);
    unavailable(shop.owner.post(&shop.contacts).json(person())).await;
    world.faults().none();
    assert_eq!(count(&shop).await, 1);
}

#[tokio::test]
async fn a_table_that_stays_throttled_is_a_503() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().always(Fault::Throttled);
    unavailable(shop.owner.get(&shop.spot.contact)).await;
    unavailable(shop.owner.get(&shop.contacts)).await;
    unavailable(shop.owner.post(&shop.contacts).json(person())).await;
    unavailable(world.anyone().get("/health")).await;
}

#[tokio::test]
async fn a_table_that_is_gone_is_a_503() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().shut_down().await;
    unavailable(shop.owner.get(&shop.spot.contact)).await;
    unavailable(shop.owner.patch(&shop.spot.contact).json(json!({ "source": "web" }))).await;
    unavailable(shop.owner.post(&shop.contacts).json(person())).await;
}

#[tokio::test]
async fn a_table_that_does_not_answer_a_read_is_a_503() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().always(Fault::Silence);
    unavailable(shop.owner.get(&shop.spot.contact)).await;
}

#[tokio::test]
async fn a_table_that_does_not_answer_a_write_is_a_503() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().always(Fault::Silence);
    unavailable(shop.owner.post(&shop.contacts).json(person())).await;
}

#[tokio::test]
async fn an_answer_that_hangs_once_is_asked_for_again() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().next([Fault::Silence]);
    shop.owner.get(&shop.spot.contact).is(200).await;
}

// ── Answers that got lost ───────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_create_whose_answer_was_lost_has_one_effect() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().next([Fault::AnswerLost]);
    let contact = shop.owner.post(&shop.contacts).json(person()).created().await;
    assert_eq!(world.faults().calls(), 2);
    assert_eq!(count(&shop).await, 2);
    shop.owner.get(contact.location()).is(200).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_counts_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let contact = shop.owner.post(&shop.contacts).json(person()).created().await;
    world.faults().next_writes([Fault::AnswerLost; 2]);
    let changed = shop.owner.patch(contact.location()).json(json!({ "email": "king@example.com" })).is(200).await;
    assert_eq!(changed.body["version"], 2);
    world.faults().next_writes([Fault::AnswerLost; 2]);
    shop.owner.delete(contact.location()).is(204).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_create_that_was_asked_for_again_while_under_way_has_one_effect() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    world.faults().next_writes([vec![Fault::AnswerLost], vec![Fault::InProgress; 6]].concat());
    shop.owner.post(&shop.contacts).json(person()).created().await;
    assert_eq!(count(&shop).await, 2);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_change_that_was_asked_for_again_while_under_way_counts_once() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let patch = |source: &str| shop.owner.patch(&shop.spot.contact).json(json!({ "source": source }));
    let faults = [vec![Fault::AnswerLost], vec![Fault::InProgress; 6]].concat();
    world.faults().next_writes(faults.clone());
    assert_eq!(patch("web").header("if-match", "\"1\"").is(200).await.body["version"], 2);
    world.faults().next_writes(faults);
    assert_eq!(patch("shop").is(200).await.body["version"], 3);
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_does_not_end_the_session() {
    let world = World::with_faults().await;
    let admin = world.admin().await;
    let refresh = |session: &Value| {
        world.anyone().post("/v1/auth/refresh").json(json!({ "refreshToken": session["refreshToken"] }))
    };
    world.faults().next_writes([Fault::AnswerLost; 2]);
    let second = refresh(&admin.session).is(200).await.body;
    refresh(&second).is(200).await;
}

#[tokio::test]
async fn a_create_that_nobody_heard_of_can_be_asked_for_again() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let ask = || shop.owner.post(&shop.contacts).json(person()).header("idempotency-key", "one");
    world.faults().always(Fault::AnswerLost);
    unavailable(ask()).await;
    world.faults().none();
    let contact = ask().created().await;
    assert_eq!(contact.header("idempotency-replayed"), "true");
    assert_eq!(count(&shop).await, 2);
    world.assert_whole().await;
}
