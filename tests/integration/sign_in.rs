//! Sign-in, refresh, sign-out, access tokens and the current user.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use harness::at_once;
use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::{PASSWORD, World};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde_json::{Value, json};
use shared::identity::Role;

pub(crate) const ME: &str = "/v1/auth/me";

pub(crate) fn login<'w>(world: &'w World, email: &str, password: &str) -> RequestBuilder<'w> {
    world.anonymous().post("/v1/auth/login").json(json!({ "email": email, "password": password }))
}

pub(crate) fn refresh<'w>(world: &'w World, session: &Value) -> RequestBuilder<'w> {
    let token = session["refreshToken"].as_str().unwrap();
    world.anonymous().post("/v1/auth/refresh").json(json!({ "refreshToken": token }))
}

pub(crate) fn without_request_id(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("requestId").unwrap();
    body
}

// ── Sign-in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn sign_in_returns_tokens_and_the_user() {
    let world = World::new().await;
    let shop = world.shop().await;
    let answer = login(&world, shop.owner.email(), PASSWORD).is(200).await;
    let members: Vec<_> = answer.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["accessToken", "expiresIn", "refreshToken", "tokenType", "user"]);
    assert_eq!((&answer.body["tokenType"], &answer.body["expiresIn"]), (&json!("Bearer"), &json!(900)));

    let user = &answer.body["user"];
    assert_eq!(user["email"], shop.owner.email());
    assert_eq!(user["role"], "CLIENT_ADMIN");
    assert_eq!(user["status"], "ACTIVE");
    assert_eq!(user["clientId"], json!(shop.paths.scope.id()));
    assert_eq!(user["agencyId"], json!(shop.paths.agency_scope().id()));
    assert_eq!(user["tenantId"], json!(shop.paths.id("tenantId")));
    assert!(user["lastLoginAt"].is_string(), "{answer}");
}

#[tokio::test]
async fn sign_in_email_is_case_insensitive() {
    let world = World::new().await;
    let admin = world.admin().await;
    login(&world, &admin.email().to_uppercase(), PASSWORD).is(200).await;
}

#[tokio::test]
async fn sign_in_updates_last_login_and_keeps_the_version() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.clock().advance(60);
    let session = login(&world, admin.email(), PASSWORD).is(200).await.body;
    let me = admin.get(ME).is(200).await.body;
    assert_eq!(me, session["user"]);
    assert!(me["lastLoginAt"].as_str() > admin.session["user"]["lastLoginAt"].as_str());
    assert_eq!((&admin.session["user"]["version"], &me["version"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn rejected_sign_in_answer_does_not_reveal_the_reason() {
    let world = World::new().await;
    let (active, disabled) = (world.admin().await, world.admin().await);
    world.set_status(&disabled, "DISABLED").await;
    let wrong = login(&world, active.email(), "wrong").problem(401, "wrong_credentials").await;
    for request in [
        login(&world, "unknown@example.com", PASSWORD),
        login(&world, disabled.email(), PASSWORD),
        login(&world, disabled.email(), "wrong"),
        login(&world, active.email(), ""),
    ] {
        let other = request.problem(401, "wrong_credentials").await;
        assert_eq!(without_request_id(&other), without_request_id(&wrong));
        assert_eq!(other.text.len(), wrong.text.len());
        assert_eq!(other.operations(), wrong.operations());
        let names = |answer: &Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&other), names(&wrong));
    }
}

#[tokio::test]
async fn rejected_sign_in_duration_does_not_reveal_the_reason() {
    let world = World::new().await;
    let (active, disabled) = (world.admin().await, world.admin().await);
    world.set_status(&disabled, "DISABLED").await;
    let (wrong, unknown) = ((active.email(), "wrong"), ("unknown@example.com", PASSWORD));
    let mut times: [Vec<Duration>; 3] = Default::default();
    // The first round is a warm-up. The cases alternate, so that other load on the machine affects all three.
    for round in 0..8 {
        let cases = [wrong, unknown, (disabled.email(), PASSWORD)];
        for (case, (times, (email, password))) in times.iter_mut().zip(cases).enumerate() {
            let request = login(&world, email, password).from(&format!("192.0.2.{}", 3 * round + case));
            let started = Instant::now();
            request.is(401).await;
            if round > 0 {
                times.push(started.elapsed());
            }
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let (fastest, slowest) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
    assert!(*slowest < *fastest * 3, "wrong password, unknown email, disabled user: {medians:?}");
}

#[tokio::test]
async fn invited_user_cannot_sign_in() {
    let world = World::new().await;
    let invited = world.admin().await;
    world.set_status(&invited, "INVITED").await;
    login(&world, invited.email(), PASSWORD).problem(401, "wrong_credentials").await;
}

#[tokio::test]
async fn invalid_sign_in_fields_are_reported() {
    let world = World::new().await;
    world.anonymous().post("/v1/auth/login").json(json!({})).invalid(&["/email", "/password"]).await;
    login(&world, "no email", &"x".repeat(129)).invalid(&["/email", "/password"]).await;
    let body = json!({ "email": "ada@example.com", "password": "x", "otp": "123456" });
    world.anonymous().post("/v1/auth/login").json(body).invalid(&["/otp"]).await;
}

// ── Refresh and sign-out ────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn refresh_returns_new_valid_tokens() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.clock().advance(60);
    let second = refresh(&world, &admin.session).is(200).await.body;
    assert_ne!(second["refreshToken"], admin.session["refreshToken"]);
    assert_ne!(second["accessToken"], admin.session["accessToken"]);
    assert_eq!(second["user"]["id"], admin.id());
    world.anonymous().with_token(second["accessToken"].as_str().unwrap()).get(ME).is(200).await;
    refresh(&world, &second).is(200).await;
}

#[tokio::test]
async fn reused_refresh_token_revokes_its_family() {
    let world = World::new().await;
    let admin = world.admin().await;
    let second = refresh(&world, &admin.session).is(200).await.body;
    let third = refresh(&world, &second).is(200).await.body;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
    refresh(&world, &third).problem(401, "invalid_refresh_token").await;
    refresh(&world, &second).problem(401, "invalid_refresh_token").await;
}

#[tokio::test]
async fn reused_refresh_token_does_not_end_other_sessions() {
    let world = World::new().await;
    let admin = world.admin().await;
    let other_session = admin.sign_in_again().await;
    refresh(&world, &admin.session).is(200).await;
    refresh(&world, &admin.session).is(401).await;
    refresh(&world, &other_session.session).is(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_refreshes_succeed_at_most_once() {
    let world = World::new().await;
    for _ in 0..5 {
        let admin = world.admin().await;
        let answers = at_once((0..2).map(|_| refresh(&world, &admin.session).contended().send())).await;
        let refreshed: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        let rejected = answers.iter().filter(|answer| answer.status == 401).count();
        assert!(refreshed.len() <= 1 && refreshed.len() + rejected == 2, "{answers:?}");
        // The other request reused a token, which ends the whole family.
        for winner in refreshed {
            refresh(&world, &winner.body).problem(401, "invalid_refresh_token").await;
        }
    }
}

#[tokio::test]
async fn sign_out_ends_only_its_session() {
    let world = World::new().await;
    let admin = world.admin().await;
    let other_session = admin.sign_in_again().await;
    admin.post("/v1/auth/logout").is(204).await;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
    refresh(&world, &other_session.session).is(200).await;
}

#[tokio::test]
async fn second_sign_out_succeeds() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.post("/v1/auth/logout").is(204).await;
    admin.post("/v1/auth/logout").is(204).await;
}

#[tokio::test]
async fn session_without_refresh_expires_after_30_days() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.clock().advance(30 * 24 * 3600 - 60);
    let second = refresh(&world, &admin.session).is(200).await.body;
    world.clock().advance(30 * 24 * 3600 + 1);
    refresh(&world, &second).problem(401, "invalid_refresh_token").await;
}

#[tokio::test]
async fn disabled_user_cannot_refresh() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.set_status(&admin, "DISABLED").await;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
    world.set_status(&admin, "ACTIVE").await;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
}

#[tokio::test]
async fn invalid_refresh_token_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let valid = admin.session["refreshToken"].as_str().unwrap();
    let access = admin.session["accessToken"].as_str().unwrap();
    let modified = format!("{}{}", if valid.starts_with('A') { 'B' } else { 'A' }, &valid[1..]);
    for invalid in ["", "garbage", access, &modified] {
        refresh(&world, &json!({ "refreshToken": invalid })).problem(401, "invalid_refresh_token").await;
    }
    refresh(&world, &admin.session).is(200).await;
}

#[tokio::test]
async fn refresh_token_is_opaque() {
    let world = World::new().await;
    let admin = world.admin().await;
    let bytes = BASE64URL.decode(admin.session["refreshToken"].as_str().unwrap()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(admin.id()));
}

// ── Access tokens ───────────────────────────────────────────────────────────────────────────────────────────────────

/// Forges tokens with the deployment's own keys.
///
/// Each forged token differs from a valid one in one property only.
struct Forge {
    key: EncodingKey,
    header: Header,
    claims: Value,
}

impl Forge {
    fn of(world: &World, user: &TestUser<'_>) -> Self {
        let token = access_token(user);
        let payload = token.split('.').nth(1).unwrap();
        Self {
            key: EncodingKey::from_ec_der(&BASE64_STANDARD.decode(&world.keys().signing).unwrap()),
            header: decode_header(token).unwrap(),
            claims: serde_json::from_slice(&BASE64URL.decode(payload).unwrap()).unwrap(),
        }
    }

    fn token(&self) -> String {
        encode(&self.header, &self.claims, &self.key).unwrap()
    }

    fn with(&self, change: impl FnOnce(&mut Header)) -> String {
        let mut header = self.header.clone();
        change(&mut header);
        encode(&header, &self.claims, &self.key).unwrap()
    }

    fn claiming(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        encode(&self.header, &claims, &self.key).unwrap()
    }

    fn without(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        encode(&self.header, &claims, &self.key).unwrap()
    }
}

fn access_token<'a>(user: &'a TestUser<'_>) -> &'a str {
    user.session["accessToken"].as_str().unwrap()
}

async fn assert_rejected(world: &World, token: &str) {
    world.anonymous().with_token(token).get(ME).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn unchanged_forged_token_is_accepted() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.anonymous().with_token(&Forge::of(&world, &admin).token()).get(ME).is(200).await;
}

#[tokio::test]
async fn tampered_token_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let [header, claims, signature] = access_token(&shop.owner).split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut promoted: Value = serde_json::from_slice(&BASE64URL.decode(claims).unwrap()).unwrap();
    promoted["role"] = json!("ADMIN");
    let promoted = BASE64URL.encode(promoted.to_string());
    assert_rejected(&world, &format!("{header}.{promoted}.{signature}")).await;
    let mut bytes = BASE64URL.decode(signature).unwrap();
    bytes[0] ^= 1;
    assert_rejected(&world, &format!("{header}.{claims}.{}", BASE64URL.encode(bytes))).await;
    assert_rejected(&world, &format!("{header}.{claims}.")).await;
    assert_rejected(&world, &format!("{header}.{claims}")).await;
}

#[tokio::test]
async fn access_token_expires_after_15_minutes() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.clock().advance(15 * 60 - 10);
    admin.get(ME).is(200).await;
    world.clock().advance(10);
    assert_rejected(&world, access_token(&admin)).await;
}

#[tokio::test]
async fn unsigned_token_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    let kid = forge.header.kid.as_deref().unwrap();
    for alg in ["none", "None", "NONE", ""] {
        let header = BASE64URL.encode(json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string());
        let claims = BASE64URL.encode(forge.claims.to_string());
        assert_rejected(&world, &format!("{header}.{claims}.")).await;
    }
}

#[tokio::test]
async fn token_signed_with_the_public_key_as_secret_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    let jwks: Value = serde_json::from_str(&world.keys().jwks).unwrap();
    let mut header = forge.header.clone();
    header.alg = Algorithm::HS256;
    let key = &jwks["keys"][0];
    for secret in [world.keys().jwks.clone(), key.to_string(), key["x"].as_str().unwrap().to_owned()] {
        let token = encode(&header, &forge.claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap();
        assert_rejected(&world, &token).await;
    }
}

#[tokio::test]
async fn token_signed_by_another_key_is_rejected() {
    let (world, other_world) = (World::new().await, World::new().await);
    let admin = world.admin().await;
    let mut forge = Forge::of(&world, &admin);
    forge.key = EncodingKey::from_ec_der(&BASE64_STANDARD.decode(&other_world.keys().signing).unwrap());
    assert_rejected(&world, &forge.token()).await;
    let other_admin = other_world.admin().await;
    assert_rejected(&world, access_token(&other_admin)).await;
}

#[tokio::test]
async fn token_with_unknown_or_missing_kid_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    assert_rejected(&world, &forge.with(|header| header.kid = None)).await;
    assert_rejected(&world, &forge.with(|header| header.kid = Some("another".to_owned()))).await;
    assert_rejected(&world, &forge.with(|header| header.kid = Some(String::new()))).await;
}

#[tokio::test]
async fn token_of_another_type_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    for typ in [Some("JWT"), Some("rt+jwt"), Some(""), None] {
        assert_rejected(&world, &forge.with(|header| header.typ = typ.map(str::to_owned))).await;
    }
}

#[tokio::test]
async fn token_of_another_issuer_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    assert_rejected(&world, &forge.claiming("iss", json!("another-issuer"))).await;
    assert_rejected(&world, &forge.without("iss")).await;
}

#[tokio::test]
async fn token_for_another_audience_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    assert_rejected(&world, &forge.claiming("aud", json!("another-api"))).await;
    assert_rejected(&world, &forge.without("aud")).await;
}

#[tokio::test]
async fn token_without_a_required_claim_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    for name in ["exp", "sub", "sid", "role"] {
        assert_rejected(&world, &forge.without(name)).await;
    }
}

#[tokio::test]
async fn token_with_incomplete_home_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let forge = Forge::of(&world, &shop.owner);
    assert_rejected(&world, &forge.without("aid")).await;
    assert_rejected(&world, &forge.without("tid")).await;
}

#[tokio::test]
async fn refresh_token_is_rejected_as_access_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    assert_rejected(&world, admin.session["refreshToken"].as_str().unwrap()).await;
}

#[tokio::test]
async fn request_without_bearer_token_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let token = access_token(&admin);
    world.anonymous().get(ME).problem(401, "unauthenticated").await;
    for header in ["Bearer", "Bearer ", "Basic QWRhOkxvdmVsYWNl", token, &format!("Token {token}")] {
        world.anonymous().get(ME).header("authorization", header).problem(401, "unauthenticated").await;
    }
}

#[tokio::test]
async fn bearer_scheme_is_case_insensitive() {
    let world = World::new().await;
    let admin = world.admin().await;
    let header = format!("bearer {}", access_token(&admin));
    world.anonymous().get(ME).header("authorization", &header).is(200).await;
}

#[tokio::test]
async fn access_token_in_the_query_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    let path = format!("{ME}?access_token={}", access_token(&admin));
    world.anonymous().get(&path).invalid(&["/access_token"]).await;
}

#[tokio::test]
async fn access_token_has_no_personal_data() {
    let world = World::new().await;
    let shop = world.shop().await;
    let claims = Forge::of(&world, &shop.owner).claims;
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aid", "aud", "cid", "exp", "iat", "iss", "role", "sid", "sub", "tid"]);
}

#[tokio::test]
async fn published_keys_verify_an_access_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let answer = world.anonymous().get("/.well-known/jwks.json").is(200).await;
    let set: JwkSet = serde_json::from_value(answer.body).unwrap();
    let header = decode_header(access_token(&admin)).unwrap();
    let key = DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["upzento-api"]);
    let token = decode::<Value>(access_token(&admin), &key, &validation).unwrap();
    assert_eq!(token.claims["sub"], admin.id());
}

#[tokio::test]
async fn published_keys_are_public_and_cacheable() {
    let world = World::new().await;
    let answer = world.anonymous().get("/.well-known/jwks.json").is(200).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    for key in answer.body["keys"].as_array().unwrap() {
        assert!(key.get("d").is_none(), "a private key");
        for (name, value) in [("kty", "EC"), ("crv", "P-256"), ("alg", "ES256"), ("use", "sig")] {
            assert_eq!(key[name], value, "{name}");
        }
    }
}

// ── Current user ────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn current_user_is_returned_for_every_role() {
    let world = World::new().await;
    let tree = world.tree().await;
    for (role, user) in &tree.users {
        let me = user.get(ME).is(200).await;
        assert_eq!(me.body, user.session["user"]);
        assert_eq!(me.body["role"], json!(role));
        assert_eq!(me.header("etag"), "\"1\"", "a sign-in makes no version");
    }
}

#[tokio::test]
async fn matching_if_none_match_of_current_user_is_not_modified() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.get(ME).header("if-none-match", "\"1\"").is(304).await;
}

#[tokio::test]
async fn current_user_name_change_keeps_sign_in_working() {
    let world = World::new().await;
    let admin = world.admin().await;
    let changed = admin.patch(ME).json(json!({ "firstName": "Augusta" })).is(200).await;
    assert_eq!((&changed.body["firstName"], &changed.body["version"]), (&json!("Augusta"), &json!(2)));
    assert_eq!(admin.get(ME).is(200).await.body, changed.body);
    assert_eq!(admin.sign_in_again().await.session["user"]["firstName"], "Augusta");
}

#[tokio::test]
async fn current_user_can_change_only_the_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch =
        json!({ "role": "ADMIN", "email": "root@example.com", "status": "ACTIVE", "clientId": null, "id": null });
    shop.owner.patch(ME).json(patch).invalid(&["/role", "/email", "/status", "/clientId", "/id"]).await;
}

#[tokio::test]
async fn stale_change_of_current_user_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.patch(ME).json(json!({ "lastName": "King" })).header("if-match", "\"1\"").is(200).await;
    let stale = admin.patch(ME).json(json!({ "lastName": "Byron" })).header("if-match", "\"1\"");
    stale.problem(412, "precondition_failed").await;
}

#[tokio::test]
async fn deleted_user_token_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.remove_user(&admin).await;
    admin.get(ME).problem(401, "unauthenticated").await;
    admin.patch(ME).json(json!({ "firstName": "Eve" })).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn disabled_user_token_is_rejected() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.set_status(&admin, "DISABLED").await;
    admin.get(ME).problem(401, "unauthenticated").await;
    admin.patch(ME).json(json!({ "firstName": "Eve" })).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn email_is_unique_across_the_platform() {
    let world = World::new().await;
    let shop = world.shop().await;
    let taken = shop.owner.email().to_uppercase();
    let profile = shared::users::Profile { first_name: "Eve".parse().unwrap(), last_name: "Ada".parse().unwrap() };
    let (operator, password) = (world.operator(), PASSWORD.parse().unwrap());
    let platform = operator.platform();
    let second = operator.create_user(platform, Role::Admin, taken.parse().unwrap(), profile, password).await;
    assert_eq!(second.unwrap_err().code(), "email_taken");
}
