use std::str::FromStr;

use phonenumber::Mode;
use serde::{Deserialize, Serialize};

use super::{Rejected, string_value};

/// A telephone number in E.164: `+`, country code, number.
///
/// The first one that a process reads waits some 40 ms for the numbering plans of the world. Reading them at start-up would have
/// every cold start wait instead, also of those that see no number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

impl FromStr for Phone {
    type Err = Rejected;

    fn from_str(raw: &str) -> Result<Self, Rejected> {
        phonenumber::parse(None, raw.trim())
            .ok()
            .filter(phonenumber::is_valid)
            // E.164 has no place for one: it would be lost in silence.
            .filter(|number| number.extension().is_none())
            .map(|number| Self(number.format().mode(Mode::E164).to_string()))
            .ok_or(Rejected::new(
                "invalid_phone",
                "must be a telephone number with its country code, such as +14155552671",
            ))
    }
}

string_value!([] Phone, "Phone", |schema| schema.examples([serde_json::json!("+14155552671")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_in_e164() {
        let phone: Phone = "+1 (415) 555-2671".parse().unwrap();
        assert_eq!(phone, Phone("+14155552671".to_owned()));
        for bad in ["", "415 555 2671", "+1", "+999 1234 5678", "phone", "+1 415 555 2671 ext. 5"] {
            assert!(bad.parse::<Phone>().is_err(), "{bad}");
        }
    }
}
