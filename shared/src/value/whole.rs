use deserr::{Deserr, IntoValue, Value, ValuePointerRef, take_cf_content};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{InvalidValue, ValidationErrors};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoundedInt<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> BoundedInt<MIN, MAX> {
    /// The least of them.
    pub const LEAST: Self = Self(MIN);

    /// This number, if it is one of them.
    pub const fn new(number: u32) -> Option<Self> {
        if MIN <= number && number <= MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> Deserr<ValidationErrors> for BoundedInt<MIN, MAX> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        let number = match value {
            Value::Integer(number) => u32::try_from(number).ok().and_then(Self::new),
            _ => None,
        };
        number.ok_or_else(|| {
            let why = InvalidValue::with("out_of_range", format!("must be a whole number from {MIN} to {MAX}"));
            take_cf_content(<ValidationErrors as deserr::MergeWithError<InvalidValue>>::merge(None, why, location))
        })
    }
}

impl<const MIN: u32, const MAX: u32> PartialSchema for BoundedInt<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(MIN)).maximum(Some(MAX)).into()
    }
}

impl<const MIN: u32, const MAX: u32> ToSchema for BoundedInt<MIN, MAX> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("From{MIN}To{MAX}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_number_is_within_its_bounds_and_nothing_else() {
        let read =
            |value| deserr::deserialize::<BoundedInt<1, 1440>, _, ValidationErrors>(value).map(BoundedInt::get).ok();
        assert_eq!((read(json!(1)), read(json!(1440))), (Some(1), Some(1440)));
        for no in [json!(0), json!(1441), json!(-1), json!(30.5), json!("30"), json!(null), json!(4_294_967_297_u64)] {
            assert_eq!(read(no.clone()), None, "{no}");
        }
    }
}
