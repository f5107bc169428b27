use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::characters::trim;
use crate::value::{Host, InvalidValue, string_value};

/// The domain of a website, such as `shop.example.com`.
///
/// A host, all hosts below a host (`*.example.com`, which does not include `example.com`), or `localhost`, in lower
/// case and ASCII (IDNA). A public suffix is rejected, because unrelated parties can register names below it
/// ([Public Suffix List](https://publicsuffix.org)), and so is a wildcard that contains one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebDomain(String);

impl WebDomain {
    /// The domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a host, in lower case and ASCII, is this domain, or below it if it is a wildcard.
    pub fn contains(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.0,
        }
    }
}

/// The only accepted host without a dot: the local machine (RFC 6761, 6.3).
const LOCALHOST: &str = "localhost";

impl FromStr for WebDomain {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let text = trim(raw);
        if text.eq_ignore_ascii_case(LOCALHOST) {
            return Ok(Self(LOCALHOST.to_owned()));
        }
        let (wildcard, host) = text.strip_prefix("*.").map_or(("", text), |host| ("*.", host));
        let host: Host = match host.parse() {
            Ok(host) => host,
            Err(_) if is_top_level(host) => return Err(public_suffix()),
            Err(_) => {
                let detail = "must be a host name, such as shop.example.com, or a wildcard, such as *.example.com";
                return Err(InvalidValue::new("invalid_domain", detail));
            }
        };
        if is_public_suffix(host.as_str()) || (!wildcard.is_empty() && has_suffixes_below(host.as_str())) {
            return Err(public_suffix());
        }
        Ok(Self(format!("{wildcard}{}", host.as_str())))
    }
}

/// Whether a label, such as `com`, could be a top-level domain.
fn is_top_level(label: &str) -> bool {
    !label.contains('.') && format!("a.{label}").parse::<Host>().is_ok()
}

fn is_public_suffix(host: &str) -> bool {
    psl::domain_str(host).is_none()
}

/// The registrable domains with public suffixes below them, one per line, sorted.
///
/// `infra/lint/platform-domains.py` derives the list from the Public Suffix List, and `make lint` checks it.
const PLATFORM_DOMAINS: &str = include_str!("platform_domains.txt");

/// Whether names below `host` can belong to unrelated parties.
fn has_suffixes_below(host: &str) -> bool {
    let registrable = psl::domain_str(host);
    let is_platform = registrable.is_some_and(|domain| PLATFORM_DOMAINS.lines().any(|platform| platform == domain));
    is_platform || is_public_suffix(&format!("a.{host}"))
}

fn public_suffix() -> InvalidValue {
    let detail =
        "must not be a public suffix, such as co.uk, nor a wildcard that contains one, such as *.amazonaws.com";
    InvalidValue::new("public_suffix", detail)
}

impl fmt::Display for WebDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_value!([] WebDomain, "WebDomain", |schema| schema
    .description(Some("A host, a wildcard for all hosts below one, or `localhost`."))
    .examples([serde_json::json!("shop.example.com")]));

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, &'static str> {
        text.parse::<WebDomain>().map(|domain| domain.to_string()).map_err(|error| error.code())
    }

    #[test]
    fn domain_is_kept_in_ascii_and_lower_case() {
        for (raw, domain) in [
            ("Shop.Example.com", "shop.example.com"),
            (" *.example.com ", "*.example.com"),
            ("*.Bücher.example", "*.xn--bcher-kva.example"),
            ("shop.github.io", "shop.github.io"),
            ("example.co.uk", "example.co.uk"),
            ("kawasaki.jp", "kawasaki.jp"),
            ("docs.amazonaws.com", "docs.amazonaws.com"),
            ("*.shop.s3.amazonaws.com", "*.shop.s3.amazonaws.com"),
            ("*.city.kawasaki.jp", "*.city.kawasaki.jp"),
            ("LocalHost", "localhost"),
        ] {
            assert_eq!(parse(raw).as_deref(), Ok(domain), "{raw}");
        }
    }

    #[test]
    fn public_suffix_is_rejected() {
        for suffix in [
            "com",
            "co.uk",
            "*.co.uk",
            "*.com",
            "github.io",
            "公司.cn",
            "xn--55qx5d.cn",
            "*.s3.amazonaws.com",
            // Every name directly below these is a public suffix.
            "*.kawasaki.jp",
            "*.compute.amazonaws.com",
            // Public suffixes lie below these.
            "*.amazonaws.com",
            "*.eu-west-1.amazonaws.com",
            "*.windows.net",
            "*.azure.com",
        ] {
            assert_eq!(parse(suffix), Err("public_suffix"), "{suffix}");
        }
    }

    #[test]
    fn anything_else_than_a_domain_is_rejected() {
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
            "127.1",
            "0x7f.1",
            "[::1]",
            "*.localhost",
            "example.com.",
            "-a.example.com",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
