use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{BoundedInt, ValidationErrors};

/// A percentage: an integer from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(BoundedInt<0, 100>);

impl Percent {
    /// The percentage, if it is at most 100.
    pub const fn new(percent: u32) -> Option<Self> {
        match BoundedInt::new(percent) {
            Some(percent) => Some(Self(percent)),
            None => None,
        }
    }

    /// The percentage, from 0 to 100.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl Default for Percent {
    fn default() -> Self {
        Self(BoundedInt::LEAST)
    }
}

impl Deserr<ValidationErrors> for Percent {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        BoundedInt::deserialize_from_value(value, location).map(Self)
    }
}

impl PartialSchema for Percent {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(100))
            .examples([serde_json::json!(50)])
            .into()
    }
}

impl ToSchema for Percent {
    fn name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }
}
