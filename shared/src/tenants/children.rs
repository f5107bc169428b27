//! The child counts of agencies and tenants.

use crate::identity::{AgencyScope, ClientScope};
use crate::table::{StoreError, Transaction};

/// Counts the deletion of a client in its agency.
pub fn count_deleted_client(transaction: &mut Transaction, client: ClientScope) -> Result<(), StoreError> {
    transaction.decrement_children(client.agency())
}

/// Counts the deletion of an agency in its tenant.
pub fn count_deleted_agency(transaction: &mut Transaction, agency: AgencyScope) -> Result<(), StoreError> {
    transaction.decrement_children(agency.tenant())
}
