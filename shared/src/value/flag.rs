use std::str::FromStr;

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};
use utoipa::{PartialSchema, ToSchema};

use super::{Rejected, parsed_value};

/// A query parameter that is set or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(bool);

impl Flag {
    /// Whether it is set.
    pub const fn is_set(self) -> bool {
        self.0
    }
}

impl FromStr for Flag {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        text.parse().map(Self).map_err(|_| Rejected::new("invalid_flag", "must be true or false"))
    }
}

parsed_value!([] Flag);

impl PartialSchema for Flag {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

impl ToSchema for Flag {
    fn name() -> std::borrow::Cow<'static, str> {
        "Flag".into()
    }
}
