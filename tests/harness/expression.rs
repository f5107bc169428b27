//! Parses `DynamoDB` expressions for the key values that a request names.
//!
//! Only the part of the grammar that this needs is supported. Placeholders are resolved as "Expression
//! attribute names" and "Expression attribute values" in the developer guide describe: `#name` is an
//! attribute, `:value` is a value.

use serde_json::Value;

/// The keywords that begin a clause of an update expression.
const CLAUSES: [&str; 4] = ["SET", "REMOVE", "ADD", "DELETE"];

/// A key condition or update expression, with its placeholders.
pub(crate) struct Expression<'a> {
    tokens: Vec<&'a str>,
    names: &'a Value,
    values: &'a Value,
}

impl<'a> Expression<'a> {
    /// The expression in `field` of a request; empty if the field is missing.
    pub(crate) fn of(request: &'a Value, field: &str) -> Self {
        Self {
            tokens: tokens(request[field].as_str().unwrap_or_default()),
            names: &request["ExpressionAttributeNames"],
            values: &request["ExpressionAttributeValues"],
        }
    }

    /// The values that `attribute` is set to or compared with by `=`.
    pub(crate) fn equal_to(&self, attribute: &str) -> Result<Vec<&'a Value>, String> {
        let mut values = Vec::new();
        for start in self.right_hand_sides(attribute) {
            values.push(self.value(self.term(start))?);
        }
        Ok(values)
    }

    /// The token positions of the right-hand sides of `attribute = …`.
    fn right_hand_sides(&self, attribute: &str) -> impl Iterator<Item = usize> {
        let pairs = self.tokens.windows(2).enumerate();
        pairs.filter(move |(_, pair)| self.is_name(pair[0], attribute) && pair[1] == "=").map(|(at, _)| at + 2)
    }

    fn is_name(&self, token: &str, attribute: &str) -> bool {
        token == attribute || self.names[token].as_str() == Some(attribute)
    }

    /// The tokens from `start` to the end of a term.
    ///
    /// A term ends at a comma or a bracket outside its own brackets, at `AND`, or at the next clause.
    fn term(&self, start: usize) -> &[&'a str] {
        let rest = &self.tokens[start..];
        let mut depth = 0_i32;
        let ends = |token: &&str| {
            match *token {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            depth < 0 || (depth == 0 && (*token == "," || is_separator(token)))
        };
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        &rest[..length]
    }

    /// The single value of a term such as `:v` or `if_not_exists(a, :v)`.
    fn value(&self, term: &[&str]) -> Result<&'a Value, String> {
        let placeholders: Vec<_> = term.iter().filter(|token| token.starts_with(':')).collect();
        let [placeholder] = placeholders.as_slice() else {
            return Err(format!("expected exactly one value: {}", term.join(" ")));
        };
        self.values.get(**placeholder).ok_or_else(|| format!("{placeholder} has no value"))
    }
}

fn is_separator(token: &str) -> bool {
    let begins_clause = |clause: &&str| token.eq_ignore_ascii_case(clause);
    token.eq_ignore_ascii_case("AND") || CLAUSES.iter().any(begins_clause)
}

/// Splits into tokens: a name or placeholder, or any other single character.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(word.max(first.len_utf8()));
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_#:.".contains(c)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(expression: &str, attribute: &str) -> Result<Vec<Value>, String> {
        let request = json!({
            "Expression": expression,
            "ExpressionAttributeNames": { "#k": "pk" },
            "ExpressionAttributeValues": { ":a": "one", ":b": "two" },
        });
        let values = Expression::of(&request, "Expression").equal_to(attribute)?;
        Ok(values.into_iter().cloned().collect())
    }

    #[test]
    fn key_condition_in_any_spelling_has_its_value() {
        for text in [
            "pk = :a",
            "#k=:a AND begins_with(sk, :b)",
            "begins_with(sk, :b) AND #k = :a",
            "(#k = :a) and (sk = :b)",
            "sk > :b AND pk = :a",
            "pk = :a AND sk BETWEEN :b AND :a",
            "sk BETWEEN :b AND :b AND pk = :a",
        ] {
            assert_eq!(values(text, "pk"), Ok(vec![json!("one")]), "{text}");
        }
    }

    #[test]
    fn assignment_ends_at_a_comma_or_the_next_clause() {
        for text in [
            "SET pk = :a, other = :b",
            "SET other = :b, #k = if_not_exists(#k, :a) REMOVE more",
            "SET pk = :a ADD version :b",
            "SET pk = :a DELETE ids :b",
            "ADD ids :b SET pk = :a",
            "DELETE ids :b SET pk = :a REMOVE more",
        ] {
            assert_eq!(values(text, "pk"), Ok(vec![json!("one")]), "{text}");
        }
    }

    #[test]
    fn unset_attribute_has_no_value() {
        for text in
            ["SET other = :a REMOVE pk", "REMOVE pk, sk", "ADD ids :a", "DELETE ids :a", "ADD n :a DELETE ids :b"]
        {
            assert_eq!(values(text, "pk"), Ok(vec![]), "{text}");
        }
        assert_eq!(values("", "pk"), Ok(vec![]));
    }

    #[test]
    fn unresolved_value_is_an_error() {
        assert!(values("SET pk = other", "pk").is_err());
        assert!(values("SET pk = :missing", "pk").is_err());
    }
}
