//! The access patterns of reminder settings and mails about appointments.

use super::reminder::Slot;
use super::{DUE_REMINDERS, Occasion, Recipient, Reminder};
use crate::table::data_model::{AccessPattern, Samples};

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    let (client, appointment) = (samples.client(), samples.id("appointment"));
    let (start, due) = (samples.instant("start"), samples.instant("due"));
    let key = client.reminder(appointment, Slot::Before(60), Recipient::Contact);
    let mail = Reminder::new(Occasion::Reminder, Recipient::Contact, start, due);
    vec![
        samples.single("reminder settings", "GetItem, BatchGetItem", &client.reminder_settings()),
        samples.single("a mail about an appointment", "BatchGetItem", &key),
        samples.query("mails about an appointment", client.reminders_of(appointment), &key),
        samples.due("mails about appointments of all clients that are due", &DUE_REMINDERS, &mail, &key),
    ]
}
