use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host as UrlHost, Url};

use crate::value::characters::trim;
use crate::value::{Host, InvalidValue, string_value};

/// An `https` URL with a host name, such as `https://cdn.example.com/logo.svg`.
///
/// Normalized as a browser does it (WHATWG URL standard); without a user name or a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HttpsUrl(String);

/// The maximum length, in bytes.
const MAX: usize = 2048;

impl FromStr for HttpsUrl {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let text = trim(raw);
        if text.len() > MAX {
            return Err(InvalidValue::with("too_long", format!("must be at most {MAX} bytes long")));
        }
        let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && has_plain_host(url));
        let url = url.map(String::from).filter(|url| url.len() <= MAX);
        url.map(Self)
            .ok_or(InvalidValue::new("invalid_url", "must be an https URL, such as https://www.example.com/logo.svg"))
    }
}

/// Whether the URL has a host name, and neither a user name nor a password.
fn has_plain_host(url: &Url) -> bool {
    let is_host = matches!(url.host(), Some(UrlHost::Domain(host)) if host.parse::<Host>().is_ok());
    is_host && url.username().is_empty() && url.password().is_none()
}

string_value!([] HttpsUrl, "HttpsUrl", |schema| schema
    .description(Some("`https` URL."))
    .format(Some(utoipa::openapi::SchemaFormat::Custom("uri".to_owned())))
    .max_length(Some(MAX))
    .examples([serde_json::json!("https://www.example.com/logo.svg")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_kept_as_a_browser_reads_it() {
        for (raw, normalized) in [
            ("https://www.example.com/logo.svg", "https://www.example.com/logo.svg"),
            (" HTTPS://Bücher.Example ", "https://xn--bcher-kva.example/"),
            ("https://cdn.example.com:8443/a b.png?v=1#x", "https://cdn.example.com:8443/a%20b.png?v=1#x"),
        ] {
            assert_eq!(raw.parse::<HttpsUrl>().unwrap(), HttpsUrl(normalized.to_owned()), "{raw}");
        }
    }

    #[test]
    fn url_of_another_scheme_or_without_a_host_name_is_rejected() {
        for bad in [
            "",
            "logo.svg",
            "//example.com/a",
            "http://example.com/a",
            "javascript:alert(1)",
            "data:image/png,x",
            "https://localhost/a",
            "https://127.0.0.1/a",
            "https://[::1]/a",
            "https://ada@example.com/",
            "https://ada:x@example.com/",
            "https://",
            "https://exa mple.com/",
        ] {
            assert_eq!(bad.parse::<HttpsUrl>().unwrap_err().code(), "invalid_url", "{bad}");
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX));
        assert_eq!(long.parse::<HttpsUrl>().unwrap_err().code(), "too_long");
    }
}
