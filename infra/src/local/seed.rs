//! Initial data of an empty platform: the first admin and demo data.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use chrono::TimeDelta;
use lambda_http::http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use shared::identity::Role;
use shared::users::Profile;
use shared::users::operator::Operator;
use shared::value::Instant;
use shared::web::App;

use super::{Error, Seed, Settings};
use crate::aws::gateway::Gateway;

/// An account that can sign in with a known password.
pub(super) struct Account {
    pub(super) role: &'static str,
    pub(super) email: String,
    pub(super) password: String,
}

/// Password of all demo users except the admin.
const DEMO_PASSWORD: &str = "upzento-demo";

/// Demo users other than the admin: role, email, first and last name.
const DEMO_USERS: [(&str, &str, &str, &str); 5] = [
    ("AGENCY_ADMIN", "agency-admin@bright.example", "Ana", "Silva"),
    ("AGENCY_USER", "agency-user@bright.example", "Ben", "Okafor"),
    ("CLIENT_ADMIN", "client-admin@bakery.example", "Chloé", "Martin"),
    ("CLIENT_USER", "client-user@bakery.example", "Dai", "Tanaka"),
    ("AGENCY_ADMIN", "agency-admin@harbor.example", "Eva", "Novák"),
];

/// Seeds an empty platform and returns the accounts that can sign in.
pub(super) async fn seed(settings: &Settings, app: &App, api: &Gateway) -> Result<Vec<Account>, Error> {
    let operator = Operator::new(app.clone());
    let (email, password) = (&settings.admin_email, &settings.admin_password);
    // Marks an incomplete seed, so that an interrupted one is completed at the next start.
    let pending = settings.data_dir.join("demo-pending");
    let is_new = create_admin(&operator, email, password).await?;
    if is_new && settings.seed == Seed::Demo {
        fs::write(&pending, "")?;
    }
    if pending.exists() {
        create_demo(app, &Admin::sign_in(api, email, password).await?).await?;
        fs::remove_file(&pending)?;
    }
    accounts(settings, &operator).await
}

/// The accounts that still have their initial passwords.
///
/// The data may be older than the settings.
async fn accounts(settings: &Settings, operator: &Operator) -> Result<Vec<Account>, Error> {
    let admin = ("ADMIN", settings.admin_email.as_str(), settings.admin_password.as_str());
    let demo = DEMO_USERS.iter().map(|(role, email, ..)| (*role, *email, DEMO_PASSWORD));
    let mut accounts = Vec::new();
    for (role, email, password) in std::iter::once(admin).chain(demo) {
        let (Ok(address), Ok(parsed)) = (email.parse(), password.parse()) else { continue };
        let can_sign_in = operator.can_sign_in(&address, parsed).await;
        if can_sign_in.map_err(|problem| format!("cannot look up {email}: {problem:?}"))? {
            accounts.push(Account { role, email: email.to_owned(), password: password.to_owned() });
        }
    }
    Ok(accounts)
}

/// Creates the platform's first admin. Returns false if the admin already exists.
async fn create_admin(operator: &Operator, email: &str, password: &str) -> Result<bool, Error> {
    let invalid = |_| "the name of the admin is invalid";
    let profile =
        Profile { first_name: "Ada".parse().map_err(invalid)?, last_name: "Lovelace".parse().map_err(invalid)? };
    let address = email.parse().map_err(|_| format!("ADMIN_EMAIL: {email} is not an email address"))?;
    let password = password
        .parse()
        .map_err(|_| "ADMIN_PASSWORD must have 12 to 128 characters and must not be a common password")?;
    match operator.create_user(operator.platform(), Role::Admin, address, profile, password).await {
        Ok(_) => Ok(true),
        Err(problem) if problem.code() == "email_taken" => Ok(false),
        Err(problem) => Err(format!("cannot create {email}: {problem:?}").into()),
    }
}

async fn create_demo(app: &App, admin: &Admin<'_>) -> Result<(), Error> {
    let tenant =
        admin.create("/v1/tenants", json!({ "name": "Northwind Group", "domain": "northwind.example" })).await?;
    let agencies = format!("/v1/tenants/{tenant}/agencies");
    let bright = admin.create(&agencies, json!({ "name": "Bright Ideas" })).await?;
    let harbor = admin.create(&agencies, json!({ "name": "Blue Harbor" })).await?;
    let bakery = json!({
        "name": "Corner Bakery", "timeZone": "America/New_York", "currency": "USD", "country": "US",
        "brand": { "displayName": "The Corner Bakery", "color": "#b7791f", "replyTo": "hello@bakery.example" },
    });
    let bakery = admin.create(&format!("/v1/agencies/{bright}/clients"), bakery).await?;
    let clinic = json!({ "name": "Riverside Clinic", "timeZone": "Europe/London", "currency": "GBP" });
    admin.create(&format!("/v1/agencies/{bright}/clients"), clinic).await?;
    let school = json!({ "name": "Sailing School", "timeZone": "Australia/Sydney", "currency": "AUD" });
    admin.create(&format!("/v1/agencies/{harbor}/clients"), school).await?;
    let tags = format!("/v1/clients/{bakery}/tags");
    let vip = admin.create(&tags, json!({ "name": "VIP", "color": "#b7791f" })).await?;
    let newsletter = admin.create(&tags, json!({ "name": "newsletter", "color": "#2f855a" })).await?;
    let mut contact_ids = Vec::new();
    for (mut contact, tags) in
        contacts().into_iter().zip([vec![&vip, &newsletter], vec![&newsletter], vec![], vec![&vip]])
    {
        contact["tagIds"] = json!(tags);
        contact_ids.push(admin.create(&format!("/v1/clients/{bakery}/contacts"), contact).await?);
    }
    create_deals(admin, &format!("/v1/clients/{bakery}"), &contact_ids).await?;
    create_appointments(admin, &format!("/v1/clients/{bakery}"), &contact_ids, app.clock().now()).await?;
    for domain in ["bakery.example", "*.bakery.example", "localhost"] {
        admin.create(&format!("/v1/clients/{bakery}/domains"), json!({ "domain": domain })).await?;
    }
    let (bright, harbor) = (format!("/v1/agencies/{bright}/users"), format!("/v1/agencies/{harbor}/users"));
    let bakery = format!("/v1/clients/{bakery}/users");
    for (users, (role, email, first, last)) in [&bright, &bright, &bakery, &bakery, &harbor].into_iter().zip(DEMO_USERS)
    {
        let user =
            json!({ "role": role, "email": email, "firstName": first, "lastName": last, "password": DEMO_PASSWORD });
        admin.create(users, user).await?;
    }
    Ok(())
}

/// Creates a pipeline with a deal for each contact.
async fn create_deals(admin: &Admin<'_>, client: &str, contacts: &[String]) -> Result<(), Error> {
    let stages = [("Enquiry", 10), ("Tasting", 40), ("Offer", 60), ("Order", 90)];
    let stages = stages.map(|(name, probability)| json!({ "name": name, "probability": probability }));
    let catering = json!({ "name": "Catering", "stages": stages });
    let pipeline = admin.post(&format!("{client}/pipelines"), &catering, Some("Catering")).await?;
    let deals = [
        ("Retirement party", 1250.0, 0, "OPEN"),
        ("Weekly pastries", 320.5, 1, "OPEN"),
        ("Wedding cake", 890.0, 2, "OPEN"),
        ("Tea tasting", 75.0, 3, "WON"),
    ];
    for ((title, value, stage, status), contact) in deals.into_iter().zip(contacts) {
        let stage = &pipeline["stages"][stage]["id"];
        let deal = json!({ "title": title, "value": value, "stageId": stage, "status": status, "contactId": contact });
        admin.create(&format!("{client}/deals"), deal).await?;
    }
    Ok(())
}

/// Creates services, staff members and upcoming bookings for the contacts.
async fn create_appointments(admin: &Admin<'_>, client: &str, contacts: &[String], now: Instant) -> Result<(), Error> {
    let hours = json!([
        { "days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "12:30" },
        { "days": ["mon", "tue", "wed", "thu", "fri"], "start": "13:30", "end": "17:00" },
    ]);
    let staff = format!("{client}/staff");
    let mut staff_ids = Vec::new();
    for (name, email) in [("Maya Rossi", "maya@bakery.example"), ("Noah Berg", "noah@bakery.example")] {
        staff_ids.push(admin.create(&staff, json!({ "name": name, "email": email, "weeklyHours": hours })).await?);
    }
    let services = format!("{client}/services");
    let tasting = json!({ "name": "Cake tasting", "duration": 45, "price": 25, "bufferAfter": 15, "minNotice": 120 });
    let tasting = admin.create(&services, tasting).await?;
    let course =
        json!({ "name": "Bread course", "duration": 180, "price": 90, "staffIds": [staff_ids[0]], "slotInterval": 30 });
    admin.create(&services, course).await?;
    for (day, (contact, staff)) in contacts.iter().zip(staff_ids.iter().cycle()).enumerate() {
        // 10:00 or 11:00 in New York.
        let date = (now.to_utc() + TimeDelta::days(2 + i64::try_from(day)?)).date_naive();
        let start = format!("{date}T15:00:00Z");
        let booking =
            json!({ "serviceId": tasting, "staffId": staff, "contactId": contact, "startTime": start, "force": true });
        admin.create(&format!("{client}/appointments"), booking).await?;
    }
    Ok(())
}

fn contacts() -> [Value; 4] {
    [
        json!({ "firstName": "Grace", "lastName": "Hopper", "email": "grace@navy.example", "phone": "+12025550143",
            "company": "US Navy", "jobTitle": "Rear Admiral", "source": "website" }),
        json!({ "firstName": "Åsa", "lastName": "Lindström", "email": "asa@fika.example", "source": "referral" }),
        json!({ "firstName": "José", "lastName": "García", "email": "jose@tapas.example", "phone": "+34912345678" }),
        json!({ "firstName": "明", "lastName": "王", "company": "Jade Tea House" }),
    ]
}

/// The API, called as the signed-in admin.
struct Admin<'a> {
    api: &'a Gateway,
    token: String,
}

impl<'a> Admin<'a> {
    async fn sign_in(api: &'a Gateway, email: &str, password: &str) -> Result<Self, Error> {
        let anonymous = Self { api, token: String::new() };
        let tokens = anonymous.post("/v1/auth/login", &json!({ "email": email, "password": password }), None).await?;
        let token = tokens["accessToken"].as_str().ok_or("the sign-in response has no access token")?.to_owned();
        Ok(Self { api, token })
    }

    /// Creates an entity idempotently and returns its id.
    async fn create(&self, path: &str, body: Value) -> Result<String, Error> {
        let naming_field =
            ["name", "title", "domain", "email", "firstName", "contactId"].iter().find_map(|name| body.get(name));
        let name = naming_field.and_then(Value::as_str).unwrap_or_default();
        let key = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
        let created = self.post(path, &body, Some(&key)).await?;
        Ok(created["id"].as_str().ok_or("a created entity has no id")?.to_owned())
    }

    async fn post(&self, path: &str, body: &Value, idempotency_key: Option<&str>) -> Result<Value, Error> {
        let mut request = Request::post(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(body.to_string().into())?;
        let response = self.api.handle(request, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
        let (status, body) = (response.status(), response.body());
        if !status.is_success() {
            return Err(format!("POST {path}: {status} {}", String::from_utf8_lossy(body)).into());
        }
        Ok(serde_json::from_slice(body)?)
    }
}
