//! Keys of reminder settings and of mails about appointments.

use super::reminder::{Slot, appointment_of};
use super::{Recipient, Reminder, ReminderSettings, ReminderStatus};
use crate::identity::ClientScope;
use crate::table::{Bounds, DueQueue, Entity, IndexKey, Key, List, Partition, ShardBy, key_text};
use crate::value::AppointmentId;

/// The collection of the mails about appointments of a client.
const COLLECTION: &str = "REMINDER";

/// The queue of mails about appointments that are due.
pub const DUE_REMINDERS: DueQueue<Reminder> = DueQueue::new(COLLECTION, ShardBy::Item);

impl Entity for ReminderSettings {}

impl Entity for Reminder {
    fn index_keys(&self, key: &Key<Self>) -> Vec<IndexKey> {
        DUE_REMINDERS.index_key((self.status == ReminderStatus::Pending).then_some(self.due), key)
    }
}

impl Key<Reminder> {
    /// The client and the appointment of the mail.
    pub fn appointment(&self) -> Option<(ClientScope, AppointmentId)> {
        Some((self.client()?, appointment_of(self.sort_key())?))
    }
}

impl ClientScope {
    /// The client's reminder settings.
    pub fn reminder_settings(self) -> Key<ReminderSettings> {
        Partition::new(self, "REMINDING").item("SETTINGS")
    }

    /// The mails about an appointment.
    pub fn reminders_of(self, appointment: AppointmentId) -> List<Reminder> {
        reminders(self).all().bounded(Bounds::Prefix(format!("{}#", key_text(appointment))))
    }

    /// One mail about an appointment.
    pub(super) fn reminder(self, appointment: AppointmentId, slot: Slot, recipient: Recipient) -> Key<Reminder> {
        reminders(self).item((appointment, slot.sort_key(recipient).as_str()))
    }
}

fn reminders(client: ClientScope) -> Partition<Reminder> {
    Partition::new(client, COLLECTION)
}
