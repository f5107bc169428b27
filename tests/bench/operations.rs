//! The measured operations and the entities that they use.

use chrono::TimeDelta;
use harness::users::{Answer, RequestBuilder, TestUser};
use harness::world::{PASSWORD, World};
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::identity::{ClientScope, Role};
use shared::reminders::opt_out_token;
use shared::value::Instant;

use crate::items::{ItemCopy, Snapshot};

/// The number of entities of each kind: a page of 25, and one more.
const COUNT: usize = 26;

/// A measured operation of the API.
///
/// Its request can be repeated, because the table is restored after each one.
pub(crate) struct Operation<'w> {
    /// The name of the function that answers the request.
    pub(crate) module: &'static str,
    /// The label in the report: the operation id, and what distinguishes this request.
    pub(crate) name: &'static str,
    /// The request.
    pub(crate) request: RequestBuilder<'w>,
}

/// One user of each kind and [`COUNT`] entities of each kind, as paths.
///
/// The first of each kind contains the next kind.
pub(crate) struct Fixture<'w> {
    anonymous: TestUser<'w>,
    admin: TestUser<'w>,
    agency_admin: TestUser<'w>,
    client_user: TestUser<'w>,
    tenants: Vec<String>,
    agencies: Vec<String>,
    clients: Vec<String>,
    contacts: Vec<String>,
    tags: Vec<String>,
    users: Vec<String>,
    domains: Vec<String>,
    pipeline: String,
    /// The id of the stage of all deals.
    stage: Value,
    deals: Vec<String>,
    /// The path of a deal with an assignee and the third contact.
    linked_deal: String,
    service: String,
    staff: String,
    appointments: Vec<String>,
    /// The path of an appointment with the third contact, outside the measured week.
    linked_appointment: String,
    visitor: Visitor<'w>,
    /// The path of the link that stops the reminders of the first contact.
    opt_out: String,
    now: Instant,
}

/// A visitor of the hosted page of the first client, with a session, a hold and an appointment.
struct Visitor<'w> {
    user: TestUser<'w>,
    /// The path of the widget.
    widget: String,
    session_token: String,
    hold: String,
    appointment: String,
    manage_token: String,
}

impl<'w> Visitor<'w> {
    async fn create(world: &'w World, client_scope: ClientScope, key: &str, ids: [&str; 2]) -> Self {
        let user = world.subscriber(client_scope);
        let widget = format!("/widgets/{key}");
        let config = user.get(&format!("{widget}/config")).is(200).await;
        let session_token = config.body["sessionToken"].as_str().expect("a token").to_owned();
        // A form is not accepted at once.
        world.clock().advance(3);
        let (hold, appointment, manage_token) = (String::new(), String::new(), String::new());
        let visitor = Self { user, widget, session_token, hold, appointment, manage_token };
        let now = world.clock().now();
        let booked = visitor.post("/appointments", &visit(now, ids, 21, "ada.visitor@example.com")).is(201).await;
        let mut start = visit(now, ids, 22, "x");
        start
            .as_object_mut()
            .expect("an object")
            .retain(|name, _| ["serviceId", "staffId", "startTime"].contains(&&**name));
        let hold = visitor.post("/holds", &start).is(201).await;
        Self {
            hold: hold.id().to_owned(),
            appointment: booked.id().to_owned(),
            manage_token: booked.body["manageToken"].as_str().expect("a token").to_owned(),
            ..visitor
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder<'w> {
        let request = self.user.request(method, &format!("{}{path}", self.widget)).header("origin", OWN_ORIGIN);
        request.header("authorization", &format!("Bearer {}", self.session_token))
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder<'w> {
        self.request(Method::POST, path).json(body)
    }

    /// A request on the appointment.
    fn manage(&self, method: Method, action: &str) -> RequestBuilder<'w> {
        self.request(method, &format!("/appointments/{}{action}?token={}", self.appointment, self.manage_token))
    }

    /// The operations of the widget API.
    fn operations(&self, now: Instant, ids: [&str; 2]) -> Vec<(&'static str, &'static str, RequestBuilder<'w>)> {
        let get = |path: &str| self.request(Method::GET, path);
        let [service, staff] = ids;
        let availability = format!("/availability?serviceId={service}&{}", week(now));
        let known = visit(now, ids, 23, contact(0)["email"].as_str().expect("an email"));
        let mut with_hold = visit(now, ids, 22, "new.visitor@example.com");
        with_hold["holdId"] = self.hold.clone().into();
        let start = json!({ "serviceId": service, "staffId": staff, "startTime": known["startTime"] });
        let lead = json!({ "firstName": "Ada", "email": "new.lead@example.com", "message": "Do you deliver?" });
        let moved = json!({ "startTime": known["startTime"] });
        vec![
            ("widgets", "getWidgetScript", self.user.get("/widgets/embed.js").header("accept-encoding", "gzip")),
            ("widgets", "getBookingPage", get("/booking")),
            ("widgets", "getWidgetConfig", get("/config")),
            ("widgets", "listWidgetServices", get("/services")),
            ("widgets", "listWidgetStaff", get(&format!("/staff?serviceId={service}"))),
            ("widgets", "getWidgetAvailability, one staff member", get(&format!("{availability}&staffId={staff}"))),
            ("widgets", "getWidgetAvailability, any staff member", get(&availability)),
            ("widgets", "createHold, second of the session", self.post("/holds", &start)),
            ("widgets", "releaseHold", self.request(Method::DELETE, &format!("/holds/{}", self.hold))),
            ("widgets", "bookAppointment, existing contact", self.post("/appointments", &known)),
            ("widgets", "bookAppointment, new contact and hold", self.post("/appointments", &with_hold)),
            ("widgets", "createLead, new contact and deal", self.post("/leads", &lead)),
            ("widgets", "getVisitorAppointment", self.manage(Method::GET, "")),
            ("widgets", "getVisitorCalendarFile", self.manage(Method::GET, "/calendar.ics")),
            ("widgets", "confirmVisitorAppointment", self.manage(Method::POST, "/confirm")),
            ("widgets", "rescheduleVisitorAppointment", self.manage(Method::POST, "/reschedule").json(moved)),
            ("widgets", "cancelVisitorAppointment", self.manage(Method::DELETE, "")),
        ]
    }
}

/// The origin of the hosted pages.
const OWN_ORIGIN: &str = "http://localhost:3001";

/// A booking by a visitor, on a day without other appointments.
fn visit(now: Instant, ids: [&str; 2], ahead: i64, email: &str) -> Value {
    let mut booking = appointment(now, ids, 0);
    booking["startTime"] = day(now, ahead).replace("T00", "T09").into();
    booking["firstName"] = "Ada".into();
    booking["lastName"] = "Lovelace".into();
    booking["email"] = email.into();
    booking
}

impl<'w> Fixture<'w> {
    /// Creates all users and entities in an empty world.
    pub(crate) async fn create(world: &'w World) -> Self {
        let admin = world.admin().await;
        let tenants = create_all(&admin, "/v1/tenants", tenant).await;
        let agencies = create_all(&admin, &format!("{}/agencies", tenants[0]), agency).await;
        let clients = create_all(&admin, &format!("{}/clients", agencies[0]), client).await;
        let contacts = create_all(&admin, &format!("{}/contacts", clients[0]), contact).await;
        let tags = create_all(&admin, &format!("{}/tags", clients[0]), tag).await;
        admin.request(Method::PUT, &format!("{}/tags/{}", contacts[1], id(&tags[0]))).is(200).await;
        let users = create_all(&admin, &format!("{}/users", clients[0]), user).await;
        let domains = create_all(&admin, &format!("{}/domains", clients[0]), domain).await;
        let pipeline = json!({ "name": "Sales" });
        let pipeline = admin.post(&format!("{}/pipelines", clients[0])).json(pipeline).created().await;
        let deals_path = format!("{}/deals", clients[0]);
        let deals = create_all(&admin, &deals_path, deal).await;
        let service = admin.post(&format!("{}/services", clients[0])).json(service()).created().await;
        let staff = admin.post(&format!("{}/staff", clients[0])).json(staff()).created().await;
        let tenant_scope = world.operator().platform().tenant(id(&tenants[0]).parse().unwrap());
        let agency_scope = tenant_scope.agency(id(&agencies[0]).parse().unwrap());
        let client_scope = agency_scope.client(id(&clients[0]).parse().unwrap());
        let agency_admin = world.user(agency_scope, Role::AgencyAdmin).await;
        let client_user = world.user(client_scope, Role::ClientUser).await;
        let linked_deal = linked_deal(id(&contacts[2]), client_user.id());
        let linked_deal = admin.post(&deals_path).json(linked_deal).created().await;
        let appointments_path = format!("{}/appointments", clients[0]);
        let ids = [&service, &staff].map(Answer::id);
        let mut appointments = Vec::new();
        for number in 0..COUNT {
            let booking = appointment(world.clock().now(), ids, number);
            let booked = admin.post(&appointments_path).json(booking).created().await;
            appointments.push(booked.location().to_owned());
        }
        let linked_appointment = linked_appointment(world.clock().now(), ids, id(&contacts[2]));
        let linked_appointment = admin.post(&appointments_path).json(linked_appointment).created().await;
        let widget = admin.get(&format!("{}/widget", clients[0])).is(200).await;
        let key = widget.body["widgetKey"].as_str().expect("a widget key");
        let visitor = Visitor::create(world, client_scope, key, ids).await;
        let first_contact = id(&contacts[0]).parse().unwrap();
        let opt_out = opt_out_token(&world.app_of("reminders"), client_scope, first_contact).unwrap();
        let opt_out = format!("/reminders/unsubscribe?token={opt_out}");
        let anonymous = world.anonymous();
        Self {
            anonymous,
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
            stage: pipeline.body["stages"][0]["id"].clone(),
            deals,
            linked_deal: linked_deal.location().to_owned(),
            service: service.id().to_owned(),
            staff: staff.id().to_owned(),
            appointments,
            linked_appointment: linked_appointment.location().to_owned(),
            visitor,
            opt_out,
            now: world.clock().now(),
        }
    }

    /// All measured operations, each called by the lowest permitted role.
    ///
    /// A label with a role names another caller.
    #[expect(clippy::too_many_lines, reason = "one line per operation")]
    pub(crate) fn operations(&self) -> Vec<Operation<'w>> {
        let Self { anonymous, admin, agency_admin, client_user, .. } = self;
        let session = &client_user.session;
        let login = json!({ "email": client_user.email(), "password": PASSWORD });
        let forgot = json!({ "email": client_user.email() });
        let password = json!({ "currentPassword": PASSWORD, "newPassword": "a quiet harbour at dawn" });
        let refresh = json!({ "refreshToken": session["refreshToken"] });
        // The first of each kind contains the next kind; the last is empty and can be deleted.
        let (agencies, agency_path) = (format!("{}/agencies", self.tenants[0]), &self.agencies[0]);
        let (clients, client_path) = (format!("{agency_path}/clients"), &self.clients[0]);
        let (contacts, contact_path) = (format!("{client_path}/contacts"), &self.contacts[0]);
        let upsert = format!("{contacts}/upsert");
        let existing_contact = json!({ "email": contact(0)["email"], "jobTitle": "Countess" });
        // The second contact has the first tag; the first contact has no tag.
        let [untagged, tagged] = [0, 1].map(|index| format!("{}/tags/{}", self.contacts[index], id(&self.tags[0])));
        let (users, user_path) = (format!("{client_path}/users"), &self.users[0]);
        let (domains, domain_path) = (format!("{client_path}/domains"), &self.domains[0]);
        let (deals, deal_path) = (format!("{client_path}/deals"), &self.deals[0]);
        let move_behind = json!({ "stageId": self.stage, "afterDealId": id(&self.deals[4]) });
        let linked_deal = linked_deal(id(contact_path), client_user.id());
        let assignee = json!({ "assignedToId": client_user.id() });
        let note = json!({ "content": "Call." });
        let pipelines = format!("{client_path}/pipelines");
        let board = format!("{}/board", self.pipeline);
        let deals_of_stage = format!("{deals}?stageId={}", self.stage.as_str().expect("an id"));
        let widget = format!("{client_path}/widget");
        let (appointments, appointment_path) = (format!("{client_path}/appointments"), &self.appointments[0]);
        let week = week(self.now);
        let availability = format!("{client_path}/availability?serviceId={}&{week}", self.service);
        let availability_of_staff = format!("{availability}&staffId={}", self.staff);
        let booking = appointment(self.now, [&self.service, &self.staff], COUNT);
        let mut booking_of_any_staff = booking.clone();
        booking_of_any_staff.as_object_mut().expect("an object").remove("staffId");
        let mut linked_booking = booking.clone();
        linked_booking["contactId"] = id(contact_path).into();
        let new_time = json!({ "startTime": booking["startTime"] });
        let staff_path = format!("{client_path}/staff/{}", self.staff);
        let time_off = json!({ "start": day(self.now, 30), "end": day(self.now, 37) });
        let settings = format!("{client_path}/reminder-settings");
        let operations = vec![
            ("reminders", "getReminderSettings", client_user.get(&settings)),
            (
                "reminders",
                "replaceReminderSettings",
                agency_admin.request(Method::PUT, &settings).json(json!({ "offsets": [60] })),
            ),
            (
                "reminders",
                "listAppointmentReminders",
                client_user.get(&format!("{}/reminders", self.linked_appointment)),
            ),
            ("reminders", "showUnsubscribePage", self.visitor.user.get(&self.opt_out)),
            ("reminders", "stopReminders", self.visitor.user.post(&self.opt_out)),
            ("docs", "GET /openapi.json", anonymous.get("/openapi.json")),
            ("auth", "login", anonymous.post("/v1/auth/login").json(login)),
            ("auth", "refresh", anonymous.post("/v1/auth/refresh").json(refresh)),
            ("auth", "getMe", client_user.get("/v1/auth/me")),
            ("auth", "updateMe", client_user.patch("/v1/auth/me").json(json!({ "firstName": "Augusta" }))),
            ("auth", "changePassword", client_user.post("/v1/auth/password").json(password)),
            ("auth", "forgotPassword", anonymous.post("/v1/auth/password/forgot").json(forgot)),
            ("auth", "createClientUser", agency_admin.post(&users).json(user(COUNT))),
            ("auth", "listClientUsers", client_user.get(&users)),
            ("auth", "getClientUser", client_user.get(user_path)),
            ("auth", "updateClientUser", agency_admin.patch(user_path).json(json!({ "firstName": "Augusta" }))),
            (
                "auth",
                "updateClientUser, email",
                agency_admin.patch(user_path).json(json!({ "email": "augusta@example.com" })),
            ),
            ("auth", "deleteClientUser", agency_admin.delete(last(&self.users))),
            ("tenancy", "createTenant", admin.post("/v1/tenants").json(tenant(COUNT))),
            ("tenancy", "listTenants", admin.get("/v1/tenants")),
            ("tenancy", "getTenant", admin.get(&self.tenants[0])),
            ("tenancy", "updateTenant", admin.patch(&self.tenants[0]).json(json!({ "name": "Southwind" }))),
            ("tenancy", "deleteTenant", admin.delete(last(&self.tenants))),
            ("tenancy", "createAgency", admin.post(&agencies).json(agency(COUNT))),
            ("tenancy", "listAgencies", admin.get(&agencies)),
            ("tenancy", "getAgency", agency_admin.get(agency_path)),
            ("tenancy", "getAgency as ADMIN", admin.get(agency_path)),
            ("tenancy", "updateAgency", agency_admin.patch(agency_path).json(json!({ "name": "Bold" }))),
            ("tenancy", "deleteAgency", admin.delete(last(&self.agencies))),
            ("tenancy", "createClient", agency_admin.post(&clients).json(client(COUNT))),
            ("tenancy", "listClients", agency_admin.get(&clients)),
            ("tenancy", "getClient", client_user.get(client_path)),
            ("tenancy", "getClient as ADMIN", admin.get(client_path)),
            ("tenancy", "updateClient", agency_admin.patch(client_path).json(json!({ "currency": "EUR" }))),
            ("tenancy", "deleteClient", agency_admin.delete(last(&self.clients))),
            ("tenancy", "createDomain", agency_admin.post(&domains).json(domain(COUNT))),
            ("tenancy", "listDomains", client_user.get(&domains)),
            ("tenancy", "getDomain", client_user.get(domain_path)),
            ("tenancy", "deleteDomain", agency_admin.delete(last(&self.domains))),
            ("tenancy", "getWidget", client_user.get(&widget)),
            ("tenancy", "rotateWidgetKey", agency_admin.post(&format!("{widget}/rotate"))),
            ("contacts", "createContact", client_user.post(&contacts).json(contact(COUNT))),
            ("contacts", "listContacts", client_user.get(&contacts)),
            ("contacts", "getContact", client_user.get(contact_path)),
            ("contacts", "getContact as ADMIN", admin.get(contact_path)),
            ("contacts", "updateContact", client_user.patch(contact_path).json(json!({ "jobTitle": "Countess" }))),
            ("contacts", "deleteContact", client_user.delete(last(&self.contacts))),
            ("contacts", "upsertContact, new", client_user.post(&upsert).json(contact(COUNT))),
            ("contacts", "upsertContact, existing", client_user.post(&upsert).json(existing_contact)),
            ("contacts", "listContacts, q", client_user.get(&format!("{contacts}?q=lov"))),
            ("contacts", "listContacts, sort=name", client_user.get(&format!("{contacts}?sort=name"))),
            ("contacts", "createTag", client_user.post(&format!("{client_path}/tags")).json(tag(COUNT))),
            ("contacts", "tagContact", client_user.request(Method::PUT, &untagged)),
            ("contacts", "untagContact", client_user.delete(&tagged)),
            (
                "contacts",
                "importContacts, 10 rows",
                client_user.post(&format!("{contacts}/import")).body("text/csv", import_file()),
            ),
            ("contacts", "exportContacts, 26 rows", client_user.get(&format!("{contacts}/export"))),
            ("deals", "createPipeline", agency_admin.post(&pipelines).json(json!({ "name": "Catering" }))),
            ("deals", "getBoard", client_user.get(&board)),
            ("deals", "createDeal", client_user.post(&deals).json(deal(COUNT))),
            ("deals", "createDeal, contact and assignee", client_user.post(&deals).json(linked_deal)),
            ("deals", "listDeals", client_user.get(&deals)),
            ("deals", "listDeals, stageId", client_user.get(&deals_of_stage)),
            ("deals", "getDeal", client_user.get(deal_path)),
            ("deals", "updateDeal", client_user.patch(deal_path).json(json!({ "value": 99.5 }))),
            ("deals", "updateDeal, assignee", client_user.patch(deal_path).json(assignee)),
            ("deals", "updateDeal, status=WON", client_user.patch(deal_path).json(json!({ "status": "WON" }))),
            ("deals", "moveDeal", client_user.post(&format!("{deal_path}/move")).json(move_behind)),
            ("deals", "deleteDeal", client_user.delete(last(&self.deals))),
            ("deals", "createNote", client_user.post(&format!("{deal_path}/notes")).json(note)),
            ("deals", "listDealHistory", client_user.get(&format!("{deal_path}/history"))),
            ("appointments", "getAvailability, one staff member", client_user.get(&availability_of_staff)),
            ("appointments", "getAvailability, any staff member", client_user.get(&availability)),
            ("appointments", "createAppointment", client_user.post(&appointments).json(booking)),
            ("appointments", "createAppointment, contact", client_user.post(&appointments).json(linked_booking)),
            (
                "appointments",
                "createAppointment, any staff member",
                client_user.post(&appointments).json(booking_of_any_staff),
            ),
            ("appointments", "listAppointments, one week", client_user.get(&format!("{appointments}?{week}"))),
            ("appointments", "getAppointment", client_user.get(appointment_path)),
            ("appointments", "confirmAppointment", client_user.post(&format!("{appointment_path}/confirm"))),
            (
                "appointments",
                "rescheduleAppointment",
                client_user.post(&format!("{appointment_path}/reschedule")).json(new_time),
            ),
            ("appointments", "cancelAppointment", client_user.post(&format!("{appointment_path}/cancel"))),
            (
                "appointments",
                "createTimeOff, one week",
                agency_admin.post(&format!("{staff_path}/time-off")).json(time_off),
            ),
        ];
        let visitor = self.visitor.operations(self.now, [&self.service, &self.staff]);
        operations
            .into_iter()
            .chain(visitor)
            .map(|(module, name, request)| Operation { module, name, request })
            .collect()
    }

    /// The sizes of typical items, by description: in the table and in every index.
    pub(crate) fn item_sizes(&self, snapshot: &Snapshot) -> Vec<(&'static str, Vec<ItemCopy>)> {
        let items = [
            ("tenant", "#TENANT", id(&self.tenants[0])),
            ("agency", "#AGENCY", id(&self.agencies[0])),
            ("client", "#CLIENT", id(&self.clients[0])),
            ("user", "#USER", self.client_user.id()),
            ("contact", "#CONTACT", id(&self.contacts[0])),
            ("deal", "#DEAL", id(&self.deals[0])),
            ("deal with contact and assignee", "#DEAL", id(&self.linked_deal)),
            ("service", "#SERVICE", &self.service),
            ("staff member", "#STAFF", &self.staff),
            ("appointment", "#APPOINTMENT", id(&self.appointments[0])),
            ("appointment with contact", "#APPOINTMENT", id(&self.linked_appointment)),
        ];
        items.map(|(name, collection, id)| (name, snapshot.copies(collection, id))).into()
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

/// A CSV file of 10 new contacts.
fn import_file() -> String {
    let rows =
        (COUNT..COUNT + 10).map(|number| format!("Ada,Lovelace,ada.lovelace.{number}@example.com,+12125550123\r\n"));
    ["firstName,lastName,email,phone\r\n".to_owned()].into_iter().chain(rows).collect()
}

fn tag(number: usize) -> Value {
    json!({ "name": format!("Segment {number}") })
}

fn deal(number: usize) -> Value {
    json!({
        "title": format!("Catering for summer party {number}"),
        "value": 1250.5,
        "currency": "USD",
        "expectedCloseDate": "2026-09-30",
    })
}

/// A deal with all links.
fn linked_deal(contact: &str, assignee: &str) -> Value {
    let mut linked = deal(COUNT);
    linked["contactId"] = contact.into();
    linked["assignedToId"] = assignee.into();
    linked
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

/// The start of the UTC day that is `ahead` days from now.
fn day(now: Instant, ahead: i64) -> String {
    let date = now.to_utc().date_naive() + TimeDelta::days(ahead);
    format!("{date}T00:00:00.000Z")
}

/// The query of the week that has [`COUNT`] appointments.
fn week(now: Instant) -> String {
    format!("from={}&to={}", day(now, 3), day(now, 10))
}

/// A booking in that week: five numbers for each day.
fn appointment(now: Instant, [service, staff]: [&str; 2], number: usize) -> Value {
    let hours = ["08", "09", "10", "11", "14"];
    let ahead = 3 + i64::try_from(number / hours.len()).expect("a small number");
    let start = day(now, ahead).replace("T00", &format!("T{}", hours[number % hours.len()]));
    json!({ "serviceId": service, "staffId": staff, "startTime": start })
}

/// An appointment with a contact and notes, on a day without other appointments.
fn linked_appointment(now: Instant, ids: [&str; 2], contact: &str) -> Value {
    let mut linked = appointment(now, ids, 0);
    linked["startTime"] = day(now, 20).replace("T00", "T09").into();
    linked["contactId"] = contact.into();
    linked["notes"] = "Prefers the chair by the window.".into();
    linked
}

/// Creates [`COUNT`] entities and returns their paths, oldest first.
async fn create_all(user: &TestUser<'_>, collection: &str, entity: fn(usize) -> Value) -> Vec<String> {
    let mut paths = Vec::new();
    for number in 0..COUNT {
        let created = user.post(collection).json(entity(number)).created().await;
        paths.push(created.location().to_owned());
    }
    paths
}

fn last(paths: &[String]) -> &str {
    paths.last().expect("at least one")
}

/// The id at the end of a path.
pub(crate) fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
