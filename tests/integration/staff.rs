//! Staff members of a client and their working hours.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};

use crate::appointments::Salon;
use crate::paging::walk;

fn create<'w>(shop: &SalonFixture<'w>, more: Value) -> RequestBuilder<'w> {
    let mut staff = json!({ "name": "Ann", "email": "ann@example.com" });
    let Value::Object(more) = more else { panic!("the additional fields are not an object") };
    staff.as_object_mut().unwrap().extend(more);
    shop.owner.post(&format!("{}/staff", shop.paths.client)).json(staff)
}

/// The number of child rows of a staff member: calendar days and times off.
async fn child_rows(world: &World, staff: &str) -> usize {
    let of_staff = format!("#STAFF#{staff}#");
    world.rows().await.iter().filter(|row| row["pk"].as_str().unwrap().contains(&of_staff)).count()
}

#[tokio::test]
async fn new_staff_member_has_defaults_and_is_patched() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.paths.client).json(json!({ "timeZone": "Europe/Paris" })).is(200).await;
    let created = create(&shop, json!({ "name": " Ann " })).created().await;
    assert_eq!(
        created.body,
        json!({
            "id": created.id(), "clientId": shop.paths.scope.id(), "name": "Ann", "email": "ann@example.com",
            "timeZone": "Europe/Paris", "weeklyHours": [], "overrides": {}, "active": true, "version": 1,
            "createdAt": created.body["createdAt"], "updatedAt": created.body["createdAt"],
        })
    );
    let hours = json!({
        "weeklyHours": [{ "days": ["sun", "mon"], "start": "00:00", "end": "24:00" }],
        "overrides": { "2026-12-24": [{ "start": "09:00", "end": "12:00" }], "2026-12-25": [] },
        "timeZone": "Australia/Lord_Howe", "active": false,
    });
    let patch = |body: Value| shop.owner.patch(created.location()).json(body);
    let changed = patch(hours.clone()).header("if-match", "\"1\"").is(200).await;
    for (name, value) in hours.as_object().unwrap() {
        assert_eq!(changed.body[name], *value);
    }
    // A patch of `overrides` is a merge patch: other dates are unchanged.
    let dates = json!({ "overrides": { "2026-12-24": null, "2026-12-26": [] } });
    let changed = patch(dates).is(200).await;
    assert_eq!(changed.body["overrides"], json!({ "2026-12-25": [], "2026-12-26": [] }));
    let cleared = patch(json!({ "overrides": null, "weeklyHours": null, "active": null })).is(200).await;
    for name in ["weeklyHours", "overrides", "active"] {
        assert_eq!(cleared.body[name], created.body[name]);
    }
    let moved = patch(json!({ "timeZone": null })).is(200).await;
    assert_eq!(moved.body["timeZone"], "Europe/Paris", "the client's time zone");
    patch(json!({ "name": null, "email": null })).invalid(&["/name", "/email"]).await;
    patch(json!({ "name": "Ben" })).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    assert_eq!(walk(&shop.owner, &format!("{}/staff", shop.paths.client), 1).await.ids().len(), 2);
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_working_hours_are_all_reported() {
    let world = World::new().await;
    let shop = world.shop().await;
    let wrong = json!({
        "name": "", "email": "ann", "timeZone": "Mars/Olympus", "active": "yes", "phone": 1,
        "weeklyHours": [
            { "days": ["monday", "tue"], "start": "9:00", "end": "24:01" },
            { "days": [], "start": "10:00", "end": "11:00" },
            { "days": ["mon", "mon"], "start": "10:00", "end": "11:00", "note": 1 },
            { "days": ["mon"], "start": "10:00", "end": "10:00" },
            { "days": ["mon"], "start": "24:00", "end": "24:00" },
            { "days": ["mon"], "end": "24:00" },
        ],
        "overrides": {
            "2026-02-30": [],
            "2026-2-3": [],
            "2026-12-24": [{ "start": "12:00", "end": "09:00" }, { "start": "12:00", "until": "13:00" }],
            "2026-12-25": {},
            "2026-12-26": vec![json!({ "start": "00:00", "end": "00:01" }); 25],
        },
    });
    let pointers = [
        "/name",
        "/email",
        "/timeZone",
        "/active",
        "/phone",
        "/weeklyHours/0/days/0",
        "/weeklyHours/0/start",
        "/weeklyHours/0/end",
        "/weeklyHours/1/days",
        "/weeklyHours/2/days",
        "/weeklyHours/2/note",
        "/weeklyHours/3/end",
        "/weeklyHours/4/end",
        "/weeklyHours/5/start",
        "/overrides/2026-02-30",
        "/overrides/2026-2-3",
        "/overrides/2026-12-24/0/end",
        "/overrides/2026-12-24/1/until",
        "/overrides/2026-12-24/1/end",
        "/overrides/2026-12-25",
        "/overrides/2026-12-26",
    ];
    create(&shop, wrong.clone()).invalid(&pointers).await;
    shop.owner.patch(&shop.paths.staff).json(wrong).invalid(&pointers).await;
    let entry = json!({ "days": ["mon"], "start": "09:00", "end": "10:00" });
    create(&shop, json!({ "weeklyHours": vec![entry; 101] })).invalid(&["/weeklyHours"]).await;
}

#[tokio::test]
async fn inactive_staff_member_cannot_be_booked() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({ "active": false })).await;
    let service = salon.service(json!({ "staffIds": [staff] })).await;
    let start = "2026-03-02T10:00:00Z";
    for staff_id in [None, Some(staff.as_str())] {
        assert_eq!(salon.starts(&service, staff_id, "2026-03-02").await, [""; 0]);
        salon.book(&service, staff_id, start).problem(409, "slot_unavailable").await;
        let mut forced = json!({ "serviceId": service, "startTime": start, "force": true });
        if let Some(staff_id) = staff_id {
            forced["staffId"] = json!(staff_id);
        }
        salon.ask_for(forced).problem(409, "slot_unavailable").await;
    }
    let member = format!("{}/staff/{staff}", salon.client);
    salon.owner().patch(&member).json(json!({ "active": true })).is(200).await;
    let booked = salon.book(&service, None, start).created().await;
    // An existing appointment remains and can be confirmed, but not rescheduled.
    salon.owner().patch(&member).json(json!({ "active": false })).is(200).await;
    salon.then(&booked, "confirm").is(200).await;
    let later = json!({ "startTime": "2026-03-02T12:00:00Z" });
    salon.then(&booked, "reschedule").json(later).problem(409, "slot_unavailable").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn staff_members_of_a_client_are_limited_to_100() {
    let world = World::new().await;
    let shop = world.shop().await;
    let rows = world.rows().await;
    let of_client = shop.paths.partition("TEAM");
    let mut count = rows.into_iter().find(|row| row["pk"] == of_client).unwrap();
    count["n"] = json!(98);
    world.put_row(count).await;
    let answers = at_once((0..5).map(|_| create(&shop, json!({})).contended().send())).await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 2);
    let rejected = answers.iter().filter(|answer| answer.body["code"] == "too_many_staff");
    assert_eq!(rejected.count(), 3);
    shop.owner.delete(created[0].location()).is(204).await;
    create(&shop, json!({})).created().await;
    create(&shop, json!({})).problem(409, "too_many_staff").await;
}

/// Creates a staff member with future times off and one calendar day.
async fn busy_staff(salon: &Salon<'_>, count: usize) -> String {
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    salon.owner().delete(booked.location()).is(204).await;
    let path = format!("{}/staff/{staff}/time-off", salon.client);
    for number in 0..count {
        let day = format!("2026-{:02}-{:02}", 4 + number / 28, 1 + number % 28);
        let time_off = json!({ "start": format!("{day}T00:00:00Z"), "end": format!("{day}T12:00:00Z") });
        salon.owner().post(&path).json(time_off).created().await;
    }
    staff
}

#[tokio::test]
async fn child_rows_are_deleted_with_the_staff_member() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = busy_staff(&salon, 3).await;
    assert_eq!(child_rows(&world, &staff).await, 4);
    salon.owner().delete(&format!("{}/staff/{staff}", salon.client)).is(204).await;
    assert_eq!(child_rows(&world, &staff).await, 0);
    // More than fit into one transaction: a job deletes the rest.
    let staff = busy_staff(&salon, 45).await;
    let delete = || salon.owner().delete(&format!("{}/staff/{staff}", salon.client));
    delete().is(204).await;
    assert_eq!(child_rows(&world, &staff).await, 5);
    delete().problem(404, "not_found").await;
    world.assert_consistent().await;
    world.run_jobs().await;
    assert_eq!(child_rows(&world, &staff).await, 0);
    world.assert_consistent().await;
}

/// Whether the staff member remains after a race.
///
/// The deletion of the staff member races with a request that would refer to them.
fn remains(deleted: &Answer, referred: &Answer) -> bool {
    match (deleted.status.as_u16(), referred.status.as_u16()) {
        (409, 201) => true,
        (204, 422) => false,
        _ => panic!("{deleted}\n{referred}"),
    }
}

#[tokio::test]
async fn referenced_or_booked_staff_member_is_not_deleted() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = salon.service(json!({})).await;
    for round in 0..20 {
        let staff = salon.staff(json!({})).await;
        let member = format!("{}/staff/{staff}", salon.client);
        let referring = json!({ "name": "Shave", "duration": 15, "staffIds": [staff] });
        let request = if round % 2 == 0 {
            salon.owner().post(&format!("{}/services", salon.client)).json(referring)
        } else {
            salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z")
        };
        let requests = [salon.owner().delete(&member), request];
        let answers = at_once(requests.map(|request| request.contended().send())).await;
        let remains = remains(&answers[0], &answers[1]);
        salon.owner().get(&member).is(if remains { 200 } else { 404 }).await;
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn client_without_staff_and_services_is_deleted_completely() {
    let world = World::new().await;
    let shop = world.shop().await;
    let list = format!("{}/clients", shop.paths.agency);
    let client = shop.admin.post(&list).json(json!({ "name": "Salon" })).created().await;
    let create = async |collection: &str, body: Value| {
        shop.admin.post(&format!("{}/{collection}", client.location())).json(body).created().await
    };
    let staff = create("staff", json!({ "name": "Ann", "email": "ann@example.com" })).await;
    let service = create("services", json!({ "name": "Haircut", "duration": 30, "staffIds": [staff.id()] })).await;
    let booking = json!({
        "serviceId": service.id(), "staffId": staff.id(), "startTime": "2030-01-01T10:00:00Z", "force": true,
    });
    let booked = create("appointments", booking).await;
    for resource in [booked, service, staff] {
        shop.admin.delete(client.location()).problem(409, "not_empty").await;
        shop.admin.delete(resource.location()).is(204).await;
    }
    shop.admin.delete(client.location()).is(204).await;
    world.run_jobs().await;
    let of_client = format!("#C#{}#", client.id());
    let rows = world.rows().await;
    let remaining: Vec<_> = rows.iter().filter(|row| row["pk"].as_str().unwrap().contains(&of_client)).collect();
    assert_eq!(remaining, Vec::<&Value>::new());
    world.assert_consistent().await;
}

#[tokio::test]
async fn future_times_off_are_limited_to_200() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut row =
        world.rows().await.into_iter().find(|row| row["sk"] == shop.paths.id("staffId") && row["email"].is_string());
    let row = row.as_mut().unwrap();
    let time_off = |id: usize| json!({ "id": uuid::Uuid::from_u128(id as u128), "start": "2030-02-01T00:00:00.000Z", "end": "2030-02-02T00:00:00.000Z" });
    row["off"] = (0..199).map(time_off).collect();
    world.put_row(row.clone()).await;
    let path = format!("{}/time-off", shop.paths.staff);
    let post =
        || shop.owner.post(&path).json(json!({ "start": "2030-03-01T00:00:00Z", "end": "2030-03-02T00:00:00Z" }));
    let last = post().created().await;
    post().problem(409, "too_many_times_off").await;
    shop.owner.delete(last.location()).is(204).await;
    post().created().await;
}
