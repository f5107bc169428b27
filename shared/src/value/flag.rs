use std::str::FromStr;

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};
use utoipa::{PartialSchema, ToSchema};

use super::{InvalidValue, parsed_value};

/// A query parameter that is set or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryBool(bool);

impl QueryBool {
    /// Whether it is set.
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

impl PartialSchema for QueryBool {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

impl ToSchema for QueryBool {
    fn name() -> std::borrow::Cow<'static, str> {
        "Flag".into()
    }
}
