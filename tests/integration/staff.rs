//! The staff: who serves a client's customers, and when they work.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};

use crate::appointments::Salon;
use crate::paging::walk;

fn create<'w>(shop: &SalonFixture<'w>, more: Value) -> RequestBuilder<'w> {
    let mut staff = json!({ "name": "Ann", "email": "ann@example.com" });
    let Value::Object(more) = more else { panic!("what is added is an object") };
    staff.as_object_mut().unwrap().extend(more);
    shop.owner.post(&format!("{}/staff", shop.spot.client)).json(staff)
}

/// The rows that belong to a member of the staff: days, times off.
async fn belongings(world: &World, staff: &str) -> usize {
    let of_staff = format!("#STAFF#{staff}#");
    world.rows().await.iter().filter(|row| row["pk"].as_str().unwrap().contains(&of_staff)).count()
}

#[tokio::test]
async fn the_staff_are_as_usual_unless_told() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.spot.client).json(json!({ "timeZone": "Europe/Paris" })).is(200).await;
    let made = create(&shop, json!({ "name": " Ann " })).created().await;
    assert_eq!(
        made.body,
        json!({
            "id": made.id(), "clientId": shop.spot.scope.id(), "name": "Ann", "email": "ann@example.com",
            "timeZone": "Europe/Paris", "weeklyHours": [], "overrides": {}, "active": true, "version": 1,
            "createdAt": made.body["createdAt"], "updatedAt": made.body["createdAt"],
        })
    );
    let hours = json!({
        "weeklyHours": [{ "days": ["sun", "mon"], "start": "00:00", "end": "24:00" }],
        "overrides": { "2026-12-24": [{ "start": "09:00", "end": "12:00" }], "2026-12-25": [] },
        "timeZone": "Australia/Lord_Howe", "active": false,
    });
    let patch = |body: Value| shop.owner.patch(made.location()).json(body);
    let changed = patch(hours.clone()).header("if-match", "\"1\"").is(200).await;
    for (name, value) in hours.as_object().unwrap() {
        assert_eq!(changed.body[name], *value);
    }
    // A patch of overrides is a patch of the dates that it names.
    let dates = json!({ "overrides": { "2026-12-24": null, "2026-12-26": [] } });
    let changed = patch(dates).is(200).await;
    assert_eq!(changed.body["overrides"], json!({ "2026-12-25": [], "2026-12-26": [] }));
    let cleared = patch(json!({ "overrides": null, "weeklyHours": null, "active": null })).is(200).await;
    for name in ["weeklyHours", "overrides", "active"] {
        assert_eq!(cleared.body[name], made.body[name]);
    }
    patch(json!({ "name": null, "email": null })).invalid(&["/name", "/email"]).await;
    patch(json!({ "name": "Ben" })).header("if-match", "\"1\"").problem(412, "precondition_failed").await;
    assert_eq!(walk(&shop.owner, &format!("{}/staff", shop.spot.client), 1).await.ids().len(), 2);
    world.assert_whole().await;
}

#[tokio::test]
async fn whatever_is_wrong_with_hours_is_named_at_once() {
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
    let faults = [
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
    create(&shop, wrong.clone()).invalid(&faults).await;
    shop.owner.patch(&shop.spot.staff).json(wrong).invalid(&faults).await;
    let entry = json!({ "days": ["mon"], "start": "09:00", "end": "10:00" });
    create(&shop, json!({ "weeklyHours": vec![entry; 101] })).invalid(&["/weeklyHours"]).await;
}

#[tokio::test]
async fn whoever_is_not_active_is_not_booked() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({ "active": false })).await;
    let service = salon.service(json!({ "staffIds": [staff] })).await;
    let start = "2026-03-02T10:00:00Z";
    for who in [None, Some(staff.as_str())] {
        assert_eq!(salon.starts(&service, who, "2026-03-02").await, [""; 0]);
        salon.book(&service, who, start).problem(409, "slot_unavailable").await;
        let mut forced = json!({ "serviceId": service, "startTime": start, "force": true });
        if let Some(who) = who {
            forced["staffId"] = json!(who);
        }
        salon.ask_for(forced).problem(409, "slot_unavailable").await;
    }
    let member = format!("{}/staff/{staff}", salon.client);
    salon.owner().patch(&member).json(json!({ "active": true })).is(200).await;
    let booked = salon.book(&service, None, start).created().await;
    // What is booked stays, and can be confirmed, but not moved to them.
    salon.owner().patch(&member).json(json!({ "active": false })).is(200).await;
    salon.then(&booked, "confirm").is(200).await;
    let later = json!({ "startTime": "2026-03-02T12:00:00Z" });
    salon.then(&booked, "reschedule").json(later).problem(409, "slot_unavailable").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_client_has_a_hundred_members_of_its_staff_at_most() {
    let world = World::new().await;
    let shop = world.shop().await;
    let rows = world.rows().await;
    let of_client = format!("{}TEAM", shop.spot.scope);
    let mut team = rows.into_iter().find(|row| row["pk"] == of_client).unwrap();
    team["n"] = json!(98);
    world.put_row(team).await;
    let answers = at_once((0..5).map(|_| create(&shop, json!({})).contended().send())).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 2);
    let refused = answers.iter().filter(|answer| answer.body["code"] == "too_many_staff");
    assert_eq!(refused.count(), 3);
    shop.owner.delete(made[0].location()).is(204).await;
    create(&shop, json!({})).created().await;
    create(&shop, json!({})).problem(409, "too_many_staff").await;
}

/// A member of the staff with so many times off to come, and a day on which something was booked.
async fn busy(salon: &Salon<'_>, times_off: usize) -> String {
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    salon.owner().delete(booked.location()).is(204).await;
    let path = format!("{}/staff/{staff}/time-off", salon.client);
    for number in 0..times_off {
        let day = format!("2026-{:02}-{:02}", 4 + number / 28, 1 + number % 28);
        let off = json!({ "start": format!("{day}T00:00:00Z"), "end": format!("{day}T12:00:00Z") });
        salon.owner().post(&path).json(off).created().await;
    }
    staff
}

#[tokio::test]
async fn what_belongs_to_somebody_goes_with_them() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = busy(&salon, 3).await;
    assert_eq!(belongings(&world, &staff).await, 4);
    salon.owner().delete(&format!("{}/staff/{staff}", salon.client)).is(204).await;
    assert_eq!(belongings(&world, &staff).await, 0);
    // More than one transaction takes.
    let staff = busy(&salon, 45).await;
    let delete = || salon.owner().delete(&format!("{}/staff/{staff}", salon.client));
    delete().is(204).await;
    assert_eq!(belongings(&world, &staff).await, 5);
    delete().problem(404, "not_found").await;
    world.assert_whole().await;
    world.work().await;
    assert_eq!(belongings(&world, &staff).await, 0);
    world.assert_whole().await;
}

/// What became of the deletion of somebody, and of what would have named them.
fn outcome(deleted: &Answer, named: &Answer) -> bool {
    match (deleted.status.as_u16(), named.status.as_u16()) {
        (409, 201) => true,
        (204, 422) => false,
        _ => panic!("{deleted}\n{named}"),
    }
}

#[tokio::test]
async fn whoever_is_named_or_booked_stays() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = salon.service(json!({})).await;
    for round in 0..20 {
        let staff = salon.staff(json!({})).await;
        let member = format!("{}/staff/{staff}", salon.client);
        let named = json!({ "name": "Shave", "duration": 15, "staffIds": [staff] });
        let ask = if round % 2 == 0 {
            salon.owner().post(&format!("{}/services", salon.client)).json(named)
        } else {
            salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z")
        };
        let answers = at_once([salon.owner().delete(&member), ask].map(|ask| ask.contended().send())).await;
        let stays = outcome(&answers[0], &answers[1]);
        salon.owner().get(&member).is(if stays { 200 } else { 404 }).await;
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn a_client_whose_staff_and_services_are_gone_can_go_without_a_trace() {
    let world = World::new().await;
    let shop = world.shop().await;
    let list = format!("{}/clients", shop.spot.agency);
    let client = shop.admin.post(&list).json(json!({ "name": "Salon" })).created().await;
    let make = async |collection: &str, body: Value| {
        shop.admin.post(&format!("{}/{collection}", client.location())).json(body).created().await
    };
    let staff = make("staff", json!({ "name": "Ann", "email": "ann@example.com" })).await;
    let service = make("services", json!({ "name": "Haircut", "duration": 30, "staffIds": [staff.id()] })).await;
    let wish = json!({
        "serviceId": service.id(), "staffId": staff.id(), "startTime": "2030-01-01T10:00:00Z", "force": true,
    });
    let booked = make("appointments", wish).await;
    for made in [booked, service, staff] {
        shop.admin.delete(client.location()).problem(409, "not_empty").await;
        shop.admin.delete(made.location()).is(204).await;
    }
    shop.admin.delete(client.location()).is(204).await;
    world.work().await;
    let of_client = format!("#C#{}#", client.id());
    let rows = world.rows().await;
    let left: Vec<_> = rows.iter().filter(|row| row["pk"].as_str().unwrap().contains(&of_client)).collect();
    assert_eq!(left, Vec::<&Value>::new());
    world.assert_whole().await;
}

#[tokio::test]
async fn somebody_has_two_hundred_times_off_to_come_at_most() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut row =
        world.rows().await.into_iter().find(|row| row["sk"] == shop.spot.id("staffId") && row["email"].is_string());
    let row = row.as_mut().unwrap();
    let off = |id: usize| json!({ "id": uuid::Uuid::from_u128(id as u128), "start": "2030-02-01T00:00:00.000Z", "end": "2030-02-02T00:00:00.000Z" });
    row["off"] = (0..199).map(off).collect();
    world.put_row(row.clone()).await;
    let times_off = format!("{}/time-off", shop.spot.staff);
    let post =
        || shop.owner.post(&times_off).json(json!({ "start": "2030-03-01T00:00:00Z", "end": "2030-03-02T00:00:00Z" }));
    let last = post().created().await;
    post().problem(409, "too_many_times_off").await;
    shop.owner.delete(last.location()).is(204).await;
    post().created().await;
}
