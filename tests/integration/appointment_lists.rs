//! Appointment lists: filters by range, staff member, contact and status; paging.

use harness::users::Answer;
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::appointments::Salon;
use crate::paging::{ids, list_all, walk};

/// January to July: all months with bookings.
const BOOKED_MONTHS: &str = "from=2026-01-01T00:00:00Z&to=2026-08-01T00:00:00Z";

/// A salon with appointments of every status over several months.
struct BookedSalon<'w> {
    salon: Salon<'w>,
    staff: [String; 2],
    contacts: [String; 2],
    list: String,
}

impl<'w> BookedSalon<'w> {
    async fn over_months(world: &'w World) -> Self {
        let mut salon = Salon::open(world).await;
        // All appointments have started, so that their outcome can be recorded.
        world.clock().set("2026-08-01T00:00:00Z".parse().unwrap());
        salon.shop.owner = salon.owner().sign_in_again().await;
        let service = salon.service(json!({})).await;
        let staff = [salon.staff(json!({})).await, salon.staff(json!({})).await];
        let person = json!({ "firstName": "Ada", "lastName": "Lovelace" });
        let ada = salon.owner().post(&salon.shop.contacts).json(person).created().await;
        let contacts = [salon.shop.paths.id("contactId").to_owned(), ada.id().to_owned()];
        for at in 0..28 {
            // Created out of chronological order; none in May.
            let (month, day) = ([6, 3, 4, 7][at % 4], 1 + (at * 11) % 28);
            let mut booking = json!({
                "serviceId": service, "staffId": staff[at / 2 % 2], "startTime": format!("2026-0{month}-{day:02}T10:00:00Z"),
                "force": true,
            });
            if at % 3 > 0 {
                booking["contactId"] = json!(contacts[at % 3 - 1]);
            }
            let made = salon.ask_for(booking).created().await;
            let actions: &[&str] = [&[][..], &["confirm"], &["cancel"], &["confirm", "complete"]][at % 7 % 4];
            for action in actions {
                salon.then(&made, action).is(200).await;
            }
        }
        // The first and the last millisecond of a month.
        for start in ["2026-05-01T00:00:00Z", "2026-04-30T23:59:59.999Z"] {
            let booking = json!({ "serviceId": service, "staffId": staff[staff_index(start)], "startTime": start, "force": true });
            salon.ask_for(booking).created().await;
        }
        let list = format!("{}/appointments", salon.client);
        Self { salon, staff, contacts, list }
    }

    /// All appointments of the salon, sorted by start.
    async fn all(&self) -> Vec<Value> {
        let mut all = list_all(self.salon.owner(), &self.list).await;
        all.retain(|appointment| appointment["startTime"].as_str().unwrap() < "2030");
        all.sort_by_key(|appointment| appointment["startTime"].to_string());
        all
    }
}

/// Overlapping appointments are booked with different staff members.
fn staff_index(start: &str) -> usize {
    usize::from(start.starts_with("2026-04"))
}

#[tokio::test]
async fn range_over_several_months_is_listed_at_every_page_size() {
    let world = World::new().await;
    let booked = BookedSalon::over_months(&world).await;
    let expected = booked.all().await;
    assert_eq!(expected.len(), 30);
    for limit in [1, 2, 3, 7, 15, 29, 30, 31] {
        let walked = walk(booked.salon.owner(), &format!("{}?{BOOKED_MONTHS}", booked.list), limit).await;
        assert_eq!(walked.items, expected, "pages of {limit}");
        walked.assert_full(limit);
    }
    // `from` is inclusive and `to` is exclusive.
    for (from, to) in [
        ("2026-04-30T23:59:59.999Z", "2026-05-01T00:00:00Z"),
        ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00.001Z"),
        ("2026-03-10T10:00:00Z", "2026-06-10T10:00:00.001Z"),
        ("2026-05-01T02:00:00+02:00", "2026-06-01T00:00:00Z"),
        ("2025-03-01T00:00:00Z", "2026-03-02T00:00:00Z"),
    ] {
        let [first, end] = [from, to].map(|at| at.parse::<shared::value::Instant>().unwrap().to_string());
        let in_range = |one: &&Value| {
            let start = one["startTime"].as_str().unwrap();
            first.as_str() <= start && start < end.as_str()
        };
        let expected: Vec<_> = expected.iter().filter(in_range).cloned().collect();
        let range = format!("{}?from={}&to={to}", booked.list, from.replace('+', "%2B"));
        assert_eq!(walk(booked.salon.owner(), &range, 2).await.items, expected, "{range}");
    }
}

#[tokio::test]
async fn combined_filters_return_exactly_the_matching_appointments() {
    let world = World::new().await;
    let booked = BookedSalon::over_months(&world).await;
    let all = booked.all().await;
    let (from, to) = ("2026-03-15T00:00:00.000Z", "2026-06-20T00:00:00.000Z");
    for filters in 0..16 {
        let mut query = Vec::new();
        let mut expected = all.clone();
        for (at, name, value) in [
            (0, "staffId", booked.staff[1].as_str()),
            (1, "contactId", &booked.contacts[0]),
            (2, "status", "CONFIRMED"),
        ] {
            if filters & (1 << at) != 0 {
                query.push(format!("{name}={value}"));
                expected.retain(|appointment| appointment[name] == value);
            }
        }
        if filters & 8 != 0 {
            query.push(format!("from={from}&to={to}"));
            expected.retain(|one| (from..to).contains(&one["startTime"].as_str().unwrap()));
        }
        if query.is_empty() {
            continue;
        }
        let list = format!("{}?{}", booked.list, query.join("&"));
        for limit in [1, 3, 100] {
            let walked = walk(booked.salon.owner(), &list, limit).await;
            let made_by_test = |one: &&Value| one["startTime"].as_str().unwrap() < "2030";
            let found: Vec<_> = walked.items.iter().filter(made_by_test).cloned().collect();
            assert_eq!(found, expected, "{list} by {limit}");
            // A single filter is served by one index, so its pages are full.
            if (filters & 7_i32).count_ones() <= 1 {
                walked.assert_full(limit);
            }
        }
    }
    assert!(all.iter().any(|one| one["status"] == "COMPLETED") && all.iter().any(|one| one["status"] == "CANCELLED"));
}

#[tokio::test]
async fn range_needs_both_bounds_and_spans_at_most_one_year() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let list = |query: &str| salon.owner().get(&format!("{}/appointments?{query}", salon.client));
    list("from=2026-01-01T00:00:00Z").invalid(&["/to"]).await;
    list("to=2026-01-01T00:00:00Z").invalid(&["/from"]).await;
    list("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z").invalid(&["/to"]).await;
    list("from=2026-01-01T00:00:00Z&to=2027-01-02T00:00:00.001Z").invalid(&["/to"]).await;
    let year = list("from=2026-01-31T12:00:00Z&to=2027-02-01T12:00:00Z").is(200).await;
    assert_eq!(year.body, json!({ "items": [], "nextCursor": null }));
    let invalid = "from=now&to=then&staffId=1&contactId=2&status=OPEN&serviceId=3&limit=0";
    let pointers = ["/from", "/to", "/staffId", "/contactId", "/status", "/serviceId", "/limit"];
    list(invalid).invalid(&pointers).await;
    for query in [format!("staffId={}", Uuid::now_v7()), format!("contactId={}", Uuid::now_v7())] {
        assert_eq!(list(&query).is(200).await.body, json!({ "items": [], "nextCursor": null }));
    }
    let unknown_client = format!("/v1/clients/{}/appointments?{BOOKED_MONTHS}", Uuid::now_v7());
    salon.shop.admin.get(&unknown_client).problem(404, "not_found").await;
}

#[tokio::test]
async fn cursor_is_rejected_with_other_filters() {
    let world = World::new().await;
    let booked = BookedSalon::over_months(&world).await;
    let owner = booked.salon.owner();
    let later_months = "from=2026-03-01T00:00:00Z&to=2026-08-01T00:00:00Z";
    let queries = [
        BOOKED_MONTHS.to_owned(),
        later_months.to_owned(),
        String::new(),
        "status=SCHEDULED".to_owned(),
        "status=CONFIRMED".to_owned(),
        format!("status=SCHEDULED&{BOOKED_MONTHS}"),
        format!("staffId={}", booked.staff[0]),
        format!("staffId={}", booked.staff[1]),
        format!("contactId={}", booked.contacts[0]),
    ];
    let page =
        async |query: &str, rest: &str| owner.get(&format!("{}?limit=2&{query}{rest}", booked.list)).send().await;
    for from in &queries {
        let first = page(from, "").await;
        let cursor = format!("&cursor={}", first.body["nextCursor"].as_str().unwrap());
        for to in &queries {
            let next: Answer = page(to, &cursor).await;
            assert_eq!(next.status.as_u16(), if from == to { 200 } else { 400 }, "from {from:?} to {to:?}: {next}");
        }
    }
}

#[tokio::test]
async fn deleted_contact_disappears_from_lists_and_filters() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let (service, staff) = (salon.service(json!({})).await, salon.staff(json!({})).await);
    let contact = salon.shop.paths.id("contactId").to_owned();
    for at in 0..25 {
        let start = format!("2026-03-{:02}T10:00:00Z", 1 + at);
        let booking = json!({
            "serviceId": service, "staffId": staff, "startTime": start, "contactId": contact, "force": true,
        });
        salon.ask_for(booking).created().await;
    }
    let of_contact = list_all(salon.owner(), &format!("{}/appointments", salon.shop.paths.contact)).await;
    let list = format!("{}/appointments", salon.client);
    assert_eq!(of_contact, list_all(salon.owner(), &format!("{list}?contactId={contact}")).await);
    assert_eq!(of_contact.len(), 25);
    salon.owner().delete(&salon.shop.paths.contact).is(204).await;
    salon.owner().get(&format!("{}/appointments", salon.shop.paths.contact)).problem(404, "not_found").await;
    for worked in [false, true] {
        if worked {
            world.run_jobs().await;
        }
        for query in
            [BOOKED_MONTHS.to_owned(), format!("staffId={staff}"), "status=SCHEDULED".to_owned(), String::new()]
        {
            let all = list_all(salon.owner(), &format!("{list}?{query}")).await;
            let of_staff: Vec<_> = all.iter().filter(|one| one["staffId"] == json!(staff)).collect();
            assert_eq!(of_staff.len(), 25);
            assert!(of_staff.iter().all(|one| one["contactId"].is_null() && one["version"] == 2), "{query}");
            assert_eq!(ids(&of_contact).len(), 25);
        }
        assert_eq!(list_all(salon.owner(), &format!("{list}?contactId={contact}")).await, Vec::<Value>::new());
        assert_eq!(
            list_all(salon.owner(), &format!("{list}?contactId={contact}&{BOOKED_MONTHS}")).await,
            Vec::<Value>::new()
        );
    }
    world.assert_consistent().await;
}
