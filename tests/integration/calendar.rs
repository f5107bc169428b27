//! Calendar feeds of staff members, read as a subscribing program reads them.

use std::collections::BTreeMap;

use calcard::Entry;
use calcard::icalendar::{ICalendarComponent, ICalendarComponentType, ICalendarValue};
use harness::at_once;
use harness::users::{Answer, RequestBuilder};
use harness::world::World;
use serde_json::{Value, json};
use shared::identity::Role;

use crate::appointments::Salon;

/// The unfolded lines of a calendar (RFC 5545, section 3.1).
fn unfolded(text: &str) -> Vec<String> {
    let lines = text.strip_suffix("\r\n").expect("a line ends in CRLF").split("\r\n");
    let mut unfolded: Vec<String> = Vec::new();
    for line in lines {
        assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line:?}");
        match line.strip_prefix(' ') {
            Some(more) => unfolded.last_mut().expect("a preceding line").push_str(more),
            None => unfolded.push(line.to_owned()),
        }
    }
    unfolded
}

/// The properties of each event, by `UID`, as the crate `ical` reads them: text is still escaped.
pub(crate) fn events_by_ical(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let calendar = ical::IcalParser::new(text.as_bytes()).next().expect("a calendar").expect("a valid calendar");
    let event = |event: ical::parser::ical::component::IcalEvent| {
        let properties = event.properties.into_iter();
        let properties: BTreeMap<_, _> = properties.map(|property| (property.name, property.value.unwrap())).collect();
        (properties["UID"].clone(), properties)
    };
    calendar.events.into_iter().map(event).collect()
}

/// The texts of each event, by `UID`, as the crate `calcard` reads them: unescaped.
pub(crate) fn texts_by_calcard(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let Entry::ICalendar(calendar) = calcard::Parser::new(text).entry() else { panic!("a valid calendar: {text}") };
    let events = calendar.components.into_iter().filter(|part| part.component_type == ICalendarComponentType::VEvent);
    let event = |event: ICalendarComponent| {
        let texts = event.entries.into_iter().filter_map(|entry| match entry.values.as_slice() {
            [ICalendarValue::Text(text)] => Some((entry.name.as_str().to_owned(), text.clone())),
            _ => None,
        });
        let texts: BTreeMap<_, _> = texts.collect();
        (texts["UID"].clone(), texts)
    };
    events.map(event).collect()
}

/// Text without its escapes (RFC 5545, 3.3.11).
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => plain.push(match characters.next().expect("an escaped character") {
                'n' | 'N' => '\n',
                other => other,
            }),
            other => plain.push(other),
        }
    }
    plain
}

/// A parsed calendar.
struct Feed {
    /// Properties of the calendar itself.
    properties: BTreeMap<String, String>,
    /// Events by `UID`.
    events: BTreeMap<String, BTreeMap<String, String>>,
}

impl Feed {
    fn parse(answer: &Answer) -> Self {
        assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        let lines = unfolded(&answer.text);
        assert_eq!((lines[0].as_str(), lines.last().unwrap().as_str()), ("BEGIN:VCALENDAR", "END:VCALENDAR"));
        let mut feed = Self { properties: BTreeMap::new(), events: BTreeMap::new() };
        let mut event: Option<BTreeMap<String, String>> = None;
        for line in &lines[1..lines.len() - 1] {
            let (name, value) = line.split_once(':').expect("a property");
            match (line.as_str(), &mut event) {
                ("BEGIN:VEVENT", event) => *event = Some(BTreeMap::new()),
                ("END:VEVENT", _) => {
                    let event = event.take().expect("a begun event");
                    assert!(feed.events.insert(event["UID"].clone(), event).is_none(), "UIDs are unique");
                }
                (_, Some(event)) => drop(event.insert(name.to_owned(), value.to_owned())),
                (_, None) => drop(feed.properties.insert(name.to_owned(), value.to_owned())),
            }
        }
        feed.assert_read_by_others(&answer.text);
        feed
    }

    /// Two other readers find the same events.
    fn assert_read_by_others(&self, text: &str) {
        assert_eq!(events_by_ical(text), self.events);
        let texts = texts_by_calcard(text);
        assert_eq!(texts.keys().collect::<Vec<_>>(), self.events.keys().collect::<Vec<_>>());
        for (uid, event) in &self.events {
            for name in ["SUMMARY", "DESCRIPTION"] {
                assert_eq!(texts[uid].get(name).cloned(), event.get(name).map(|text| unescaped(text)), "{name}");
            }
        }
    }

    fn event(&self, appointment: &Answer) -> &BTreeMap<String, String> {
        let found = self.events.iter().find(|(uid, _)| uid.starts_with(appointment.id()));
        found.map(|(_, event)| event).expect("the appointment's event")
    }
}

/// Creates a calendar feed and returns its path with the token.
async fn create_feed(salon: &Salon<'_>, staff: &str) -> String {
    let answer = salon.owner().post(&format!("{}/staff/{staff}/calendar", salon.client)).is(200).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.body["path"].as_str().unwrap().to_owned()
}

/// Requests a feed without signing in, as a calendar program does.
fn request_feed<'w>(world: &'w World, salon: &Salon<'_>, path: &str) -> RequestBuilder<'w> {
    world.subscriber(salon.shop.paths.scope).get(path)
}

async fn read_feed(world: &World, salon: &Salon<'_>, path: &str) -> Feed {
    Feed::parse(&request_feed(world, salon, path).is(200).await)
}

#[tokio::test]
async fn calendar_shows_every_change_of_an_appointment() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let path = create_feed(&salon, &staff).await;
    let read = async || read_feed(&world, &salon, &path).await;
    assert_eq!(read().await.events, BTreeMap::new());
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    let other = salon.book(&service, Some(&staff), "2026-03-02T12:00:00Z").created().await;
    let mut versions = vec![read().await.event(&booked).clone()];
    let to = json!({ "startTime": "2026-03-03T10:30:00Z" });
    for request in [
        salon.then(&booked, "reschedule").json(to),
        salon.then(&booked, "confirm"),
        salon.owner().patch(booked.location()).json(json!({ "notes": "Short" })),
        salon.then(&booked, "cancel"),
    ] {
        request.is(200).await;
        let feed = read().await;
        assert_eq!(feed.events.len(), 2);
        versions.push(feed.event(&booked).clone());
    }
    let all = |name: &str| versions.iter().map(|event| event[name].as_str()).collect::<Vec<_>>();
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
    // An appointment that moves to another staff member leaves this calendar.
    let ben = salon.staff(json!({})).await;
    let to = json!({ "startTime": "2026-03-02T12:00:00Z", "staffId": ben });
    salon.then(&other, "reschedule").json(to).is(200).await;
    assert_eq!(read().await.events.len(), 0);
}

#[tokio::test]
async fn text_is_escaped_and_long_lines_are_folded() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = salon.service(json!({ "name": "Cut, wash; dry" })).await;
    let staff = salon.staff(json!({ "name": "Ann, Senior; \\Stylist" })).await;
    let person = json!({ "firstName": "Ada", "lastName": "King, of \\Lovelace" });
    let contact = salon.owner().post(&salon.shop.contacts).json(person).created().await;
    let book = |start: &str, notes: &str| {
        salon.ask_for(json!({
            "serviceId": service, "staffId": staff, "startTime": start, "contactId": contact.id(), "notes": notes,
        }))
    };
    let notes = "First, this;\r\nEND:VEVENT\n\\n is no line";
    let escaped = book("2026-03-02T10:00:00Z", notes).created().await;
    let long = "日本語 ".repeat(120);
    let folded = book("2026-03-02T12:00:00Z", long.trim()).created().await;
    let truncated = book("2026-03-02T14:00:00Z", &"x".repeat(10_000)).created().await;
    let feed = read_feed(&world, &salon, &create_feed(&salon, &staff).await).await;
    assert_eq!(feed.events.len(), 3);
    let event = feed.event(&escaped);
    assert_eq!(event["SUMMARY"], "Cut\\, wash\\; dry – Ada King\\, of \\\\Lovelace");
    assert_eq!(event["DESCRIPTION"], "First\\, this\\;\\nEND:VEVENT\\n\\\\n is no line");
    assert_eq!(feed.event(&folded)["DESCRIPTION"], long.trim());
    for name in ["NAME", "X-WR-CALNAME"] {
        assert!(
            feed.properties.get(name).is_none_or(|name| name == "Ann\\, Senior\\; \\\\Stylist"),
            "{:?}",
            feed.properties
        );
    }
    assert!(feed.properties.contains_key("X-WR-CALNAME"));
    // Descriptions are cut: a thousand of them must fit into an answer.
    assert!(feed.event(&truncated)["DESCRIPTION"].len() < 2000);
    // A deleted contact is no longer named.
    salon.owner().delete(contact.location()).is(204).await;
    let feed = read_feed(&world, &salon, &create_feed(&salon, &staff).await).await;
    assert_eq!(feed.event(&escaped)["SUMMARY"], "Cut\\, wash\\; dry");
}

#[tokio::test]
async fn everyday_notes_are_never_folded_within_an_escape() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let mut notes = BTreeMap::new();
    for (at, length) in (40..75).enumerate() {
        let text = format!("{}\n{}, then; \\ {}\u{2028}end", "a".repeat(length), "b".repeat(60), "c".repeat(60));
        let start = format!("2026-03-{:02}T{:02}:00:00Z", 2 + at / 24, at % 24);
        let booking =
            json!({ "serviceId": service, "staffId": staff, "startTime": start, "notes": text, "force": true });
        let booked = salon.ask_for(booking).created().await;
        assert_eq!(booked.body["notes"], text.replace('\u{2028}', "\n"), "a line separator is a line end");
        notes.insert(booked.id().to_owned(), booked.body["notes"].as_str().unwrap().to_owned());
    }
    let answer = request_feed(&world, &salon, &create_feed(&salon, &staff).await).is(200).await;
    for line in answer.text.split("\r\n") {
        let backslashes = line.chars().rev().take_while(|c| *c == '\\').count();
        assert_eq!(backslashes % 2, 0, "{line}");
    }
    let feed = Feed::parse(&answer);
    for event in feed.events.values() {
        assert_eq!(unescaped(&event["DESCRIPTION"]), notes[event["UID"].split_once('@').unwrap().0]);
    }
}

#[tokio::test]
async fn renamed_service_or_contact_changes_the_time_of_its_events() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let contact = salon.shop.paths.id("contactId");
    let booking =
        json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-02T10:00:00Z", "contactId": contact });
    let booked = salon.ask_for(booking).created().await;
    let path = create_feed(&salon, &staff).await;
    let mut stamps = vec![read_feed(&world, &salon, &path).await.event(&booked)["LAST-MODIFIED"].clone()];
    for (path_of_entity, name) in
        [(format!("{}/services/{service}", salon.client), "name"), (salon.shop.paths.contact.clone(), "lastName")]
    {
        world.clock().advance(60);
        salon.owner().patch(&path_of_entity).json(json!({ (name): "Renamed" })).is(200).await;
        let feed = read_feed(&world, &salon, &path).await;
        let event = feed.event(&booked);
        assert!(event["SUMMARY"].contains("Renamed"), "{event:?}");
        assert_eq!(event["DTSTAMP"], event["LAST-MODIFIED"]);
        stamps.push(event["LAST-MODIFIED"].clone());
    }
    assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
}

#[tokio::test]
async fn unchanged_feed_is_not_sent_again() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    let path = create_feed(&salon, &staff).await;
    let first = request_feed(&world, &salon, &path).is(200).await;
    let feed = Feed::parse(&first);
    assert_eq!(feed.properties["X-PUBLISHED-TTL"], "PT15M");
    assert_eq!(feed.properties["REFRESH-INTERVAL;VALUE=DURATION"], "PT15M");
    assert!(first.header("last-modified").starts_with("Sun, 01 Mar 2026 12:00:"), "{first}");
    world.clock().advance(60);
    let again = |tag: &str| request_feed(&world, &salon, &path).header("if-none-match", tag);
    for tag in [first.header("etag"), "*", &format!("\"x\", W/{}", first.header("etag"))] {
        let unchanged = again(tag).is(304).await;
        assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", first.header("etag")));
    }
    salon.then(&booked, "confirm").is(200).await;
    let changed = again(first.header("etag")).is(200).await;
    assert_ne!(changed.header("etag"), first.header("etag"));
}

#[tokio::test]
async fn newest_feed_url_is_valid_until_revoked() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({})).await;
    let feed_path = format!("{}/staff/{staff}/calendar", salon.client);
    salon.owner().delete(&feed_path).problem(404, "not_found").await;
    let first = create_feed(&salon, &staff).await;
    request_feed(&world, &salon, &first).is(200).await;
    let second = create_feed(&salon, &staff).await;
    request_feed(&world, &salon, &first).problem(401, "unauthenticated").await;
    request_feed(&world, &salon, &second).is(200).await;
    // Changing the staff member does not revoke the feed.
    let staff_path = format!("{}/staff/{staff}", salon.client);
    salon.owner().patch(&staff_path).json(json!({ "active": false })).is(200).await;
    request_feed(&world, &salon, &second).is(200).await;
    salon.owner().delete(&feed_path).is(204).await;
    salon.owner().delete(&feed_path).problem(404, "not_found").await;
    request_feed(&world, &salon, &second).problem(401, "unauthenticated").await;
    let third = create_feed(&salon, &staff).await;
    request_feed(&world, &salon, &second).problem(401, "unauthenticated").await;
    request_feed(&world, &salon, &third).is(200).await;
    salon.owner().delete(&staff_path).is(204).await;
    request_feed(&world, &salon, &third).problem(401, "unauthenticated").await;
    salon.owner().post(&feed_path).problem(404, "not_found").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn concurrently_created_feeds_leave_one_valid_url() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({})).await;
    let feed_path = format!("{}/staff/{staff}/calendar", salon.client);
    let created = at_once((0..5).map(|_| salon.owner().post(&feed_path).contended().is(200))).await;
    let paths = created.iter().map(|answer| answer.body["path"].as_str().unwrap());
    let answers = at_once(paths.map(|path| request_feed(&world, &salon, path).send())).await;
    let valid = answers.iter().filter(|answer| answer.status == 200).count();
    let revoked = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((valid, revoked), (1, 4));
    world.assert_consistent().await;
}

#[tokio::test]
async fn feed_token_opens_only_its_own_calendar() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (ann, ben) = (salon.staff(json!({})).await, salon.staff(json!({})).await);
    let (ann_feed, ben_feed) = (create_feed(&salon, &ann).await, create_feed(&salon, &ben).await);
    let (_, token) = ann_feed.split_once("?token=").unwrap();
    let (path, _) = ben_feed.split_once('?').unwrap();
    let other = world.shop().await;
    let other_feed = other.owner.post(&format!("{}/calendar", other.paths.staff)).is(200).await;
    let foreign = other_feed.body["path"].as_str().unwrap().split_once('?').unwrap().1.to_owned();
    let shortened = &token[..token.len() - 2];
    for query in [
        format!("token={token}"),
        foreign,
        format!("token={shortened}"),
        "token=".to_owned(),
        "token=x".to_owned(),
        String::new(),
    ] {
        let answer = request_feed(&world, &salon, &format!("{path}?{query}")).problem(401, "unauthenticated").await;
        assert_eq!(answer.operations(), Vec::<&str>::new(), "the table is not read");
    }
    // Neither a signed-in user nor a token of another kind can read a feed.
    let access = salon.owner().session["accessToken"].as_str().unwrap().to_owned();
    salon.owner().get(path).problem(401, "unauthenticated").await;
    request_feed(&world, &salon, &format!("{path}?token={access}")).problem(401, "unauthenticated").await;
    // Calendar programs append parameters of their own.
    request_feed(&world, &salon, &format!("{ben_feed}&nocache=1")).is(200).await;
    request_feed(&world, &salon, &format!("{}/staff/x/calendar.ics?token={token}", salon.client))
        .problem(404, "not_found")
        .await;
    // Managing feeds needs the permission to manage schedules.
    let assistant = world.user(salon.shop.paths.scope, Role::ClientUser).await;
    let feed_path = format!("{}/staff/{ann}/calendar", salon.client);
    assistant.post(&feed_path).problem(403, "forbidden").await;
    assistant.delete(&feed_path).problem(403, "forbidden").await;
}

#[tokio::test]
async fn calendar_covers_one_month_back_and_one_year_ahead() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let mut booked = BTreeMap::new();
    for start in ["2026-01-28T10:00:00Z", "2026-01-30T10:00:00Z", "2027-03-01T10:00:00Z", "2027-03-05T10:00:00Z"] {
        let booking = json!({ "serviceId": service, "staffId": staff, "startTime": start, "force": true });
        booked.insert(start, salon.ask_for(booking).created().await);
    }
    let feed = read_feed(&world, &salon, &create_feed(&salon, &staff).await).await;
    let starts: Vec<Value> = feed.events.values().map(|event| json!(event["DTSTART"])).collect();
    let mut starts: Vec<_> = starts.iter().map(|start| start.as_str().unwrap()).collect();
    starts.sort_unstable();
    assert_eq!(starts, ["20260130T100000Z", "20270301T100000Z"]);
}
