//! Rules for the tree of scopes: parents, counts and pointers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::scope_rows::{ScopeRows, text};
use super::{Row, readable_key};
use crate::check::partition::{Partition, Scope};

type Scopes<'a> = BTreeMap<String, ScopeRows<'a>>;

/// Partition and sort key.
type PrimaryKey = (String, String);

/// Collections included in the child count of their scope.
const COUNTED: &[&str] =
    &["AGENCY", "CLIENT", "CONTACT", "DEAL", "DOMAIN", "PIPELINE", "SERVICE", "STAFF", "TAG", "USER"];

/// Reports all violations of the rules for the tree of scopes.
pub(super) fn violations(rows: &[Row<'_>], scopes: &Scopes<'_>) -> Vec<String> {
    let mut violations = orphans(rows, scopes);
    violations.extend(scopes.values().flat_map(wrong_counts));
    violations.extend(wrong_emails(rows, scopes));
    violations.extend(wrong_user_pointers(rows, scopes));
    violations.extend(wrong_widgets(rows, scopes));
    violations.extend(deleted_assignees(rows));
    violations
}

/// Each row has the rows that it requires.
fn orphans(rows: &[Row<'_>], scopes: &Scopes<'_>) -> Vec<String> {
    let keys: BTreeSet<_> = rows.iter().map(|row| (row.pk, row.sk)).collect();
    let first_missing = |row: &Row<'_>| {
        required(row).into_iter().find(|(pk, sk)| !keys.contains(&(pk.as_str(), sk.as_str()))).map(|(pk, _)| pk)
    };
    let remaining = rows.iter().filter(|row| !is_being_deleted(row, scopes));
    remaining.filter_map(|row| first_missing(row).map(|pk| row.violation(format_args!("without its {pk}")))).collect()
}

/// Whether the parent of the row was deleted and a job is still deleting the row.
fn is_being_deleted(row: &Row<'_>, scopes: &Scopes<'_>) -> bool {
    let Partition::Scoped { scope, collection } = &row.partition else { return false };
    scopes.get(&scope.prefix()).is_some_and(|rows| rows.is_being_deleted(collection))
}

/// The stored counts of children, users, active admins, tags and imports in progress are correct.
fn wrong_counts(rows: &ScopeRows<'_>) -> Vec<String> {
    let Some(counts) = rows.find("HOLDS", "COUNT") else { return Vec::new() };
    let children = COUNTED.iter().map(|collection| rows.all(collection).count()).sum();
    let admins = rows.all("USER").filter(|(_, user)| is_active_admin(user)).count();
    let imports = rows.all("IMPORT").filter(|(_, import)| import["status"] == "RUNNING").count();
    let actual = [
        ("n", "children", children),
        ("users", "users", rows.all("USER").count()),
        ("admins", "admins", admins),
        ("tags", "tags", rows.all("TAG").count()),
        ("imports", "imports in progress", imports),
    ];
    let is_correct = |stored: &Value, actual: usize| {
        // A count that was never incremented may be absent. DynamoDB numbers are read as floats.
        stored.as_f64().unwrap_or_default().to_string() == actual.to_string()
    };
    let wrong = actual.into_iter().filter(|(name, _, actual)| !is_correct(&counts[*name], *actual));
    wrong
        .map(|(name, label, actual)| format!("{}: {label}: stored {}, actual {actual}", rows.scope, counts[name]))
        .collect()
}

fn is_active_admin(user: &Value) -> bool {
    user["status"] == "ACTIVE" && text(user, "role").ends_with("ADMIN")
}

/// Each user has at most one email row, and each email row leads to a user.
///
/// Only a user who shares the email with another user, or is invited, may have none.
fn wrong_emails(rows: &[Row<'_>], scopes: &Scopes<'_>) -> Vec<String> {
    let mut users: BTreeMap<String, u32> = BTreeMap::new();
    for (_, user) in scopes.values().flat_map(|scope| scope.all("USER")) {
        *users.entry(text(user, "email").to_lowercase()).or_default() += 1;
    }
    let may_have_none = |user: &Value| user["status"] == "INVITED" || users[&text(user, "email").to_lowercase()] > 1;
    let mut emails: BTreeMap<&str, u32> = BTreeMap::new();
    for row in global(rows, "GLOBAL#EMAIL#") {
        *emails.entry(text(row.value, "userId")).or_default() += 1;
    }
    let mut violations = Vec::new();
    for scope in scopes.values() {
        for (id, user) in scope.all("USER") {
            let count = emails.remove(id).unwrap_or_default();
            if count > 1 || (count == 0 && !may_have_none(user)) {
                violations.push(scope.violation("USER", id, format_args!("has {count} emails instead of 1")));
            }
        }
    }
    violations.extend(emails.into_keys().map(|id| format!("an email of the user {id}, who does not exist")));
    violations
}

/// Each user has a pointer with the user's home, role and status, and each pointer leads to a user.
fn wrong_user_pointers(rows: &[Row<'_>], scopes: &Scopes<'_>) -> Vec<String> {
    let mut pointers: BTreeMap<_, _> = global(rows, "GLOBAL#USER#").map(|row| (row.pk, row.value)).collect();
    let mut violations = Vec::new();
    for scope in scopes.values() {
        for (id, user) in scope.all("USER") {
            let pointer = pointers.remove(format!("GLOBAL#USER#{id}").as_str()).unwrap_or(&Value::Null);
            let copies = ["role", "status"].iter().all(|field| pointer[*field] == user[*field]);
            if !copies || readable_key(text(pointer, "home")) != scope.prefix {
                violations.push(scope.violation("USER", id, format_args!("has the pointer {pointer}")));
            }
        }
    }
    violations.extend(pointers.into_keys().map(|pk| format!("{pk}: its user does not exist")));
    violations
}

/// Each assignee of a deal exists, or a job removes the user from the deals.
fn deleted_assignees(rows: &[Row<'_>]) -> Vec<String> {
    let in_collection = |name: &'static str| {
        rows.iter()
            .filter(move |row| matches!(&row.partition, Partition::Scoped { collection, .. } if collection == name))
    };
    let users = global(rows, "GLOBAL#USER#").filter_map(|row| row.pk.rsplit('#').next());
    let jobs = in_collection("JOB").filter(|row| row.value["job"] == "clearAssignee");
    let known: BTreeSet<_> = users.chain(jobs.map(|row| text(&row.value["payload"], "user"))).collect();
    let is_unknown = |row: &&Row<'_>| row.value["assignedToId"].as_str().is_some_and(|user| !known.contains(user));
    let deals = in_collection("DEAL").filter(is_unknown);
    deals.map(|row| row.violation("is assigned to a user who does not exist")).collect()
}

/// Each client has one widget key.
///
/// The rows of client and key list the domains of the client.
fn wrong_widgets(rows: &[Row<'_>], scopes: &Scopes<'_>) -> Vec<String> {
    let mut key_rows: BTreeMap<_, _> = global(rows, "GLOBAL#WIDGET#").map(|row| (row.pk, row.value)).collect();
    let mut violations = Vec::new();
    for scope in scopes.values() {
        let domains: BTreeSet<_> = scope.all("DOMAIN").map(|(_, row)| row["domain"].as_str()).collect();
        for (sort, widget) in scope.all("WIDGET") {
            let key_row = key_rows.remove(format!("GLOBAL#WIDGET#{}", text(widget, "key")).as_str());
            for row in [Some(widget), key_row] {
                let listed = row.and_then(|row| row["domains"].as_array());
                let listed: Option<BTreeSet<_>> = listed.map(|listed| listed.iter().map(Value::as_str).collect());
                if listed.as_ref() != Some(&domains) {
                    let message = format_args!("lists the domains {listed:?} instead of {domains:?}");
                    violations.push(scope.violation("WIDGET", sort, message));
                }
            }
        }
    }
    violations.extend(key_rows.into_keys().map(|pk| format!("{pk}: its client does not exist")));
    violations
}

fn global<'a>(rows: &'a [Row<'a>], prefix: &str) -> impl Iterator<Item = &'a Row<'a>> {
    rows.iter().filter(move |row| row.pk.starts_with(prefix))
}

/// Keys of the rows that must exist if this row exists.
fn required(row: &Row<'_>) -> Vec<PrimaryKey> {
    let Partition::Scoped { scope, collection } = &row.partition else { return pointer_target(row) };
    if may_outlive_scope(collection, row.value) {
        return Vec::new();
    }
    let key = |pk: String, sk: &str| (pk, sk.to_owned());
    let child_prefix =
        || child_scope(scope, row.sk).map_or_else(|| format!("scope of {}", row.sk), |child| child.prefix());
    let count = || key(format!("{}HOLDS", child_prefix()), "COUNT");
    let mut required: Vec<_> = scope.row().into_iter().collect();
    match collection.as_str() {
        "TENANT" => required.push(count()),
        "AGENCY" => required.extend([count(), key(format!("GLOBAL#AGENCY#{}", row.sk), "AT")]),
        "CLIENT" => required.extend([
            count(),
            key(format!("GLOBAL#CLIENT#{}", row.sk), "AT"),
            key(format!("{}WIDGET", child_prefix()), "KEY"),
        ]),
        _ => {}
    }
    required
}

/// Whether a row may remain after its scope was deleted.
///
/// Such a row expires, or it is an empty list of tombstones.
fn may_outlive_scope(collection: &str, row: &Value) -> bool {
    match collection {
        "HELD" | "JOB" | "MAIL" | "SESSION" | "SOURCE" | "VISITOR" => true,
        "GONE" => row.get("ids").is_none(),
        _ if collection.starts_with("IDEM#") => true,
        _ => collection.starts_with("IMPORT") && row.get("ttl").is_some(),
    }
}

/// Key of the row that a global pointer row leads to.
fn pointer_target(row: &Row<'_>) -> Vec<PrimaryKey> {
    let id = row.pk.rsplit('#').next().unwrap_or_default().to_owned();
    let tenant = format!("T#{}#", text(row.value, "tenantId"));
    if row.pk.starts_with("GLOBAL#AGENCY#") {
        return vec![(format!("{tenant}AGENCY"), id)];
    }
    if row.pk.starts_with("GLOBAL#CLIENT#") {
        return vec![(format!("{tenant}A#{}#CLIENT", text(row.value, "agencyId")), id)];
    }
    Vec::new()
}

/// The child scope with this id, which is the sort key of its row.
fn child_scope(scope: &Scope, sort: &str) -> Option<Scope> {
    sort.parse().ok().map(|id| scope.child(id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::violations;

    fn table(tenant: Uuid, agency: Uuid) -> Vec<serde_json::Value> {
        vec![
            json!({ "pk": "PLATFORM#TENANT", "sk": tenant }),
            json!({ "pk": format!("T#{tenant}#HOLDS"), "sk": "COUNT", "n": 1 }),
            json!({ "pk": format!("T#{tenant}#AGENCY"), "sk": agency }),
            json!({ "pk": format!("T#{tenant}#A#{agency}#HOLDS"), "sk": "COUNT", "n": 0 }),
            json!({ "pk": format!("GLOBAL#AGENCY#{agency}"), "sk": "AT", "tenantId": tenant, "agencyId": agency }),
        ]
    }

    #[test]
    fn missing_parent_and_wrong_count_are_reported() {
        let tenant = Uuid::from_u128(1);
        let mut rows = table(tenant, Uuid::from_u128(2));
        assert_eq!(violations(&rows), Vec::<String>::new());
        rows[1]["n"] = json!(2);
        assert_eq!(violations(&rows), [format!("T#{tenant}#: children: stored 2, actual 1")]);
        rows.remove(0);
        assert_eq!(violations(&rows).len(), 3, "{:?}", violations(&rows));
    }

    /// A table with one user, `ada`, of an agency.
    fn table_with_user() -> Vec<serde_json::Value> {
        let (tenant, agency) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut rows = table(tenant, agency);
        let home = format!("T#{tenant}#A#{agency}#");
        let role = "AGENCY_USER";
        rows[3]["n"] = json!(1);
        rows[3]["users"] = json!(1);
        rows.extend([
            json!({ "pk": format!("{home}USER"), "sk": "ada", "status": "INVITED", "role": role }),
            json!({ "pk": "GLOBAL#USER#ada", "sk": "AT", "home": home, "status": "INVITED", "role": role }),
            email("one", "ada"),
        ]);
        rows
    }

    fn email(hash: &str, user: &str) -> serde_json::Value {
        json!({ "pk": format!("GLOBAL#EMAIL#{hash}"), "sk": "AT", "userId": user })
    }

    #[test]
    fn missing_and_surplus_emails_of_users_are_reported() {
        let mut rows = table_with_user();
        assert_eq!(violations(&rows), Vec::<String>::new());
        rows.push(email("two", "ada"));
        rows.push(email("three", "eve"));
        let found = violations(&rows);
        assert!(found.len() == 2 && found[0].contains("2 emails") && found[1].contains("eve"), "{found:?}");
    }

    #[test]
    fn assignee_who_does_not_exist_is_reported_unless_a_job_removes_it() {
        let client = format!("T#{0}#A#{0}#C#{0}#", Uuid::from_u128(1));
        let deal = json!({ "pk": format!("{client}DEAL"), "sk": "engine", "assignedToId": "ada" });
        let job =
            json!({ "pk": format!("{client}JOB"), "sk": "x", "job": "clearAssignee", "payload": { "user": "ada" } });
        let pointer = json!({ "pk": "GLOBAL#USER#ada", "sk": "AT" });
        let reported = |rows: &[serde_json::Value]| {
            violations(rows).iter().filter(|violation| violation.contains("is assigned to")).count()
        };
        assert_eq!(reported(std::slice::from_ref(&deal)), 1);
        assert_eq!(reported(&[deal.clone(), job]), 0);
        assert_eq!(reported(&[deal, pointer]), 0);
    }

    #[test]
    fn only_an_invited_user_or_one_who_shares_an_email_may_have_no_email_row() {
        let mut rows = table_with_user();
        rows.retain(|row| row["pk"] != "GLOBAL#EMAIL#one");
        assert_eq!(violations(&rows), Vec::<String>::new());
        for row in &mut rows {
            if row["status"] == "INVITED" {
                row["status"] = json!("DISABLED");
            }
        }
        let found = violations(&rows);
        assert!(found.len() == 1 && found[0].contains("0 emails"), "{found:?}");
    }

    #[test]
    fn wrong_and_surplus_pointers_to_users_are_reported() {
        let pointer = 6;
        for (field, wrong) in [("role", "AGENCY_ADMIN"), ("status", "ACTIVE"), ("home", "PLATFORM#")] {
            let mut rows = table_with_user();
            rows[pointer][field] = json!(wrong);
            let found = violations(&rows);
            assert!(found.len() == 1 && found[0].contains("has the pointer"), "{field}: {found:?}");
        }
        let mut rows = table_with_user();
        rows[pointer]["pk"] = json!("GLOBAL#USER#eve");
        let found = violations(&rows);
        assert!(found.len() == 2 && found[0].contains("null") && found[1].contains("GLOBAL#USER#eve"), "{found:?}");
    }
}
