//! Changing, forgetting and resetting passwords.

use harness::at_once;
use harness::call::{Call, Touch};
use harness::mailbox::token;
use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::{PASSWORD, World, outbox};
use serde_json::json;
use shared::identity::Role;

use crate::sign_in::{ME, login, refresh, without_request_id};
use crate::users::{person, unique_email};

const ANOTHER: &str = "another battery staple";

fn change<'w>(user: &TestUser<'w>, current: &str, new: &str) -> RequestBuilder<'w> {
    user.post("/v1/auth/password").json(json!({ "currentPassword": current, "newPassword": new }))
}

fn forgot<'w>(world: &'w World, email: &str) -> RequestBuilder<'w> {
    world.anonymous().post("/v1/auth/password/forgot").json(json!({ "email": email }))
}

fn reset<'w>(world: &'w World, token: &str, new: &str) -> RequestBuilder<'w> {
    world.anonymous().post("/v1/auth/password/reset").json(json!({ "token": token, "newPassword": new }))
}

// ── Changed ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn password_change_ends_other_sessions_and_sends_mail() {
    let world = World::new().await;
    let admin = world.admin().await;
    let other_session = admin.sign_in_again().await;
    change(&admin, PASSWORD, ANOTHER).is(204).await;
    refresh(&world, &other_session.session).problem(401, "invalid_refresh_token").await;
    let next = refresh(&world, &admin.session).is(200).await.body;
    refresh(&world, &next).is(200).await;
    login(&world, admin.email(), PASSWORD).problem(401, "wrong_credentials").await;
    login(&world, admin.email(), ANOTHER).is(200).await;
    let mails = world.delivered_mails(admin.email()).await;
    assert_eq!(
        mails.iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>(),
        ["Your Upzento CRM password was changed"]
    );
}

#[tokio::test]
async fn password_change_requires_the_current_password() {
    let world = World::new().await;
    let admin = world.admin().await;
    let version = admin.get(ME).is(200).await.body["version"].clone();
    change(&admin, "wrong", ANOTHER).invalid(&["/currentPassword"]).await;
    change(&admin, "wrong", "short").invalid(&["/newPassword"]).await;
    world.anonymous().post("/v1/auth/password").json(json!({})).problem(401, "unauthenticated").await;
    admin.post("/v1/auth/password").json(json!({})).invalid(&["/currentPassword", "/newPassword"]).await;
    assert_eq!(admin.get(ME).is(200).await.body["version"], version);
    assert_eq!(world.delivered_mails(admin.email()).await, []);
}

#[tokio::test]
async fn current_password_attempts_are_limited_per_session() {
    let world = World::new().await;
    let admin = world.admin().await;
    let other_session = admin.sign_in_again().await;
    for at in 0..10 {
        change(&admin, "wrong", ANOTHER).from(&format!("192.0.2.{at}")).is(422).await;
    }
    let blocked = change(&admin, PASSWORD, ANOTHER).problem(429, "too_many_attempts").await;
    assert!(blocked.header("retry-after").parse::<u32>().unwrap() > 800, "{blocked}");
    // A stolen session cannot block other sessions.
    login(&world, admin.email(), PASSWORD).from("203.0.113.7").is(200).await;
    change(&other_session, PASSWORD, ANOTHER).is(204).await;
}

#[tokio::test]
async fn short_long_or_common_new_password_is_rejected() {
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
        let rejected = change(&admin, PASSWORD, new).invalid(&["/newPassword"]).await;
        assert_eq!(rejected.body["errors"][0]["code"], code, "{new}: {rejected}");
    }
}

#[tokio::test]
async fn passwords_are_compared_in_unicode_normal_form() {
    let world = World::new().await;
    let admin = world.admin().await;
    change(&admin, PASSWORD, "Zoe\u{308} was ﬁrst here").is(204).await;
    login(&world, admin.email(), "Zo\u{eb} was first here").is(200).await;
    change(&admin, "Zo\u{eb} was first here", ANOTHER).is(204).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_password_changes_succeed_once() {
    let world = World::new().await;
    let admin = world.admin().await;
    let new = [ANOTHER, "a third battery staple"];
    let answers = at_once(new.map(|new| change(&admin, PASSWORD, new).contended().send())).await;
    let winner = answers.iter().position(|answer| answer.status == 204).expect("one succeeds");
    assert_eq!(answers[1 - winner].body["errors"][0]["pointer"], "/currentPassword", "{answers:?}");
    login(&world, admin.email(), new[winner]).is(200).await;
    refresh(&world, &admin.session).is(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_refreshed_during_password_change_survives() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (mut session, mut current) = (admin.session.clone(), PASSWORD.to_owned());
    // A user changes the password at most five times an hour.
    for round in 0..5 {
        let user = admin.with_token(session["accessToken"].as_str().unwrap());
        let new = format!("{ANOTHER} {round}");
        // The refreshes are spread over the duration of the hashing.
        let changing = change(&user, &current, &new).contended().is(204);
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
async fn signed_out_session_cannot_change_the_password() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.post("/v1/auth/logout").is(204).await;
    change(&admin, PASSWORD, ANOTHER).problem(401, "unauthenticated").await;
    login(&world, admin.email(), PASSWORD).is(200).await;
}

#[tokio::test]
async fn password_change_does_not_revive_an_ended_session() {
    let world = World::new().await;
    let admin = world.admin().await;
    let other_session = admin.sign_in_again().await;
    change(&admin, PASSWORD, ANOTHER).is(204).await;
    change(&other_session, ANOTHER, PASSWORD).problem(401, "unauthenticated").await;
    refresh(&world, &other_session.session).problem(401, "invalid_refresh_token").await;
    login(&world, admin.email(), ANOTHER).is(200).await;
    refresh(&world, &admin.session).is(200).await;
}

#[tokio::test]
async fn notices_of_changed_passwords_are_limited_to_five_per_hour() {
    let world = World::new().await;
    let shop = world.shop().await;
    for at in 0..5 {
        let (current, new) = if at % 2 == 0 { (PASSWORD, ANOTHER) } else { (ANOTHER, PASSWORD) };
        change(&shop.owner, current, new).is(204).await;
    }
    change(&shop.owner, ANOTHER, PASSWORD).problem(429, "too_many_attempts").await;
    assert_eq!(world.delivered_mails(shop.owner.email()).await.len(), 5);
    login(&world, shop.owner.email(), ANOTHER).is(200).await;
}

// ── Forgotten ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn forgot_password_does_not_reveal_whether_an_email_exists() {
    let world = World::new().await;
    let (active, disabled) = (world.admin().await, world.admin().await);
    world.set_status(&disabled, "DISABLED").await;
    let unknown = unique_email();
    let first = forgot(&world, active.email()).is(202).await;
    for email in [disabled.email(), &unknown] {
        let other = forgot(&world, email).is(202).await;
        assert_eq!(other.text, first.text);
        let names = |headers: &lambda_http::http::HeaderMap| headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&other.headers), names(&first.headers));
    }
    forgot(&world, "ada@").invalid(&["/email"]).await;
    assert_eq!(world.delivered_mails(active.email()).await.len(), 1);
    for email in [disabled.email(), &unknown] {
        assert_eq!(outbox().mails_to(email), []);
    }
    let queued = world
        .rows()
        .await
        .into_iter()
        .filter(|row| row["dp"].as_str().is_some_and(|dp| dp.starts_with("DUE#MAIL")))
        .count();
    assert_eq!(queued, 0, "placeholders are removed");
}

/// The operations of the calls, and for writes the parts and the size.
///
/// Keys are compared by their length: they contain hashes and ids.
fn shape(answer: &Answer) -> Vec<String> {
    let call = |call: &Call| {
        if call.operation != "TransactWriteItems" {
            return call.operation.clone();
        }
        let keys = |touch: &Touch| {
            let index_keys = touch.index_keys.iter().map(|index_key| (index_key.index.clone(), &index_key.key));
            let keys = touch.key.iter().map(|key| (String::new(), key)).chain(index_keys);
            keys.map(|(index, key)| format!("{index} {}", key.to_string().len())).collect::<Vec<_>>()
        };
        let parts: Vec<_> = call.touches.iter().map(|touch| (touch.action.clone(), keys(touch))).collect();
        format!("{} of {} bytes: {parts:?}", call.operation, call.size)
    };
    answer.calls.iter().map(call).collect()
}

#[tokio::test]
async fn forgot_password_makes_the_same_calls_for_every_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (active, disabled) = (world.admin().await, world.admin().await);
    world.set_status(&disabled, "DISABLED").await;
    let long_name = json!({ "firstName": "x".repeat(200) });
    let renamed = world.user(shop.paths.agency_scope(), Role::AgencyUser).await;
    renamed.patch("/v1/auth/me").json(long_name).is(200).await;
    let invited = unique_email();
    shop.owner.post(&format!("{}/users", shop.paths.client)).json(person(&invited)).created().await;
    // The first request from a source starts its count.
    forgot(&world, &unique_email()).is(202).await;
    let unknown = forgot(&world, &unique_email()).is(202).await;
    for email in [active.email(), disabled.email(), &invited, shop.owner.email(), renamed.email()] {
        let known = forgot(&world, email).is(202).await;
        assert_eq!(shape(&known), shape(&unknown), "{email}: {known}");
    }
}

#[tokio::test]
async fn reset_mails_are_limited_to_five_per_email_and_hour() {
    let world = World::new().await;
    let admin = world.admin().await;
    for at in 0..8 {
        let email = if at % 2 == 0 { admin.email().to_owned() } else { admin.email().to_uppercase() };
        forgot(&world, &email).from(&format!("192.0.2.{at}")).is(202).await;
    }
    assert_eq!(world.delivered_mails(admin.email()).await.len(), 5);
    world.clock().advance(3601);
    forgot(&world, admin.email()).is(202).await;
    assert_eq!(world.delivered_mails(admin.email()).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_reset_requests_send_five_mails_at_most() {
    let world = World::new().await;
    let admin = world.admin().await;
    let requests = (0..16).map(|at| forgot(&world, admin.email()).from(&format!("192.0.2.{at}")).contended().is(202));
    at_once(requests).await;
    assert_eq!(world.delivered_mails(admin.email()).await.len(), 5);
}

#[tokio::test]
async fn reset_mails_are_limited_to_fifty_per_source_and_hour() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..50 {
        forgot(&world, &unique_email()).from("2001:db8:1:2::1").is(202).await;
    }
    // Addresses in the same /64 network are the same source; other networks are other sources.
    forgot(&world, admin.email()).from("2001:db8:1:2::2").is(202).await;
    assert_eq!(world.delivered_mails(admin.email()).await.len(), 0);
    forgot(&world, admin.email()).from("2001:db8:1:3::1").is(202).await;
    assert_eq!(world.delivered_mails(admin.email()).await.len(), 1);
}

#[tokio::test]
async fn forgot_password_of_an_invited_user_resends_the_invitation() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    shop.owner.post(&format!("{}/users", shop.paths.client)).json(person(&email)).created().await;
    forgot(&world, &email).is(202).await;
    let mails = world.delivered_mails(&email).await;
    assert_eq!(mails.len(), 2);
    let acceptance = json!({ "token": token(&mails[0]), "password": PASSWORD });
    world.anonymous().post("/v1/auth/invitations/accept").json(acceptance).is(200).await;
}

// ── Reset ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn password_reset_ends_all_sessions_and_reset_tokens() {
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
    assert_eq!(world.delivered_mails(admin.email()).await[0].subject, "Your Upzento CRM password was changed");
}

#[tokio::test]
async fn reset_token_is_valid_for_one_hour() {
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
async fn reset_token_is_single_use() {
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
async fn user_change_invalidates_the_reset_token() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let path = format!("{}/users/{}", shop.paths.client, user.id());
    let (moved, mut email) = (unique_email(), user.email().to_owned());
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
async fn expired_and_unknown_reset_tokens_get_the_same_answer() {
    let world = World::new().await;
    let admin = world.admin().await;
    forgot(&world, admin.email()).is(202).await;
    let token = world.mailed_token(admin.email()).await;
    world.clock().advance(3601);
    let expired = reset(&world, &token, ANOTHER).invalid(&["/token"]).await;
    for unknown in ["", "x", &"A".repeat(43)] {
        let other = reset(&world, unknown, ANOTHER).invalid(&["/token"]).await;
        assert_eq!(without_request_id(&other), without_request_id(&expired));
        assert_eq!(other.operations(), expired.operations());
    }
}

#[tokio::test]
async fn password_reset_lifts_the_block_of_the_email() {
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
