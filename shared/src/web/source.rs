//! The network address of a caller.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use aws_lc_rs::constant_time;
use axum::extract::FromRequestParts;
use lambda_http::http::HeaderMap;
use lambda_http::http::request::Parts;
use lambda_http::request::RequestContext;

use super::{App, Problem, Result};
use crate::identity::DataKey;

/// The caller's network address as API Gateway saw it, which no header can forge.
///
/// Behind a distribution of `CloudFront`, which proves itself with a secret header, it is the address that `CloudFront` has
/// appended to `X-Forwarded-For`, before the one that API Gateway appends.
///
/// Only the first 64 bits of an IPv6 address are used, because one subscriber usually has a whole /64 network.
#[derive(Clone, Debug)]
pub struct Source(String);

impl FromRequestParts<App> for Source {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let address = match parts.extensions.get() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        let forwarded = forwarded_address(&parts.headers, app.config().origin_secret.as_deref());
        Ok(Self(forwarded.or(address).map(network).unwrap_or_default()))
    }
}

impl Source {
    /// A keyed hash, which is stored instead of the address.
    pub fn pseudonym(&self, app: &App) -> Result<String> {
        Ok(app.hasher(DataKey::Users, "tries")?.hash(&format!("source {self}")))
    }
}

/// The address that a distribution with the secret has seen.
fn forwarded_address(headers: &HeaderMap, secret: Option<&str>) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let sent = text("x-origin-secret")?;
    constant_time::verify_slices_are_equal(sent.as_bytes(), secret?.as_bytes()).ok()?;
    text("x-forwarded-for")?.rsplit(',').nth(1).map(|address| address.trim().to_owned())
}

fn network(address: String) -> String {
    match address.parse() {
        Ok(IpAddr::V6(v6)) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).to_string(),
        _ => address,
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_address_is_trusted_with_the_secret_alone() {
        let address = |sent: &str, secret: Option<&str>| {
            let headers = [("x-origin-secret", sent), ("x-forwarded-for", "192.0.2.9, 203.0.113.7, 198.51.100.1")];
            let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            forwarded_address(&HeaderMap::from_iter(headers), secret)
        };
        assert_eq!(address("secret", Some("secret")).as_deref(), Some("203.0.113.7"));
        assert_eq!(address("guess", Some("secret")), None);
        assert_eq!(address("", None), None);
        assert_eq!(forwarded_address(&HeaderMap::new(), Some("secret")), None);
    }

    #[test]
    fn ipv6_addresses_of_one_network_are_one_source() {
        let network = |address: &str| network(address.to_owned());
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
    }
}
