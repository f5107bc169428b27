//! Users of agencies and clients.
//!
//! The tests cover creation, invitation, changes, deletion and unique emails.

use harness::at_once;
use harness::faults::Fault;
use harness::mailbox::token;
use harness::tree::{SalonFixture, invite};
use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::{PASSWORD, World, outbox};
use serde_json::{Value, json};
use shared::identity::Role;
use uuid::Uuid;

use crate::sign_in::{ME, login, refresh};

pub(crate) fn unique_email() -> String {
    format!("{}@example.com", Uuid::new_v4())
}

pub(crate) fn person(email: &str) -> Value {
    json!({ "email": email, "firstName": "Grace", "lastName": "Hopper" })
}

fn accept<'w>(world: &'w World, token: &str) -> RequestBuilder<'w> {
    let acceptance = json!({ "token": token, "password": PASSWORD });
    world.anonymous().post("/v1/auth/invitations/accept").json(acceptance)
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn user_path(users: &str, user: &TestUser<'_>) -> String {
    format!("{users}/{}", user.id())
}

async fn change(actor: &TestUser<'_>, user: &str, fields: Value) -> Answer {
    actor.patch(user).json(fields).is(200).await
}

// ── Creation ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn user_created_with_a_password_can_sign_in() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    let mut body = person(&email);
    (body["password"], body["role"]) = (json!(PASSWORD), json!("CLIENT_ADMIN"));
    let users = format!("{}/users", shop.paths.client);
    let created = shop.owner.post(&users).json(body).created().await;
    assert_eq!((&created.body["status"], &created.body["role"]), (&json!("ACTIVE"), &json!("CLIENT_ADMIN")));
    assert_eq!(created.body["lastLoginAt"], Value::Null);
    let session = login(&world, &email, PASSWORD).is(200).await;
    assert_eq!(session.body["user"]["clientId"], shop.paths.id("clientId"));
    assert_eq!(world.delivered_mails(&email).await, [], "no invitation is sent");
    world.assert_consistent().await;
}

#[tokio::test]
async fn user_representation_has_all_members() {
    let world = World::new().await;
    let shop = world.shop().await;
    let created =
        shop.admin.post(&format!("{}/users", shop.paths.agency)).json(person(&unique_email())).created().await;
    let mut expected = json!({
        "firstName": "Grace", "lastName": "Hopper", "role": "AGENCY_USER", "status": "INVITED", "lastLoginAt": null,
        "tenantId": shop.paths.id("tenantId"), "agencyId": shop.paths.id("agencyId"), "clientId": null, "version": 1,
    });
    for name in ["id", "email", "createdAt", "updatedAt"] {
        expected[name] = created.body[name].clone();
    }
    assert_eq!(created.body, expected);
    assert_eq!(created.header("etag"), "\"1\"");
    let read = shop.admin.get(created.location()).is(200).await;
    assert_eq!((read.body, read.headers["etag"].as_bytes()), (expected, "\"1\"".as_bytes()));
    shop.admin.get(created.location()).header("if-none-match", "\"1\"").is(304).await;
}

#[tokio::test]
async fn invalid_user_fields_are_all_reported() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.paths.client);
    let invalid = json!({
        "email": "ada@", "firstName": " ", "lastName": 7, "role": "KING", "password": "short", "status": "ACTIVE",
    });
    let pointers = ["/email", "/firstName", "/lastName", "/role", "/password", "/status"];
    shop.owner.post(&users).json(invalid).invalid(&pointers).await;
    shop.owner.post(&users).json(json!({})).invalid(&["/email", "/firstName", "/lastName"]).await;
    let path = user_path(&users, &shop.owner);
    let invalid =
        json!({ "email": "", "firstName": null, "lastName": "a\u{0}b", "role": 1, "status": "UNKNOWN", "id": "x" });
    let pointers = ["/email", "/firstName", "/lastName", "/role", "/status", "/id"];
    shop.owner.patch(&path).json(invalid).invalid(&pointers).await;
}

#[tokio::test]
async fn repeated_create_makes_one_user_and_one_mail() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (users, email) = (format!("{}/users", shop.paths.client), unique_email());
    let request = |body: Value| shop.owner.post(&users).json(body).header("idempotency-key", "one");
    let first = request(person(&email)).created().await;
    let second = request(person(&email)).created().await;
    assert_eq!((second.header("idempotency-replayed"), &second.body), ("true", &first.body));
    assert_eq!(second.location(), first.location());
    request(person(&unique_email())).problem(422, "idempotency_key_reused").await;
    assert_eq!(world.delivered_mails(&email).await.len(), 1);
    world.assert_consistent().await;
}

#[tokio::test]
async fn user_list_has_exactly_the_users_of_its_home() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.paths.client);
    let mut expected = vec![id(&shop.paths.client_user).to_owned(), shop.owner.id().to_owned()];
    for _ in 0..3 {
        expected.push(id(&invite(&shop.owner, &shop.paths.client).await).to_owned());
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.owner.get(&format!("{users}?limit=2{cursor}")).is(200).await;
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2, "{page}");
        listed.extend(items.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, expected, "oldest first");
}

// ── Invitation ──────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn accepted_invitation_signs_the_user_in() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    let users = format!("{}/users", shop.paths.client);
    let invited = shop.owner.post(&users).json(person(&email)).created().await;
    assert_eq!((&invited.body["status"], &invited.body["role"]), (&json!("INVITED"), &json!("CLIENT_USER")));
    login(&world, &email, PASSWORD).problem(401, "wrong_credentials").await;

    let token = world.mailed_token(&email).await;
    let accepted = accept(&world, &token).is(200).await.body;
    let user = &accepted["user"];
    assert_eq!((&user["status"], &user["id"]), (&json!("ACTIVE"), &invited.body["id"]));
    assert!(user["lastLoginAt"].is_string() && user["version"] == 2, "{user}");
    let me = world.anonymous().with_token(accepted["accessToken"].as_str().unwrap()).get(ME).is(200).await;
    assert_eq!(&me.body, user);
    refresh(&world, &accepted).is(200).await;
    login(&world, &email, PASSWORD).is(200).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invitation_token_is_single_use() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    let users = format!("{}/users", shop.paths.agency);
    let mut body = person(&email);
    body["role"] = json!("AGENCY_ADMIN");
    shop.admin.post(&users).json(body).created().await;
    let token = world.mailed_token(&email).await;
    let answers = at_once((0..4).map(|_| accept(&world, &token).contended().send())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422, 422], "{answers:?}");
    accept(&world, &token).invalid(&["/token"]).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn invitation_token_is_valid_for_7_days() {
    let world = World::new().await;
    let shop = world.shop().await;
    let emails = [unique_email(), unique_email()];
    let mut tokens = Vec::new();
    for email in &emails {
        shop.owner.post(&format!("{}/users", shop.paths.client)).json(person(email)).created().await;
        tokens.push(world.mailed_token(email).await);
    }
    world.clock().advance(7 * 24 * 3600 - 5);
    accept(&world, &tokens[0]).is(200).await;
    world.clock().advance(6);
    accept(&world, &tokens[1]).invalid(&["/token"]).await;
}

#[tokio::test]
async fn token_is_valid_for_its_own_purpose_only() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    shop.owner.post(&format!("{}/users", shop.paths.client)).json(person(&email)).created().await;
    let invitation = world.mailed_token(&email).await;
    let forgot = json!({ "email": shop.owner.email() });
    world.anonymous().post("/v1/auth/password/forgot").json(forgot).is(202).await;
    let reset = world.mailed_token(shop.owner.email()).await;
    accept(&world, &reset).invalid(&["/token"]).await;
    let wrong = json!({ "token": invitation, "newPassword": PASSWORD });
    world.anonymous().post("/v1/auth/password/reset").json(wrong).invalid(&["/token"]).await;
    for unknown in ["", "x", &format!("{invitation}A"), &invitation[1..]] {
        accept(&world, unknown).invalid(&["/token"]).await;
    }
    let short = json!({ "token": invitation, "password": "short", "name": "x" });
    world.anonymous().post("/v1/auth/invitations/accept").json(short).invalid(&["/password", "/name"]).await;
    accept(&world, &invitation).is(200).await;
}

#[tokio::test]
async fn invitations_with_resent_ones_are_limited_to_five_per_hour() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    let users = format!("{}/users", shop.paths.client);
    let user = shop.owner.post(&users).json(person(&email)).created().await.location().to_owned();
    let resend = || shop.owner.post(&format!("{user}/invitation"));
    for _ in 0..4 {
        resend().is(202).await;
    }
    let rejected = resend().problem(429, "too_many_attempts").await;
    let wait: i64 = rejected.header("retry-after").parse().unwrap();
    assert!((3500..=3601).contains(&wait), "{wait}");
    let mails = world.delivered_mails(&email).await;
    assert_eq!(mails.len(), 5);
    let mut tokens: Vec<_> = mails.iter().map(token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 5, "each mail has a new token");

    world.clock().advance(wait);
    let owner = shop.owner.sign_in_again().await;
    owner.post(&format!("{user}/invitation")).is(202).await;
    let newest = world.mailed_token(&email).await;
    accept(&world, &newest).is(200).await;
    accept(&world, tokens[0]).invalid(&["/token"]).await;
    owner.post(&format!("{user}/invitation")).problem(409, "not_invited").await;
}

#[tokio::test]
async fn user_disabled_before_acceptance_is_invited_again() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    let users = format!("{}/users", shop.paths.client);
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
async fn invitation_is_resent_to_a_changed_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    let (wrong, right) = (unique_email(), unique_email());
    let users = format!("{}/users", shop.paths.client);
    let user = shop.owner.post(&users).json(person(&wrong)).created().await.location().to_owned();
    let stray = world.mailed_token(&wrong).await;
    change(&shop.owner, &user, json!({ "email": right })).await;
    accept(&world, &stray).invalid(&["/token"]).await;
    let accepted = accept(&world, &world.mailed_token(&right).await).is(200).await;
    assert_eq!(accepted.body["user"]["email"], right);
    assert_eq!(outbox().mails_to(&wrong).len(), 1);
}

// ── Changes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn user_patch_changes_fields_and_checks_version() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = invite(&shop.owner, &shop.paths.client).await;
    let email = unique_email();
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
    world.assert_consistent().await;
}

#[tokio::test]
async fn promoted_user_has_the_new_role_after_refresh() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.paths.client);
    user.post(&users).json(person(&unique_email())).problem(403, "forbidden").await;
    change(&shop.owner, &user_path(&users, &user), json!({ "role": "CLIENT_ADMIN" })).await;
    let next = refresh(&world, &user.session).is(200).await.body;
    assert_eq!(next["user"]["role"], "CLIENT_ADMIN");
    let promoted = user.with_token(next["accessToken"].as_str().unwrap());
    promoted.post(&users).json(person(&unique_email())).created().await;
}

#[tokio::test]
async fn disabled_user_loses_access_and_sessions() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let path = user_path(&format!("{}/users", shop.paths.client), &user);
    change(&shop.owner, &path, json!({ "status": "DISABLED" })).await;
    user.get(ME).problem(401, "unauthenticated").await;
    let password = json!({ "currentPassword": PASSWORD, "newPassword": "another battery staple" });
    user.post("/v1/auth/password").json(password).problem(401, "unauthenticated").await;
    login(&world, user.email(), PASSWORD).problem(401, "wrong_credentials").await;
    shop.owner.patch(&path).json(json!({ "status": "INVITED" })).problem(409, "invalid_transition").await;
    change(&shop.owner, &path, json!({ "status": "ACTIVE" })).await;
    refresh(&world, &user.session).problem(401, "invalid_refresh_token").await;
    let reactivated = user.sign_in_again().await;
    change(&shop.owner, &path, json!({ "status": "DISABLED" })).await;
    refresh(&world, &reactivated.session).problem(401, "invalid_refresh_token").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn deleted_user_loses_access_and_frees_the_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.paths.client);
    let path = user_path(&users, &user);
    shop.owner.delete(&path).is(204).await;
    for request in [shop.owner.get(&path), shop.owner.delete(&path), shop.owner.post(&format!("{path}/invitation"))] {
        request.problem(404, "not_found").await;
    }
    user.get(ME).problem(401, "unauthenticated").await;
    refresh(&world, &user.session).problem(401, "invalid_refresh_token").await;
    login(&world, user.email(), PASSWORD).problem(401, "wrong_credentials").await;
    let second = shop.owner.post(&users).json(person(user.email())).created().await;
    assert_ne!(second.id(), user.id());
    // The access token of the deleted user is invalid for the new user too.
    user.get(ME).problem(401, "unauthenticated").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn deleted_user_invitation_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    let users = format!("{}/users", shop.paths.client);
    let user = shop.owner.post(&users).json(person(&email)).created().await.location().to_owned();
    let token = world.mailed_token(&email).await;
    shop.owner.delete(&user).is(204).await;
    shop.owner.post(&users).json(person(&email)).created().await;
    accept(&world, &token).invalid(&["/token"]).await;
    world.assert_consistent().await;
}

// ── Unique emails ───────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn user_email_is_unique_and_case_insensitive() {
    let world = World::new().await;
    let shop = world.shop().await;
    let other = world.shop().await;
    let email = unique_email();
    shop.owner.post(&format!("{}/users", shop.paths.client)).json(person(&email)).created().await;
    accept(&world, &world.mailed_token(&email).await).is(200).await;
    let homes = [&shop.paths.client, &shop.paths.agency, &other.paths.client, &other.paths.agency];
    for taken in [email.as_str(), &email.to_uppercase(), shop.admin.email(), &format!(" {email} ")] {
        for home in homes {
            let request = shop.admin.post(&format!("{home}/users")).json(person(taken));
            let rejected = request.problem(409, "email_taken").await;
            assert_eq!(rejected.body["errors"][0]["pointer"], "/email", "{rejected}");
        }
    }
    let patch = json!({ "email": email.to_uppercase() });
    other.owner.patch(&other.paths.client_user).json(patch).problem(409, "email_taken").await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_creates_with_one_email_succeed_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    for count in [2, 2, 2, 20] {
        let email = unique_email();
        let requests = (0..count).map(|at| {
            let home = [&shop.paths.client, &shop.paths.agency][at % 2];
            let email = if at % 3 == 0 { email.to_uppercase() } else { email.clone() };
            shop.admin.post(&format!("{home}/users")).json(person(&email)).contended().send()
        });
        let answers = at_once(requests).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        for rejected in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(rejected.body["code"], "email_taken", "{rejected}");
        }
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_to_one_email_succeed_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = [&shop.paths.client_user, &shop.paths.agency_user];
    for _ in 0..5 {
        let email = unique_email();
        let requests = users.map(|user| shop.admin.patch(user).json(json!({ "email": email })).contended().send());
        let answers = at_once(requests).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{answers:?}");
        world.assert_consistent().await;
    }
}

#[tokio::test]
async fn email_change_frees_the_old_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.paths.client);
    let (path, old, new) = (user_path(&users, &user), user.email().to_owned(), unique_email());
    change(&shop.owner, &path, json!({ "email": new })).await;
    world.assert_consistent().await;
    login(&world, &old, PASSWORD).problem(401, "wrong_credentials").await;
    login(&world, &new, PASSWORD).is(200).await;
    refresh(&world, &user.session).problem(401, "invalid_refresh_token").await;
    shop.owner.post(&users).json(person(&new)).problem(409, "email_taken").await;
    shop.owner.post(&users).json(person(&old)).created().await;
    shop.owner.patch(&path).json(json!({ "email": old })).problem(409, "email_taken").await;
    login(&world, &new, PASSWORD).is(200).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn failed_email_change_leaves_old_or_new_email() {
    let world = World::with_faults().await;
    let shop = world.shop().await;
    let (users, new) = (format!("{}/users", shop.paths.client), unique_email());
    let patch = || shop.owner.patch(&shop.paths.client_user).json(json!({ "email": new }));
    world.faults().next_writes([Fault::ServerError; 12]);
    patch().problem(503, "unavailable").await;
    world.faults().none();
    world.assert_consistent().await;
    assert_ne!(shop.owner.get(&shop.paths.client_user).is(200).await.body["email"], new);
    world.faults().next_writes([Fault::AnswerLost; 2]);
    assert_eq!(patch().is(200).await.body["version"], 2);
    world.faults().none();
    shop.owner.post(&users).json(person(&new)).problem(409, "email_taken").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn email_case_change_keeps_email_and_sessions() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.paths.client);
    let upper = user.email().to_uppercase();
    let changed = change(&shop.owner, &user_path(&users, &user), json!({ "email": upper })).await;
    assert_eq!(changed.body["email"], upper);
    shop.owner.post(&users).json(person(user.email())).problem(409, "email_taken").await;
    refresh(&world, &user.session).is(200).await;
    login(&world, user.email(), PASSWORD).is(200).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_email_change_and_deletion_stay_consistent() {
    let world = World::new().await;
    let shop = world.shop().await;
    for _ in 0..8 {
        let user = invite(&shop.owner, &shop.paths.client).await;
        let patch = |email: String| shop.owner.patch(&user).json(json!({ "email": email })).contended().send();
        at_once([patch(unique_email()), patch(unique_email())].into_iter()).await;
        let requests = [shop.owner.patch(&user).json(json!({ "email": unique_email() })), shop.owner.delete(&user)];
        at_once(requests.map(|request| request.contended().send())).await;
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_identical_changes_succeed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.paths.client);
    let user = user_path(&users, &world.user(shop.paths.scope, Role::ClientAdmin).await);
    for round in 0..10 {
        let role = if round % 2 == 0 { "CLIENT_USER" } else { "CLIENT_ADMIN" };
        let fields = json!({ "email": unique_email(), "role": role });
        let requests = (0..3).map(|_| shop.owner.patch(&user).json(&fields).contended().is(200));
        at_once(requests).await;
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn unicode_and_punycode_domains_are_one_email() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.paths.client);
    let local = Uuid::new_v4();
    shop.owner.post(&users).json(person(&format!("{local}@bücher.example"))).created().await;
    let punycode = person(&format!("{local}@XN--BCHER-KVA.example"));
    shop.owner.post(&users).json(punycode).problem(409, "email_taken").await;
}

#[tokio::test]
async fn old_address_is_notified_of_an_email_change() {
    let world = World::new().await;
    let shop = world.shop().await;
    let user = world.user(shop.paths.scope, Role::ClientUser).await;
    let users = format!("{}/users", shop.paths.client);
    change(&shop.owner, &user_path(&users, &user), json!({ "email": unique_email() })).await;
    assert_eq!(world.delivered_mails(user.email()).await[0].subject, "Your Upzento CRM email was changed");
}

#[tokio::test]
async fn forgot_password_requests_do_not_block_an_invitation() {
    let world = World::new().await;
    let shop = world.shop().await;
    let email = unique_email();
    for _ in 0..6 {
        let forgot = world.anonymous().post("/v1/auth/password/forgot").json(json!({ "email": email }));
        forgot.is(202).await;
    }
    shop.owner.post(&format!("{}/users", shop.paths.client)).json(person(&email)).created().await;
    assert_eq!(world.delivered_mails(&email).await.len(), 1);
}

#[tokio::test]
async fn invitations_are_limited_to_five_per_email_and_hour() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.paths.client);
    let email = unique_email();
    for _ in 0..5 {
        let user = shop.owner.post(&users).json(person(&email)).created().await.location().to_owned();
        shop.owner.delete(&user).is(204).await;
    }
    shop.owner.post(&users).json(person(&email)).problem(429, "too_many_attempts").await;
    let user = invite(&shop.owner, &shop.paths.client).await;
    for _ in 0..4 {
        change(&shop.owner, &user, json!({ "status": "DISABLED" })).await;
        change(&shop.owner, &user, json!({ "status": "INVITED" })).await;
    }
    change(&shop.owner, &user, json!({ "status": "DISABLED" })).await;
    let request = shop.owner.patch(&user).json(json!({ "status": "INVITED" }));
    let rejected = request.problem(429, "too_many_attempts").await;
    assert_ne!(rejected.header("retry-after"), "", "{rejected}");
}

// ── Proof of an email ───────────────────────────────────────────────────────────────────────────────────────────────

/// A new user with a password that the admin chooses.
fn with_password(email: &str) -> Value {
    let mut body = person(email);
    body["password"] = json!(PASSWORD);
    body
}

#[tokio::test]
async fn first_accepted_invitation_gets_an_unproved_email() {
    let world = World::new().await;
    let (first, second) = (world.shop().await, world.shop().await);
    let users = |shop: &SalonFixture<'_>| format!("{}/users", shop.paths.client);
    let email = unique_email();
    let squatter = first.owner.post(&users(&first)).json(person(&email)).created().await;
    let old = world.mailed_token(&email).await;
    let invited = second.owner.post(&users(&second)).json(person(&email)).created().await;
    assert_eq!((&invited.body["status"], &invited.body["email"]), (&json!("INVITED"), &json!(email)));
    let new = world.mailed_token(&email).await;
    assert_ne!(old, new);
    world.assert_consistent().await;
    let accepted = accept(&world, &new).is(200).await;
    assert_eq!(accepted.body["user"]["id"], invited.body["id"]);
    accept(&world, &old).invalid(&["/token"]).await;
    world.assert_consistent().await;
    first.owner.post(&format!("{}/invitation", squatter.location())).problem(409, "email_taken").await;
    first.owner.delete(squatter.location()).is(204).await;
    assert_eq!(login(&world, &email, PASSWORD).is(200).await.body["user"]["id"], invited.body["id"]);
    first.owner.post(&users(&first)).json(person(&email)).problem(409, "email_taken").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn user_created_with_a_password_does_not_keep_an_email_from_its_owner() {
    let world = World::new().await;
    let (first, second) = (world.shop().await, world.shop().await);
    let email = unique_email();
    first.owner.post(&format!("{}/users", first.paths.client)).json(with_password(&email)).created().await;
    let users = format!("{}/users", second.paths.agency);
    second.admin.post(&users).json(with_password(&email)).problem(409, "email_taken").await;
    second.admin.post(&users).json(person(&email)).created().await;
    login(&world, &email, PASSWORD).is(200).await;
    let acceptance = json!({ "token": world.mailed_token(&email).await, "password": "another battery staple" });
    world.anonymous().post("/v1/auth/invitations/accept").json(acceptance).is(200).await;
    login(&world, &email, PASSWORD).problem(401, "wrong_credentials").await;
    login(&world, &email, "another battery staple").is(200).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn email_does_not_give_way_in_the_same_tenant_or_after_a_password_reset() {
    let world = World::new().await;
    let (first, second) = (world.shop().await, world.shop().await);
    let email = unique_email();
    first.owner.post(&format!("{}/users", first.paths.client)).json(with_password(&email)).created().await;
    let own_agency = format!("{}/users", first.paths.agency);
    first.admin.post(&own_agency).json(person(&email)).problem(409, "email_taken").await;
    world.anonymous().post("/v1/auth/password/forgot").json(json!({ "email": email })).is(202).await;
    let reset = json!({ "token": world.mailed_token(&email).await, "newPassword": PASSWORD });
    world.anonymous().post("/v1/auth/password/reset").json(reset).is(200).await;
    let users = format!("{}/users", second.paths.client);
    second.owner.post(&users).json(person(&email)).problem(409, "email_taken").await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_acceptances_of_one_email_succeed_once() {
    let world = World::new().await;
    let shops = [world.shop().await, world.shop().await, world.shop().await];
    let email = unique_email();
    let mut tokens = Vec::new();
    for shop in &shops {
        shop.owner.post(&format!("{}/users", shop.paths.client)).json(person(&email)).created().await;
        tokens.push(world.mailed_token(&email).await);
    }
    let answers = at_once(tokens.iter().map(|token| accept(&world, token).contended().send())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422], "{answers:?}");
    world.assert_consistent().await;
}

fn create_with_password<'w>(users: &str, actor: &TestUser<'w>, email: &str) -> RequestBuilder<'w> {
    actor.post(users).json(with_password(email))
}

#[tokio::test]
async fn searching_for_emails_of_other_tenants_is_throttled() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let users = format!("{}/users", shop.paths.client);
    for at in 0..10 {
        if at % 2 == 0 {
            create_with_password(&users, &shop.owner, other.owner.email()).problem(409, "email_taken").await;
        } else {
            let patch = json!({ "email": other.owner.email() });
            shop.owner.patch(&shop.paths.client_user).json(patch).problem(409, "email_taken").await;
        }
    }
    // From now on, responses no longer depend on the email, except for users of the same home.
    let own = world.user(shop.paths.scope, Role::ClientAdmin).await;
    for email in [other.owner.email(), &unique_email()] {
        let rejected = create_with_password(&users, &shop.owner, email).problem(429, "too_many_attempts").await;
        assert_ne!(rejected.header("retry-after"), "", "{rejected}");
    }
    create_with_password(&users, &shop.owner, own.email()).problem(409, "email_taken").await;
    for _ in 0..10 {
        create_with_password(&users, &own, other.owner.email()).problem(409, "email_taken").await;
    }
    let third = world.user(shop.paths.scope, Role::ClientAdmin).await;
    create_with_password(&users, &third, &unique_email()).problem(429, "too_many_attempts").await;
    world.clock().advance(3601);
    let email = unique_email();
    create_with_password(&users, &third.sign_in_again().await, &email).created().await;
    create_with_password(&users, &shop.owner.sign_in_again().await, other.owner.email())
        .problem(409, "email_taken")
        .await;
}

// ── Mails to strangers ──────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn notices_of_moved_emails_are_limited_to_five_per_address_and_hour() {
    let world = World::new().await;
    let shop = world.shop().await;
    let victim = unique_email();
    let users = format!("{}/users", shop.paths.client);
    let user = shop.owner.post(&users).json(with_password(&victim)).created().await.location().to_owned();
    let move_to = async |email: &str| shop.owner.patch(&user).json(json!({ "email": email })).send().await;
    for _ in 0..5 {
        assert_eq!(move_to(&unique_email()).await.status, 200);
        assert_eq!(move_to(&victim).await.status, 200);
    }
    let rejected = move_to(&unique_email()).await;
    assert_eq!((rejected.status.as_u16(), &rejected.body["code"]), (429, &json!("too_many_attempts")), "{rejected}");
    assert_ne!(rejected.header("retry-after"), "", "{rejected}");
    assert_eq!(world.delivered_mails(&victim).await.len(), 5);
    assert_eq!(shop.owner.get(&user).is(200).await.body["email"], victim);
    world.assert_consistent().await;
}

fn invite_anyone<'w>(actor: &TestUser<'w>, home: &str) -> RequestBuilder<'w> {
    actor.post(&format!("{home}/users")).json(person(&unique_email()))
}

#[tokio::test]
async fn mails_are_limited_to_fifty_per_actor_and_per_client() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, sibling) = (&tree.own().client, &tree.sibling().client);
    let [client_admin, agency_admin] = [Role::ClientAdmin, Role::AgencyAdmin].map(|role| tree.user(role));
    let second = world.user(tree.own().scope, Role::ClientAdmin).await;
    for _ in 0..25 {
        invite_anyone(client_admin, own).created().await;
        invite_anyone(&second, own).created().await;
    }
    for user in [client_admin, &second, agency_admin] {
        invite_anyone(user, own).problem(429, "too_many_attempts").await;
    }
    for _ in 0..50 {
        invite_anyone(agency_admin, sibling).created().await;
    }
    let other = world.user(tree.own().agency_scope(), Role::AgencyAdmin).await;
    invite_anyone(agency_admin, &tree.own().agency).problem(429, "too_many_attempts").await;
    invite_anyone(&other, &tree.own().agency).created().await;
    invite_anyone(tree.admin(), own).created().await;
}
