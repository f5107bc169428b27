//! Appointments and the services, working hours and time off that they depend on.

use std::borrow::Borrow;

use harness::tree::SalonFixture;
use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::paging::ids;

/// A Sunday, the day before the first day of the tests.
pub(crate) const NOW: &str = "2026-03-01T12:00:00Z";

/// A client at a fixed time ([`NOW`]), with helpers for bookings.
pub(crate) struct Salon<'w> {
    pub(crate) shop: SalonFixture<'w>,
    /// Path of the client.
    pub(crate) client: String,
}

impl<'w> Salon<'w> {
    pub(crate) async fn open(world: &'w World) -> Self {
        world.clock().set(NOW.parse().unwrap());
        let shop = world.shop().await;
        Self { client: shop.paths.client.clone(), shop }
    }

    pub(crate) fn owner(&self) -> &TestUser<'w> {
        &self.shop.owner
    }

    pub(crate) async fn service(&self, more: Value) -> String {
        let mut service = json!({ "name": "Haircut", "duration": 60, "price": 40, "slotInterval": 30 });
        extend(&mut service, more);
        let made = self.owner().post(&format!("{}/services", self.client)).json(service).created().await;
        made.id().to_owned()
    }

    /// Creates a staff member who works from 9:00 to 17:00 UTC on weekdays.
    pub(crate) async fn staff(&self, more: Value) -> String {
        let hours = json!([{ "days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:00" }]);
        let mut staff = json!({ "name": "Ann", "email": "ann@example.com", "timeZone": "UTC", "weeklyHours": hours });
        extend(&mut staff, more);
        let made = self.owner().post(&format!("{}/staff", self.client)).json(staff).created().await;
        made.id().to_owned()
    }

    pub(crate) fn book(&self, service: &str, staff: Option<&str>, start: &str) -> RequestBuilder<'w> {
        let mut booking = json!({ "serviceId": service, "startTime": start });
        if let Some(staff) = staff {
            booking["staffId"] = json!(staff);
        }
        self.ask_for(booking)
    }

    pub(crate) fn ask_for(&self, booking: impl Borrow<Value>) -> RequestBuilder<'w> {
        self.owner().post(&format!("{}/appointments", self.client)).json(booking)
    }

    pub(crate) fn then(&self, booked: &Answer, action: &str) -> RequestBuilder<'w> {
        self.owner().post(&format!("{}/{action}", booked.location()))
    }

    pub(crate) async fn availability(&self, query: &str) -> Value {
        self.owner().get(&format!("{}/availability?{query}", self.client)).is(200).await.body
    }

    /// Slot starts on a day, as `HH:MM`.
    pub(crate) async fn starts(&self, service: &str, staff: Option<&str>, day: &str) -> Vec<String> {
        let staff = staff.map(|staff| format!("&staffId={staff}")).unwrap_or_default();
        let range = format!("from={day}T00:00:00Z&to={day}T23:59:59Z");
        let slots = self.availability(&format!("serviceId={service}{staff}&{range}")).await;
        let starts = slots["slots"].as_array().unwrap().iter().map(|slot| slot["start"].as_str().unwrap());
        starts.map(|start| start[11..16].to_owned()).collect()
    }
}

fn extend(value: &mut Value, more: Value) {
    let Value::Object(more) = more else { panic!("the added fields must be an object") };
    value.as_object_mut().unwrap().extend(more);
}

#[tokio::test]
async fn appointment_can_be_booked_moved_cancelled_and_deleted() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({ "bufferAfter": 10 })).await, salon.staff(json!({})).await);
    let contact = salon.shop.paths.id("contactId");
    let booking = json!({
        "serviceId": service, "staffId": staff, "startTime": "2026-03-02T10:00:00Z", "contactId": contact, "notes": "Short",
    });
    let booked = salon.ask_for(booking).created().await;
    assert_eq!(booked.location(), format!("{}/appointments/{}", salon.client, booked.id()));
    assert_eq!(
        booked.body,
        json!({
            "id": booked.id(), "clientId": salon.shop.paths.scope.id(), "serviceId": service, "staffId": staff,
            "startTime": "2026-03-02T10:00:00.000Z", "endTime": "2026-03-02T11:00:00.000Z", "bufferBefore": 0,
            "bufferAfter": 10, "status": "SCHEDULED", "contactId": contact, "notes": "Short", "source": "API",
            "cancelledReason": null, "version": 1, "createdAt": booked.body["createdAt"],
            "updatedAt": booked.body["createdAt"],
        })
    );
    // The next start is at least 70 minutes later (an hour and the buffer); the same time is kept free before the
    // appointment.
    let expected = ["11:30", "12:00", "12:30", "13:00", "13:30", "14:00", "14:30", "15:00", "15:30", "16:00"];
    assert_eq!(salon.starts(&service, Some(&staff), "2026-03-02").await, expected);
    salon.book(&service, Some(&staff), "2026-03-02T10:30:00Z").problem(409, "slot_unavailable").await;
    salon.book(&service, Some(&staff), "2026-03-02T09:00:00Z").problem(409, "slot_unavailable").await;

    let later = json!({ "startTime": "2026-03-02T10:30:00Z" });
    let moved = salon.then(&booked, "reschedule").json(&later).is(200).await;
    assert_eq!((&moved.body["startTime"], &moved.body["version"]), (&json!("2026-03-02T10:30:00.000Z"), &json!(2)));
    assert_eq!(moved.body["endTime"], "2026-03-02T11:30:00.000Z");
    let patched =
        salon.owner().patch(booked.location()).json(json!({ "notes": null, "contactId": null })).is(200).await;
    assert_eq!((&patched.body["notes"], &patched.body["contactId"]), (&Value::Null, &Value::Null));
    salon
        .owner()
        .patch(booked.location())
        .json(json!({ "startTime": null, "status": "CONFIRMED" }))
        .invalid(&["/startTime", "/status"])
        .await;

    let reason = json!({ "reason": "Ill\nwith a cold" });
    let cancelled = salon.then(&booked, "cancel").json(&reason).is(200).await;
    assert_eq!(
        (&cancelled.body["status"], &cancelled.body["cancelledReason"]),
        (&json!("CANCELLED"), &json!("Ill\nwith a cold"))
    );
    salon.then(&booked, "reschedule").json(&later).problem(409, "invalid_transition").await;
    salon.then(&booked, "cancel").problem(409, "invalid_transition").await;
    assert_eq!(salon.starts(&service, Some(&staff), "2026-03-02").await.len(), 15);

    let read = salon.owner().get(booked.location()).is(200).await;
    assert_eq!((&read.body, read.header("etag")), (&cancelled.body, "\"4\""));
    salon.owner().delete(&format!("{}/services/{service}", salon.client)).problem(409, "in_use").await;
    salon.owner().delete(&format!("{}/staff/{staff}", salon.client)).problem(409, "in_use").await;
    salon.owner().delete(booked.location()).header("if-match", "\"3\"").problem(412, "precondition_failed").await;
    salon.owner().delete(booked.location()).is(204).await;
    salon.owner().delete(booked.location()).problem(404, "not_found").await;
    salon.owner().delete(&format!("{}/services/{service}", salon.client)).is(204).await;
    salon.owner().delete(&format!("{}/staff/{staff}", salon.client)).is(204).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn invalid_booking_reports_every_error() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let unknown_id = Uuid::now_v7();
    salon
        .ask_for(json!({ "endTime": 1, "staffId": "x", "force": "yes" }))
        .invalid(&["/serviceId", "/startTime", "/endTime", "/staffId", "/force"])
        .await;
    salon
        .ask_for(json!({ "serviceId": unknown_id, "staffId": unknown_id, "startTime": NOW }))
        .invalid(&["/serviceId", "/staffId"])
        .await;
    salon.ask_for(json!({ "serviceId": unknown_id, "startTime": NOW })).invalid(&["/serviceId"]).await;
    let booking =
        json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-02T10:00:00Z", "contactId": unknown_id });
    salon.ask_for(booking).invalid(&["/contactId"]).await;
    let restricted = salon.service(json!({ "staffIds": [salon.shop.paths.id("staffId")] })).await;
    let refused = salon.book(&restricted, Some(&staff), "2026-03-02T10:00:00Z").invalid(&["/staffId"]).await;
    assert_eq!(refused.body["errors"][0]["code"], "not_offered");
    // Before working hours, off the grid, in the past, and more than 60 days ahead.
    for start in ["2026-03-02T08:30:00Z", "2026-03-02T10:15:00Z", "2026-02-27T10:00:00Z", "2026-05-04T10:00:00Z"] {
        salon.book(&service, Some(&staff), start).problem(409, "slot_unavailable").await;
    }
    // `force` skips these checks, but not conflicts with other bookings.
    let forced = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-02T08:15:00Z", "force": true });
    salon.ask_for(&forced).created().await;
    salon.ask_for(&forced).problem(409, "slot_unavailable").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn time_off_and_bookings_exclude_each_other() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = salon.book(&service, Some(&staff), "2026-03-04T10:00:00Z").created().await;
    let times_off = format!("{}/staff/{staff}/time-off", salon.client);
    let week = json!({ "start": "2026-03-02T00:00:00Z", "end": "2026-03-07T00:00:00Z", "reason": "Skiing" });
    let refused = salon.owner().post(&times_off).json(&week).problem(409, "time_booked").await;
    let conflicts =
        json!([{ "id": booked.id(), "startTime": booked.body["startTime"], "endTime": booked.body["endTime"] }]);
    assert_eq!(refused.body["appointments"], conflicts);
    let off = salon.owner().post(&format!("{times_off}?keepBookings=true")).json(&week).created().await;
    assert_eq!(salon.starts(&service, Some(&staff), "2026-03-05").await, [""; 0]);
    salon.book(&service, Some(&staff), "2026-03-05T10:00:00Z").problem(409, "slot_unavailable").await;
    let forced = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-05T10:00:00Z", "force": true });
    salon.ask_for(&forced).problem(409, "slot_unavailable").await;
    // The time off now ends before Thursday.
    let shorter = json!({ "end": "2026-03-05T00:00:00Z" });
    let shortened = salon.owner().patch(off.location()).json(&shorter).is(200).await;
    assert_eq!(
        (&shortened.body["end"], &shortened.body["reason"]),
        (&json!("2026-03-05T00:00:00.000Z"), &json!("Skiing"))
    );
    assert_eq!(salon.starts(&service, Some(&staff), "2026-03-05").await.len(), 15);
    // Only bookings that the longer time off newly covers are reported.
    let added = salon.book(&service, Some(&staff), "2026-03-05T10:00:00Z").created().await;
    let longer = json!({ "end": "2026-03-06T00:00:00Z" });
    let refused = salon.owner().patch(off.location()).json(&longer).problem(409, "time_booked").await;
    assert_eq!(ids(refused.body["appointments"].as_array().unwrap()), [added.id()]);
    salon.owner().patch(off.location()).json(json!({ "reason": "Sledging" })).is(200).await;
    salon.owner().post(&times_off).json(json!({ "start": NOW, "end": NOW })).invalid(&["/end"]).await;
    let long = json!({ "start": "2026-03-02T00:00:00Z", "end": "2026-06-02T00:00:00Z" });
    salon.owner().post(&times_off).json(&long).invalid(&["/end"]).await;
    let long = salon.owner().post(&format!("{times_off}?keepBookings=true")).json(&long).created().await;
    salon.owner().delete(long.location()).is(204).await;
    let listed = salon.owner().get(&times_off).is(200).await;
    assert_eq!(ids(listed.body["items"].as_array().unwrap()), [off.id()]);
    salon.owner().delete(off.location()).is(204).await;
    salon.owner().delete(off.location()).problem(404, "not_found").await;
    assert_eq!(salon.starts(&service, Some(&staff), "2026-03-02").await.len(), 15);
    world.assert_consistent().await;
}
