//! Rate limits of sign-in failures, by email and by source.

use harness::at_once;
use harness::users::{Answer, RequestBuilder};
use harness::world::{PASSWORD, World};
use serde_json::Value;

use crate::sign_in::{login, refresh, without_request_id};
use crate::users::unique_email;

/// Builds a sign-in with a wrong password from a separate source.
fn guess<'w>(world: &'w World, email: &str, at: usize) -> RequestBuilder<'w> {
    login(world, email, "wrong").from(&format!("198.51.100.{at}"))
}

/// Blocks an email by ten failed sign-ins.
async fn block(world: &World, email: &str) {
    for at in 0..10 {
        guess(world, email, at).problem(401, "wrong_credentials").await;
    }
}

fn retry_after(answer: &Answer) -> i64 {
    answer.header("retry-after").parse().unwrap_or_else(|_| panic!("no Retry-After: {answer}"))
}

#[tokio::test]
async fn known_or_unknown_email_is_blocked_after_ten_failures() {
    let world = World::new().await;
    let admin = world.admin().await;
    let disabled = world.admin().await;
    world.set_status(&disabled, "DISABLED").await;
    let mut answers_by_email: Vec<Vec<(Value, usize)>> = Vec::new();
    for (number, email) in [admin.email(), disabled.email(), &unique_email()].into_iter().enumerate() {
        let mut answers = Vec::new();
        for at in 0..12 {
            let answer = guess(&world, email, 20 * number + at).send().await;
            assert_eq!(answer.status, if at < 10 { 401 } else { 429 }, "{at}: {answer}");
            answers.push((without_request_id(&answer), answer.calls.len()));
        }
        answers_by_email.push(answers);
    }
    let [active, disabled, unknown] = answers_by_email.as_slice() else { panic!("three emails") };
    assert_eq!((disabled, unknown), (active, active));
}

#[tokio::test]
async fn source_is_blocked_after_ten_failures() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..10 {
        login(&world, &unique_email(), "wrong").from("203.0.113.7").problem(401, "wrong_credentials").await;
    }
    let blocked = login(&world, admin.email(), PASSWORD).from("203.0.113.7").problem(429, "too_many_attempts").await;
    assert!((890..=901).contains(&retry_after(&blocked)), "{blocked}");
    login(&world, admin.email(), PASSWORD).from("203.0.113.8").is(200).await;
}

#[tokio::test]
async fn correct_password_from_an_unknown_source_is_blocked() {
    let world = World::new().await;
    let admin = world.admin().await;
    block(&world, admin.email()).await;
    let blocked = login(&world, admin.email(), PASSWORD).from("203.0.113.7").problem(429, "too_many_attempts").await;
    let wrong = login(&world, admin.email(), "wrong").from("203.0.113.7").problem(429, "too_many_attempts").await;
    assert_eq!(without_request_id(&blocked), without_request_id(&wrong));
    assert!((890..=901).contains(&retry_after(&blocked)), "{blocked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_failures_are_limited_to_ten() {
    let world = World::new().await;
    let admin = world.admin().await;
    let requests = (0..40).map(|at| guess(&world, admin.email(), at).contended().send());
    let answers = at_once(requests).await;
    let checked = answers.iter().filter(|answer| answer.status == 401).count();
    let blocked = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(checked <= 10 && checked + blocked == 40, "{checked} checked and {blocked} blocked of {answers:?}");
    let correct = login(&world, admin.email(), PASSWORD).from("203.0.113.7");
    correct.problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn block_is_not_extended_by_attempts_and_ends_after_15_minutes() {
    let world = World::new().await;
    let admin = world.admin().await;
    guess(&world, admin.email(), 0).is(401).await;
    world.clock().advance(10 * 60);
    for at in 1..10 {
        guess(&world, admin.email(), at).is(401).await;
    }
    let blocked = guess(&world, admin.email(), 10).is(429).await;
    assert!((290..=301).contains(&retry_after(&blocked)), "{blocked}");
    for _ in 0..4 {
        world.clock().advance(60);
        guess(&world, admin.email(), 11).is(429).await;
    }
    world.clock().advance(61);
    login(&world, admin.email(), PASSWORD).from("203.0.113.7").is(200).await;
}

#[tokio::test]
async fn sign_in_succeeds_after_retry_after() {
    let world = World::new().await;
    let admin = world.admin().await;
    block(&world, admin.email()).await;
    let stranger = || login(&world, admin.email(), PASSWORD).from("203.0.113.7");
    let wait = retry_after(&stranger().is(429).await);
    world.clock().advance(wait);
    stranger().is(200).await;
}

#[tokio::test]
async fn blocked_email_can_sign_in_from_a_known_source() {
    let world = World::new().await;
    let admin = world.admin().await;
    block(&world, admin.email()).await;
    let second = login(&world, admin.email(), PASSWORD).is(200).await.body;
    refresh(&world, &second).is(200).await;
    // The known source has its own count, with the same limit.
    for _ in 0..10 {
        login(&world, admin.email(), "wrong").is(401).await;
    }
    login(&world, admin.email(), PASSWORD).problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn source_remains_known_for_90_days_after_sign_out() {
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
async fn known_source_has_the_same_limit_of_failures() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..10 {
        login(&world, admin.email(), "wrong").is(401).await;
    }
    login(&world, admin.email(), PASSWORD).problem(429, "too_many_attempts").await;
    world.clock().advance(15 * 60);
    login(&world, admin.email(), PASSWORD).is(200).await;
}

/// Each counter has its own window of 15 minutes.
///
/// An attacker can choose when each window begins.
#[tokio::test]
async fn counters_with_different_windows_leave_no_gap() {
    let world = World::new().await;
    let admin = world.admin().await;
    let from_one_source = |email: &str, password| login(&world, email, password).from("203.0.113.7");
    guess(&world, admin.email(), 1).is(401).await;
    from_one_source(&unique_email(), "wrong").is(401).await;
    world.clock().advance(14 * 60 + 50);
    for _ in 0..9 {
        from_one_source(admin.email(), "wrong").is(401).await;
    }
    world.clock().advance(11);
    from_one_source(admin.email(), "wrong").is(401).await;
    from_one_source(admin.email(), PASSWORD).problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn failures_of_other_emails_do_not_block_a_known_source() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..10 {
        login(&world, &unique_email(), "wrong").is(401).await;
    }
    login(&world, &unique_email(), "wrong").problem(429, "too_many_attempts").await;
    login(&world, admin.email(), PASSWORD).is(200).await;
}

#[tokio::test]
async fn successful_sign_in_resets_the_failures_of_the_email() {
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
async fn successful_sign_in_keeps_the_failures_of_the_source() {
    let world = World::new().await;
    let admin = world.admin().await;
    let from_one_source = |email: &str, password| login(&world, email, password).from("203.0.113.7");
    for _ in 0..9 {
        from_one_source(&unique_email(), "wrong").is(401).await;
    }
    from_one_source(admin.email(), PASSWORD).is(200).await;
    from_one_source(&unique_email(), "wrong").is(401).await;
    from_one_source(&unique_email(), "wrong").problem(429, "too_many_attempts").await;
}

#[tokio::test]
async fn counters_expire_and_have_no_personal_data() {
    let world = World::new().await;
    let shop = world.shop().await;
    guess(&world, shop.owner.email(), 7).is(401).await;
    let forgot = serde_json::json!({ "email": shop.owner.email() });
    world.anonymous().post("/v1/auth/password/forgot").json(forgot).from("2001:db8:1:2::7").is(202).await;
    shop.owner.post(&format!("{}/invitation", shop.paths.client_user)).is(202).await;
    let rows = world.rows().await;
    let in_pk = |row: &Value, part: &str| row["pk"].as_str().unwrap().starts_with(part);
    let counters: Vec<_> = rows.iter().filter(|row| in_pk(row, "GLOBAL#TRIES#")).collect();
    assert_eq!(
        counters.len(),
        10,
        "failures by email, by source and by both; mails by email and by source; invitations: {counters:?}"
    );
    let now = world.clock().now().unix_seconds();
    for counter in &counters {
        let lifetime = counter["ttl"].as_f64().unwrap() - f64::from(u32::try_from(now).unwrap());
        assert!((880.0..=3601.0).contains(&lifetime), "{counter}");
        let members: Vec<_> = counter.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["ends", "n", "pk", "sk", "sv", "ttl"]);
    }
    let emails = [shop.owner.email(), shop.admin.email()];
    for row in &rows {
        let key = format!("{} {}", row["pk"], row["sk"]).to_lowercase();
        let personal = ["198.51.100", "127.0.0.1", "2001:db8"].iter().chain(&emails).find(|text| key.contains(**text));
        assert_eq!(personal, None, "{row}");
        let sources = ["198.51.100.7", "127.0.0.1", "2001:db8:1:2"];
        assert!(!sources.iter().any(|source| row.to_string().contains(source)), "{row}");
    }
}
