//! Permissions and isolation of every operation in the OpenAPI document.
//!
//! New operations are covered automatically.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::expect_file;
use harness::operation::{Operation, operations};
use harness::tree::{PathParams, Tree, create_tag, invite};
use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::identity::Role;

/// Places in the tree, relative to a user of the first place.
fn places<'a>(tree: &'a Tree<'_>) -> [(&'static str, &'a PathParams); 4] {
    [
        ("own", tree.own()),
        ("sibling client", tree.sibling()),
        ("other agency", tree.other_agency()),
        ("other tenant", tree.other_tenant()),
    ]
}

/// Operations in the scope of their path for a signed-in user.
fn scoped_operations() -> impl Iterator<Item = Operation> {
    operations().into_iter().filter(|operation| operation.is_scoped() && !operation.takes_secret())
}

// ── Roles ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Compares the status of every operation at every place for every role.
///
/// A permitted delete of a non-empty resource returns 409.
#[tokio::test]
async fn roles_match_the_permission_matrix() {
    let world = World::new().await;
    let tree = world.tree().await;
    let mut matrix = String::new();
    let anyone = world.anonymous();
    let roles = tree.users.iter().map(|(role, user)| (json!(role).as_str().unwrap().to_owned(), user));
    let columns: Vec<_> = [("ANYONE".to_owned(), &anyone)].into_iter().chain(roles).collect();
    let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
    writeln!(matrix, "{:<22} {:<15} {}", "", "", names.join(" ")).unwrap();
    for operation in operations() {
        let places = places(&tree);
        let places = if operation.is_scoped() { places.as_slice() } else { &[("platform", tree.own())] };
        for (name, place) in places {
            write!(matrix, "{:<22} {name:<15}", operation.id).unwrap();
            for (column, user) in &columns {
                let place = replenished(&tree, place, &operation).await;
                let status = operation.request(user, &operation.at(&place)).send().await.status.as_u16();
                write!(matrix, " {status:>width$}", width = column.len()).unwrap();
            }
            matrix.push('\n');
        }
    }
    expect_file!["roles.txt"].assert_eq(&matrix);
}

/// A start without bookings: each call returns the next hour.
fn next_free_start() -> String {
    static HOUR: AtomicU32 = AtomicU32::new(0);
    let hour = HOUR.fetch_add(1, Ordering::Relaxed);
    format!("2031-{:02}-{:02}T{:02}:00:00Z", 2 + hour / 672, 1 + hour / 24 % 28, hour % 24)
}

/// The place, with new resources for those that the operation may have deleted.
async fn replenished(tree: &Tree<'_>, place: &PathParams, operation: &Operation) -> PathParams {
    if operation.method != Method::DELETE && !operation.id.starts_with("invite") {
        return place.clone();
    }
    let domain = json!({ "domain": format!("{}.example.com", uuid::Uuid::now_v7()) });
    // The domain of the place itself is kept, so that the limit is never reached.
    let domain = match operation.id.as_str() {
        "deleteDomain" => {
            let domains = format!("{}/domains", place.client);
            tree.admin().post(&domains).json(domain).created().await.location().to_owned()
        }
        _ => place.domain.clone(),
    };
    let tag = match operation.id.as_str() {
        "deleteTag" => create_tag(tree.admin(), &place.client).await,
        _ => place.tag.clone(),
    };
    let tags = if operation.id == "untagContact" { vec![tag.rsplit('/').next().unwrap()] } else { Vec::new() };
    let create = async |collection: String, body: Value| {
        tree.admin().post(&collection).json(body).created().await.location().to_owned()
    };
    let (mut stage, mut deal, mut note) = (place.stage.clone(), place.deal.clone(), place.note.clone());
    let (mut time_off, mut appointment) = (place.time_off.clone(), place.appointment.clone());
    let [service, staff] = ["serviceId", "staffId"].map(|name| place.id(name));
    let time_off_body = json!({ "start": "2031-01-01T00:00:00Z", "end": "2031-01-02T00:00:00Z" });
    let booking = json!({ "serviceId": service, "staffId": staff, "startTime": next_free_start(), "force": true });
    match operation.id.as_str() {
        "deleteStage" => stage = create(format!("{}/stages", place.pipeline), json!({ "name": "Last" })).await,
        "deleteDeal" => deal = create(format!("{}/deals", place.client), json!({ "title": "Engine" })).await,
        "deleteTimeOff" => time_off = create(format!("{}/time-off", place.staff), time_off_body).await,
        "deleteAppointment" => appointment = create(format!("{}/appointments", place.client), booking).await,
        "revokeCalendarFeed" => {
            tree.admin().post(&format!("{}/calendar", place.staff)).is(200).await;
        }
        "deleteNote" => note = create(format!("{}/notes", place.deal), json!({ "content": "Steam" })).await,
        _ => {}
    }
    let (agency_user, client_user) =
        (invite(tree.admin(), &place.agency).await, invite(tree.admin(), &place.client).await);
    let person = json!({ "firstName": "Ada", "lastName": "Lovelace", "tagIds": tags });
    let contact = tree.admin().post(&place.contacts).json(person).created().await.location().to_owned();
    PathParams {
        contact,
        tag,
        domain,
        stage,
        deal,
        note,
        time_off,
        appointment,
        agency_user,
        client_user,
        ..place.clone()
    }
}

#[tokio::test]
async fn admin_can_read_everything() {
    let world = World::new().await;
    let tree = world.tree().await;
    for operation in scoped_operations().filter(|operation| operation.method == Method::GET) {
        for (_, place) in places(&tree) {
            operation.request(tree.admin(), &operation.at(place)).is(200).await;
        }
    }
}

#[tokio::test]
async fn unauthenticated_caller_reaches_only_public_operations() {
    let world = World::new().await;
    let tree = world.tree().await;
    let anyone = world.anonymous();
    let mut public = BTreeSet::new();
    for operation in operations() {
        let paths = [operation.at(tree.own()), operation.missing_path()];
        let answers = paths.map(|path| operation.request(&anyone, &path).contended().send());
        for answer in harness::at_once(answers).await {
            if operation.is_public() {
                public.insert(operation.id.clone());
                assert_ne!(answer.body["code"], "unauthenticated", "{answer}");
            } else {
                assert_eq!(answer.status, 401, "{answer}");
                assert_eq!(answer.operations(), Vec::<&str>::new(), "{answer}");
            }
        }
    }
    let expected = ["acceptInvitation", "forgotPassword", "getHealth", "getJwks", "login", "refresh", "resetPassword"];
    let expected = expected.map(str::to_owned);
    assert_eq!(public, expected.into());
}

#[tokio::test]
async fn unauthenticated_request_is_rejected_before_its_body_is_read() {
    let world = World::new().await;
    for operation in operations().iter().filter(|operation| !operation.is_public()) {
        let request = world.anonymous().request(operation.method.clone(), &operation.missing_path());
        request.body("text/plain", "{").problem(401, "unauthenticated").await;
    }
}

// ── Out of scope looks nonexistent ──────────────────────────────────────────────────────────────────────────────────

/// Everything that a caller sees of an answer, except the request ids.
fn visible_parts(answer: &Answer) -> (u16, Value, usize, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    body.as_object_mut().map(|body| body.remove("requestId"));
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let headers = headers.filter(|(name, _)| !["x-request-id", "apigw-requestid"].contains(&name.as_str()));
    (answer.status.as_u16(), body, answer.text.len(), headers.collect())
}

/// Expects equal answers for foreign resources and resources that never existed.
async fn assert_indistinguishable(foreign: RequestBuilder<'_>, nonexistent: RequestBuilder<'_>) {
    let (foreign, nonexistent) = (foreign.send().await, nonexistent.send().await);
    // A caller without the permission gets a 403 for any path.
    assert!(foreign.status == 404 || foreign.status == 403, "{foreign}");
    assert_eq!(visible_parts(&foreign), visible_parts(&nonexistent), "{foreign}\n{nonexistent}");
    assert_eq!(sorted_operations(&foreign), sorted_operations(&nonexistent), "{foreign}\n{nonexistent}");
}

/// Sorted operations of the calls: concurrent calls arrive in any order.
fn sorted_operations(answer: &Answer) -> Vec<&str> {
    let mut operations = answer.operations();
    operations.sort_unstable();
    operations
}

/// Variants of a request: plain, and with conditions and an idempotency key.
fn variants<'w>(operation: &Operation, user: &TestUser<'w>, path: &str) -> Vec<RequestBuilder<'w>> {
    let plain = operation.request(user, path);
    let conditional = operation.request(user, path).header("if-match", "\"1\"").header("if-none-match", "\"1\"");
    vec![plain, conditional.header("idempotency-key", "one")]
}

/// Places out of scope for this role, judged by the first path parameter.
fn out_of_scope<'a>(tree: &'a Tree<'_>, role: Role, operation: &Operation) -> Vec<&'a PathParams> {
    let own = tree.own();
    let of_client = matches!(role, Role::ClientAdmin | Role::ClientUser);
    let [_, (_, sibling), (_, other_agency), (_, other_tenant)] = places(tree);
    let candidates = match operation.parameters()[0] {
        "tenantId" => vec![other_tenant],
        "clientId" if of_client => vec![sibling, other_agency, other_tenant],
        "agencyId" | "clientId" => vec![other_agency, other_tenant],
        other => panic!("{other} is a new parameter: define its scope here"),
    };
    candidates.into_iter().filter(|place| place.contact != own.contact).collect()
}

#[tokio::test]
async fn out_of_scope_resource_looks_nonexistent() {
    let world = World::new().await;
    let tree = world.tree().await;
    for operation in scoped_operations() {
        for (role, user) in tree.users.iter().filter(|(role, _)| *role != Role::Admin) {
            for place in out_of_scope(&tree, *role, &operation) {
                let foreign = variants(&operation, user, &operation.at(place));
                let nonexistent = variants(&operation, user, &operation.missing_path());
                for (foreign, nonexistent) in foreign.into_iter().zip(nonexistent) {
                    assert_indistinguishable(foreign, nonexistent).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn foreign_resource_under_own_scope_looks_nonexistent() {
    let world = World::new().await;
    let tree = world.tree().await;
    for operation in scoped_operations().filter(|operation| operation.parameters().len() > 1) {
        for (_, user) in &tree.users {
            // The sibling client has the same agency, so resources of the agency are in scope.
            let sibling = (operation.parameters()[0] != "agencyId").then(|| tree.sibling());
            for place in sibling.into_iter().chain([tree.other_agency(), tree.other_tenant()]) {
                let nonexistent_place = place.with_missing_resources();
                let foreign = operation.request(user, &operation.cross_scope_path(tree.own(), place));
                let nonexistent = operation.request(user, &operation.cross_scope_path(tree.own(), &nonexistent_place));
                assert_indistinguishable(foreign, nonexistent).await;
            }
        }
    }
}

#[tokio::test]
async fn out_of_scope_requests_change_nothing() {
    let world = World::new().await;
    let tree = world.tree().await;
    let foreign = [tree.sibling(), tree.other_agency(), tree.other_tenant()];
    let prefixes = foreign.map(|place| place.partition(""));
    let rows = async || {
        let mut rows = world.rows().await;
        rows.retain(|row| prefixes.iter().any(|prefix| row["pk"].as_str().unwrap().starts_with(prefix)));
        rows.sort_by_key(Value::to_string);
        rows
    };
    let before = rows().await;
    assert!(before.len() > 4 * foreign.len(), "each place has more than four rows: {before:?}");
    for operation in scoped_operations() {
        for role in [Role::ClientAdmin, Role::ClientUser] {
            for place in foreign {
                operation.request(tree.user(role), &operation.at(place)).send().await;
            }
        }
    }
    assert_eq!(rows().await, before);
}

#[tokio::test]
async fn lists_contain_only_resources_of_their_scope() {
    let world = World::new().await;
    let tree = world.tree().await;
    for role in [Role::ClientAdmin, Role::ClientUser] {
        let list = tree.user(role).get(&tree.own().contacts).is(200).await;
        for item in list.body["items"].as_array().unwrap() {
            assert_eq!(item["clientId"], tree.own().id("clientId"));
        }
    }
    let clients = tree.user(Role::AgencyUser).get(&format!("{}/clients", tree.own().agency)).is(200).await;
    for item in clients.body["items"].as_array().unwrap() {
        assert_eq!(item["agencyId"], tree.own().id("agencyId"));
    }
}

#[tokio::test]
async fn forbidden_problem_mentions_only_the_role() {
    let world = World::new().await;
    let tree = world.tree().await;
    let patch = json!({ "name": "Mine" });
    let refused = tree.user(Role::ClientUser).patch(&tree.own().client).json(&patch).problem(403, "forbidden").await;
    assert_eq!(refused.body["detail"], "Your role does not permit this.");
}
