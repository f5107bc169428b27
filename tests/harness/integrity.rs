//! What must be true of the rows of a table as a whole, whatever was done at the same time.

mod clients;
mod contacts;
mod deals;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::partition::{Partition, Scope};

type Keys = BTreeSet<(String, String)>;

/// Every row that stands for something without which it makes no sense, and every count that is wrong; nothing when the
/// table is whole.
pub fn damages(rows: &[Value]) -> Vec<String> {
    let mut damages = of_the_tree(rows);
    for client in clients::clients(rows).values() {
        damages.extend(contacts::damages(client));
        damages.extend(deals::damages(client));
    }
    damages
}

/// What is wrong whatever it is that a client holds.
fn of_the_tree(rows: &[Value]) -> Vec<String> {
    let keys: Keys = rows.iter().map(key).collect();
    let mut damages = Vec::new();
    for row in rows {
        let (partition, sort) = key(row);
        if let Some((missing, _)) = required(row).into_iter().find(|needed| !keys.contains(needed)) {
            damages.push(format!("{partition} / {sort}: without its {missing}"));
        }
    }
    for (scope, count) in counts(rows) {
        let below = || rows.iter().filter(|row| is_directly_below(row, &scope));
        let users = || below().filter(|row| key(row).0.ends_with("#USER"));
        let admins = users().filter(|row| is_acting_admin(row)).count();
        for (what, counted, found) in [
            ("holds", &count["n"], below().count()),
            ("has users", &count["users"], users().count()),
            ("has admins", &count["admins"], admins),
        ] {
            // A count that nothing was ever added to may be absent. Numbers of DynamoDB are read as floats.
            if counted.as_f64().unwrap_or_default().to_string() != found.to_string() {
                damages.push(format!("{scope}: counts {counted} and {what} {found}"));
            }
        }
    }
    damages.extend(wrong_pointers(rows));
    damages.extend(wrong_widgets(rows));
    damages
}

fn is_acting_admin(user: &Value) -> bool {
    user["status"] == "ACTIVE" && user["role"].as_str().is_some_and(|role| role.ends_with("ADMIN"))
}

fn in_collection<'a>(rows: &'a [Value], collection: &'a str) -> impl Iterator<Item = &'a Value> {
    rows.iter().filter(move |row| key(row).0.ends_with(collection))
}

/// Each user has one email, which leads to them.
fn wrong_pointers(rows: &[Value]) -> Vec<String> {
    let users: Vec<_> = in_collection(rows, "#USER").map(|row| key(row).1).collect();
    let pointers = rows.iter().filter(|row| key(row).0.starts_with("GLOBAL#EMAIL#"));
    let mut led: Vec<_> = pointers.map(|row| row["userId"].as_str().expect("a user's id").to_owned()).collect();
    led.sort_unstable();
    let mut users = users;
    users.sort_unstable();
    if users == led { Vec::new() } else { vec![format!("users {users:?}, and emails of {led:?}")] }
}

/// Each client has one widget key, which leads to it, with the client's domains.
fn wrong_widgets(rows: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let places = rows.iter().filter(|row| key(row).0.starts_with("GLOBAL#WIDGET#"));
    let mut places: BTreeMap<_, _> = places.map(|row| (key(row).0, row)).collect();
    for widget in in_collection(rows, "#WIDGET") {
        let (partition, _) = key(widget);
        let domains = partition.replace("#WIDGET", "#DOMAIN");
        let domains: BTreeSet<_> = in_collection(rows, &domains).map(|row| row["domain"].as_str()).collect();
        let place = places.remove(&format!("GLOBAL#WIDGET#{}", widget["key"].as_str().unwrap_or_default()));
        for listed in [Some(widget), place] {
            let listed = listed.and_then(|row| row["domains"].as_array());
            let listed: Option<BTreeSet<_>> = listed.map(|listed| listed.iter().map(Value::as_str).collect());
            if listed.as_ref() != Some(&domains) {
                wrong.push(format!("{partition}: {listed:?} instead of {domains:?}"));
            }
        }
    }
    wrong.extend(places.into_keys().map(|place| format!("{place}: nobody's")));
    wrong
}

fn key(row: &Value) -> (String, String) {
    let text = |name: &str| row[name].as_str().expect("a key is text").to_owned();
    (text("pk"), text("sk"))
}

fn place(row: &Value) -> (Partition, String, String) {
    let (partition, sort) = key(row);
    (Partition::parse(&partition).expect("a known partition"), partition, sort)
}

/// The rows without which this one must not be there.
fn required(row: &Value) -> Vec<(String, String)> {
    let (partition, text, sort) = place(row);
    let at = "AT".to_owned();
    let Partition::Scoped { scope, collection } = partition else { return pointed_at(row, &text) };
    if may_outlive(&collection, row) {
        return Vec::new();
    }
    let mut needed: Vec<_> = scope.row().into_iter().collect();
    let count = |scope: &Scope| (format!("{scope}HOLDS"), "COUNT".to_owned());
    match collection.as_str() {
        "TENANT" => needed.push(count(&below(&scope, &sort))),
        "AGENCY" => needed.extend([count(&below(&scope, &sort)), (format!("GLOBAL#AGENCY#{sort}"), at)]),
        "CLIENT" => needed.extend([
            count(&below(&scope, &sort)),
            (format!("GLOBAL#CLIENT#{sort}"), at),
            (format!("{}WIDGET", below(&scope, &sort)), "KEY".to_owned()),
        ]),
        _ => {}
    }
    needed
}

/// Whether a row may be there without its scope: it goes by itself, or has nothing any more.
fn may_outlive(collection: &str, row: &Value) -> bool {
    match collection {
        "IDEM" | "MAIL" | "SESSION" | "SOURCE" => true,
        "GONE" => row.get("ids").is_none(),
        "CONTACT_JOB" => row.get("ttl").is_some(),
        _ => collection.starts_with("IMPORT") && row.get("ttl").is_some(),
    }
}

/// The row to which a global pointer leads.
fn pointed_at(row: &Value, partition: &str) -> Vec<(String, String)> {
    let field = |name: &str| row[name].as_str().unwrap_or_default();
    let id = partition.rsplit('#').next().unwrap_or_default().to_owned();
    let tenant = format!("T#{}#", field("tenantId"));
    if partition.starts_with("GLOBAL#AGENCY#") {
        return vec![(format!("{tenant}AGENCY"), id)];
    }
    if partition.starts_with("GLOBAL#CLIENT#") {
        return vec![(format!("{tenant}A#{}#CLIENT", field("agencyId")), id)];
    }
    Vec::new()
}

fn below(scope: &Scope, id: &str) -> Scope {
    scope.child(id.parse().expect("a node's sort key is its id"))
}

fn counts(rows: &[Value]) -> BTreeMap<String, &Value> {
    let counts = rows.iter().filter_map(|row| match place(row) {
        (Partition::Scoped { scope, collection }, ..) if collection == "HOLDS" => Some((scope.to_string(), row)),
        _ => None,
    });
    counts.collect()
}

/// Whether a row is one of the things that its scope counts.
fn is_directly_below(row: &Value, scope: &str) -> bool {
    match place(row) {
        (Partition::Scoped { scope: own, collection }, ..) => {
            own.to_string() == scope
                && ["AGENCY", "CLIENT", "CONTACT", "DEAL", "DOMAIN", "PIPELINE", "TAG", "USER"]
                    .contains(&collection.as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_row_without_its_parent_and_a_wrong_count_are_found() {
        let (tenant, agency) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut rows = vec![
            json!({ "pk": "PLATFORM#TENANT", "sk": tenant }),
            json!({ "pk": format!("T#{tenant}#HOLDS"), "sk": "COUNT", "n": 1 }),
            json!({ "pk": format!("T#{tenant}#AGENCY"), "sk": agency }),
            json!({ "pk": format!("T#{tenant}#A#{agency}#HOLDS"), "sk": "COUNT", "n": 0 }),
            json!({ "pk": format!("GLOBAL#AGENCY#{agency}"), "sk": "AT", "tenantId": tenant, "agencyId": agency }),
        ];
        assert_eq!(damages(&rows), Vec::<String>::new());
        rows[1]["n"] = json!(2);
        assert_eq!(damages(&rows), [format!("T#{tenant}#: counts 2 and holds 1")]);
        rows.remove(0);
        assert_eq!(damages(&rows).len(), 3, "{:?}", damages(&rows));
    }
}
