//! Operations that require that the caller's access token still describes the caller.

use std::collections::BTreeSet;

use harness::operation::{Operation, operations};
use harness::tree::{PathParams, Tree};
use harness::users::{RequestBuilder, TestUser};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::json;
use shared::identity::{HomeScope, Role};

/// The operations that give lasting access, or delete users, settings or a part of the tree.
///
/// Each with the role of a caller that may use it.
const CHECKED: [(Role, &[&str]); 3] = [
    (Role::Admin, &["deleteTenant", "deleteAgency"]),
    (
        Role::AgencyAdmin,
        &["deleteClient", "createAgencyUser", "inviteAgencyUser", "updateAgencyUser", "deleteAgencyUser"],
    ),
    (
        Role::ClientAdmin,
        &[
            "createClientUser",
            "inviteClientUser",
            "updateClientUser",
            "deleteClientUser",
            "createDomain",
            "updateDomain",
            "deleteDomain",
            "rotateWidgetKey",
            "replaceReminderSettings",
            "createCalendarFeed",
            "revokeCalendarFeed",
            "deletePipeline",
            "deleteStage",
            "deleteService",
            "deleteStaff",
            "deleteTimeOff",
        ],
    ),
];

/// The other deletions: all roles may use them, and users run them in parallel.
const UNCHECKED_DELETIONS: [&str; 6] =
    ["deleteContact", "deleteTag", "untagContact", "deleteDeal", "deleteNote", "deleteAppointment"];

fn operation(id: &str) -> Operation {
    operations().into_iter().find(|operation| operation.id == id).unwrap_or_else(|| panic!("{id} does not exist"))
}

fn request<'w>(id: &str, user: &TestUser<'w>, place: &PathParams) -> RequestBuilder<'w> {
    let operation = operation(id);
    let path = operation.at(place);
    if operation.method == Method::PATCH {
        // A change without effect writes nothing and needs no check.
        let change =
            if id == "updateDomain" { json!({ "domain": "*.example.org" }) } else { json!({ "lastName": "Byron" }) };
        return user.patch(&path).json(change);
    }
    operation.request(user, &path)
}

/// A user with the role who has lost access since signing in.
async fn former_user<'w>(world: &'w World, tree: &Tree<'w>, role: Role, change: &str) -> TestUser<'w> {
    let own = tree.own();
    let (home, users, lower): (HomeScope, _, _) = match role {
        Role::Admin => (world.operator().platform().into(), String::new(), ""),
        Role::AgencyAdmin => (own.agency_scope().into(), format!("{}/users", own.agency), "AGENCY_USER"),
        _ => (own.scope.into(), format!("{}/users", own.client), "CLIENT_USER"),
    };
    let user = world.user(home, role).await;
    let path = format!("{users}/{}", user.id());
    match (role, change) {
        // No operation changes the users of the platform.
        (Role::Admin, "deleted") => world.remove_user(&user).await,
        (Role::Admin, _) => world.set_status(&user, "DISABLED").await,
        (_, "deleted") => drop(tree.admin().delete(&path).is(204).await),
        (_, "disabled") => drop(tree.admin().patch(&path).json(json!({ "status": "DISABLED" })).is(200).await),
        _ => drop(tree.admin().patch(&path).json(json!({ "role": lower })).is(200).await),
    }
    user
}

#[test]
fn every_deletion_is_checked_or_exempt() {
    let deletions = operations().into_iter().filter(|operation| operation.method == Method::DELETE);
    let deletions: BTreeSet<_> = deletions.map(|operation| operation.id).collect();
    let checked = CHECKED.iter().flat_map(|(_, ids)| *ids).filter(|id| operation(id).method == Method::DELETE);
    let listed: Vec<_> = checked.chain(&UNCHECKED_DELETIONS).map(|id| (*id).to_owned()).collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), deletions);
    assert_eq!(listed.len(), deletions.len(), "an operation is in both lists");
}

#[tokio::test]
async fn former_user_with_a_valid_token_is_rejected() {
    let world = World::new().await;
    let tree = world.tree().await;
    tree.admin().post(&format!("{}/calendar", tree.own().staff)).is(200).await;
    for (role, ids) in CHECKED {
        let mut former = Vec::new();
        for change in ["deleted", "disabled", "demoted"] {
            former.push((change, former_user(&world, &tree, role, change).await));
        }
        let before = world.rows().await;
        for id in ids {
            for (change, user) in &former {
                let answer = request(id, user, tree.own()).send().await;
                assert_eq!(answer.status, 401, "{id} of a {change} user: {answer}");
            }
        }
        assert_eq!(world.rows().await, before, "{role:?}");
    }
}

#[tokio::test]
async fn current_user_is_accepted() {
    let world = World::new().await;
    let tree = world.tree().await;
    tree.admin().post(&format!("{}/calendar", tree.own().staff)).is(200).await;
    for (role, ids) in CHECKED {
        for id in ids {
            let status = request(id, tree.user(role), tree.own()).send().await.status;
            // A resource that is in use or not empty cannot be deleted.
            assert!(status.is_success() || status == 409, "{id}: {status}");
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn recorded_response_is_not_returned_to_a_former_user() {
    let world = World::new().await;
    let tree = world.tree().await;
    let user = world.user(tree.own().scope, Role::ClientAdmin).await;
    let create = request("createClientUser", &user, tree.own()).header("idempotency-key", "one");
    let created = create.clone().created().await;
    assert_eq!(create.clone().created().await.header("idempotency-replayed"), "true");
    tree.admin().delete(created.location()).is(204).await;
    tree.admin().delete(&format!("{}/users/{}", tree.own().client, user.id())).is(204).await;
    create.problem(401, "unauthenticated").await;
}
