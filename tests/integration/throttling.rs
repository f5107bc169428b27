//! Guessing passwords: counted by email and by source, for a while, and never against the one who knows.

use harness::at_once;
use harness::who::{Answer, RequestBuilder};
use harness::world::{PASSWORD, World};
use serde_json::Value;

use crate::signing_in::{login, refresh, without_request_id};
use crate::users::fresh;

/// A guess from a source of its own.
fn guess<'w>(world: &'w World, email: &str, at: usize) -> RequestBuilder<'w> {
    login(world, email, "wrong").from(&format!("198.51.100.{at}"))
}

async fn block(world: &World, email: &str) {
    for at in 0..10 {
        guess(world, email, at).problem(401, "wrong_credentials").await;
    }
}

fn retry_after(answer: &Answer) -> i64 {
    answer.header("retry-after").parse().unwrap_or_else(|_| panic!("when to come back: {answer}"))
}

#[tokio::test]
async fn an_email_known_or_not_is_shut_after_ten_failures() {
    let world = World::new().await;
    let admin = world.admin().await;
    let disabled = world.admin().await;
    world.set_status(&disabled, "DISABLED").await;
    let mut seen: Vec<Vec<(Value, usize)>> = Vec::new();
    for (who, email) in [admin.email(), disabled.email(), &fresh()].into_iter().enumerate() {
        let mut answers = Vec::new();
        for at in 0..12 {
            let answer = guess(&world, email, 20 * who + at).send().await;
            assert_eq!(answer.status, if at < 10 { 401 } else { 429 }, "{at}: {answer}");
            answers.push((without_request_id(&answer), answer.calls.len()));
        }
        seen.push(answers);
    }
    assert_eq!((&seen[1], &seen[2]), (&seen[0], &seen[0]));
}

#[tokio::test]
async fn a_source_is_shut_after_ten_failures() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..10 {
        login(&world, &fresh(), "wrong").from("203.0.113.7").problem(401, "wrong_credentials").await;
    }
    let full = login(&world, admin.email(), PASSWORD).from("203.0.113.7").problem(429, "too_many_attempts").await;
    assert!((890..=901).contains(&retry_after(&full)), "{full}");
    login(&world, admin.email(), PASSWORD).from("203.0.113.8").is(200).await;
}

#[tokio::test]
async fn a_right_password_does_not_help_a_stranger_during_the_block() {
    let world = World::new().await;
    let admin = world.admin().await;
    block(&world, admin.email()).await;
    let full = login(&world, admin.email(), PASSWORD).from("203.0.113.7").problem(429, "too_many_attempts").await;
    let wrong = login(&world, admin.email(), "wrong").from("203.0.113.7").problem(429, "too_many_attempts").await;
    assert_eq!(without_request_id(&full), without_request_id(&wrong));
    assert!((890..=901).contains(&retry_after(&full)), "{full}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_gets_no_more_guesses_than_ten() {
    let world = World::new().await;
    let admin = world.admin().await;
    let asks = (0..40).map(|at| guess(&world, admin.email(), at).contended().send());
    let answers = at_once(asks).await;
    let told = answers.iter().filter(|answer| answer.status == 401).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(told <= 10 && told + refused == 40, "{told} and {refused} of {answers:?}");
    let right = login(&world, admin.email(), PASSWORD).from("203.0.113.7");
    right.problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn a_block_ends_after_15_minutes_whatever_happens_meanwhile() {
    let world = World::new().await;
    let admin = world.admin().await;
    guess(&world, admin.email(), 0).is(401).await;
    world.clock().advance(10 * 60);
    for at in 1..10 {
        guess(&world, admin.email(), at).is(401).await;
    }
    let full = guess(&world, admin.email(), 10).is(429).await;
    assert!((290..=301).contains(&retry_after(&full)), "{full}");
    for _ in 0..4 {
        world.clock().advance(60);
        guess(&world, admin.email(), 11).is(429).await;
    }
    world.clock().advance(61);
    login(&world, admin.email(), PASSWORD).from("203.0.113.7").is(200).await;
}

#[tokio::test]
async fn who_comes_back_when_told_gets_in() {
    let world = World::new().await;
    let admin = world.admin().await;
    block(&world, admin.email()).await;
    let stranger = || login(&world, admin.email(), PASSWORD).from("203.0.113.7");
    let wait = retry_after(&stranger().is(429).await);
    world.clock().advance(wait);
    stranger().is(200).await;
}

#[tokio::test]
async fn a_stranger_does_not_shut_out_who_is_signed_in() {
    let world = World::new().await;
    let admin = world.admin().await;
    block(&world, admin.email()).await;
    let second = login(&world, admin.email(), PASSWORD).is(200).await.body;
    refresh(&world, &second).is(200).await;
    // It is the source that is known, and it has no more tries than others.
    for _ in 0..10 {
        login(&world, admin.email(), "wrong").is(401).await;
    }
    login(&world, admin.email(), PASSWORD).problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn whoever_signed_out_is_still_known_where_they_were_for_ninety_days() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.post("/v1/auth/logout").is(204).await;
    block(&world, admin.email()).await;
    login(&world, admin.email(), PASSWORD).is(200).await;
    world.clock().advance(90 * 24 * 3600);
    block(&world, admin.email()).await;
    login(&world, admin.email(), PASSWORD).problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn whoever_is_known_somewhere_has_no_more_tries_there_than_others() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..10 {
        login(&world, admin.email(), "wrong").is(401).await;
    }
    login(&world, admin.email(), PASSWORD).problem(429, "too_many_attempts").await;
    world.clock().advance(15 * 60);
    login(&world, admin.email(), PASSWORD).is(200).await;
}

/// Each count has its own 15 minutes, which somebody may choose to begin at different times.
#[tokio::test]
async fn counts_that_begin_at_different_times_leave_no_gap() {
    let world = World::new().await;
    let admin = world.admin().await;
    let from_one = |email: &str, password| login(&world, email, password).from("203.0.113.7");
    guess(&world, admin.email(), 1).is(401).await;
    from_one(&fresh(), "wrong").is(401).await;
    world.clock().advance(14 * 60 + 50);
    for _ in 0..9 {
        from_one(admin.email(), "wrong").is(401).await;
    }
    world.clock().advance(11);
    from_one(admin.email(), "wrong").is(401).await;
    from_one(admin.email(), PASSWORD).problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn neighbours_who_fail_do_not_shut_out_who_is_known_there() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..10 {
        login(&world, &fresh(), "wrong").is(401).await;
    }
    login(&world, &fresh(), "wrong").problem(429, "too_many_attempts").await;
    login(&world, admin.email(), PASSWORD).is(200).await;
}

#[tokio::test]
async fn a_success_clears_the_failures_of_the_email() {
    let world = World::new().await;
    let admin = world.admin().await;
    for round in 0..2 {
        for at in 0..9 {
            guess(&world, admin.email(), 10 * round + at).is(401).await;
        }
        login(&world, admin.email(), PASSWORD).from("203.0.113.7").is(200).await;
    }
}

#[tokio::test]
async fn a_success_does_not_clear_the_failures_of_the_source() {
    let world = World::new().await;
    let admin = world.admin().await;
    let from_one = |email: &str, password| login(&world, email, password).from("203.0.113.7");
    for _ in 0..9 {
        from_one(&fresh(), "wrong").is(401).await;
    }
    from_one(admin.email(), PASSWORD).is(200).await;
    from_one(&fresh(), "wrong").is(401).await;
    from_one(&fresh(), "wrong").problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn counters_go_by_themselves_and_name_nobody() {
    let world = World::new().await;
    let shop = world.shop().await;
    guess(&world, shop.owner.email(), 7).is(401).await;
    let forgot = serde_json::json!({ "email": shop.owner.email() });
    world.anyone().post("/v1/auth/password/forgot").json(forgot).from("2001:db8:1:2::7").is(202).await;
    shop.owner.post(&format!("{}/invitation", shop.spot.client_user)).is(202).await;
    let rows = world.rows().await;
    let in_pk = |row: &Value, part: &str| row["pk"].as_str().unwrap().starts_with(part);
    let counters: Vec<_> = rows.iter().filter(|row| in_pk(row, "GLOBAL#TRIES#")).collect();
    assert_eq!(
        counters.len(),
        8,
        "failures by email, source and both; mails by email and source; invitations: {counters:?}"
    );
    let now = world.clock().now().unix_seconds();
    for counter in &counters {
        let lasts = counter["ttl"].as_f64().unwrap() - f64::from(u32::try_from(now).unwrap());
        assert!((880.0..=3601.0).contains(&lasts), "{counter}");
        let members: Vec<_> = counter.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["ends", "n", "pk", "sk", "sv", "ttl"]);
    }
    let emails = [shop.owner.email(), shop.admin.email()];
    for row in &rows {
        let key = format!("{} {}", row["pk"], row["sk"]).to_lowercase();
        let named = ["198.51.100", "127.0.0.1", "2001:db8"].iter().chain(&emails).find(|name| key.contains(**name));
        assert_eq!(named, None, "{row}");
        let sources = ["198.51.100.7", "127.0.0.1", "2001:db8:1:2"];
        assert!(!sources.iter().any(|source| row.to_string().contains(source)), "{row}");
    }
}
