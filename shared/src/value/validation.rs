//! Invalid fields of a request (RFC 9457's `errors` extension, RFC 6901 pointers).

use std::borrow::Cow;
use std::ops::ControlFlow;

use deserr::{DeserializeError, ErrorKind, IntoValue, MergeWithError, ValueKind, ValuePointerRef};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a value is invalid: a stable code and a detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    code: &'static str,
    detail: Cow<'static, str>,
}

impl InvalidValue {
    /// An error with a fixed detail, which completes «this field …».
    ///
    /// `code` is part of the API. `detail` never repeats what the caller sent.
    pub const fn new(code: &'static str, detail: &'static str) -> Self {
        Self { code, detail: Cow::Borrowed(detail) }
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// An error with a detail that is composed at run time.
    pub const fn with(code: &'static str, detail: String) -> Self {
        Self { code, detail: Cow::Owned(detail) }
    }
}

/// An invalid field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the body, or `/` and the name of a query parameter.
    #[schema(example = "/email")]
    pub pointer: String,
    /// Stable error code, for programs.
    #[schema(example = "invalid_email")]
    pub code: Cow<'static, str>,
    /// Explanation for people; completes «this field …».
    #[schema(example = "must be an email address")]
    pub detail: Cow<'static, str>,
}

/// The invalid fields of a request: all of them, or the first hundred. Never empty.
#[derive(Debug)]
pub struct ValidationErrors(Vec<FieldError>);

/// The maximum number of errors that are reported.
///
/// A body of 1 MiB can have hundreds of thousands of errors, which would exceed the size limit of a response.
const MAX_ERRORS: usize = 100;

/// The maximum length of an unknown field's name in a pointer, in characters.
///
/// Limits the size of a response; long enough to identify the field.
const MAX_NAME: usize = 100;

/// The code of an unknown field.
const UNKNOWN_FIELD: &str = "unknown_field";

impl ValidationErrors {
    /// The error of one field, by its pointer.
    pub fn field(pointer: impl Into<String>, error: InvalidValue) -> Self {
        Self(vec![FieldError { pointer: pointer.into(), code: Cow::Borrowed(error.code), detail: error.detail }])
    }

    /// The error of one field, by its location in the parsed document.
    pub(crate) fn at(location: ValuePointerRef, error: InvalidValue) -> Self {
        Self::field(pointer(location), error)
    }

    /// The errors of this and `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.truncate(MAX_ERRORS);
        self
    }

    /// Converts errors of fields into errors of query parameters.
    #[must_use]
    pub(crate) fn of_parameters(mut self) -> Self {
        for field in self.0.iter_mut().filter(|field| field.code == UNKNOWN_FIELD) {
            *field = FieldError {
                pointer: std::mem::take(&mut field.pointer),
                code: Cow::Borrowed("unknown_parameter"),
                detail: Cow::Borrowed("is an unknown parameter"),
            };
        }
        self
    }

    /// The invalid fields, in the order in which they were found.
    pub fn into_fields(self) -> Vec<FieldError> {
        self.0
    }
}

impl MergeWithError<Self> for ValidationErrors {
    fn merge(earlier: Option<Self>, other: Self, _: ValuePointerRef) -> ControlFlow<Self, Self> {
        let errors = match earlier {
            Some(earlier) => earlier.and(other),
            None => other,
        };
        if errors.0.len() < MAX_ERRORS { ControlFlow::Continue(errors) } else { ControlFlow::Break(errors) }
    }
}

impl MergeWithError<InvalidValue> for ValidationErrors {
    fn merge(earlier: Option<Self>, error: InvalidValue, location: ValuePointerRef) -> ControlFlow<Self, Self> {
        Self::merge(earlier, Self::at(location, error), location)
    }
}

impl DeserializeError for ValidationErrors {
    fn error<V: IntoValue>(
        earlier: Option<Self>,
        error: ErrorKind<V>,
        location: ValuePointerRef,
    ) -> ControlFlow<Self, Self> {
        let error = match error {
            ErrorKind::MissingField { field } => {
                Self::at(location.push_key(field), InvalidValue::new("required", "is required"))
            }
            ErrorKind::UnknownKey { key, accepted } => {
                Self::at(location.push_key(key), InvalidValue::with(UNKNOWN_FIELD, unknown_field(accepted)))
            }
            ErrorKind::UnknownValue { accepted, .. } => {
                let detail = format!("must be one of {}", accepted.join(", "));
                Self::at(location, InvalidValue::with("invalid_value", detail))
            }
            ErrorKind::IncorrectValueKind { accepted, .. } => {
                let detail = format!("must be {}", json_types(accepted));
                Self::at(location, InvalidValue::with("wrong_type", detail))
            }
            ErrorKind::BadSequenceLen { expected, .. } => {
                let detail = format!("must have {expected} elements");
                Self::at(location, InvalidValue::with("wrong_length", detail))
            }
            ErrorKind::Unexpected { msg } => Self::at(location, InvalidValue::with("invalid_value", msg)),
        };
        Self::merge(earlier, error, location)
    }
}

/// The types of JSON values by their JSON names.
fn json_types(kinds: &[ValueKind]) -> String {
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

fn unknown_field(accepted: &[&str]) -> String {
    match accepted {
        [] => "is unknown: no field is accepted here".to_owned(),
        names => format!("is unknown: the accepted fields are {}", names.join(", ")),
    }
}

/// The JSON Pointer of a location (RFC 6901).
fn pointer(location: ValuePointerRef) -> String {
    match location {
        ValuePointerRef::Origin => String::new(),
        ValuePointerRef::Key { key, prev } => pointer(*prev) + &member(key),
        ValuePointerRef::Index { index, prev } => format!("{}/{index}", pointer(*prev)),
    }
}

/// The last part of the JSON Pointer of an object's member.
pub(crate) fn member(name: &str) -> String {
    let name: String = name.chars().take(MAX_NAME).collect();
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use deserr::Deserr;
    use serde_json::json;

    use super::*;
    use crate::value::{Email, Name};

    #[derive(Debug, Deserr)]
    #[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
    struct Person {
        #[allow(dead_code, reason = "only its errors are looked at")]
        first_name: Name,
        #[allow(dead_code, reason = "only its errors are looked at")]
        emails: Vec<Email>,
    }

    fn errors(body: serde_json::Value) -> Vec<FieldError> {
        deserr::deserialize::<Person, _, ValidationErrors>(body).unwrap_err().into_fields()
    }

    #[test]
    fn every_invalid_field_is_reported() {
        let body = json!({ "firstName": 7, "emails": ["a@example.com", "no"], "a/b": null });
        let mut found: Vec<_> = errors(body).into_iter().map(|error| (error.pointer, error.code)).collect();
        found.sort();
        let expected = [("/a~1b", "unknown_field"), ("/emails/1", "invalid_email"), ("/firstName", "wrong_type")];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), Cow::from(code))));
    }

    #[test]
    fn errors_are_limited_to_one_hundred() {
        let emails = vec!["no"; 10_000];
        assert_eq!(errors(json!({ "firstName": "A", "emails": emails })).len(), MAX_ERRORS);
    }

    #[test]
    fn name_of_an_unknown_field_is_cut() {
        let errors = errors(json!({ "firstName": "A", "emails": [], "x".repeat(10_000): 1 }));
        assert_eq!(errors[0].pointer, format!("/{}", "x".repeat(MAX_NAME)));
        assert_eq!(errors[0].detail, "is unknown: the accepted fields are firstName, emails");
    }

    #[test]
    fn missing_field_is_reported_at_its_own_pointer() {
        assert_eq!(errors(json!({ "emails": [] }))[0].pointer, "/firstName");
    }
}
