//! Calendars of the staff, as programs that subscribe to them see them.

use std::collections::BTreeMap;

use harness::at_once;
use harness::who::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};
use shared::auth::Role;

use crate::appointments::Salon;

/// The lines of a calendar, unfolded (RFC 5545, 3.1).
fn unfolded(text: &str) -> Vec<String> {
    let lines = text.strip_suffix("\r\n").expect("a line ends in CRLF").split("\r\n");
    let mut whole: Vec<String> = Vec::new();
    for line in lines {
        assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line:?}");
        match line.strip_prefix(' ') {
            Some(more) => whole.last_mut().expect("a line before").push_str(more),
            None => whole.push(line.to_owned()),
        }
    }
    whole
}

/// A calendar that was read.
struct Feed {
    /// Its own properties.
    about: BTreeMap<String, String>,
    /// Its events, by their `UID`.
    events: BTreeMap<String, BTreeMap<String, String>>,
}

impl Feed {
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        let lines = unfolded(&answer.text);
        assert_eq!((lines[0].as_str(), lines.last().unwrap().as_str()), ("BEGIN:VCALENDAR", "END:VCALENDAR"));
        let mut feed = Self { about: BTreeMap::new(), events: BTreeMap::new() };
        let mut event: Option<BTreeMap<String, String>> = None;
        for line in &lines[1..lines.len() - 1] {
            let (name, value) = line.split_once(':').expect("a property");
            match (line.as_str(), &mut event) {
                ("BEGIN:VEVENT", event) => *event = Some(BTreeMap::new()),
                ("END:VEVENT", _) => {
                    let event = event.take().expect("an event has begun");
                    assert!(feed.events.insert(event["UID"].clone(), event).is_none(), "each has its own UID");
                }
                (_, Some(event)) => drop(event.insert(name.to_owned(), value.to_owned())),
                (_, None) => drop(feed.about.insert(name.to_owned(), value.to_owned())),
            }
        }
        feed
    }

    fn event(&self, appointment: &Answer) -> &BTreeMap<String, String> {
        let found = self.events.iter().find(|(uid, _)| uid.starts_with(appointment.id()));
        found.map(|(_, event)| event).expect("the appointment's event")
    }
}

/// Gives out the address of a calendar: the whole path.
async fn subscribed(salon: &Salon<'_>, staff: &str) -> String {
    let answer = salon.owner().post(&format!("{}/staff/{staff}/calendar", salon.client)).is(200).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.body["path"].as_str().unwrap().to_owned()
}

/// Asks as a program does that knows the address alone.
fn ask<'w>(world: &'w World, salon: &Salon<'_>, path: &str) -> RequestBuilder<'w> {
    world.subscriber(salon.shop.spot.scope).get(path)
}

async fn read(world: &World, salon: &Salon<'_>, path: &str) -> Feed {
    Feed::of(&ask(world, salon, path).is(200).await)
}

#[tokio::test]
async fn a_calendar_tells_what_becomes_of_each_appointment() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let path = subscribed(&salon, &staff).await;
    let read = async || read(&world, &salon, &path).await;
    assert_eq!(read().await.events, BTreeMap::new());
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    let other = salon.book(&service, Some(&staff), "2026-03-02T12:00:00Z").created().await;
    let mut seen = vec![read().await.event(&booked).clone()];
    let to = json!({ "startTime": "2026-03-03T10:30:00Z" });
    for ask in [
        salon.then(&booked, "reschedule").json(to),
        salon.then(&booked, "confirm"),
        salon.owner().patch(booked.location()).json(json!({ "notes": "Short" })),
        salon.then(&booked, "cancel"),
    ] {
        ask.is(200).await;
        let feed = read().await;
        assert_eq!(feed.events.len(), 2);
        seen.push(feed.event(&booked).clone());
    }
    let all = |name: &str| seen.iter().map(|event| event[name].as_str()).collect::<Vec<_>>();
    assert!(all("UID").windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(all("SEQUENCE"), ["0", "1", "2", "3", "4"]);
    assert_eq!(all("STATUS"), ["TENTATIVE", "TENTATIVE", "CONFIRMED", "CONFIRMED", "CANCELLED"]);
    assert_eq!(all("DTSTART")[..2], ["20260302T100000Z", "20260303T103000Z"]);
    assert_eq!(all("DTEND")[..2], ["20260302T110000Z", "20260303T113000Z"]);
    assert_eq!(all("SUMMARY")[0], "Haircut");
    assert!(all("DTSTAMP").iter().all(|stamp| stamp.starts_with("20260301T12") && stamp.ends_with('Z')));
    salon.owner().delete(booked.location()).is(204).await;
    let feed = read().await;
    assert_eq!((feed.events.len(), feed.event(&other)["STATUS"].as_str()), (1, "TENTATIVE"));
    // Moved to somebody else, it is theirs alone.
    let ben = salon.staff(json!({})).await;
    let to = json!({ "startTime": "2026-03-02T12:00:00Z", "staffId": ben });
    salon.then(&other, "reschedule").json(to).is(200).await;
    assert_eq!(read().await.events.len(), 0);
}

#[tokio::test]
async fn texts_are_escaped_and_long_lines_are_folded() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = salon.service(json!({ "name": "Cut, wash; dry" })).await;
    let staff = salon.staff(json!({ "name": "Ann, Senior; \\Stylist" })).await;
    let person = json!({ "firstName": "Ada", "lastName": "King, of \\Lovelace" });
    let contact = salon.owner().post(&salon.shop.contacts).json(person).created().await;
    let wish = |start: &str, notes: &str| {
        salon.ask_for(json!({
            "serviceId": service, "staffId": staff, "startTime": start, "contactId": contact.id(), "notes": notes,
        }))
    };
    let notes = "First, this;\r\nEND:VEVENT\n\\n is no line";
    let one = wish("2026-03-02T10:00:00Z", notes).created().await;
    let long = "日本語 ".repeat(120);
    let two = wish("2026-03-02T12:00:00Z", long.trim()).created().await;
    let endless = wish("2026-03-02T14:00:00Z", &"x".repeat(10_000)).created().await;
    let feed = read(&world, &salon, &subscribed(&salon, &staff).await).await;
    assert_eq!(feed.events.len(), 3);
    let event = feed.event(&one);
    assert_eq!(event["SUMMARY"], "Cut\\, wash\\; dry – Ada King\\, of \\\\Lovelace");
    assert_eq!(event["DESCRIPTION"], "First\\, this\\;\\nEND:VEVENT\\n\\\\n is no line");
    assert_eq!(feed.event(&two)["DESCRIPTION"], long.trim());
    for name in ["NAME", "X-WR-CALNAME"] {
        assert!(feed.about.get(name).is_none_or(|name| name == "Ann\\, Senior\\; \\\\Stylist"), "{:?}", feed.about);
    }
    assert!(feed.about.contains_key("X-WR-CALNAME"));
    // A thousand of them have to fit into an answer.
    assert!(feed.event(&endless)["DESCRIPTION"].len() < 2000);
    // Whoever is deleted is named no longer.
    salon.owner().delete(contact.location()).is(204).await;
    let feed = read(&world, &salon, &subscribed(&salon, &staff).await).await;
    assert_eq!(feed.event(&one)["SUMMARY"], "Cut\\, wash\\; dry");
}

#[tokio::test]
async fn the_newest_address_is_good_until_it_is_revoked() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({})).await;
    let calendar = format!("{}/staff/{staff}/calendar", salon.client);
    salon.owner().delete(&calendar).problem(404, "not_found").await;
    let first = subscribed(&salon, &staff).await;
    ask(&world, &salon, &first).is(200).await;
    let second = subscribed(&salon, &staff).await;
    ask(&world, &salon, &first).problem(401, "unauthenticated").await;
    ask(&world, &salon, &second).is(200).await;
    // What is changed of them does not end it.
    let member = format!("{}/staff/{staff}", salon.client);
    salon.owner().patch(&member).json(json!({ "active": false })).is(200).await;
    ask(&world, &salon, &second).is(200).await;
    salon.owner().delete(&calendar).is(204).await;
    salon.owner().delete(&calendar).problem(404, "not_found").await;
    ask(&world, &salon, &second).problem(401, "unauthenticated").await;
    let third = subscribed(&salon, &staff).await;
    ask(&world, &salon, &second).problem(401, "unauthenticated").await;
    ask(&world, &salon, &third).is(200).await;
    salon.owner().delete(&member).is(204).await;
    ask(&world, &salon, &third).problem(401, "unauthenticated").await;
    salon.owner().post(&calendar).problem(404, "not_found").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn of_addresses_that_are_given_out_at_once_one_is_good() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({})).await;
    let calendar = format!("{}/staff/{staff}/calendar", salon.client);
    let given = at_once((0..5).map(|_| salon.owner().post(&calendar).contended().is(200))).await;
    let paths = given.iter().map(|answer| answer.body["path"].as_str().unwrap());
    let read = at_once(paths.map(|path| ask(&world, &salon, path).send())).await;
    let good = read.iter().filter(|answer| answer.status == 200).count();
    let bad = read.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((good, bad), (1, 4));
    world.assert_whole().await;
}

#[tokio::test]
async fn an_address_opens_one_calendar() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (ann, ben) = (salon.staff(json!({})).await, salon.staff(json!({})).await);
    let (hers, his) = (subscribed(&salon, &ann).await, subscribed(&salon, &ben).await);
    let (_, token) = hers.split_once("?token=").unwrap();
    let (path, _) = his.split_once('?').unwrap();
    let other = world.shop().await;
    let given = other.owner.post(&format!("{}/calendar", other.spot.staff)).is(200).await;
    let foreign = given.body["path"].as_str().unwrap().split_once('?').unwrap().1.to_owned();
    let cut = &token[..token.len() - 2];
    for query in [
        format!("token={token}"),
        foreign,
        format!("token={cut}"),
        "token=".to_owned(),
        "token=x".to_owned(),
        String::new(),
    ] {
        let answer = ask(&world, &salon, &format!("{path}?{query}")).problem(401, "unauthenticated").await;
        assert_eq!(answer.operations(), Vec::<&str>::new(), "nothing is read");
    }
    // Signing in opens none, and no token of another kind does.
    let access = salon.owner().session["accessToken"].as_str().unwrap().to_owned();
    salon.owner().get(path).problem(401, "unauthenticated").await;
    ask(&world, &salon, &format!("{path}?token={access}")).problem(401, "unauthenticated").await;
    ask(&world, &salon, &format!("{his}&day=1")).invalid(&["/day"]).await;
    ask(&world, &salon, &format!("{}/staff/x/calendar.ics?token={token}", salon.client))
        .problem(404, "not_found")
        .await;
    // Nobody but who manages schedules gives out addresses.
    let assistant = world.user(salon.shop.spot.scope, Role::ClientUser).await;
    let calendar = format!("{}/staff/{ann}/calendar", salon.client);
    assistant.post(&calendar).problem(403, "forbidden").await;
    assistant.delete(&calendar).problem(403, "forbidden").await;
}

#[tokio::test]
async fn a_calendar_goes_a_month_back_and_a_year_ahead() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let mut booked = BTreeMap::new();
    for start in ["2026-01-28T10:00:00Z", "2026-01-30T10:00:00Z", "2027-03-01T10:00:00Z", "2027-03-05T10:00:00Z"] {
        let wish = json!({ "serviceId": service, "staffId": staff, "startTime": start, "force": true });
        booked.insert(start, salon.ask_for(wish).created().await);
    }
    let feed = read(&world, &salon, &subscribed(&salon, &staff).await).await;
    let starts: Vec<Value> = feed.events.values().map(|event| json!(event["DTSTART"])).collect();
    let mut starts: Vec<_> = starts.iter().map(|start| start.as_str().unwrap()).collect();
    starts.sort_unstable();
    assert_eq!(starts, ["20260130T100000Z", "20270301T100000Z"]);
}
