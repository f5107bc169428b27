//! Rules for pipelines and deals: stages, totals, index keys, history, moves.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use shared::value::Currency;

use super::scope_rows::{ScopeRows, text};

/// Reports all violations of the rules for pipelines and deals.
pub(super) fn violations(rows: &ScopeRows<'_>) -> Vec<String> {
    let violations = [
        wrong_stages(rows),
        wrong_totals(rows),
        wrong_deals(rows),
        rows.orphaned_children("DEAL"),
        wrong_histories(rows),
        wrong_default(rows),
        wrong_moves(rows),
    ];
    violations.concat()
}

/// Pipeline ids by stage id, for the stages of all pipelines.
fn stages<'a>(rows: &ScopeRows<'a>) -> BTreeMap<&'a str, &'a str> {
    let stages = rows.all("PIPELINE").flat_map(|(_, pipeline)| pipeline["stages"].as_array().into_iter().flatten());
    stages.map(|stage| (text(stage, "id"), text(stage, "pipelineId"))).collect()
}

/// Stages are numbered in order, and each stage has a row with its totals.
fn wrong_stages(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    for (id, pipeline) in rows.all("PIPELINE") {
        let orders = pipeline["stages"].as_array().into_iter().flatten().map(|stage| stage["order"].as_f64());
        if !orders.eq((0..).map(f64::from).map(Some).take(pipeline["stages"].as_array().map_or(0, Vec::len))) {
            violations.push(rows.violation("PIPELINE", id, "its stages are not numbered in order"));
        }
    }
    let totals = rows.all("STAGE").map(|(id, totals)| (id, text(totals, "pipelineId")));
    let (stages, totals) = (stages(rows), totals.collect::<BTreeMap<_, _>>());
    if stages != totals {
        violations.push(format!("{}: has the stages {stages:?}, but totals of {totals:?}", rows.prefix));
    }
    violations
}

/// The totals of a stage equal those computed from its deals.
fn wrong_totals(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut differences: BTreeMap<(&str, String), Decimal> = BTreeMap::new();
    let mut add = |stage, label, number| *differences.entry((stage, label)).or_default() += number;
    for (_, deal) in rows.all("DEAL") {
        let (stage, currency) = (text(deal, "stageId"), text(deal, "currency"));
        add(stage, "deals".to_owned(), Decimal::ONE);
        if deal["status"] == "OPEN" {
            add(stage, format!("open {currency}"), Decimal::ONE);
            add(stage, format!("sum {currency}"), value(deal) * Decimal::from(10_i64.pow(decimals(currency))));
        }
    }
    for (stage, totals) in rows.all("STAGE") {
        for (name, number) in totals.as_object().into_iter().flatten() {
            let number: Decimal = number.to_string().trim_end_matches(".0").parse().unwrap_or_default();
            let mut subtract = |label: String, number| *differences.entry((stage, label)).or_default() -= number;
            match name.split_once('_') {
                None if name == "n" => subtract("deals".to_owned(), number),
                Some(("n", currency)) => subtract(format!("open {currency}"), number),
                Some(("high", currency)) => {
                    subtract(format!("sum {currency}"), number * Decimal::from(1_000_000_000));
                }
                Some(("low", currency)) => subtract(format!("sum {currency}"), number),
                _ => {}
            }
        }
    }
    differences.retain(|_, difference| !difference.is_zero());
    differences
        .into_iter()
        .map(|((stage, label), n)| rows.violation("STAGE", stage, format_args!("{label}: actual minus stored is {n}")))
        .collect()
}

/// Stages, index keys and closing fields of deals are correct.
fn wrong_deals(rows: &ScopeRows<'_>) -> Vec<String> {
    let stages = stages(rows);
    let is_correct = |id: &str, deal: &Value| {
        let (stage, pipeline) = (text(deal, "stageId"), text(deal, "pipelineId"));
        let column = match text(deal, "status") {
            "OPEN" => 0,
            "WON" => 1,
            _ => 2,
        };
        let stage_sort = format!("{column}#{}#{id}", text(deal, "position"));
        let assignee = deal["assignedToId"].as_str().map(|user| (format!("USER#{user}"), id.to_owned()));
        let index_keys = [
            (1, Some((format!("STAGE#{stage}"), stage_sort))),
            (2, Some(("DEAL#UPD".to_owned(), format!("{}#{id}", text(deal, "updatedAt"))))),
            (4, Some((format!("PIPE#{pipeline}"), id.to_owned()))),
            (5, assignee),
        ];
        let has_key = |(index, key): &(u8, Option<(String, String)>)| {
            let stored = |part| deal[format!("{part}{index}")].as_str();
            let key = key.as_ref().map(|(pk, sk)| (format!("{}{pk}", rows.prefix), sk));
            stored("p") == key.as_ref().map(|(pk, _)| pk.as_str()) && stored("s") == key.map(|(_, sk)| sk.as_str())
        };
        stages.get(stage) == Some(&pipeline) && index_keys.iter().all(has_key) && has_closing_fields(deal)
    };
    let wrong = rows.all("DEAL").filter(|(id, deal)| !is_correct(id, deal));
    wrong.map(|(id, _)| rows.violation("DEAL", id, "has a wrong stage, index key or closing field")).collect()
}

/// Whether `closedAt` and `lostReason` match the status.
///
/// Closed deals have `closedAt`. Only lost deals may have `lostReason`.
fn has_closing_fields(deal: &Value) -> bool {
    let has = |name: &str| deal[name].is_string();
    (text(deal, "status") != "OPEN") == has("closedAt") && (text(deal, "status") == "LOST" || !has("lostReason"))
}

/// Histories start at creation, have no gaps and end with the current values.
fn wrong_histories(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    let mut with_history: BTreeSet<&str> = BTreeSet::new();
    for collection in rows.collections() {
        let deal = collection.strip_prefix("DEAL#").and_then(|rest| rest.strip_suffix("#HISTORY"));
        let Some((deal, row)) = deal.and_then(|deal| Some((deal, rows.find("DEAL", deal)?))) else { continue };
        with_history.insert(deal);
        if !rows.has(collection, "0000000001") {
            violations.push(rows.violation(collection, "0000000001", "is missing"));
        }
        let mut current: BTreeMap<_, &Value> = BTreeMap::new();
        for (version, entry) in rows.all(collection) {
            for change in entry["changes"].as_array().into_iter().flatten() {
                let previous = current.insert(text(change, "field"), &change["to"]).unwrap_or(&Value::Null);
                if change["from"] != *previous {
                    let message = format_args!("changes from {} instead of {previous}", change["from"]);
                    violations.push(rows.violation(collection, version, message));
                }
            }
        }
        let differing = current.into_iter().find(|(field, to)| row.get(*field).unwrap_or(&Value::Null) != *to);
        violations
            .extend(differing.map(|(field, to)| rows.violation(collection, field, format_args!("ends with {to}"))));
    }
    let without_history = rows.all("DEAL").filter(|(id, _)| !with_history.contains(id));
    violations.extend(without_history.map(|(id, _)| rows.violation("DEAL", id, "without a history")));
    violations
}

/// Pending moves of deals from a deleted stage are consistent.
///
/// The stage is marked in its pipeline and in its totals, a job moves its deals, and the target stage counts
/// the move.
fn wrong_moves(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    let mut inbound: BTreeMap<&str, u32> = BTreeMap::new();
    for (id, pipeline) in rows.all("PIPELINE") {
        for stage in pipeline["stages"].as_array().into_iter().flatten() {
            let (stage_id, target) = (text(stage, "id"), stage["movesTo"].as_str());
            let target_in_totals = rows.find("STAGE", stage_id).and_then(|totals| totals["movesTo"].as_str());
            let is_move = |job: &Value| {
                let has_stage = [Some(stage_id), None].contains(&job["stage"].as_str());
                has_stage && text(job, "pipeline") == id && job["to"].as_str() == target
            };
            if target_in_totals != target || (target.is_some() && !rows.all("JOB").any(|(_, job)| is_move(job))) {
                violations.push(rows.violation("STAGE", stage_id, "has a pending move without a matching mark or job"));
            }
            if let Some(target) = target {
                *inbound.entry(target).or_default() += 1;
            }
        }
    }
    for (stage, totals) in rows.all("STAGE") {
        let actual = inbound.remove(stage).unwrap_or_default();
        if totals["inbound"].as_f64().unwrap_or_default().to_string() != actual.to_string() {
            let message = format_args!("inbound moves: stored {}, actual {actual}", totals["inbound"]);
            violations.push(rows.violation("STAGE", stage, message));
        }
    }
    let missing = inbound.into_keys();
    violations
        .extend(missing.map(|stage| rows.violation("STAGE", stage, "is the target of a move, but does not exist")));
    violations
}

/// There is one default pipeline, and the stored number of pipelines is correct.
fn wrong_default(rows: &ScopeRows<'_>) -> Vec<String> {
    let defaults: Vec<_> = rows.all("PIPELINE").filter(|(_, row)| row["isDefault"] == true).map(|(id, _)| id).collect();
    let row = rows.find("PIPELINE_DEFAULT", "AT");
    let stored: Vec<_> = row.map(|row| text(row, "pipelineId")).into_iter().collect();
    let count = row.and_then(|row| row["n"].as_f64()).unwrap_or_default();
    if defaults == stored && count.to_string() == rows.all("PIPELINE").count().to_string() {
        return Vec::new();
    }
    vec![format!("{}: the default pipelines are {defaults:?}, stored are {stored:?} of {count}", rows.prefix)]
}

fn value(deal: &Value) -> Decimal {
    let text = deal["value"].as_f64().unwrap_or_default().to_string();
    text.parse().unwrap_or_default()
}

fn decimals(currency: &str) -> u32 {
    currency.parse().map_or(0, Currency::decimals)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parse_rows;
    use super::super::scope_rows::group_by_scope;
    use super::*;

    const PREFIX: &str = "T#00000000-0000-0000-0000-000000000001#A#00000000-0000-0000-0000-000000000002#C#00000000-0000-0000-0000-000000000003#";

    /// A client with a pipeline of one stage, which contains an open and a won deal.
    fn table() -> Vec<Value> {
        let stage = json!({ "id": "lead", "pipelineId": "sales", "order": 0 });
        let totals = json!({ "pipelineId": "sales", "n": 2, "n_USD": 1, "low_USD": 1250 });
        let created = json!({ "changes": [{ "field": "status", "from": null, "to": "OPEN" }] });
        let won = json!({ "changes": [{ "field": "status", "from": "OPEN", "to": "WON" }] });
        let rows = [
            ("PIPELINE", "sales", json!({ "isDefault": true, "stages": [stage] })),
            ("PIPELINE_DEFAULT", "AT", json!({ "pipelineId": "sales", "n": 1 })),
            ("STAGE", "lead", totals),
            ("DEAL", "one", deal("one", 0, json!({ "status": "OPEN", "value": 12.5, "assignedToId": "ada" }))),
            (
                "DEAL",
                "two",
                deal("two", 1, json!({ "status": "WON", "value": 7, "closedAt": "2026-03-08T06:30:00.000Z" })),
            ),
            ("DEAL#one#HISTORY", "0000000001", json!({ "changes": [{ "field": "assignedToId", "to": "ada" }] })),
            ("DEAL#two#HISTORY", "0000000001", created),
            ("DEAL#two#HISTORY", "0000000003", won),
            ("DEAL#two#NOTE", "note", json!({ "content": "Call." })),
        ];
        rows.into_iter()
            .map(|(collection, sort, row)| with(row, &json!({ "pk": format!("{PREFIX}{collection}"), "sk": sort })))
            .collect()
    }

    fn deal(id: &str, column: u8, fields: Value) -> Value {
        let user = fields["assignedToId"].as_str().map(|user| format!("{PREFIX}USER#{user}"));
        let index_keys = json!({
            "stageId": "lead", "pipelineId": "sales", "currency": "USD", "position": "V0001", "updatedAt": "2026-03-08T06:30:00.000Z",
            "p1": format!("{PREFIX}STAGE#lead"), "s1": format!("{column}#V0001#{id}"),
            "p2": format!("{PREFIX}DEAL#UPD"), "s2": format!("2026-03-08T06:30:00.000Z#{id}"),
            "p4": format!("{PREFIX}PIPE#sales"), "s4": id,
            "p5": user, "s5": user.as_ref().map(|_| id),
        });
        with(fields, &index_keys)
    }

    fn with(mut row: Value, more: &Value) -> Value {
        let more = more.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
        row.as_object_mut().expect("a row").extend(more);
        row
    }

    fn all_violations(rows: &[Value]) -> Vec<String> {
        let (rows, invalid) = parse_rows(rows);
        assert_eq!(invalid, Vec::<String>::new());
        group_by_scope(&rows).values().flat_map(violations).collect()
    }

    fn count_after(change: impl FnOnce(&mut Vec<Value>)) -> usize {
        let mut rows = table();
        change(&mut rows);
        all_violations(&rows).len()
    }

    #[test]
    fn consistent_client_has_no_violations() {
        assert_eq!(all_violations(&table()), Vec::<String>::new());
    }

    #[test]
    fn inconsistent_move_of_deals_is_reported() {
        let start_move = |rows: &mut Vec<Value>| {
            rows[0]["stages"] = json!([{ "id": "lead", "pipelineId": "sales", "order": 0, "movesTo": "won" },
                { "id": "won", "pipelineId": "sales", "order": 1, "movesTo": null }]);
            rows[2]["movesTo"] = json!("won");
            let key = |collection: &str, sort: &str| json!({ "pk": format!("{PREFIX}{collection}"), "sk": sort });
            let totals = json!({ "pipelineId": "sales", "n": 0, "inbound": 1 });
            rows.push(with(totals, &key("STAGE", "won")));
            rows.push(with(json!({ "pipeline": "sales", "stage": "lead", "to": "won" }), &key("JOB", "job")));
        };
        assert_eq!(count_after(start_move), 0);
        for (row, name, value) in [(10, "stage", json!("won")), (9, "inbound", json!(0)), (2, "movesTo", Value::Null)] {
            let broken = |rows: &mut Vec<Value>| {
                start_move(rows);
                rows[row][name] = value;
            };
            assert_eq!(count_after(broken), 1, "{name}");
        }
    }

    #[test]
    fn each_violation_is_reported() {
        let change =
            |row: usize, name: &'static str, value: Value| move |rows: &mut Vec<Value>| rows[row][name] = value;
        assert_eq!(count_after(change(0, "isDefault", json!(false))), 1);
        assert_eq!(count_after(change(1, "n", json!(2))), 1);
        assert_eq!(count_after(change(2, "low_USD", json!(1251))), 1);
        assert_eq!(count_after(change(2, "high_EUR", json!(1))), 1);
        assert_eq!(count_after(change(2, "n", json!(3))), 1);
        assert_eq!(count_after(change(3, "position", json!("V0002"))), 1);
        assert_eq!(count_after(change(3, "s5", json!("two"))), 1);
        assert_eq!(count_after(change(4, "closedAt", Value::Null)), 1);
        let history =
            |from: Value, to: &str| change(7, "changes", json!([{ "field": "status", "from": from, "to": to }]));
        assert_eq!(count_after(history(json!("OPEN"), "LOST")), 1, "history with another final value");
        assert_eq!(count_after(history(json!("LOST"), "WON")), 1, "history with a gap");
        assert_eq!(count_after(|rows| drop(rows.remove(6))), 2, "missing first entry, and the gap after it");
        assert_eq!(count_after(|rows| drop(rows.remove(5))), 1, "deal without history");
        assert_eq!(count_after(change(2, "inbound", json!(1))), 1);
        assert_eq!(count_after(change(2, "movesTo", json!("other"))), 1);
        // Without the pipeline, its totals and deals are violations too.
        assert!(count_after(|rows| drop(rows.remove(0))) > 1);
        assert_eq!(count_after(|rows| drop(rows.remove(4))), 4, "totals, and children without their deal");
        let being_deleted = |rows: &mut Vec<Value>| {
            let job = json!({ "pk": format!("{PREFIX}JOB"), "sk": "job", "deal": "two" });
            rows[4] = job;
        };
        assert_eq!(count_after(being_deleted), 1, "totals only: a job deletes the children");
    }
}
