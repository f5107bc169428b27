use std::str::FromStr;

use super::{InvalidValue, parsed_value};

/// A boolean query parameter: `true` or `false`, and `false` if absent.
///
/// The type has no schema: describe a parameter with
/// `#[param(value_type = bool, required = false, default = false)]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryBool(bool);

impl QueryBool {
    /// Whether the parameter is `true`.
    pub const fn is_set(self) -> bool {
        self.0
    }
}

impl FromStr for QueryBool {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map(Self).map_err(|_| InvalidValue::new("invalid_flag", "must be true or false"))
    }
}

parsed_value!([] QueryBool);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::IntoParams;
    use utoipa::openapi::path::ParameterIn;

    use super::*;

    #[test]
    fn only_true_and_false_are_accepted() {
        assert_eq!(["true", "false"].map(|text| text.parse().map(QueryBool::is_set)), [Ok(true), Ok(false)]);
        for text in ["", "TRUE", "1", "yes", " true"] {
            assert_eq!(text.parse::<QueryBool>().unwrap_err().code(), "invalid_flag", "{text}");
        }
    }

    #[test]
    fn parameter_is_described_as_a_boolean() {
        #[derive(IntoParams)]
        struct Query {
            #[allow(dead_code, reason = "only its description is used")]
            #[param(value_type = bool, required = false, default = false)]
            explain: QueryBool,
        }

        let parameters = Query::into_params(|| Some(ParameterIn::Query));
        let described = serde_json::to_value(&parameters[0]).unwrap();
        assert_eq!(described["schema"], json!({ "type": "boolean", "default": false }));
        assert_eq!(described["required"], false);
    }
}
