//! What may name a contact. It stays when the contact goes, and names them no longer: at once to whoever reads it, and in its row when a
//! job has come to it.

use crate::auth::ClientScope;
use crate::entity::{Appointment, ContactId, Deal, Tombstones};
use crate::keys::Key;
use crate::store::{Item, Store};
use crate::{Problem, Result};

/// A row that may name a contact.
pub trait Referring: Item {
    /// The contact whom it is shown with.
    fn contact(&self) -> Option<ContactId>;

    /// Leaves out a contact who is gone, and takes the version that the row will have then.
    fn forget(&mut self, gone: &Tombstones);

    /// The contact whom the stored row names.
    fn stored_contact(&self) -> Option<ContactId>;

    /// The version that is stored.
    fn stored_version(&self) -> u64;
}

macro_rules! referring {
    ($($type:ty),*) => {$(
        impl Referring for $type {
            fn contact(&self) -> Option<ContactId> {
                self.fields.contact_id
            }

            fn forget(&mut self, gone: &Tombstones) {
                if let Some(contact) = self.fields.contact_id.take_if(|contact| gone.has(*contact)) {
                    self.hidden = Some(contact);
                    self.meta.version += 1;
                }
            }

            fn stored_contact(&self) -> Option<ContactId> {
                self.fields.contact_id.or(self.hidden)
            }

            fn stored_version(&self) -> u64 {
                self.meta.version - u64::from(self.hidden.is_some())
            }
        }
    )*};
}

referring!(Appointment, Deal);

/// Rows as they are to be shown: without contacts who are deleted and whom a job has not yet taken off them, and with the version that
/// they will have then. Costs a read if any of them has a contact.
pub async fn shown<T: Referring>(store: &Store, client: ClientScope, mut rows: Vec<T>) -> Result<Vec<T>> {
    if rows.iter().any(|row| row.contact().is_some()) {
        let gone = store.get(&client.gone()).await?.unwrap_or_default();
        for row in &mut rows {
            row.forget(&gone);
        }
    }
    Ok(rows)
}

/// A row as it is to be shown: 404 without it.
pub async fn find<T: Referring>(store: &Store, client: ClientScope, key: &Key<T>) -> Result<T> {
    let stored = store.find(key).await?;
    shown(store, client, vec![stored]).await?.pop().ok_or_else(Problem::not_found)
}
