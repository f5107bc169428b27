use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::characters::trim;
use crate::value::{InvalidValue, string_value};

/// A host name of at least two labels, such as `xn--bcher-kva.example`.
///
/// In lower case and ASCII (IDNA 2008, UTS 46).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Host(String);

impl Host {
    /// The host name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Host {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        idna::domain_to_ascii_strict(trim(raw))
            .ok()
            .filter(|host| host.contains('.') && !host.ends_with('.') && !ends_in_a_number(host))
            .map(Self)
            .ok_or(InvalidValue::new("invalid_host", "must be a host name, such as northwind.example"))
    }
}

/// Whether a browser reads the host as an IPv4 address or refuses it.
///
/// The WHATWG URL standard does so if the last label is a decimal or hexadecimal number.
fn ends_in_a_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    is_hexadecimal || last.chars().all(|c| c.is_ascii_digit())
}

string_value!([] Host, "Host", |schema| schema.examples([serde_json::json!("northwind.example")]));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn host_is_kept_in_ascii_and_lower_case() {
        assert_eq!("Bücher.Example".parse::<Host>().unwrap(), Host("xn--bcher-kva.example".to_owned()));
    }

    #[test]
    fn anything_else_than_a_host_name_is_rejected() {
        let long = format!("{}.example", "a".repeat(64));
        for bad in
            ["", "localhost", "a b.example", "https://a.example", "a.example:80", "a..example", &long, "a.example."]
        {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }

    #[test]
    fn host_that_browsers_read_as_an_address_is_rejected() {
        for bad in ["127.0.0.1", "127.1", "0x7f.1", "1.2.3.0x4", "a.0x", "example.127", "1.2.3.4.5", "１２７.１"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
        assert!("0x7f.example".parse::<Host>().is_ok() && "127.1.example".parse::<Host>().is_ok());
    }

    proptest! {
        #[test]
        fn labels_have_letters_digits_and_hyphens_only(text in ".{1,12}\\.[a-z]{2,3}") {
            if let Ok(Host(host)) = text.parse() {
                for label in host.split('.') {
                    prop_assert!(!label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-'), "{host}");
                    prop_assert!(label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{host}");
                }
            }
        }
    }
}
