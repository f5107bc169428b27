//! References to contacts from deals and appointments.
//!
//! Deals and appointments are kept when their contact is deleted. Reads hide the reference immediately, and a job
//! removes it from the item.

use serde::{Deserialize, Serialize};

use super::{ContactId, Tombstones};
use crate::identity::ClientScope;
use crate::table::{Condition, Entity, Failure, Key, Meta, Store, StoreError, Transaction, Update};
use crate::web::{Problem, Result};

/// The number of references to a contact.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReferenceCount {
    /// The number.
    pub n: usize,
}

/// Where the contact of a new entity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactOrigin {
    /// The request names the contact: 422 at `/contactId` if it does not exist.
    Named,
    /// The contact was read before: a conflict if it was deleted since.
    Read,
    /// The same transaction creates the contact.
    Created,
}

impl ReferenceCount {
    /// Counts the reference of a new entity to its contact.
    pub fn add(
        transaction: &mut Transaction,
        client: ClientScope,
        contact: ContactId,
        origin: ContactOrigin,
    ) -> Result<(), StoreError> {
        match origin {
            ContactOrigin::Named => {
                Self::increment(transaction, client, contact, Problem::unresolved_reference("/contactId"))
            }
            ContactOrigin::Read => Self::increment(transaction, client, contact, Failure::Conflict),
            ContactOrigin::Created => transaction.increment(&client.reference_count(contact), "n", 1),
        }
    }

    /// Counts a new reference to a contact, and requires that the contact exists.
    pub fn increment(
        transaction: &mut Transaction,
        client: ClientScope,
        contact: ContactId,
        on_missing: impl Into<Failure>,
    ) -> Result<(), StoreError> {
        transaction.require(&client.contact(contact), on_missing)?;
        transaction.increment(&client.reference_count(contact), "n", 1)
    }

    /// Counts the removal of `many` references to a contact.
    pub fn decrement(
        transaction: &mut Transaction,
        client: ClientScope,
        contact: ContactId,
        many: usize,
    ) -> Result<(), StoreError> {
        let by = i64::try_from(many).map_err(StoreError::internal)?;
        let update = Update::default().add("n", -by);
        transaction.update(&client.reference_count(contact), update, Condition::at_least("n", many), Failure::Conflict)
    }

    /// Deletes the count of a deleted contact.
    ///
    /// A conflict if it has changed since its read.
    pub fn delete(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        contact: ContactId,
    ) -> Result<(), StoreError> {
        let unchanged = Condition::equal("n", self.n);
        let unchanged = if self.n == 0 { Condition::NotExists.or(unchanged) } else { unchanged };
        transaction.delete_if(&client.reference_count(contact), unchanged, Failure::Conflict)
    }

    /// Counts the change of a reference, and requires that the new contact exists.
    ///
    /// # Errors
    /// On commit, 422 at `/contactId` if it does not.
    pub fn change(
        transaction: &mut Transaction,
        client: ClientScope,
        before: Option<ContactId>,
        after: Option<ContactId>,
    ) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        if let Some(contact) = before {
            Self::decrement(transaction, client, contact, 1)?;
        }
        match after {
            Some(contact) => Self::increment(transaction, client, contact, Problem::unresolved_reference("/contactId")),
            None => Ok(()),
        }
    }
}

/// An entity that may refer to a contact.
pub trait ContactReference: Entity {
    /// The contact, unless it was deleted.
    fn contact(&self) -> Option<ContactId>;

    /// The deleted contact that is hidden until a job removes the reference.
    fn hidden_contact(&self) -> Option<ContactId>;

    /// The version, counted as if the job had removed a hidden reference.
    fn version(&self) -> u64;

    /// The contact, the hidden contact, and the version and times.
    fn contact_fields(&mut self) -> (&mut Option<ContactId>, &mut Option<ContactId>, &mut Meta);

    /// Hides a deleted contact.
    ///
    /// Sets the version that the entity will have without the reference.
    fn hide_deleted(&mut self, tombstones: &Tombstones) {
        let (contact, hidden, meta) = self.contact_fields();
        if let Some(contact) = contact.take_if(|contact| tombstones.contains(*contact)) {
            *hidden = Some(contact);
            meta.version += 1;
        }
    }

    /// The contact in the stored item.
    fn stored_contact(&self) -> Option<ContactId> {
        self.contact().or(self.hidden_contact())
    }

    /// The stored version.
    fn stored_version(&self) -> u64 {
        self.version() - u64::from(self.hidden_contact().is_some())
    }
}

/// Hides deleted contacts in entities. Costs one read if any of them has a contact.
pub async fn hide_deleted_contacts<T: ContactReference>(
    store: &Store,
    client: ClientScope,
    mut entities: Vec<T>,
) -> Result<Vec<T>, StoreError> {
    if entities.iter().any(|entity| entity.contact().is_some()) {
        let tombstones = store.get(&client.tombstones()).await?.unwrap_or_default();
        for entity in &mut entities {
            entity.hide_deleted(&tombstones);
        }
    }
    Ok(entities)
}

/// Reads an entity, with a deleted contact hidden.
pub async fn find_reference<T: ContactReference>(
    store: &Store,
    client: ClientScope,
    key: &Key<T>,
) -> Result<T, StoreError> {
    let stored = store.find(key).await?;
    hide_deleted_contacts(store, client, vec![stored]).await?.pop().ok_or(StoreError::NotFound)
}
