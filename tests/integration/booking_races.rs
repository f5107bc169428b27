//! Bookings at the same time: of any number that meet, one is made.

use std::collections::BTreeMap;

use harness::at_once;
use harness::who::Answer;
use harness::world::World;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use shared::appointments::{BookingRequest, SlotAllocator};
use shared::entity::{Appointment, AppointmentFields, BookingSource};
use shared::value::Id;
use uuid::Uuid;

use crate::appointments::Salon;

/// How many of these answers have each status.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    counted(answers.iter().map(|answer| answer.status.as_u16()))
}

fn counted(statuses: impl Iterator<Item = u16>) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    statuses.for_each(|status| *counts.entry(status).or_default() += 1);
    counts
}

#[tokio::test]
async fn of_many_who_want_one_time_one_gets_it() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let wishes = (0..20).map(|_| salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").contended().send());
    let answers = at_once(wishes).await;
    assert_eq!(statuses(&answers), [(201, 1), (409, 19)].into());
    let lost = answers.iter().filter(|answer| answer.status == 409);
    assert!(lost.clone().all(|answer| answer.body["code"] == "slot_unavailable"), "{}", lost.clone().next().unwrap());
    world.assert_whole().await;
}

#[tokio::test]
async fn of_two_times_that_overlap_one_is_given() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    for round in 0..100 {
        let starts = ["10:00", "10:30"].map(|time| format!("2026-03-02T{time}:00Z"));
        let answers = at_once(starts.map(|start| salon.book(&service, Some(&staff), &start).contended().send())).await;
        assert_eq!(statuses(&answers), [(201, 1), (409, 1)].into(), "round {round}");
        let booked = answers.iter().find(|answer| answer.status == 201).unwrap();
        salon.then(booked, "cancel").is(200).await;
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn as_many_are_served_by_anybody_as_there_are_who_serve() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = salon.service(json!({})).await;
    let staff = [salon.staff(json!({})).await, salon.staff(json!({ "name": "Ben" })).await];
    // Who was booked that day already is asked second.
    salon.book(&service, Some(&staff[0]), "2026-03-02T15:00:00Z").created().await;
    let alone = salon.book(&service, None, "2026-03-02T09:00:00Z").created().await;
    assert_eq!(alone.body["staffId"], staff[1]);
    let wishes = (0..3).map(|_| salon.book(&service, None, "2026-03-02T11:00:00Z").contended().send());
    let answers = at_once(wishes).await;
    assert_eq!(statuses(&answers), [(201, 2), (409, 1)].into());
    let slots =
        salon.availability(&format!("serviceId={service}&from=2026-03-02T09:00:00Z&to=2026-03-02T12:30:00Z")).await;
    let slots: Vec<_> =
        slots["slots"].as_array().unwrap().iter().map(|slot| (&slot["start"], &slot["staffIds"])).collect();
    let expected =
        [("09:00", json!([staff[0]])), ("09:30", json!([staff[0]])), ("10:00", json!(staff)), ("12:00", json!(staff))];
    let expected: Vec<_> =
        expected.into_iter().map(|(time, staff)| (json!(format!("2026-03-02T{time}:00.000Z")), staff)).collect();
    assert_eq!(slots, expected.iter().map(|(start, staff)| (start, staff)).collect::<Vec<_>>());
    world.assert_whole().await;
}

/// Starts every three quarters of an hour are counted from the end of what is booked before them, on a day of its own by UTC.
#[tokio::test]
async fn a_start_goes_with_what_it_was_counted_from() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = salon.service(json!({ "duration": 30, "slotInterval": 45 })).await;
    let staff = salon.staff(json!({ "timeZone": "America/Los_Angeles" })).await;
    let earlier = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-02T22:10:00Z", "force": true });
    let earlier = salon.ask_for(earlier).created().await;
    let (client, store, now) = (salon.shop.spot.scope, world.store(), world.clock().now());
    let start = "2026-03-03T00:15:00Z";
    let (staff_id, start_time) = (Some(staff.parse().unwrap()), start.parse().unwrap());
    let wish = BookingRequest { service: service.parse().unwrap(), staff: staff_id, start: start_time, force: false };
    let desk = SlotAllocator::read(&store, client, &wish, now).await.unwrap();
    let seat = desk.seat(&wish, None, now).unwrap();
    salon.then(&earlier, "cancel").is(200).await;
    let (id, fields) = (Id::from_uuid(Uuid::now_v7()), AppointmentFields::default());
    let booked = Appointment::new(id, client.id(), &seat, fields, BookingSource::Api, now);
    let mut transaction = store.transaction();
    shared::appointments::create(&mut transaction, client, (&desk, &seat), &booked).unwrap();
    assert_eq!(transaction.commit().await.unwrap_err().status(), 412);
    salon.book(&service, Some(&staff), start).problem(409, "slot_unavailable").await;
    world.assert_whole().await;
}

/// How many workers there are, and how many things each of them does.
const WORKERS: u64 = 24;
const DEEDS: u64 = 25;

/// Books, moves, cancels and forces random lengths on two members of the staff, then looks at all rows: no two appointments overlap, and
/// the days hold what the appointments say.
#[tokio::test]
async fn whatever_is_done_at_once_nobody_serves_two() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let mut services = Vec::new();
    for (duration, before, after) in [(30, 0, 0), (60, 15, 0), (90, 0, 30), (480, 20, 20)] {
        let service = json!({ "duration": duration, "bufferBefore": before, "bufferAfter": after, "slotInterval": 15 });
        services.push(salon.service(service).await);
    }
    let late = json!([{ "days": ["mon", "tue"], "start": "00:00", "end": "24:00" }]);
    let staff =
        [salon.staff(json!({ "weeklyHours": late })).await, salon.staff(json!({ "timeZone": "Asia/Kolkata" })).await];
    let done = at_once((0..WORKERS).map(|seed| work(&salon, seed, &services, &staff))).await;
    let statuses = counted(done.into_iter().flatten());
    // An engine that is kept so busy may be too late with an answer: nobody knows then what became of it, but the rows are whole.
    assert!(statuses.keys().all(|status| [200, 201, 409, 503].contains(status)), "{statuses:?}");
    assert!([200, 201, 409].iter().all(|status| statuses[status] > 20), "each of them happens: {statuses:?}");
    world.assert_whole().await;
}

async fn work(salon: &Salon<'_>, seed: u64, services: &[String], staff: &[String; 2]) -> Vec<u16> {
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut mine, mut done) = (Vec::new(), Vec::new());
    for _ in 0..DEEDS {
        let quarter = random.random_range(0..192_u32);
        let start = format!("2026-03-0{}T{:02}:{:02}:00Z", 2 + quarter / 96, quarter % 96 / 4, quarter % 4 * 15);
        let who = &staff[random.random_range(0..2)];
        let force = random.random_bool(0.3);
        let ask = match random.random_range(0..10) {
            0..5 => {
                let service = &services[random.random_range(0..services.len())];
                let mut wish = json!({ "serviceId": service, "startTime": start, "force": force });
                if random.random_bool(0.7) {
                    wish["staffId"] = json!(who);
                }
                salon.ask_for(wish)
            }
            deed if mine.is_empty() => salon.book(&services[deed % services.len()], Some(who), &start),
            deed => {
                let booked: &Answer = &mine[random.random_range(0..mine.len())];
                match deed {
                    5..8 => salon
                        .then(booked, "reschedule")
                        .json(json!({ "startTime": start, "staffId": who, "force": force })),
                    8 => salon.then(booked, "confirm"),
                    _ => salon.then(booked, "cancel"),
                }
            }
        };
        let answer = ask.contended().send().await;
        done.push(answer.status.as_u16());
        if answer.status == 201 {
            mine.push(answer);
        }
    }
    done
}
