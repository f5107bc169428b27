//! Items that every scope has: its pointer and its child count.

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::entity::Entity;
use super::error::{Failure, StoreError};
use super::key::{Key, Partition, Scope};
use super::transaction::{OnFailed, Transaction};
use crate::identity::{AgencyId, AgencyScope, ClientId, ClientScope, HomeScope, TenantId};

/// The number of entities directly below a scope.
///
/// The item exists exactly when the scope does. Each entity is counted in the transaction that creates or
/// deletes it, so that the transaction that deletes a scope can require that it is empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ChildCount {
    /// All entities.
    pub n: u64,
    /// The users.
    #[serde(default)]
    pub users: u64,
    /// The active admins.
    #[serde(default)]
    pub admins: u64,
    /// The tags of a client.
    #[serde(default)]
    pub tags: u64,
    /// The imports of a client that are in progress. They are not included in `n`.
    #[serde(default)]
    pub imports: u64,
}

impl Entity for ChildCount {}

/// The parents of an agency or a client, which a platform user finds by its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopePointer {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The agency; for an agency, its own id.
    pub agency_id: AgencyId,
}

impl Entity for ScopePointer {}

impl From<AgencyScope> for ScopePointer {
    fn from(scope: AgencyScope) -> Self {
        Self { tenant_id: scope.tenant().id(), agency_id: scope.id() }
    }
}

/// An item that makes a value unique in a scope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UniqueConstraint {
    /// The id of the entity that has the value.
    pub owner: uuid::Uuid,
}

impl Entity for UniqueConstraint {}

/// The child count of a scope.
pub fn child_count(scope: impl Scope) -> Key<ChildCount> {
    Partition::new(scope, "HOLDS").item("COUNT")
}

impl HomeScope {
    /// The child count. The platform has none, because it is never deleted.
    pub fn child_count(self) -> Option<Key<ChildCount>> {
        match self {
            Self::Platform(_) => None,
            Self::Agency(agency) => Some(child_count(agency)),
            Self::Client(client) => Some(child_count(client)),
        }
    }
}

impl AgencyScope {
    /// The pointer to this agency.
    pub fn pointer(self) -> Key<ScopePointer> {
        agency_pointer(self.id())
    }
}

impl ClientScope {
    /// The pointer to this client.
    pub fn pointer(self) -> Key<ScopePointer> {
        client_pointer(self.id())
    }
}

/// The pointer to an agency.
pub(crate) fn agency_pointer(id: AgencyId) -> Key<ScopePointer> {
    Key::global("AGENCY", id)
}

/// The pointer to a client.
pub(crate) fn client_pointer(id: ClientId) -> Key<ScopePointer> {
    Key::global("CLIENT", id)
}

/// An item that never exists: reading it shows whether the table is reachable.
pub(super) fn health() -> Key<ScopePointer> {
    Key::new("GLOBAL#HEALTH".to_owned(), "AT".to_owned())
}

impl Transaction {
    /// Adds the child count of a new scope.
    pub fn create_child_count(&mut self, count: &Key<ChildCount>) -> Result<(), StoreError> {
        self.create(count, &ChildCount::default())
    }

    /// Adds one to the child count of a scope; not found if the scope does not exist.
    pub fn increment_children(&mut self, scope: impl Scope) -> Result<(), StoreError> {
        self.add_children(&child_count(scope), 1)
    }

    /// Subtracts one from the child count; not found if the scope does not exist.
    pub fn decrement_children(&mut self, scope: impl Scope) -> Result<(), StoreError> {
        self.add_children(&child_count(scope), -1)
    }

    /// Adds the deletion of a scope's child count; not empty if it has children.
    pub fn delete_child_count(&mut self, scope: impl Scope) -> Result<(), StoreError> {
        let on_failed = OnFailed::exists_or(Failure::NotEmpty, Failure::NotFound);
        self.delete_if(&child_count(scope), Condition::equal("n", 0_u64), on_failed)
    }
}
