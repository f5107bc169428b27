use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::identity::{AgencyId, ClientId, ClientScope, TenantId};
use crate::table::{Meta, Versioned};
use crate::value::{Instant, InvalidValue, WebDomain};
use crate::web::{ErrorCode, Problem, Result};

/// The key that identifies the client of a widget.
///
/// `wk_` and 32 hexadecimal digits. It is public, because it is part of the client's web pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WidgetKey(String);

impl WidgetKey {
    /// A new key, of 122 random bits.
    pub fn random() -> Self {
        Self(format!("wk_{}", Uuid::new_v4().simple()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WidgetKey {
    type Err = NoWidgetKey;

    fn from_str(text: &str) -> Result<Self, NoWidgetKey> {
        let digits = text.strip_prefix("wk_").ok_or(NoWidgetKey)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 32 && digits.bytes().all(is_digit) { Ok(Self(text.to_owned())) } else { Err(NoWidgetKey) }
    }
}

/// A text is not a widget key.
#[derive(Debug, thiserror::Error)]
#[error("not a widget key")]
pub struct NoWidgetKey;

impl fmt::Display for WidgetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The base URL of the widgets' script, pages and API, without a slash at the end.
#[derive(Clone, Debug)]
pub struct WidgetsUrl(Arc<str>);

impl WidgetsUrl {
    /// A base URL; slashes at its end are removed.
    pub fn new(url: &str) -> Self {
        Self(url.trim_end_matches('/').into())
    }

    /// The origin of the URL, as browsers send it: scheme, host, and the port unless it is the scheme's default.
    pub fn origin(&self) -> String {
        Url::parse(&self.0).map_or_else(|_| self.0.to_string(), |url| url.origin().ascii_serialization())
    }
}

impl fmt::Display for WidgetsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The widget key of a client, and all of the client's domains.
///
/// The domains are also separate items; here they are together, so that [`WidgetPointer`] can be written from
/// this item.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Widget {
    /// The valid key.
    pub key: WidgetKey,
    /// The client's domains.
    pub domains: Vec<WebDomain>,
    /// The version and the times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The client of a widget key, and the domains where the key works.
///
/// One item decides whether a request of a widget is allowed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WidgetPointer {
    /// The client's tenant.
    pub tenant_id: TenantId,
    /// The client's agency.
    pub agency_id: AgencyId,
    /// The client.
    pub client_id: ClientId,
    /// The client's domains.
    pub domains: Vec<WebDomain>,
}

/// The largest number of domains of a client.
///
/// An item with 50 domains of usual length is below 2 KB.
const MAX_DOMAINS: usize = 50;

impl Versioned for Widget {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl Widget {
    /// The widget of a new client.
    pub fn new(now: Instant) -> Self {
        Self { key: WidgetKey::random(), domains: Vec::new(), meta: Meta::created(now) }
    }

    /// The widget with another key.
    #[must_use]
    pub fn rotated(&self, now: Instant) -> Self {
        Self { key: WidgetKey::random(), domains: self.domains.clone(), meta: self.meta.changed(now) }
    }

    /// The widget with one domain added, replaced or removed.
    ///
    /// `before` is removed and `after` is added. Fails with `409 domain_taken` if the client already has
    /// `after`, and with `409 too_many_domains` if it already has 50 domains.
    pub fn with_domain(&self, before: Option<&WebDomain>, after: Option<&WebDomain>, now: Instant) -> Result<Self> {
        let mut domains: Vec<_> = self.domains.iter().filter(|domain| Some(*domain) != before).cloned().collect();
        if let Some(after) = after {
            if domains.contains(after) {
                let taken = Problem::new(ErrorCode::DomainTaken, "The client already has this domain.");
                return Err(taken.at("/domain", InvalidValue::new("taken", "is already a domain of the client")));
            }
            if domains.len() == MAX_DOMAINS {
                return Err(Problem::new(ErrorCode::TooManyDomains, "A client has at most 50 domains."));
            }
            domains.push(after.clone());
        }
        Ok(Self { key: self.key.clone(), domains, meta: self.meta.changed(now) })
    }

    /// The pointer from the key to the client.
    pub fn pointer(&self, client: ClientScope) -> WidgetPointer {
        let agency = client.agency();
        WidgetPointer {
            tenant_id: agency.tenant().id(),
            agency_id: agency.id(),
            client_id: client.id(),
            domains: self.domains.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Instant {
        "2026-03-08T06:30:00Z".parse().unwrap()
    }

    fn domain(text: &str) -> WebDomain {
        text.parse().unwrap()
    }

    #[test]
    fn domain_is_added_replaced_and_removed() {
        let (a, b) = (domain("a.example.com"), domain("b.example.com"));
        let one = Widget::new(now()).with_domain(None, Some(&a), now()).unwrap();
        let moved = one.with_domain(Some(&a), Some(&b), now()).unwrap();
        assert_eq!((&one.domains, &moved.domains), (&vec![a.clone()], &vec![b.clone()]));
        assert_eq!(moved.with_domain(Some(&b), None, now()).unwrap().domains, []);
        assert_eq!(one.with_domain(Some(&a), Some(&a), now()).unwrap().domains, vec![a.clone()], "replaced by itself");
        assert_eq!(one.with_domain(None, Some(&a), now()).unwrap_err().code(), "domain_taken");
        assert_eq!(moved.meta.version, 3);
    }

    #[test]
    fn domain_beyond_the_limit_is_rejected() {
        let mut widget = Widget::new(now());
        for n in 0..MAX_DOMAINS {
            widget = widget.with_domain(None, Some(&domain(&format!("{n}.example.com"))), now()).unwrap();
        }
        let extra = widget.with_domain(None, Some(&domain("x.example.com")), now());
        assert_eq!(extra.unwrap_err().code(), "too_many_domains");
    }

    #[test]
    fn rotation_replaces_the_key_and_keeps_the_domains() {
        let widget = Widget::new(now()).with_domain(None, Some(&domain("a.example.com")), now()).unwrap();
        let rotated = widget.rotated(now());
        assert_ne!(rotated.key, widget.key);
        assert_eq!(rotated.domains, widget.domains);
    }
}
