//! A website with the widgets of a salon.

use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::World;
use lambda_http::http::Method;
use serde_json::{Value, json};

use crate::appointments::Salon;

/// The origin of the salon's website.
pub(crate) const ORIGIN: &str = "https://www.salon.example";

/// The origin of the widget API itself.
pub(crate) const OWN_ORIGIN: &str = "http://localhost:3001";

/// A salon with a registered domain.
pub(crate) struct Website<'w> {
    pub(crate) salon: Salon<'w>,
    pub(crate) key: String,
    visitor: TestUser<'w>,
    world: &'w World,
}

impl<'w> Website<'w> {
    pub(crate) async fn open(world: &'w World) -> Self {
        let salon = Salon::open(world).await;
        let domain = json!({ "domain": "www.salon.example" });
        salon.owner().post(&format!("{}/domains", salon.client)).json(domain).created().await;
        let widget = salon.owner().get(&format!("{}/widget", salon.client)).is(200).await;
        let key = widget.body["widgetKey"].as_str().unwrap().to_owned();
        let visitor = world.subscriber(salon.shop.paths.scope);
        Self { salon, key, visitor, world }
    }

    /// A request of a page with this origin.
    pub(crate) fn request_from(&self, origin: Option<&str>, method: Method, path: &str) -> RequestBuilder<'w> {
        let request = self.visitor.request(method, &format!("/widgets/{}{path}", self.key));
        match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        }
    }

    /// A request of the salon's website.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder<'w> {
        self.request_from(Some(ORIGIN), method, path)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder<'w> {
        self.request(Method::GET, path)
    }

    /// Starts a session; the visitor has filled in the form when this returns.
    pub(crate) async fn visit(&self) -> Visit<'_, 'w> {
        let config = self.get("/config").is(200).await;
        self.world.clock().advance(3);
        Visit { site: self, token: config.body["sessionToken"].as_str().unwrap().to_owned(), address: None }
    }
}

/// A visitor with a session.
pub(crate) struct Visit<'s, 'w> {
    pub(crate) site: &'s Website<'w>,
    pub(crate) token: String,
    address: Option<&'static str>,
}

impl<'w> Visit<'_, 'w> {
    /// The same visitor with another source address.
    pub(crate) fn at(self, address: &'static str) -> Self {
        Self { address: Some(address), ..self }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder<'w> {
        let request = self.site.request(method, path).header("authorization", &format!("Bearer {}", self.token));
        match self.address {
            Some(address) => request.from(address),
            None => request,
        }
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder<'w> {
        self.request(Method::POST, path).json(body)
    }

    pub(crate) fn hold(&self, service: &str, staff: Option<&str>, start: &str) -> RequestBuilder<'w> {
        self.post("/holds", &json!({ "serviceId": service, "staffId": staff, "startTime": start }))
    }

    pub(crate) fn release(&self, hold: &Answer) -> RequestBuilder<'w> {
        self.request(Method::DELETE, &format!("/holds/{}", hold.id()))
    }

    pub(crate) fn book(&self, booking: &Value) -> RequestBuilder<'w> {
        self.post("/appointments", booking)
    }

    /// Slot starts on a day, as `HH:MM`.
    pub(crate) async fn starts(&self, service: &str, day: &str) -> Vec<String> {
        let query = format!("serviceId={service}&from={day}T00:00:00Z&to={day}T23:59:59Z");
        let slots = self.request(Method::GET, &format!("/availability?{query}")).is(200).await.body;
        let starts = slots["slots"].as_array().unwrap().iter().map(|slot| slot["start"].as_str().unwrap());
        starts.map(|start| start[11..16].to_owned()).collect()
    }
}

/// A booking of Ada.
pub(crate) fn booking(service: &str, start: &str) -> Value {
    json!({
        "serviceId": service, "startTime": start, "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com",
    })
}

/// The path of an action on a booked appointment, with its manage token.
pub(crate) fn managed(booked: &Answer, action: &str) -> String {
    format!("/appointments/{}{action}?token={}", booked.id(), booked.body["manageToken"].as_str().unwrap())
}
