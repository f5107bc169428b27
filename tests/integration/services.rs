//! Services: what a client does for its customers.

use harness::at_once;
use harness::tree::SalonFixture;
use harness::who::RequestBuilder;
use harness::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::appointments::Salon;
use crate::paging::walk;

fn services(shop: &SalonFixture<'_>) -> String {
    format!("{}/services", shop.spot.client)
}

fn create<'w>(shop: &SalonFixture<'w>, service: Value) -> RequestBuilder<'w> {
    shop.owner.post(&services(shop)).json(service)
}

#[tokio::test]
async fn a_service_is_as_usual_unless_told() {
    let world = World::new().await;
    let shop = world.shop().await;
    shop.owner.patch(&shop.spot.client).json(json!({ "currency": "JPY" })).is(200).await;
    let made = create(&shop, json!({ "name": " Haircut ", "duration": 45 })).created().await;
    assert_eq!(made.location(), format!("{}/{}", services(&shop), made.id()));
    assert_eq!(
        made.body,
        json!({
            "id": made.id(), "clientId": shop.spot.scope.id(), "name": "Haircut", "duration": 45, "price": null,
            "currency": "JPY", "bufferBefore": 0, "bufferAfter": 0, "slotInterval": null, "minNotice": 0,
            "horizonDays": 60, "staffIds": [], "bookableOnline": true, "version": 1,
            "createdAt": made.body["createdAt"], "updatedAt": made.body["createdAt"],
        })
    );
    let read = shop.owner.get(made.location()).is(200).await;
    assert_eq!((&read.body, read.header("etag")), (&made.body, "\"1\""));
    shop.owner.get(made.location()).header("if-none-match", "\"1\"").is(304).await;
}

#[tokio::test]
async fn null_clears_what_is_optional() {
    let world = World::new().await;
    let shop = world.shop().await;
    let usual = create(&shop, json!({ "name": "Haircut", "duration": 45 })).created().await;
    let unusual = json!({
        "name": "Haircut", "duration": 45, "price": 12.5, "bufferBefore": 5, "bufferAfter": 10, "slotInterval": 15,
        "minNotice": 60, "horizonDays": 7, "staffIds": [shop.spot.id("staffId")], "bookableOnline": false,
    });
    let made = create(&shop, unusual.clone()).created().await;
    for (name, value) in unusual.as_object().unwrap() {
        assert_eq!(made.body[name], *value);
    }
    let nothing = json!({
        "price": null, "bufferBefore": null, "bufferAfter": null, "slotInterval": null, "minNotice": null,
        "horizonDays": null, "staffIds": null, "bookableOnline": null,
    });
    let patch = |body: &Value| shop.owner.patch(made.location()).json(body);
    patch(&nothing).header("if-match", "\"2\"").problem(412, "precondition_failed").await;
    let cleared = patch(&nothing).header("if-match", "\"1\"").is(200).await;
    assert_eq!((&cleared.body["version"], cleared.header("etag")), (&json!(2), "\"2\""));
    for name in nothing.as_object().unwrap().keys() {
        assert_eq!(cleared.body[name], usual.body[name], "{name}");
    }
    patch(&json!({ "name": null, "duration": null, "color": null })).invalid(&["/name", "/duration", "/color"]).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn every_number_has_its_bounds() {
    let world = World::new().await;
    let shop = world.shop().await;
    let patch = |name: &str, value: &Value| shop.owner.patch(&shop.spot.service).json(json!({ name: value }));
    for (name, least, most) in [
        ("duration", 1, 1440),
        ("bufferBefore", 0, 1440),
        ("bufferAfter", 0, 1440),
        ("slotInterval", 1, 1440),
        ("minNotice", 0, 525_600),
        ("horizonDays", 1, 3650),
    ] {
        for good in [least, most] {
            assert_eq!(patch(name, &json!(good)).is(200).await.body[name], good);
        }
        for bad in [json!(least - 1), json!(most + 1), json!(1.5), json!("30"), json!([])] {
            patch(name, &bad).invalid(&[&format!("/{name}")]).await;
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
    shop.owner.patch(&shop.spot.service).json(wrong).invalid(&names).await;
    create(&shop, json!({ "price": 1 })).invalid(&["/name", "/duration"]).await;
}

#[tokio::test]
async fn a_price_has_the_decimals_of_its_currency() {
    let world = World::new().await;
    let shop = world.shop().await;
    let priced = |price: Value, currency: &str| {
        create(&shop, json!({ "name": "Haircut", "duration": 45, "price": price, "currency": currency }))
    };
    for (price, currency) in [(json!(0), "USD"), (json!(19.99), "EUR"), (json!(1.125), "KWD"), (json!(4000), "JPY")] {
        let made = priced(price.clone(), currency).created().await;
        assert_eq!((&made.body["price"], &made.body["currency"]), (&price, &json!(currency)));
    }
    for (price, currency) in [(json!(-1), "USD"), (json!(19.999), "EUR"), (json!(1.1255), "KWD"), (json!(0.5), "JPY")] {
        priced(price, currency).invalid(&["/price"]).await;
    }
    let made = priced(json!(19.99), "EUR").created().await;
    shop.owner.patch(made.location()).json(json!({ "currency": "JPY" })).invalid(&["/price"]).await;
    shop.owner.patch(made.location()).json(json!({ "currency": "JPY", "price": 2000 })).is(200).await;
}

#[tokio::test]
async fn whoever_a_service_names_is_there_once() {
    let world = World::new().await;
    let (shop, other) = (world.shop().await, world.shop().await);
    let (known, foreign) = (shop.spot.id("staffId"), other.spot.id("staffId"));
    let post = |staff: Value| create(&shop, json!({ "name": "Haircut", "duration": 45, "staffIds": staff }));
    let patch = |staff: Value| shop.owner.patch(&shop.spot.service).json(json!({ "staffIds": staff }));
    let staff = json!([known, Uuid::now_v7(), foreign]);
    for ask in [post(staff.clone()), patch(staff)] {
        ask.invalid(&["/staffIds/1", "/staffIds/2"]).await;
    }
    for staff in [json!([known, known]), json!((0..41).map(|_| Uuid::now_v7()).collect::<Vec<_>>())] {
        post(staff.clone()).invalid(&["/staffIds"]).await;
        patch(staff).invalid(&["/staffIds"]).await;
    }
    patch(json!([known])).is(200).await;
    shop.owner.delete(&shop.spot.staff).problem(409, "in_use").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_service_that_is_asked_for_again_is_created_once() {
    let world = World::new().await;
    let shop = world.shop().await;
    let ask = |name: &str| {
        let service = json!({ "name": name, "duration": 45, "staffIds": [shop.spot.id("staffId")] });
        create(&shop, service).header("idempotency-key", "one")
    };
    let answers = at_once((0..5).map(|_| ask("Haircut").contended().is(201))).await;
    let first: Vec<_> = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).collect();
    assert_eq!(first.len(), 1);
    assert!(answers.iter().all(|answer| answer.body == first[0].body));
    ask("Shave").problem(422, "idempotency_key_reused").await;
    world.assert_whole().await;
}

#[tokio::test]
async fn services_are_listed_by_creation() {
    let world = World::new().await;
    let shop = world.shop().await;
    let mut expected = vec![shop.spot.id("serviceId").to_owned()];
    for number in 0..6 {
        let made = create(&shop, json!({ "name": format!("{}", 9 - number), "duration": 30 })).created().await;
        expected.push(made.id().to_owned());
    }
    for limit in [1, 2, 7, 8] {
        let walked = walk(&shop.owner, &services(&shop), limit).await;
        assert_eq!(walked.ids(), expected);
        walked.assert_full(limit);
    }
    shop.owner.get(&format!("{}?name=x&limit=101", services(&shop))).invalid(&["/name", "/limit"]).await;
}

#[tokio::test]
async fn a_service_goes_or_is_booked_but_not_both() {
    let world = World::new().await;
    let salon = Salon::open(&world).await;
    let staff = salon.staff(json!({})).await;
    let mut seen = [0, 0];
    for hour in 0..20 {
        let service = salon.service(json!({ "bufferAfter": 0 })).await;
        let wish = json!({
            "serviceId": service, "staffId": staff, "startTime": format!("2026-03-02T{hour:02}:00:00Z"), "force": true,
        });
        let delete = salon.owner().delete(&format!("{}/services/{service}", salon.client));
        let asks = [salon.ask_for(wish), delete];
        let answers = at_once(asks.map(|ask| ask.contended().send())).await;
        match (answers[0].status.as_u16(), answers[1].status.as_u16()) {
            (201, 409) => seen[0] += 1,
            (422, 204) => seen[1] += 1,
            _ => panic!("{}\n{}", answers[0], answers[1]),
        }
    }
    assert_eq!(seen.iter().sum::<i32>(), 20);
    world.assert_whole().await;
}
