//! The network address of a caller.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use axum::extract::FromRequestParts;
use lambda_http::http::request::Parts;
use lambda_http::request::RequestContext;

use super::{App, Problem, Result};
use crate::identity::DataKey;

/// The caller's network address as API Gateway saw it, which no header can forge.
///
/// Only the first 64 bits of an IPv6 address are used, because one subscriber usually has a whole /64 network.
#[derive(Clone, Debug)]
pub struct Source(String);

impl FromRequestParts<App> for Source {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let address = match parts.extensions.get() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        Ok(Self(address.map(network).unwrap_or_default()))
    }
}

impl Source {
    /// A keyed hash, which is stored instead of the address.
    pub fn pseudonym(&self, app: &App) -> Result<String> {
        Ok(app.hasher(DataKey::Users, "tries")?.hash(&format!("source {self}")))
    }
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
    fn ipv6_addresses_of_one_network_are_one_source() {
        let network = |address: &str| network(address.to_owned());
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
    }
}
