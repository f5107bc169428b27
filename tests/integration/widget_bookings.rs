//! Holds, bookings and leads of visitors, and managing an appointment.

use harness::at_once;
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};

use crate::widget_site::{Website, booking, managed};

/// The contact with an email.
async fn contact(site: &Website<'_>, email: &str) -> Value {
    let list = site.salon.owner().get(&format!("{}/contacts?email={email}", site.salon.client)).is(200).await;
    list.body["items"][0].clone()
}

#[tokio::test]
async fn held_start_is_booked_by_its_session_alone() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, staff) = (site.salon.service(json!({ "staffIds": [] })).await, site.salon.staff(json!({})).await);
    let service_of = json!({ "staffIds": [staff] });
    site.salon.owner().patch(&format!("{}/services/{service}", site.salon.client)).json(service_of).is(200).await;
    let (ada, eve) = (site.visit().await, site.visit().await);
    let hold = ada.hold(&service, None, "2026-03-02T10:00:00Z").is(201).await;
    assert_eq!(
        hold.body,
        json!({
            "id": hold.id(), "staffId": staff, "startTime": "2026-03-02T10:00:00.000Z",
            "endTime": "2026-03-02T11:00:00.000Z", "expiresAt": hold.body["expiresAt"],
        })
    );
    assert!(ada.starts(&service, "2026-03-02").await.contains(&"10:00".to_owned()));
    for blocked in ["09:30", "10:00", "10:30"] {
        assert!(!eve.starts(&service, "2026-03-02").await.contains(&blocked.to_owned()), "{blocked}");
    }
    eve.book(&booking(&service, "2026-03-02T10:00:00Z")).problem(409, "slot_unavailable").await;
    eve.hold(&service, None, "2026-03-02T10:30:00Z").problem(409, "slot_unavailable").await;

    let mut body = booking(&service, "2026-03-02T10:00:00Z");
    body["holdId"] = json!(hold.id());
    let booked = ada.book(&body).is(201).await;
    assert_eq!(
        booked.body,
        json!({
            "id": booked.id(), "status": "SCHEDULED", "startTime": "2026-03-02T10:00:00.000Z",
            "endTime": "2026-03-02T11:00:00.000Z", "serviceId": service, "serviceName": "Haircut", "staffId": staff,
            "staffName": "Ann", "staffTimeZone": "UTC", "manageToken": booked.body["manageToken"],
        })
    );
    ada.release(&hold).problem(404, "not_found").await;
    let stored = site.salon.owner().get(&format!("{}/appointments/{}", site.salon.client, booked.id())).is(200).await;
    let contact = contact(&site, "ada@example.com").await;
    assert_eq!((&stored.body["source"], &stored.body["contactId"]), (&json!("WIDGET"), &contact["id"]));
    assert_eq!(stored.body["notes"], Value::Null);
    world.assert_consistent().await;
}

#[tokio::test]
async fn hold_expires_after_ten_minutes_and_is_dropped_by_the_next_write() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, _) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let (ada, eve) = (site.visit().await, site.visit().await);
    let hold = ada.hold(&service, None, "2026-03-02T10:00:00Z").is(201).await;
    let is_held_day = |row: &Value| row["pk"].as_str().unwrap().ends_with("#DAY") && row.get("holds").is_some();
    let day = |rows: Vec<Value>| rows.into_iter().find(is_held_day);
    assert!(day(world.rows().await).is_some());
    world.clock().advance(10 * 60);
    assert!(eve.starts(&service, "2026-03-02").await.contains(&"10:00".to_owned()));
    let mut body = booking(&service, "2026-03-02T10:00:00Z");
    body["staffId"] = hold.body["staffId"].clone();
    eve.book(&body).is(201).await;
    assert_eq!(day(world.rows().await), None);
    // The session with the expired hold finds the start taken.
    body["holdId"] = json!(hold.id());
    ada.book(&body).problem(409, "slot_unavailable").await;
}

#[tokio::test]
async fn new_hold_releases_the_one_before() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, staff) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let (ada, eve) = (site.visit().await, site.visit().await);
    let first = ada.hold(&service, Some(&staff), "2026-03-02T10:00:00Z").is(201).await;
    let second = ada.hold(&service, Some(&staff), "2026-03-03T10:00:00Z").is(201).await;
    eve.hold(&service, Some(&staff), "2026-03-02T10:00:00Z").is(201).await;
    ada.release(&first).problem(404, "not_found").await;
    eve.release(&second).problem(404, "not_found").await;
    ada.release(&second).is(204).await;
    ada.release(&second).problem(404, "not_found").await;
    eve.hold(&service, Some(&staff), "2026-03-03T10:00:00Z").is(201).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn user_books_over_a_hold() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, staff) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let ada = site.visit().await;
    let hold = ada.hold(&service, Some(&staff), "2026-03-02T10:00:00Z").is(201).await;
    site.salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    let mut body = booking(&service, "2026-03-02T10:00:00Z");
    body["holdId"] = json!(hold.id());
    ada.book(&body).problem(409, "slot_unavailable").await;
}

#[tokio::test]
async fn concurrent_holds_of_overlapping_starts_succeed_once() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, staff) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let addresses = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "203.0.113.6"];
    let mut visits = Vec::new();
    for address in addresses {
        visits.push(site.visit().await.at(address));
    }
    let starts = ["2026-03-02T10:00:00Z", "2026-03-02T10:30:00Z"];
    let holds = visits.iter().zip(starts.iter().cycle());
    let answers =
        at_once(holds.map(|(visit, start)| visit.hold(&service, Some(&staff), start).contended().send())).await;
    let held = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(held, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.body["code"] == "slot_unavailable"));
}

#[tokio::test]
async fn address_holds_at_most_three_starts() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, staff) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let mut visits = Vec::new();
    for start in ["09:00", "11:00", "13:00"] {
        let visit = site.visit().await;
        visit.hold(&service, Some(&staff), &format!("2026-03-02T{start}:00Z")).is(201).await;
        visits.push(visit);
    }
    let fourth = site.visit().await;
    let refused = fourth.hold(&service, Some(&staff), "2026-03-02T15:00:00Z").problem(429, "too_many_holds").await;
    assert!(refused.header("retry-after").parse::<u32>().unwrap() <= 600);
    // A session that moves its hold does not need another one.
    visits[0].hold(&service, Some(&staff), "2026-03-02T15:00:00Z").is(201).await;
    let elsewhere = site.visit().await.at("203.0.113.7");
    elsewhere.hold(&service, Some(&staff), "2026-03-02T09:00:00Z").is(201).await;
}

#[tokio::test]
async fn repeated_booking_returns_the_recorded_response_with_its_token() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, _) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let (ada, eve) = (site.visit().await, site.visit().await);
    let body = booking(&service, "2026-03-02T10:00:00Z");
    let booked = ada.book(&body).header("idempotency-key", "one").is(201).await;
    let again = ada.book(&body).header("idempotency-key", "one").is(201).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body["id"], booked.body["id"]);
    site.request(Method::GET, &managed(&again, "")).is(200).await;
    // Another session that uses the same key does not get the response.
    let mut other = booking(&service, "2026-03-02T12:00:00Z");
    other["email"] = json!("eve@example.com");
    let other = eve.book(&other).header("idempotency-key", "one").is(201).await;
    assert_ne!(other.body["id"], booked.body["id"]);
    let token = booked.body["manageToken"].as_str().unwrap().to_owned();
    for row in world.rows().await {
        assert!(!row.to_string().contains(&token), "{row}");
    }
}

#[tokio::test]
async fn existing_contact_is_not_changed_by_a_visitor() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let salon = &site.salon;
    let (service, _) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let ada = json!({ "firstName": "Ada", "lastName": "King", "email": "ada@example.com" });
    let ada = salon.owner().post(&format!("{}/contacts", salon.client)).json(ada).created().await;
    let visit = site.visit().await;
    let mut body = booking(&service, "2026-03-02T10:00:00Z");
    body["email"] = json!("ADA@example.com");
    body["phone"] = json!("+14155552671");
    body["notes"] = json!("By the window.");
    let known = visit.book(&body).is(201).await;
    assert_eq!(contact(&site, "ada@example.com").await, ada.body);
    let stored = salon.owner().get(&format!("{}/appointments/{}", salon.client, known.id())).is(200).await;
    assert_eq!(stored.body["contactId"], ada.body["id"]);
    assert_eq!(stored.body["notes"], "Ada Lovelace <ADA@example.com>\n+14155552671\n\nBy the window.");

    body["email"] = json!("new@example.com");
    body["startTime"] = json!("2026-03-02T12:00:00Z");
    let new = visit.book(&body).is(201).await;
    assert_eq!(known.text.len(), new.text.len(), "the response is the same whether or not the contact existed");
    let members = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&known.body), members(&new.body));
    world.assert_consistent().await;
}

#[tokio::test]
async fn form_of_a_machine_is_refused() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, _) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let config = site.get("/config").is(200).await;
    let token = format!("Bearer {}", config.body["sessionToken"].as_str().unwrap());
    let body = booking(&service, "2026-03-02T10:00:00Z");
    let request = || site.request(Method::POST, "/appointments").header("authorization", &token).json(&body);
    let refused = request().problem(429, "too_fast").await;
    assert_eq!(refused.header("retry-after"), "2");
    world.clock().advance(2);
    let mut filled = body.clone();
    filled["website"] = json!("https://spam.example");
    let refused = site.request(Method::POST, "/appointments").header("authorization", &token).json(&filled);
    refused.invalid(&["/website"]).await;
    request().is(201).await;
}

#[tokio::test]
async fn open_bookings_of_a_contact_are_limited() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, _) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let visit = site.visit().await;
    let mut last = None;
    for day in 2..7 {
        last = Some(visit.book(&booking(&service, &format!("2026-03-0{day}T10:00:00Z"))).is(201).await);
    }
    let sixth = booking(&service, "2026-03-09T10:00:00Z");
    visit.book(&sixth).problem(409, "too_many_bookings").await;
    site.request(Method::DELETE, &managed(&last.unwrap(), "")).is(204).await;
    visit.book(&sixth).is(201).await;
}

#[tokio::test]
async fn visitor_confirms_moves_and_cancels_with_the_manage_token() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, staff) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let visit = site.visit().await;
    let mut body = booking(&service, "2026-03-02T10:00:00Z");
    body["staffId"] = json!(staff);
    let booked = visit.book(&body).is(201).await;
    let read = site.request(Method::GET, &managed(&booked, "")).is(200).await;
    let mut expected = booked.body.clone();
    expected.as_object_mut().unwrap().remove("manageToken");
    assert_eq!(read.body, expected);

    let confirmed = site.request(Method::POST, &managed(&booked, "/confirm")).is(200).await;
    assert_eq!(confirmed.body["status"], "CONFIRMED");
    site.request(Method::POST, &managed(&booked, "/confirm")).is(200).await;

    let token = booked.body["manageToken"].as_str().unwrap();
    let range = "from=2026-03-02T10:00:00Z&to=2026-03-02T11:00:00Z";
    let query = format!("/availability?serviceId={service}&staffId={staff}&{range}&rescheduling={}", booked.id());
    let slots = site.get(&format!("{query}&token={token}")).is(200).await;
    assert_eq!(slots.body["slots"].as_array().unwrap().len(), 2);
    site.get(&query).problem(404, "not_found").await;
    let move_to =
        |start: &str| site.request(Method::POST, &managed(&booked, "/reschedule")).json(json!({ "startTime": start }));
    let moved = move_to("2026-03-02T10:30:00Z").is(200).await;
    assert_eq!(moved.body["startTime"], "2026-03-02T10:30:00.000Z");
    move_to("2026-03-02T08:00:00Z").problem(409, "slot_unavailable").await;

    let file = site.request(Method::GET, &managed(&booked, "/calendar.ics")).is(200).await;
    assert_eq!(file.header("content-type"), "text/calendar; charset=utf-8");
    assert!(file.text.contains("DTSTART:20260302T103000Z") && file.text.contains("STATUS:CONFIRMED"), "{}", file.text);

    site.request(Method::DELETE, &managed(&booked, "")).is(204).await;
    site.request(Method::DELETE, &managed(&booked, "")).problem(404, "not_found").await;
    let read = site.request(Method::GET, &managed(&booked, "")).is(200).await;
    assert_eq!(read.body["status"], "CANCELLED");
    site.request(Method::POST, &managed(&booked, "/confirm")).problem(409, "invalid_transition").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn manage_token_opens_one_appointment_until_it_ends() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, _) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let visit = site.visit().await;
    let one = visit.book(&booking(&service, "2026-03-02T10:00:00Z")).is(201).await;
    let two = visit.book(&booking(&service, "2026-03-02T12:00:00Z")).is(201).await;
    let token = one.body["manageToken"].as_str().unwrap();
    let with = |id: &str, token: &str| site.get(&format!("/appointments/{id}?token={token}"));
    with(two.id(), token).problem(401, "unauthenticated").await;
    with(one.id(), "x").problem(401, "unauthenticated").await;
    site.get(&format!("/appointments/{}", one.id())).problem(401, "unauthenticated").await;
    with(one.id(), token).is(200).await;
    world.clock().set("2026-03-02T10:59:59Z".parse().unwrap());
    with(one.id(), token).is(200).await;
    world.clock().set("2026-03-02T11:00:00Z".parse().unwrap());
    with(one.id(), token).problem(401, "unauthenticated").await;
    with(two.id(), two.body["manageToken"].as_str().unwrap()).is(200).await;
}

#[tokio::test]
async fn manage_token_works_with_a_replaced_key_and_not_for_another_contact() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let salon = &site.salon;
    let (service, _) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = site.visit().await.book(&booking(&service, "2026-03-02T10:00:00Z")).is(201).await;
    salon.owner().post(&format!("{}/widget/rotate", salon.client)).is(200).await;
    site.get("/config").problem(404, "not_found").await;
    site.request(Method::GET, &managed(&booked, "")).is(200).await;
    let foreign = site.request_from(Some("https://evil.example"), Method::GET, &managed(&booked, ""));
    foreign.problem(403, "domain_not_authorized").await;
    let contact = json!({ "contactId": salon.shop.paths.id("contactId") });
    let path = format!("{}/appointments/{}", salon.client, booked.id());
    let changed = salon.owner().patch(&path).json(contact).is(200).await;
    assert!(changed.body.get("manage").is_none(), "{changed}");
    site.request(Method::GET, &managed(&booked, "")).problem(401, "unauthenticated").await;
}

#[tokio::test]
async fn lead_creates_a_contact_and_a_deal_with_the_message() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let salon = &site.salon;
    let tag = salon.shop.paths.id("tagId").to_owned();
    let visit = site.visit().await;
    let lead = json!({
        "firstName": "Grace", "lastName": "Hopper", "email": "grace@example.com", "company": "US Navy",
        "message": "Do you open on Sundays?", "tagIds": [tag], "source": "landing page", "timeZone": "America/New_York",
    });
    let sent = visit.post("/leads", &lead).header("idempotency-key", "one").is(201).await;
    assert_eq!(sent.body, json!({ "receivedAt": sent.body["receivedAt"] }));
    let again = visit.post("/leads", &lead).header("idempotency-key", "one").is(201).await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &sent.body));
    let grace = contact(&site, "grace@example.com").await;
    assert_eq!(
        (&grace["company"], &grace["source"], &grace["tagIds"], &grace["timeZone"]),
        (&json!("US Navy"), &json!("landing page"), &json!([tag]), &json!("America/New_York"))
    );
    let contact_path = format!("{}/contacts/{}", salon.client, grace["id"].as_str().unwrap());
    let deals = salon.owner().get(&format!("{contact_path}/deals")).is(200).await;
    let [deal] = deals.body["items"].as_array().unwrap().as_slice() else { panic!("one deal: {deals}") };
    assert_eq!((&deal["title"], &deal["status"]), (&json!("Grace Hopper"), &json!("OPEN")));
    let notes = format!("{}/deals/{}/notes", salon.client, deal["id"].as_str().unwrap());
    let notes = salon.owner().get(&notes).is(200).await;
    assert_eq!(notes.body["items"][0]["content"], "Do you open on Sundays?");
    assert_eq!(notes.body["items"][0]["authorId"], Value::Null);
    world.assert_consistent().await;
}

#[tokio::test]
async fn lead_of_an_existing_contact_adds_tags_alone() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let salon = &site.salon;
    let fields = json!({ "firstName": "Grace", "email": "grace@example.com", "phone": "+14155552671" });
    let before = salon.owner().post(&format!("{}/contacts", salon.client)).json(fields).created().await;
    let tag = salon.shop.paths.id("tagId").to_owned();
    let visit = site.visit().await;
    let lead = json!({
        "firstName": "Mallory", "email": "grace@example.com", "phone": "+4930123456", "message": "Hello", "tagIds": [tag],
    });
    let known = visit.post("/leads", &lead).is(201).await;
    let after = contact(&site, "grace@example.com").await;
    assert_eq!(after["tagIds"], json!([tag]));
    for field in ["firstName", "lastName", "phone", "company", "timeZone"] {
        assert_eq!(after[field], before.body[field], "{field}");
    }
    let deals = salon.owner().get(&format!("{}/contacts/{}/deals", salon.client, before.id())).is(200).await;
    let notes = format!("{}/deals/{}/notes", salon.client, deals.body["items"][0]["id"].as_str().unwrap());
    let notes = salon.owner().get(&notes).is(200).await;
    assert_eq!(notes.body["items"][0]["content"], "Mallory <grace@example.com>\n+4930123456\n\nHello");
    let mut other = lead;
    other["email"] = json!("new@example.com");
    let new = visit.post("/leads", &other).is(201).await;
    assert_eq!(known.text.len(), new.text.len());
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_lead_reports_every_field() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let visit = site.visit().await;
    visit
        .post("/leads", &json!({ "email": "x", "tagIds": 1, "name": "Ada" }))
        .invalid(&["/email", "/tagIds", "/name"])
        .await;
    let lead = json!({ "email": "ada@example.com", "message": "Hello", "openDeal": false, "website": "x" });
    visit.post("/leads", &lead).invalid(&["/firstName", "/website", "/message"]).await;
    let lead = json!({ "firstName": "Ada", "email": "ada@example.com", "tagIds": [uuid::Uuid::now_v7()] });
    visit.post("/leads", &lead).invalid(&["/tagIds/0"]).await;
}

#[tokio::test]
async fn concurrent_holds_bookings_and_releases_never_overlap() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    let (service, staff) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let addresses: Vec<&'static str> =
        vec!["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "203.0.113.6"];
    let mut visits = Vec::new();
    for address in addresses {
        visits.push(site.visit().await.at(address));
    }
    let starts = ["2026-03-02T10:00:00Z", "2026-03-02T10:30:00Z", "2026-03-02T11:00:00Z", "2026-03-02T11:30:00Z"];
    let rounds = visits.iter().enumerate().map(|(number, visit)| {
        let (site, service, staff) = (&site, &service, &staff);
        async move {
            for round in 0..6 {
                let start = starts[(number + round) % starts.len()];
                let hold = visit.hold(service, Some(staff), start).contended().send().await;
                assert!([201, 409].contains(&hold.status.as_u16()), "{hold}");
                if hold.status != 201 {
                    continue;
                }
                if (number + round) % 3 == 0 {
                    visit.release(&hold).contended().send().await;
                    continue;
                }
                if number % 2 == 0 {
                    site.salon.book(service, Some(staff), start).contended().send().await;
                }
                let mut body = booking(service, start);
                body["holdId"] = json!(hold.id());
                body["staffId"] = json!(staff);
                body["email"] = json!(format!("visitor{number}@example.com"));
                let booked = visit.book(&body).contended().send().await;
                assert!([201, 409].contains(&booked.status.as_u16()), "{booked}");
            }
        }
    });
    at_once(rounds).await;
    // The data check finds overlapping appointments, and days that differ from them.
    world.assert_consistent().await;
    let booked = site.salon.owner().get(&format!("{}/appointments?staffId={staff}", site.salon.client)).is(200).await;
    let count = booked.body["items"].as_array().unwrap().len();
    assert!((1..=2).contains(&count), "two appointments of an hour fit into the starts: {count}");
}
