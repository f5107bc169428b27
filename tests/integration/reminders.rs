//! Mails about appointments: settings, plans, sending, and the link that stops reminders.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::faults::Fault;
use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::{World, outbox};
use infra::smtp::{Mail, Refusal};
use lambda_http::http::Method;
use reminders::Worker;
use serde_json::{Value, json};
use shared::mailer::{EmailMessage, Mailer, SendError};
use shared::tenants::WidgetsUrl;

use crate::appointments::Salon;
use crate::calendar::{events_by_ical, texts_by_calcard};
use crate::users::unique_email;
use crate::widget_site::{Website, booking};

/// A salon with a service of Ann and a contact, and these reminder settings.
struct Studio<'w> {
    world: &'w World,
    salon: Salon<'w>,
    service: String,
    staff: String,
    contact: String,
    email: String,
}

impl<'w> Studio<'w> {
    async fn open(world: &'w World, settings: Value) -> Self {
        let salon = Salon::open(world).await;
        // The mails about the appointment of the fixture.
        world.remind().await;
        let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
        let email = unique_email();
        let contact = json!({ "firstName": "Zoë", "lastName": "Adams", "email": email });
        let contact = salon.owner().post(&format!("{}/contacts", salon.client)).json(contact).created().await;
        let studio = Self { world, salon, service, staff, contact: contact.id().to_owned(), email };
        studio.set(settings).await;
        studio
    }

    async fn set(&self, settings: Value) {
        let path = format!("{}/reminder-settings", self.salon.client);
        self.owner().await.request(Method::PUT, &path).json(settings).is(200).await;
    }

    async fn set_contact(&self, fields: Value) {
        let path = format!("{}/contacts/{}", self.salon.client, self.contact);
        self.owner().await.patch(&path).json(fields).is(200).await;
    }

    /// Books an appointment for the contact, outside of working hours, too.
    async fn book(&self, start: &str) -> Answer {
        let booking = json!({
            "serviceId": self.service, "staffId": self.staff, "startTime": start, "contactId": self.contact,
            "force": true,
        });
        self.owner().await.post(&format!("{}/appointments", self.salon.client)).json(booking).created().await
    }

    /// The owner with a new access token: the clock of a test moves on for days.
    async fn owner(&self) -> TestUser<'w> {
        self.salon.owner().sign_in_again().await
    }

    async fn then(&self, booked: &Answer, action: &str) -> RequestBuilder<'w> {
        self.owner().await.post(&format!("{}/{action}", booked.location()))
    }

    /// The mails about an appointment, as the API lists them.
    async fn list(&self, booked: &Answer) -> Vec<Value> {
        let list = self.owner().await.get(&format!("{}/reminders", booked.location())).is(200).await;
        list.body["items"].as_array().unwrap().clone()
    }

    /// The occasion, the status and the failure of each mail about an appointment.
    async fn outcomes(&self, booked: &Answer) -> Vec<(String, String, Option<String>)> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let outcome =
            |mail: Value| (text(&mail["occasion"]).unwrap(), text(&mail["status"]).unwrap(), text(&mail["failure"]));
        self.list(booked).await.into_iter().map(outcome).collect()
    }

    /// When the reminders of an appointment are due.
    async fn due(&self, booked: &Answer) -> Vec<String> {
        let list = self.list(booked).await;
        let reminders = list.iter().filter(|mail| mail["occasion"] == "REMINDER");
        reminders.map(|mail| mail["dueAt"].as_str().unwrap()[..16].to_owned()).collect()
    }

    /// Sets the clock and runs the function once.
    async fn remind_at(&self, now: &str) -> Value {
        self.world.clock().set(now.parse().unwrap());
        self.world.remind().await
    }

    /// The subjects of the mails to the contact, oldest first.
    fn subjects(&self) -> Vec<String> {
        self.mails().into_iter().map(|mail| mail.subject).collect()
    }

    fn mails(&self) -> Vec<Mail> {
        let mut mails = outbox().mails_to(&self.email);
        mails.reverse();
        mails
    }
}

fn outcome(occasion: &str, status: &str, failure: Option<&str>) -> (String, String, Option<String>) {
    (occasion.to_owned(), status.to_owned(), failure.map(str::to_owned))
}

/// Reminders an hour before the start, and nothing else.
fn hour_before() -> Value {
    json!({ "offsets": [60], "confirmations": false, "notices": false })
}

// ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn settings_are_the_defaults_until_they_are_replaced() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let path = format!("{}/reminder-settings", salon.client);
    let defaults = json!({
        "offsets": [1440, 60], "channels": ["EMAIL"], "enabled": true, "quietHours": null, "staff": false,
        "confirmations": true, "notices": true,
    });
    assert_eq!(salon.owner().get(&path).is(200).await.body, defaults);
    let changed = json!({
        "offsets": [30], "channels": ["EMAIL"], "enabled": true, "quietHours": { "start": "21:00", "end": "08:00" },
        "staff": true, "confirmations": false, "notices": false,
    });
    assert_eq!(salon.owner().request(Method::PUT, &path).json(&changed).is(200).await.body, changed);
    assert_eq!(salon.owner().get(&path).is(200).await.body, changed);
    assert_eq!(salon.owner().request(Method::PUT, &path).json(json!({})).is(200).await.body, defaults);
}

#[tokio::test]
async fn invalid_settings_name_every_field() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let settings = json!({
        "offsets": [60, 60], "channels": ["FAX"], "quietHours": { "start": "25:00", "end": "08:00" }, "sms": true,
    });
    let request = salon.owner().request(Method::PUT, &format!("{}/reminder-settings", salon.client)).json(settings);
    request.invalid(&["/channels/0", "/offsets", "/quietHours/start", "/sms"]).await;
}

#[tokio::test]
async fn settings_of_an_unknown_client_are_404() {
    let world = World::new().await;
    let admin = world.admin().await;
    let path = "/v1/clients/01900000-0000-7000-8000-000000000001/reminder-settings";
    admin.get(path).problem(404, "not_found").await;
    admin.request(Method::PUT, path).json(json!({})).problem(404, "not_found").await;
}

#[tokio::test]
async fn new_offsets_apply_to_appointments_that_are_booked_or_moved_later() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    studio.set(json!({ "offsets": [120], "confirmations": false, "notices": false })).await;
    assert_eq!(studio.due(&booked).await, ["2026-03-03T09:00"]);
    let start = json!({ "startTime": "2026-03-03T12:00:00Z" });
    studio.then(&booked, "reschedule").await.json(start).is(200).await;
    assert_eq!(studio.due(&booked).await, ["2026-03-03T10:00"]);
    world.assert_consistent().await;
}

// ── Plans ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn booking_plans_reminders_and_a_confirmation() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({})).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    let mail = |occasion: &str, offset: Value, due: &str| {
        json!({
            "occasion": occasion, "recipient": "CONTACT", "channel": "EMAIL", "offset": offset, "dueAt": due,
            "status": "PENDING", "sentAt": null, "failure": null,
        })
    };
    let booked_at = booked.body["createdAt"].as_str().unwrap();
    let expected = [
        mail("REMINDER", json!(60), "2026-03-03T09:00:00.000Z"),
        mail("REMINDER", json!(1440), "2026-03-02T10:00:00.000Z"),
        mail("CONFIRMATION", Value::Null, booked_at),
    ];
    assert_eq!(studio.list(&booked).await, expected);
    world.assert_consistent().await;
}

#[tokio::test]
async fn booking_after_the_time_of_a_reminder_does_not_write_it() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "confirmations": false })).await;
    world.clock().set("2026-03-03T09:01:00Z".parse().unwrap());
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    assert_eq!(studio.list(&booked).await, [Value::Null; 0]);
}

#[tokio::test]
async fn quiet_hours_are_those_of_the_contact() {
    let world = World::new().await;
    let settings = json!({
        "offsets": [60], "quietHours": { "start": "21:00", "end": "08:00" }, "confirmations": false,
    });
    let studio = Studio::open(&world, settings).await;
    // 10:00 UTC is 15:45 in Kathmandu and 05:00 in New York.
    studio.set_contact(json!({ "timeZone": "Asia/Kathmandu" })).await;
    let booked = studio.book("2026-03-03T11:00:00Z").await;
    assert_eq!(studio.due(&booked).await, ["2026-03-03T10:00"]);
    studio.set_contact(json!({ "timeZone": "America/New_York" })).await;
    let booked = studio.book("2026-03-04T14:00:00Z").await;
    assert_eq!(studio.due(&booked).await, ["2026-03-04T13:00"], "at the end of the quiet hours");
    let booked = studio.book("2026-03-05T11:00:00Z").await;
    assert_eq!(studio.due(&booked).await, ["2026-03-05T01:59"], "before the quiet hours begin");
}

#[tokio::test]
async fn contact_of_an_appointment_without_one_gets_reminders() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let booked = studio.salon.book(&studio.service, Some(&studio.staff), "2026-03-03T10:00:00Z").created().await;
    assert_eq!(studio.list(&booked).await, [Value::Null; 0]);
    let owner = studio.owner().await;
    let change = |contact: Value| owner.patch(booked.location()).json(json!({ "contactId": contact }));
    change(json!(studio.contact)).is(200).await;
    assert_eq!(studio.due(&booked).await, ["2026-03-03T09:00"]);
    change(Value::Null).is(200).await;
    assert_eq!(studio.list(&booked).await, [Value::Null; 0]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn change_of_staff_or_notes_keeps_sent_reminders() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let other = studio.salon.staff(json!({ "name": "Ben" })).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    studio.remind_at("2026-03-03T09:00:00Z").await;
    studio.owner().await.patch(booked.location()).json(json!({ "notes": "Window seat." })).is(200).await;
    let moved = json!({ "startTime": "2026-03-03T10:00:00Z", "staffId": other });
    studio.then(&booked, "reschedule").await.json(moved).is(200).await;
    studio.remind_at("2026-03-03T09:05:00Z").await;
    assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "SENT", None)]);
    assert_eq!(studio.mails().len(), 1);
}

// ── Sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn due_reminder_is_sent_once() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    let report =
        |sent: u32| json!({ "sent": sent, "skipped": 0, "failed": 0, "dead": 0, "unknown": 0, "oldestDueSeconds": 0 });
    assert_eq!(studio.remind_at("2026-03-03T08:59:55Z").await, report(0));
    assert_eq!(studio.remind_at("2026-03-03T09:00:00Z").await, report(1));
    assert_eq!(studio.remind_at("2026-03-03T09:00:00Z").await, report(0), "a repeated tick");
    let list = studio.list(&booked).await;
    assert_eq!(list[0]["status"], "SENT");
    assert!(list[0]["sentAt"].as_str().unwrap().starts_with("2026-03-03T09:00:0"), "{list:?}");
    assert_eq!(studio.subjects(), ["Reminder: Haircut – Northwind"]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn skipped_tick_is_caught_up_and_its_delay_is_reported() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    studio.book("2026-03-03T10:00:00Z").await;
    let report = studio.remind_at("2026-03-03T09:07:00Z").await;
    assert_eq!((&report["sent"], &report["oldestDueSeconds"]), (&json!(1), &json!(420)));
}

#[tokio::test]
async fn mail_has_the_brand_the_language_the_zone_and_the_links_of_the_contact() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let brand = json!({ "displayName": "Salon Zoë", "color": "#2f855a", "replyTo": "hallo@salon.example" });
    studio.owner().await.patch(&studio.salon.client).json(json!({ "brand": brand })).is(200).await;
    studio.set_contact(json!({ "language": "de-AT", "timeZone": "Asia/Kathmandu" })).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    studio.remind_at("2026-03-03T09:00:00Z").await;
    let mail = studio.mails().remove(0);
    assert_eq!(mail.subject, "Erinnerung: Haircut – Salon Zoë");
    assert_eq!(mail.from, "Salon Zoë <crm@localhost.example>");
    assert_eq!(mail.reply_to.as_deref(), Some("hallo@salon.example"));
    let (text, html) = (mail.text.unwrap(), mail.html.unwrap());
    assert!(text.contains("Dienstag, 3. März 2026, 15:45 Uhr (Asia/Kathmandu)\nHaircut mit Ann\n"), "{text}");
    let page = format!("/manage/{}?token=", booked.id());
    for action in ["&action=confirm", "&action=move", "&action=cancel"] {
        assert!(text.lines().any(|line| line.contains(&page) && line.ends_with(action)), "{action} in {text}");
    }
    assert!(html.contains("#2f855a") && html.contains("15:45"), "{html}");
    let unsubscribe = mail.unsubscribe_url.unwrap();
    assert!(text.contains(&unsubscribe) && unsubscribe.starts_with("http://localhost:3001/reminders/unsubscribe?"));
    assert_eq!(mail.attachments[0].name, "appointment.ics");
    let events = events_by_ical(&mail.attachments[0].text);
    let event = events.values().next().unwrap();
    assert_eq!((event["DTSTART"].as_str(), event["DTEND"].as_str()), ("20260303T100000Z", "20260303T110000Z"));
    assert_eq!(event["SUMMARY"], "Haircut – Salon Zoë");
    let by_calcard = texts_by_calcard(&mail.attachments[0].text);
    assert_eq!(by_calcard[&event["UID"]]["SUMMARY"], "Haircut – Salon Zoë");
}

#[tokio::test]
async fn time_in_the_mail_follows_the_clock_on_the_days_of_a_change() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    for (zone, start, remind_at, time, utc) in [
        ("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T00:00:00Z", "29 March 2026, 03:00", "20260329T010000Z"),
        ("Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z", "25 October 2026, 02:30", "20261025T013000Z"),
        (
            "Australia/Lord_Howe",
            "2026-04-04T15:15:00Z",
            "2026-04-04T14:15:00Z",
            "5 April 2026, 01:45",
            "20260404T151500Z",
        ),
        ("Asia/Kathmandu", "2026-05-04T03:15:00Z", "2026-05-04T02:15:00Z", "4 May 2026, 09:00", "20260504T031500Z"),
    ] {
        studio.set_contact(json!({ "timeZone": zone })).await;
        world.clock().set("2026-03-20T00:00:00Z".parse().unwrap());
        studio.book(start).await;
        studio.remind_at(remind_at).await;
        let mail = studio.mails().pop().unwrap();
        let text = mail.text.unwrap();
        assert!(text.contains(&format!("{time} ({zone})")), "{zone}: {text}");
        assert_eq!(events_by_ical(&mail.attachments[0].text).values().next().unwrap()["DTSTART"], utc);
    }
}

#[tokio::test]
async fn confirmation_and_notices_are_sent_once_for_each_change() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "offsets": [] })).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    world.remind().await;
    let start = json!({ "startTime": "2026-03-03T12:00:00Z" });
    studio.then(&booked, "reschedule").await.json(start).is(200).await;
    world.remind().await;
    studio.then(&booked, "cancel").await.is(200).await;
    world.remind().await;
    world.remind().await;
    let subjects = ["Appointment booked", "Appointment moved", "Appointment cancelled"];
    assert_eq!(studio.subjects(), subjects.map(|subject| format!("{subject}: Haircut – Northwind")));
    let mails = studio.mails();
    assert!(mails.iter().all(|mail| mail.unsubscribe_url.is_none()));
    let statuses = mails.iter().map(|mail| events_by_ical(&mail.attachments[0].text).into_values().next().unwrap());
    let sequences: Vec<_> = statuses.map(|event| (event["STATUS"].clone(), event["SEQUENCE"].clone())).collect();
    let expected = [("TENTATIVE", "0"), ("TENTATIVE", "1"), ("CANCELLED", "2")];
    assert_eq!(sequences, expected.map(|(status, sequence)| (status.to_owned(), sequence.to_owned())));
    world.assert_consistent().await;
}

#[tokio::test]
async fn staff_member_gets_the_same_mails_if_the_client_wants_it() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "offsets": [60], "staff": true })).await;
    let email = unique_email();
    let staff = format!("{}/staff/{}", studio.salon.client, studio.staff);
    let zone = json!({ "email": email, "timeZone": "Europe/Berlin" });
    studio.owner().await.patch(&staff).json(zone).is(200).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    assert_eq!(studio.list(&booked).await.len(), 4);
    studio.remind_at("2026-03-03T09:00:00Z").await;
    let mails = outbox().mails_to(&email);
    let text = mails[0].text.as_deref().unwrap();
    assert_eq!(mails.len(), 2);
    assert!(text.contains("11:00 (Europe/Berlin)\nHaircut\nZoë Adams"), "{text}");
    assert!(mails.iter().all(|mail| mail.unsubscribe_url.is_none() && !mail.text.as_ref().unwrap().contains("token=")));
    assert_eq!(studio.mails().len(), 2);
}

#[tokio::test]
async fn visitor_who_books_gets_reminders_and_manages_the_appointment_by_their_link() {
    let world = World::new().await;
    let site = Website::open(&world).await;
    world.remind().await;
    let (service, _) = (site.salon.service(json!({})).await, site.salon.staff(json!({})).await);
    let email = unique_email();
    let mut body = booking(&service, "2026-03-03T10:00:00Z");
    body["email"] = json!(email);
    body["timeZone"] = json!("America/New_York");
    let booked = site.visit().await.book(&body).is(201).await;
    world.remind().await;
    world.clock().set("2026-03-03T09:00:00Z".parse().unwrap());
    world.remind().await;
    let mails = outbox().mails_to(&email);
    let text = mails[0].text.as_deref().unwrap();
    assert!(text.contains("Tuesday, 3 March 2026, 05:00 (America/New_York)"), "{text}");
    let token = text.split_once("?token=").unwrap().1.split('&').next().unwrap();
    let path = format!("/appointments/{}/confirm?token={token}", booked.id());
    assert_eq!(site.request(Method::POST, &path).is(200).await.body["status"], "CONFIRMED");
}

#[tokio::test]
async fn compiled_function_answers_requests_and_sends_what_is_due() {
    let world = World::compiled().await;
    let shop = world.shop().await;
    let (client, email) = (&shop.paths.client, unique_email());
    let contact = json!({ "firstName": "Ada", "email": email });
    let contact = shop.owner.post(&format!("{client}/contacts")).json(contact).created().await;
    let booking = json!({
        "serviceId": shop.paths.id("serviceId"), "staffId": shop.paths.id("staffId"), "contactId": contact.id(),
        "startTime": world.clock().now().after(Duration::from_hours(30)), "force": true,
    });
    let booked = shop.owner.post(&format!("{client}/appointments")).json(booking).created().await;
    assert_eq!(world.remind().await["sent"], 1);
    let list = shop.owner.get(&format!("{}/reminders", booked.location())).is(200).await;
    let statuses = list.body["items"].as_array().unwrap().iter().map(|mail| mail["status"].as_str().unwrap());
    assert_eq!(statuses.collect::<Vec<_>>(), ["PENDING", "PENDING", "SENT"]);
    assert_eq!(outbox().mails_to(&email).len(), 1);
    assert!(world.function_logs().contains("\"OldestDueReminder\":"), "the metrics are in the log");
}

// ── Not sent ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn cancelled_appointment_has_no_reminders() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "confirmations": false, "notices": false })).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    studio.remind_at("2026-03-02T10:00:00Z").await;
    studio.then(&booked, "cancel").await.is(200).await;
    assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "SENT", None)], "the sent one remains");
    studio.remind_at("2026-03-03T09:00:00Z").await;
    assert_eq!(studio.mails().len(), 1);
    world.assert_consistent().await;
}

#[tokio::test]
async fn reminder_that_was_due_before_the_cancellation_is_skipped() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    world.clock().set("2026-03-03T09:00:30Z".parse().unwrap());
    studio.then(&booked, "cancel").await.is(200).await;
    studio.remind_at("2026-03-03T09:01:00Z").await;
    assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "SKIPPED", Some("cancelled"))]);
    assert_eq!(studio.mails().len(), 0);
}

#[tokio::test]
async fn moved_appointment_is_reminded_at_its_new_time_only() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    let start = json!({ "startTime": "2026-03-04T10:00:00Z" });
    studio.then(&booked, "reschedule").await.json(start).is(200).await;
    studio.remind_at("2026-03-03T09:00:00Z").await;
    assert_eq!(studio.mails().len(), 0);
    studio.remind_at("2026-03-04T09:00:00Z").await;
    let text = studio.mails().remove(0).text.unwrap();
    assert!(text.contains("4 March 2026, 10:00"), "{text}");
}

#[tokio::test]
async fn appointment_that_is_moved_after_a_reminder_is_reminded_again() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    studio.remind_at("2026-03-03T09:00:00Z").await;
    let start = json!({ "startTime": "2026-03-03T14:00:00Z" });
    studio.then(&booked, "reschedule").await.json(start).is(200).await;
    studio.remind_at("2026-03-03T13:00:00Z").await;
    let ids: Vec<_> = studio.mails().into_iter().map(|mail| mail.id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1], "a mail server would drop a duplicate");
}

#[tokio::test]
async fn deleted_appointment_leaves_no_mails() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({})).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    studio.owner().await.delete(booked.location()).is(204).await;
    world.remind().await;
    studio.remind_at("2026-03-03T09:00:00Z").await;
    assert_eq!(studio.mails().len(), 0);
    let rows = world.rows().await;
    let of_appointment = |row: &&Value| row["sk"].as_str().unwrap().starts_with(booked.id());
    assert_eq!(rows.iter().filter(of_appointment).count(), 0);
}

#[tokio::test]
async fn settings_are_checked_again_when_a_reminder_is_due() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    for off in [json!({ "enabled": false }), json!({ "channels": [] })] {
        studio.set(hour_before()).await;
        world.clock().set("2026-03-02T00:00:00Z".parse().unwrap());
        let booked = studio.book("2026-03-03T10:00:00Z").await;
        studio.set(off).await;
        studio.remind_at("2026-03-03T09:00:00Z").await;
        assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "SKIPPED", Some("disabled"))]);
        studio.then(&booked, "cancel").await.is(200).await;
    }
    assert_eq!(studio.mails().len(), 0);
}

#[tokio::test]
async fn contact_without_an_email_or_a_deleted_one_is_skipped() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let first = studio.book("2026-03-03T10:00:00Z").await;
    studio.set_contact(json!({ "email": null })).await;
    studio.remind_at("2026-03-03T09:00:00Z").await;
    assert_eq!(studio.outcomes(&first).await, [outcome("REMINDER", "SKIPPED", Some("no_email"))]);
    let second = studio.book("2026-03-04T10:00:00Z").await;
    studio.owner().await.delete(&format!("{}/contacts/{}", studio.salon.client, studio.contact)).is(204).await;
    studio.remind_at("2026-03-04T09:00:00Z").await;
    assert_eq!(studio.outcomes(&second).await, [outcome("REMINDER", "SKIPPED", Some("no_contact"))]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn every_transition_leaves_no_pending_reminder() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    for transition in ["complete", "no-show", "cancel"] {
        world.clock().set("2026-03-02T00:00:00Z".parse().unwrap());
        let booked = studio.book("2026-03-03T10:00:00Z").await;
        studio.then(&booked, "confirm").await.is(200).await;
        assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "PENDING", None)], "confirmed");
        // The tick is skipped, so that the reminder is still there when the status changes.
        world.clock().set("2026-03-03T10:00:00Z".parse().unwrap());
        studio.then(&booked, transition).await.is(200).await;
        world.remind().await;
        let outcomes = studio.outcomes(&booked).await;
        assert!(outcomes.iter().all(|(_, status, _)| status == "SKIPPED"), "{transition}: {outcomes:?}");
        studio.owner().await.delete(booked.location()).is(204).await;
    }
    assert_eq!(studio.mails().len(), 0);
}

// ── Failures ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn failed_reminder_is_tried_again_after_a_pause() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "offsets": [600], "confirmations": false })).await;
    let booked = studio.book("2026-03-03T20:00:00Z").await;
    outbox().refuse(&studio.email, Refusal::Temporary);
    assert_eq!(studio.remind_at("2026-03-03T10:00:00Z").await["failed"], 1);
    assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "PENDING", Some("smtp 451"))]);
    assert_eq!(studio.remind_at("2026-03-03T10:00:20Z").await["failed"], 0, "not before the shortest pause");
    outbox().accept(&studio.email);
    assert_eq!(studio.remind_at("2026-03-03T10:01:30Z").await["sent"], 1);
    assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "SENT", None)]);
}

#[tokio::test]
async fn reminder_is_dead_after_eight_failures_or_a_rejected_address() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "offsets": [600], "confirmations": false })).await;
    let booked = studio.book("2026-03-03T20:00:00Z").await;
    outbox().refuse(&studio.email, Refusal::Temporary);
    world.clock().set("2026-03-03T10:00:00Z".parse().unwrap());
    for attempt in 1..=8 {
        let report = world.remind().await;
        assert_eq!(
            (&report["failed"], &report["dead"]),
            (&json!(i32::from(attempt < 8)), &json!(i32::from(attempt == 8)))
        );
        world.clock().advance(31 * 60);
    }
    assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "DEAD", Some("smtp 451"))]);
    outbox().refuse(&studio.email, Refusal::Permanent);
    let booked = studio.book("2026-03-04T20:00:00Z").await;
    assert_eq!(studio.remind_at("2026-03-04T10:00:00Z").await["dead"], 1);
    assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "DEAD", Some("smtp 550"))]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn reminder_with_broken_data_does_not_hold_up_others() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let broken = studio.book("2026-03-03T10:00:00Z").await;
    let other = json!({
        "serviceId": studio.salon.shop.paths.id("serviceId"), "staffId": studio.salon.staff(json!({})).await,
        "startTime": "2026-03-03T10:00:00Z", "contactId": studio.contact, "force": true,
    });
    let other = studio.salon.ask_for(other).created().await;
    let rows = world.rows().await;
    let service =
        rows.iter().find(|row| row["sk"] == studio.service && row["pk"].as_str().unwrap().ends_with("#SERVICE"));
    world.remove_row(service.unwrap()).await;
    let report = studio.remind_at("2026-03-03T09:00:00Z").await;
    assert_eq!((&report["sent"], &report["failed"]), (&json!(1), &json!(1)));
    assert_eq!(studio.outcomes(&broken).await, [outcome("REMINDER", "PENDING", Some("internal"))]);
    assert_eq!(studio.outcomes(&other).await, [outcome("REMINDER", "SENT", None)]);
}

/// A transport that never answers.
struct Stuck(AtomicBool);

impl Mailer for &Stuck {
    async fn send(&self, _: &EmailMessage) -> Result<(), SendError> {
        self.0.store(true, Ordering::Relaxed);
        std::future::pending().await
    }
}

#[tokio::test]
async fn reminder_of_a_worker_that_ended_is_sent_when_its_lease_has_expired() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    studio.book("2026-03-03T10:00:00Z").await;
    world.clock().set("2026-03-03T09:00:00Z".parse().unwrap());
    let stuck = Stuck(AtomicBool::new(false));
    let worker = Worker::new(world.app_of("reminders"), &stuck, WidgetsUrl::new("http://localhost:3001"));
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        let run = worker.run();
        tokio::pin!(run);
        // Ends as soon as the mail is being sent.
        while !stuck.0.load(Ordering::Relaxed) {
            let _ = tokio::time::timeout(Duration::from_millis(5), &mut run).await;
        }
    });
    ended.await.unwrap();
    assert_eq!(studio.remind_at("2026-03-03T09:00:30Z").await["sent"], 0, "another worker has the lease");
    assert_eq!(studio.remind_at("2026-03-03T09:01:30Z").await["sent"], 1);
}

#[tokio::test]
async fn change_between_the_read_and_the_claim_prevents_the_mail() {
    let world = World::with_faults().await;
    let studio = Studio::open(&world, hour_before()).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    let rows = world.rows().await;
    let is_booked = |row: &&Value| row["sk"] == booked.id() && row["pk"].as_str().unwrap().ends_with("#APPOINTMENT");
    let mut cancelled = rows.iter().find(is_booked).unwrap().clone();
    cancelled["status"] = json!("CANCELLED");
    cancelled["version"] = json!(2);
    world.clock().set("2026-03-03T09:00:00Z".parse().unwrap());
    // The claim is repeated until the appointment has changed.
    world.faults().all_writes_after(0, Fault::Conflict);
    let before = world.faults().calls();
    let change = async {
        // 16 Queries, two reads, and the claim, which is repeated.
        while world.faults().calls() < before + 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.put_row(cancelled).await;
        world.faults().none();
    };
    let (report, ()) = tokio::join!(world.remind(), change);
    assert_eq!((&report["sent"], &report["skipped"]), (&json!(0), &json!(1)));
    assert_eq!(studio.mails().len(), 0);
}

/// A transport that moves the appointment before it sends: the change comes after the claim.
struct Overtaken<'a, 'w> {
    studio: &'a Studio<'w>,
    booked: &'a Answer,
}

impl Mailer for Overtaken<'_, '_> {
    async fn send(&self, _: &EmailMessage) -> Result<(), SendError> {
        let start = json!({ "startTime": "2026-03-05T10:00:00Z" });
        self.studio.then(self.booked, "reschedule").await.json(start).is(200).await;
        Ok(())
    }
}

#[tokio::test]
async fn move_during_an_attempt_keeps_the_reminder_of_the_new_time() {
    let world = World::new().await;
    let studio = Studio::open(&world, hour_before()).await;
    let booked = studio.book("2026-03-03T10:00:00Z").await;
    world.clock().set("2026-03-03T09:00:00Z".parse().unwrap());
    let overtaken = Overtaken { studio: &studio, booked: &booked };
    let worker = Worker::new(world.app_of("reminders"), overtaken, WidgetsUrl::new("http://localhost:3001"));
    worker.run().await.unwrap();
    assert_eq!(studio.outcomes(&booked).await, [outcome("REMINDER", "PENDING", None)]);
    assert_eq!(studio.due(&booked).await, ["2026-03-05T09:00"]);
    assert_eq!(studio.remind_at("2026-03-05T09:00:00Z").await["sent"], 1);
    world.assert_consistent().await;
}

// ── Stopping reminders ──────────────────────────────────────────────────────────────────────────────────────────────

/// The path of a link, without the host.
fn path_of(url: &str) -> String {
    url.strip_prefix("http://localhost:3001").unwrap().to_owned()
}

/// Sends the first reminder, and returns the path of the link that stops reminders.
async fn unsubscribe_path(studio: &Studio<'_>) -> String {
    studio.book("2026-03-03T10:00:00Z").await;
    studio.remind_at("2026-03-03T09:00:00Z").await;
    path_of(&studio.mails().into_iter().find_map(|mail| mail.unsubscribe_url).unwrap())
}

#[tokio::test]
async fn link_stops_reminders_with_one_post_and_not_with_a_get() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "offsets": [60] })).await;
    let path = unsubscribe_path(&studio).await;
    let reader = world.subscriber(studio.salon.shop.paths.scope);
    let contact = format!("{}/contacts/{}", studio.salon.client, studio.contact);
    let page = reader.get(&path).is(200).await;
    assert!(page.text.contains("<form method=\"post\">") && page.header("content-type").starts_with("text/html"));
    assert_eq!(studio.owner().await.get(&contact).is(200).await.body["remindersOff"], false);
    let form = ("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click");
    for (media, body) in [form, ("multipart/form-data; boundary=x", "--x--"), ("text/plain", "")] {
        let done = reader.post(&path).body(media, body).is(200).await;
        assert!(done.text.contains("You will get no more reminders."), "{}", done.text);
    }
    let stopped = studio.owner().await.get(&contact).is(200).await;
    assert_eq!((&stopped.body["remindersOff"], &stopped.body["version"]), (&json!(true), &json!(2)));
    assert!(!reader.get(&path).is(200).await.text.contains("<form"));
}

#[tokio::test]
async fn contact_who_stopped_reminders_still_gets_confirmations() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "offsets": [60] })).await;
    let path = unsubscribe_path(&studio).await;
    let booked = studio.book("2026-03-04T10:00:00Z").await;
    world.subscriber(studio.salon.shop.paths.scope).post(&path).is(200).await;
    studio.remind_at("2026-03-04T09:00:00Z").await;
    let expected = [outcome("REMINDER", "SKIPPED", Some("opted_out")), outcome("CONFIRMATION", "SENT", None)];
    assert_eq!(studio.outcomes(&booked).await, expected);
}

#[tokio::test]
async fn link_of_a_deleted_contact_succeeds_and_another_text_is_401() {
    let world = World::new().await;
    let studio = Studio::open(&world, json!({ "offsets": [60] })).await;
    let path = unsubscribe_path(&studio).await;
    studio.owner().await.delete(&format!("{}/contacts/{}", studio.salon.client, studio.contact)).is(204).await;
    let reader = world.subscriber(studio.salon.shop.paths.scope);
    reader.post(&path).is(200).await;
    for path in ["/reminders/unsubscribe", "/reminders/unsubscribe?token=x"] {
        world.anonymous().post(path).problem(401, "unauthenticated").await;
        world.anonymous().get(path).problem(401, "unauthenticated").await;
    }
}
