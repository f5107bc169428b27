//! Filter patterns of event source mappings.
//!
//! Supports the part of Lambda event filtering that the template needs. Any other pattern is an error, so
//! that filtering never differs from AWS. Source: "Lambda event filtering" in the Lambda developer guide.

use serde_json::{Map, Value};

/// Accepts records that match one of its patterns, or all records if it has none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq)]
enum Pattern {
    /// Each field must match.
    Fields(Vec<(String, Pattern)>),
    /// The value must match one of the rules.
    OneOf(Vec<Rule>),
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Equals(Value),
    Prefix(String),
    Suffix(String),
    Exists(bool),
    AnythingBut(Vec<Value>),
}

impl Filter {
    /// Parses patterns. The error names the unsupported part.
    pub(super) fn parse(patterns: &[Value]) -> Result<Self, String> {
        patterns.iter().map(Pattern::parse).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn matches(&self, record: &Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(Some(record)))
    }
}

impl Pattern {
    fn parse(pattern: &Value) -> Result<Self, String> {
        match pattern {
            Value::Object(fields) if !fields.is_empty() => Self::fields(fields),
            Value::Array(rules) if !rules.is_empty() => {
                Ok(Self::OneOf(rules.iter().map(Rule::parse).collect::<Result<_, _>>()?))
            }
            _ => Err(format!("a filter pattern must be an object or a list of values: {pattern}")),
        }
    }

    fn fields(fields: &Map<String, Value>) -> Result<Self, String> {
        let fields = fields.iter().map(|(name, pattern)| match name.strip_prefix('$') {
            Some(_) => Err(format!("unsupported filter operator: {name}")),
            None => Ok((name.clone(), Self::parse(pattern)?)),
        });
        Ok(Self::Fields(fields.collect::<Result<_, _>>()?))
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // A list matches if one of its items matches.
            (_, Some(Value::Array(items))) if !items.is_empty() => items.iter().any(|item| self.matches(Some(item))),
            (Self::Fields(fields), value) => {
                fields.iter().all(|(name, pattern)| pattern.matches(value.and_then(|value| value.get(name))))
            }
            (Self::OneOf(rules), value) => rules.iter().any(|rule| rule.matches(value)),
        }
    }
}

impl Rule {
    fn parse(rule: &Value) -> Result<Self, String> {
        match rule {
            Value::Object(operator) => Self::operator(operator),
            Value::Array(_) => Err(format!("unsupported filter rule: {rule}")),
            value => Ok(Self::Equals(value.clone())),
        }
    }

    fn operator(operator: &Map<String, Value>) -> Result<Self, String> {
        let unsupported = || format!("unsupported filter operator: {}", Value::from(operator.clone()));
        let mut entries = operator.iter();
        let (Some((name, argument)), None) = (entries.next(), entries.next()) else { return Err(unsupported()) };
        match (name.as_str(), argument) {
            ("prefix", Value::String(text)) => Ok(Self::Prefix(text.clone())),
            ("suffix", Value::String(text)) => Ok(Self::Suffix(text.clone())),
            ("exists", Value::Bool(exists)) => Ok(Self::Exists(*exists)),
            ("anything-but", Value::String(_) | Value::Number(_)) => Ok(Self::AnythingBut(vec![argument.clone()])),
            ("anything-but", Value::Array(values))
                if values.iter().all(|value| value.is_string() || value.is_number()) =>
            {
                Ok(Self::AnythingBut(values.clone()))
            }
            _ => Err(unsupported()),
        }
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        let text = value.and_then(Value::as_str);
        match self {
            Self::Equals(expected) => value.is_some_and(|value| equal(expected, value)),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            // Only leaf values exist for this operator; an object counts as absent.
            Self::Exists(exists) => value.is_some_and(|value| !value.is_object()) == *exists,
            Self::AnythingBut(others) => {
                value.is_some_and(|value| !value.is_object() && !others.iter().any(|other| equal(other, value)))
            }
        }
    }
}

/// Compares two values. Numbers are compared by value, not by notation.
fn equal(left: &Value, right: &Value) -> bool {
    left == right || (left.is_number() && left.as_f64() == right.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &Value, record: &Value) -> bool {
        Filter::parse(std::slice::from_ref(pattern)).unwrap().matches(record)
    }

    #[test]
    fn insert_is_matched_by_partition_key_suffix() {
        let pattern =
            json!({ "eventName": ["INSERT"], "dynamodb": { "Keys": { "pk": { "S": [{ "suffix": "MAIL" }] } } } });
        let record = |event: &str, partition: &str| json!({ "eventName": event, "dynamodb": { "Keys": { "pk": { "S": partition }, "sk": { "S": "1" } } } });
        assert!(matches(&pattern, &record("INSERT", "T#1#MAIL")));
        assert!(!matches(&pattern, &record("INSERT", "T#1#USER")));
        assert!(!matches(&pattern, &record("MODIFY", "T#1#MAIL")));
        assert!(!matches(&pattern, &json!({})));
    }

    #[test]
    fn values_are_matched_exactly() {
        let record = json!({ "text": "a", "number": 1, "nothing": null, "flag": true, "list": ["x", "y"] });
        for pattern in [
            json!({ "text": ["a"] }),
            json!({ "text": ["b", "a"] }),
            json!({ "number": [1.0] }),
            json!({ "nothing": [null] }),
            json!({ "flag": [true] }),
            json!({ "list": ["y"] }),
            json!({ "text": ["a"], "number": [1] }),
        ] {
            assert!(matches(&pattern, &record), "{pattern}");
        }
        for pattern in [
            json!({ "text": ["A"] }),
            json!({ "number": ["1"] }),
            json!({ "missing": [null] }),
            json!({ "list": ["z"] }),
            json!({ "text": ["a"], "number": [2] }),
        ] {
            assert!(!matches(&pattern, &record), "{pattern}");
        }
    }

    #[test]
    fn operators_match_as_on_lambda() {
        let record = json!({ "text": "abc", "number": 1, "object": { "S": "x" } });
        for pattern in [
            json!({ "text": [{ "prefix": "ab" }] }),
            json!({ "text": [{ "suffix": "bc" }] }),
            json!({ "text": [{ "exists": true }] }),
            json!({ "missing": [{ "exists": false }] }),
            json!({ "missing": { "S": [{ "exists": false }] } }),
            json!({ "object": [{ "exists": false }] }),
            json!({ "text": [{ "anything-but": "a" }] }),
            json!({ "text": [{ "anything-but": ["a", "b"] }] }),
            json!({ "number": [{ "anything-but": [2] }] }),
            json!({ "text": [{ "prefix": "x" }, { "suffix": "c" }] }),
        ] {
            assert!(matches(&pattern, &record), "{pattern}");
        }
        for pattern in [
            json!({ "text": [{ "prefix": "bc" }] }),
            json!({ "text": [{ "suffix": "ab" }] }),
            json!({ "number": [{ "prefix": "1" }] }),
            json!({ "text": [{ "exists": false }] }),
            json!({ "missing": [{ "exists": true }] }),
            json!({ "text": [{ "anything-but": ["abc"] }] }),
            json!({ "number": [{ "anything-but": 1 }] }),
            json!({ "missing": [{ "anything-but": ["abc"] }] }),
        ] {
            assert!(!matches(&pattern, &record), "{pattern}");
        }
    }

    #[test]
    fn record_must_match_one_of_the_patterns_if_any() {
        let filter = Filter::parse(&[json!({ "a": [1] }), json!({ "b": [2] })]).unwrap();
        assert!(filter.matches(&json!({ "b": 2 })));
        assert!(!filter.matches(&json!({ "a": 2, "b": 1 })));
        assert!(Filter::parse(&[]).unwrap().matches(&json!({})));
    }

    #[test]
    fn unsupported_pattern_is_an_error() {
        for pattern in [
            json!({}),
            json!([]),
            json!("INSERT"),
            json!({ "eventName": "INSERT" }),
            json!({ "eventName": [] }),
            json!({ "eventName": [["INSERT"]] }),
            json!({ "eventName": [{ "equals-ignore-case": "insert" }] }),
            json!({ "dynamodb": { "SizeBytes": [{ "numeric": [">", 1] }] } }),
            json!({ "eventName": [{ "prefix": "IN", "suffix": "T" }] }),
            json!({ "eventName": [{ "prefix": 1 }] }),
            json!({ "eventName": [{ "anything-but": { "prefix": "IN" } }] }),
            json!({ "$or": [{ "eventName": ["INSERT"] }] }),
        ] {
            assert!(Filter::parse(std::slice::from_ref(&pattern)).is_err(), "{pattern}");
        }
    }
}
