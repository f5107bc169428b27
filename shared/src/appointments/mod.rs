//! What changes together with an appointment: what its staff's days hold, and what refers to its service, its staff and its contact.
//! Whoever writes an appointment does it here, so that none of these is ever without the others, and whoever gives it a time does it
//! through a [`Desk`], so that there is one way to a time.

mod availability;
mod days;
mod desk;
mod offering;

pub use availability::{Availability, Offer, Slot};
pub use days::Days;
pub use desk::{Desk, Wish};

use crate::auth::ClientScope;
use crate::entity::{Appointment, AppointmentId, ContactId};
use crate::store::{Store, Transaction};
use crate::{Problem, Result};

/// Appointments as they are to be shown: without contacts who are deleted and whom a job has not yet taken off them, and with the
/// version that they will have then. Costs a read if any of them has a contact.
pub async fn shown(store: &Store, client: ClientScope, mut appointments: Vec<Appointment>) -> Result<Vec<Appointment>> {
    if appointments.iter().any(|appointment| appointment.fields.contact_id.is_some()) {
        let gone = store.get(&client.gone()).await?.unwrap_or_default();
        for appointment in &mut appointments {
            appointment.forget(&gone);
        }
    }
    Ok(appointments)
}

/// An appointment as it is to be shown: 404 without it.
pub async fn find(store: &Store, client: ClientScope, id: AppointmentId) -> Result<Appointment> {
    let stored = store.find(&client.appointment(id)).await?;
    shown(store, client, vec![stored]).await?.pop().ok_or_else(Problem::not_found)
}

/// Adds a new appointment, for which `desk` has a seat.
pub fn create(transaction: &mut Transaction, client: ClientScope, desk: &Desk, new: &Appointment) -> Result<()> {
    transaction.create(&client.appointment(new.id), new)?;
    desk.take(transaction, client, None, new)?;
    refer(transaction, client, None, new.fields.contact_id)
}

/// Adds the next version of an appointment at another time, for which `desk` has a seat; `left` are the days that it leaves. Stale
/// if it has changed since it was read.
pub fn reschedule(
    transaction: &mut Transaction,
    client: ClientScope,
    desk: &Desk,
    (read, left): (&Appointment, &Days),
    next: &Appointment,
) -> Result<()> {
    transaction.replace(&client.appointment(next.id), next, read.stored_version())?;
    desk.take(transaction, client, Some((read, left)), next)?;
    refer(transaction, client, read.stored_contact(), next.fields.contact_id)
}

/// Adds the next version of an appointment at the same time; `days` are those that it takes a part of, which it frees if its status
/// says so now. Stale if it has changed since it was read.
pub fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    read: &Appointment,
    next: &Appointment,
    days: Option<&Days>,
) -> Result<()> {
    transaction.replace(&client.appointment(next.id), next, read.stored_version())?;
    if read.status.blocks() && !next.status.blocks() {
        let days = days.ok_or_else(|| Problem::internal("a time is freed whose days were not read"))?;
        days.write(transaction, client, Some(&read.booking()), None)?;
    }
    refer(transaction, client, read.stored_contact(), next.fields.contact_id)
}

/// Adds that an appointment is deleted; `days` are those that it takes a part of. Stale if it has changed since it was read.
pub fn delete(transaction: &mut Transaction, client: ClientScope, read: &Appointment, days: &Days) -> Result<()> {
    transaction.delete(&client.appointment(read.id), read.stored_version())?;
    if read.status.blocks() {
        days.write(transaction, client, Some(&read.booking()), None)?;
    }
    transaction.unuse(&client.service_uses(read.service_id))?;
    transaction.unuse(&client.staff_uses(read.staff_id))?;
    refer(transaction, client, read.stored_contact(), None)
}

/// Counts what refers to the contacts that an appointment named and names.
fn refer(
    transaction: &mut Transaction,
    client: ClientScope,
    had: Option<ContactId>,
    has: Option<ContactId>,
) -> Result<()> {
    if had == has {
        return Ok(());
    }
    if let Some(contact) = had {
        transaction.unrefer(&client.references(contact), 1)?;
    }
    if let Some(contact) = has {
        let otherwise = Problem::dangling("/contactId");
        transaction.refer(&client.contact(contact), &client.references(contact), otherwise)?;
    }
    Ok(())
}
