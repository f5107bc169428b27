//! Signing in, staying signed in, signing out, and the tokens in between.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use harness::at_once;
use harness::who::{Answer, RequestBuilder, Who};
use harness::world::{PASSWORD, World};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde_json::{Value, json};
use shared::auth::Role;

pub(crate) const ME: &str = "/v1/auth/me";

pub(crate) fn login<'w>(world: &'w World, email: &str, password: &str) -> RequestBuilder<'w> {
    world.anyone().post("/v1/auth/login").json(json!({ "email": email, "password": password }))
}

pub(crate) fn refresh<'w>(world: &'w World, session: &Value) -> RequestBuilder<'w> {
    let token = session["refreshToken"].as_str().unwrap();
    world.anyone().post("/v1/auth/refresh").json(json!({ "refreshToken": token }))
}

pub(crate) fn without_request_id(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("requestId").unwrap();
    body
}

// ── Signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn signing_in_gives_tokens_and_the_user() {
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
    assert_eq!(user["clientId"], json!(shop.spot.scope.id()));
    assert_eq!(user["agencyId"], json!(shop.spot.agency_scope().id()));
    assert_eq!(user["tenantId"], json!(shop.spot.agency_scope().tenant().id()));
    assert!(user["lastLoginAt"].is_string(), "{answer}");
}

#[tokio::test]
async fn an_email_is_the_same_in_any_case() {
    let world = World::new().await;
    let admin = world.admin().await;
    login(&world, &admin.email().to_uppercase(), PASSWORD).is(200).await;
}

#[tokio::test]
async fn a_sign_in_shows_and_so_makes_a_new_version() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.clock().advance(60);
    let session = login(&world, admin.email(), PASSWORD).is(200).await.body;
    let me = admin.get(ME).is(200).await.body;
    assert_eq!(me, session["user"]);
    assert!(me["lastLoginAt"].as_str() > admin.session["user"]["lastLoginAt"].as_str());
    assert_eq!((&admin.session["user"]["version"], &me["version"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn a_wrong_password_an_unknown_email_and_a_disabled_user_get_one_answer() {
    let world = World::new().await;
    let (active, disabled) = (world.admin().await, world.admin().await);
    world.set_status(&disabled, "DISABLED").await;
    let wrong = login(&world, active.email(), "wrong").problem(401, "wrong_credentials").await;
    for ask in [
        login(&world, "nobody@example.com", PASSWORD),
        login(&world, disabled.email(), PASSWORD),
        login(&world, disabled.email(), "wrong"),
        login(&world, active.email(), ""),
    ] {
        let other = ask.problem(401, "wrong_credentials").await;
        assert_eq!(without_request_id(&other), without_request_id(&wrong));
        assert_eq!(other.text.len(), wrong.text.len());
        assert_eq!(other.operations(), wrong.operations());
        let names = |answer: &Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&other), names(&wrong));
    }
}

#[tokio::test]
async fn a_refused_sign_in_does_not_tell_by_its_time_why() {
    let world = World::new().await;
    let (active, disabled) = (world.admin().await, world.admin().await);
    world.set_status(&disabled, "DISABLED").await;
    let (wrong, unknown) = ((active.email(), "wrong"), ("nobody@example.com", PASSWORD));
    let mut times: [Vec<Duration>; 3] = Default::default();
    // The first round warms up; taking turns spreads what the machine does beside over all three.
    for round in 0..8 {
        let cases = [wrong, unknown, (disabled.email(), PASSWORD)];
        for (case, (times, (email, password))) in times.iter_mut().zip(cases).enumerate() {
            let ask = login(&world, email, password).from(&format!("192.0.2.{}", 3 * round + case));
            let started = Instant::now();
            ask.is(401).await;
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
async fn an_invited_user_cannot_sign_in_yet() {
    let world = World::new().await;
    let invited = world.admin().await;
    world.set_status(&invited, "INVITED").await;
    login(&world, invited.email(), PASSWORD).problem(401, "wrong_credentials").await;
}

#[tokio::test]
async fn a_sign_in_without_its_fields_names_them() {
    let world = World::new().await;
    world.anyone().post("/v1/auth/login").json(json!({})).invalid(&["/email", "/password"]).await;
    login(&world, "no email", &"x".repeat(129)).invalid(&["/email", "/password"]).await;
    let body = json!({ "email": "ada@example.com", "password": "x", "otp": "123456" });
    world.anyone().post("/v1/auth/login").json(body).invalid(&["/otp"]).await;
}

// ── Staying signed in ───────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_refresh_gives_new_tokens_that_work() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.clock().advance(60);
    let second = refresh(&world, &admin.session).is(200).await.body;
    assert_ne!(second["refreshToken"], admin.session["refreshToken"]);
    assert_ne!(second["accessToken"], admin.session["accessToken"]);
    assert_eq!(second["user"]["id"], admin.id());
    world.anyone().with_token(second["accessToken"].as_str().unwrap()).get(ME).is(200).await;
    refresh(&world, &second).is(200).await;
}

#[tokio::test]
async fn a_used_refresh_token_ends_the_whole_family() {
    let world = World::new().await;
    let admin = world.admin().await;
    let second = refresh(&world, &admin.session).is(200).await.body;
    let third = refresh(&world, &second).is(200).await.body;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
    refresh(&world, &third).problem(401, "invalid_refresh_token").await;
    refresh(&world, &second).problem(401, "invalid_refresh_token").await;
}

#[tokio::test]
async fn a_stolen_session_does_not_end_another_of_the_same_user() {
    let world = World::new().await;
    let admin = world.admin().await;
    let elsewhere = admin.again().await;
    refresh(&world, &admin.session).is(200).await;
    refresh(&world, &admin.session).is(401).await;
    refresh(&world, &elsewhere.session).is(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_refreshes_at_once_at_most_one_wins() {
    let world = World::new().await;
    for _ in 0..5 {
        let admin = world.admin().await;
        let answers = at_once((0..2).map(|_| refresh(&world, &admin.session).contended().send())).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        let lost = answers.iter().filter(|answer| answer.status == 401).count();
        assert!(won.len() <= 1 && won.len() + lost == 2, "{answers:?}");
        // The other one was a use of a used token.
        for winner in won {
            refresh(&world, &winner.body).problem(401, "invalid_refresh_token").await;
        }
    }
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let world = World::new().await;
    let admin = world.admin().await;
    let elsewhere = admin.again().await;
    admin.post("/v1/auth/logout").is(204).await;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
    refresh(&world, &elsewhere.session).is(200).await;
}

#[tokio::test]
async fn signing_out_twice_is_no_mistake() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.post("/v1/auth/logout").is(204).await;
    admin.post("/v1/auth/logout").is(204).await;
}

#[tokio::test]
async fn a_session_that_nobody_refreshes_ends_after_30_days() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.clock().advance(30 * 24 * 3600 - 60);
    let second = refresh(&world, &admin.session).is(200).await.body;
    world.clock().advance(30 * 24 * 3600 + 1);
    refresh(&world, &second).problem(401, "invalid_refresh_token").await;
}

#[tokio::test]
async fn a_disabled_user_cannot_refresh() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.set_status(&admin, "DISABLED").await;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
    world.set_status(&admin, "ACTIVE").await;
    refresh(&world, &admin.session).problem(401, "invalid_refresh_token").await;
}

#[tokio::test]
async fn what_is_no_refresh_token_is_a_401() {
    let world = World::new().await;
    let admin = world.admin().await;
    let good = admin.session["refreshToken"].as_str().unwrap();
    let access = admin.session["accessToken"].as_str().unwrap();
    let flipped = format!("{}{}", if good.starts_with('A') { 'B' } else { 'A' }, &good[1..]);
    for bad in ["", "garbage", access, &flipped] {
        refresh(&world, &json!({ "refreshToken": bad })).problem(401, "invalid_refresh_token").await;
    }
    refresh(&world, &admin.session).is(200).await;
}

#[tokio::test]
async fn a_refresh_token_shows_nothing() {
    let world = World::new().await;
    let admin = world.admin().await;
    let bytes = BASE64URL.decode(admin.session["refreshToken"].as_str().unwrap()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(admin.id()));
}

// ── Access tokens ───────────────────────────────────────────────────────────────────────────────────────────────────

/// A way to forge tokens: with the deployment's own keys, so that each differs from a good one in one thing only.
struct Forge {
    key: EncodingKey,
    header: Header,
    claims: Value,
}

impl Forge {
    fn of(world: &World, who: &Who<'_>) -> Self {
        let token = access_token(who);
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

    fn with(&self, header: impl FnOnce(&mut Header)) -> String {
        let mut changed = self.header.clone();
        header(&mut changed);
        encode(&changed, &self.claims, &self.key).unwrap()
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

fn access_token<'a>(who: &'a Who<'_>) -> &'a str {
    who.session["accessToken"].as_str().unwrap()
}

async fn refused(world: &World, token: &str) {
    world.anyone().with_token(token).get(ME).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn a_forged_token_that_differs_in_nothing_is_good() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.anyone().with_token(&Forge::of(&world, &admin).token()).get(ME).is(200).await;
}

#[tokio::test]
async fn a_tampered_token_is_refused() {
    let world = World::new().await;
    let shop = world.shop().await;
    let [header, claims, signature] = access_token(&shop.owner).split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut promoted: Value = serde_json::from_slice(&BASE64URL.decode(claims).unwrap()).unwrap();
    promoted["role"] = json!("ADMIN");
    let promoted = BASE64URL.encode(promoted.to_string());
    refused(&world, &format!("{header}.{promoted}.{signature}")).await;
    let mut bytes = BASE64URL.decode(signature).unwrap();
    bytes[0] ^= 1;
    refused(&world, &format!("{header}.{claims}.{}", BASE64URL.encode(bytes))).await;
    refused(&world, &format!("{header}.{claims}.")).await;
    refused(&world, &format!("{header}.{claims}")).await;
}

#[tokio::test]
async fn an_access_token_is_good_for_15_minutes() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.clock().advance(15 * 60 - 10);
    admin.get(ME).is(200).await;
    world.clock().advance(10);
    refused(&world, access_token(&admin)).await;
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    let kid = forge.header.kid.as_deref().unwrap();
    for alg in ["none", "None", "NONE", ""] {
        let header = BASE64URL.encode(json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string());
        let claims = BASE64URL.encode(forge.claims.to_string());
        refused(&world, &format!("{header}.{claims}.")).await;
    }
}

#[tokio::test]
async fn a_token_signed_with_the_public_key_as_a_secret_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    let jwks: Value = serde_json::from_str(&world.keys().jwks).unwrap();
    let mut header = forge.header.clone();
    header.alg = Algorithm::HS256;
    let key = &jwks["keys"][0];
    for secret in [world.keys().jwks.clone(), key.to_string(), key["x"].as_str().unwrap().to_owned()] {
        let token = encode(&header, &forge.claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap();
        refused(&world, &token).await;
    }
}

#[tokio::test]
async fn a_token_signed_by_another_key_is_refused() {
    let (world, elsewhere) = (World::new().await, World::new().await);
    let admin = world.admin().await;
    let mut forge = Forge::of(&world, &admin);
    forge.key = EncodingKey::from_ec_der(&BASE64_STANDARD.decode(&elsewhere.keys().signing).unwrap());
    refused(&world, &forge.token()).await;
    let theirs = elsewhere.admin().await;
    refused(&world, access_token(&theirs)).await;
}

#[tokio::test]
async fn a_token_with_another_kid_or_none_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    refused(&world, &forge.with(|header| header.kid = None)).await;
    refused(&world, &forge.with(|header| header.kid = Some("another".to_owned()))).await;
    refused(&world, &forge.with(|header| header.kid = Some(String::new()))).await;
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    for typ in [Some("JWT"), Some("rt+jwt"), Some(""), None] {
        refused(&world, &forge.with(|header| header.typ = typ.map(str::to_owned))).await;
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    refused(&world, &forge.claiming("iss", json!("somebody"))).await;
    refused(&world, &forge.without("iss")).await;
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    refused(&world, &forge.claiming("aud", json!("another-api"))).await;
    refused(&world, &forge.without("aud")).await;
}

#[tokio::test]
async fn a_token_without_expiry_or_subject_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let forge = Forge::of(&world, &admin);
    for name in ["exp", "sub", "sid", "role"] {
        refused(&world, &forge.without(name)).await;
    }
}

#[tokio::test]
async fn a_token_with_half_a_home_is_refused() {
    let world = World::new().await;
    let shop = world.shop().await;
    let forge = Forge::of(&world, &shop.owner);
    refused(&world, &forge.without("aid")).await;
    refused(&world, &forge.without("tid")).await;
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    refused(&world, admin.session["refreshToken"].as_str().unwrap()).await;
}

#[tokio::test]
async fn whoever_shows_no_bearer_token_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let token = access_token(&admin);
    world.anyone().get(ME).problem(401, "unauthenticated").await;
    for header in ["Bearer", "Bearer ", "Basic QWRhOkxvdmVsYWNl", token, &format!("Token {token}")] {
        world.anyone().get(ME).header("authorization", header).problem(401, "unauthenticated").await;
    }
}

#[tokio::test]
async fn the_scheme_is_the_same_in_any_case() {
    let world = World::new().await;
    let admin = world.admin().await;
    let header = format!("bearer {}", access_token(&admin));
    world.anyone().get(ME).header("authorization", &header).is(200).await;
}

#[tokio::test]
async fn a_token_in_the_query_is_no_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let path = format!("{ME}?access_token={}", access_token(&admin));
    world.anyone().get(&path).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn an_access_token_says_nothing_personal() {
    let world = World::new().await;
    let shop = world.shop().await;
    let claims = Forge::of(&world, &shop.owner).claims;
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aid", "aud", "cid", "exp", "iat", "iss", "role", "sid", "sub", "tid"]);
}

#[tokio::test]
async fn the_published_keys_verify_a_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let answer = world.anyone().get("/.well-known/jwks.json").is(200).await;
    let set: JwkSet = serde_json::from_value(answer.body).unwrap();
    let header = decode_header(access_token(&admin)).unwrap();
    let key = DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_audience(&["upzento-api"]);
    let token = decode::<Value>(access_token(&admin), &key, &rules).unwrap();
    assert_eq!(token.claims["sub"], admin.id());
}

#[tokio::test]
async fn the_published_keys_are_public_and_may_be_cached() {
    let world = World::new().await;
    let answer = world.anyone().get("/.well-known/jwks.json").is(200).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    for key in answer.body["keys"].as_array().unwrap() {
        assert!(key.get("d").is_none(), "a private key");
        for (name, value) in [("kty", "EC"), ("crv", "P-256"), ("alg", "ES256"), ("use", "sig")] {
            assert_eq!(key[name], value, "{name}");
        }
    }
}

// ── Oneself ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn everybody_reads_themselves() {
    let world = World::new().await;
    let tree = world.tree().await;
    for (role, who) in &tree.users {
        let me = who.get(ME).is(200).await;
        assert_eq!(me.body, who.session["user"]);
        assert_eq!(me.body["role"], json!(role));
        assert_eq!(me.header("etag"), "\"2\"", "created, then signed in");
    }
}

#[tokio::test]
async fn whoever_has_their_own_version_gets_a_304() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.get(ME).header("if-none-match", "\"2\"").is(304).await;
}

#[tokio::test]
async fn one_changes_ones_own_name_and_can_still_sign_in() {
    let world = World::new().await;
    let admin = world.admin().await;
    let changed = admin.patch(ME).json(json!({ "firstName": "Augusta" })).is(200).await;
    assert_eq!((&changed.body["firstName"], &changed.body["version"]), (&json!("Augusta"), &json!(3)));
    assert_eq!(admin.get(ME).is(200).await.body, changed.body);
    assert_eq!(admin.again().await.session["user"]["firstName"], "Augusta");
}

#[tokio::test]
async fn nobody_changes_more_of_themselves_than_their_name() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch =
        json!({ "role": "ADMIN", "email": "root@example.com", "status": "ACTIVE", "clientId": null, "id": null });
    shop.owner.patch(ME).json(patch).invalid(&["/role", "/email", "/status", "/clientId", "/id"]).await;
}

#[tokio::test]
async fn a_stale_change_of_oneself_is_a_412() {
    let world = World::new().await;
    let admin = world.admin().await;
    admin.patch(ME).json(json!({ "lastName": "King" })).header("if-match", "\"2\"").is(200).await;
    let stale = admin.patch(ME).json(json!({ "lastName": "Byron" })).header("if-match", "\"2\"");
    stale.problem(412, "precondition_failed").await;
}

#[tokio::test]
async fn whoever_is_gone_is_nobody() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.remove_user(&admin).await;
    admin.get(ME).problem(401, "unauthenticated").await;
    admin.patch(ME).json(json!({ "firstName": "Eve" })).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn whoever_was_disabled_meanwhile_is_nobody() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.set_status(&admin, "DISABLED").await;
    admin.get(ME).problem(401, "unauthenticated").await;
    admin.patch(ME).json(json!({ "firstName": "Eve" })).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn an_email_belongs_to_one_user_of_the_platform() {
    let world = World::new().await;
    let shop = world.shop().await;
    let taken = shop.owner.email().to_uppercase();
    let profile = shared::entity::Profile { first_name: "Eve".parse().unwrap(), last_name: "Ada".parse().unwrap() };
    let (operator, password) = (world.operator(), PASSWORD.parse().unwrap());
    let platform = operator.platform();
    let second = operator.create_user(platform, Role::Admin, taken.parse().unwrap(), profile, password).await;
    assert_eq!(second.unwrap_err().code(), "email_taken");
}
