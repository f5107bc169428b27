//! Rules of user administration: granted roles, the last admin and isolated homes.

use harness::at_once;
use harness::tree::{SalonFixture, invite};
use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::World;
use serde_json::{Value, json};
use shared::identity::{HomeScope, Role};

use crate::users::{person, unique_email};

fn with_role(role: &str) -> Value {
    let mut body = person(&unique_email());
    body["role"] = json!(role);
    body
}

/// A home with two active admins.
struct AdminPair<'w> {
    users: String,
    first: TestUser<'w>,
    second: TestUser<'w>,
}

impl<'w> AdminPair<'w> {
    async fn of_client(world: &'w World, shop: &SalonFixture<'w>) -> Self {
        let second = world.user(shop.paths.scope, Role::ClientAdmin).await;
        Self { users: format!("{}/users", shop.paths.client), first: shop.owner.clone(), second }
    }

    fn path(&self, user: &TestUser<'_>) -> String {
        format!("{}/{}", self.users, user.id())
    }

    /// Sends the same request of both admins about each other concurrently.
    ///
    /// Checks that exactly one succeeds, and returns the admin who succeeded.
    async fn race(&self, request: impl Fn(&TestUser<'w>, &str) -> RequestBuilder<'w>) -> &TestUser<'w> {
        let pairs = [(&self.first, &self.second), (&self.second, &self.first)];
        let requests = pairs.map(|(actor, target)| request(actor, &self.path(target)).contended().send());
        let answers = at_once(requests).await;
        let succeeded: Vec<_> = answers.iter().map(|answer| answer.status.is_success()).collect();
        assert!(succeeded[0] != succeeded[1], "{answers:?}");
        let rejected: &Answer = &answers[usize::from(succeeded[0])];
        // The later request lacks permission by then, or would remove the last admin.
        let code = (rejected.status.as_u16(), rejected.body["code"].as_str().unwrap());
        assert!([(401, "unauthenticated"), (409, "last_admin")].contains(&code), "{rejected}");
        pairs[usize::from(succeeded[1])].0
    }
}

// ── Granted roles ───────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn roles_above_own_or_of_another_home_cannot_be_granted() {
    let world = World::new().await;
    let tree = world.tree().await;
    let own = tree.own();
    let (agency, client) = (&own.agency, &own.client);
    let client_roles = ["CLIENT_ADMIN", "CLIENT_USER"];
    let agency_roles = ["AGENCY_ADMIN", "AGENCY_USER"];
    for (actor, home, allowed, too_high) in [
        (Role::Admin, agency, &agency_roles[..], &[][..]),
        (Role::Admin, client, &client_roles, &[]),
        (Role::AgencyAdmin, agency, &agency_roles, &["ADMIN"]),
        (Role::AgencyAdmin, client, &client_roles, &["ADMIN"]),
        (Role::ClientAdmin, client, &client_roles, &["ADMIN", "AGENCY_ADMIN", "AGENCY_USER"]),
    ] {
        let actor = tree.user(actor);
        let users = format!("{home}/users");
        let user = invite(actor, home).await;
        for role in ["ADMIN", "AGENCY_ADMIN", "AGENCY_USER", "CLIENT_ADMIN", "CLIENT_USER"] {
            let create = actor.post(&users).json(with_role(role));
            let promote = actor.patch(&user).json(json!({ "role": role }));
            if allowed.contains(&role) {
                create.created().await;
                promote.is(200).await;
            } else if too_high.contains(&role) {
                create.problem(403, "role_above_own").await;
                promote.problem(403, "role_above_own").await;
            } else {
                create.invalid(&["/role"]).await;
                promote.invalid(&["/role"]).await;
            }
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn own_role_cannot_be_changed() {
    let world = World::new().await;
    let shop = world.shop().await;
    let admins = AdminPair::of_client(&world, &shop).await;
    let own = admins.path(&admins.first);
    for role in ["CLIENT_USER", "AGENCY_ADMIN", "ADMIN"] {
        admins.first.patch(&own).json(json!({ "role": role })).problem(403, "own_role").await;
    }
    admins.first.patch(&own).json(json!({ "role": "CLIENT_ADMIN", "firstName": "Augusta" })).is(200).await;
    admins.second.patch(&own).json(json!({ "role": "CLIENT_USER" })).is(200).await;
    world.assert_consistent().await;
}

// ── Last admin ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// Checks that the last admin cannot be deleted, disabled or demoted.
///
/// This holds for requests of the admin themselves and of a platform admin.
async fn assert_not_removable(admin: &TestUser<'_>, last: &TestUser<'_>, path: &str, lower: &str) {
    for actor in [last, admin] {
        actor.delete(path).problem(409, "last_admin").await;
        actor.patch(path).json(json!({ "status": "DISABLED" })).problem(409, "last_admin").await;
    }
    last.patch(path).json(json!({ "role": lower })).problem(403, "own_role").await;
    admin.patch(path).json(json!({ "role": lower })).problem(409, "last_admin").await;
}

#[tokio::test]
async fn last_admin_cannot_be_removed() {
    let world = World::new().await;
    let shop = world.shop().await;
    for (home, scope, roles) in [
        (&shop.paths.client, HomeScope::from(shop.paths.scope), ["CLIENT_ADMIN", "CLIENT_USER"]),
        (&shop.paths.agency, HomeScope::from(shop.paths.agency_scope()), ["AGENCY_ADMIN", "AGENCY_USER"]),
    ] {
        let users = format!("{home}/users");
        let last = match scope {
            HomeScope::Client(_) => shop.owner.clone(),
            _ => world.user(scope, Role::AgencyAdmin).await,
        };
        // Invited and disabled admins do not count.
        let second = shop.admin.post(&users).json(with_role(roles[0])).created().await.location().to_owned();
        let path = format!("{users}/{}", last.id());
        assert_not_removable(&shop.admin, &last, &path, roles[1]).await;
        last.patch(&second).json(json!({ "status": "DISABLED" })).is(200).await;
        assert_not_removable(&shop.admin, &last, &path, roles[1]).await;
        last.delete(&second).is(204).await;
        assert_not_removable(&shop.admin, &last, &path, roles[1]).await;
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn admin_can_be_removed_if_another_remains() {
    let world = World::new().await;
    let shop = world.shop().await;
    let admins = AdminPair::of_client(&world, &shop).await;
    let second = admins.path(&admins.second);
    admins.first.patch(&second).json(json!({ "status": "DISABLED" })).is(200).await;
    admins.first.delete(&admins.path(&admins.first)).problem(409, "last_admin").await;
    admins.first.patch(&second).json(json!({ "status": "ACTIVE" })).is(200).await;
    admins.first.delete(&admins.path(&admins.first)).is(204).await;
    admins.second.delete(&second).problem(409, "last_admin").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn platform_admin_can_delete_the_last_user_and_the_home() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.paths.client);
    let last = format!("{users}/{}", shop.owner.id());
    shop.owner.delete(&shop.paths.client_user).is(204).await;
    shop.owner.delete(&last).problem(409, "last_admin").await;
    shop.admin.patch(&last).json(json!({ "status": "DISABLED" })).problem(409, "last_admin").await;
    shop.admin.delete(&last).is(204).await;
    assert_eq!(shop.admin.get(&users).is(200).await.body["items"], json!([]));
    for path in shop.paths.contents() {
        shop.admin.delete(&shop.paths.client).problem(409, "not_empty").await;
        shop.admin.delete(path).is(204).await;
    }
    world.assert_consistent().await;
    shop.admin.delete(&shop.paths.client).is(204).await;
    // The tombstone of the tag expires one minute after the client.
    world.run_jobs().await;
    world.clock().advance(61);
    world.run_jobs().await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_disabling_each_other_leave_one_active() {
    let world = World::new().await;
    let shop = world.shop().await;
    let admins = AdminPair::of_client(&world, &shop).await;
    for _ in 0..20 {
        let winner = admins.race(|user, path| user.patch(path).json(json!({ "status": "DISABLED" }))).await;
        for user in [&admins.first, &admins.second].into_iter().filter(|user| user.id() != winner.id()) {
            winner.patch(&admins.path(user)).json(json!({ "status": "ACTIVE" })).is(200).await;
        }
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_demoting_each_other_leave_one_admin() {
    let world = World::new().await;
    let shop = world.shop().await;
    let admins = AdminPair::of_client(&world, &shop).await;
    for _ in 0..20 {
        let winner = admins.race(|user, path| user.patch(path).json(json!({ "role": "CLIENT_USER" }))).await;
        for user in [&admins.first, &admins.second].into_iter().filter(|user| user.id() != winner.id()) {
            winner.patch(&admins.path(user)).json(json!({ "role": "CLIENT_ADMIN" })).is(200).await;
        }
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_deleting_each_other_leave_one() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut admins = AdminPair::of_client(&world, &shop).await;
    for _ in 0..10 {
        let winner = admins.race(TestUser::delete).await.clone();
        admins = AdminPair {
            users: admins.users,
            first: winner,
            second: world.user(shop.paths.scope, Role::ClientAdmin).await,
        };
    }
    world.assert_consistent().await;
}

// ── Isolated homes ──────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn client_admin_sees_only_users_of_the_client() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, owner) = (tree.own(), tree.user(Role::ClientAdmin));
    let agency_users = format!("{}/users", own.agency);
    owner.get(&agency_users).problem(403, "forbidden").await;
    owner.get(&own.agency_user).problem(403, "forbidden").await;
    // A user is not found in another home.
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

// ── Revoked permissions ─────────────────────────────────────────────────────────────────────────────────────────────

/// An access token is valid for 15 minutes, with the role at the time of issue.
#[tokio::test]
async fn demoted_disabled_or_deleted_admin_cannot_manage_users() {
    let world = World::new().await;
    let shop = world.shop().await;
    let users = format!("{}/users", shop.paths.client);
    let former_admin = world.user(shop.paths.scope, Role::ClientAdmin).await;
    let own = format!("{users}/{}", former_admin.id());
    let invited = invite(&shop.owner, &shop.paths.client).await;
    let changes = [json!({ "role": "CLIENT_USER" }), json!({ "role": "CLIENT_ADMIN", "status": "DISABLED" })];
    // `None` deletes the user.
    for change in changes.iter().map(Some).chain([None]) {
        match change {
            Some(fields) => shop.owner.patch(&own).json(fields).is(200).await,
            None => shop.owner.delete(&own).is(204).await,
        };
        former_admin.post(&users).json(with_role("CLIENT_ADMIN")).problem(401, "unauthenticated").await;
        let promoted = json!({ "role": "CLIENT_ADMIN" });
        former_admin.patch(&invited).json(promoted).problem(401, "unauthenticated").await;
        former_admin.post(&format!("{invited}/invitation")).problem(401, "unauthenticated").await;
        former_admin.delete(&invited).problem(401, "unauthenticated").await;
        let reactivation =
            former_admin.patch(&own).json(json!({ "status": "ACTIVE", "firstName": "Phoenix" })).send().await;
        assert!(reactivation.status == 401 || reactivation.status == 404, "{reactivation}");
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn disabled_agency_admin_cannot_manage_client_users() {
    let world = World::new().await;
    let shop = world.shop().await;
    let agency = shop.paths.agency_scope();
    let former_admin = world.user(agency, Role::AgencyAdmin).await;
    world.user(agency, Role::AgencyAdmin).await;
    let users = format!("{}/users", shop.paths.client);
    former_admin.post(&users).json(with_role("CLIENT_ADMIN")).created().await;
    world.set_status(&former_admin, "DISABLED").await;
    former_admin.post(&users).json(with_role("CLIENT_ADMIN")).problem(401, "unauthenticated").await;
}
