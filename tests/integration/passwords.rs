//! Passwords that somebody changes, forgets, or chooses anew.

use harness::at_once;
use harness::letters::token;
use harness::who::{RequestBuilder, Who};
use harness::world::{PASSWORD, World, outbox};
use serde_json::json;
use shared::auth::Role;

use crate::signing_in::{ME, login, refresh, without_request_id};
use crate::users::{fresh, person};

const ANOTHER: &str = "another battery staple";

fn change<'w>(who: &Who<'w>, current: &str, new: &str) -> RequestBuilder<'w> {
    who.post("/v1/auth/password").json(json!({ "currentPassword": current, "newPassword": new }))
}

fn forgot<'w>(world: &'w World, email: &str) -> RequestBuilder<'w> {
    world.anyone().post("/v1/auth/password/forgot").json(json!({ "email": email }))
}

fn reset<'w>(world: &'w World, token: &str, new: &str) -> RequestBuilder<'w> {
    world.anyone().post("/v1/auth/password/reset").json(json!({ "token": token, "newPassword": new }))
}

// ── Changed ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_changed_password_ends_every_other_session_and_a_mail_tells() {
    let world = World::new().await;
    let admin = world.admin().await;
    let elsewhere = admin.again().await;
    change(&admin, PASSWORD, ANOTHER).is(204).await;
    refresh(&world, &elsewhere.session).problem(401, "invalid_refresh_token").await;
    let next = refresh(&world, &admin.session).is(200).await.body;
    refresh(&world, &next).is(200).await;
    login(&world, admin.email(), PASSWORD).problem(401, "wrong_credentials").await;
    login(&world, admin.email(), ANOTHER).is(200).await;
    let letters = world.letters(admin.email()).await;
    assert_eq!(
        letters.iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>(),
        ["Your Upzento CRM password was changed"]
    );
}

#[tokio::test]
async fn whoever_does_not_know_the_password_does_not_change_it() {
    let world = World::new().await;
    let admin = world.admin().await;
    let version = admin.get(ME).is(200).await.body["version"].clone();
    change(&admin, "wrong", ANOTHER).invalid(&["/currentPassword"]).await;
    change(&admin, "wrong", "short").invalid(&["/newPassword"]).await;
    world.anyone().post("/v1/auth/password").json(json!({})).problem(401, "unauthenticated").await;
    admin.post("/v1/auth/password").json(json!({})).invalid(&["/currentPassword", "/newPassword"]).await;
    assert_eq!(admin.get(ME).is(200).await.body["version"], version);
    assert_eq!(world.letters(admin.email()).await, []);
}

#[tokio::test]
async fn guesses_at_the_current_password_are_counted_by_session() {
    let world = World::new().await;
    let admin = world.admin().await;
    let elsewhere = admin.again().await;
    for at in 0..10 {
        change(&admin, "wrong", ANOTHER).from(&format!("192.0.2.{at}")).is(422).await;
    }
    let full = change(&admin, PASSWORD, ANOTHER).problem(429, "too_many_attempts").await;
    assert!(full.header("retry-after").parse::<u32>().unwrap() > 800, "{full}");
    // Whoever has stolen a session stands in nobody else's way.
    login(&world, admin.email(), PASSWORD).from("203.0.113.7").is(200).await;
    change(&elsewhere, PASSWORD, ANOTHER).is(204).await;
}

#[tokio::test]
async fn a_new_password_is_neither_short_nor_long_nor_common() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (new, code) in [
        ("", "too_short"),
        ("elevenchars", "too_short"),
        ("ﬁﬁﬁﬁﬁ", "too_short"),
        (&"x7".repeat(65), "too_long"),
        ("password1234", "too_common"),
        ("aaaaaaaaaaaa", "too_common"),
        ("qwertyuiop[]", "too_common"),
        ("upzentoupzento", "too_common"),
    ] {
        let refused = change(&admin, PASSWORD, new).invalid(&["/newPassword"]).await;
        assert_eq!(refused.body["errors"][0]["code"], code, "{new}: {refused}");
    }
}

#[tokio::test]
async fn a_password_is_the_same_however_its_letters_were_composed() {
    let world = World::new().await;
    let admin = world.admin().await;
    change(&admin, PASSWORD, "Zoe\u{308} was ﬁrst here").is(204).await;
    login(&world, admin.email(), "Zo\u{eb} was first here").is(200).await;
    change(&admin, "Zo\u{eb} was first here", ANOTHER).is(204).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_at_once_one_counts() {
    let world = World::new().await;
    let admin = world.admin().await;
    let new = [ANOTHER, "a third battery staple"];
    let answers = at_once(new.map(|new| change(&admin, PASSWORD, new).contended().send())).await;
    let won = answers.iter().position(|answer| answer.status == 204).expect("one succeeds");
    assert_eq!(answers[1 - won].body["errors"][0]["pointer"], "/currentPassword", "{answers:?}");
    login(&world, admin.email(), new[won]).is(200).await;
    refresh(&world, &admin.session).is(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_refreshed_while_its_password_changes_lives() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (mut session, mut current) = (admin.session.clone(), PASSWORD.to_owned());
    for round in 0..6 {
        let who = admin.with_token(session["accessToken"].as_str().unwrap());
        let new = format!("{ANOTHER} {round}");
        // The refreshes are spread over the time that the hashing takes.
        let changing = change(&who, &current, &new).contended().is(204);
        let refreshing = async {
            let mut session = session.clone();
            for _ in 0..12 {
                session = refresh(&world, &session).contended().is(200).await.body;
            }
            session
        };
        let (_, refreshed) = tokio::join!(changing, refreshing);
        session = refresh(&world, &refreshed).is(200).await.body;
        current = new;
    }
}

#[tokio::test]
async fn whoever_has_signed_out_changes_nothing() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.post("/v1/auth/logout").is(204).await;
    change(&admin, PASSWORD, ANOTHER).problem(401, "unauthenticated").await;
    login(&world, admin.email(), PASSWORD).is(200).await;
}

// ── Forgotten ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn whether_anybody_has_an_email_is_not_told() {
    let world = World::new().await;
    let (active, disabled) = (world.admin().await, world.admin().await);
    world.set_status(&disabled, "DISABLED").await;
    let unknown = fresh();
    let first = forgot(&world, active.email()).is(202).await;
    for email in [disabled.email(), &unknown] {
        let other = forgot(&world, email).is(202).await;
        assert_eq!((&other.text, other.operations()), (&first.text, first.operations()));
        let names = |headers: &lambda_http::http::HeaderMap| headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&other.headers), names(&first.headers));
    }
    forgot(&world, "ada@").invalid(&["/email"]).await;
    assert_eq!(world.letters(active.email()).await.len(), 1);
    for email in [disabled.email(), &unknown] {
        assert_eq!(outbox().mails_to(email), []);
    }
}

#[tokio::test]
async fn a_mailbox_gets_five_mails_an_hour_at_most() {
    let world = World::new().await;
    let admin = world.admin().await;
    for at in 0..8 {
        let email = if at % 2 == 0 { admin.email().to_owned() } else { admin.email().to_uppercase() };
        forgot(&world, &email).from(&format!("192.0.2.{at}")).is(202).await;
    }
    assert_eq!(world.letters(admin.email()).await.len(), 5);
    world.clock().advance(3601);
    forgot(&world, admin.email()).is(202).await;
    assert_eq!(world.letters(admin.email()).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_requests_sends_five_mails_at_most() {
    let world = World::new().await;
    let admin = world.admin().await;
    let asks = (0..16).map(|at| forgot(&world, admin.email()).from(&format!("192.0.2.{at}")).contended().is(202));
    at_once(asks).await;
    assert_eq!(world.letters(admin.email()).await.len(), 5);
}

#[tokio::test]
async fn a_source_causes_fifty_mails_an_hour_at_most() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..50 {
        forgot(&world, &fresh()).from("2001:db8:1:2::1").is(202).await;
    }
    // Its neighbours are the same source, and others are not.
    forgot(&world, admin.email()).from("2001:db8:1:2::2").is(202).await;
    assert_eq!(world.letters(admin.email()).await.len(), 0);
    forgot(&world, admin.email()).from("2001:db8:1:3::1").is(202).await;
    assert_eq!(world.letters(admin.email()).await.len(), 1);
}

#[tokio::test]
async fn whoever_was_invited_and_forgot_gets_another_invitation() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    shop.owner.post(&format!("{}/users", shop.spot.client)).json(person(&email)).created().await;
    forgot(&world, &email).is(202).await;
    let letters = world.letters(&email).await;
    assert_eq!(letters.len(), 2);
    let acceptance = json!({ "token": token(&letters[0]), "password": PASSWORD });
    world.anyone().post("/v1/auth/invitations/accept").json(acceptance).is(200).await;
}

// ── Reset ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_reset_ends_every_session_and_every_other_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    forgot(&world, admin.email()).is(202).await;
    let older = world.mailed_token(admin.email()).await;
    forgot(&world, admin.email()).is(202).await;
    let token = world.mailed_token(admin.email()).await;
    assert_ne!(token, older);
    reset(&world, &token, "short").invalid(&["/newPassword"]).await;
    reset(&world, &token, ANOTHER).is(200).await;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
    for used in [&token, &older] {
        reset(&world, used, ANOTHER).invalid(&["/token"]).await;
    }
    login(&world, admin.email(), PASSWORD).problem(401, "wrong_credentials").await;
    login(&world, admin.email(), ANOTHER).is(200).await;
    assert_eq!(world.letters(admin.email()).await[0].subject, "Your Upzento CRM password was changed");
}

#[tokio::test]
async fn a_reset_token_is_good_for_an_hour() {
    let world = World::new().await;
    let admin = world.admin().await;
    forgot(&world, admin.email()).is(202).await;
    let token = world.mailed_token(admin.email()).await;
    world.clock().advance(3601);
    reset(&world, &token, ANOTHER).invalid(&["/token"]).await;
    forgot(&world, admin.email()).is(202).await;
    let token = world.mailed_token(admin.email()).await;
    world.clock().advance(3600 - 5);
    reset(&world, &token, ANOTHER).is(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_token_is_good_once() {
    let world = World::new().await;
    let admin = world.admin().await;
    forgot(&world, admin.email()).is(202).await;
    let token = world.mailed_token(admin.email()).await;
    let answers = at_once((0..4).map(|_| reset(&world, &token, ANOTHER).contended().send())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422, 422], "{answers:?}");
}

#[tokio::test]
async fn what_changes_a_user_voids_their_reset_token() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.spot.scope, Role::ClientUser).await;
    let path = format!("{}/users/{}", shop.spot.client, user.id());
    let (moved, mut email) = (fresh(), user.email().to_owned());
    for patch in [json!({ "status": "DISABLED" }), json!({ "email": moved })] {
        forgot(&world, &email).is(202).await;
        let token = world.mailed_token(&email).await;
        shop.owner.patch(&path).json(&patch).is(200).await;
        shop.owner.patch(&path).json(json!({ "status": "ACTIVE" })).is(200).await;
        reset(&world, &token, ANOTHER).invalid(&["/token"]).await;
        email = patch["email"].as_str().unwrap_or(&email).to_owned();
    }
    forgot(&world, &moved).is(202).await;
    let token = world.mailed_token(&moved).await;
    shop.owner.delete(&path).is(204).await;
    reset(&world, &token, ANOTHER).invalid(&["/token"]).await;
}

#[tokio::test]
async fn every_bad_token_gets_one_answer() {
    let world = World::new().await;
    let admin = world.admin().await;
    forgot(&world, admin.email()).is(202).await;
    let token = world.mailed_token(admin.email()).await;
    world.clock().advance(3601);
    let expired = reset(&world, &token, ANOTHER).invalid(&["/token"]).await;
    for nobodys in ["", "x", &"A".repeat(43)] {
        let other = reset(&world, nobodys, ANOTHER).invalid(&["/token"]).await;
        assert_eq!(without_request_id(&other), without_request_id(&expired));
        assert_eq!(other.operations(), expired.operations());
    }
}

#[tokio::test]
async fn a_reset_lifts_the_block_of_the_email() {
    let world = World::new().await;
    let admin = world.admin().await;
    for at in 0..10 {
        login(&world, admin.email(), "wrong").from(&format!("192.0.2.{at}")).is(401).await;
    }
    let stranger = || login(&world, admin.email(), ANOTHER).from("203.0.113.7");
    stranger().problem(429, "too_many_attempts").await;
    forgot(&world, admin.email()).is(202).await;
    let token = world.mailed_token(admin.email()).await;
    let signed_in = reset(&world, &token, ANOTHER).from("203.0.113.8").is(200).await.body;
    refresh(&world, &signed_in).is(200).await;
    stranger().is(200).await;
}
