//! What changes together with an appointment: what its staff's days hold, and what refers to its service, its staff and its contact.
//! Whoever writes an appointment does it here, so that none of these is ever without the others, and whoever gives it a time does it
//! through a [`SlotAllocator`], so that there is one way to a time.

mod availability;
mod days;
mod desk;
mod offering;

pub use availability::{Availability, Slot, StaffAvailability};
pub use days::Days;
pub use desk::{BookingRequest, SlotAllocator};

pub use crate::contacts::referring::shown;

use crate::auth::ClientScope;
use crate::contacts::referring::{self, Referring};
use crate::entity::{Appointment, AppointmentId, ContactId, ReservedSlot};
use crate::store::{Store, Transaction};
use crate::{Problem, Result};

/// An appointment as it is to be shown: 404 without it.
pub async fn find(store: &Store, client: ClientScope, id: AppointmentId) -> Result<Appointment> {
    referring::find(store, client, &client.appointment(id)).await
}

/// Adds a new appointment in a seat that `desk` gave.
pub fn create(
    transaction: &mut Transaction,
    client: ClientScope,
    (desk, seat): (&SlotAllocator, &ReservedSlot),
    new: &Appointment,
) -> Result<()> {
    transaction.create(&client.appointment(new.id), new)?;
    desk.take(transaction, client, None, seat, new)?;
    refer(transaction, client, None, new.fields.contact_id)
}

/// Adds the next version of an appointment in another seat, which `desk` gave; `left` are the days that it leaves. Stale if it has
/// changed since it was read.
pub fn reschedule(
    transaction: &mut Transaction,
    client: ClientScope,
    (desk, seat): (&SlotAllocator, &ReservedSlot),
    (read, left): (&Appointment, &Days),
    next: &Appointment,
) -> Result<()> {
    transaction.replace(&client.appointment(next.id), next, read.stored_version())?;
    desk.take(transaction, client, Some((read, left)), seat, next)?;
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
        days.free(transaction, client, &read.booking())?;
    }
    refer(transaction, client, read.stored_contact(), next.fields.contact_id)
}

/// Adds that an appointment is deleted; `days` are those that it takes a part of. Stale if it has changed since it was read.
pub fn delete(transaction: &mut Transaction, client: ClientScope, read: &Appointment, days: &Days) -> Result<()> {
    transaction.delete(&client.appointment(read.id), read.stored_version())?;
    if read.status.blocks() {
        days.free(transaction, client, &read.booking())?;
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
        let otherwise = Problem::unresolved_reference("/contactId");
        transaction.refer(&client.contact(contact), &client.references(contact), otherwise)?;
    }
    Ok(())
}
