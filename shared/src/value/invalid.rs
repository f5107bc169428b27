//! What is wrong with a request, field by field (RFC 9457's `errors` extension, RFC 6901 pointers).

use std::borrow::Cow;
use std::ops::ControlFlow;

use deserr::{DeserializeError, ErrorKind, IntoValue, MergeWithError, ValueKind, ValuePointerRef};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a text is not a value of its type: a stable code and a sentence that completes «this field …».
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    code: &'static str,
    detail: Cow<'static, str>,
}

impl InvalidValue {
    /// `code` is part of the API; `detail` never repeats what the caller sent.
    pub const fn new(code: &'static str, detail: &'static str) -> Self {
        Self { code, detail: Cow::Borrowed(detail) }
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The same with a sentence that is made up at run time.
    pub const fn with(code: &'static str, detail: String) -> Self {
        Self { code, detail: Cow::Owned(detail) }
    }
}

/// One field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the request body; for a query parameter, `/` and its name.
    #[schema(example = "/email")]
    pub pointer: String,
    /// Stable, for programs.
    #[schema(example = "invalid_email")]
    pub code: Cow<'static, str>,
    /// For people.
    #[schema(example = "must be an email address")]
    pub detail: Cow<'static, str>,
}

/// The fields of a request that are at fault: all of them, or the first hundred. Never empty.
#[derive(Debug)]
pub struct ValidationErrors(Vec<FieldError>);

/// A body of 1 MiB has room for hundreds of thousands of faults. Nobody reads so many, and an answer has its limit too.
const MAX_FAULTS: usize = 100;

/// The same goes for a member that is no field: so many characters of its name are enough to find it.
const MAX_NAME: usize = 100;

/// The code of a member that is no field.
const UNKNOWN: &str = "unknown_field";

impl ValidationErrors {
    /// One field, named by its pointer.
    pub fn field(pointer: impl Into<String>, rejected: InvalidValue) -> Self {
        Self(vec![FieldError { pointer: pointer.into(), code: Cow::Borrowed(rejected.code), detail: rejected.detail }])
    }

    /// The faults of both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.truncate(MAX_FAULTS);
        self
    }

    /// The same of a query, whose members are called parameters.
    #[must_use]
    pub(crate) fn of_parameters(mut self) -> Self {
        for field in self.0.iter_mut().filter(|field| field.code == UNKNOWN) {
            *field = FieldError {
                pointer: std::mem::take(&mut field.pointer),
                code: Cow::Borrowed("unknown_parameter"),
                detail: Cow::Borrowed("is not a parameter here"),
            };
        }
        self
    }

    /// The fields, in the order in which they were found.
    pub fn into_fields(self) -> Vec<FieldError> {
        self.0
    }
}

impl MergeWithError<Self> for ValidationErrors {
    fn merge(earlier: Option<Self>, other: Self, _: ValuePointerRef) -> ControlFlow<Self, Self> {
        let faults = match earlier {
            Some(earlier) => earlier.and(other),
            None => other,
        };
        if faults.0.len() < MAX_FAULTS { ControlFlow::Continue(faults) } else { ControlFlow::Break(faults) }
    }
}

impl MergeWithError<InvalidValue> for ValidationErrors {
    fn merge(earlier: Option<Self>, why: InvalidValue, at: ValuePointerRef) -> ControlFlow<Self, Self> {
        Self::merge(earlier, Self::field(pointer(at), why), at)
    }
}

impl DeserializeError for ValidationErrors {
    fn error<V: IntoValue>(earlier: Option<Self>, error: ErrorKind<V>, at: ValuePointerRef) -> ControlFlow<Self, Self> {
        let (at_fault, why) = match error {
            ErrorKind::MissingField { field } => {
                (pointer(at.push_key(field)), InvalidValue::new("required", "is required"))
            }
            ErrorKind::UnknownKey { key, accepted } => {
                (pointer(at.push_key(key)), InvalidValue::with(UNKNOWN, known(accepted)))
            }
            ErrorKind::UnknownValue { accepted, .. } => {
                let one_of = format!("must be one of {}", accepted.join(", "));
                (pointer(at), InvalidValue::with("invalid_value", one_of))
            }
            ErrorKind::IncorrectValueKind { accepted, .. } => {
                (pointer(at), InvalidValue::with("wrong_type", format!("must be {}", named(accepted))))
            }
            ErrorKind::BadSequenceLen { expected, .. } => {
                (pointer(at), InvalidValue::with("wrong_length", format!("must have {expected} elements")))
            }
            ErrorKind::Unexpected { msg } => (pointer(at), InvalidValue::with("invalid_value", msg)),
        };
        Self::merge(earlier, Self::field(at_fault, why), at)
    }
}

/// The kinds of JSON values by JSON's own names.
fn named(kinds: &[ValueKind]) -> String {
    let mut names: Vec<&str> = kinds
        .iter()
        .map(|kind| match kind {
            ValueKind::Null => "null",
            ValueKind::Boolean => "a boolean",
            ValueKind::Integer | ValueKind::NegativeInteger | ValueKind::Float => "a number",
            ValueKind::String => "a string",
            ValueKind::Sequence => "an array",
            ValueKind::Map => "an object",
        })
        .collect();
    names.dedup();
    names.join(" or ")
}

fn known(fields: &[&str]) -> String {
    match fields {
        [] => "is not a field here; none is".to_owned(),
        fields => format!("is not a field here; these are: {}", fields.join(", ")),
    }
}

/// RFC 6901.
fn pointer(at: ValuePointerRef) -> String {
    match at {
        ValuePointerRef::Origin => String::new(),
        ValuePointerRef::Key { key, prev } => pointer(*prev) + &member(key),
        ValuePointerRef::Index { index, prev } => format!("{}/{index}", pointer(*prev)),
    }
}

/// The last part of the pointer to a member.
pub(crate) fn member(name: &str) -> String {
    let name: String = name.chars().take(MAX_NAME).collect();
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Email, Name};
    use deserr::Deserr;
    use serde_json::json;

    #[derive(Debug, Deserr)]
    #[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
    struct Person {
        #[allow(dead_code, reason = "only its errors are looked at")]
        first_name: Name,
        #[allow(dead_code, reason = "only its errors are looked at")]
        emails: Vec<Email>,
    }

    #[test]
    fn every_field_at_fault_is_named_at_once() {
        let body = json!({ "firstName": 7, "emails": ["a@example.com", "no"], "a/b": null });
        let invalid = deserr::deserialize::<Person, _, ValidationErrors>(body).unwrap_err();
        let mut found: Vec<_> = invalid.into_fields().into_iter().map(|e| (e.pointer, e.code)).collect();
        found.sort();
        let expected = [("/a~1b", "unknown_field"), ("/emails/1", "invalid_email"), ("/firstName", "wrong_type")];
        assert_eq!(found, expected.map(|(p, c)| (p.to_owned(), Cow::from(c))));
    }

    #[test]
    fn a_flood_of_faults_is_cut_off() {
        let emails = vec!["no"; 10_000];
        let invalid = deserr::deserialize::<Person, _, ValidationErrors>(json!({ "firstName": "A", "emails": emails }))
            .unwrap_err();
        assert_eq!(invalid.into_fields().len(), MAX_FAULTS);
        let long = json!({ "firstName": "A", "emails": [], "x".repeat(10_000): 1 });
        let invalid = deserr::deserialize::<Person, _, ValidationErrors>(long).unwrap_err();
        assert_eq!(invalid.into_fields()[0].pointer, format!("/{}", "x".repeat(MAX_NAME)));
    }

    #[test]
    fn a_missing_field_is_named_by_its_own_pointer() {
        let invalid = deserr::deserialize::<Person, _, ValidationErrors>(json!({ "emails": [] })).unwrap_err();
        assert_eq!(invalid.into_fields()[0].pointer, "/firstName");
    }
}
