//! Which pages may use a widget.

use url::Url;

use crate::value::WebDomain;

/// The decision on the origin of a request (RFC 6454).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginDecision {
    /// The origin is that of the widget API, or its host is one of the client's domains.
    Allowed,
    /// The request has no origin: it is a navigation, or not from a browser.
    Absent,
    /// Any other origin.
    Denied,
}

/// Decides on the `Origin` of a request.
///
/// A registration is one of a host: it includes all ports of the host, and both `http` and `https`, because test and
/// development sites use them. The host must be the registered one exactly, as browsers write it: in lower case, in ASCII,
/// without a dot at its end. `own` is the origin of the widget API, which serves the hosted pages.
pub fn decide_origin(origin: Option<&str>, own: &str, domains: &[WebDomain]) -> OriginDecision {
    let Some(origin) = origin else { return OriginDecision::Absent };
    let is_registered = host_of(origin).is_some_and(|host| domains.iter().any(|domain| domain.contains(&host)));
    if origin == own || is_registered { OriginDecision::Allowed } else { OriginDecision::Denied }
}

/// The host of an origin; `None` for `null`, another scheme, or a text that a browser would not send.
fn host_of(origin: &str) -> Option<String> {
    let url = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_exact = url.origin().ascii_serialization() == origin;
    url.host_str().filter(|_| is_exact).map(str::to_owned)
}

/// The value of `frame-ancestors` (CSP level 3): the client's domains, with all ports as for origins.
pub fn frame_ancestors(domains: &[WebDomain]) -> String {
    let sources: Vec<_> = domains.iter().map(|domain| format!("{domain}:*")).collect();
    if sources.is_empty() { "'none'".to_owned() } else { sources.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::OriginDecision::{Absent, Allowed, Denied};
    use super::*;

    const OWN: &str = "https://widgets.upzento.example";

    fn decide(origin: &str, domains: &[&str]) -> OriginDecision {
        let domains: Vec<_> = domains.iter().map(|domain| domain.parse().unwrap()).collect();
        decide_origin(Some(origin), OWN, &domains)
    }

    #[test]
    fn registered_host_is_allowed_with_any_port_and_both_schemes() {
        for origin in
            ["https://example.com", "http://example.com", "https://example.com:8443", "http://example.com:3002"]
        {
            assert_eq!(decide(origin, &["example.com"]), Allowed, "{origin}");
        }
    }

    #[test]
    fn origin_of_another_host_is_denied() {
        for origin in [
            "https://evil-example.com",
            "https://example.com.evil.test",
            "https://www.example.com",
            "https://example.org",
            "https://xn--exmple-cua.com",
            "https://127.0.0.1",
            "http://localhost:3000",
        ] {
            assert_eq!(decide(origin, &["example.com"]), Denied, "{origin}");
        }
    }

    #[test]
    fn text_that_no_browser_sends_is_denied() {
        for origin in [
            "null",
            "",
            "example.com",
            "https://example.com.",
            "https://Example.com",
            "HTTPS://example.com",
            "https://example.com/",
            "https://example.com/a",
            "https://example.com:443",
            "http://example.com:80",
            "https://user@example.com",
            "https://example.com https://example.com",
            "https://example.com,https://evil.test",
            "ftp://example.com",
            "file://",
            "chrome-extension://abc",
            "https://ex\u{e4}mple.com",
        ] {
            assert_eq!(decide(origin, &["example.com", "ex\u{e4}mple.com"]), Denied, "{origin}");
        }
    }

    #[test]
    fn wildcard_allows_all_levels_below_and_not_the_domain_itself() {
        for (origin, decision) in [
            ("https://a.example.com", Allowed),
            ("https://a.b.example.com", Allowed),
            ("https://example.com", Denied),
            ("https://evil-example.com", Denied),
            ("https://.example.com", Denied),
        ] {
            assert_eq!(decide(origin, &["*.example.com"]), decision, "{origin}");
        }
    }

    #[test]
    fn international_domain_is_compared_in_ascii() {
        assert_eq!(decide("https://xn--bcher-kva.example", &["B\u{fc}cher.example"]), Allowed);
    }

    #[test]
    fn localhost_is_allowed_only_if_registered() {
        assert_eq!(decide("http://localhost:3002", &["example.com"]), Denied);
        assert_eq!(decide("http://localhost:3002", &["localhost"]), Allowed);
        assert_eq!(decide("http://a.localhost:3002", &["localhost"]), Denied);
    }

    #[test]
    fn own_origin_is_allowed_without_domains_and_only_exactly() {
        assert_eq!(decide(OWN, &[]), Allowed);
        assert_eq!(decide("https://widgets.upzento.example:8443", &[]), Denied);
        assert_eq!(decide_origin(None, OWN, &[]), Absent);
    }

    #[test]
    fn frames_are_allowed_on_the_domains_alone() {
        let domains = ["example.com", "*.example.org"].map(|domain| domain.parse().unwrap());
        assert_eq!(frame_ancestors(&domains), "example.com:* *.example.org:*");
        assert_eq!(frame_ancestors(&[]), "'none'");
    }
}
