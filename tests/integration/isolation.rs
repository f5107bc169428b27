//! Who may do what where, for every operation of the OpenAPI document: a new one is judged here without being named.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use harness::operation::{Operation, operations};
use harness::tree::{PathParams, Tree, create_tag, invite};
use harness::who::{Answer, RequestBuilder, Who};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::auth::Role;

/// The places in the tree, as seen by everybody whose home is the first.
fn places<'a>(tree: &'a Tree<'_>) -> [(&'static str, &'a PathParams); 4] {
    [
        ("own", tree.own()),
        ("sibling client", tree.sibling()),
        ("other agency", tree.other_agency()),
        ("other tenant", tree.other_tenant()),
    ]
}

/// What acts where the path says, for whoever has signed in.
fn scoped() -> impl Iterator<Item = Operation> {
    operations().into_iter().filter(|operation| operation.is_scoped() && !operation.takes_secret())
}

// ── Roles ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const MATRIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/integration/roles.txt");

/// The statuses of every operation, at every place, for everybody. Whatever holds something answers a permitted delete
/// with 409.
#[tokio::test]
async fn roles_may_do_what_the_matrix_says() {
    let world = World::new().await;
    let tree = world.tree().await;
    let mut matrix = String::new();
    let anyone = world.anyone();
    let roles = tree.users.iter().map(|(role, who)| (json!(role).as_str().unwrap().to_owned(), who));
    let columns: Vec<_> = [("ANYONE".to_owned(), &anyone)].into_iter().chain(roles).collect();
    let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
    writeln!(matrix, "{:<16} {:<15} {}", "", "", names.join(" ")).unwrap();
    for operation in operations() {
        let places = places(&tree);
        let places = if operation.is_scoped() { places.as_slice() } else { &[("platform", tree.own())] };
        for (name, place) in places {
            write!(matrix, "{:<16} {name:<15}", operation.id).unwrap();
            for (column, who) in &columns {
                let place = replenished(&tree, place, &operation).await;
                let status = operation.ask(who, &operation.at(&place)).send().await.status.as_u16();
                write!(matrix, " {status:>width$}", width = column.len()).unwrap();
            }
            matrix.push('\n');
        }
    }
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(MATRIX, &matrix).unwrap();
    }
    let expected = std::fs::read_to_string(MATRIX).unwrap_or_default();
    for (line, expected) in matrix.lines().zip(expected.lines()) {
        assert_eq!(line, expected, "UPDATE_EXPECTED=1 writes what is now");
    }
    assert_eq!(matrix.lines().count(), expected.lines().count(), "UPDATE_EXPECTED=1 writes what is now");
}

/// A time at which nothing is booked: each time it is asked for, the next hour.
fn another_time() -> String {
    static HOUR: AtomicU32 = AtomicU32::new(0);
    let hour = HOUR.fetch_add(1, Ordering::Relaxed);
    format!("2031-{:02}-{:02}T{:02}:00:00Z", 2 + hour / 672, 1 + hour / 24 % 28, hour % 24)
}

/// The place with something in it again, where the operation may delete it.
async fn replenished(tree: &Tree<'_>, place: &PathParams, operation: &Operation) -> PathParams {
    if operation.method != Method::DELETE && !operation.id.starts_with("invite") {
        return place.clone();
    }
    let domain = json!({ "domain": format!("{}.example.com", uuid::Uuid::now_v7()) });
    // The place's own stays, so that there are never too many.
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
    let make = async |collection: String, body: Value| {
        tree.admin().post(&collection).json(body).created().await.location().to_owned()
    };
    let (mut stage, mut deal, mut note) = (place.stage.clone(), place.deal.clone(), place.note.clone());
    let (mut time_off, mut appointment) = (place.time_off.clone(), place.appointment.clone());
    let [service, staff] = ["serviceId", "staffId"].map(|name| place.id(name));
    let off = json!({ "start": "2031-01-01T00:00:00Z", "end": "2031-01-02T00:00:00Z" });
    let booked = json!({ "serviceId": service, "staffId": staff, "startTime": another_time(), "force": true });
    match operation.id.as_str() {
        "deleteStage" => stage = make(format!("{}/stages", place.pipeline), json!({ "name": "Last" })).await,
        "deleteDeal" => deal = make(format!("{}/deals", place.client), json!({ "title": "Engine" })).await,
        "deleteTimeOff" => time_off = make(format!("{}/time-off", place.staff), off).await,
        "deleteAppointment" => appointment = make(format!("{}/appointments", place.client), booked).await,
        "revokeCalendar" => {
            tree.admin().post(&format!("{}/calendar", place.staff)).is(200).await;
        }
        "deleteNote" => note = make(format!("{}/notes", place.deal), json!({ "content": "Steam" })).await,
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
async fn an_admin_reaches_everything() {
    let world = World::new().await;
    let tree = world.tree().await;
    for operation in scoped().filter(|operation| operation.method == Method::GET) {
        for (_, place) in places(&tree) {
            operation.ask(tree.admin(), &operation.at(place)).is(200).await;
        }
    }
}

#[tokio::test]
async fn whoever_has_not_signed_in_reaches_only_what_is_public() {
    let world = World::new().await;
    let tree = world.tree().await;
    let anyone = world.anyone();
    let mut public = BTreeSet::new();
    for operation in operations() {
        let paths = [operation.at(tree.own()), operation.nowhere()];
        let answers = paths.map(|path| operation.ask(&anyone, &path).contended().send());
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
    let expected = ["acceptInvitation", "forgotPassword", "health", "jwks", "login", "refresh", "resetPassword"];
    let expected = expected.map(str::to_owned);
    assert_eq!(public, expected.into());
}

#[tokio::test]
async fn without_a_token_a_bad_body_is_not_looked_at() {
    let world = World::new().await;
    for operation in operations().iter().filter(|operation| !operation.is_public()) {
        let ask = world.anyone().ask(operation.method.clone(), &operation.nowhere());
        ask.body("text/plain", "{").problem(401, "unauthenticated").await;
    }
}

// ── Out of scope is not there ───────────────────────────────────────────────────────────────────────────────────────

/// All that somebody sees of an answer, but for what names this one request.
fn seen(answer: &Answer) -> (u16, Value, usize, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    body.as_object_mut().map(|body| body.remove("requestId"));
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let headers = headers.filter(|(name, _)| !["x-request-id", "apigw-requestid"].contains(&name.as_str()));
    (answer.status.as_u16(), body, answer.text.len(), headers.collect())
}

/// Asks for what is there but out of scope and for what never existed; nobody can tell which was which.
async fn assert_indistinguishable(foreign: RequestBuilder<'_>, nothing: RequestBuilder<'_>) {
    let (foreign, nothing) = (foreign.send().await, nothing.send().await);
    // Whoever may not do it in their own scope either is told that, whatever they name.
    assert!(foreign.status == 404 || foreign.status == 403, "{foreign}");
    assert_eq!(seen(&foreign), seen(&nothing), "{foreign}\n{nothing}");
    assert_eq!(counted(&foreign), counted(&nothing), "{foreign}\n{nothing}");
}

/// What its calls did. Those that go out at the same time arrive in any order.
fn counted(answer: &Answer) -> Vec<&str> {
    let mut operations = answer.operations();
    operations.sort_unstable();
    operations
}

/// Every way in which somebody may reach for what an operation acts on.
fn variants<'w>(operation: &Operation, who: &Who<'w>, path: &str) -> Vec<RequestBuilder<'w>> {
    let plain = operation.ask(who, path);
    let conditional = operation.ask(who, path).header("if-match", "\"1\"").header("if-none-match", "\"1\"");
    vec![plain, conditional.header("idempotency-key", "one")]
}

/// The places that somebody with this role does not see as the parents of what the path names first.
fn out_of_scope<'a>(tree: &'a Tree<'_>, role: Role, operation: &Operation) -> Vec<&'a PathParams> {
    let own = tree.own();
    let of_client = matches!(role, Role::ClientAdmin | Role::ClientUser);
    let [_, (_, sibling), (_, other_agency), (_, other_tenant)] = places(tree);
    let candidates = match operation.parameters()[0] {
        "tenantId" => vec![other_tenant],
        "clientId" if of_client => vec![sibling, other_agency, other_tenant],
        "agencyId" | "clientId" => vec![other_agency, other_tenant],
        other => panic!("{other} is new: who sees what below it?"),
    };
    candidates.into_iter().filter(|place| place.contact != own.contact).collect()
}

#[tokio::test]
async fn what_is_out_of_scope_looks_like_what_never_existed() {
    let world = World::new().await;
    let tree = world.tree().await;
    for operation in scoped() {
        for (role, who) in tree.users.iter().filter(|(role, _)| *role != Role::Admin) {
            for place in out_of_scope(&tree, *role, &operation) {
                let foreign = variants(&operation, who, &operation.at(place));
                let nothing = variants(&operation, who, &operation.nowhere());
                for (foreign, nothing) in foreign.into_iter().zip(nothing) {
                    assert_indistinguishable(foreign, nothing).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn another_scopes_thing_is_not_there_in_ones_own() {
    let world = World::new().await;
    let tree = world.tree().await;
    for operation in scoped().filter(|operation| operation.parameters().len() > 1) {
        for (_, who) in &tree.users {
            // A sibling has the same agency, and what is the agency's is nothing foreign.
            let sibling = (operation.parameters()[0] != "agencyId").then(|| tree.sibling());
            for place in sibling.into_iter().chain([tree.other_agency(), tree.other_tenant()]) {
                let ghost = place.emptied();
                let foreign = operation.ask(who, &operation.across(tree.own(), place));
                let nothing = operation.ask(who, &operation.across(tree.own(), &ghost));
                assert_indistinguishable(foreign, nothing).await;
            }
        }
    }
}

#[tokio::test]
async fn what_is_out_of_scope_stays_as_it_is() {
    let world = World::new().await;
    let tree = world.tree().await;
    let foreign = [tree.sibling(), tree.other_agency(), tree.other_tenant()];
    let prefixes = foreign.map(|place| place.scope.to_string());
    let rows = async || {
        let mut rows = world.rows().await;
        rows.retain(|row| prefixes.iter().any(|prefix| row["pk"].as_str().unwrap().starts_with(prefix)));
        rows.sort_by_key(Value::to_string);
        rows
    };
    let before = rows().await;
    assert!(before.len() > 4 * foreign.len(), "a contact, a count, a domain and a user each: {before:?}");
    for operation in scoped() {
        for role in [Role::ClientAdmin, Role::ClientUser] {
            for place in foreign {
                operation.ask(tree.user(role), &operation.at(place)).send().await;
            }
        }
    }
    assert_eq!(rows().await, before);
}

#[tokio::test]
async fn a_list_holds_nothing_of_anybody_elses() {
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
async fn a_refusal_names_the_role_and_nothing_more() {
    let world = World::new().await;
    let tree = world.tree().await;
    let patch = json!({ "name": "Mine" });
    let refused = tree.user(Role::ClientUser).patch(&tree.own().client).json(&patch).problem(403, "forbidden").await;
    assert_eq!(refused.body["detail"], "Your role does not permit this.");
}
