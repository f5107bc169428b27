//! Enums with named variants, in requests and in the OpenAPI document.

use std::str::FromStr;

use deserr::{Deserr, ErrorKind, IntoValue, Value, ValuePointerRef, take_cf_content};
use strum::VariantNames;

use super::ValidationErrors;

/// Parses a JSON string into a variant; the error lists the accepted names.
pub(crate) fn parse_name<T, V>(value: Value<V>, location: ValuePointerRef) -> Result<T, ValidationErrors>
where
    T: FromStr + VariantNames,
    V: IntoValue,
{
    let name = String::deserialize_from_value(value, location)?;
    name.parse().map_err(|_| {
        let kind = ErrorKind::UnknownValue { value: &name, accepted: T::VARIANTS };
        take_cf_content(deserr::DeserializeError::error::<V>(None, kind, location))
    })
}

/// Implements [`Deserr`] for an enum with named variants.
///
/// The enum must derive `strum`'s `EnumString` and `VariantNames`.
///
/// The `serialize_all` of `strum` must be the same case as the `rename_all` of `serde`, which the OpenAPI schema
/// uses: `assert_names_agree` checks this in a test.
macro_rules! enum_value {
    ($type:ty) => {
        impl deserr::Deserr<$crate::value::ValidationErrors> for $type {
            fn deserialize_from_value<V: deserr::IntoValue>(
                value: deserr::Value<V>,
                location: deserr::ValuePointerRef,
            ) -> std::result::Result<Self, $crate::value::ValidationErrors> {
                $crate::value::parse_name(value, location)
            }
        }
    };
}
pub(crate) use enum_value;

/// Asserts that requests, JSON and the OpenAPI schema use the same names.
#[cfg(test)]
pub(crate) fn assert_names_agree<T>()
where
    T: VariantNames + Deserr<ValidationErrors> + serde::Serialize + utoipa::PartialSchema,
{
    let names = serde_json::json!(T::VARIANTS);
    assert_eq!(serde_json::to_value(T::schema()).unwrap()["enum"], names);
    for name in T::VARIANTS {
        let parsed: T = deserr::deserialize::<_, _, ValidationErrors>(serde_json::json!(name)).unwrap();
        assert_eq!(serde_json::to_value(parsed).unwrap(), *name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, utoipa::ToSchema, strum::EnumString, strum::VariantNames)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    #[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
    enum Color {
        Red,
        DarkBlue,
    }

    enum_value!(Color);

    #[test]
    fn variant_is_parsed_by_its_exact_name() {
        assert_names_agree::<Color>();
        assert_eq!(deserr::deserialize::<Color, _, ValidationErrors>(json!("DARK_BLUE")).unwrap(), Color::DarkBlue);
        for name in ["dark_blue", "DarkBlue", " RED", ""] {
            assert!(deserr::deserialize::<Color, _, ValidationErrors>(json!(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn unknown_name_is_rejected_with_the_accepted_names() {
        for (value, code, detail) in [
            (json!("GREEN"), "invalid_value", "must be one of RED, DARK_BLUE"),
            (json!(1), "wrong_type", "must be a string"),
        ] {
            let errors = deserr::deserialize::<Color, _, ValidationErrors>(value).unwrap_err().into_fields();
            assert_eq!((&*errors[0].code, &*errors[0].detail), (code, detail));
        }
    }
}
