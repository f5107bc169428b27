//! Users below agencies and clients: created, invited, changed, disabled, deleted; and one email for each of them.

use harness::at_once;
use harness::faults::Fault;
use harness::letters::token;
use harness::tree::invite;
use harness::who::{Answer, RequestBuilder, Who};
use harness::world::{PASSWORD, World, outbox};
use serde_json::{Value, json};
use shared::auth::Role;
use uuid::Uuid;

use crate::signing_in::{ME, login, refresh};

pub(crate) fn fresh() -> String {
    format!("{}@example.com", Uuid::new_v4())
}

pub(crate) fn person(email: &str) -> Value {
    json!({ "email": email, "firstName": "Grace", "lastName": "Hopper" })
}

fn accept<'w>(world: &'w World, token: &str) -> RequestBuilder<'w> {
    let acceptance = json!({ "token": token, "password": PASSWORD });
    world.anyone().post("/v1/auth/invitations/accept").json(acceptance)
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn user_of(users: &str, who: &Who<'_>) -> String {
    format!("{users}/{}", who.id())
}

async fn change(who: &Who<'_>, user: &str, fields: Value) -> Answer {
    who.patch(user).json(fields).is(200).await
}

// ── Created ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn whoever_is_created_with_a_password_signs_in_at_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    let mut body = person(&email);
    (body["password"], body["role"]) = (json!(PASSWORD), json!("CLIENT_ADMIN"));
    let users = format!("{}/users", shop.spot.client);
    let created = shop.owner.post(&users).json(body).created().await;
    assert_eq!((&created.body["status"], &created.body["role"]), (&json!("ACTIVE"), &json!("CLIENT_ADMIN")));
    assert_eq!(created.body["lastLoginAt"], Value::Null);
    let session = login(&world, &email, PASSWORD).is(200).await;
    assert_eq!(session.body["user"]["clientId"], shop.spot.id("clientId"));
    assert_eq!(world.letters(&email).await, [], "there is nothing to accept");
    world.assert_whole().await;
}

#[tokio::test]
async fn a_user_is_shown_with_these_members() {
    let world = World::new().await;
    let shop = world.shop().await;
    let made = shop.admin.post(&format!("{}/users", shop.spot.agency)).json(person(&fresh())).created().await;
    let mut expected = json!({
        "firstName": "Grace", "lastName": "Hopper", "role": "AGENCY_USER", "status": "INVITED", "lastLoginAt": null,
        "tenantId": shop.spot.id("tenantId"), "agencyId": shop.spot.id("agencyId"), "clientId": null, "version": 1,
    });
    for name in ["id", "email", "createdAt", "updatedAt"] {
        expected[name] = made.body[name].clone();
    }
    assert_eq!(made.body, expected);
    assert_eq!(made.header("etag"), "\"1\"");
    let read = shop.admin.get(made.location()).is(200).await;
    assert_eq!((read.body, read.headers["etag"].as_bytes()), (expected, "\"1\"".as_bytes()));
    shop.admin.get(made.location()).header("if-none-match", "\"1\"").is(304).await;
}

#[tokio::test]
async fn a_new_user_with_bad_fields_hears_of_all_of_them() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.spot.client);
    let bad = json!({
        "email": "ada@", "firstName": " ", "lastName": 7, "role": "KING", "password": "short", "status": "ACTIVE",
    });
    let pointers = ["/email", "/firstName", "/lastName", "/role", "/password", "/status"];
    shop.owner.post(&users).json(bad).invalid(&pointers).await;
    shop.owner.post(&users).json(json!({})).invalid(&["/email", "/firstName", "/lastName"]).await;
    let path = user_of(&users, &shop.owner);
    let bad = json!({ "email": "", "firstName": null, "lastName": "a\u{0}b", "role": 1, "status": "GONE", "id": "x" });
    let pointers = ["/email", "/firstName", "/lastName", "/role", "/status", "/id"];
    shop.owner.patch(&path).json(bad).invalid(&pointers).await;
}

#[tokio::test]
async fn a_repeated_creation_makes_one_user_and_one_mail() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (users, email) = (format!("{}/users", shop.spot.client), fresh());
    let ask = |body: Value| shop.owner.post(&users).json(body).header("idempotency-key", "one");
    let first = ask(person(&email)).created().await;
    let second = ask(person(&email)).created().await;
    assert_eq!((second.header("idempotency-replayed"), &second.body), ("true", &first.body));
    assert_eq!(second.location(), first.location());
    ask(person(&fresh())).problem(422, "idempotency_key_reused").await;
    assert_eq!(world.letters(&email).await.len(), 1);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_list_has_every_user_of_its_home_and_no_other() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.spot.client);
    let mut expected = vec![id(&shop.spot.client_user).to_owned(), shop.owner.id().to_owned()];
    for _ in 0..3 {
        expected.push(id(&invite(&shop.owner, &shop.spot.client).await).to_owned());
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.owner.get(&format!("{users}?limit=2{cursor}")).is(200).await;
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2, "{page}");
        found.extend(items.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, expected, "oldest first");
}

// ── Invited ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn whoever_accepts_an_invitation_is_in() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    let users = format!("{}/users", shop.spot.client);
    let invited = shop.owner.post(&users).json(person(&email)).created().await;
    assert_eq!((&invited.body["status"], &invited.body["role"]), (&json!("INVITED"), &json!("CLIENT_USER")));
    login(&world, &email, PASSWORD).problem(401, "wrong_credentials").await;

    let token = world.mailed_token(&email).await;
    let accepted = accept(&world, &token).is(200).await.body;
    let user = &accepted["user"];
    assert_eq!((&user["status"], &user["id"]), (&json!("ACTIVE"), &invited.body["id"]));
    assert!(user["lastLoginAt"].is_string() && user["version"] == 2, "{user}");
    let me = world.anyone().with_token(accepted["accessToken"].as_str().unwrap()).get(ME).is(200).await;
    assert_eq!(&me.body, user);
    refresh(&world, &accepted).is(200).await;
    login(&world, &email, PASSWORD).is(200).await;
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_good_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    let users = format!("{}/users", shop.spot.agency);
    let mut body = person(&email);
    body["role"] = json!("AGENCY_ADMIN");
    shop.admin.post(&users).json(body).created().await;
    let token = world.mailed_token(&email).await;
    let answers = at_once((0..4).map(|_| accept(&world, &token).contended().send())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422, 422], "{answers:?}");
    accept(&world, &token).invalid(&["/token"]).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn an_invitation_is_good_for_7_days() {
    let world = World::new().await;
    let shop = world.shop().await;
    let emails = [fresh(), fresh()];
    let mut tokens = Vec::new();
    for email in &emails {
        shop.owner.post(&format!("{}/users", shop.spot.client)).json(person(email)).created().await;
        tokens.push(world.mailed_token(email).await);
    }
    world.clock().advance(7 * 24 * 3600 - 5);
    accept(&world, &tokens[0]).is(200).await;
    world.clock().advance(6);
    accept(&world, &tokens[1]).invalid(&["/token"]).await;
}

#[tokio::test]
async fn a_token_serves_its_own_purpose_only() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    shop.owner.post(&format!("{}/users", shop.spot.client)).json(person(&email)).created().await;
    let invitation = world.mailed_token(&email).await;
    let forgot = json!({ "email": shop.owner.email() });
    world.anyone().post("/v1/auth/password/forgot").json(forgot).is(202).await;
    let reset = world.mailed_token(shop.owner.email()).await;
    accept(&world, &reset).invalid(&["/token"]).await;
    let wrong = json!({ "token": invitation, "newPassword": PASSWORD });
    world.anyone().post("/v1/auth/password/reset").json(wrong).invalid(&["/token"]).await;
    for nobodys in ["", "x", &format!("{invitation}A"), &invitation[1..]] {
        accept(&world, nobodys).invalid(&["/token"]).await;
    }
    let short = json!({ "token": invitation, "password": "short", "name": "x" });
    world.anyone().post("/v1/auth/invitations/accept").json(short).invalid(&["/password", "/name"]).await;
    accept(&world, &invitation).is(200).await;
}

#[tokio::test]
async fn an_invitation_is_sent_again_five_times_an_hour_at_most() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    let users = format!("{}/users", shop.spot.client);
    let user = shop.owner.post(&users).json(person(&email)).created().await.location().to_owned();
    let again = || shop.owner.post(&format!("{user}/invitation"));
    for _ in 0..5 {
        again().is(202).await;
    }
    let refused = again().problem(429, "too_many_attempts").await;
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((3500..=3601).contains(&wait), "{wait}");
    let letters = world.letters(&email).await;
    assert_eq!(letters.len(), 6);
    let mut tokens: Vec<_> = letters.iter().map(token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 6, "each has its own");

    world.clock().advance(wait);
    let owner = shop.owner.again().await;
    owner.post(&format!("{user}/invitation")).is(202).await;
    let newest = world.mailed_token(&email).await;
    accept(&world, &newest).is(200).await;
    accept(&world, tokens[0]).invalid(&["/token"]).await;
    owner.post(&format!("{user}/invitation")).problem(409, "not_invited").await;
}

#[tokio::test]
async fn who_is_disabled_before_accepting_is_invited_anew() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    let users = format!("{}/users", shop.spot.client);
    let user = shop.owner.post(&users).json(person(&email)).created().await.location().to_owned();
    let old = world.mailed_token(&email).await;
    change(&shop.owner, &user, json!({ "status": "DISABLED" })).await;
    accept(&world, &old).invalid(&["/token"]).await;
    shop.owner.post(&format!("{user}/invitation")).problem(409, "not_invited").await;
    shop.owner.patch(&user).json(json!({ "status": "ACTIVE" })).problem(409, "invalid_transition").await;
    change(&shop.owner, &user, json!({ "status": "INVITED" })).await;
    accept(&world, &old).invalid(&["/token"]).await;
    accept(&world, &world.mailed_token(&email).await).is(200).await;
}

#[tokio::test]
async fn an_invitation_follows_a_corrected_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (wrong, right) = (fresh(), fresh());
    let users = format!("{}/users", shop.spot.client);
    let user = shop.owner.post(&users).json(person(&wrong)).created().await.location().to_owned();
    let stray = world.mailed_token(&wrong).await;
    change(&shop.owner, &user, json!({ "email": right })).await;
    accept(&world, &stray).invalid(&["/token"]).await;
    let accepted = accept(&world, &world.mailed_token(&right).await).is(200).await;
    assert_eq!(accepted.body["user"]["email"], right);
    assert_eq!(outbox().mails_to(&wrong).len(), 1);
}

// ── Changed ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_user_is_changed_field_by_field_and_version_by_version() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = invite(&shop.owner, &shop.spot.client).await;
    let email = fresh();
    let patch = json!({ "firstName": "Ada", "lastName": "King", "email": email, "role": "CLIENT_ADMIN" });
    let changed = shop.owner.patch(&user).json(&patch).header("if-match", "\"1\"").is(200).await;
    for (name, value) in patch.as_object().unwrap() {
        assert_eq!(&changed.body[name], value, "{name}");
    }
    assert_eq!((&changed.body["version"], changed.header("etag")), (&json!(2), "\"2\""));
    assert_eq!(shop.owner.get(&user).is(200).await.body, changed.body);
    let stale = || shop.owner.patch(&user).json(json!({ "firstName": "Eve" })).header("if-match", "\"1\"");
    stale().problem(412, "precondition_failed").await;
    shop.owner.delete(&user).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    shop.owner.delete(&user).header("if-match", "\"2\"").is(204).await;
    stale().problem(404, "not_found").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_promoted_user_has_the_new_role_at_the_next_refresh() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.spot.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.spot.client);
    user.post(&users).json(person(&fresh())).problem(403, "forbidden").await;
    change(&shop.owner, &user_of(&users, &user), json!({ "role": "CLIENT_ADMIN" })).await;
    let next = refresh(&world, &user.session).is(200).await.body;
    assert_eq!(next["user"]["role"], "CLIENT_ADMIN");
    let promoted = user.with_token(next["accessToken"].as_str().unwrap());
    promoted.post(&users).json(person(&fresh())).created().await;
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_comes_back_without_the_old_sessions() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.spot.scope, Role::ClientUser).await;
    let path = user_of(&format!("{}/users", shop.spot.client), &user);
    change(&shop.owner, &path, json!({ "status": "DISABLED" })).await;
    user.get(ME).problem(401, "unauthenticated").await;
    let elsewhere = json!({ "currentPassword": PASSWORD, "newPassword": "another battery staple" });
    user.post("/v1/auth/password").json(elsewhere).problem(401, "unauthenticated").await;
    login(&world, user.email(), PASSWORD).problem(401, "wrong_credentials").await;
    shop.owner.patch(&path).json(json!({ "status": "INVITED" })).problem(409, "invalid_transition").await;
    change(&shop.owner, &path, json!({ "status": "ACTIVE" })).await;
    refresh(&world, &user.session).problem(401, "invalid_refresh_token").await;
    let back = user.again().await;
    change(&shop.owner, &path, json!({ "status": "DISABLED" })).await;
    refresh(&world, &back.session).problem(401, "invalid_refresh_token").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_leaves_the_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.spot.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.spot.client);
    let path = user_of(&users, &user);
    shop.owner.delete(&path).is(204).await;
    for ask in [shop.owner.get(&path), shop.owner.delete(&path), shop.owner.post(&format!("{path}/invitation"))] {
        ask.problem(404, "not_found").await;
    }
    user.get(ME).problem(401, "unauthenticated").await;
    refresh(&world, &user.session).problem(401, "invalid_refresh_token").await;
    login(&world, user.email(), PASSWORD).problem(401, "wrong_credentials").await;
    let second = shop.owner.post(&users).json(person(user.email())).created().await;
    assert_ne!(second.id(), user.id());
    // Neither the token nor the session of the one before is any good for the second.
    user.get(ME).problem(401, "unauthenticated").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_deleted_users_invitation_is_void() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    let users = format!("{}/users", shop.spot.client);
    let user = shop.owner.post(&users).json(person(&email)).created().await.location().to_owned();
    let token = world.mailed_token(&email).await;
    shop.owner.delete(&user).is(204).await;
    shop.owner.post(&users).json(person(&email)).created().await;
    accept(&world, &token).invalid(&["/token"]).await;
    world.assert_whole().await;
}

// ── One email ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn an_email_is_taken_everywhere_and_in_any_case() {
    let world = World::new().await;
    let shop = world.shop().await;
    let beside = world.shop().await;
    let email = fresh();
    shop.owner.post(&format!("{}/users", shop.spot.client)).json(person(&email)).created().await;
    let homes = [&shop.spot.client, &shop.spot.agency, &beside.spot.client, &beside.spot.agency];
    for taken in [email.as_str(), &email.to_uppercase(), shop.admin.email(), &format!(" {email} ")] {
        for home in homes {
            let refused = shop.admin.post(&format!("{home}/users")).json(person(taken));
            let refused = refused.problem(409, "email_taken").await;
            assert_eq!(refused.body["errors"][0]["pointer"], "/email", "{refused}");
        }
    }
    let patch = json!({ "email": email.to_uppercase() });
    beside.owner.patch(&beside.spot.client_user).json(patch).problem(409, "email_taken").await;
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_an_email_at_once_one_gets_it() {
    let world = World::new().await;
    let shop = world.shop().await;
    for count in [2, 2, 2, 20] {
        let email = fresh();
        let asks = (0..count).map(|at| {
            let home = [&shop.spot.client, &shop.spot.agency][at % 2];
            let email = if at % 3 == 0 { email.to_uppercase() } else { email.clone() };
            shop.admin.post(&format!("{home}/users")).json(person(&email)).contended().send()
        });
        let answers = at_once(asks).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(refused.body["code"], "email_taken", "{refused}");
        }
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_change_to_one_email_at_once_one_gets_it() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = [&shop.spot.client_user, &shop.spot.agency_user];
    for _ in 0..5 {
        let email = fresh();
        let asks = users.map(|user| shop.admin.patch(user).json(json!({ "email": email })).contended().send());
        let answers = at_once(asks).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{answers:?}");
        world.assert_whole().await;
    }
}

#[tokio::test]
async fn a_changed_email_moves() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.spot.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.spot.client);
    let (path, old, new) = (user_of(&users, &user), user.email().to_owned(), fresh());
    change(&shop.owner, &path, json!({ "email": new })).await;
    world.assert_whole().await;
    login(&world, &old, PASSWORD).problem(401, "wrong_credentials").await;
    login(&world, &new, PASSWORD).is(200).await;
    refresh(&world, &user.session).problem(401, "invalid_refresh_token").await;
    shop.owner.post(&users).json(person(&new)).problem(409, "email_taken").await;
    shop.owner.post(&users).json(person(&old)).created().await;
    shop.owner.patch(&path).json(json!({ "email": old })).problem(409, "email_taken").await;
    login(&world, &new, PASSWORD).is(200).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn an_email_that_is_changed_on_a_broken_table_is_the_old_one_or_the_new_one() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let (users, new) = (format!("{}/users", shop.spot.client), fresh());
    let patch = || shop.owner.patch(&shop.spot.client_user).json(json!({ "email": new }));
    world.faults().next_writes([Fault::ServerError; 12]);
    patch().problem(503, "unavailable").await;
    world.faults().none();
    world.assert_whole().await;
    assert_ne!(shop.owner.get(&shop.spot.client_user).is(200).await.body["email"], new);
    world.faults().next_writes([Fault::AnswerLost; 2]);
    assert_eq!(patch().is(200).await.body["version"], 2);
    world.faults().none();
    shop.owner.post(&users).json(person(&new)).problem(409, "email_taken").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn an_email_that_changes_only_its_case_stays_its_owners() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.spot.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.spot.client);
    let upper = user.email().to_uppercase();
    let changed = change(&shop.owner, &user_of(&users, &user), json!({ "email": upper })).await;
    assert_eq!(changed.body["email"], upper);
    shop.owner.post(&users).json(person(user.email())).problem(409, "email_taken").await;
    refresh(&world, &user.session).is(200).await;
    login(&world, user.email(), PASSWORD).is(200).await;
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_email_that_is_changed_and_deleted_at_once_is_nobodys_or_somebodys() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..8 {
        let user = invite(&shop.owner, &shop.spot.client).await;
        let patch = |email: String| shop.owner.patch(&user).json(json!({ "email": email })).contended().send();
        at_once([patch(fresh()), patch(fresh())].into_iter()).await;
        let asks = [shop.owner.patch(&user).json(json!({ "email": fresh() })), shop.owner.delete(&user)];
        at_once(asks.map(|ask| ask.contended().send())).await;
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_change_twice_at_once_is_no_conflict() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.spot.client);
    let user = user_of(&users, &world.user(shop.spot.scope, Role::ClientAdmin).await);
    for round in 0..10 {
        let role = if round % 2 == 0 { "CLIENT_USER" } else { "CLIENT_ADMIN" };
        let fields = json!({ "email": fresh(), "role": role });
        let asks = (0..3).map(|_| shop.owner.patch(&user).json(&fields).contended().is(200));
        at_once(asks).await;
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn all_spellings_of_a_mailbox_are_one_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.spot.client);
    let local = Uuid::new_v4();
    shop.owner.post(&users).json(person(&format!("{local}@bücher.example"))).created().await;
    let other = person(&format!("{local}@XN--BCHER-KVA.example"));
    shop.owner.post(&users).json(other).problem(409, "email_taken").await;
}

#[tokio::test]
async fn whoever_had_an_email_hears_that_it_was_changed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.spot.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.spot.client);
    change(&shop.owner, &user_of(&users, &user), json!({ "email": fresh() })).await;
    assert_eq!(world.letters(user.email()).await[0].subject, "Your Upzento CRM email was changed");
}

#[tokio::test]
async fn strangers_who_forgot_do_not_stop_an_invitation() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = fresh();
    for _ in 0..6 {
        let forgot = world.anyone().post("/v1/auth/password/forgot").json(json!({ "email": email }));
        forgot.is(202).await;
    }
    shop.owner.post(&format!("{}/users", shop.spot.client)).json(person(&email)).created().await;
    assert_eq!(world.letters(&email).await.len(), 1);
}

#[tokio::test]
async fn nobody_is_sent_more_than_five_invitations_an_hour() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.spot.client);
    let email = fresh();
    for _ in 0..5 {
        let user = shop.owner.post(&users).json(person(&email)).created().await.location().to_owned();
        shop.owner.delete(&user).is(204).await;
    }
    shop.owner.post(&users).json(person(&email)).problem(429, "too_many_attempts").await;
    let user = invite(&shop.owner, &shop.spot.client).await;
    for _ in 0..5 {
        change(&shop.owner, &user, json!({ "status": "DISABLED" })).await;
        change(&shop.owner, &user, json!({ "status": "INVITED" })).await;
    }
    change(&shop.owner, &user, json!({ "status": "DISABLED" })).await;
    let again = shop.owner.patch(&user).json(json!({ "status": "INVITED" }));
    let refused = again.problem(429, "too_many_attempts").await;
    assert_ne!(refused.header("retry-after"), "", "{refused}");
}
