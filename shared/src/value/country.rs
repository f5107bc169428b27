use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::characters::trim;
use crate::value::{InvalidValue, string_value};

/// A country by its ISO 3166-1 alpha-2 code, such as `FR`.
///
/// Only countries with a numbering plan are accepted, because countries are used to parse telephone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Country(phonenumber::country::Id);

impl Country {
    /// The country as the key of its numbering plan, for parsing telephone numbers.
    pub(super) const fn numbering_plan(self) -> phonenumber::country::Id {
        self.0
    }
}

impl FromStr for Country {
    type Err = InvalidValue;

    fn from_str(code: &str) -> Result<Self, InvalidValue> {
        trim(code)
            .to_ascii_uppercase()
            .parse()
            .map(Self)
            .map_err(|_| InvalidValue::new("invalid_country", "must be an ISO 3166-1 alpha-2 code, such as FR"))
    }
}

string_value!([] Country, "Country", |schema| schema
    .description(Some("ISO 3166-1 alpha-2."))
    .min_length(Some(2))
    .max_length(Some(2))
    .examples([serde_json::json!("FR")]));

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn country_is_an_iso_3166_code() {
        for (raw, code) in [("FR", "FR"), ("fr", "FR"), (" gB ", "GB"), ("XK", "XK")] {
            let country: Country = raw.parse().unwrap();
            assert_eq!(json!(country), json!(code));
            assert_eq!(serde_json::from_value::<Country>(json!(code)).unwrap(), country);
        }
        for bad in ["", "F", "FRA", "France", "UK", "ZZ", "EU", "00", "ＦＲ"] {
            assert_eq!(bad.parse::<Country>().unwrap_err().code(), "invalid_country", "{bad}");
        }
    }
}
