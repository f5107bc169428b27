use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::{InvalidValue, ValidationErrors};

/// An integer from `MIN` to `MAX`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoundedInt<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> BoundedInt<MIN, MAX> {
    /// The lower bound.
    pub const LEAST: Self = Self(MIN);

    /// The integer, if it is within the bounds.
    pub const fn new(number: u32) -> Option<Self> {
        if MIN <= number && number <= MAX { Some(Self(number)) } else { None }
    }

    /// The integer, clamped to the bounds.
    pub fn saturating(number: usize) -> Self {
        Self(u32::try_from(number).unwrap_or(u32::MAX).clamp(MIN, MAX))
    }

    /// The integer.
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
            Value::Integer(number) => u32::try_from(number).ok(),
            // JSON has one number type: 278.0 is the integer 278 (RFC 8259, 6).
            Value::Float(number) if number.fract() == 0.0 => number.to_u32(),
            _ => None,
        };
        number.and_then(Self::new).ok_or_else(|| {
            let why = InvalidValue::with("out_of_range", format!("must be an integer from {MIN} to {MAX}"));
            ValidationErrors::at(location, why)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Minutes = BoundedInt<1, 1440>;

    fn parse(value: serde_json::Value) -> Result<u32, String> {
        let parsed = deserr::deserialize::<Minutes, _, ValidationErrors>(value);
        parsed.map(Minutes::get).map_err(|errors| errors.into_fields()[0].detail.clone().into_owned())
    }

    #[test]
    fn integer_within_the_bounds_is_accepted() {
        for (value, number) in
            [(json!(1), 1), (json!(1440), 1440), (json!(278.0), 278), (serde_json::from_str("1.44e3").unwrap(), 1440)]
        {
            assert_eq!(parse(value.clone()), Ok(number), "{value}");
        }
        let zero = deserr::deserialize::<BoundedInt<0, 9>, _, ValidationErrors>(json!(-0.0)).unwrap();
        assert_eq!(zero.get(), 0);
    }

    #[test]
    fn every_other_value_is_rejected_with_the_bounds() {
        for value in [
            json!(0),
            json!(1441),
            json!(-1),
            json!(-1.0),
            json!(278.5),
            json!(1441.0),
            json!(1e300),
            json!("30"),
            json!(null),
            json!(true),
            json!(4_294_967_297_u64),
        ] {
            assert_eq!(parse(value.clone()), Err("must be an integer from 1 to 1440".to_owned()), "{value}");
        }
    }

    #[test]
    fn saturating_moves_to_the_nearest_bound() {
        assert_eq!([0, 1, 7, 1441, usize::MAX].map(|number| Minutes::saturating(number).get()), [1, 1, 7, 1440, 1440]);
    }
}
