//! The part of an appointment's transactions that writes its mails.
//!
//! A mail that is due already may be in the hands of the reminders function. It is left alone: the function reads the
//! appointment as it is then, and the attempt fails if the appointment changes before it begins.

use super::reminder::Slot;
use super::{Occasion, Recipients, Reminder, ReminderPlan, ReminderSettings};
use crate::contacts::{ContactId, ContactRow};
use crate::identity::ClientScope;
use crate::table::{BatchKeys, Store, StoreError, Transaction};
use crate::value::{AppointmentId, Instant, TimeZone};

/// The settings that a change of an appointment follows, and the time zone of its quiet hours.
#[derive(Clone, Debug)]
pub struct ReminderRules {
    settings: ReminderSettings,
    zone: TimeZone,
}

/// When an appointment starts, and its plan.
#[derive(Clone, Copy, Debug)]
pub struct Timing<'a> {
    /// The start.
    pub start: Instant,
    /// The reminders.
    pub plan: &'a ReminderPlan,
}

impl ReminderRules {
    /// Reads the settings, and the zone of the contact, or else of the client: one BatchGetItem.
    pub async fn read(store: &Store, client: ClientScope, contact: Option<ContactId>) -> Result<Self, StoreError> {
        let (settings, record) = (client.reminder_settings(), client.record());
        let contact = contact.map(|contact| client.contact(contact));
        let keys = BatchKeys::default().and(&settings).and(&record);
        let keys = contact.iter().fold(keys, BatchKeys::and);
        let items = store.get_batch(keys).await?;
        let contact: Option<ContactRow> = contact.map_or(Ok(None), |contact| items.get(&contact))?;
        let of_contact = contact.and_then(|row| row.contact.fields.time_zone);
        let of_client = items.get(&record)?.map(|record| record.fields.time_zone);
        let zone = of_contact.or(of_client).unwrap_or(TimeZone::UTC);
        Ok(Self { settings: items.get(&settings)?.unwrap_or_default(), zone })
    }

    /// The same rules for a contact in this zone, if it is known.
    #[must_use]
    pub fn in_zone(&self, zone: Option<TimeZone>) -> Self {
        Self { settings: self.settings.clone(), zone: zone.unwrap_or(self.zone) }
    }

    /// The reminders of an appointment that is booked or changed at `now`.
    pub fn plan(&self, start: Instant, now: Instant, contact: Option<ContactId>) -> ReminderPlan {
        ReminderPlan::new(&self.settings, start, now, self.zone, self.recipients(contact))
    }

    fn recipients(&self, contact: Option<ContactId>) -> Recipients {
        Recipients { contact: contact.is_some(), staff: self.settings.includes_staff() }
    }

    /// Whether a mail is sent on this occasion.
    fn announces(&self, occasion: Occasion) -> bool {
        self.settings.sends_mail()
            && match occasion {
                Occasion::Reminder => false,
                Occasion::Confirmation => self.settings.confirms(),
                Occasion::Moved | Occasion::Cancelled => self.settings.announces_changes(),
            }
    }
}

/// Writes the reminders of the next version of an appointment, and deletes those that it no longer has.
///
/// Reminders with the same time remain as they are, because they may have been sent.
pub fn change_plan(
    transaction: &mut Transaction,
    client: ClientScope,
    appointment: AppointmentId,
    (before, after): (Timing<'_>, Timing<'_>),
    now: Instant,
) -> Result<(), StoreError> {
    let is_moved = before.start != after.start;
    for item @ (offset, due, recipient) in after.plan.items() {
        if is_moved || before.plan.items().all(|other| other != item) {
            let reminder =
                Reminder { offset: Some(offset), ..Reminder::new(Occasion::Reminder, recipient, after.start, due) };
            transaction.overwrite(&client.reminder(appointment, Slot::Before(offset), recipient), &reminder)?;
        }
    }
    for (offset, due, recipient) in before.plan.items() {
        let remains = after.plan.items().any(|(other, _, to)| (other, to) == (offset, recipient));
        if due > now && !remains {
            transaction.remove(&client.reminder(appointment, Slot::Before(offset), recipient))?;
        }
    }
    Ok(())
}

/// Writes the mails about a change of an appointment, if the client wants them.
///
/// One for each version and recipient.
pub fn announce(
    transaction: &mut Transaction,
    client: ClientScope,
    rules: &ReminderRules,
    occasion: Occasion,
    (appointment, version): (AppointmentId, u64),
    (start, contact, now): (Instant, Option<ContactId>, Instant),
) -> Result<(), StoreError> {
    if !rules.announces(occasion) {
        return Ok(());
    }
    for recipient in rules.recipients(contact).each() {
        let mail = Reminder::new(occasion, recipient, start, now);
        transaction.create(&client.reminder(appointment, Slot::Version(version), recipient), &mail)?;
    }
    Ok(())
}
