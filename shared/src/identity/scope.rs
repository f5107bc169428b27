//! Scopes: the part of the tree tenant › agency › client in which a request acts.
//!
//! The fields of a scope are private, and only the layer `identity` makes a root scope, from evidence. All
//! other code can only narrow a scope that it has, so a key made from a scope is always inside of it.

use std::fmt;

use crate::value::{AgencyId, ClientId, Id, TenantId};

/// The ids of a scope's tenant, agency and client, for tokens and logs.
pub type ScopeIds = (Option<TenantId>, Option<AgencyId>, Option<ClientId>);

/// The whole platform, for an `ADMIN` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformScope(());

/// The prefix of the platform's keys.
pub(crate) const PLATFORM_PREFIX: &str = "PLATFORM#";

/// One tenant with its agencies and their clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantScope {
    tenant: TenantId,
}

/// One agency with its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AgencyScope {
    parent: TenantScope,
    agency: AgencyId,
}

/// One client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientScope {
    parent: AgencyScope,
    client: ClientId,
}

/// The home of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeScope {
    /// The home of an `ADMIN`.
    Platform(PlatformScope),
    /// The home of an `AGENCY_ADMIN` or `AGENCY_USER`.
    Agency(AgencyScope),
    /// The home of a `CLIENT_ADMIN` or `CLIENT_USER`.
    Client(ClientScope),
}

impl PlatformScope {
    /// The platform. Callers need evidence that the user may access it.
    pub(crate) const fn root() -> Self {
        Self(())
    }

    /// Narrows to one tenant.
    pub const fn tenant(self, tenant: TenantId) -> TenantScope {
        TenantScope { tenant }
    }
}

impl TenantScope {
    /// The tenant's id.
    pub const fn id(self) -> TenantId {
        self.tenant
    }

    /// Narrows to one of the tenant's agencies.
    pub const fn agency(self, agency: AgencyId) -> AgencyScope {
        AgencyScope { parent: self, agency }
    }
}

impl AgencyScope {
    /// The agency's id.
    pub const fn id(self) -> AgencyId {
        self.agency
    }

    /// The tenant that the agency belongs to.
    pub(crate) const fn tenant(self) -> TenantScope {
        self.parent
    }

    /// Narrows to one of the agency's clients.
    pub const fn client(self, client: ClientId) -> ClientScope {
        ClientScope { parent: self, client }
    }
}

impl ClientScope {
    /// The client's id.
    pub const fn id(self) -> ClientId {
        self.client
    }

    /// The agency that the client belongs to.
    pub(crate) const fn agency(self) -> AgencyScope {
        self.parent
    }

    /// The key prefixes of the homes of users with access to this client.
    ///
    /// These are the platform, the agency and the client.
    pub(crate) fn home_prefixes(self) -> [String; 3] {
        [PLATFORM_PREFIX.to_owned(), self.agency().to_string(), self.to_string()]
    }

    /// The client with this key prefix; `None` for any other text.
    ///
    /// For an item that triggered a function, which then acts in the client of that item.
    pub(crate) fn of_prefix(prefix: &str) -> Option<Self> {
        let mut parts = prefix.split('#');
        let mut id = |label| parts.next().filter(|part| *part == label).and(parts.next());
        let (tenant, agency, client) = (id("T")?, id("A")?, id("C")?);
        let tenant = TenantScope { tenant: Id::from_key(tenant)? };
        let scope = tenant.agency(Id::from_key(agency)?).client(Id::from_key(client)?);
        (scope.to_string() == prefix).then_some(scope)
    }

    /// The client of a partition key; `None` if the key is not in a client.
    pub(crate) fn of_key(partition_key: &str) -> Option<Self> {
        Self::of_prefix(partition_key.get(..Self::PREFIX_LENGTH)?)
    }

    /// The length of a client's prefix: three labels and ids, each followed by `#`.
    const PREFIX_LENGTH: usize = 3 * (2 + 26 + 1);
}

impl HomeScope {
    /// The ids of the home's tenant, agency and client, if it has them.
    pub const fn ids(self) -> ScopeIds {
        match self {
            Self::Platform(_) => (None, None, None),
            Self::Agency(agency) => (Some(agency.tenant().id()), Some(agency.id()), None),
            Self::Client(client) => {
                let agency = client.agency();
                (Some(agency.tenant().id()), Some(agency.id()), Some(client.id()))
            }
        }
    }
}

impl From<PlatformScope> for HomeScope {
    fn from(scope: PlatformScope) -> Self {
        Self::Platform(scope)
    }
}

impl From<AgencyScope> for HomeScope {
    fn from(scope: AgencyScope) -> Self {
        Self::Agency(scope)
    }
}

impl From<ClientScope> for HomeScope {
    fn from(scope: ClientScope) -> Self {
        Self::Client(scope)
    }
}

// `Display` writes the prefix of every key in the scope. All ids have the same length and each prefix ends in
// `#`, so the prefix of a scope is the beginning of another only if that scope is its descendant.

impl fmt::Display for PlatformScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLATFORM_PREFIX)
    }
}

impl fmt::Display for TenantScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T#{}#", self.tenant.to_key())
    }
}

impl fmt::Display for AgencyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}A#{}#", self.parent, self.agency.to_key())
    }
}

impl fmt::Display for ClientScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}C#{}#", self.parent, self.client.to_key())
    }
}

impl fmt::Display for HomeScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform(scope) => scope.fmt(f),
            Self::Agency(scope) => scope.fmt(f),
            Self::Client(scope) => scope.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Id;

    #[test]
    fn only_the_exact_prefix_of_a_client_is_parsed() {
        let id = |n| uuid::Uuid::from_u128(n);
        let tenant = PlatformScope::root().tenant(Id::from_uuid(id(1)));
        let client = tenant.agency(Id::from_uuid(id(2))).client(Id::from_uuid(id(3)));
        assert_eq!(ClientScope::of_prefix(&client.to_string()), Some(client));
        let agency = client.agency().to_string();
        for other in
            ["", "PLATFORM#", &agency, &format!("{client}X"), &format!("{agency}C#x#"), &client.to_string()[1..]]
        {
            assert_eq!(ClientScope::of_prefix(other), None, "{other}");
        }
    }
}
