//! Status transitions and rescheduling of appointments.

use std::collections::BTreeSet;

use harness::at_once;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};

use crate::appointments::Salon;
use crate::paging::list_all;

/// The transitions of an appointment.
const TRANSITIONS: [&str; 5] = ["confirm", "complete", "cancel", "no-show", "reschedule"];

/// Each status, with the transitions that lead to it and the transitions it allows.
const STATUSES: [(&str, &[&str], &[&str]); 5] = [
    ("SCHEDULED", &[], &["confirm", "complete", "cancel", "no-show", "reschedule"]),
    ("CONFIRMED", &["confirm"], &["complete", "cancel", "no-show", "reschedule"]),
    ("COMPLETED", &["complete"], &["no-show"]),
    ("CANCELLED", &["cancel"], &[]),
    ("NO_SHOW", &["no-show"], &["complete"]),
];

/// Books a service with a staff member, with `force`.
async fn forced(salon: &Salon<'_>, service: &str, staff: &str, start: &str) -> Answer {
    let booking = json!({ "serviceId": service, "staffId": staff, "startTime": start, "force": true });
    salon.ask_for(booking).created().await
}

fn reschedule<'w>(salon: &Salon<'w>, booked: &Answer, to: Value) -> RequestBuilder<'w> {
    salon.then(booked, "reschedule").json(to)
}

#[tokio::test]
async fn transitions_are_allowed_by_status() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    for (day, (status, steps, allowed)) in STATUSES.into_iter().enumerate() {
        for (hour, transition) in TRANSITIONS.into_iter().enumerate() {
            let [start, later] =
                [2 * hour, 2 * hour + 1].map(|hour| format!("2026-02-{:02}T{hour:02}:00:00Z", day + 2));
            let booked = forced(&salon, &service, &staff, &start).await;
            for step in steps {
                salon.then(&booked, step).is(200).await;
            }
            let before = salon.owner().get(booked.location()).is(200).await;
            assert_eq!(before.body["status"], status);
            let request = match transition {
                "reschedule" => reschedule(&salon, &booked, json!({ "startTime": later, "force": true })),
                transition => salon.then(&booked, transition),
            };
            if allowed.contains(&transition) {
                let changed = request.is(200).await;
                assert_eq!(changed.header("etag"), format!("\"{}\"", steps.len() + 2));
                assert_eq!(salon.owner().get(booked.location()).is(200).await.body, changed.body);
            } else {
                request.problem(409, "invalid_transition").await;
                assert_eq!(salon.owner().get(booked.location()).is(200).await.body, before.body);
            }
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn transition_bodies_and_preconditions_are_checked() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = forced(&salon, &service, &staff, "2026-03-02T10:00:00Z").await;
    for transition in ["confirm", "complete", "no-show"] {
        salon.then(&booked, transition).json(json!({ "reason": "Ill" })).invalid(&["/reason"]).await;
        salon.then(&booked, transition).json(json!([])).problem(422, "invalid").await;
        salon.then(&booked, transition).body("application/json", "{").problem(400, "invalid_json").await;
    }
    salon.then(&booked, "cancel").json(json!({ "reason": "", "why": 1 })).invalid(&["/reason", "/why"]).await;
    salon.then(&booked, "cancel").json(json!({ "reason": "x".repeat(1001) })).invalid(&["/reason"]).await;
    reschedule(&salon, &booked, json!({ "endTime": 1 })).invalid(&["/startTime", "/endTime"]).await;
    salon.then(&booked, "reschedule").problem(415, "unsupported_media_type").await;
    for transition in ["confirm", "cancel", "no-show", "complete"] {
        salon.then(&booked, transition).header("if-match", "\"7\"").problem(412, "precondition_failed").await;
    }
    let later = json!({ "startTime": "2026-03-02T12:00:00Z" });
    reschedule(&salon, &booked, later.clone()).header("if-match", "\"7\"").problem(412, "precondition_failed").await;
    reschedule(&salon, &booked, later).header("if-match", "\"1\"").is(200).await;
    salon.then(&booked, "confirm").json(json!({})).header("if-match", "\"2\"").is(200).await;
    let cancelled = salon.then(&booked, "cancel").header("if-match", "\"3\"").is(200).await;
    assert_eq!((&cancelled.body["cancelledReason"], &cancelled.body["version"]), (&Value::Null, &json!(4)));
    let other = forced(&salon, &service, &staff, "2026-03-02T10:00:00Z").await;
    let cancelled = salon.then(&other, "cancel").json(json!({ "reason": " Ill " })).is(200).await;
    assert_eq!(cancelled.body["cancelledReason"], "Ill");
    let missing = format!("{}/appointments/{}", salon.client, service);
    for transition in ["confirm", "cancel", "no-show", "complete"] {
        salon.owner().post(&format!("{missing}/{transition}")).problem(404, "not_found").await;
    }
}

#[tokio::test]
async fn cancelled_or_missed_appointment_frees_its_time() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({ "bufferAfter": 30 })).await, salon.staff(json!({})).await);
    let booking = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-01T10:00:00Z", "force": true });
    for transition in ["cancel", "no-show"] {
        let booked = salon.ask_for(&booking).created().await;
        salon.then(&booked, "confirm").is(200).await;
        salon.ask_for(&booking).problem(409, "slot_unavailable").await;
        let freed = salon.then(&booked, transition).is(200).await;
        // A cancellation also reads the reminder settings, at the same time as the days.
        let batches = vec!["BatchGetItem"; if transition == "cancel" { 2 } else { 1 }];
        assert_eq!(freed.operations(), [vec!["GetItem"], batches, vec!["TransactWriteItems"]].concat());
    }
    let completed = salon.ask_for(&booking).created().await;
    salon.then(&completed, "complete").is(200).await;
    salon.ask_for(&booking).problem(409, "slot_unavailable").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn outcome_is_recorded_from_the_start_time_on() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = forced(&salon, &service, &staff, "2026-03-01T12:10:00Z").await;
    for transition in ["complete", "no-show"] {
        world.clock().set("2026-03-01T12:09:59.000Z".parse().unwrap());
        salon.then(&booked, transition).problem(409, "invalid_transition").await;
    }
    world.clock().set("2026-03-01T12:10:00Z".parse().unwrap());
    for transition in ["complete", "no-show"] {
        salon.then(&booked, transition).is(200).await;
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn corrected_no_show_takes_its_time_again_unless_it_was_booked() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({ "bufferAfter": 30 })).await, salon.staff(json!({})).await);
    let booked = forced(&salon, &service, &staff, "2026-03-01T08:00:00Z").await;
    salon.then(&booked, "no-show").is(200).await;
    // Overlaps with the buffers only.
    let second = forced(&salon, &service, &staff, "2026-03-01T09:15:00Z").await;
    let refused = salon.then(&booked, "complete").problem(409, "slot_unavailable").await;
    assert_eq!(salon.owner().get(booked.location()).is(200).await.body["status"], "NO_SHOW", "{refused}");
    world.assert_consistent().await;
    salon.then(&second, "no-show").is(200).await;
    let restored = salon.then(&booked, "complete").is(200).await;
    assert_eq!(restored.operations(), ["GetItem", "BatchGetItem", "TransactWriteItems"], "one transaction");
    let again = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-01T08:30:00Z", "force": true });
    salon.ask_for(again).problem(409, "slot_unavailable").await;
    salon.then(&second, "complete").problem(409, "slot_unavailable").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn appointment_is_rescheduled_to_any_free_time() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let [ann, ben, cid] = [salon.staff(json!({})).await, salon.staff(json!({})).await, salon.staff(json!({})).await];
    let fields = json!({ "staffIds": [ann, ben], "bufferBefore": 30, "bufferAfter": 45 });
    let service = salon.service(fields).await;
    let booked = forced(&salon, &service, &ann, "2026-03-31T22:30:00Z").await;
    let to = |start: &str, staff: Option<&str>| {
        let mut to = json!({ "startTime": start, "force": true });
        if let Some(staff) = staff {
            to["staffId"] = json!(staff);
        }
        reschedule(&salon, &booked, to)
    };
    // To a time that overlaps the current time, across midnight into the next month, to another staff member
    // and back.
    for (start, staff) in [
        ("2026-03-31T23:00:00.000Z", None),
        ("2026-03-31T23:00:00.000Z", None),
        ("2026-04-01T00:15:00.000Z", None),
        ("2026-04-15T10:00:00.000Z", Some(&ben)),
        ("2026-04-15T10:30:00.000Z", None),
        ("2026-03-31T23:00:00.000Z", Some(&ann)),
    ] {
        let moved = to(start, staff.map(String::as_str)).is(200).await;
        assert_eq!(moved.body["startTime"], start);
        assert!(staff.is_none_or(|staff| moved.body["staffId"] == json!(staff)), "{moved}");
        world.assert_consistent().await;
    }
    let other = forced(&salon, &service, &ben, "2026-03-31T22:00:00Z").await;
    let rejected = to("2026-03-31T23:00:00Z", Some(&cid)).invalid(&["/staffId"]).await;
    assert_eq!(rejected.body["errors"][0]["code"], "not_offered");
    to("2026-03-31T23:00:00Z", Some(other.id())).invalid(&["/staffId"]).await;
    to("2026-03-31T23:00:00Z", Some(&ben)).problem(409, "slot_unavailable").await;
    // Without `force`, the slot must be available.
    let unforced = |start: &str| reschedule(&salon, &booked, json!({ "startTime": start }));
    unforced("2026-04-01T08:00:00Z").problem(409, "slot_unavailable").await;
    unforced("2026-04-01T09:15:00Z").problem(409, "slot_unavailable").await;
    unforced("2026-04-01T09:30:00Z").is(200).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn rescheduled_appointment_takes_the_current_buffers_of_its_service() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({ "bufferAfter": 60 })).await, salon.staff(json!({})).await);
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    let patch = json!({ "bufferAfter": 0, "duration": 30 });
    salon.owner().patch(&format!("{}/services/{service}", salon.client)).json(patch).is(200).await;
    salon.book(&service, Some(&staff), "2026-03-02T11:30:00Z").problem(409, "slot_unavailable").await;
    let moved = reschedule(&salon, &booked, json!({ "startTime": "2026-03-02T10:30:00Z" })).is(200).await;
    assert_eq!((&moved.body["endTime"], &moved.body["bufferAfter"]), (&json!("2026-03-02T11:00:00.000Z"), &json!(0)));
    salon.book(&service, Some(&staff), "2026-03-02T11:00:00Z").created().await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn reschedule_to_the_same_slot_makes_no_version() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    let same = reschedule(&salon, &booked, json!({ "startTime": "2026-03-02T10:00:00Z" })).is(200).await;
    assert_eq!(same.body, booked.body);
    assert!(!same.operations().contains(&"TransactWriteItems"), "{same}");
}

#[tokio::test]
async fn reschedule_keeps_staff_member_who_no_longer_offers_the_service() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    let others = json!({ "staffIds": [salon.shop.paths.id("staffId")] });
    salon.owner().patch(&format!("{}/services/{service}", salon.client)).json(others).is(200).await;
    salon.book(&service, Some(&staff), "2026-03-02T12:00:00Z").invalid(&["/staffId"]).await;
    for to in [
        json!({ "startTime": "2026-03-02T12:00:00Z" }),
        json!({ "startTime": "2026-03-02T12:30:00Z", "staffId": staff }),
    ] {
        assert_eq!(reschedule(&salon, &booked, to).is(200).await.body["staffId"], json!(staff));
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn concurrent_reschedules_leave_one_consistent_appointment() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = salon.service(json!({})).await;
    let staff = [salon.staff(json!({})).await, salon.staff(json!({})).await];
    let booked = salon.book(&service, Some(&staff[0]), "2026-03-02T09:00:00Z").created().await;
    let requests = (0..10).map(|at| {
        let start = format!("2026-03-0{}T1{}:00:00Z", 2 + at % 3, at % 6);
        reschedule(&salon, &booked, json!({ "startTime": start, "staffId": staff[at % 2] })).contended().send()
    });
    let answers = at_once(requests).await;
    // A reschedule to the slot that the appointment has by then makes no version.
    let versions = answers.iter().filter_map(|answer| answer.body["version"].as_u64());
    let versions: BTreeSet<_> = versions.chain([1]).collect();
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status.as_u16())), "{}", answers[0]);
    let current = salon.owner().get(booked.location()).is(200).await;
    assert_eq!(current.body["version"], versions.len());
    assert_eq!(versions.last(), current.body["version"].as_u64().as_ref(), "each version is acknowledged");
    let list = format!("{}/appointments?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z", salon.client);
    assert_eq!(list_all(salon.owner(), &list).await, vec![current.body]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn concurrent_changes_keep_status_and_reserved_time_consistent() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({ "bufferAfter": 45 })).await, salon.staff(json!({})).await);
    for round in 0..15 {
        let booked = forced(&salon, &service, &staff, "2026-03-02T22:30:00Z").await;
        let to = json!({ "startTime": "2026-03-03T01:00:00Z", "force": true });
        let mut requests = vec![
            salon.then(&booked, "confirm"),
            salon.then(&booked, "cancel"),
            reschedule(&salon, &booked, to),
            salon.owner().patch(booked.location()).json(json!({ "notes": "Short" })),
        ];
        if round % 2 == 0 {
            requests.push(salon.owner().delete(booked.location()));
        }
        let answers = at_once(requests.into_iter().map(|request| request.contended().send())).await;
        for answer in &answers {
            assert!([200, 204, 404, 409].contains(&answer.status.as_u16()), "{answer}");
        }
        world.assert_consistent().await;
        // The appointment was cancelled or deleted, so that its time is free.
        forced(&salon, &service, &staff, "2026-03-02T22:30:00Z").await;
        for appointment in list_all(salon.owner(), &format!("{}/appointments?staffId={staff}", salon.client)).await {
            let path = format!("{}/appointments/{}", salon.client, appointment["id"].as_str().unwrap());
            salon.owner().delete(&path).is(204).await;
        }
    }
}

/// So many appointments that a job, not the deletion itself, clears the contact.
const MANY: usize = 25;

#[tokio::test]
async fn changes_to_appointments_of_a_deleted_contact_leave_no_reference() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let contact = salon.shop.paths.id("contactId");
    let mut booked = Vec::new();
    for at in 0..MANY {
        let start = format!("2026-03-{:02}T{:02}:00:00Z", 2 + at / 24, at % 24);
        let booking = json!({
            "serviceId": service, "staffId": staff, "startTime": start, "contactId": contact, "force": true,
        });
        booked.push(salon.ask_for(booking).created().await);
    }
    salon.owner().delete(&salon.shop.paths.contact).is(204).await;
    let to = json!({ "startTime": "2026-03-04T10:00:00Z", "force": true });
    for (appointment, request) in booked.iter().zip([
        reschedule(&salon, &booked[0], to),
        salon.then(&booked[1], "confirm"),
        salon.then(&booked[2], "cancel"),
        salon.owner().patch(booked[3].location()).json(json!({ "notes": "Short" })),
    ]) {
        let before = salon.owner().get(appointment.location()).is(200).await;
        let changed = request.header("if-match", before.header("etag")).is(200).await;
        assert_eq!(changed.body["contactId"], Value::Null);
        assert_eq!(salon.owner().get(appointment.location()).is(200).await.body, changed.body);
        assert_ne!(changed.header("etag"), before.header("etag"));
    }
    salon.owner().delete(booked[4].location()).is(204).await;
    world.assert_consistent().await;
    world.run_jobs().await;
    world.clock().advance(61);
    world.run_jobs().await;
    let rows = world.rows().await;
    assert!(!rows.iter().any(|row| row.to_string().contains(contact)), "a row still refers to the contact");
    world.assert_consistent().await;
}
