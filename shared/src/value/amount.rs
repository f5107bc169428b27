use deserr::{DeserializeError, Deserr, ErrorKind, IntoValue, Value, ValueKind, ValuePointerRef, take_cf_content};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::value::{Currency, InvalidValue, ValidationErrors};

/// An exact amount of money: a decimal number of at most 15 digits.
///
/// Every JSON parser reads 15 decimal digits without loss: a conversion to binary64 and back preserves them
/// (IEEE 754, `DBL_DIG`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(Decimal);

const MAX_DIGITS: usize = 15;

impl Amount {
    /// The amount, if it has at most 15 digits.
    pub fn new(amount: Decimal) -> Option<Self> {
        let amount = amount.normalize();
        let digits = amount.mantissa().unsigned_abs().to_string().len();
        (digits <= MAX_DIGITS).then_some(Self(amount))
    }

    /// The amount in the smallest unit of a currency, such as cents.
    ///
    /// `None` if the amount has more decimals than the currency.
    pub fn in_minor_units(self, currency: Currency) -> Option<i128> {
        let missing_decimals = currency.decimals().checked_sub(self.0.scale())?;
        Some(self.0.mantissa() * 10_i128.pow(missing_decimals))
    }

    /// Checks that the amount is a valid price in a currency.
    ///
    /// A price is not below zero and has at most the decimals of its currency.
    pub fn fits(self, currency: Currency) -> Result<(), InvalidValue> {
        if self.0.is_sign_negative() {
            return Err(InvalidValue::new("out_of_range", "must not be below zero"));
        }
        let decimals = currency.decimals();
        let too_many = || InvalidValue::with("too_many_decimals", format!("must have at most {decimals} decimals"));
        self.in_minor_units(currency).map(drop).ok_or_else(too_many)
    }

    /// The amount as a decimal number, for arithmetic.
    pub const fn to_decimal(self) -> Decimal {
        self.0
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0.scale(), self.0.to_i64(), self.0.to_f64()) {
            (0, Some(integer), _) => serializer.serialize_i64(integer),
            (_, _, Some(number)) => serializer.serialize_f64(number),
            _ => Err(serde::ser::Error::custom("an amount with too many digits")),
        }
    }
}

impl Deserr<ValidationErrors> for Amount {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        let decimal = match value {
            Value::Integer(number) => Some(Decimal::from(number)),
            Value::NegativeInteger(number) => Some(Decimal::from(number)),
            // The shortest decimal that parses to this number is the text of the request.
            Value::Float(number) => number.to_string().parse().ok(),
            actual => {
                let kind = ErrorKind::IncorrectValueKind { actual, accepted: &[ValueKind::Float] };
                return Err(take_cf_content(ValidationErrors::error::<V>(None, kind, location)));
            }
        };
        let too_many = InvalidValue::new("too_many_digits", "must have at most 15 digits");
        decimal.and_then(Self::new).ok_or_else(|| ValidationErrors::at(location, too_many))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The shortest decimal that parses to this number is the stored text.
        let number = f64::deserialize(deserializer)?;
        let amount = number.to_string().parse().ok().and_then(Self::new);
        amount.ok_or_else(|| de::Error::custom("not an amount of at most 15 digits"))
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Number).examples([serde_json::json!(199.99)]).into()
    }
}

impl ToSchema for Amount {
    fn name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn amount_survives_serialization(mantissa in -999_999_999_999_999..=999_999_999_999_999_i64, scale in 0..=4_u32) {
            let amount = Amount::new(Decimal::new(mantissa, scale)).unwrap();
            let text = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(&text.parse::<Decimal>().unwrap_or(Decimal::MAX), &amount.0, "{}", text);
            prop_assert_eq!(serde_json::from_str::<Amount>(&text).unwrap(), amount);
        }
    }

    #[test]
    fn amount_with_sixteen_digits_is_rejected() {
        assert!(Amount::new(Decimal::new(1_000_000_000_000_001, 0)).is_none());
        assert_eq!(serde_json::to_string(&Amount::new(Decimal::new(10, 2)).unwrap()).unwrap(), "0.1");
    }
}
