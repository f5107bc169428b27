//! Ready-made parts of the tree tenant › agency › client, with somebody in them.

use std::str::FromStr;

use serde_json::json;
use shared::auth::{AgencyScope, ClientScope, Role};
use shared::value::Id;
use uuid::Uuid;

use crate::who::Who;
use crate::world::World;

/// A client with one of each thing, and the paths that lead to them.
#[derive(Clone, Debug)]
pub struct PathParams {
    /// The client's scope, which is made of the ids of its tenant and agency too.
    pub scope: ClientScope,
    /// `/v1/tenants/…`
    pub tenant: String,
    /// `/v1/agencies/…`
    pub agency: String,
    /// `/v1/clients/…`
    pub client: String,
    /// `/v1/clients/…/contacts`
    pub contacts: String,
    /// `/v1/clients/…/contacts/…`
    pub contact: String,
    /// `/v1/clients/…/contacts/imports/…`, which is finished.
    pub import: String,
    /// `/v1/clients/…/tags/…`
    pub tag: String,
    /// `/v1/clients/…/domains/…`
    pub domain: String,
    /// `/v1/clients/…/pipelines/…`, the default one.
    pub pipeline: String,
    /// `/v1/clients/…/pipelines/…/stages/…`, the last one, which holds nothing.
    pub stage: String,
    /// `/v1/clients/…/deals/…`
    pub deal: String,
    /// `/v1/clients/…/deals/…/notes/…`
    pub note: String,
    /// `/v1/clients/…/services/…`
    pub service: String,
    /// `/v1/clients/…/staff/…`
    pub staff: String,
    /// `/v1/clients/…/staff/…/time-off/…`
    pub time_off: String,
    /// `/v1/clients/…/appointments/…`
    pub appointment: String,
    /// `/v1/agencies/…/users/…`, of somebody who was invited.
    pub agency_user: String,
    /// `/v1/clients/…/users/…`, of somebody who was invited.
    pub client_user: String,
}

impl PathParams {
    /// The id that a parameter of a path has here, such as `contactId`.
    pub fn id(&self, parameter: &str) -> &str {
        self.id_in("", parameter)
    }

    /// The same for a parameter that depends on what the path begins with.
    pub fn id_in(&self, path: &str, parameter: &str) -> &str {
        let path = match parameter {
            "userId" if path.starts_with("/v1/agencies/") => &self.agency_user,
            "userId" => &self.client_user,
            "domainId" => &self.domain,
            "tenantId" => &self.tenant,
            "agencyId" => &self.agency,
            "clientId" => &self.client,
            "contactId" => &self.contact,
            "importId" => &self.import,
            "tagId" => &self.tag,
            "pipelineId" => &self.pipeline,
            "stageId" => &self.stage,
            "dealId" => &self.deal,
            "noteId" => &self.note,
            "serviceId" => &self.service,
            "staffId" => &self.staff,
            "timeOffId" => &self.time_off,
            "appointmentId" => &self.appointment,
            _ => panic!("{parameter} is new: a spot in the tree needs one of these too"),
        };
        path.rsplit('/').next().expect("a path ends in its id")
    }

    /// The same place with things in it that never existed.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let nothing = || format!("/{}", Uuid::now_v7());
        Self {
            contact: nothing(),
            import: nothing(),
            tag: nothing(),
            domain: nothing(),
            pipeline: nothing(),
            stage: nothing(),
            deal: nothing(),
            note: nothing(),
            service: nothing(),
            staff: nothing(),
            time_off: nothing(),
            appointment: nothing(),
            agency_user: nothing(),
            client_user: nothing(),
            ..self.clone()
        }
    }

    /// What the client holds beside its users, each before what it refers to: in this order all of it can be deleted.
    pub fn contents(&self) -> [&str; 9] {
        let Self { appointment, time_off, staff, service, deal, pipeline, contact, domain, tag, .. } = self;
        [appointment, time_off, staff, service, deal, pipeline, contact, domain, tag]
    }

    /// The scope of the client's agency.
    pub const fn agency_scope(&self) -> AgencyScope {
        self.scope.agency()
    }
}

/// One client, and somebody in it.
pub struct SalonFixture<'w> {
    /// The platform's admin.
    pub admin: Who<'w>,
    /// A `CLIENT_ADMIN` of the client.
    pub owner: Who<'w>,
    /// Where it stands.
    pub spot: PathParams,
    /// `/v1/clients/…/contacts`
    pub contacts: String,
}

/// Two tenants with two agencies with two clients with a contact each, and somebody of every role, who is at home in the
/// first of each.
pub struct Tree<'w> {
    /// By tenant, agency and client.
    pub spots: [[[PathParams; 2]; 2]; 2],
    /// One user of each role.
    pub users: [(Role, Who<'w>); 5],
}

impl<'w> Tree<'w> {
    /// Where everybody is at home.
    pub const fn own(&self) -> &PathParams {
        &self.spots[0][0][0]
    }

    /// Another client of the same agency.
    pub const fn sibling(&self) -> &PathParams {
        &self.spots[0][0][1]
    }

    /// A client of another agency of the same tenant.
    pub const fn other_agency(&self) -> &PathParams {
        &self.spots[0][1][0]
    }

    /// A client of another tenant.
    pub const fn other_tenant(&self) -> &PathParams {
        &self.spots[1][0][0]
    }

    /// The user of this role.
    pub fn user(&self, role: Role) -> &Who<'w> {
        let found = self.users.iter().find(|(other, _)| *other == role);
        found.map(|(_, who)| who).expect("there is one of every role")
    }

    /// The user with the role `ADMIN`.
    pub fn admin(&self) -> &Who<'w> {
        self.user(Role::Admin)
    }
}

impl World {
    /// A client of its own, and its owner.
    pub async fn shop(&self) -> SalonFixture<'_> {
        let admin = self.admin().await;
        let spot = self.spot(&admin, None, None).await;
        let owner = self.user(spot.scope, Role::ClientAdmin).await;
        SalonFixture { admin, owner, contacts: spot.contacts.clone(), spot }
    }

    /// The whole of it.
    pub async fn tree(&self) -> Tree<'_> {
        let admin = self.admin().await;
        let spots = [self.tenant_spots(&admin).await, self.tenant_spots(&admin).await];
        let home = spots[0][0][0].clone();
        let users = [
            (Role::Admin, admin),
            (Role::AgencyAdmin, self.user(home.agency_scope(), Role::AgencyAdmin).await),
            (Role::AgencyUser, self.user(home.agency_scope(), Role::AgencyUser).await),
            (Role::ClientAdmin, self.user(home.scope, Role::ClientAdmin).await),
            (Role::ClientUser, self.user(home.scope, Role::ClientUser).await),
        ];
        Tree { spots, users }
    }

    async fn tenant_spots(&self, admin: &Who<'_>) -> [[PathParams; 2]; 2] {
        let first = self.spot(admin, None, None).await;
        let second = self.spot(admin, Some(&first.tenant), None).await;
        let [beside_first, beside_second] =
            [self.spot(admin, None, Some(&first)).await, self.spot(admin, None, Some(&second)).await];
        [[first, beside_first], [second, beside_second]]
    }

    /// A new client with a contact: in a new tenant, in a new agency of this tenant, or beside another client.
    async fn spot(&self, admin: &Who<'_>, tenant: Option<&str>, sibling: Option<&PathParams>) -> PathParams {
        let tenant = match (tenant, sibling) {
            (Some(tenant), _) => tenant.to_owned(),
            (_, Some(sibling)) => sibling.tenant.clone(),
            (None, None) => create(admin, "/v1/tenants").await,
        };
        let agency = match sibling {
            Some(sibling) => sibling.agency.clone(),
            None => create(admin, &format!("{tenant}/agencies")).await,
        };
        let client = create(admin, &format!("{agency}/clients")).await;
        let contacts = format!("{client}/contacts");
        let person = json!({ "firstName": "Grace", "lastName": "Hopper" });
        let contact = admin.post(&contacts).json(person).created().await.location().to_owned();
        let import = self.import(admin, &contacts).await;
        let tag = create_tag(admin, &client).await;
        let platform = self.operator().platform();
        let scope = platform.tenant(id_of(&tenant)).agency(id_of(&agency)).client(id_of(&client));
        let domain = json!({ "domain": format!("{}.example.com", Uuid::now_v7()) });
        let domain = admin.post(&format!("{client}/domains")).json(domain).created().await.location().to_owned();
        let agency_user = invite(admin, &agency).await;
        let client_user = invite(admin, &client).await;
        let Sales { pipeline, stage, deal, note } = sales(admin, &client).await;
        let Schedule { service, staff, time_off, appointment } = schedule(admin, &client).await;
        PathParams {
            scope,
            tenant,
            agency,
            client,
            contacts,
            contact,
            import,
            tag,
            domain,
            pipeline,
            stage,
            deal,
            note,
            service,
            staff,
            time_off,
            appointment,
            agency_user,
            client_user,
        }
    }

    /// The path of an import of a contact, once it is finished.
    async fn import(&self, admin: &Who<'_>, contacts: &str) -> String {
        let file = "firstName,lastName\r\n";
        let answer = admin.post(&format!("{contacts}/import")).body("text/csv", file).send().await;
        match answer.status.as_u16() {
            200 => {}
            202 => self.work().await,
            _ => panic!("{answer}"),
        }
        format!("{contacts}/imports/{}", answer.id())
    }
}

/// Paths of what a client sells with.
struct Sales {
    pipeline: String,
    stage: String,
    deal: String,
    note: String,
}

/// A pipeline, and a deal with a note in its first stage.
async fn sales(admin: &Who<'_>, client: &str) -> Sales {
    let pipeline = admin.post(&format!("{client}/pipelines")).json(json!({ "name": "Sales" })).created().await;
    let last = pipeline.body["stages"].as_array().and_then(|stages| stages.last()).expect("it has stages");
    let stage = format!("{}/stages/{}", pipeline.location(), last["id"].as_str().expect("an id"));
    let deal = admin.post(&format!("{client}/deals")).json(json!({ "title": "Engine" })).created().await;
    let note = json!({ "content": "Runs on steam." });
    let note = admin.post(&format!("{}/notes", deal.location())).json(note).created().await;
    Sales {
        pipeline: pipeline.location().to_owned(),
        stage,
        deal: deal.location().to_owned(),
        note: note.location().to_owned(),
    }
}

/// Paths of what a client's time is given out by.
struct Schedule {
    service: String,
    staff: String,
    time_off: String,
    appointment: String,
}

/// A service, somebody who does it, when they are off, and an appointment with them.
async fn schedule(admin: &Who<'_>, client: &str) -> Schedule {
    let make = async |collection: &str, body| admin.post(&format!("{client}/{collection}")).json(body).created().await;
    let service = make("services", json!({ "name": "Haircut", "duration": 30 })).await;
    let staff = make("staff", json!({ "name": "Grace", "email": "grace@example.com" })).await;
    let off = json!({ "start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z" });
    let off = admin.post(&format!("{}/time-off", staff.location())).json(off).created().await;
    let booked = json!({ "serviceId": service.id(), "staffId": staff.id(), "startTime": START, "force": true });
    let appointment = make("appointments", booked).await;
    Schedule {
        service: service.location().to_owned(),
        staff: staff.location().to_owned(),
        time_off: off.location().to_owned(),
        appointment: appointment.location().to_owned(),
    }
}

/// When the appointment of each client begins.
pub const START: &str = "2030-06-03T10:00:00.000Z";

/// The path of a new tag of a client.
pub async fn create_tag(admin: &Who<'_>, client: &str) -> String {
    let tag = json!({ "name": Uuid::new_v4() });
    admin.post(&format!("{client}/tags")).json(tag).created().await.location().to_owned()
}

/// The path of somebody new who was invited to an agency or a client.
pub async fn invite(admin: &Who<'_>, home: &str) -> String {
    let email = format!("{}@example.com", Uuid::new_v4());
    let person = json!({ "email": email, "firstName": "Grace", "lastName": "Hopper" });
    admin.post(&format!("{home}/users")).json(person).created().await.location().to_owned()
}

async fn create(admin: &Who<'_>, collection: &str) -> String {
    admin.post(collection).json(json!({ "name": "Northwind" })).created().await.location().to_owned()
}

/// The id at the end of a path.
fn id_of<T>(path: &str) -> Id<T> {
    let (_, id) = path.rsplit_once('/').expect("a path");
    Id::from_str(id).expect("an id")
}
