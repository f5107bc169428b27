//! Who may do what to whom: roles that are granted, admins that stay, homes that keep to themselves.

use harness::at_once;
use harness::tree::{SalonFixture, invite};
use harness::who::{Answer, RequestBuilder, Who};
use harness::world::World;
use serde_json::{Value, json};
use shared::auth::{HomeScope, Role};

use crate::users::{fresh, person};

fn with_role(role: &str) -> Value {
    let mut body = person(&fresh());
    body["role"] = json!(role);
    body
}

/// A home with two admins who act.
struct Two<'w> {
    users: String,
    first: Who<'w>,
    second: Who<'w>,
}

impl<'w> Two<'w> {
    async fn of_client(world: &'w World, shop: &SalonFixture<'w>) -> Self {
        let second = world.user(shop.spot.scope, Role::ClientAdmin).await;
        Self { users: format!("{}/users", shop.spot.client), first: shop.owner.clone(), second }
    }

    fn path(&self, who: &Who<'_>) -> String {
        format!("{}/{}", self.users, who.id())
    }

    /// Both do the same to each other at the same time: one of them succeeds, and the other hears why not. Gives who won.
    async fn duel(&self, what: impl Fn(&Who<'w>, &str) -> RequestBuilder<'w>) -> &Who<'w> {
        let pairs = [(&self.first, &self.second), (&self.second, &self.first)];
        let asks = pairs.map(|(actor, victim)| what(actor, &self.path(victim)).contended().send());
        let answers = at_once(asks).await;
        let won: Vec<_> = answers.iter().map(|answer| answer.status.is_success()).collect();
        assert!(won[0] != won[1], "{answers:?}");
        let lost: &Answer = &answers[usize::from(won[0])];
        // Whoever is too late has no power any more, or would take away the last.
        let code = (lost.status.as_u16(), lost.body["code"].as_str().unwrap());
        assert!([(401, "unauthenticated"), (409, "last_admin")].contains(&code), "{lost}");
        pairs[usize::from(won[1])].0
    }
}

// ── Roles that are granted ──────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn nobody_grants_a_role_above_their_own_or_of_another_home() {
    let world = World::new().await;
    let tree = world.tree().await;
    let own = tree.own();
    let (agency, client) = (&own.agency, &own.client);
    let client_roles = ["CLIENT_ADMIN", "CLIENT_USER"];
    let agency_roles = ["AGENCY_ADMIN", "AGENCY_USER"];
    for (actor, home, allowed, above) in [
        (Role::Admin, agency, &agency_roles[..], &[][..]),
        (Role::Admin, client, &client_roles, &[]),
        (Role::AgencyAdmin, agency, &agency_roles, &["ADMIN"]),
        (Role::AgencyAdmin, client, &client_roles, &["ADMIN"]),
        (Role::ClientAdmin, client, &client_roles, &["ADMIN", "AGENCY_ADMIN", "AGENCY_USER"]),
    ] {
        let who = tree.user(actor);
        let users = format!("{home}/users");
        let user = invite(who, home).await;
        for role in ["ADMIN", "AGENCY_ADMIN", "AGENCY_USER", "CLIENT_ADMIN", "CLIENT_USER"] {
            let create = who.post(&users).json(with_role(role));
            let promote = who.patch(&user).json(json!({ "role": role }));
            if allowed.contains(&role) {
                create.created().await;
                promote.is(200).await;
            } else if above.contains(&role) {
                create.problem(403, "role_above_own").await;
                promote.problem(403, "role_above_own").await;
            } else {
                create.invalid(&["/role"]).await;
                promote.invalid(&["/role"]).await;
            }
        }
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn nobody_changes_their_own_role() {
    let world = World::new().await;
    let shop = world.shop().await;
    let two = Two::of_client(&world, &shop).await;
    let own = two.path(&two.first);
    for role in ["CLIENT_USER", "AGENCY_ADMIN", "ADMIN"] {
        two.first.patch(&own).json(json!({ "role": role })).problem(403, "own_role").await;
    }
    two.first.patch(&own).json(json!({ "role": "CLIENT_ADMIN", "firstName": "Augusta" })).is(200).await;
    two.second.patch(&own).json(json!({ "role": "CLIENT_USER" })).is(200).await;
    world.assert_whole().await;
}

// ── Admins that stay ────────────────────────────────────────────────────────────────────────────────────────────────

/// Every way to take the last admin away from those who are left is refused, to themselves and from above.
async fn assert_stays(admin: &Who<'_>, last: &Who<'_>, path: &str, lower: &str) {
    for who in [last, admin] {
        who.delete(path).problem(409, "last_admin").await;
        who.patch(path).json(json!({ "status": "DISABLED" })).problem(409, "last_admin").await;
    }
    last.patch(path).json(json!({ "role": lower })).problem(403, "own_role").await;
    admin.patch(path).json(json!({ "role": lower })).problem(409, "last_admin").await;
}

#[tokio::test]
async fn the_last_admin_stays_whoever_asks() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (home, scope, roles) in [
        (&shop.spot.client, HomeScope::from(shop.spot.scope), ["CLIENT_ADMIN", "CLIENT_USER"]),
        (&shop.spot.agency, HomeScope::from(shop.spot.agency_scope()), ["AGENCY_ADMIN", "AGENCY_USER"]),
    ] {
        let users = format!("{home}/users");
        let last = match scope {
            HomeScope::Client(_) => shop.owner.clone(),
            _ => world.user(scope, Role::AgencyAdmin).await,
        };
        // Admins who were only invited, and those who are disabled, are no help to anybody.
        let second = shop.admin.post(&users).json(with_role(roles[0])).created().await.location().to_owned();
        let path = format!("{users}/{}", last.id());
        assert_stays(&shop.admin, &last, &path, roles[1]).await;
        last.patch(&second).json(json!({ "status": "DISABLED" })).is(200).await;
        assert_stays(&shop.admin, &last, &path, roles[1]).await;
        last.delete(&second).is(204).await;
        assert_stays(&shop.admin, &last, &path, roles[1]).await;
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn an_admin_goes_when_another_stays() {
    let world = World::new().await;
    let shop = world.shop().await;
    let two = Two::of_client(&world, &shop).await;
    let second = two.path(&two.second);
    two.first.patch(&second).json(json!({ "status": "DISABLED" })).is(200).await;
    two.first.delete(&two.path(&two.first)).problem(409, "last_admin").await;
    two.first.patch(&second).json(json!({ "status": "ACTIVE" })).is(200).await;
    two.first.delete(&two.path(&two.first)).is(204).await;
    two.second.delete(&second).problem(409, "last_admin").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn whoever_is_above_deletes_the_very_last_user_and_then_the_home() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.spot.client);
    let last = format!("{users}/{}", shop.owner.id());
    shop.owner.delete(&shop.spot.client_user).is(204).await;
    shop.owner.delete(&last).problem(409, "last_admin").await;
    shop.admin.patch(&last).json(json!({ "status": "DISABLED" })).problem(409, "last_admin").await;
    shop.admin.delete(&last).is(204).await;
    assert_eq!(shop.admin.get(&users).is(200).await.body["items"], json!([]));
    for path in shop.spot.contents() {
        shop.admin.delete(&shop.spot.client).problem(409, "not_empty").await;
        shop.admin.delete(path).is(204).await;
    }
    world.assert_whole().await;
    shop.admin.delete(&shop.spot.client).is(204).await;
    // What is remembered of the tag outlives the client by a minute.
    world.work().await;
    world.clock().advance(61);
    world.work().await;
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_who_disable_each_other_one_stays() {
    let world = World::new().await;
    let shop = world.shop().await;
    let two = Two::of_client(&world, &shop).await;
    for _ in 0..20 {
        let winner = two.duel(|who, path| who.patch(path).json(json!({ "status": "DISABLED" }))).await;
        for who in [&two.first, &two.second].into_iter().filter(|who| who.id() != winner.id()) {
            winner.patch(&two.path(who)).json(json!({ "status": "ACTIVE" })).is(200).await;
        }
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_who_demote_each_other_one_stays() {
    let world = World::new().await;
    let shop = world.shop().await;
    let two = Two::of_client(&world, &shop).await;
    for _ in 0..20 {
        let winner = two.duel(|who, path| who.patch(path).json(json!({ "role": "CLIENT_USER" }))).await;
        for who in [&two.first, &two.second].into_iter().filter(|who| who.id() != winner.id()) {
            winner.patch(&two.path(who)).json(json!({ "role": "CLIENT_ADMIN" })).is(200).await;
        }
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_who_delete_each_other_one_stays() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut two = Two::of_client(&world, &shop).await;
    for _ in 0..10 {
        let winner = two.duel(Who::delete).await.clone();
        two = Two { users: two.users, first: winner, second: world.user(shop.spot.scope, Role::ClientAdmin).await };
    }
    world.assert_whole().await;
}

// ── Homes that keep to themselves ───────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_client_admin_sees_no_users_but_the_clients() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, owner) = (tree.own(), tree.user(Role::ClientAdmin));
    let agency_users = format!("{}/users", own.agency);
    owner.get(&agency_users).problem(403, "forbidden").await;
    owner.get(&own.agency_user).problem(403, "forbidden").await;
    // Whoever has a home, it is not found in another.
    let [own_id, agency_id] = [&own.client_user, &own.agency_user].map(|path| path.rsplit('/').next().unwrap());
    owner.get(&format!("{}/users/{own_id}", own.client)).is(200).await;
    owner.get(&format!("{}/users/{agency_id}", own.client)).problem(404, "not_found").await;
    tree.admin().get(&format!("{agency_users}/{own_id}")).problem(404, "not_found").await;
    for place in [tree.sibling(), tree.other_agency(), tree.other_tenant()] {
        owner.get(&format!("{}/users", place.client)).problem(404, "not_found").await;
        owner.get(&place.client_user).problem(404, "not_found").await;
        owner.patch(&place.client_user).json(json!({ "status": "DISABLED" })).problem(404, "not_found").await;
        owner.delete(&place.client_user).problem(404, "not_found").await;
    }
    for place in [tree.other_agency(), tree.other_tenant()] {
        owner.get(&place.agency_user).problem(404, "not_found").await;
    }
    let list = owner.get(&format!("{}/users", own.client)).is(200).await;
    for user in list.body["items"].as_array().unwrap() {
        assert_eq!(user["clientId"], own.id("clientId"));
    }
}

// ── Power that is lost ──────────────────────────────────────────────────────────────────────────────────────────────

/// A token is good for 15 minutes, and what it says of its bearer was so when it was made.
#[tokio::test]
async fn whoever_lost_their_power_does_not_pass_it_on() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.spot.client);
    let fallen = world.user(shop.spot.scope, Role::ClientAdmin).await;
    let own = format!("{users}/{}", fallen.id());
    let invited = invite(&shop.owner, &shop.spot.client).await;
    let fall = [json!({ "role": "CLIENT_USER" }), json!({ "role": "CLIENT_ADMIN", "status": "DISABLED" })];
    for fall in fall.iter().map(Some).chain([None]) {
        match fall {
            Some(fields) => shop.owner.patch(&own).json(fields).is(200).await,
            None => shop.owner.delete(&own).is(204).await,
        };
        fallen.post(&users).json(with_role("CLIENT_ADMIN")).problem(401, "unauthenticated").await;
        let promoted = json!({ "role": "CLIENT_ADMIN" });
        fallen.patch(&invited).json(promoted).problem(401, "unauthenticated").await;
        fallen.post(&format!("{invited}/invitation")).problem(401, "unauthenticated").await;
        fallen.delete(&invited).problem(401, "unauthenticated").await;
        let back = fallen.patch(&own).json(json!({ "status": "ACTIVE", "firstName": "Phoenix" })).send().await;
        assert!(back.status == 401 || back.status == 404, "{back}");
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn an_agency_admin_who_lost_their_power_has_none_over_clients() {
    let world = World::new().await;
    let shop = world.shop().await;
    let agency = shop.spot.agency_scope();
    let fallen = world.user(agency, Role::AgencyAdmin).await;
    world.user(agency, Role::AgencyAdmin).await;
    let users = format!("{}/users", shop.spot.client);
    fallen.post(&users).json(with_role("CLIENT_ADMIN")).created().await;
    world.set_status(&fallen, "DISABLED").await;
    fallen.post(&users).json(with_role("CLIENT_ADMIN")).problem(401, "unauthenticated").await;
}
