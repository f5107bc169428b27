//! What must be true whatever it is that a platform holds: nothing is without what it belongs to, everything is counted, and what
//! leads to something leads to what is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Row;
use super::owners::{Owner, text};
use crate::partition::{Partition, Scope};

type Place = (String, String);

/// What a scope counts.
const COUNTED: [&str; 10] =
    ["AGENCY", "CLIENT", "CONTACT", "DEAL", "DOMAIN", "PIPELINE", "SERVICE", "STAFF", "TAG", "USER"];

/// Everything about the tree that is not as it must be.
pub(super) fn damages(rows: &[Row<'_>], owners: &BTreeMap<String, Owner<'_>>) -> Vec<String> {
    let mut damages = orphans(rows, owners);
    damages.extend(owners.values().flat_map(wrong_counts));
    damages.extend(wrong_pointers(rows, owners));
    damages.extend(wrong_widgets(rows, owners));
    damages
}

/// Rows without something that they need.
fn orphans(rows: &[Row<'_>], owners: &BTreeMap<String, Owner<'_>>) -> Vec<String> {
    let there: BTreeSet<_> = rows.iter().map(|row| (row.pk, row.sk)).collect();
    let missing = |row: &Row<'_>| {
        let needed = required(row).into_iter();
        needed.map(|(pk, sk)| (pk.clone(), there.contains(&(pk.as_str(), sk.as_str())))).find(|(_, is)| !is)
    };
    let left = rows.iter().filter(|row| !is_cleared(row, owners));
    left.filter_map(|row| missing(row).map(|(pk, _)| row.at(format_args!("without its {pk}")))).collect()
}

/// Whether a row belonged to something that was deleted, and a job still clears it.
fn is_cleared(row: &Row<'_>, owners: &BTreeMap<String, Owner<'_>>) -> bool {
    let Partition::Scoped { scope, collection } = &row.partition else { return false };
    owners.get(&scope.prefix()).is_some_and(|owner| owner.is_cleared(collection))
}

/// What is directly below a scope is counted, and so are its users and those of them who are admins and can act.
fn wrong_counts(owner: &Owner<'_>) -> Vec<String> {
    let Some(counts) = owner.find("HOLDS", "COUNT") else { return Vec::new() };
    let below = COUNTED.map(|collection| owner.all(collection).count()).into_iter().sum();
    let admins = owner.all("USER").filter(|(_, user)| is_acting_admin(user)).count();
    let found =
        [("n", "holds", below), ("users", "has users", owner.all("USER").count()), ("admins", "has admins", admins)];
    let is_right = |counted: &Value, found: usize| {
        // A count that nothing was ever added to may be absent. Numbers of DynamoDB are read as floats.
        counted.as_f64().unwrap_or_default().to_string() == found.to_string()
    };
    let wrong = found.into_iter().filter(|(name, _, found)| !is_right(&counts[*name], *found));
    wrong.map(|(name, what, found)| format!("{}: counts {} and {what} {found}", owner.scope, counts[name])).collect()
}

fn is_acting_admin(user: &Value) -> bool {
    user["status"] == "ACTIVE" && text(user, "role").ends_with("ADMIN")
}

/// Each user has one email, which leads to them.
fn wrong_pointers(rows: &[Row<'_>], owners: &BTreeMap<String, Owner<'_>>) -> Vec<String> {
    let mut emails: BTreeMap<&str, u32> = BTreeMap::new();
    for row in global(rows, "GLOBAL#EMAIL#") {
        *emails.entry(text(row.value, "userId")).or_default() += 1;
    }
    let mut wrong = Vec::new();
    for owner in owners.values() {
        for (id, _) in owner.all("USER") {
            let emails = emails.remove(id).unwrap_or_default();
            if emails != 1 {
                wrong.push(owner.at("USER", id, format_args!("{emails} emails lead there")));
            }
        }
    }
    wrong.extend(emails.into_keys().map(|id| format!("an email leads to the user {id}, who is not there")));
    wrong
}

/// Each client has one widget key, which leads to it, with the client's domains.
fn wrong_widgets(rows: &[Row<'_>], owners: &BTreeMap<String, Owner<'_>>) -> Vec<String> {
    let mut places: BTreeMap<_, _> = global(rows, "GLOBAL#WIDGET#").map(|row| (row.pk, row.value)).collect();
    let mut wrong = Vec::new();
    for owner in owners.values() {
        let domains: BTreeSet<_> = owner.all("DOMAIN").map(|(_, row)| row["domain"].as_str()).collect();
        for (sort, widget) in owner.all("WIDGET") {
            let place = places.remove(format!("GLOBAL#WIDGET#{}", text(widget, "key")).as_str());
            for listed in [Some(widget), place] {
                let listed = listed.and_then(|row| row["domains"].as_array());
                let listed: Option<BTreeSet<_>> = listed.map(|listed| listed.iter().map(Value::as_str).collect());
                if listed.as_ref() != Some(&domains) {
                    wrong.push(owner.at("WIDGET", sort, format_args!("{listed:?} instead of {domains:?}")));
                }
            }
        }
    }
    wrong.extend(places.into_keys().map(|place| format!("{place}: nobody's")));
    wrong
}

fn global<'a>(rows: &'a [Row<'a>], prefix: &str) -> impl Iterator<Item = &'a Row<'a>> {
    rows.iter().filter(move |row| row.pk.starts_with(prefix))
}

/// The rows without which this one must not be there.
fn required(row: &Row<'_>) -> Vec<Place> {
    let Partition::Scoped { scope, collection } = &row.partition else { return pointed_at(row) };
    if may_outlive(collection, row.value) {
        return Vec::new();
    }
    let place = |pk: String, sk: &str| (pk, sk.to_owned());
    let below = || below(scope, row.sk).map_or_else(|| format!("{} as an id", row.sk), |below| below.prefix());
    let count = || place(format!("{}HOLDS", below()), "COUNT");
    let mut needed: Vec<_> = scope.row().into_iter().collect();
    match collection.as_str() {
        "TENANT" => needed.push(count()),
        "AGENCY" => needed.extend([count(), place(format!("GLOBAL#AGENCY#{}", row.sk), "AT")]),
        "CLIENT" => needed.extend([
            count(),
            place(format!("GLOBAL#CLIENT#{}", row.sk), "AT"),
            place(format!("{}WIDGET", below()), "KEY"),
        ]),
        _ => {}
    }
    needed
}

/// Whether a row may be there without its scope: it goes by itself, or has nothing any more.
fn may_outlive(collection: &str, row: &Value) -> bool {
    match collection {
        "IDEM" | "JOB" | "MAIL" | "SESSION" | "SOURCE" => true,
        "GONE" => row.get("ids").is_none(),
        _ => collection.starts_with("IMPORT") && row.get("ttl").is_some(),
    }
}

/// The row to which a global pointer leads.
fn pointed_at(row: &Row<'_>) -> Vec<Place> {
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

/// The node whose row has this sort key, which is its id.
fn below(scope: &Scope, sort: &str) -> Option<Scope> {
    sort.parse().ok().map(|id| scope.child(id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::damages;

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
    fn a_row_without_its_parent_and_a_wrong_count_are_found() {
        let tenant = Uuid::from_u128(1);
        let mut rows = table(tenant, Uuid::from_u128(2));
        assert_eq!(damages(&rows), Vec::<String>::new());
        rows[1]["n"] = json!(2);
        assert_eq!(damages(&rows), [format!("T#{tenant}#: counts 2 and holds 1")]);
        rows.remove(0);
        assert_eq!(damages(&rows).len(), 3, "{:?}", damages(&rows));
    }

    #[test]
    fn each_user_has_one_email_and_each_email_a_user() {
        let agency = Uuid::from_u128(2);
        let mut rows = table(Uuid::from_u128(1), agency);
        let user =
            json!({ "pk": format!("T#{}#A#{agency}#USER", Uuid::from_u128(1)), "sk": "ada", "status": "INVITED" });
        let email = |at: &str, user: &str| json!({ "pk": format!("GLOBAL#EMAIL#{at}"), "sk": "AT", "userId": user });
        rows[3]["n"] = json!(1);
        rows[3]["users"] = json!(1);
        rows.extend([user, email("one", "ada")]);
        assert_eq!(damages(&rows), Vec::<String>::new());
        rows.push(email("two", "ada"));
        rows.push(email("three", "eve"));
        let damages = damages(&rows);
        assert!(damages.len() == 2 && damages[0].contains("2 emails") && damages[1].contains("eve"), "{damages:?}");
    }
}
