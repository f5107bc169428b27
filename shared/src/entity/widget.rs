use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Meta;
use crate::auth::{AgencyId, ClientId, ClientScope, TenantId};
use crate::value::{Instant, InvalidValue, WebDomain};
use crate::{Problem, Result};

/// What a client's widgets say who they are by: `wk_` and 32 hexadecimal digits. Public, as it stands in the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WidgetKey(String);

impl WidgetKey {
    /// A new one, which nobody guesses: 122 random bits.
    pub fn random() -> Self {
        Self(format!("wk_{}", Uuid::new_v4().simple()))
    }
}

impl fmt::Display for WidgetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A client's widgets: their key, and where they work. What its domains say in rows of their own is here in one place, so that
/// [`WidgetPlace`] can be written from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Widget {
    /// The key that is good now.
    pub key: WidgetKey,
    /// The client's domains.
    pub domains: Vec<WebDomain>,
    /// Its version and its times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// Whose a widget key is, and where it works: all that decides on a request of a widget, in one row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WidgetPlace {
    /// The client's tenant.
    pub tenant_id: TenantId,
    /// The client's agency.
    pub agency_id: AgencyId,
    /// The client.
    pub client_id: ClientId,
    /// The client's domains.
    pub domains: Vec<WebDomain>,
}

/// A row with 50 domains of usual length is below 2 KB.
const MAX_DOMAINS: usize = 50;

impl Widget {
    /// Of a client that is created now.
    pub fn new(now: Instant) -> Self {
        Self { key: WidgetKey::random(), domains: Vec::new(), meta: Meta::created(now) }
    }

    /// The same with another key.
    #[must_use]
    pub fn rotated(&self, now: Instant) -> Self {
        Self { key: WidgetKey::random(), domains: self.domains.clone(), meta: self.meta.changed(now) }
    }

    /// The same with another domain in the place of one, or with one more, or with one less.
    pub fn with_domain(&self, before: Option<&WebDomain>, after: Option<&WebDomain>, now: Instant) -> Result<Self> {
        let mut domains: Vec<_> = self.domains.iter().filter(|domain| Some(*domain) != before).cloned().collect();
        if let Some(after) = after {
            if domains.contains(after) {
                let taken = Problem::conflict("domain_taken", "The client has this domain already.");
                return Err(taken.at("/domain", InvalidValue::new("taken", "is one of the client's already")));
            }
            if domains.len() == MAX_DOMAINS {
                return Err(Problem::conflict("too_many_domains", "A client has at most 50 domains."));
            }
            domains.push(after.clone());
        }
        Ok(Self { key: self.key.clone(), domains, meta: self.meta.changed(now) })
    }

    /// Whose the key is, and where it works.
    pub fn place(&self, client: ClientScope) -> WidgetPlace {
        let agency = client.agency();
        WidgetPlace {
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
    fn a_domain_comes_moves_and_goes() {
        let (a, b) = (domain("a.example.com"), domain("b.example.com"));
        let one = Widget::new(now()).with_domain(None, Some(&a), now()).unwrap();
        let moved = one.with_domain(Some(&a), Some(&b), now()).unwrap();
        assert_eq!((&one.domains, &moved.domains), (&vec![a.clone()], &vec![b.clone()]));
        assert_eq!(moved.with_domain(Some(&b), None, now()).unwrap().domains, []);
        assert_eq!(one.with_domain(Some(&a), Some(&a), now()).unwrap().domains, vec![a.clone()], "the same again");
        assert_eq!(one.with_domain(None, Some(&a), now()).unwrap_err().code(), "domain_taken");
        assert_eq!(moved.meta.version, 3);
    }

    #[test]
    fn there_is_an_end_to_domains() {
        let mut widget = Widget::new(now());
        for n in 0..MAX_DOMAINS {
            widget = widget.with_domain(None, Some(&domain(&format!("{n}.example.com"))), now()).unwrap();
        }
        let one_more = widget.with_domain(None, Some(&domain("x.example.com")), now());
        assert_eq!(one_more.unwrap_err().code(), "too_many_domains");
    }

    #[test]
    fn a_rotated_key_is_another_for_the_same_domains() {
        let widget = Widget::new(now()).with_domain(None, Some(&domain("a.example.com")), now()).unwrap();
        let rotated = widget.rotated(now());
        assert_ne!(rotated.key, widget.key);
        assert_eq!(rotated.domains, widget.domains);
    }
}
