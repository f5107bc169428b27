//! The tree tenant › agency › client.

use harness::at_once;
use harness::who::{Answer, Who};
use harness::world::World;
use serde_json::{Value, json};
use shared::auth::Role;
use shared::value::Id;
use uuid::Uuid;

use crate::users::{fresh, person};

/// A tenant, an agency in it and a client in that, with nothing below: their paths.
struct Branch {
    tenant: String,
    agency: String,
    client: String,
}

async fn create(who: &Who<'_>, collection: &str) -> String {
    who.post(collection).json(json!({ "name": "Northwind" })).created().await.location().to_owned()
}

async fn branch(admin: &Who<'_>) -> Branch {
    let tenant = create(admin, "/v1/tenants").await;
    let agency = create(admin, &format!("{tenant}/agencies")).await;
    let client = create(admin, &format!("{agency}/clients")).await;
    Branch { tenant, agency, client }
}

async fn items(who: &Who<'_>, list: &str) -> Value {
    who.get(list).is(200).await.body["items"].clone()
}

/// Create, read, list, update, delete, in a collection that is empty.
async fn live_through(admin: &Who<'_>, collection: &str, body: Value, whole: Value) {
    let created = admin.post(collection).json(&body).created().await;
    let mut expected = whole;
    for name in ["id", "version", "createdAt", "updatedAt"] {
        expected[name] = created.body[name].clone();
    }
    assert_eq!(created.body, expected);
    let path = created.location();
    assert_eq!(admin.get(path).is(200).await.body, expected);
    assert_eq!(items(admin, collection).await, json!([expected]));

    let changed = admin.patch(path).json(json!({ "name": "Southwind" })).is(200).await;
    expected["name"] = json!("Southwind");
    expected["version"] = json!(2);
    expected["updatedAt"] = changed.body["updatedAt"].clone();
    assert_eq!(changed.body, expected);
    assert_eq!(items(admin, collection).await, json!([expected]));

    admin.delete(path).is(204).await;
    admin.get(path).problem(404, "not_found").await;
    assert_eq!(items(admin, collection).await, json!([]));
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_tenant_lives_and_goes() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = json!({ "name": "Northwind", "domain": "northwind.example" });
    live_through(&admin, "/v1/tenants", body.clone(), body).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn an_agency_lives_and_goes() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let whole = json!({ "name": "Bright", "tenantId": id(&tenant) });
    live_through(&admin, &format!("{tenant}/agencies"), json!({ "name": "Bright" }), whole).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_client_lives_and_goes() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    let body = json!({ "name": "Bakery", "timeZone": "Europe/Paris", "currency": "EUR", "country": "FR" });
    let mut whole = body.clone();
    whole["agencyId"] = json!(id(&agency));
    live_through(&admin, &format!("{agency}/clients"), body, whole).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_client_counts_in_utc_and_dollars_unless_told_otherwise() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    let client = admin.get(&branch.client).is(200).await.body;
    assert_eq!((&client["timeZone"], &client["currency"]), (&json!("UTC"), &json!("USD")));
    let set = json!({ "timeZone": "Asia/Tokyo", "currency": "JPY" });
    admin.patch(&branch.client).json(set).is(200).await;
    let cleared = admin.patch(&branch.client).json(json!({ "timeZone": null, "currency": null })).is(200).await.body;
    assert_eq!((&cleared["timeZone"], &cleared["currency"]), (&json!("UTC"), &json!("USD")));
}

#[tokio::test]
async fn a_list_shows_what_is_directly_below_and_no_more() {
    let world = World::new().await;
    let tree = world.tree().await;
    let admin = tree.admin();
    let own = tree.own();
    assert_eq!(items(admin, "/v1/tenants").await.as_array().unwrap().len(), 2);
    for (list, expected) in [
        (format!("{}/agencies", own.tenant), [&own.agency, &tree.other_agency().agency]),
        (format!("{}/clients", own.agency), [&own.client, &tree.sibling().client]),
    ] {
        let found = items(admin, &list).await;
        let found: Vec<_> = found.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(found, expected.map(|path| id(path)));
    }
}

#[tokio::test]
async fn below_nothing_there_is_nothing_to_list_or_create() {
    let world = World::new().await;
    let admin = world.admin().await;
    let nothing = Uuid::now_v7();
    for list in [
        format!("/v1/tenants/{nothing}/agencies"),
        format!("/v1/agencies/{nothing}/clients"),
        format!("/v1/clients/{nothing}/contacts"),
    ] {
        admin.get(&list).problem(404, "not_found").await;
        let body = if list.ends_with("contacts") {
            json!({ "firstName": "Ada", "lastName": "Lovelace" })
        } else {
            json!({ "name": "Northwind" })
        };
        admin.post(&list).json(body).problem(404, "not_found").await;
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn below_something_that_was_deleted_there_is_nothing_either() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Branch { tenant, agency, client } = branch(&admin).await;
    for (parent, list) in [(client, "contacts"), (agency, "clients"), (tenant, "agencies")] {
        admin.delete(&parent).is(204).await;
        admin.get(&format!("{parent}/{list}")).problem(404, "not_found").await;
    }
}

#[tokio::test]
async fn below_something_empty_there_is_an_empty_page() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    assert_eq!(items(&admin, &format!("{}/contacts", branch.client)).await, json!([]));
    let tenant = create(&admin, "/v1/tenants").await;
    assert_eq!(items(&admin, &format!("{tenant}/agencies")).await, json!([]));
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    assert_eq!(items(&admin, &format!("{agency}/clients")).await, json!([]));
}

#[tokio::test]
async fn what_holds_something_stays_until_it_is_empty() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Branch { tenant, agency, client } = branch(&admin).await;
    let person = json!({ "firstName": "Ada", "lastName": "Lovelace" });
    let contact = admin.post(&format!("{client}/contacts")).json(person).created().await.location().to_owned();
    for holder in [&tenant, &agency, &client] {
        admin.delete(holder).problem(409, "not_empty").await;
        admin.get(holder).is(200).await;
    }
    for next in [&contact, &client, &agency, &tenant] {
        admin.delete(next).is(204).await;
        world.assert_whole().await;
    }
}

#[tokio::test]
async fn what_holds_a_user_is_not_empty() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Branch { tenant, agency, client } = branch(&admin).await;
    let scope = world.operator().platform().tenant(id_of(&tenant)).agency(id_of(&agency));
    world.user(scope.client(id_of(&client)), Role::ClientUser).await;
    admin.delete(&client).problem(409, "not_empty").await;
    let lone = create(&admin, &format!("{tenant}/agencies")).await;
    let scope = world.operator().platform().tenant(id_of(&tenant)).agency(id_of(&lone));
    world.user(scope, Role::AgencyAdmin).await;
    admin.delete(&lone).problem(409, "not_empty").await;
    world.assert_whole().await;
}

fn id_of<T>(path: &str) -> Id<T> {
    id(path).parse().unwrap()
}

#[tokio::test]
async fn a_stale_delete_says_so_before_it_looks_for_what_is_held() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    admin.delete(&branch.tenant).header("if-match", "\"9\"").problem(412, "precondition_failed").await;
}

#[tokio::test]
async fn a_name_is_1_to_200_characters_of_any_script() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Branch { tenant, agency, .. } = branch(&admin).await;
    for collection in ["/v1/tenants", &format!("{tenant}/agencies"), &format!("{agency}/clients")] {
        for letter in ["x", "é", "語", "𝒳", "🥐"] {
            let longest = letter.repeat(200);
            let made = admin.post(collection).json(json!({ "name": longest })).created().await;
            assert_eq!(made.body["name"], longest);
            admin.post(collection).json(json!({ "name": letter.repeat(201) })).invalid(&["/name"]).await;
        }
        for bad in [json!(""), json!("   "), json!("a\u{0}b"), json!("a\nb"), json!(7), json!(null), json!(["x"])] {
            admin.post(collection).json(json!({ "name": bad })).invalid(&["/name"]).await;
        }
    }
}

#[tokio::test]
async fn a_name_is_trimmed() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = admin.post("/v1/tenants").json(json!({ "name": "  Northwind \t" })).created().await;
    assert_eq!(tenant.body["name"], "Northwind");
}

#[tokio::test]
async fn a_time_zone_is_an_iana_name() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    for good in ["UTC", "America/Argentina/Buenos_Aires", "Asia/Kolkata"] {
        let changed = admin.patch(&branch.client).json(json!({ "timeZone": good })).is(200).await;
        assert_eq!(changed.body["timeZone"], good);
    }
    for bad in ["", "CET+1", "Europe/Atlantis", "europe/paris", "+02:00", "Europe/Paris "] {
        admin.patch(&branch.client).json(json!({ "timeZone": bad })).invalid(&["/timeZone"]).await;
    }
}

#[tokio::test]
async fn a_currency_is_an_iso_4217_code() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    for good in ["EUR", "JPY", "BHD"] {
        let changed = admin.patch(&branch.client).json(json!({ "currency": good })).is(200).await;
        assert_eq!(changed.body["currency"], good);
    }
    for bad in ["XXX", "XAU", "", "usd", "EURO", "XYZ", "€"] {
        admin.patch(&branch.client).json(json!({ "currency": bad })).invalid(&["/currency"]).await;
    }
}

#[tokio::test]
async fn a_country_is_an_iso_3166_code_or_not_set() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    assert_eq!(admin.get(&branch.client).is(200).await.body["country"], json!(null));
    for (given, kept) in [(json!("FR"), json!("FR")), (json!("gb"), json!("GB")), (json!(null), json!(null))] {
        let changed = admin.patch(&branch.client).json(json!({ "country": given })).is(200).await;
        assert_eq!(changed.body["country"], kept);
    }
    for bad in ["", "UK", "FRA", "France", "ZZ"] {
        admin.patch(&branch.client).json(json!({ "country": bad })).invalid(&["/country"]).await;
    }
}

#[tokio::test]
async fn nothing_moves_to_another_parent() {
    let world = World::new().await;
    let tree = world.tree().await;
    let (own, other) = (tree.own(), tree.other_tenant());
    let patch = json!({ "tenantId": id(&other.tenant) });
    tree.admin().patch(&own.agency).json(patch).invalid(&["/tenantId"]).await;
    let patch = json!({ "agencyId": id(&other.agency) });
    tree.admin().patch(&own.client).json(patch).invalid(&["/agencyId"]).await;
}

// ── At the same time ────────────────────────────────────────────────────────────────────────────────────────────────

/// What came of a race between the creation of children and the deletion of their parent: either the parent is gone and
/// none came after it, or it stayed because one came before.
fn assert_one_side_won(deleted: &Answer, created: &[Answer]) {
    let gone = deleted.status == 204;
    assert!(gone || deleted.body["code"] == "not_empty", "{deleted}");
    for child in created {
        let expected = if gone { 404 } else { 201 };
        assert_eq!(child.status.as_u16(), expected, "{deleted}\n{child}");
    }
}

async fn race(admin: &Who<'_>, parent: &str, children: &str, child: impl Fn() -> Value, round: usize) {
    let list = format!("{parent}/{children}");
    // The delete is put at another place of the queue each time.
    let asks = (0..4).map(|at| {
        if at == round % 4 { admin.delete(parent).contended() } else { admin.post(&list).json(child()).contended() }
    });
    let mut answers = at_once(asks.map(harness::who::RequestBuilder::send)).await;
    let deleted = answers.remove(round % 4);
    assert_one_side_won(&deleted, &answers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_agency_outlives_its_tenant() {
    let world = World::new().await;
    let admin = world.admin().await;
    for round in 0..16 {
        let tenant = create(&admin, "/v1/tenants").await;
        race(&admin, &tenant, "agencies", || json!({ "name": "Bright" }), round).await;
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_outlives_its_agency() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    for round in 0..16 {
        let agency = create(&admin, &format!("{tenant}/agencies")).await;
        race(&admin, &agency, "clients", || json!({ "name": "Bakery" }), round).await;
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_contact_outlives_its_client() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    for round in 0..16 {
        let client = create(&admin, &format!("{agency}/clients")).await;
        let person = json!({ "firstName": "Ada", "lastName": "Lovelace" });
        race(&admin, &client, "contacts", || person.clone(), round).await;
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_user_outlives_their_home() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    for round in 0..16 {
        let agency = create(&admin, &format!("{tenant}/agencies")).await;
        let client = create(&admin, &format!("{agency}/clients")).await;
        race(&admin, &client, "users", || person(&fresh()), round).await;
        let lone = create(&admin, &format!("{tenant}/agencies")).await;
        race(&admin, &lone, "users", || person(&fresh()), round).await;
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_domain_outlives_its_client() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    for round in 0..16 {
        let client = create(&admin, &format!("{agency}/clients")).await;
        let domain = || json!({ "domain": format!("{}.example.com", Uuid::now_v7()) });
        race(&admin, &client, "domains", domain, round).await;
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_while_all_kinds_of_things_come_leaves_nothing() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = create(&admin, "/v1/tenants").await;
    let agency = create(&admin, &format!("{tenant}/agencies")).await;
    for round in 0..16 {
        let client = create(&admin, &format!("{agency}/clients")).await;
        let domain = json!({ "domain": "shop.example.com" });
        let mut asks = vec![
            admin.delete(&client),
            admin.post(&format!("{client}/users")).json(person(&fresh())),
            admin.post(&format!("{client}/domains")).json(domain),
            admin.post(&format!("{client}/widget/rotate")),
        ];
        asks.rotate_left(round % 4);
        let mut answers = at_once(asks.into_iter().map(|ask| ask.contended().send())).await;
        answers.rotate_right(round % 4);
        // A rotation leaves nothing that must go first.
        assert!([200, 404].contains(&answers[3].status.as_u16()), "{answers:?}");
        assert_one_side_won(&answers[0], &answers[1..3]);
    }
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_deletes_at_once_one_counts() {
    let world = World::new().await;
    let admin = world.admin().await;
    let branch = branch(&admin).await;
    let answers = at_once((0..8).map(|_| admin.delete(&branch.client).contended().send())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404, 404, 404, 404, 404, 404, 404]);
    world.assert_whole().await;
    admin.delete(&branch.agency).is(204).await;
}
