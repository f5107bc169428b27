//! Scopes: the place in the tree tenant › agency › client in which a request acts.
//!
//! Their fields are private and their roots are made in this module's parent alone, from a verified token or a pointer that a
//! verified token led to. Everyone else can only narrow a scope that they hold: a key made from a scope lies inside it.

use std::fmt;

use crate::entity::{Agency, Client, Tenant};
use crate::value::Id;

/// A tenant's id.
pub type TenantId = Id<Tenant>;
/// An agency's id.
pub type AgencyId = Id<Agency>;
/// A client's id.
pub type ClientId = Id<Client>;

/// The ids of a tenant, an agency and a client, as far as a scope has them: for tokens and logs.
pub type ScopeIds = (Option<TenantId>, Option<AgencyId>, Option<ClientId>);

/// The whole platform, which only an `ADMIN` acts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformScope(());

/// One tenant and all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantScope {
    tenant: TenantId,
}

/// One agency and all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgencyScope {
    parent: TenantScope,
    agency: AgencyId,
}

/// One client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientScope {
    parent: AgencyScope,
    client: ClientId,
}

/// The scope that is a user's home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeScope {
    /// Of an `ADMIN`.
    Platform(PlatformScope),
    /// Of an `AGENCY_ADMIN` or `AGENCY_USER`.
    Agency(AgencyScope),
    /// Of a `CLIENT_ADMIN` or `CLIENT_USER`.
    Client(ClientScope),
}

impl PlatformScope {
    pub(super) const fn root() -> Self {
        Self(())
    }

    /// The platform that a tenant stands on, to name the tenant's own row.
    pub(crate) const fn of(_: TenantScope) -> Self {
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

    /// The tenant that it belongs to.
    pub const fn tenant(self) -> TenantScope {
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

    /// The agency that it belongs to.
    pub const fn agency(self) -> AgencyScope {
        self.parent
    }

    /// The client in whose partition a row lies: for what a row of the table wakes, which acts where that row is.
    pub(crate) fn of_row(prefix: &str) -> Option<Self> {
        let mut parts = prefix.split('#');
        let mut id = |label| parts.next().filter(|found| *found == label).and(parts.next());
        let (tenant, agency, client) = (id("T")?, id("A")?, id("C")?);
        let tenant = TenantScope { tenant: tenant.parse().ok()? };
        let scope = tenant.agency(agency.parse().ok()?).client(client.parse().ok()?);
        (scope.to_string() == prefix).then_some(scope)
    }
}

impl HomeScope {
    /// The home's tenant, agency and client, as far as it has them.
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

// The prefix of every key in the scope. Ids have one length and each prefix ends in `#`, so that no scope's prefix begins
// another's unless it is its ancestor.

impl fmt::Display for PlatformScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PLATFORM#")
    }
}

impl fmt::Display for TenantScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T#{}#", self.tenant)
    }
}

impl fmt::Display for AgencyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}A#{}#", self.parent, self.agency)
    }
}

impl fmt::Display for ClientScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}C#{}#", self.parent, self.client)
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

    #[test]
    fn the_scope_of_a_row_is_its_clients_and_nothing_else_is_one() {
        let id = |n| uuid::Uuid::from_u128(n);
        let tenant = PlatformScope::root().tenant(Id::from_uuid(id(1)));
        let client = tenant.agency(Id::from_uuid(id(2))).client(Id::from_uuid(id(3)));
        assert_eq!(ClientScope::of_row(&client.to_string()), Some(client));
        let agency = client.agency().to_string();
        for other in
            ["", "PLATFORM#", &agency, &format!("{client}X"), &format!("{agency}C#x#"), &client.to_string()[1..]]
        {
            assert_eq!(ClientScope::of_row(other), None, "{other}");
        }
    }
}
