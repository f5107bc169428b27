//! Consistency check of a whole table.
//!
//! Recomputes all derived data (counts, sums, index keys, references, unique constraints) from the entities and
//! reports each difference. The tests run the check after concurrent writes and injected failures; operators
//! run it as `check-data`.

mod appointments;
mod contacts;
mod deals;
mod due;
pub mod partition;
mod rows;
mod scope_rows;
mod tree;

use std::fmt::Display;

use serde_json::Value;

use crate::check::partition::Partition;
pub use rows::{readable_key, rows, stored};
use scope_rows::group_by_scope;

/// A row with its parsed key.
struct Row<'a> {
    partition: Partition,
    pk: &'a str,
    sk: &'a str,
    value: &'a Value,
}

/// Checks all rows of a table and returns one line per violation.
///
/// The list is empty if the table is consistent.
pub fn violations(rows: &[Value]) -> Vec<String> {
    let (rows, mut violations) = parse_rows(rows);
    let scopes = group_by_scope(&rows);
    violations.extend(tree::violations(&rows, &scopes));
    violations.extend(due::violations(&rows));
    for scope in scopes.values() {
        violations.extend(contacts::violations(scope));
        violations.extend(deals::violations(scope));
        violations.extend(appointments::violations(scope));
    }
    violations
}

/// Parses the keys of all rows.
///
/// Returns the valid rows and one violation for each other row.
fn parse_rows(rows: &[Value]) -> (Vec<Row<'_>>, Vec<String>) {
    let (mut valid, mut violations) = (Vec::new(), Vec::new());
    for row in rows {
        match Row::parse(row) {
            Ok(row) => valid.push(row),
            Err(violation) => violations.push(violation),
        }
    }
    (valid, violations)
}

impl<'a> Row<'a> {
    fn parse(value: &'a Value) -> Result<Self, String> {
        let text = |name: &str| value[name].as_str().ok_or_else(|| format!("a row without {name}"));
        let (pk, sk) = (text("pk")?, text("sk")?);
        Ok(Self { partition: Partition::parse(pk)?, pk, sk, value })
    }

    fn violation(&self, message: impl Display) -> String {
        format!("{} / {}: {message}", self.pk, self.sk.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::violations;

    #[test]
    fn row_with_an_invalid_key_is_reported() {
        let rows = [json!({ "pk": "GLOBAL#HEALTH", "sk": "AT" }), json!({ "pk": "CONTACT", "sk": "x" }), json!({})];
        let found = violations(&rows);
        assert!(found.len() == 2 && found[0].starts_with("CONTACT:"), "{found:?}");
    }
}
