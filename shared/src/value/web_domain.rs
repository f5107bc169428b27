use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Host, InvalidValue, string_value};

/// Where a website is: a host such as `shop.example.com`, all hosts below one (`*.example.com`, without that one itself), or
/// `localhost`. In lower case and ASCII (IDNA). Never a public suffix, under which strangers have names of their own
/// ([Public Suffix List](https://publicsuffix.org)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebDomain(String);

/// The one host without a dot that a browser takes for itself (RFC 6761, 6.3).
const LOCALHOST: &str = "localhost";

impl FromStr for WebDomain {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let text = raw.trim();
        if text.eq_ignore_ascii_case(LOCALHOST) {
            return Ok(Self(LOCALHOST.to_owned()));
        }
        let (star, host) = text.strip_prefix("*.").map_or(("", text), |host| ("*.", host));
        let host: Host = match host.parse() {
            Ok(host) => host,
            Err(_) if is_top_level(host) => return Err(public_suffix()),
            Err(_) => {
                let detail = "must be a host name such as shop.example.com, or *.example.com for all below it";
                return Err(InvalidValue::new("invalid_domain", detail));
            }
        };
        let below = format!("a.{}", host.as_str());
        if is_public_suffix(host.as_str()) || (!star.is_empty() && is_public_suffix(&below)) {
            return Err(public_suffix());
        }
        Ok(Self(format!("{star}{}", host.as_str())))
    }
}

/// Whether it is a host but for its one label, such as `com`.
fn is_top_level(label: &str) -> bool {
    !label.contains('.') && format!("a.{label}").parse::<Host>().is_ok()
}

fn is_public_suffix(host: &str) -> bool {
    psl::domain_str(host).is_none()
}

fn public_suffix() -> InvalidValue {
    InvalidValue::new("public_suffix", "must not be a public suffix, such as com or co.uk")
}

impl fmt::Display for WebDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_value!([] WebDomain, "WebDomain", |schema| schema
    .description(Some("A host, `*.` and a host for all below it, or `localhost`."))
    .examples([serde_json::json!("shop.example.com")]));

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, &'static str> {
        text.parse::<WebDomain>().map(|domain| domain.to_string()).map_err(|rejected| rejected.code())
    }

    #[test]
    fn a_domain_has_one_spelling() {
        for (typed, kept) in [
            ("Shop.Example.com", "shop.example.com"),
            (" *.example.com ", "*.example.com"),
            ("*.Bücher.example", "*.xn--bcher-kva.example"),
            ("shop.github.io", "shop.github.io"),
            ("example.co.uk", "example.co.uk"),
            ("kawasaki.jp", "kawasaki.jp"),
            ("*.city.kawasaki.jp", "*.city.kawasaki.jp"),
            ("LocalHost", "localhost"),
        ] {
            assert_eq!(read(typed).as_deref(), Ok(kept), "{typed}");
        }
    }

    #[test]
    fn what_strangers_share_is_refused() {
        for suffix in [
            "com",
            "co.uk",
            "*.co.uk",
            "*.com",
            "github.io",
            "公司.cn",
            "xn--55qx5d.cn",
            "*.s3.amazonaws.com",
            // Whatever stands before it is a public suffix.
            "*.kawasaki.jp",
            "*.compute.amazonaws.com",
        ] {
            assert_eq!(read(suffix), Err("public_suffix"), "{suffix}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            "*",
            "*.",
            "*.*.example.com",
            "shop.*.com",
            "https://example.com",
            "example.com:80",
            "example.com/a",
            "a b.example.com",
            "127.0.0.1",
            "[::1]",
            "*.localhost",
            "example.com.",
            "-a.example.com",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
