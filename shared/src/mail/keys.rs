//! Keys of queued mails.

use super::QueuedMail;
use crate::identity::HomeScope;
use crate::table::{DueQueue, Entity, IndexKey, Key, Partition, ShardBy};
use crate::value::Id;

/// The collection of the mails of a home.
const COLLECTION: &str = "MAIL";

/// The queue of mails that are due.
pub const DUE_MAILS: DueQueue<QueuedMail> = DueQueue::new(COLLECTION, ShardBy::Item);

impl Entity for QueuedMail {
    fn index_keys(&self, key: &Key<Self>) -> Vec<IndexKey> {
        DUE_MAILS.index_key(self.failed_at.is_none().then_some(self.due), key)
    }
}

impl HomeScope {
    /// A queued mail to a user of this home.
    pub fn mail(self, id: Id<QueuedMail>) -> Key<QueuedMail> {
        Partition::new(self, COLLECTION).item(id)
    }
}
