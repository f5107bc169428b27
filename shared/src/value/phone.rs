use std::fmt;
use std::str::FromStr;

use phonenumber::country::Source;
use phonenumber::{Mode, PhoneNumber};
use serde::{Deserialize, Serialize};

use crate::value::{Country, InvalidValue, string_value};

/// A telephone number in E.164 format: `+`, country code, number.
///
/// The first number that a process parses takes about 40 ms longer, because it loads the numbering plans. Loading
/// them at startup would slow down the cold starts of all processes, even those that never parse a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

impl Phone {
    /// Parses a number in international format, or in the national format of `country`.
    pub fn in_country(text: &str, country: Option<Country>) -> Result<Self, InvalidValue> {
        match (text.parse(), country) {
            (Ok(phone), _) => Ok(phone),
            (Err(_), Some(country)) => Self::dialed_in(country, text).ok_or(InvalidValue::new(
                INVALID,
                "must be a telephone number of the client's country, or one with its country code, such as +14155552671",
            )),
            (Err(_), None) => Err(InvalidValue::new(
                INVALID,
                "must be a telephone number with its country code, such as +14155552671, unless the client's country is set",
            )),
        }
    }

    fn dialed_in(country: Country, text: &str) -> Option<Self> {
        // A number with a plus has a country code. The parser converts letters to digits of the keypad, so that
        // a remark would become part of the number.
        if text.contains(|c: char| matches!(c, '+' | '\u{ff0b}') || c.is_alphabetic()) {
            return None;
        }
        // 00 is the international prefix that ITU-T recommends (E.164, 6.2). In countries with another prefix,
        // no number starts with 00.
        if let Some(rest) = text.trim_start_matches(is_not_digit).strip_prefix("00") {
            return format!("+{}", rest.trim_start_matches(is_not_digit)).parse().ok();
        }
        let number = phonenumber::parse(Some(country.numbering_plan()), text).ok()?;
        let has_international_prefix = number.country().source() == Source::Idd;
        let phone = Self::of(&number)?;
        // After an international prefix, the parser also strips this country's national prefix, which may
        // remove a digit of the number.
        (!has_international_prefix || text.replace(is_not_digit, "").ends_with(&phone.0[1..])).then_some(phone)
    }

    fn of(number: &PhoneNumber) -> Option<Self> {
        // E.164 has no extensions: an extension would be lost without an error.
        (phonenumber::is_valid(number) && number.extension().is_none())
            .then(|| Self(number.format().mode(Mode::E164).to_string()))
    }
}

const INVALID: &str = "invalid_phone";

const fn is_not_digit(c: char) -> bool {
    !c.is_ascii_digit()
}

impl FromStr for Phone {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        phonenumber::parse(None, raw.trim())
            .ok()
            .and_then(|number| Self::of(&number))
            .ok_or(InvalidValue::new(INVALID, "must be a telephone number with its country code, such as +14155552671"))
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_value!([] Phone, "Phone", |schema| schema.examples([serde_json::json!("+14155552671")]));

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn number_is_kept_in_e164() {
        let phone: Phone = "+1 (415) 555-2671".parse().unwrap();
        assert_eq!(phone, Phone("+14155552671".to_owned()));
    }

    #[test]
    fn number_without_country_code_is_rejected() {
        for bad in ["", "415 555 2671", "+1", "+999 1234 5678", "phone", "+1 415 555 2671 ext. 5"] {
            assert!(bad.parse::<Phone>().is_err(), "{bad}");
        }
    }

    fn parse(country: &str, text: &str) -> Option<String> {
        Phone::in_country(text, country.parse().ok()).map(|phone| phone.to_string()).ok()
    }

    #[test]
    fn national_number_is_parsed_by_the_rules_of_its_country() {
        for (country, text, e164) in [
            ("FR", "01 42 68 53 00", "+33142685300"),
            ("FR", "00 33 1 42 68 53 00", "+33142685300"),
            ("FR", " +1 415 555 2671", "+14155552671"),
            ("US", "(415) 555-2671", "+14155552671"),
            ("US", "1-415-555-2671", "+14155552671"),
            ("US", "011 44 20 7946 0958", "+442079460958"),
            ("US", "(00) 44 (0)20 7946 0958", "+442079460958"),
            ("GB", "020 7946 0958", "+442079460958"),
            ("IT", "02 1234 5678", "+390212345678"),
            ("RU", "8 (495) 123-45-67", "+74951234567"),
            ("IN", "098765 43210", "+919876543210"),
            ("AG", "464 1234", "+12684641234"),
            ("AR", "011 15-2345-6789", "+5491123456789"),
        ] {
            assert_eq!(parse(country, text).as_deref(), Some(e164), "{text} in {country}");
        }
    }

    #[test]
    fn ambiguous_number_is_rejected() {
        for (country, text) in [
            ("", "01 42 68 53 00"),
            ("", "0033 1 42 68 53 00"),
            ("FR", "01 42 68 53"),
            ("FR", "01 42 68 53 00 / 06 12 34 56 78"),
            ("DE", "030 901820 mob"),
            ("DE", "030 901820 #12"),
            ("DE", "+030 901820"),
            ("US", "011 44 1632 960001"),
            ("ID", "0062 1 234"),
        ] {
            assert_eq!(parse(country, text), None, "{text} in {country}");
        }
    }

    proptest! {
        #[test]
        fn parsed_number_is_valid_e164(text in "([-+0-9 ()/#;.]|\\PC|tel:){0,24}", first in "[A-Z]", second in "[A-Z]") {
            if let Some(phone) = parse(&format!("{first}{second}"), &text) {
                prop_assert_eq!(phone.parse::<Phone>().unwrap().to_string(), phone);
            }
        }

        #[test]
        fn international_number_is_the_same_in_every_country(first in "[A-Z]", second in "[A-Z]") {
            let code = format!("{first}{second}");
            prop_assert_eq!(parse(&code, "+44 20 7946 0958"), Some("+442079460958".to_owned()));
            prop_assert!(code.parse::<Country>().is_err() || parse(&code, "0044 20 7946 0958").is_some());
        }
    }
}
