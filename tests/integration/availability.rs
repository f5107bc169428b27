//! Availability: the booking rules, tested through the API.

use harness::world::World;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use shared::value::Instant;
use uuid::Uuid;

use crate::appointments::{NOW, Salon};

/// Slot starts in a range, as `MM-DDTHH:MM`.
async fn starts(salon: &Salon<'_>, service: &str, staff: &str, from: &str, to: &str) -> Vec<String> {
    let slots = salon.availability(&format!("serviceId={service}&staffId={staff}&from={from}&to={to}")).await;
    slots["slots"].as_array().unwrap().iter().map(|slot| slot["start"].as_str().unwrap()[5..16].to_owned()).collect()
}

/// Creates a service with this duration and slot interval (minutes).
///
/// It has the largest horizon.
async fn service(salon: &Salon<'_>, duration: u32, interval: u32) -> String {
    salon.service(json!({ "duration": duration, "slotInterval": interval, "horizonDays": 3650 })).await
}

/// Working hours around the clock.
fn around_the_clock() -> Value {
    let week = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    json!([{ "days": week, "start": "00:00", "end": "24:00" }])
}

fn instant(text: &Value) -> Instant {
    text.as_str().unwrap().parse().unwrap()
}

// ── Daylight saving time ────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn new_york_slots_follow_daylight_saving_time() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (hourly, half) = (service(&salon, 60, 60).await, service(&salon, 30, 30).await);
    let night_hours = json!([{ "days": ["sun"], "start": "00:00", "end": "06:00" }]);
    let night_staff = salon.staff(json!({ "timeZone": "America/New_York", "weeklyHours": night_hours })).await;
    let spring = ("2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z");
    let autumn = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
    let expected = ["03-08T05:00", "03-08T06:00", "03-08T07:00", "03-08T08:00", "03-08T09:00"];
    assert_eq!(starts(&salon, &hourly, &night_staff, spring.0, spring.1).await, expected);
    let expected =
        ["11-01T04:00", "11-01T05:00", "11-01T06:00", "11-01T07:00", "11-01T08:00", "11-01T09:00", "11-01T10:00"];
    assert_eq!(starts(&salon, &hourly, &night_staff, autumn.0, autumn.1).await, expected);
    // A bound in the gap uses the offset before the gap. A local time that occurs twice means its first occurrence.
    let overrides = json!({
        "2026-03-08": [{ "start": "02:30", "end": "04:00" }], "2026-11-01": [{ "start": "01:30", "end": "02:00" }],
    });
    let edge_staff = salon.staff(json!({ "timeZone": "America/New_York", "overrides": overrides })).await;
    assert_eq!(starts(&salon, &half, &edge_staff, spring.0, spring.1).await, ["03-08T07:30"]);
    let expected = ["11-01T05:30", "11-01T06:00", "11-01T06:30"];
    assert_eq!(starts(&salon, &half, &edge_staff, autumn.0, autumn.1).await, expected);
    for start in ["2026-03-08T07:30:00Z", "2026-11-01T06:30:00Z"] {
        salon.book(&half, Some(&edge_staff), start).created().await;
    }
    salon.book(&half, Some(&edge_staff), "2026-11-01T07:00:00Z").problem(409, "slot_unavailable").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn lord_howe_slots_follow_its_half_hour_clock_change() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = service(&salon, 60, 30).await;
    let early = json!([{ "days": ["sun"], "start": "01:00", "end": "04:00" }]);
    let staff = salon.staff(json!({ "timeZone": "Australia/Lord_Howe", "weeklyHours": early })).await;
    let autumn = starts(&salon, &service, &staff, "2026-04-04T00:00:00Z", "2026-04-05T00:00:00Z").await;
    let expected = ["04-04T14:00", "04-04T14:30", "04-04T15:00", "04-04T15:30", "04-04T16:00", "04-04T16:30"];
    assert_eq!(autumn, expected);
    let spring = starts(&salon, &service, &staff, "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z").await;
    assert_eq!(spring, ["10-03T14:30", "10-03T15:00", "10-03T15:30", "10-03T16:00"]);
}

// ── Hours ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn adjacent_windows_are_merged_even_across_midnight() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = service(&salon, 180, 60).await;
    let hours = json!([
        { "days": ["mon"], "start": "20:00", "end": "24:00" }, { "days": ["tue"], "start": "00:00", "end": "02:00" },
        { "days": ["wed"], "start": "08:00", "end": "10:00" }, { "days": ["wed"], "start": "09:00", "end": "12:00" },
    ]);
    let staff = salon.staff(json!({ "weeklyHours": hours })).await;
    let week = starts(&salon, &service, &staff, "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z").await;
    let expected = ["03-02T20:00", "03-02T21:00", "03-02T22:00", "03-02T23:00", "03-04T08:00", "03-04T09:00"];
    assert_eq!(week, expected);
    salon.book(&service, Some(&staff), "2026-03-02T23:00:00Z").created().await;
    assert_eq!(salon.starts(&service, Some(&staff), "2026-03-02").await, ["20:00"]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn override_replaces_the_weekly_hours_of_a_date() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let service = service(&salon, 60, 60).await;
    let overrides = json!({
        "2026-03-03": [],
        "2026-03-04": [{ "start": "06:00", "end": "08:00" }, { "start": "20:00", "end": "21:00" }],
        "2026-03-07": [{ "start": "10:00", "end": "11:00" }],
    });
    let staff = salon.staff(json!({ "overrides": overrides })).await;
    for (day, expected) in [
        ("2026-03-02", vec!["09:00", "10:00", "11:00", "12:00", "13:00", "14:00", "15:00", "16:00"]),
        ("2026-03-03", vec![]),
        ("2026-03-04", vec!["06:00", "07:00", "20:00"]),
        ("2026-03-07", vec!["10:00"]),
        ("2026-03-08", vec![]),
    ] {
        assert_eq!(salon.starts(&service, Some(&staff), day).await, expected, "{day}");
    }
}

#[tokio::test]
async fn slots_respect_notice_and_horizon() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({})).await;
    let later = salon.service(json!({ "minNotice": 24 * 60 })).await;
    let soon = salon.service(json!({ "horizonDays": 1 })).await;
    // It is shortly after noon of the day before.
    let first = salon.starts(&later, Some(&staff), "2026-03-02").await;
    assert_eq!((first[0].as_str(), first.len()), ("12:30", 8));
    let last = salon.starts(&soon, Some(&staff), "2026-03-02").await;
    assert_eq!(last, ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30", "12:00"]);
    assert_eq!(salon.starts(&soon, Some(&staff), "2026-03-03").await, [""; 0]);
    for (service, start) in [(&later, "2026-03-02T12:00:00Z"), (&soon, "2026-03-02T12:30:00Z")] {
        salon.book(service, Some(&staff), start).problem(409, "slot_unavailable").await;
    }
    salon.book(&soon, Some(&staff), "2026-03-02T12:00:00Z").created().await;
    // Past times are not offered.
    let always_open = salon.staff(json!({ "weeklyHours": around_the_clock() })).await;
    let remaining = starts(&salon, &soon, &always_open, "2026-02-20T00:00:00Z", "2026-03-01T13:31:00Z").await;
    assert_eq!(remaining, ["03-01T12:30", "03-01T13:00", "03-01T13:30"]);
}

#[tokio::test]
async fn slot_starts_are_counted_from_the_beginning_of_the_hours() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let opening_at = |start: &str, zone: &str| {
        let hours = json!([{ "days": ["mon"], "start": start, "end": "12:00" }]);
        json!({ "timeZone": zone, "weeklyHours": hours })
    };
    for (zone, opens, duration, interval, expected) in [
        ("UTC", "09:07", 60, 45, vec!["03-02T09:07", "03-02T09:52", "03-02T10:37"]),
        ("UTC", "11:31", 7, 7, vec!["03-02T11:31", "03-02T11:38", "03-02T11:45", "03-02T11:52"]),
        ("UTC", "10:01", 50, 50, vec!["03-02T10:01", "03-02T10:51"]),
        ("UTC", "09:59", 60, 120, vec!["03-02T09:59"]),
        ("Asia/Kolkata", "09:15", 60, 60, vec!["03-02T03:45", "03-02T04:45"]),
        ("Asia/Kathmandu", "11:05", 15, 15, vec!["03-02T05:20", "03-02T05:35", "03-02T05:50"]),
    ] {
        let (service, staff) = (service(&salon, duration, interval).await, salon.staff(opening_at(opens, zone)).await);
        let found = starts(&salon, &service, &staff, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z").await;
        assert_eq!(found, expected, "{zone} from {opens} every {interval}");
    }
}

#[tokio::test]
async fn buffers_add_up_and_a_booking_shifts_no_start() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({})).await;
    let booked = salon.service(json!({ "duration": 60, "bufferBefore": 5, "bufferAfter": 10 })).await;
    let service =
        salon.service(json!({ "duration": 45, "slotInterval": 45, "bufferBefore": 15, "bufferAfter": 20 })).await;
    let free = salon.starts(&service, Some(&staff), "2026-03-02").await;
    assert_eq!(free[..4], ["09:00", "09:45", "10:30", "11:15"]);
    salon.book(&booked, Some(&staff), "2026-03-02T11:00:00Z").created().await;
    // 5 + 20 minutes stay free before the booking, and 10 + 15 minutes after it.
    let rest = salon.starts(&service, Some(&staff), "2026-03-02").await;
    assert_eq!(rest, ["09:00", "09:45", "12:45", "13:30", "14:15", "15:00", "15:45"]);
    salon.book(&service, Some(&staff), "2026-03-02T12:30:00Z").problem(409, "slot_unavailable").await;
    let forced = |time: &str| {
        let start = format!("2026-03-02T{time}:00Z");
        salon.ask_for(json!({ "serviceId": service, "staffId": staff, "startTime": start, "force": true }))
    };
    for time in ["12:24", "09:51"] {
        forced(time).problem(409, "slot_unavailable").await;
    }
    for time in ["12:25", "09:50"] {
        forced(time).created().await;
    }
    world.assert_consistent().await;
}

// ── Queries ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn time_zone_parameter_changes_only_the_format() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let query = format!("serviceId={service}&staffId={staff}&from=2026-03-02T10:00:00Z&to=2026-03-02T12:00:00Z");
    let plain = salon.availability(&query).await["slots"].clone();
    assert_eq!(plain[0]["start"], "2026-03-02T10:00:00.000Z");
    for (zone, first) in [
        ("America/New_York", "2026-03-02T05:00:00.000-05:00"),
        ("Asia/Kathmandu", "2026-03-02T15:45:00.000+05:45"),
        ("Europe/London", "2026-03-02T10:00:00.000Z"),
    ] {
        let slots = salon.availability(&format!("{query}&timeZone={zone}&explain=true")).await["slots"].clone();
        assert_eq!(slots[0]["start"], first);
        let instants = |slots: &Value| {
            let slots = slots.as_array().unwrap().iter();
            slots.map(|slot| (instant(&slot["start"]), instant(&slot["end"]))).collect::<Vec<_>>()
        };
        assert_eq!(instants(&slots), instants(&plain));
    }
}

#[tokio::test]
async fn slot_lists_its_free_staff_members() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let late = json!([{ "days": ["mon"], "start": "11:00", "end": "14:00" }]);
    let [ann, ben, cid, dan] = [
        salon.staff(json!({})).await,
        salon.staff(json!({ "weeklyHours": late })).await,
        salon.staff(json!({})).await,
        salon.staff(json!({ "active": false })).await,
    ];
    let offered = json!({ "duration": 120, "slotInterval": 60, "staffIds": [dan, ben, ann] });
    let service = salon.service(offered).await;
    let query = format!("serviceId={service}&from=2026-03-02T09:00:00Z&to=2026-03-02T13:00:00Z");
    let slots = salon.availability(&query).await["slots"].clone();
    let slot = |start: &str, end: &str, staff: &[&String]| {
        let [start, end] = [start, end].map(|time| format!("2026-03-02T{time}:00.000Z"));
        json!({ "start": start, "end": end, "staffIds": staff })
    };
    let expected = json!([
        slot("09:00", "11:00", &[&ann]),
        slot("10:00", "12:00", &[&ann]),
        slot("11:00", "13:00", &[&ann, &ben]),
        slot("12:00", "14:00", &[&ann, &ben]),
    ]);
    assert_eq!(slots, expected);
    let path = format!("{}/availability?{query}", salon.client);
    let refused = salon.owner().get(&format!("{path}&staffId={cid}")).invalid(&["/staffId"]).await;
    assert_eq!(refused.body["errors"][0]["code"], "not_offered");
    salon.book(&service, Some(&cid), "2026-03-02T09:00:00Z").invalid(&["/staffId"]).await;
    let unrestricted = salon.service(json!({})).await;
    let range = "from=2026-03-02T09:00:00Z&to=2026-03-02T09:30:00Z";
    let slots = salon.availability(&format!("serviceId={unrestricted}&{range}")).await["slots"].clone();
    assert_eq!(slots[0]["staffIds"], json!([ann, cid]));
}

#[tokio::test]
async fn query_is_validated_and_spans_at_most_31_days() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let path = format!("{}/availability", salon.client);
    let request = |query: &str| salon.owner().get(&format!("{path}?{query}"));
    let day = "from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z";
    request(&format!("serviceId={service}&from=2026-03-02T00:00:00Z&to=2026-04-02T00:00:00Z")).is(200).await;
    for to in ["2026-04-03T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"] {
        request(&format!("serviceId={service}&from=2026-03-02T00:00:00Z&to={to}")).invalid(&["/to"]).await;
    }
    // 31 local days that are one hour longer, because the clocks are put back.
    let month = "from=2026-10-15T00:00:00-04:00&to=2026-11-15T00:00:00-05:00";
    request(&format!("serviceId={service}&{month}")).is(200).await;
    request("").invalid(&["/serviceId", "/from", "/to"]).await;
    let invalid = "serviceId=1&staffId=2&from=now&to=2026-03-02&timeZone=Mars&explain=maybe&day=1";
    let pointers = ["/serviceId", "/staffId", "/from", "/to", "/timeZone", "/explain", "/day"];
    request(invalid).invalid(&pointers).await;
    let unknown_id = Uuid::now_v7();
    request(&format!("serviceId={unknown_id}&{day}")).invalid(&["/serviceId"]).await;
    request(&format!("serviceId={service}&staffId={unknown_id}&{day}")).invalid(&["/staffId"]).await;
    request(&format!("serviceId={unknown_id}&staffId={staff}&{day}")).invalid(&["/serviceId"]).await;
    let unknown_client = format!("/v1/clients/{unknown_id}/availability?serviceId={service}&staffId={staff}&{day}");
    salon.shop.admin.get(&unknown_client).problem(404, "not_found").await;
}

#[tokio::test]
async fn unavailable_periods_name_their_rule() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({ "overrides": { "2026-03-03": [] } })).await;
    let rules = json!({ "bufferAfter": 15, "minNotice": 24 * 60, "horizonDays": 4 });
    let service = salon.service(rules).await;
    let off = json!({ "start": "2026-03-04T09:00:00Z", "end": "2026-03-04T12:00:00Z" });
    salon.owner().post(&format!("{}/staff/{staff}/time-off", salon.client)).json(off).created().await;
    salon.book(&service, Some(&staff), "2026-03-04T13:00:00Z").created().await;
    let query = format!("serviceId={service}&staffId={staff}&from=2026-03-02T00:00:00Z&to=2026-03-06T00:00:00Z");
    let answer = salon.availability(&format!("{query}&explain=true")).await;
    let to_minute = |time: &Value| time.as_str().unwrap()[5..16].to_owned();
    let unavailable: Vec<_> = answer["closed"].as_array().unwrap().iter().collect();
    assert!(unavailable.iter().all(|period| period["staffId"] == json!(staff)));
    let explained: Vec<_> = unavailable
        .iter()
        .map(|period| (to_minute(&period["start"]), to_minute(&period["end"]), period["rule"].as_str().unwrap()))
        .collect();
    let expected = [
        ("03-02T00:00", "03-02T12:00", "NOTICE"),
        ("03-02T17:00", "03-03T00:00", "HOURS"),
        ("03-03T00:00", "03-04T00:00", "OVERRIDE"),
        ("03-04T00:00", "03-04T08:45", "HOURS"),
        ("03-04T08:45", "03-04T09:00", "BUFFER"),
        ("03-04T09:00", "03-04T12:00", "TIME_OFF"),
        ("03-04T12:00", "03-04T12:45", "TOO_SHORT"),
        ("03-04T12:45", "03-04T13:00", "BUFFER"),
        ("03-04T13:00", "03-04T14:00", "BOOKING"),
        ("03-04T14:00", "03-04T14:15", "BUFFER"),
        ("03-04T17:00", "03-05T09:00", "HOURS"),
        ("03-05T12:00", "03-06T00:00", "HORIZON"),
    ];
    assert_eq!(explained, expected.map(|(start, end, rule)| (start.to_owned(), end.to_owned(), rule)));
    for slot in answer["slots"].as_array().unwrap() {
        let start = instant(&slot["start"]);
        let starts_in = |period: &&&Value| instant(&period["start"]) <= start && start < instant(&period["end"]);
        assert_eq!(unavailable.iter().find(starts_in), None, "{start}");
    }
    assert!(salon.availability(&query).await.get("closed").is_none(), "only with explain=true");
}

#[tokio::test]
async fn inactive_staff_member_is_unavailable_in_the_whole_range() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({ "active": false })).await);
    let range = "from=2026-03-02T00:00:00Z&to=2026-03-06T00:00:00Z";
    let answer = salon.availability(&format!("serviceId={service}&staffId={staff}&{range}&explain=true")).await;
    let unavailable = json!({
        "staffId": staff, "start": "2026-03-02T00:00:00.000Z", "end": "2026-03-06T00:00:00.000Z", "rule": "INACTIVE",
    });
    assert_eq!(answer, json!({ "slots": [], "closed": [unavailable] }));
    let only = salon.service(json!({ "staffIds": [staff] })).await;
    let of_all = salon.availability(&format!("serviceId={only}&{range}&explain=true")).await;
    assert_eq!(of_all, answer, "also if no staff member is named");
}

#[tokio::test]
async fn range_with_too_many_slots_is_rejected() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({ "weeklyHours": around_the_clock() })).await;
    let each_minute = service(&salon, 1, 1).await;
    let path = format!("{}/availability?serviceId={each_minute}&staffId={staff}", salon.client);
    let request = |to: &str| salon.owner().get(&format!("{path}&from=2026-03-02T00:00:00Z&to={to}"));
    let refused = request("2026-04-02T00:00:00Z").invalid(&["/to"]).await;
    assert_eq!(refused.body["errors"][0]["code"], "too_many_slots");
    let days = request("2026-03-14T00:00:00Z").is(200).await;
    assert_eq!(days.body["slots"].as_array().unwrap().len(), 12 * 24 * 60);
}

// ── Offered slots can be booked ─────────────────────────────────────────────────────────────────────────────────────

/// Formats a time of day given in quarters of an hour.
fn quarter(at: u32) -> String {
    format!("{:02}:{:02}", at / 4, at % 4 * 15)
}

/// Up to two random windows of a day.
fn windows(random: &mut SmallRng) -> Vec<Value> {
    let window = |random: &mut SmallRng| {
        let start = random.random_range(0..92);
        json!({ "start": quarter(start), "end": quarter(random.random_range(start + 1..=96)) })
    };
    (0..random.random_range(0..3)).map(|_| window(random)).collect()
}

/// Creates a staff member with random hours, bookings and time off.
///
/// They are in the week of the tests.
async fn random_staff_member(salon: &Salon<'_>, service: &str, random: &mut SmallRng) -> String {
    let zones = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia"];
    let mut weekly = Vec::new();
    for day in ["mon", "tue", "wed", "thu", "fri"] {
        for mut window in windows(random) {
            window["days"] = json!([day]);
            weekly.push(window);
        }
    }
    let overrides = json!({ "2026-03-03": windows(random), "2026-03-05": windows(random) });
    let zone = zones.choose(random).unwrap();
    let staff = json!({ "timeZone": zone, "weeklyHours": weekly, "overrides": overrides });
    let staff = salon.staff(staff).await;
    let time = |random: &mut SmallRng| {
        format!("2026-03-0{}T{}:00Z", random.random_range(2..7), quarter(random.random_range(0..96)))
    };
    for _ in 0..6 {
        let booking = json!({ "serviceId": service, "staffId": staff, "startTime": time(random), "force": true });
        salon.ask_for(booking).send().await;
    }
    let start = time(random);
    let end = format!("{}T23:59:00Z", &start[..10]);
    let off = salon.owner().post(&format!("{}/staff/{staff}/time-off?keepBookings=true", salon.client));
    off.json(json!({ "start": start, "end": end })).created().await;
    staff
}

#[tokio::test]
async fn exactly_the_offered_slots_can_be_booked() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let mut booked = 0;
    for seed in 0..5 {
        // Keep the notice from passing a start while the test runs.
        world.clock().set(NOW.parse().unwrap());
        let mut random = SmallRng::seed_from_u64(seed);
        let rules = json!({
            "duration": random.random_range(1..24) * 5, "slotInterval": random.random_range(1..13) * 5,
            "bufferBefore": random.random_range(0..3) * 5, "bufferAfter": random.random_range(0..3) * 5,
            "minNotice": random.random_range(0..400) * 5, "horizonDays": random.random_range(4..8),
        });
        let service = salon.service(rules).await;
        let staff = random_staff_member(&salon, &service, &mut random).await;
        let query = format!("serviceId={service}&staffId={staff}&from=2026-03-01T00:00:00Z&to=2026-03-09T00:00:00Z");
        let slots = salon.availability(&query).await["slots"].clone();
        let offered: Vec<_> = slots.as_array().unwrap().iter().map(|slot| slot["start"].as_str().unwrap()).collect();
        let mut sample = offered.clone();
        for start in sample.partial_shuffle(&mut random, 12).0 {
            let answer = salon.book(&service, Some(&staff), start).created().await;
            salon.owner().delete(answer.location()).is(204).await;
            booked += 1;
        }
        for _ in 0..12 {
            let day = random.random_range(1..9);
            let minute = random.random_range(0..288) * 5;
            let start = format!("2026-03-{day:02}T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
            if !offered.contains(&start.as_str()) {
                salon.book(&service, Some(&staff), &start).problem(409, "slot_unavailable").await;
            }
        }
        assert_eq!(salon.availability(&query).await["slots"], slots, "seed {seed}");
    }
    assert!(booked > 20, "too few slots were offered: {booked}");
    world.assert_consistent().await;
}

#[tokio::test]
async fn start_stays_offered_whatever_else_is_booked() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({ "weeklyHours": around_the_clock() })).await;
    let service = salon.service(json!({ "duration": 45, "slotInterval": 50 })).await;
    let week = ("2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z");
    let shown = starts(&salon, &service, &staff, week.0, week.1).await;
    // A count ends at midnight.
    assert_eq!(shown[27..31], ["03-02T22:30", "03-02T23:20", "03-03T00:00", "03-03T00:50"]);
    let forced = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-03-02T10:10:00Z", "force": true });
    salon.ask_for(forced).created().await;
    let taken = ["03-02T10:00", "03-02T10:50"];
    let rest: Vec<_> = shown.iter().filter(|start| !taken.contains(&start.as_str())).cloned().collect();
    assert_eq!(starts(&salon, &service, &staff, week.0, week.1).await, rest);
    salon.book(&service, Some(&staff), "2026-03-03T00:10:00Z").problem(409, "slot_unavailable").await;
    salon.book(&service, Some(&staff), "2026-03-03T00:50:00Z").created().await;
    salon.book(&service, None, "2026-03-05T23:20:00Z").created().await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn exactly_the_starts_listed_for_rescheduling_are_accepted() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (ann, ben) = (salon.staff(json!({})).await, salon.staff(json!({})).await);
    let service = salon.service(json!({ "duration": 45, "slotInterval": 45, "bufferAfter": 10 })).await;
    let booked = salon.book(&service, Some(&ann), "2026-03-02T09:00:00Z").created().await;
    salon.book(&service, Some(&ann), "2026-03-02T12:00:00Z").created().await;
    // Ann no longer offers the service.
    let only_ben = json!({ "staffIds": [ben] });
    salon.owner().patch(&format!("{}/services/{service}", salon.client)).json(only_ben).is(200).await;
    let query =
        format!("serviceId={service}&from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z&rescheduling={}", booked.id());
    let all = salon.availability(&query).await;
    for staff in [&ann, &ben] {
        let own = salon.availability(&format!("{query}&staffId={staff}")).await;
        let listed: Vec<_> = own["slots"].as_array().unwrap().iter().map(|slot| slot["start"].clone()).collect();
        let of_staff = all["slots"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|slot| slot["staffIds"].as_array().unwrap().contains(&json!(staff)));
        assert_eq!(of_staff.map(|slot| slot["start"].clone()).collect::<Vec<_>>(), listed);
        assert!(listed.contains(&json!("2026-03-02T09:00:00.000Z")), "its own time is free: {listed:?}");
        for minute in (9 * 60..17 * 60).step_by(15) {
            let start = format!("2026-03-02T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
            let to = json!({ "startTime": start, "staffId": staff });
            let moved = salon.then(&booked, "reschedule").json(to);
            if listed.contains(&json!(start)) {
                moved.is(200).await;
            } else {
                moved.problem(409, "slot_unavailable").await;
            }
        }
        let back = json!({ "startTime": "2026-03-02T09:00:00Z", "staffId": ann });
        let back = salon.then(&booked, "reschedule").json(back);
        if *staff == ann {
            back.is(200).await
        } else {
            back.invalid(&["/staffId"]).await
        };
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn rescheduling_names_an_open_appointment_for_the_service() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, other, staff) =
        (salon.service(json!({})).await, salon.service(json!({})).await, salon.staff(json!({})).await);
    let booked = salon.book(&service, Some(&staff), "2026-03-02T10:00:00Z").created().await;
    let range = "from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z";
    let request = |service: &str, id: &str| {
        salon.owner().get(&format!("{}/availability?serviceId={service}&{range}&rescheduling={id}", salon.client))
    };
    let unknown = Uuid::now_v7().to_string();
    request(&service, &unknown).invalid(&["/rescheduling"]).await;
    request(&unknown, &unknown).invalid(&["/serviceId", "/rescheduling"]).await;
    request(&service, "soon").invalid(&["/rescheduling"]).await;
    let refused = request(&other, booked.id()).invalid(&["/rescheduling"]).await;
    assert_eq!(refused.body["errors"][0]["code"], "other_service");
    salon.then(&booked, "cancel").is(200).await;
    let refused = request(&service, booked.id()).invalid(&["/rescheduling"]).await;
    assert_eq!(refused.body["errors"][0]["code"], "not_open");
}

#[tokio::test]
async fn appointments_without_a_named_staff_member_alternate_between_days() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = [salon.staff(json!({})).await, salon.staff(json!({})).await, salon.staff(json!({})).await];
    let service = salon.service(json!({ "staffIds": staff })).await;
    let mut assigned = Vec::new();
    for day in [2, 3, 4, 5, 6, 9] {
        world.clock().advance(60);
        let booked = salon.book(&service, None, &format!("2026-03-{day:02}T10:00:00Z")).created().await;
        assigned.push(booked.body["staffId"].as_str().unwrap().to_owned());
    }
    assert_eq!(assigned, [&staff[..], &staff[..]].concat());
    world.assert_consistent().await;
}

#[tokio::test]
async fn hours_of_a_hundred_windows_are_answered() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let hours = vec![json!({ "days": days, "start": "00:00", "end": "24:00" }); 100];
    let staff = salon.staff(json!({ "weeklyHours": hours })).await;
    let service = salon.service(json!({ "duration": 7, "slotInterval": 7, "horizonDays": 3650 })).await;
    let day = starts(&salon, &service, &staff, "2036-02-01T00:00:00Z", "2036-02-02T00:00:00Z").await;
    assert_eq!((day.len(), day[0].as_str(), day[205].as_str()), (206, "02-01T00:00", "02-01T23:55"));
    salon.book(&service, Some(&staff), "2036-02-01T12:00:00Z").problem(409, "slot_unavailable").await;
    let booked = salon.book(&service, Some(&staff), "2036-02-01T12:01:00Z").created().await;
    assert_eq!(booked.operations(), ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn times_beyond_supported_years_are_rejected_and_leap_seconds_accepted() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({ "bufferBefore": 60 })).await, salon.staff(json!({})).await);
    for start in ["9999-12-31T23:30:00Z", "9999-12-31T20:00:00-12:00", "0000-01-01T00:30:00Z"] {
        let booking = json!({ "serviceId": service, "staffId": staff, "startTime": start, "force": true });
        salon.ask_for(booking).invalid(&["/startTime"]).await;
    }
    let range = "from=9999-12-31T00:00:00Z&to=9999-12-31T23:59:59-12:00";
    let path = format!("{}/availability?serviceId={service}&staffId={staff}&{range}", salon.client);
    salon.owner().get(&path).invalid(&["/from", "/to"]).await;
    // A leap second counts as the first moment of the next minute.
    let leap = json!({ "serviceId": service, "staffId": staff, "startTime": "2026-06-30T23:59:60Z", "force": true });
    let booked = salon.ask_for(leap).created().await;
    assert_eq!(booked.body["startTime"], "2026-07-01T00:00:00.000Z");
    world.assert_consistent().await;
}
