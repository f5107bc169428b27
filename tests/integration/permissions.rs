//! The permissions of each role, compared with the recorded role matrix.
//!
//! The table of permissions is handwritten, independently of the code and of the recorded matrix.

use std::collections::{BTreeMap, BTreeSet};

use harness::operation::operations;

/// The level of the tree that an operation acts on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// No level: available to all callers, signed in or not.
    Public,
    /// No level: available with a secret in the URL, not with a token.
    Secret,
    /// The signed-in user.
    CurrentUser,
    Platform,
    Tenant,
    Agency,
    Client,
}

use Level::{Agency, Client, CurrentUser, Platform, Public, Secret, Tenant};

const ROLES: [&str; 5] = ["ADMIN", "AGENCY_ADMIN", "AGENCY_USER", "CLIENT_ADMIN", "CLIENT_USER"];

const ALL: &[&str] = &ROLES;
const PLATFORM: &[&str] = &["ADMIN"];
const AGENCY: &[&str] = &["ADMIN", "AGENCY_ADMIN", "AGENCY_USER"];
const AGENCY_ADMINS: &[&str] = &["ADMIN", "AGENCY_ADMIN"];
const ADMINS: &[&str] = &["ADMIN", "AGENCY_ADMIN", "CLIENT_ADMIN"];

const MANAGERS: &[&str] = &["ADMIN", "AGENCY_ADMIN", "AGENCY_USER", "CLIENT_ADMIN"];

const PERMISSIONS: &[(Level, &[&str], &[&str])] = &[
    (Public, ALL, &["getJwks", "getHealth", "login", "refresh", "acceptInvitation", "forgotPassword", "resetPassword"]),
    (CurrentUser, ALL, &["logout", "getMe", "updateMe", "changePassword"]),
    (Platform, PLATFORM, &["listTenants", "createTenant"]),
    (Tenant, PLATFORM, &["getTenant", "updateTenant", "deleteTenant", "listAgencies", "createAgency"]),
    (Agency, PLATFORM, &["deleteAgency"]),
    (Agency, AGENCY, &["getAgency", "listClients", "listAgencyUsers", "getAgencyUser"]),
    (Agency, AGENCY_ADMINS, &["updateAgency", "createClient"]),
    (Agency, AGENCY_ADMINS, &["createAgencyUser", "updateAgencyUser", "deleteAgencyUser", "inviteAgencyUser"]),
    (Client, AGENCY_ADMINS, &["deleteClient"]),
    (Client, ALL, &["getClient", "listClientUsers", "getClientUser", "listDomains", "getDomain", "getWidget"]),
    (Client, ALL, &["getReminderSettings", "listAppointmentReminders"]),
    (Client, ADMINS, &["replaceReminderSettings"]),
    (Client, ADMINS, &["updateClient", "createDomain", "updateDomain", "deleteDomain", "rotateWidgetKey"]),
    (Client, ADMINS, &["createClientUser", "updateClientUser", "deleteClientUser", "inviteClientUser"]),
    (Client, ALL, &["listContacts", "createContact", "getContact", "updateContact", "deleteContact"]),
    (Client, ALL, &["upsertContact", "importContacts", "getImport", "exportContacts"]),
    (Client, ALL, &["listContactDeals", "listContactAppointments"]),
    (Client, ALL, &["listTags", "createTag", "getTag", "updateTag", "deleteTag"]),
    (Client, ALL, &["listContactTags", "tagContact", "untagContact"]),
    (Client, ALL, &["listPipelines", "getPipeline", "getBoard", "listStages", "getStage"]),
    (Client, MANAGERS, &["createPipeline", "updatePipeline", "deletePipeline"]),
    (Client, MANAGERS, &["createStage", "updateStage", "deleteStage", "reorderStages"]),
    (Client, ALL, &["listDeals", "createDeal", "getDeal", "updateDeal", "deleteDeal", "moveDeal"]),
    (Client, ALL, &["listServices", "getService", "listStaff", "getStaff", "listTimeOff", "getTimeOff"]),
    (Client, MANAGERS, &["createService", "updateService", "deleteService"]),
    (Client, MANAGERS, &["createStaff", "updateStaff", "deleteStaff", "createCalendarFeed", "revokeCalendarFeed"]),
    (Client, MANAGERS, &["createTimeOff", "updateTimeOff", "deleteTimeOff"]),
    (Client, ALL, &["getAvailability", "listAppointments", "createAppointment", "getAppointment"]),
    (Client, ALL, &["updateAppointment", "deleteAppointment", "rescheduleAppointment", "confirmAppointment"]),
    (Client, ALL, &["completeAppointment", "cancelAppointment", "markAppointmentNoShow"]),
    (Secret, ALL, &["getCalendarFeed", "showUnsubscribePage", "stopReminders"]),
    (Client, ALL, &["listDealHistory", "listNotes", "createNote", "getNote", "updateNote", "deleteNote"]),
];

/// The access decision that a status shows.
#[derive(Debug, PartialEq, Eq)]
enum Access {
    /// The request was permitted.
    ///
    /// The request succeeded, or failed for a reason that only permitted callers get.
    Allowed,
    Unauthenticated,
    Forbidden,
    NotFound,
}

impl Access {
    fn of(status: u16) -> Self {
        match status {
            200..=299 | 409 | 422 => Self::Allowed,
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            other => panic!("unexpected status {other}"),
        }
    }
}

/// Whether a role may know that a place exists.
///
/// The home of the role is the platform, the first client or its agency.
fn is_visible(role: &str, level: Level, place: &str) -> bool {
    let within: &[&str] = match level {
        Public | Secret | CurrentUser | Platform => &["platform"],
        Tenant => &["own", "sibling client", "other agency"],
        Client if role.starts_with("CLIENT_") => &["own"],
        Agency | Client => &["own", "sibling client"],
    };
    role == "ADMIN" || within.contains(&place)
}

fn expected(level: Level, roles: &[&str], role: &str, place: &str) -> Access {
    match role {
        "ANYONE" if level == Public => Access::Allowed,
        "ANYONE" => Access::Unauthenticated,
        _ if level == Secret => Access::Unauthenticated,
        role if !is_visible(role, level, place) => Access::NotFound,
        role if !roles.contains(&role) => Access::Forbidden,
        _ => Access::Allowed,
    }
}

/// The recorded status of every operation at every place, by role.
///
/// A test in `isolation.rs` keeps the recording up to date.
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
fn recorded_access_matches_the_contract() {
    let contract: BTreeMap<_, _> = PERMISSIONS
        .iter()
        .flat_map(|(level, roles, names)| names.iter().map(move |name| (*name, (*level, *roles))))
        .collect();
    for (operation, place, statuses) in recorded() {
        let (level, roles) = contract[operation];
        for (role, status) in statuses {
            // These two operations answer invalid credentials with a 401 for every role.
            if level == Public && ["login", "refresh"].contains(&operation) {
                assert_eq!(status, 401, "{operation} as {role}");
                continue;
            }
            let expected = expected(level, roles, role, &place);
            assert_eq!(Access::of(status), expected, "{operation} at {place} as {role}: {status}");
        }
    }
}

#[test]
fn every_operation_has_one_contract_entry_and_a_recording() {
    let contract: Vec<_> =
        PERMISSIONS.iter().flat_map(|(_, _, names)| names.iter().map(|name| (*name).to_owned())).collect();
    let unique: BTreeSet<_> = contract.iter().cloned().collect();
    assert_eq!(unique.len(), contract.len(), "an operation has several entries");
    let described: BTreeSet<_> = operations().into_iter().map(|operation| operation.id).collect();
    assert_eq!(unique, described);
    let recorded: BTreeSet<_> = recorded().into_iter().map(|(operation, ..)| operation.to_owned()).collect();
    assert_eq!(unique, recorded);
}

#[test]
fn every_scoped_operation_is_recorded_at_every_place_for_every_role() {
    let mut places: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (operation, place, statuses) in recorded() {
        places.entry(operation).or_default().insert(place);
        assert!(ROLES.iter().chain(&["ANYONE"]).all(|role| statuses.contains_key(role)), "{operation}: {statuses:?}");
    }
    let all_places = ["other agency", "other tenant", "own", "sibling client"].map(str::to_owned).into();
    for operation in operations() {
        let recorded = &places[operation.id.as_str()];
        let expected = if operation.is_scoped() { &all_places } else { &BTreeSet::from(["platform".to_owned()]) };
        assert_eq!(recorded, expected, "{}", operation.id);
    }
}
