use deserr::{Deserr, IntoValue, Value, ValuePointerRef, take_cf_content};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{InvalidValue, ValidationErrors};

/// A whole number of hundredths, 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(u8);

impl Percent {
    /// So many, at most 100.
    pub const fn new(percent: u8) -> Option<Self> {
        if percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// How many.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Deserr<ValidationErrors> for Percent {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        let percent = match value {
            Value::Integer(number) => u8::try_from(number).ok().and_then(Self::new),
            _ => None,
        };
        percent.ok_or_else(|| {
            let why = InvalidValue::new("out_of_range", "must be a whole number from 0 to 100");
            take_cf_content(<ValidationErrors as deserr::MergeWithError<InvalidValue>>::merge(None, why, location))
        })
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
