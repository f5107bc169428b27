//! What must be true of a client's pipelines and deals, and of what is counted and noted of them.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use shared::value::Currency;

use super::owners::{Owner, text};

/// Everything about deals that is not as it must be.
pub(super) fn damages(owner: &Owner<'_>) -> Vec<String> {
    let found = [
        wrong_stages(owner),
        wrong_tallies(owner),
        wrong_deals(owner),
        owner.strays("DEAL"),
        wrong_histories(owner),
        wrong_default(owner),
        wrong_moves(owner),
    ];
    found.concat()
}

/// The stages of all pipelines, each with its pipeline.
fn stages<'a>(owner: &Owner<'a>) -> BTreeMap<&'a str, &'a str> {
    let stages = owner.all("PIPELINE").flat_map(|(_, pipeline)| pipeline["stages"].as_array().into_iter().flatten());
    stages.map(|stage| (text(stage, "id"), text(stage, "pipelineId"))).collect()
}

/// A pipeline's stages have their places, and each has its tally, of which there are no others.
fn wrong_stages(owner: &Owner<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, pipeline) in owner.all("PIPELINE") {
        let orders = pipeline["stages"].as_array().into_iter().flatten().map(|stage| stage["order"].as_f64());
        if !orders.eq((0..).map(f64::from).map(Some).take(pipeline["stages"].as_array().map_or(0, Vec::len))) {
            wrong.push(owner.at("PIPELINE", id, "its stages are not in order"));
        }
    }
    let tallied = owner.all("STAGE").map(|(id, tally)| (id, text(tally, "pipelineId")));
    let (stages, tallied) = (stages(owner), tallied.collect::<BTreeMap<_, _>>());
    if stages != tallied {
        wrong.push(format!("stages {stages:?}, and tallies of {tallied:?}"));
    }
    wrong
}

/// A stage's tally is what its deals make when they are counted anew.
fn wrong_tallies(owner: &Owner<'_>) -> Vec<String> {
    let mut found: BTreeMap<(&str, String), Decimal> = BTreeMap::new();
    let mut add = |stage, what, number| *found.entry((stage, what)).or_default() += number;
    for (_, deal) in owner.all("DEAL") {
        let (stage, currency) = (text(deal, "stageId"), text(deal, "currency"));
        add(stage, "deals".to_owned(), Decimal::ONE);
        if deal["status"] == "OPEN" {
            add(stage, format!("open {currency}"), Decimal::ONE);
            add(stage, format!("sum {currency}"), value(deal) * Decimal::from(10_i64.pow(decimals(currency))));
        }
    }
    for (stage, tally) in owner.all("STAGE") {
        for (name, number) in tally.as_object().into_iter().flatten() {
            let number: Decimal = number.to_string().trim_end_matches(".0").parse().unwrap_or_default();
            let mut take = |what: String, number| *found.entry((stage, what)).or_default() -= number;
            match name.split_once('_') {
                None if name == "n" => take("deals".to_owned(), number),
                Some(("n", currency)) => take(format!("open {currency}"), number),
                Some(("high", currency)) => take(format!("sum {currency}"), number * Decimal::from(1_000_000_000)),
                Some(("low", currency)) => take(format!("sum {currency}"), number),
                _ => {}
            }
        }
    }
    found.retain(|_, difference| !difference.is_zero());
    found
        .into_iter()
        .map(|((stage, what), n)| owner.at("STAGE", stage, format_args!("{what}: {n} more than it counts")))
        .collect()
}

/// A deal stands in a stage of its pipeline, and in the indexes where it says.
fn wrong_deals(owner: &Owner<'_>) -> Vec<String> {
    let stages = stages(owner);
    let is_right = |id: &str, deal: &Value| {
        let (stage, pipeline) = (text(deal, "stageId"), text(deal, "pipelineId"));
        let column = match text(deal, "status") {
            "OPEN" => 0,
            "WON" => 1,
            _ => 2,
        };
        let within = format!("{column}#{}#{id}", text(deal, "position"));
        let assignee = deal["assignedToId"].as_str().map(|user| (format!("USER#{user}#DEAL"), id.to_owned()));
        let placed = [
            ("sorted", Some((format!("STAGE#{stage}#DEAL"), within))),
            ("changed", Some(("DEAL#CHANGED".to_owned(), format!("{}#{id}", text(deal, "updatedAt"))))),
            ("pipeline", Some((format!("PIPELINE#{pipeline}#DEAL"), id.to_owned()))),
            ("assignee", assignee),
        ];
        let stands = |(index, place): &(&str, Option<(String, String)>)| {
            let is = |part| deal[format!("{index}_{part}")].as_str();
            let place = place.as_ref().map(|(pk, sk)| (format!("{}{pk}", owner.prefix), sk));
            is("pk") == place.as_ref().map(|(pk, _)| pk.as_str()) && is("sk") == place.map(|(_, sk)| sk.as_str())
        };
        stages.get(stage) == Some(&pipeline) && placed.iter().all(stands) && is_closed(deal)
    };
    let wrong = owner.all("DEAL").filter(|(id, deal)| !is_right(id, deal));
    wrong
        .map(|(id, _)| owner.at("DEAL", id, "in a stage or an index where it does not say, or closed and open"))
        .collect()
}

fn is_closed(deal: &Value) -> bool {
    let has = |name: &str| deal[name].is_string();
    (text(deal, "status") != "OPEN") == has("closedAt") && (text(deal, "status") == "LOST" || !has("lostReason"))
}

/// The history of a deal begins with it, goes on from where it was, and ends where the deal is.
fn wrong_histories(owner: &Owner<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for collection in owner.collections() {
        let deal = collection.strip_prefix("DEAL#").and_then(|rest| rest.strip_suffix("#HISTORY"));
        let Some((deal, row)) = deal.and_then(|deal| Some((deal, owner.find("DEAL", deal)?))) else { continue };
        told.insert(deal);
        if !owner.has(collection, "0000000001") {
            wrong.push(owner.at(collection, "0000000001", "is missing"));
        }
        let mut last: BTreeMap<_, &Value> = BTreeMap::new();
        for (version, change) in owner.all(collection) {
            for change in change["changes"].as_array().into_iter().flatten() {
                let was = last.insert(text(change, "field"), &change["to"]).unwrap_or(&Value::Null);
                if change["from"] != *was {
                    wrong.push(owner.at(
                        collection,
                        version,
                        format_args!("goes from {} instead of {was}", change["from"]),
                    ));
                }
            }
        }
        let differs = last.into_iter().find(|(field, to)| row.get(*field).unwrap_or(&Value::Null) != *to);
        wrong.extend(differs.map(|(field, to)| owner.at(collection, field, format_args!("ends in {to}"))));
    }
    let untold = owner.all("DEAL").filter(|(id, _)| !told.contains(id));
    wrong.extend(untold.map(|(id, _)| owner.at("DEAL", id, "without a history")));
    wrong
}

/// A stage whose deals are being moved says so itself, has a job that does it, and is counted where they go.
fn wrong_moves(owner: &Owner<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut inbound: BTreeMap<&str, u32> = BTreeMap::new();
    for (id, pipeline) in owner.all("PIPELINE") {
        for stage in pipeline["stages"].as_array().into_iter().flatten() {
            let (name, to) = (text(stage, "id"), stage["movesTo"].as_str());
            let tally = owner.find("STAGE", name).and_then(|tally| tally["movesTo"].as_str());
            let moves = |job: &Value| {
                let stages = [Some(name), None].contains(&job["stage"].as_str());
                stages && text(job, "pipeline") == id && job["to"].as_str() == to
            };
            if tally != to || (to.is_some() && !owner.all("JOB").any(|(_, job)| moves(job))) {
                wrong.push(owner.at("STAGE", name, "is to be left by its deals, and is not, or nobody moves them"));
            }
            if let Some(to) = to {
                *inbound.entry(to).or_default() += 1;
            }
        }
    }
    for (stage, tally) in owner.all("STAGE") {
        let found = inbound.remove(stage).unwrap_or_default();
        if tally["inbound"].as_f64().unwrap_or_default().to_string() != found.to_string() {
            wrong.push(owner.at(
                "STAGE",
                stage,
                format_args!("counts {}, and gets the deals of {found} stages", tally["inbound"]),
            ));
        }
    }
    wrong.extend(inbound.into_keys().map(|stage| owner.at("STAGE", stage, "gets deals, and is not there")));
    wrong
}

/// One pipeline is the default one, if there is any, and as many are counted as there are.
fn wrong_default(owner: &Owner<'_>) -> Vec<String> {
    let defaults: Vec<_> =
        owner.all("PIPELINE").filter(|(_, row)| row["isDefault"] == true).map(|(id, _)| id).collect();
    let noted = owner.find("PIPELINE_DEFAULT", "AT");
    let noted: Vec<_> = noted.map(|row| text(row, "pipelineId")).into_iter().collect();
    let counted = owner.find("PIPELINE_DEFAULT", "AT").and_then(|row| row["n"].as_f64()).unwrap_or_default();
    if defaults == noted && counted.to_string() == owner.all("PIPELINE").count().to_string() {
        return Vec::new();
    }
    vec![format!("{}: the default pipelines are {defaults:?}, noted are {noted:?} of {counted}", owner.prefix)]
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

    use super::super::owners::owners;
    use super::super::placed;
    use super::*;

    const PREFIX: &str = "T#00000000-0000-0000-0000-000000000001#A#00000000-0000-0000-0000-000000000002#C#00000000-0000-0000-0000-000000000003#";

    /// A client with a pipeline of one stage, in which stand an open deal and one that is won.
    fn table() -> Vec<Value> {
        let stage = json!({ "id": "lead", "pipelineId": "sales", "order": 0 });
        let tally = json!({ "pipelineId": "sales", "n": 2, "n_USD": 1, "low_USD": 1250 });
        let made = json!({ "changes": [{ "field": "status", "from": null, "to": "OPEN" }] });
        let told = json!({ "changes": [{ "field": "status", "from": "OPEN", "to": "WON" }] });
        let rows = [
            ("PIPELINE", "sales", json!({ "isDefault": true, "stages": [stage] })),
            ("PIPELINE_DEFAULT", "AT", json!({ "pipelineId": "sales", "n": 1 })),
            ("STAGE", "lead", tally),
            ("DEAL", "one", deal("one", 0, json!({ "status": "OPEN", "value": 12.5, "assignedToId": "ada" }))),
            (
                "DEAL",
                "two",
                deal("two", 1, json!({ "status": "WON", "value": 7, "closedAt": "2026-03-08T06:30:00.000Z" })),
            ),
            ("DEAL#one#HISTORY", "0000000001", json!({ "changes": [{ "field": "assignedToId", "to": "ada" }] })),
            ("DEAL#two#HISTORY", "0000000001", made),
            ("DEAL#two#HISTORY", "0000000003", told),
            ("DEAL#two#NOTE", "note", json!({ "content": "Call." })),
        ];
        rows.into_iter()
            .map(|(collection, sort, row)| with(row, &json!({ "pk": format!("{PREFIX}{collection}"), "sk": sort })))
            .collect()
    }

    fn deal(id: &str, column: u8, more: Value) -> Value {
        let user = more["assignedToId"].as_str().map(|user| format!("{PREFIX}USER#{user}#DEAL"));
        let placed = json!({
            "stageId": "lead", "pipelineId": "sales", "currency": "USD", "position": "V0001", "updatedAt": "2026-03-08T06:30:00.000Z",
            "sorted_pk": format!("{PREFIX}STAGE#lead#DEAL"), "sorted_sk": format!("{column}#V0001#{id}"),
            "changed_pk": format!("{PREFIX}DEAL#CHANGED"), "changed_sk": format!("2026-03-08T06:30:00.000Z#{id}"),
            "pipeline_pk": format!("{PREFIX}PIPELINE#sales#DEAL"), "pipeline_sk": id,
            "assignee_pk": user, "assignee_sk": user.as_ref().map(|_| id),
        });
        with(more, &placed)
    }

    fn with(mut row: Value, more: &Value) -> Value {
        let more = more.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
        row.as_object_mut().expect("a row").extend(more);
        row
    }

    fn all(rows: &[Value]) -> Vec<String> {
        let (rows, astray) = placed(rows);
        assert_eq!(astray, Vec::<String>::new());
        owners(&rows).values().flat_map(damages).collect()
    }

    fn found(change: impl FnOnce(&mut Vec<Value>)) -> usize {
        let mut rows = table();
        change(&mut rows);
        all(&rows).len()
    }

    #[test]
    fn a_whole_client_has_no_damage() {
        assert_eq!(all(&table()), Vec::<String>::new());
    }

    #[test]
    fn deals_leave_a_stage_by_a_job_for_one_that_counts_it() {
        let leave = |rows: &mut Vec<Value>| {
            rows[0]["stages"] = json!([{ "id": "lead", "pipelineId": "sales", "order": 0, "movesTo": "won" },
                { "id": "won", "pipelineId": "sales", "order": 1, "movesTo": null }]);
            rows[2]["movesTo"] = json!("won");
            let there = |collection: &str, sort: &str| json!({ "pk": format!("{PREFIX}{collection}"), "sk": sort });
            let tally = json!({ "pipelineId": "sales", "n": 0, "inbound": 1 });
            rows.push(with(tally, &there("STAGE", "won")));
            rows.push(with(json!({ "pipeline": "sales", "stage": "lead", "to": "won" }), &there("JOB", "job")));
        };
        assert_eq!(found(leave), 0);
        for (row, name, value) in [(10, "stage", json!("won")), (9, "inbound", json!(0)), (2, "movesTo", Value::Null)] {
            let broken = |rows: &mut Vec<Value>| {
                leave(rows);
                rows[row][name] = value;
            };
            assert_eq!(found(broken), 1, "{name}");
        }
    }

    #[test]
    fn whatever_is_not_as_it_must_be_is_found() {
        let change =
            |row: usize, name: &'static str, value: Value| move |rows: &mut Vec<Value>| rows[row][name] = value;
        assert_eq!(found(change(0, "isDefault", json!(false))), 1);
        assert_eq!(found(change(1, "n", json!(2))), 1);
        assert_eq!(found(change(2, "low_USD", json!(1251))), 1);
        assert_eq!(found(change(2, "high_EUR", json!(1))), 1);
        assert_eq!(found(change(2, "n", json!(3))), 1);
        assert_eq!(found(change(3, "position", json!("V0002"))), 1);
        assert_eq!(found(change(3, "assignee_sk", json!("two"))), 1);
        assert_eq!(found(change(4, "closedAt", Value::Null)), 1);
        let told = |from: Value, to: &str| change(7, "changes", json!([{ "field": "status", "from": from, "to": to }]));
        assert_eq!(found(told(json!("OPEN"), "LOST")), 1, "an end where the deal is not");
        assert_eq!(found(told(json!("LOST"), "WON")), 1, "a change from what was not");
        assert_eq!(found(|rows| drop(rows.remove(6))), 2, "a beginning that is missing, and what it was");
        assert_eq!(found(|rows| drop(rows.remove(5))), 1, "a deal without a history");
        assert_eq!(found(change(2, "inbound", json!(1))), 1);
        assert_eq!(found(change(2, "movesTo", json!("other"))), 1);
        // A tally and a deal of nothing, the history and the note of nothing.
        assert!(found(|rows| drop(rows.remove(0))) > 1);
        assert_eq!(found(|rows| drop(rows.remove(4))), 4, "the tally, and what belongs to no deal");
        let cleared = |rows: &mut Vec<Value>| {
            let job = json!({ "pk": format!("{PREFIX}JOB"), "sk": "job", "deal": "two" });
            rows[4] = job;
        };
        assert_eq!(found(cleared), 1, "the tally: a job clears the rest");
    }
}
