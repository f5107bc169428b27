//! Who may do what, as the contract has it: written down here once more, apart from the code and from what was recorded.

use std::collections::{BTreeMap, BTreeSet};

use harness::operation::operations;

/// What an operation acts on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Nothing that is anybody's: for everybody, signed in or not.
    Public,
    /// What a secret in the address opens, and no token.
    Secret,
    /// The caller.
    Oneself,
    Platform,
    Tenant,
    Agency,
    Client,
}

use Level::{Agency, Client, Oneself, Platform, Public, Secret, Tenant};

const ROLES: [&str; 5] = ["ADMIN", "AGENCY_ADMIN", "AGENCY_USER", "CLIENT_ADMIN", "CLIENT_USER"];

const EVERYBODY: &[&str] = &ROLES;
const PLATFORM: &[&str] = &["ADMIN"];
const AGENCY: &[&str] = &["ADMIN", "AGENCY_ADMIN", "AGENCY_USER"];
const AGENCY_ADMINS: &[&str] = &["ADMIN", "AGENCY_ADMIN"];
const ADMINS: &[&str] = &["ADMIN", "AGENCY_ADMIN", "CLIENT_ADMIN"];

const MANAGERS: &[&str] = &["ADMIN", "AGENCY_ADMIN", "AGENCY_USER", "CLIENT_ADMIN"];

const MAY: &[(Level, &[&str], &[&str])] = &[
    (Public, EVERYBODY, &["jwks", "health", "login", "refresh", "acceptInvitation", "forgotPassword", "resetPassword"]),
    (Oneself, EVERYBODY, &["logout", "readMe", "updateMe", "changePassword"]),
    (Platform, PLATFORM, &["listTenants", "createTenant"]),
    (Tenant, PLATFORM, &["readTenant", "updateTenant", "deleteTenant", "listAgencies", "createAgency"]),
    (Agency, PLATFORM, &["deleteAgency"]),
    (Agency, AGENCY, &["readAgency", "listClients", "listAgencyUsers", "readAgencyUser"]),
    (Agency, AGENCY_ADMINS, &["updateAgency", "createClient"]),
    (Agency, AGENCY_ADMINS, &["createAgencyUser", "updateAgencyUser", "deleteAgencyUser", "inviteAgencyUser"]),
    (Client, AGENCY_ADMINS, &["deleteClient"]),
    (
        Client,
        EVERYBODY,
        &["readClient", "listClientUsers", "readClientUser", "listDomains", "readDomain", "readWidget"],
    ),
    (Client, ADMINS, &["updateClient", "createDomain", "updateDomain", "deleteDomain", "rotateWidgetKey"]),
    (Client, ADMINS, &["createClientUser", "updateClientUser", "deleteClientUser", "inviteClientUser"]),
    (Client, EVERYBODY, &["listContacts", "createContact", "readContact", "updateContact", "deleteContact"]),
    (Client, EVERYBODY, &["upsertContact", "importContacts", "readImport", "exportContacts"]),
    (Client, EVERYBODY, &["listContactDeals", "listContactAppointments"]),
    (Client, EVERYBODY, &["listTags", "createTag", "readTag", "updateTag", "deleteTag"]),
    (Client, EVERYBODY, &["listContactTags", "tagContact", "untagContact"]),
    (Client, EVERYBODY, &["listPipelines", "readPipeline", "readBoard", "listStages", "readStage"]),
    (Client, MANAGERS, &["createPipeline", "updatePipeline", "deletePipeline"]),
    (Client, MANAGERS, &["createStage", "updateStage", "deleteStage", "orderStages"]),
    (Client, EVERYBODY, &["listDeals", "createDeal", "readDeal", "updateDeal", "deleteDeal", "moveDeal"]),
    (Client, EVERYBODY, &["listServices", "readService", "listStaff", "readStaff", "listTimeOff", "readTimeOff"]),
    (Client, MANAGERS, &["createService", "updateService", "deleteService"]),
    (Client, MANAGERS, &["createStaff", "updateStaff", "deleteStaff", "giveCalendar", "revokeCalendar"]),
    (Client, MANAGERS, &["createTimeOff", "updateTimeOff", "deleteTimeOff"]),
    (Client, EVERYBODY, &["readAvailability", "listAppointments", "createAppointment", "readAppointment"]),
    (Client, EVERYBODY, &["updateAppointment", "deleteAppointment", "rescheduleAppointment", "confirmAppointment"]),
    (Client, EVERYBODY, &["completeAppointment", "cancelAppointment", "missAppointment"]),
    (Secret, EVERYBODY, &["readCalendar"]),
    (Client, EVERYBODY, &["listDealHistory", "listNotes", "createNote", "readNote", "updateNote", "deleteNote"]),
];

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It was done, or refused for a reason that only those hear who may.
    May,
    SignIn,
    Forbidden,
    NotThere,
}

impl Verdict {
    fn of(status: u16) -> Self {
        match status {
            200..=299 | 409 | 422 => Self::May,
            401 => Self::SignIn,
            403 => Self::Forbidden,
            404 => Self::NotThere,
            other => panic!("{other} is no verdict"),
        }
    }
}

/// Whether somebody at home in the first client, or in its agency, knows that the place is there.
fn sees(role: &str, level: Level, place: &str) -> bool {
    let within: &[&str] = match level {
        Public | Secret | Oneself | Platform => &["platform"],
        Tenant => &["own", "sibling client", "other agency"],
        Client if role.starts_with("CLIENT_") => &["own"],
        Agency | Client => &["own", "sibling client"],
    };
    role == "ADMIN" || within.contains(&place)
}

fn expected(level: Level, roles: &[&str], role: &str, place: &str) -> Verdict {
    match role {
        "ANYONE" if level == Public => Verdict::May,
        "ANYONE" => Verdict::SignIn,
        _ if level == Secret => Verdict::SignIn,
        role if !sees(role, level, place) => Verdict::NotThere,
        role if !roles.contains(&role) => Verdict::Forbidden,
        _ => Verdict::May,
    }
}

/// What was recorded of every operation at every place: a status for each column. `roles_may_do_what_the_matrix_says` sees to
/// it that the record is true.
fn recorded() -> Vec<(&'static str, String, BTreeMap<&'static str, u16>)> {
    let mut lines = include_str!("roles.txt").lines();
    let columns: Vec<_> = lines.next().expect("a header").split_whitespace().collect();
    let rows = lines.map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (names, statuses) = words.split_at(words.len() - columns.len());
        let statuses = columns.iter().copied().zip(statuses.iter().map(|status| status.parse().expect("a status")));
        (names[0], names[1..].join(" "), statuses.collect())
    });
    rows.collect()
}

#[test]
fn everybody_may_do_what_the_contract_says_and_no_more() {
    let contract: BTreeMap<_, _> =
        MAY.iter().flat_map(|(level, roles, names)| names.iter().map(move |name| (*name, (*level, *roles)))).collect();
    for (operation, place, statuses) in recorded() {
        let (level, roles) = contract[operation];
        for (role, status) in statuses {
            // A token that is refused is a 401 of these two, for everybody alike.
            if level == Public && ["login", "refresh"].contains(&operation) {
                assert_eq!(status, 401, "{operation} as {role}");
                continue;
            }
            let expected = expected(level, roles, role, &place);
            assert_eq!(Verdict::of(status), expected, "{operation} at {place} as {role}: {status}");
        }
    }
}

#[test]
fn no_operation_is_without_a_line_in_the_contract() {
    let contract: Vec<_> = MAY.iter().flat_map(|(_, _, names)| names.iter().map(|name| (*name).to_owned())).collect();
    let unique: BTreeSet<_> = contract.iter().cloned().collect();
    assert_eq!(unique.len(), contract.len(), "no operation has two");
    let described: BTreeSet<_> = operations().into_iter().map(|operation| operation.id).collect();
    assert_eq!(unique, described);
    let recorded: BTreeSet<_> = recorded().into_iter().map(|(operation, ..)| operation.to_owned()).collect();
    assert_eq!(unique, recorded);
}

#[test]
fn every_scoped_operation_was_judged_at_every_place_and_for_every_role() {
    let mut places: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (operation, place, statuses) in recorded() {
        places.entry(operation).or_default().insert(place);
        assert!(ROLES.iter().chain(&["ANYONE"]).all(|role| statuses.contains_key(role)), "{operation}: {statuses:?}");
    }
    let everywhere = ["other agency", "other tenant", "own", "sibling client"].map(str::to_owned).into();
    for operation in operations() {
        let judged = &places[operation.id.as_str()];
        let expected = if operation.is_scoped() { &everywhere } else { &BTreeSet::from(["platform".to_owned()]) };
        assert_eq!(judged, expected, "{}", operation.id);
    }
}
