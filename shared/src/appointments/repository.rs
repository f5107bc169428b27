//! Reads and writes of appointments.
//!
//! Only this file writes appointments and the items that change with them: the days of the staff member, the
//! usage guards of the service and the staff member, and the reference count of the contact. Every time slot
//! comes from a [`SlotAllocator`].

use super::{Appointment, AppointmentId, Days, ReservedSlot, SlotAllocator, UsageGuard};
use crate::contacts::{ContactReference, ReferenceCount, find_reference};
use crate::identity::ClientScope;
use crate::table::{Store, StoreError, Transaction};
use crate::web::{Problem, Result};

/// Reads an appointment, with a deleted contact hidden.
///
/// Not found if it does not exist.
pub async fn find(store: &Store, client: ClientScope, id: AppointmentId) -> Result<Appointment, StoreError> {
    find_reference(store, client, &client.appointment(id)).await
}

/// Creates an appointment in a slot of `allocator`.
pub fn create(
    transaction: &mut Transaction,
    client: ClientScope,
    (allocator, slot): (&SlotAllocator, &ReservedSlot),
    new: &Appointment,
) -> Result<()> {
    transaction.create(&client.appointment(new.id), new)?;
    allocator.write_reservation(transaction, client, None, slot, new)?;
    Ok(ReferenceCount::change(transaction, client, None, new.fields.contact_id)?)
}

/// Moves an appointment to a slot of `allocator`.
///
/// `days` are the days of the current time.
///
/// A conflict if the appointment has changed since its read.
pub fn reschedule(
    transaction: &mut Transaction,
    client: ClientScope,
    (allocator, slot): (&SlotAllocator, &ReservedSlot),
    (current, days): (&Appointment, &Days),
    next: &Appointment,
) -> Result<()> {
    transaction.replace(&client.appointment(next.id), next, current.stored_version())?;
    allocator.write_reservation(transaction, client, Some((current, days)), slot, next)?;
    Ok(ReferenceCount::change(transaction, client, current.stored_contact(), next.fields.contact_id)?)
}

/// Writes the next version of an appointment at the same time.
///
/// `days` are the days of the appointment, which change if the new status frees the time or takes it again.
///
/// `409 slot_unavailable` if the time is taken again and has been booked since. A conflict if the appointment has
/// changed since its read.
pub fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    current: &Appointment,
    next: &Appointment,
    days: Option<&Days>,
) -> Result<()> {
    transaction.replace(&client.appointment(next.id), next, current.stored_version())?;
    let read = || days.ok_or_else(|| Problem::internal("the days of a freed or restored time were not read"));
    match (current.status.blocks(), next.status.blocks()) {
        (true, false) => read()?.remove(transaction, client, &current.booking())?,
        (false, true) => read()?.restore(transaction, client, &next.booking())?,
        _ => {}
    }
    Ok(ReferenceCount::change(transaction, client, current.stored_contact(), next.fields.contact_id)?)
}

/// Deletes an appointment; `days` are the days of its time.
///
/// A conflict if it has changed since its read.
pub fn delete(transaction: &mut Transaction, client: ClientScope, current: &Appointment, days: &Days) -> Result<()> {
    transaction.delete(&client.appointment(current.id), current.stored_version())?;
    if current.status.blocks() {
        days.remove(transaction, client, &current.booking())?;
    }
    UsageGuard::decrement(transaction, &client.service_guard(current.service_id))?;
    UsageGuard::decrement(transaction, &client.staff_guard(current.staff_id))?;
    Ok(ReferenceCount::change(transaction, client, current.stored_contact(), None)?)
}
