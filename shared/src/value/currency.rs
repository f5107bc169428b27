use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{InvalidValue, string_value};

/// A currency by its ISO 4217 code, such as `EUR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The default currency of a client.
    pub const USD: Self = Self(iso_currency::Currency::USD);

    /// The ISO 4217 code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The number of decimals of the minor unit, such as 2 for cents.
    pub fn decimals(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl FromStr for Currency {
    type Err = InvalidValue;

    fn from_str(code: &str) -> Result<Self, InvalidValue> {
        // Codes without a minor unit are metals, funds and test codes.
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or(InvalidValue::new("invalid_currency", "must be an ISO 4217 code, such as USD"))
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        iso_currency::Currency::from_code(&code)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not an ISO 4217 code"))
    }
}

string_value!([] Currency, "Currency", |schema| schema.min_length(Some(3)).max_length(Some(3)).examples([serde_json::json!("USD")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_currencies_with_a_minor_unit_are_accepted() {
        assert_eq!(["EUR", "JPY", "KWD"].map(|code| code.parse().map(Currency::decimals)), [Ok(2), Ok(0), Ok(3)]);
        for code in ["", "eur", "EURO", "XAU", "XTS"] {
            assert_eq!(code.parse::<Currency>().unwrap_err().code(), "invalid_currency", "{code}");
        }
    }
}
