use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
        idna::domain_to_ascii_strict(raw.trim())
            .ok()
            .filter(|host| host.contains('.') && !host.ends_with('.') && host.parse::<std::net::Ipv4Addr>().is_err())
            .map(Self)
            .ok_or(InvalidValue::new("invalid_host", "must be a host name, such as northwind.example"))
    }
}

string_value!([] Host, "Host", |schema| schema.examples([serde_json::json!("northwind.example")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_kept_in_ascii_and_lower_case() {
        assert_eq!("Bücher.Example".parse::<Host>().unwrap(), Host("xn--bcher-kva.example".to_owned()));
    }

    #[test]
    fn anything_else_than_a_host_name_is_rejected() {
        let long = format!("{}.example", "a".repeat(64));
        for bad in
            ["", "localhost", "a b.example", "https://a.example", "a.example:80", "127.0.0.1", "a..example", &long]
        {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}
