//! What is read about a mail, and the decision whether it is sent.

use shared::appointments::{Appointment, AppointmentStatus, ServiceRecord, StaffRow};
use shared::contacts::ContactRow;
use shared::identity::ClientScope;
use shared::reminders::{Occasion, Recipient, Reminder, ReminderSettings};
use shared::table::{BatchKeys, Key, Store};
use shared::tenants::{ClientRecord, Widget};
use shared::value::{Email, Instant};
use shared::web::{Problem, Result};

/// A mail, its appointment and its client, read at once.
pub(crate) struct Facts {
    pub(crate) mail: Reminder,
    pub(crate) appointment: Option<Appointment>,
    pub(crate) client: Option<ClientRecord>,
    /// The widget key, for the links; `None` if the client was deleted.
    pub(crate) widget: Option<Widget>,
    settings: ReminderSettings,
}

/// The people and the service of an appointment.
pub(crate) struct People {
    pub(crate) contact: Option<ContactRow>,
    pub(crate) staff: StaffRow,
    pub(crate) service: ServiceRecord,
}

/// What happens with a mail that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict<'a> {
    /// It is sent, about this appointment.
    Send(&'a Appointment),
    /// It is not sent, for this reason.
    Skip(&'static str),
    /// Its appointment was deleted.
    Remove,
}

impl Facts {
    /// Reads a mail with its appointment, its client and the settings: one BatchGetItem.
    ///
    /// `None` if the mail does not exist any more.
    pub(crate) async fn read(store: &Store, client: ClientScope, key: &Key<Reminder>) -> Result<Option<Self>> {
        let (_, id) = key.appointment().ok_or_else(|| Problem::internal("a mail without an appointment in its key"))?;
        let (appointment, record) = (client.appointment(id), client.record());
        let (widget, settings) = (client.widget(), client.reminder_settings());
        let keys = BatchKeys::default().and(key).and(&appointment).and(&record).and(&widget).and(&settings);
        let items = store.get_batch(keys).await?;
        let Some(mail) = items.get(key)? else { return Ok(None) };
        Ok(Some(Self {
            mail,
            appointment: items.get(&appointment)?,
            client: items.get(&record)?,
            widget: items.get(&widget)?,
            settings: items.get(&settings)?.unwrap_or_default(),
        }))
    }

    /// Whether the mail is still wanted, for the appointment as it is now.
    pub(crate) fn judge(&self, now: Instant) -> Verdict<'_> {
        let Some(appointment) = &self.appointment else { return Verdict::Remove };
        let is_open = appointment.status.is_open();
        let is_cancelled = appointment.status == AppointmentStatus::Cancelled;
        let is_same_time = appointment.start_time == self.mail.start;
        let is_outdated = match self.mail.occasion {
            Occasion::Reminder | Occasion::Moved => !is_same_time,
            // The notice of the move has the new time.
            Occasion::Confirmation => !is_same_time && self.settings.announces_changes(),
            Occasion::Cancelled => false,
        };
        if !self.settings.sends_mail() {
            Verdict::Skip("disabled")
        } else if self.mail.occasion != Occasion::Cancelled && !is_open {
            Verdict::Skip(if is_cancelled { "cancelled" } else { "started" })
        } else if now >= appointment.start_time {
            Verdict::Skip("started")
        } else if is_outdated {
            Verdict::Skip("moved")
        } else {
            Verdict::Send(appointment)
        }
    }

    /// The address of the recipient, or why there is none.
    pub(crate) fn address<'a>(&self, people: &'a People) -> Result<&'a Email, &'static str> {
        if self.mail.recipient == Recipient::Staff {
            return Ok(&people.staff.staff.fields.email);
        }
        let fields = &people.contact.as_ref().ok_or("no_contact")?.contact.fields;
        if self.mail.occasion == Occasion::Reminder && fields.reminders_off {
            return Err("opted_out");
        }
        fields.email.as_ref().ok_or("no_email")
    }
}

impl People {
    /// Reads the contact, the staff member and the service of an appointment: one BatchGetItem.
    pub(crate) async fn read(store: &Store, client: ClientScope, appointment: &Appointment) -> Result<Self> {
        let (staff, service) = (client.staff_member(appointment.staff_id), client.service(appointment.service_id));
        let contact = appointment.fields.contact_id.map(|contact| client.contact(contact));
        let keys = BatchKeys::default().and(&staff).and(&service);
        let items = store.get_batch(contact.iter().fold(keys, BatchKeys::and)).await?;
        // Neither can be deleted while the appointment refers to it.
        let missing = || Problem::internal("an appointment without its service or staff member");
        Ok(Self {
            contact: contact.map_or(Ok(None), |contact| items.get(&contact))?,
            staff: items.get(&staff)?.ok_or_else(missing)?,
            service: items.get(&service)?.ok_or_else(missing)?,
        })
    }
}
