use std::fmt;
use std::str::FromStr;

use deserr::{Deserr, IntoValue, Value, ValueKind, ValuePointerRef};
use serde::{Deserialize, Serialize};

use crate::value::{InvalidValue, Name, ValidationErrors};

/// A given or family name, which may be empty: at most 200 characters.
///
/// `null` and blank text are the empty name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonName(String);

impl PersonName {
    /// The name; empty if it is absent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Name> for PersonName {
    fn from(name: Name) -> Self {
        Self(name.to_string())
    }
}

impl FromStr for PersonName {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        match raw.parse::<Name>() {
            Ok(name) => Ok(name.into()),
            Err(invalid) if invalid.code() == "empty" => Ok(Self::default()),
            Err(invalid) => Err(invalid),
        }
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Deserr<ValidationErrors> for PersonName {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        match value.kind() {
            ValueKind::Null => Ok(Self::default()),
            _ => crate::value::parse_string(value, location),
        }
    }
}

impl utoipa::PartialSchema for PersonName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        let schema = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String);
        schema.description(Some("May be empty.")).max_length(Some(200)).into()
    }
}

impl utoipa::ToSchema for PersonName {
    fn name() -> std::borrow::Cow<'static, str> {
        "PersonName".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn blank_name_and_null_are_the_empty_name() {
        for blank in [json!(null), json!(""), json!(" \t"), json!("\u{200b}")] {
            let name: PersonName = deserr::deserialize::<_, _, ValidationErrors>(blank).unwrap();
            assert!(name.is_empty());
        }
        assert_eq!(" Zoe\u{308} ".parse::<PersonName>().unwrap().as_str(), "Zo\u{eb}");
        for (bad, code) in [("x".repeat(201), "too_long"), ("a\u{7}".to_owned(), "control_character")] {
            assert_eq!(bad.parse::<PersonName>().unwrap_err().code(), code);
        }
    }
}
