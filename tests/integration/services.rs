//! Bookable services of a client.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::RequestBuilder;
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::appointments::Salon;
use crate::paging::walk;

fn services(shop: &SalonFixture<'_>) -> String {
    format!("{}/services", shop.paths.client)
}

fn create<'w>(shop: &SalonFixture<'w>, service: Value) -> RequestBuilder<'w> {
    shop.owner.post(&services(shop)).json(service)
}

#[tokio::test]
async fn new_service_has_defaults() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.paths.client).json(json!({ "currency": "JPY" })).is(200).await;
    let created = create(&shop, json!({ "name": " Haircut ", "duration": 45 })).created().await;
    assert_eq!(created.location(), format!("{}/{}", services(&shop), created.id()));
    assert_eq!(
        created.body,
        json!({
            "id": created.id(), "clientId": shop.paths.scope.id(), "name": "Haircut", "duration": 45, "price": null,
            "currency": "JPY", "bufferBefore": 0, "bufferAfter": 0, "slotInterval": null, "minNotice": 0,
            "horizonDays": 60, "staffIds": [], "bookableOnline": true, "version": 1,
            "createdAt": created.body["createdAt"], "updatedAt": created.body["createdAt"],
        })
    );
    let read = shop.owner.get(created.location()).is(200).await;
    assert_eq!((&read.body, read.header("etag")), (&created.body, "\"1\""));
    shop.owner.get(created.location()).header("if-none-match", "\"1\"").is(304).await;
}

#[tokio::test]
async fn null_resets_optional_fields() {
    let world = World::new().await;
    let shop = world.shop().await;
    let default = create(&shop, json!({ "name": "Haircut", "duration": 45 })).created().await;
    let custom = json!({
        "name": "Haircut", "duration": 45, "price": 12.5, "bufferBefore": 5, "bufferAfter": 10, "slotInterval": 15,
        "minNotice": 60, "horizonDays": 7, "staffIds": [shop.paths.id("staffId")], "bookableOnline": false,
    });
    let created = create(&shop, custom.clone()).created().await;
    for (name, value) in custom.as_object().unwrap() {
        assert_eq!(created.body[name], *value);
    }
    let cleared_fields = json!({
        "price": null, "bufferBefore": null, "bufferAfter": null, "slotInterval": null, "minNotice": null,
        "horizonDays": null, "staffIds": null, "bookableOnline": null,
    });
    let patch = |body: &Value| shop.owner.patch(created.location()).json(body);
    patch(&cleared_fields).header("if-match", "\"2\"").problem(412, "precondition_failed").await;
    let cleared = patch(&cleared_fields).header("if-match", "\"1\"").is(200).await;
    assert_eq!((&cleared.body["version"], cleared.header("etag")), (&json!(2), "\"2\""));
    for name in cleared_fields.as_object().unwrap().keys() {
        assert_eq!(cleared.body[name], default.body[name], "{name}");
    }
    shop.owner.patch(&shop.paths.client).json(json!({ "currency": "JPY" })).is(200).await;
    for (fields, currency) in [(json!({ "currency": null }), "JPY"), (json!({ "currency": "EUR" }), "EUR")] {
        assert_eq!(patch(&fields).is(200).await.body["currency"], currency, "{fields}");
    }
    // The decimals of the price are those of the client's currency.
    patch(&json!({ "currency": null, "price": 0.5 })).invalid(&["/price"]).await;
    patch(&json!({ "name": null, "duration": null, "color": null })).invalid(&["/name", "/duration", "/color"]).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn numbers_out_of_range_are_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = |name: &str, value: &Value| shop.owner.patch(&shop.paths.service).json(json!({ name: value }));
    for (name, min, max) in [
        ("duration", 1, 1440),
        ("bufferBefore", 0, 1440),
        ("bufferAfter", 0, 1440),
        ("slotInterval", 1, 1440),
        ("horizonDays", 1, 3650),
        ("minNotice", 0, 525_600),
    ] {
        for valid in [min, max] {
            assert_eq!(patch(name, &json!(valid)).is(200).await.body[name], valid);
        }
        for invalid in [json!(min - 1), json!(max + 1), json!(1.5), json!("30"), json!([])] {
            patch(name, &invalid).invalid(&[&format!("/{name}")]).await;
        }
    }
    let wrong = json!({
        "name": " ", "duration": 0, "price": "4", "currency": "XXX", "bufferBefore": -1, "bufferAfter": 1441,
        "slotInterval": 0, "minNotice": -1, "horizonDays": 0, "staffIds": ["me"], "bookableOnline": 1, "colour": "red",
    });
    let names: Vec<_> =
        wrong.as_object().unwrap().keys().map(|name| format!("/{name}").replace("Ids", "Ids/0")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    create(&shop, wrong.clone()).invalid(&names).await;
    shop.owner.patch(&shop.paths.service).json(wrong).invalid(&names).await;
    create(&shop, json!({ "price": 1 })).invalid(&["/name", "/duration"]).await;
}

#[tokio::test]
async fn notice_beyond_the_horizon_is_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let service = json!({ "name": "Haircut", "duration": 45, "horizonDays": 1, "minNotice": 1441 });
    let refused = create(&shop, service).invalid(&["/minNotice"]).await;
    assert_eq!(refused.body["errors"][0]["code"], "beyond_horizon");
    let both = json!({ "name": "Haircut", "duration": 45, "horizonDays": 1, "minNotice": 1441, "price": 0.001 });
    create(&shop, both).invalid(&["/price", "/minNotice"]).await;
    let service = json!({ "name": "Haircut", "duration": 45, "horizonDays": 1, "minNotice": 1440 });
    let created = create(&shop, service).created().await;
    shop.owner.patch(created.location()).json(json!({ "minNotice": 1441 })).invalid(&["/minNotice"]).await;
}

#[tokio::test]
async fn amount_is_stored_exactly_or_rejected() {
    let world = World::new().await;
    let shop = world.shop().await;
    let deals = format!("{}/deals", shop.paths.client);
    for (digits, exact) in [
        ("98765621850953.61", false),
        ("99999999999999.99", false),
        ("9999999999999.999", false),
        ("1.000000000000000001", false),
        ("9999999999999.99", true),
        ("98765621850953.6", true),
        ("0.07", true),
    ] {
        let service = format!(r#"{{"name":"Haircut","duration":45,"price":{digits},"currency":"USD"}}"#);
        let deal = format!(r#"{{"title":"Roof","value":{digits},"currency":"USD"}}"#);
        for (path, body, field) in [(services(&shop), service, "price"), (deals.clone(), deal, "value")] {
            let request = shop.owner.post(&path).body("application/json", body);
            if exact {
                let created = request.created().await;
                assert!(created.text.contains(&format!(r#""{field}":{digits}"#)), "{digits}: {created}");
                let read = shop.owner.get(created.location()).is(200).await;
                assert!(read.text.contains(&format!(r#""{field}":{digits}"#)), "{digits}: {read}");
            } else {
                request.invalid(&[&format!("/{field}")]).await;
            }
        }
    }
    world.assert_consistent().await;
}

#[tokio::test]
async fn price_decimals_are_limited_by_currency() {
    let world = World::new().await;
    let shop = world.shop().await;
    let priced = |price: Value, currency: &str| {
        create(&shop, json!({ "name": "Haircut", "duration": 45, "price": price, "currency": currency }))
    };
    for (price, currency) in [(json!(0), "USD"), (json!(19.99), "EUR"), (json!(1.125), "KWD"), (json!(4000), "JPY")] {
        let created = priced(price.clone(), currency).created().await;
        assert_eq!((&created.body["price"], &created.body["currency"]), (&price, &json!(currency)));
    }
    for (price, currency) in [(json!(-1), "USD"), (json!(19.999), "EUR"), (json!(1.1255), "KWD"), (json!(0.5), "JPY")] {
        priced(price, currency).invalid(&["/price"]).await;
    }
    let created = priced(json!(19.99), "EUR").created().await;
    shop.owner.patch(created.location()).json(json!({ "currency": "JPY" })).invalid(&["/price"]).await;
    shop.owner.patch(created.location()).json(json!({ "currency": "JPY", "price": 2000 })).is(200).await;
}

#[tokio::test]
async fn unknown_foreign_or_duplicate_staff_ids_are_rejected() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let (own, foreign) = (shop.paths.id("staffId"), other.paths.id("staffId"));
    let post = |staff: Value| create(&shop, json!({ "name": "Haircut", "duration": 45, "staffIds": staff }));
    let patch = |staff: Value| shop.owner.patch(&shop.paths.service).json(json!({ "staffIds": staff }));
    let staff = json!([own, Uuid::now_v7(), foreign]);
    for request in [post(staff.clone()), patch(staff)] {
        request.invalid(&["/staffIds/1", "/staffIds/2"]).await;
    }
    for staff in [json!([own, own]), json!((0..41).map(|_| Uuid::now_v7()).collect::<Vec<_>>())] {
        post(staff.clone()).invalid(&["/staffIds"]).await;
        patch(staff).invalid(&["/staffIds"]).await;
    }
    patch(json!([own])).is(200).await;
    shop.owner.delete(&shop.paths.staff).problem(409, "in_use").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn concurrent_creates_with_one_idempotency_key_create_one_service() {
    let world = World::new().await;
    let shop = world.shop().await;
    let request = |name: &str| {
        let service = json!({ "name": name, "duration": 45, "staffIds": [shop.paths.id("staffId")] });
        create(&shop, service).header("idempotency-key", "one")
    };
    let answers = at_once((0..5).map(|_| request("Haircut").contended().is(201))).await;
    let first: Vec<_> = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).collect();
    assert_eq!(first.len(), 1);
    assert!(answers.iter().all(|answer| answer.body == first[0].body));
    request("Shave").problem(422, "idempotency_key_reused").await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn services_are_listed_in_order_of_creation() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut expected = vec![shop.paths.id("serviceId").to_owned()];
    for number in 0..6 {
        let created = create(&shop, json!({ "name": format!("{}", 9 - number), "duration": 30 })).created().await;
        expected.push(created.id().to_owned());
    }
    for limit in [1, 2, 7, 8] {
        let walked = walk(&shop.owner, &services(&shop), limit).await;
        assert_eq!(walked.ids(), expected);
        walked.assert_full(limit);
    }
    shop.owner.get(&format!("{}?name=x&limit=101", services(&shop))).invalid(&["/name", "/limit"]).await;
}

#[tokio::test]
async fn concurrent_booking_and_deletion_of_a_service_exclude_each_other() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({})).await;
    let (mut booked, mut deleted) = (0, 0);
    for hour in 0..20 {
        let service = salon.service(json!({ "bufferAfter": 0 })).await;
        let booking = json!({
            "serviceId": service, "staffId": staff, "startTime": format!("2026-03-02T{hour:02}:00:00Z"), "force": true,
        });
        let delete = salon.owner().delete(&format!("{}/services/{service}", salon.client));
        let requests = [salon.ask_for(booking), delete];
        let answers = at_once(requests.map(|request| request.contended().send())).await;
        match (answers[0].status.as_u16(), answers[1].status.as_u16()) {
            (201, 409) => booked += 1,
            (422, 204) => deleted += 1,
            _ => panic!("{}\n{}", answers[0], answers[1]),
        }
    }
    assert_eq!(booked + deleted, 20);
    world.assert_consistent().await;
}
