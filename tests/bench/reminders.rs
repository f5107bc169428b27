//! Sending of reminders: the rate of one worker, and what a mail costs.

use std::time::Instant;

use harness::world::World;
use lambda_http::http::Method;
use reminders::Worker;
use serde_json::json;
use shared::mailer::{EmailMessage, Mailer, SendError};
use shared::tenants::WidgetsUrl;

use crate::handlers::Cost;
use crate::items::Snapshot;

/// The number of reminders of each measurement.
const COUNT: u32 = 100;

/// A transport without a server.
struct Nowhere;

impl Mailer for Nowhere {
    async fn send(&self, _: &EmailMessage) -> Result<(), SendError> {
        Ok(())
    }
}

/// The rate of one worker, and the costs of one reminder from its claim to its settlement.
pub(crate) struct Sending {
    pub(crate) per_second: f64,
    pub(crate) round_trips: f64,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

impl Sending {
    /// Sends reminders twice: once to measure the time, once to measure the calls.
    pub(crate) async fn measure() -> Self {
        let world = World::new().await;
        book(&world).await;
        let worker = Worker::new(world.app_of("reminders"), Nowhere, WidgetsUrl::new("http://localhost:3001"));
        let start = Instant::now();
        let sent = worker.run().await.expect("the due mails are listed").sent;
        let per_second = f64::from(u32::try_from(sent).expect("a small number")) / start.elapsed().as_secs_f64();

        let world = World::new().await;
        book(&world).await;
        let before = Snapshot::of_table(&world.engine(), world.table()).await;
        let (report, mut calls) = world.remind_recorded().await;
        assert_eq!(report["sent"], COUNT);
        let after = Snapshot::of_table(&world.engine(), world.table()).await;
        // The Queries for due mails are those of the run, not of a mail.
        calls.retain(|call| call.operation != "Query");
        let Cost { round_trips, read_units, write_units } = Cost::of(&calls, before.write_units(&after, &calls));
        let round_trips = f64::from(u32::try_from(round_trips).expect("a small number"));
        let [round_trips, read_units, write_units] =
            [round_trips, read_units, write_units].map(|total| total / f64::from(COUNT));
        Self { per_second, round_trips, read_units, write_units }
    }
}

/// Books appointments with one reminder each, all of which are due.
async fn book(world: &World) {
    let shop = world.shop().await;
    let (owner, client) = (&shop.owner, &shop.paths.client);
    let settings = json!({ "offsets": [600], "confirmations": false });
    owner.request(Method::PUT, &format!("{client}/reminder-settings")).json(settings).is(200).await;
    let contact = json!({ "firstName": "Ada", "email": "ada.bench@example.com" });
    let contact = owner.post(&format!("{client}/contacts")).json(contact).created().await;
    let service = owner.post(&format!("{client}/services")).json(json!({ "name": "Haircut", "duration": 1 })).created();
    let service = service.await;
    for number in 0..COUNT {
        let start = world.clock().now().after(std::time::Duration::from_secs(u64::from(number + 700) * 60));
        let booking = json!({
            "serviceId": service.id(), "staffId": shop.paths.id("staffId"), "startTime": start, "contactId": contact.id(),
            "force": true,
        });
        owner.post(&format!("{client}/appointments")).json(booking).created().await;
    }
    // All reminders are due, and no appointment has started.
    world.clock().advance(i64::from(COUNT + 150) * 60);
}
