//! The contract of an operation: its described responses and its budget.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lambda_http::http::Method;
use serde_json::Value;

use crate::operation::resolve_in;
use crate::users::Answer;
use crate::world::{OPENAPI, WIDGETS_OPENAPI, WIDGETS_PATH};

/// The round-trip budget of each operation, by its `operationId`.
///
/// The largest number of calls to the table of a successful request, without contention.
pub static ROUND_TRIPS: LazyLock<BTreeMap<&str, usize>> = LazyLock::new(|| {
    let lines = include_str!("round_trips.txt").lines();
    lines
        .map(|line| {
            let (id, budget) = line.split_once(' ').expect("an operation and its budget");
            (id, budget.parse().expect("a number"))
        })
        .collect()
});

/// The operation object that describes a request.
///
/// `None` if the document has no such path or method.
pub fn operation_object(method: &Method, path: &str) -> Option<&'static Value> {
    let parts = || path.split('/');
    let matches = |template: &str| {
        template.split('/').count() == parts().count()
            && template.split('/').zip(parts()).all(|(name, part)| name == part || name.starts_with('{'))
    };
    // A fixed path, such as `/imports`, comes before one with a parameter in its place.
    let paths = document_of(path)["paths"].as_object()?.iter().filter(|(template, _)| matches(template));
    let (_, item) = paths.min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(method.as_str().to_lowercase())
}

/// The document that describes a path: that of the widget API, or else that of the API.
fn document_of(path: &str) -> &'static Value {
    if path.starts_with(WIDGETS_PATH) { &WIDGETS_OPENAPI } else { &OPENAPI }
}

/// The status or problem code of an answer that its operation does not describe.
pub fn undocumented(path: &str, operation: &'static Value, answer: &Answer) -> Option<String> {
    if answer.status.as_u16() >= 400 && answer.body["message"].is_string() {
        return None; // API Gateway answered: the default response.
    }
    let id = operation["operationId"].as_str().unwrap_or_default();
    let status = answer.status.as_u16();
    let Some(response) = operation["responses"].get(status.to_string()) else {
        return Some(format!("{id}: status {status} ({}) is not described", answer.body["code"]));
    };
    let response = resolved(document_of(path), response);
    let content = response.get("content").and_then(|content| content.get("application/problem+json"))?;
    let codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"].as_array().expect("the codes of a problem");
    let code = &answer.body["code"];
    (!codes.contains(code)).then(|| format!("{id}: {code} is not a described code of status {status}"))
}

fn resolved(document: &'static Value, part: &'static Value) -> &'static Value {
    part["$ref"].as_str().map_or(part, |reference| resolve_in(document, reference))
}
