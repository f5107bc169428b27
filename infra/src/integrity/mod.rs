//! What must be true of the rows of a table as a whole, whatever was done at the same time. Whatever the functions count, or keep
//! twice, is computed here from the entities themselves.

mod appointments;
mod contacts;
mod deals;
mod owners;
mod rows;
mod tree;

use serde_json::Value;

use crate::partition::Partition;
use owners::owners;
pub use rows::rows;

/// A row, and where it lies.
struct Row<'a> {
    partition: Partition,
    pk: &'a str,
    sk: &'a str,
    value: &'a Value,
}

/// Every row that stands for something without which it makes no sense, and every count that is wrong, one line each; nothing when
/// the table is whole.
pub fn damages(rows: &[Value]) -> Vec<String> {
    let (rows, mut damages) = placed(rows);
    let owners = owners(&rows);
    damages.extend(tree::damages(&rows, &owners));
    for owner in owners.values() {
        damages.extend(contacts::damages(owner));
        damages.extend(deals::damages(owner));
        damages.extend(appointments::damages(owner));
    }
    damages
}

/// The rows that lie where rows can lie, and what is wrong with the others.
fn placed(rows: &[Value]) -> (Vec<Row<'_>>, Vec<String>) {
    let (mut placed, mut astray) = (Vec::new(), Vec::new());
    for row in rows {
        match Row::of(row) {
            Ok(row) => placed.push(row),
            Err(why) => astray.push(why),
        }
    }
    (placed, astray)
}

impl<'a> Row<'a> {
    fn of(value: &'a Value) -> Result<Self, String> {
        let text = |name: &str| value[name].as_str().ok_or_else(|| format!("a row without {name}"));
        let (pk, sk) = (text("pk")?, text("sk")?);
        Ok(Self { partition: Partition::parse(pk)?, pk, sk, value })
    }

    fn at(&self, what: impl std::fmt::Display) -> String {
        format!("{} / {}: {what}", self.pk, self.sk.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_that_lies_where_none_can_is_found() {
        let rows = [json!({ "pk": "GLOBAL#HEALTH", "sk": "AT" }), json!({ "pk": "CONTACT", "sk": "x" }), json!({})];
        let damages = damages(&rows);
        assert!(damages.len() == 2 && damages[0].starts_with("CONTACT:"), "{damages:?}");
    }
}
