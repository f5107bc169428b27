//! What is measured: one line an operation.

use chrono::TimeDelta;
use harness::who::{Answer, RequestBuilder, Who};
use harness::world::{PASSWORD, World};
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::auth::Role;
use shared::value::Instant;

/// So many of each entity: a page of 25, and the row that tells that there is another page.
const ROWS: usize = 26;

/// One operation of the API. The same request can be made again and again: what it changes is put back each time.
pub(crate) struct Operation<'w> {
    /// The function that answers it.
    pub(crate) module: &'static str,
    /// What the tables call it.
    pub(crate) name: &'static str,
    /// The request.
    pub(crate) ask: RequestBuilder<'w>,
}

/// Somebody of each home, and [`ROWS`] of each entity, by path. The first of each holds all of the next.
pub(crate) struct Stage<'w> {
    anyone: Who<'w>,
    admin: Who<'w>,
    agency_admin: Who<'w>,
    client_user: Who<'w>,
    tenants: Vec<String>,
    agencies: Vec<String>,
    clients: Vec<String>,
    contacts: Vec<String>,
    tags: Vec<String>,
    users: Vec<String>,
    domains: Vec<String>,
    pipeline: String,
    /// The id of the stage in which all deals stand.
    first: Value,
    deals: Vec<String>,
    service: String,
    staff: String,
    appointments: Vec<String>,
    now: Instant,
}

impl<'w> Stage<'w> {
    /// Sets it up in a world that is empty.
    pub(crate) async fn set(world: &'w World) -> Self {
        let admin = world.admin().await;
        let tenants = create(&admin, "/v1/tenants", tenant).await;
        let agencies = create(&admin, &format!("{}/agencies", tenants[0]), agency).await;
        let clients = create(&admin, &format!("{}/clients", agencies[0]), client).await;
        let contacts = create(&admin, &format!("{}/contacts", clients[0]), contact).await;
        let tags = create(&admin, &format!("{}/tags", clients[0]), tag).await;
        admin.ask(Method::PUT, &format!("{}/tags/{}", contacts[1], id(&tags[0]))).is(200).await;
        let users = create(&admin, &format!("{}/users", clients[0]), user).await;
        let domains = create(&admin, &format!("{}/domains", clients[0]), domain).await;
        let pipeline = json!({ "name": "Sales" });
        let pipeline = admin.post(&format!("{}/pipelines", clients[0])).json(pipeline).created().await;
        let deals = create(&admin, &format!("{}/deals", clients[0]), deal).await;
        let service = admin.post(&format!("{}/services", clients[0])).json(service()).created().await;
        let staff = admin.post(&format!("{}/staff", clients[0])).json(staff()).created().await;
        let mut appointments = Vec::new();
        for number in 0..ROWS {
            let booking = appointment(world.clock().now(), [&service, &staff].map(Answer::id), number);
            let booked = admin.post(&format!("{}/appointments", clients[0])).json(booking).created().await;
            appointments.push(booked.location().to_owned());
        }
        let tenant_scope = world.operator().platform().tenant(id(&tenants[0]).parse().unwrap());
        let agency_scope = tenant_scope.agency(id(&agencies[0]).parse().unwrap());
        let client_scope = agency_scope.client(id(&clients[0]).parse().unwrap());
        let agency_admin = world.user(agency_scope, Role::AgencyAdmin).await;
        let client_user = world.user(client_scope, Role::ClientUser).await;
        let anyone = world.anyone();
        Self {
            anyone,
            admin,
            agency_admin,
            client_user,
            tenants,
            agencies,
            clients,
            contacts,
            tags,
            users,
            domains,
            pipeline: pipeline.location().to_owned(),
            first: pipeline.body["stages"][0]["id"].clone(),
            deals,
            service: service.id().to_owned(),
            staff: staff.id().to_owned(),
            appointments,
            now: world.clock().now(),
        }
    }

    /// Every measured operation, as the lowest role that may, unless its name says otherwise.
    #[expect(clippy::too_many_lines, reason = "one line an operation")]
    pub(crate) fn operations(&self) -> Vec<Operation<'w>> {
        let Self { anyone, admin, agency_admin, client_user, .. } = self;
        let session = &client_user.session;
        let login = json!({ "email": session["user"]["email"], "password": PASSWORD });
        let forgot = json!({ "email": session["user"]["email"] });
        let password = json!({ "currentPassword": PASSWORD, "newPassword": "a quiet harbour at dawn" });
        let refresh = json!({ "refreshToken": session["refreshToken"] });
        // The first of each is where the next are; the last holds nothing and can be deleted.
        let (agencies, agency_path) = (format!("{}/agencies", self.tenants[0]), &self.agencies[0]);
        let (clients, client_path) = (format!("{agency_path}/clients"), &self.clients[0]);
        let (contacts, contact_path) = (format!("{client_path}/contacts"), &self.contacts[0]);
        let upsert = format!("{contacts}/upsert");
        let known = json!({ "email": contact(0)["email"], "jobTitle": "Countess" });
        // The second contact has the first tag, and the first has none.
        let [tag_first, untag_second] = [0, 1].map(|at| format!("{}/tags/{}", self.contacts[at], id(&self.tags[0])));
        let (users, user_path) = (format!("{client_path}/users"), &self.users[0]);
        let (domains, domain_path) = (format!("{client_path}/domains"), &self.domains[0]);
        let (deals, deal_path) = (format!("{client_path}/deals"), &self.deals[0]);
        let behind = json!({ "stageId": self.first, "afterDealId": id(&self.deals[4]) });
        let pipelines = format!("{client_path}/pipelines");
        let board = format!("{}/board", self.pipeline);
        let in_stage = format!("{deals}?stageId={}", self.first.as_str().expect("an id"));
        let widget = format!("{client_path}/widget");
        let (booked, bookings) = (&self.appointments[0], format!("{client_path}/appointments"));
        let (week, who) = (week(self.now), [self.service.as_str(), &self.staff]);
        let availability = format!("{client_path}/availability?serviceId={}&{week}", self.service);
        let free = appointment(self.now, who, ROWS);
        let mut with_anybody = free.clone();
        with_anybody.as_object_mut().expect("an object").remove("staffId");
        let elsewhere = json!({ "startTime": free["startTime"] });
        let staff_path = format!("{client_path}/staff/{}", self.staff);
        let holidays = json!({ "start": day(self.now, 30), "end": day(self.now, 37) });
        let operations = vec![
            ("docs", "OpenAPI document", anyone.get("/openapi.json")),
            ("auth", "login", anyone.post("/v1/auth/login").json(login)),
            ("auth", "refresh", anyone.post("/v1/auth/refresh").json(refresh)),
            ("auth", "read me", client_user.get("/v1/auth/me")),
            ("auth", "update me", client_user.patch("/v1/auth/me").json(json!({ "firstName": "Augusta" }))),
            ("auth", "change password", client_user.post("/v1/auth/password").json(password)),
            ("auth", "forgot password", anyone.post("/v1/auth/password/forgot").json(forgot)),
            ("auth", "invite user", agency_admin.post(&users).json(user(ROWS))),
            ("auth", "list users", client_user.get(&users)),
            ("auth", "read user", client_user.get(user_path)),
            ("auth", "update user", agency_admin.patch(user_path).json(json!({ "firstName": "Augusta" }))),
            ("auth", "move email", agency_admin.patch(user_path).json(json!({ "email": "augusta@example.com" }))),
            ("auth", "delete user", agency_admin.delete(last(&self.users))),
            ("tenancy", "create tenant", admin.post("/v1/tenants").json(tenant(ROWS))),
            ("tenancy", "list tenants", admin.get("/v1/tenants")),
            ("tenancy", "read tenant", admin.get(&self.tenants[0])),
            ("tenancy", "update tenant", admin.patch(&self.tenants[0]).json(json!({ "name": "Southwind" }))),
            ("tenancy", "delete tenant", admin.delete(last(&self.tenants))),
            ("tenancy", "create agency", admin.post(&agencies).json(agency(ROWS))),
            ("tenancy", "list agencies", admin.get(&agencies)),
            ("tenancy", "read agency", agency_admin.get(agency_path)),
            ("tenancy", "read agency as ADMIN", admin.get(agency_path)),
            ("tenancy", "update agency", agency_admin.patch(agency_path).json(json!({ "name": "Bold" }))),
            ("tenancy", "delete agency", admin.delete(last(&self.agencies))),
            ("tenancy", "create client", agency_admin.post(&clients).json(client(ROWS))),
            ("tenancy", "list clients", agency_admin.get(&clients)),
            ("tenancy", "read client", client_user.get(client_path)),
            ("tenancy", "read client as ADMIN", admin.get(client_path)),
            ("tenancy", "update client", agency_admin.patch(client_path).json(json!({ "currency": "EUR" }))),
            ("tenancy", "delete client", agency_admin.delete(last(&self.clients))),
            ("tenancy", "create domain", agency_admin.post(&domains).json(domain(ROWS))),
            ("tenancy", "list domains", client_user.get(&domains)),
            ("tenancy", "read domain", client_user.get(domain_path)),
            ("tenancy", "delete domain", agency_admin.delete(last(&self.domains))),
            ("tenancy", "read widget key", client_user.get(&widget)),
            ("tenancy", "rotate widget key", agency_admin.post(&format!("{widget}/rotate"))),
            ("contacts", "create contact", client_user.post(&contacts).json(contact(ROWS))),
            ("contacts", "list contacts", client_user.get(&contacts)),
            ("contacts", "read contact", client_user.get(contact_path)),
            ("contacts", "read contact as ADMIN", admin.get(contact_path)),
            ("contacts", "update contact", client_user.patch(contact_path).json(json!({ "jobTitle": "Countess" }))),
            ("contacts", "delete contact", client_user.delete(last(&self.contacts))),
            ("contacts", "upsert, new contact", client_user.post(&upsert).json(contact(ROWS))),
            ("contacts", "upsert, known contact", client_user.post(&upsert).json(known)),
            ("contacts", "search by prefix", client_user.get(&format!("{contacts}?q=lov"))),
            ("contacts", "contacts by name", client_user.get(&format!("{contacts}?sort=name"))),
            ("contacts", "create tag", client_user.post(&format!("{client_path}/tags")).json(tag(ROWS))),
            ("contacts", "tag contact", client_user.ask(Method::PUT, &tag_first)),
            ("contacts", "untag contact", client_user.delete(&untag_second)),
            (
                "contacts",
                "import 10 contacts",
                client_user.post(&format!("{contacts}/import")).body("text/csv", file()),
            ),
            ("contacts", "export 26 contacts", client_user.get(&format!("{contacts}/export"))),
            ("deals", "create pipeline", agency_admin.post(&pipelines).json(json!({ "name": "Catering" }))),
            ("deals", "read board", client_user.get(&board)),
            ("deals", "create deal", client_user.post(&deals).json(deal(ROWS))),
            ("deals", "list deals", client_user.get(&deals)),
            ("deals", "deals of a stage", client_user.get(&in_stage)),
            ("deals", "read deal", client_user.get(deal_path)),
            ("deals", "update deal", client_user.patch(deal_path).json(json!({ "value": 99.5 }))),
            ("deals", "win deal", client_user.patch(deal_path).json(json!({ "status": "WON" }))),
            ("deals", "move deal", client_user.post(&format!("{deal_path}/move")).json(behind)),
            ("deals", "delete deal", client_user.delete(last(&self.deals))),
            (
                "deals",
                "create note",
                client_user.post(&format!("{deal_path}/notes")).json(json!({ "content": "Call." })),
            ),
            ("deals", "history of a deal", client_user.get(&format!("{deal_path}/history"))),
            (
                "appointments",
                "a week's availability",
                client_user.get(&format!("{availability}&staffId={}", self.staff)),
            ),
            ("appointments", "the same, of anybody", client_user.get(&availability)),
            ("appointments", "book", client_user.post(&bookings).json(free)),
            ("appointments", "book with anybody", client_user.post(&bookings).json(with_anybody)),
            ("appointments", "a week's appointments", client_user.get(&format!("{bookings}?{week}"))),
            ("appointments", "read appointment", client_user.get(booked)),
            ("appointments", "confirm appointment", client_user.post(&format!("{booked}/confirm"))),
            ("appointments", "reschedule", client_user.post(&format!("{booked}/reschedule")).json(elsewhere)),
            ("appointments", "cancel appointment", client_user.post(&format!("{booked}/cancel"))),
            ("appointments", "a week off", agency_admin.post(&format!("{staff_path}/time-off")).json(holidays)),
        ];
        operations.into_iter().map(|(module, name, ask)| Operation { module, name, ask }).collect()
    }

    /// Rows whose sizes are worth knowing, by their sort keys.
    pub(crate) fn typical_rows(&self) -> [(&'static str, &str); 9] {
        let user = self.client_user.session["user"]["id"].as_str();
        [
            ("tenant", id(&self.tenants[0])),
            ("agency", id(&self.agencies[0])),
            ("client", id(&self.clients[0])),
            ("contact", id(&self.contacts[0])),
            ("deal", id(&self.deals[0])),
            ("service", &self.service),
            ("staff", &self.staff),
            ("appointment", id(&self.appointments[0])),
            ("user", user.expect("a user has an id")),
        ]
    }
}

fn tenant(number: usize) -> Value {
    json!({ "name": format!("Northwind Group {number}"), "domain": format!("northwind-{number}.example") })
}

fn agency(number: usize) -> Value {
    json!({ "name": format!("Bright Ideas {number}") })
}

fn client(number: usize) -> Value {
    json!({ "name": format!("Corner Bakery {number}"), "timeZone": "America/New_York", "currency": "USD" })
}

fn user(number: usize) -> Value {
    json!({ "email": format!("ada.{number}@example.com"), "firstName": "Ada", "lastName": "Lovelace" })
}

fn domain(number: usize) -> Value {
    json!({ "domain": format!("shop-{number}.example.com") })
}

fn contact(number: usize) -> Value {
    json!({
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": format!("ada.lovelace.{number}@example.com"),
        "phone": "+12125550123",
        "company": "Analytical Engines",
        "jobTitle": "Mathematician",
        "source": "website",
    })
}

/// Newcomers, as a file.
fn file() -> String {
    let rows =
        (ROWS..ROWS + 10).map(|number| format!("Ada,Lovelace,ada.lovelace.{number}@example.com,+12125550123\r\n"));
    ["firstName,lastName,email,phone\r\n".to_owned()].into_iter().chain(rows).collect()
}

fn tag(number: usize) -> Value {
    json!({ "name": format!("Segment {number}") })
}

fn deal(number: usize) -> Value {
    json!({ "title": format!("Summer party {number}"), "value": 1250.5, "currency": "USD" })
}

fn service() -> Value {
    json!({ "name": "Cake tasting", "duration": 45, "price": 25, "bufferAfter": 15, "slotInterval": 30 })
}

fn staff() -> Value {
    let every_day = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    let hours = json!([
        { "days": every_day, "start": "08:00", "end": "12:00" },
        { "days": every_day, "start": "13:00", "end": "17:00" },
    ]);
    json!({ "name": "Grace Hopper", "email": "grace@example.com", "timeZone": "UTC", "weeklyHours": hours })
}

/// The beginning of a day that is so many days ahead.
fn day(now: Instant, ahead: i64) -> String {
    let date = now.to_utc().date_naive() + TimeDelta::days(ahead);
    format!("{date}T00:00:00.000Z")
}

/// A week's range, in which there are [`ROWS`] appointments.
fn week(now: Instant) -> String {
    format!("from={}&to={}", day(now, 3), day(now, 10))
}

/// The booking of this number: five a day in that week.
fn appointment(now: Instant, [service, staff]: [&str; 2], number: usize) -> Value {
    let hours = ["08", "09", "10", "11", "14"];
    let ahead = 3 + i64::try_from(number / hours.len()).expect("a small number");
    let start = day(now, ahead).replace("T00", &format!("T{}", hours[number % hours.len()]));
    json!({ "serviceId": service, "staffId": staff, "startTime": start })
}

/// Creates [`ROWS`] entities; their paths, oldest first.
async fn create(who: &Who<'_>, collection: &str, entity: fn(usize) -> Value) -> Vec<String> {
    let mut paths = Vec::new();
    for number in 0..ROWS {
        let created = who.post(collection).json(entity(number)).created().await;
        paths.push(created.location().to_owned());
    }
    paths
}

fn last(paths: &[String]) -> &str {
    paths.last().expect("there are some")
}

/// The id at the end of a path.
pub(crate) fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
