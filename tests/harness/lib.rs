//! Test harness of the integration tests.
//!
//! A recorder between the functions and the `DynamoDB` engine logs every call, and every request checks the
//! recorded calls against the isolation rules, the IAM policies and its round-trip budget.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

pub mod call;
mod compiled;
pub mod contract;
mod expression;
pub mod faults;
pub mod http;
pub mod isolation;
pub mod mailbox;
pub mod operation;
pub mod policy;
pub mod recorder;
pub mod schema;
pub mod tag;
pub mod tree;
pub mod users;
pub mod world;

use call::Call;
use isolation::Caller;
use policy::Policies;

/// Runs all futures concurrently and returns their outputs in order.
pub async fn at_once<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    futures_util::future::join_all(futures).await
}

/// Fails the test if a call breaks an isolation rule or is denied by IAM.
///
/// `calls` are those of one API request, `policies` are those of the function that handled it, and `caller`
/// is the signed-in user who made the request.
///
/// # Panics
/// If there is a violation. The message lists every violation and then every call.
#[track_caller]
pub fn assert_isolated(calls: &[Call], caller: Option<&Caller>, policies: &Policies) {
    let mut violations = isolation::violations(calls, caller);
    violations.extend(policies.violations(calls));
    assert!(violations.is_empty(), "{}", report(&violations, calls));
}

fn report(violations: &[String], calls: &[Call]) -> String {
    let mut lines = vec![format!("{} violations in {} calls", violations.len(), calls.len())];
    lines.extend(violations.iter().map(|violation| format!("  ✗ {violation}")));
    let calls = calls.iter().enumerate();
    lines.extend(calls.map(|(at, call)| format!("  {}. {call}", at + 1)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::PolicyTable;
    use crate::schema::TableSchema;
    use crate::schema::tests::definition;

    #[test]
    #[should_panic(expected = "\
2 violations in 1 calls
  ✗ Query GLOBAL#EMAIL / *: a global partition is for exact keys only
  ✗ dynamodb:Query on arn:aws:dynamodb:local:000000000000:table/crm for [\"GLOBAL#EMAIL\"]: no statement allows it
  1. Query → no answer
     Query GLOBAL#EMAIL / *")]
    fn failure_message_lists_every_violation_and_every_call() {
        let request = json!({
            "TableName": "crm",
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": { ":p": { "S": "GLOBAL#EMAIL" } },
        });
        let schema = TableSchema::from_definition(&definition());
        let call = Call::parse("Query", request.to_string().as_bytes(), &schema);
        let table = PolicyTable { logical_id: "Table", name: "crm" };
        assert_isolated(&[call], None, &Policies::parse(&[], table).unwrap());
    }
}
