//! Bookings when the table is slow, busy or unreachable; concurrent time off.

use harness::at_once;
use harness::faults::Fault;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};

use crate::appointments::Salon;
use crate::paging::list_all;

/// A salon with a service and a staff member.
struct SalonWithService<'w> {
    salon: Salon<'w>,
    service: String,
    staff: String,
}

impl<'w> SalonWithService<'w> {
    async fn new(world: &'w World) -> Self {
        let salon = Salon::open(world).await;
        let (service, staff) = (salon.service(json!({ "bufferAfter": 10 })).await, salon.staff(json!({})).await);
        Self { salon, service, staff }
    }

    fn book(&self, start: &str) -> RequestBuilder<'w> {
        self.salon.book(&self.service, Some(&self.staff), start)
    }

    fn time_off(&self, query: &str, off: &Value) -> RequestBuilder<'w> {
        self.salon.owner().post(&format!("{}/staff/{}/time-off{query}", self.salon.client, self.staff)).json(off)
    }

    async fn booked(&self) -> Vec<Value> {
        let range = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z";
        list_all(self.salon.owner(), &format!("{}/appointments?{range}", self.salon.client)).await
    }
}

#[tokio::test]
async fn transient_faults_are_retried() {
    let world = World::with_faults().await;
    let fixture = SalonWithService::new(&world).await;
    let in_progress = [vec![Fault::AnswerLost], vec![Fault::InProgress; 3]].concat();
    let faults = [
        vec![Fault::Throttled; 2],
        vec![Fault::Conflict; 3],
        vec![Fault::ServerError; 2],
        vec![Fault::RequestLost; 2],
        vec![Fault::AnswerLost],
        in_progress,
    ];
    for (day, faults) in faults.into_iter().enumerate() {
        let at = |time: &str| format!("2026-03-{:02}T{time}:00Z", if day < 5 { 2 + day } else { 9 });
        let inject = || world.faults().next_writes(faults.clone());
        inject();
        let booked = fixture.book(&at("10:00")).created().await;
        inject();
        let target = json!({ "startTime": at("12:00") });
        let moved = fixture.salon.then(&booked, "reschedule").json(target).is(200).await;
        assert_eq!(moved.body["version"], 2, "{faults:?}");
        inject();
        let cancelled = fixture.salon.then(&booked, "cancel").is(200).await;
        assert_eq!(cancelled.body["version"], 3, "{faults:?}");
        inject();
        let off = fixture.time_off("", &json!({ "start": at("09:00"), "end": at("17:00") })).created().await;
        inject();
        fixture.salon.owner().delete(off.location()).is(204).await;
        world.faults().none();
        assert_eq!(fixture.salon.starts(&fixture.service, Some(&fixture.staff), &at("00:00")[..10]).await.len(), 15);
    }
    assert_eq!(fixture.booked().await.len(), 6);
    world.assert_consistent().await;
}

#[tokio::test]
async fn persistent_fault_returns_503_and_the_booking_can_be_retried() {
    let world = World::with_faults().await;
    let fixture = SalonWithService::new(&world).await;
    let faults = [Fault::AnswerLost, Fault::RequestLost, Fault::Throttled, Fault::Conflict];
    for (at, fault) in faults.into_iter().enumerate() {
        let start = format!("2026-03-{:02}T10:00:00Z", 2 + at);
        let request = || fixture.book(&start).header("idempotency-key", &start);
        world.faults().all_writes_after(0, fault);
        request().problem(503, "unavailable").await;
        world.faults().none();
        let booked = request().created().await;
        let was_booked = fault == Fault::AnswerLost;
        assert_eq!(!booked.header("idempotency-replayed").is_empty(), was_booked, "{fault:?}");
        assert_eq!(request().is(201).await.body, booked.body);
        fixture.book(&start).problem(409, "slot_unavailable").await;
    }
    assert_eq!(fixture.booked().await.len(), faults.len());
    world.assert_consistent().await;
}

#[tokio::test]
async fn change_with_lost_answer_is_made_once() {
    let world = World::with_faults().await;
    let fixture = SalonWithService::new(&world).await;
    let booked = fixture.book("2026-03-02T10:00:00Z").created().await;
    let without_answer = async |request: RequestBuilder<'_>| {
        world.faults().all_writes_after(0, Fault::AnswerLost);
        request.problem(503, "unavailable").await;
        world.faults().none();
        world.assert_consistent().await;
    };
    let target = || fixture.salon.then(&booked, "reschedule").json(json!({ "startTime": "2026-03-02T12:00:00Z" }));
    without_answer(target()).await;
    assert_eq!(target().is(200).await.body["version"], 2, "the repeated change has no effect");
    without_answer(fixture.salon.then(&booked, "cancel")).await;
    fixture.salon.then(&booked, "cancel").problem(409, "invalid_transition").await;
    let day = json!({ "start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z" });
    let off = || fixture.time_off("", &day).header("idempotency-key", "off");
    without_answer(off()).await;
    assert_eq!(off().created().await.header("idempotency-replayed"), "true");
    fixture.book("2026-03-02T10:00:00Z").problem(409, "slot_unavailable").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn concurrent_bookings_with_one_idempotency_key_create_one_appointment() {
    let world = World::new().await;
    let fixture = SalonWithService::new(&world).await;
    fixture.salon.staff(json!({})).await;
    // A second staff member is free as well.
    for (staff, start) in [(Some(&fixture.staff), "2026-03-02T10:00:00Z"), (None, "2026-03-02T14:00:00Z")] {
        let request =
            || fixture.salon.book(&fixture.service, staff.map(String::as_str), start).header("idempotency-key", start);
        let answers = at_once((0..10).map(|_| request().contended().is(201))).await;
        assert!(answers.iter().all(|answer| answer.body == answers[0].body));
        let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
        assert_eq!(first, 1);
    }
    assert_eq!(fixture.booked().await.len(), 2);
    world.assert_consistent().await;
}

/// Whether both requests succeeded.
///
/// The first answer is that of the time off, the second that of the booking.
fn both_succeeded(answers: &[Answer], time_off_code: &str) -> bool {
    let [off, booked] = answers else { panic!("expected two answers: {answers:?}") };
    match (off.status.as_u16(), booked.status.as_u16()) {
        (201, 200 | 201) => true,
        (201, 409) => {
            assert_eq!(booked.body["code"], "slot_unavailable", "{booked}");
            false
        }
        (409, 200 | 201) => {
            assert_eq!(off.body["code"], time_off_code, "{off}");
            false
        }
        _ => panic!("{off}\n{booked}"),
    }
}

#[tokio::test]
async fn concurrent_time_off_and_booking_exclude_each_other() {
    let world = World::new().await;
    let fixture = SalonWithService::new(&world).await;
    let morning = json!({ "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T12:00:00Z" });
    for round in 0..50 {
        // Every tenth round permits existing bookings.
        let keep = if round % 10 == 9 { "?keepBookings=true" } else { "" };
        // The buffer after a booking conflicts with time off as well.
        let start = if round % 2 == 0 { "2026-03-02T10:00:00Z" } else { "2026-03-02T08:00:00Z" };
        let booking =
            json!({ "serviceId": fixture.service, "staffId": fixture.staff, "startTime": start, "force": true });
        let requests = [fixture.time_off(keep, &morning), fixture.salon.ask_for(booking)];
        let answers = at_once(requests.map(|request| request.contended().send())).await;
        assert!(!both_succeeded(&answers, "time_booked") || !keep.is_empty(), "round {round}");
        for made in answers.iter().filter(|answer| answer.status == 201) {
            fixture.salon.owner().delete(made.location()).is(204).await;
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn concurrent_time_off_change_and_reschedule_exclude_each_other() {
    let world = World::new().await;
    let fixture = SalonWithService::new(&world).await;
    let morning = json!({ "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T12:00:00Z" });
    let later = json!({ "start": "2026-03-03T09:00:00Z", "end": "2026-03-03T12:00:00Z" });
    for round in 0..20 {
        let booked = fixture.book("2026-03-02T14:00:00Z").created().await;
        let target = fixture.salon.then(&booked, "reschedule").json(json!({ "startTime": "2026-03-02T10:00:00Z" }));
        // An existing time off is moved to the morning.
        let off = fixture.time_off("", &later).created().await;
        let earlier = fixture.salon.owner().patch(off.location()).json(&morning);
        let mut answers = at_once([earlier, target].map(|request| request.contended().send())).await;
        if answers[0].status == 200 {
            answers[0].status = off.status;
        }
        assert!(!both_succeeded(&answers, "time_booked"), "round {round}");
        fixture.salon.owner().delete(off.location()).is(204).await;
        fixture.salon.owner().delete(booked.location()).is(204).await;
    }
    world.assert_consistent().await;
}
