//! Fixtures of the tree tenant › agency › client, with users.

use std::str::FromStr;

use infra::check::readable_key;
use serde_json::json;
use shared::identity::{AgencyScope, ClientScope, Role};
use shared::value::Id;
use uuid::Uuid;

use crate::users::TestUser;
use crate::world::World;

/// The paths of a client with one resource of each kind.
#[derive(Clone, Debug)]
pub struct PathParams {
    /// The client's scope, which includes the ids of its tenant and agency.
    pub scope: ClientScope,
    /// The scope of the client's agency.
    pub agency_scope: AgencyScope,
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
    /// `/v1/clients/…/contacts/imports/…`, a finished import.
    pub import: String,
    /// `/v1/clients/…/tags/…`
    pub tag: String,
    /// `/v1/clients/…/domains/…`
    pub domain: String,
    /// `/v1/clients/…/pipelines/…`, the default pipeline.
    pub pipeline: String,
    /// `/v1/clients/…/pipelines/…/stages/…`, the last stage, without deals.
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
    /// `/v1/agencies/…/users/…`, an invited user.
    pub agency_user: String,
    /// `/v1/clients/…/users/…`, an invited user.
    pub client_user: String,
}

impl PathParams {
    /// The partition key of a collection of the client, as in [`World::rows`].
    pub fn partition(&self, collection: &str) -> String {
        readable_key(&format!("{}{collection}", self.scope))
    }

    /// The id of a path parameter, such as `contactId`.
    pub fn id(&self, parameter: &str) -> &str {
        self.id_in("", parameter)
    }

    /// The id of a path parameter that depends on the prefix of the path.
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
            _ => panic!("unknown path parameter {parameter}: add it to PathParams"),
        };
        path.rsplit('/').next().expect("a path ends in its id")
    }

    /// The same client with ids of resources that never existed.
    #[must_use]
    pub fn with_missing_resources(&self) -> Self {
        let missing = || format!("/{}", Uuid::now_v7());
        Self {
            contact: missing(),
            import: missing(),
            tag: missing(),
            domain: missing(),
            pipeline: missing(),
            stage: missing(),
            deal: missing(),
            note: missing(),
            service: missing(),
            staff: missing(),
            time_off: missing(),
            appointment: missing(),
            agency_user: missing(),
            client_user: missing(),
            ..self.clone()
        }
    }

    /// The client's resources except its users, in a valid order of deletion.
    pub fn contents(&self) -> [&str; 9] {
        let Self { appointment, time_off, staff, service, deal, pipeline, contact, domain, tag, .. } = self;
        [appointment, time_off, staff, service, deal, pipeline, contact, domain, tag]
    }

    /// The scope of the client's agency.
    pub const fn agency_scope(&self) -> AgencyScope {
        self.agency_scope
    }
}

/// One client with its owner.
pub struct SalonFixture<'w> {
    /// The platform's admin.
    pub admin: TestUser<'w>,
    /// A `CLIENT_ADMIN` of the client.
    pub owner: TestUser<'w>,
    /// The client's paths.
    pub paths: PathParams,
    /// `/v1/clients/…/contacts`
    pub contacts: String,
}

/// Eight clients and a user of every role.
///
/// There are two tenants with two agencies each, with two clients each. The home of each user is the
/// platform, or the first agency or client.
pub struct Tree<'w> {
    /// The clients' paths by tenant, agency and client.
    pub clients: [[[PathParams; 2]; 2]; 2],
    /// One user of each role.
    pub users: [(Role, TestUser<'w>); 5],
}

impl<'w> Tree<'w> {
    /// The client in which, or above which, every user has their home.
    pub const fn own(&self) -> &PathParams {
        &self.clients[0][0][0]
    }

    /// Another client of the same agency.
    pub const fn sibling(&self) -> &PathParams {
        &self.clients[0][0][1]
    }

    /// A client of another agency of the same tenant.
    pub const fn other_agency(&self) -> &PathParams {
        &self.clients[0][1][0]
    }

    /// A client of another tenant.
    pub const fn other_tenant(&self) -> &PathParams {
        &self.clients[1][0][0]
    }

    /// The user of this role.
    pub fn user(&self, role: Role) -> &TestUser<'w> {
        let entry = self.users.iter().find(|(other, _)| *other == role);
        entry.map(|(_, user)| user).expect("there is a user of every role")
    }

    /// The user with the role `ADMIN`.
    pub fn admin(&self) -> &TestUser<'w> {
        self.user(Role::Admin)
    }
}

impl World {
    /// Creates a client with its own agency and tenant, and an owner.
    pub async fn shop(&self) -> SalonFixture<'_> {
        let admin = self.admin().await;
        let paths = self.create_client(&admin, None, None).await;
        let owner = self.user(paths.scope, Role::ClientAdmin).await;
        SalonFixture { admin, owner, contacts: paths.contacts.clone(), paths }
    }

    /// Creates a full [`Tree`].
    pub async fn tree(&self) -> Tree<'_> {
        let admin = self.admin().await;
        let clients = [self.create_tenant(&admin).await, self.create_tenant(&admin).await];
        let home = clients[0][0][0].clone();
        let users = [
            (Role::Admin, admin),
            (Role::AgencyAdmin, self.user(home.agency_scope(), Role::AgencyAdmin).await),
            (Role::AgencyUser, self.user(home.agency_scope(), Role::AgencyUser).await),
            (Role::ClientAdmin, self.user(home.scope, Role::ClientAdmin).await),
            (Role::ClientUser, self.user(home.scope, Role::ClientUser).await),
        ];
        Tree { clients, users }
    }

    /// Creates the clients of one tenant, by agency.
    async fn create_tenant(&self, admin: &TestUser<'_>) -> [[PathParams; 2]; 2] {
        let first = self.create_client(admin, None, None).await;
        let second = self.create_client(admin, Some(&first.tenant), None).await;
        let [first_sibling, second_sibling] =
            [self.create_client(admin, None, Some(&first)).await, self.create_client(admin, None, Some(&second)).await];
        [[first, first_sibling], [second, second_sibling]]
    }

    /// Creates a client with one resource of each kind.
    ///
    /// Its agency is that of `sibling`, otherwise a new agency of `tenant`, otherwise a new agency of a new
    /// tenant.
    async fn create_client(
        &self,
        admin: &TestUser<'_>,
        tenant: Option<&str>,
        sibling: Option<&PathParams>,
    ) -> PathParams {
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
        let contact = json!({ "firstName": "Grace", "lastName": "Hopper" });
        let contact = admin.post(&contacts).json(contact).created().await.location().to_owned();
        let import = self.import(admin, &contacts).await;
        let tag = create_tag(admin, &client).await;
        let platform = self.operator().platform();
        let agency_scope = platform.tenant(id_of(&tenant)).agency(id_of(&agency));
        let scope = agency_scope.client(id_of(&client));
        let domain = json!({ "domain": format!("{}.example.com", Uuid::now_v7()) });
        let domain = admin.post(&format!("{client}/domains")).json(domain).created().await.location().to_owned();
        let agency_user = invite(admin, &agency).await;
        let client_user = invite(admin, &client).await;
        let Sales { pipeline, stage, deal, note } = create_sales(admin, &client).await;
        let Schedule { service, staff, time_off, appointment } = create_schedule(admin, &client).await;
        PathParams {
            scope,
            agency_scope,
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

    /// Imports a contact and returns the path of the finished import.
    async fn import(&self, admin: &TestUser<'_>, contacts: &str) -> String {
        let file = "firstName,lastName\r\n";
        let answer = admin.post(&format!("{contacts}/import")).body("text/csv", file).send().await;
        match answer.status.as_u16() {
            200 => {}
            202 => self.run_jobs().await,
            _ => panic!("{answer}"),
        }
        format!("{contacts}/imports/{}", answer.id())
    }
}

/// The paths of a client's sales resources.
struct Sales {
    pipeline: String,
    stage: String,
    deal: String,
    note: String,
}

/// Creates a pipeline, and a deal with a note in its first stage.
async fn create_sales(admin: &TestUser<'_>, client: &str) -> Sales {
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

/// The paths of a client's scheduling resources.
struct Schedule {
    service: String,
    staff: String,
    time_off: String,
    appointment: String,
}

/// Creates a service, a staff member with time off, and an appointment.
async fn create_schedule(admin: &TestUser<'_>, client: &str) -> Schedule {
    let create =
        async |collection: &str, body| admin.post(&format!("{client}/{collection}")).json(body).created().await;
    let service = create("services", json!({ "name": "Haircut", "duration": 30 })).await;
    let staff = create("staff", json!({ "name": "Grace", "email": "grace@example.com" })).await;
    let time_off = json!({ "start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z" });
    let time_off = admin.post(&format!("{}/time-off", staff.location())).json(time_off).created().await;
    let booking = json!({ "serviceId": service.id(), "staffId": staff.id(), "startTime": START, "force": true });
    let appointment = create("appointments", booking).await;
    Schedule {
        service: service.location().to_owned(),
        staff: staff.location().to_owned(),
        time_off: time_off.location().to_owned(),
        appointment: appointment.location().to_owned(),
    }
}

/// The start time of each client's appointment.
pub const START: &str = "2030-06-03T10:00:00.000Z";

/// Creates a tag of a client and returns its path.
pub async fn create_tag(admin: &TestUser<'_>, client: &str) -> String {
    let tag = json!({ "name": Uuid::new_v4() });
    admin.post(&format!("{client}/tags")).json(tag).created().await.location().to_owned()
}

/// Invites a new user to an agency or a client and returns the user's path.
pub async fn invite(admin: &TestUser<'_>, home: &str) -> String {
    let email = format!("{}@example.com", Uuid::new_v4());
    let person = json!({ "email": email, "firstName": "Grace", "lastName": "Hopper" });
    admin.post(&format!("{home}/users")).json(person).created().await.location().to_owned()
}

async fn create(admin: &TestUser<'_>, collection: &str) -> String {
    admin.post(collection).json(json!({ "name": "Northwind" })).created().await.location().to_owned()
}

/// The id at the end of a path.
fn id_of<T>(path: &str) -> Id<T> {
    let (_, id) = path.rsplit_once('/').expect("a path");
    Id::from_str(id).expect("an id")
}
