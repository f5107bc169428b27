use serde::{Deserialize, Serialize};

use super::scope::{HomeScope, PlatformScope};
use crate::value::{AgencyId, ClientId, TenantId};

/// The home of a user, as part of a stored item.
///
/// The fields are private: a value can only be made from a scope or read from the table, so that it is evidence
/// of the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHome {
    #[serde(rename = "tenantId")]
    tenant: Option<TenantId>,
    #[serde(rename = "agencyId")]
    agency: Option<AgencyId>,
    #[serde(rename = "clientId")]
    client: Option<ClientId>,
}

impl From<HomeScope> for StoredHome {
    fn from(scope: HomeScope) -> Self {
        let (tenant, agency, client) = scope.ids();
        Self { tenant, agency, client }
    }
}

impl StoredHome {
    /// Whether this home and the other one are of different tenants.
    pub(crate) fn is_of_other_tenant(self, other: HomeScope) -> bool {
        self.tenant != other.ids().0
    }

    /// The scope of this home; `None` if the ids are not those of a home.
    pub(crate) fn scope(self) -> Option<HomeScope> {
        home_scope(self.tenant, self.agency, self.client)
    }
}

/// The scope of the home with these ids; `None` if they are not those of a home.
pub(super) fn home_scope(
    tenant: Option<TenantId>,
    agency: Option<AgencyId>,
    client: Option<ClientId>,
) -> Option<HomeScope> {
    let platform = PlatformScope::root();
    match (tenant, agency, client) {
        (None, None, None) => Some(platform.into()),
        (Some(tenant), Some(agency), None) => Some(platform.tenant(tenant).agency(agency).into()),
        (Some(tenant), Some(agency), Some(client)) => {
            Some(platform.tenant(tenant).agency(agency).client(client).into())
        }
        _ => None,
    }
}
