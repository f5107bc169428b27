//! Bookings when the table is slow, busy, or does not answer, and times off beside bookings.

use harness::at_once;
use harness::faults::Fault;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};

use crate::appointments::Salon;
use crate::paging::whole;

/// A salon, a service and somebody who does it.
struct Open<'w> {
    salon: Salon<'w>,
    service: String,
    staff: String,
}

impl<'w> Open<'w> {
    async fn at(world: &'w World) -> Self {
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
        whole(self.salon.owner(), &format!("{}/appointments?{range}", self.salon.client)).await
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let world = World::with_faults().await;
    let open = Open::at(&world).await;
    let under_way = [vec![Fault::AnswerLost], vec![Fault::InProgress; 3]].concat();
    let faults = [
        vec![Fault::Throttled; 2],
        vec![Fault::Conflict; 3],
        vec![Fault::ServerError; 2],
        vec![Fault::Lost; 2],
        vec![Fault::AnswerLost],
        under_way,
    ];
    for (day, faults) in faults.into_iter().enumerate() {
        let at = |time: &str| format!("2026-03-{:02}T{time}:00Z", if day < 5 { 2 + day } else { 9 });
        let breaks = || world.faults().next_writes(faults.clone());
        breaks();
        let booked = open.book(&at("10:00")).created().await;
        breaks();
        let to = json!({ "startTime": at("12:00") });
        let moved = open.salon.then(&booked, "reschedule").json(to).is(200).await;
        assert_eq!(moved.body["version"], 2, "{faults:?}");
        breaks();
        let cancelled = open.salon.then(&booked, "cancel").is(200).await;
        assert_eq!(cancelled.body["version"], 3, "{faults:?}");
        breaks();
        let off = open.time_off("", &json!({ "start": at("09:00"), "end": at("17:00") })).created().await;
        breaks();
        open.salon.owner().delete(off.location()).is(204).await;
        world.faults().none();
        assert_eq!(open.salon.starts(&open.service, Some(&open.staff), &at("00:00")[..10]).await.len(), 15);
    }
    assert_eq!(open.booked().await.len(), 6);
    world.assert_whole().await;
}

#[tokio::test]
async fn what_does_not_pass_is_unavailable_and_can_be_asked_for_again() {
    let world = World::with_faults().await;
    let open = Open::at(&world).await;
    let faults = [Fault::AnswerLost, Fault::Lost, Fault::Throttled, Fault::Conflict];
    for (at, fault) in faults.into_iter().enumerate() {
        let start = format!("2026-03-{:02}T10:00:00Z", 2 + at);
        let ask = || open.book(&start).header("idempotency-key", &start);
        world.faults().all_writes_after(0, fault);
        ask().problem(503, "unavailable").await;
        world.faults().none();
        let booked = ask().created().await;
        let was_booked = fault == Fault::AnswerLost;
        assert_eq!(!booked.header("idempotency-replayed").is_empty(), was_booked, "{fault:?}");
        assert_eq!(ask().is(201).await.body, booked.body);
        open.book(&start).problem(409, "slot_unavailable").await;
    }
    assert_eq!(open.booked().await.len(), faults.len());
    world.assert_whole().await;
}

#[tokio::test]
async fn a_change_that_nobody_heard_of_was_made_once() {
    let world = World::with_faults().await;
    let open = Open::at(&world).await;
    let booked = open.book("2026-03-02T10:00:00Z").created().await;
    let unheard = async |ask: RequestBuilder<'_>| {
        world.faults().all_writes_after(0, Fault::AnswerLost);
        ask.problem(503, "unavailable").await;
        world.faults().none();
        world.assert_whole().await;
    };
    let to = || open.salon.then(&booked, "reschedule").json(json!({ "startTime": "2026-03-02T12:00:00Z" }));
    unheard(to()).await;
    assert_eq!(to().is(200).await.body["version"], 3, "to where it is already");
    unheard(open.salon.then(&booked, "cancel")).await;
    open.salon.then(&booked, "cancel").problem(409, "invalid_transition").await;
    let day = json!({ "start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z" });
    let off = || open.time_off("", &day).header("idempotency-key", "off");
    unheard(off()).await;
    assert_eq!(off().created().await.header("idempotency-replayed"), "true");
    open.book("2026-03-02T10:00:00Z").problem(409, "slot_unavailable").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_booking_that_is_asked_for_many_times_at_once_is_made_once() {
    let world = World::new().await;
    let open = Open::at(&world).await;
    open.salon.staff(json!({})).await;
    // Somebody else is free, too.
    for (staff, start) in [(Some(&open.staff), "2026-03-02T10:00:00Z"), (None, "2026-03-02T14:00:00Z")] {
        let ask = || open.salon.book(&open.service, staff.map(String::as_str), start).header("idempotency-key", start);
        let answers = at_once((0..10).map(|_| ask().contended().is(201))).await;
        assert!(answers.iter().all(|answer| answer.body == answers[0].body));
        let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
        assert_eq!(first, 1);
    }
    assert_eq!(open.booked().await.len(), 2);
    world.assert_whole().await;
}

/// The first of these is the answer to a time off, the second that to a booking: whether there are both.
fn both(answers: &[Answer], refused: &str) -> bool {
    let [off, booked] = answers else { panic!("two answers: {answers:?}") };
    match (off.status.as_u16(), booked.status.as_u16()) {
        (201, 200 | 201) => true,
        (201, 409) => {
            assert_eq!(booked.body["code"], "slot_unavailable", "{booked}");
            false
        }
        (409, 200 | 201) => {
            assert_eq!(off.body["code"], refused, "{off}");
            false
        }
        _ => panic!("{off}\n{booked}"),
    }
}

#[tokio::test]
async fn nobody_is_off_and_booked_at_once() {
    let world = World::new().await;
    let open = Open::at(&world).await;
    let morning = json!({ "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T12:00:00Z" });
    for round in 0..50 {
        // Every tenth time, what is booked may stay.
        let keep = if round % 10 == 9 { "?keepBookings=true" } else { "" };
        // What is kept free after a booking is no time to be off in either.
        let start = if round % 2 == 0 { "2026-03-02T10:00:00Z" } else { "2026-03-02T08:00:00Z" };
        let wish = json!({ "serviceId": open.service, "staffId": open.staff, "startTime": start, "force": true });
        let asks = [open.time_off(keep, &morning), open.salon.ask_for(wish)];
        let answers = at_once(asks.map(|ask| ask.contended().send())).await;
        assert!(!both(&answers, "time_booked") || !keep.is_empty(), "round {round}");
        for made in answers.iter().filter(|answer| answer.status == 201) {
            open.salon.owner().delete(made.location()).is(204).await;
        }
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn nobody_is_off_and_moved_to_that_time_at_once() {
    let world = World::new().await;
    let open = Open::at(&world).await;
    let morning = json!({ "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T12:00:00Z" });
    let later = json!({ "start": "2026-03-03T09:00:00Z", "end": "2026-03-03T12:00:00Z" });
    for round in 0..20 {
        let booked = open.book("2026-03-02T14:00:00Z").created().await;
        let to = open.salon.then(&booked, "reschedule").json(json!({ "startTime": "2026-03-02T10:00:00Z" }));
        // Whoever was to be off another time is off then instead.
        let off = open.time_off("", &later).created().await;
        let earlier = open.salon.owner().patch(off.location()).json(&morning);
        let mut answers = at_once([earlier, to].map(|ask| ask.contended().send())).await;
        if answers[0].status == 200 {
            answers[0].status = off.status;
        }
        assert!(!both(&answers, "time_booked"), "round {round}");
        open.salon.owner().delete(off.location()).is(204).await;
        open.salon.owner().delete(booked.location()).is(204).await;
    }
    world.assert_whole().await;
}
