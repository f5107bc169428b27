//! Reads and writes of appointments.
//!
//! Only this file writes appointments and the items that change with them: the days of the staff member, the
//! usage guards of the service and the staff member, and the reference count of the contact. Every time slot
//! comes from a [`SlotAllocator`].

use super::days::DayEdits;
use super::{
    Appointment, AppointmentId, AppointmentStatus, Days, Replaced, ReservedSlot, SlotAllocator, UsageGuard, VisitHold,
    VisitId,
};
use crate::contacts::{ContactOrigin, ContactReference, ReferenceCount, find_reference};
use crate::identity::ClientScope;
use crate::reminders::{Occasion, ReminderPlan, ReminderRules, Timing, announce, change_plan};
use crate::table::{Condition, Failure, Store, StoreError, Transaction};
use crate::value::Instant;
use crate::web::{Problem, Result};

/// Reads an appointment, with a deleted contact hidden.
///
/// Not found if it does not exist.
pub async fn find(store: &Store, client: ClientScope, id: AppointmentId) -> Result<Appointment, StoreError> {
    find_reference(store, client, &client.appointment(id)).await
}

/// Creates an appointment in a slot of `allocator`, in place of the hold of the visitor's session.
///
/// Writes its reminders, and the confirmation if `rules` want it.
pub fn create(
    transaction: &mut Transaction,
    client: ClientScope,
    (allocator, slot): (&SlotAllocator, &ReservedSlot),
    hold: Option<(&VisitHold, &Days)>,
    (new, contact): (&Appointment, ContactOrigin),
    rules: &ReminderRules,
) -> Result<()> {
    transaction.create(&client.appointment(new.id), new)?;
    let nothing = Timing { start: new.start_time, plan: &ReminderPlan::default() };
    change_plan(transaction, client, new.id, (nothing, new.timing()), new.meta.updated_at)?;
    announce_version(transaction, client, rules, Occasion::Confirmation, new)?;
    allocator.write_reservation(transaction, client, Replaced { appointment: None, hold }, slot, new)?;
    match new.fields.contact_id {
        Some(id) => Ok(ReferenceCount::add(transaction, client, id, contact)?),
        None => Ok(()),
    }
}

/// Moves an appointment to a slot of `allocator`.
///
/// `days` are the days of the current time. Moves the reminders, and announces the move if `rules` want it.
///
/// A conflict if the appointment has changed since its read.
pub fn reschedule(
    transaction: &mut Transaction,
    client: ClientScope,
    (allocator, slot): (&SlotAllocator, &ReservedSlot),
    (current, days): (&Appointment, &Days),
    next: &Appointment,
    rules: &ReminderRules,
) -> Result<()> {
    transaction.replace(&client.appointment(next.id), next, current.stored_version())?;
    change_plan(transaction, client, next.id, (current.timing(), next.timing()), next.meta.updated_at)?;
    if (current.start_time, current.staff_id) != (next.start_time, next.staff_id) {
        announce_version(transaction, client, rules, Occasion::Moved, next)?;
    }
    let replaced = Replaced { appointment: Some((current, days)), hold: None };
    allocator.write_reservation(transaction, client, replaced, slot, next)?;
    Ok(ReferenceCount::change(transaction, client, current.stored_contact(), next.fields.contact_id)?)
}

/// Writes the next version of an appointment at the same time.
///
/// `days` are the days of the appointment, which change if the new status frees the time or takes it again. Deletes the
/// reminders that the next version no longer has, and announces a cancellation if `rules` want it.
///
/// `409 slot_unavailable` if the time is taken again and has been booked since. A conflict if the appointment has
/// changed since its read.
pub fn replace(
    transaction: &mut Transaction,
    client: ClientScope,
    current: &Appointment,
    next: &Appointment,
    (days, rules): (Option<&Days>, Option<&ReminderRules>),
) -> Result<()> {
    transaction.replace(&client.appointment(next.id), next, current.stored_version())?;
    change_plan(transaction, client, next.id, (current.timing(), next.timing()), next.meta.updated_at)?;
    if next.status == AppointmentStatus::Cancelled && current.status != next.status {
        let rules = rules.ok_or_else(|| Problem::internal("the reminder rules of a cancellation were not read"))?;
        announce_version(transaction, client, rules, Occasion::Cancelled, next)?;
    }
    let read = || days.ok_or_else(|| Problem::internal("the days of a freed or restored time were not read"));
    match (current.status.blocks(), next.status.blocks()) {
        (true, false) => remove(transaction, client, current, read()?, next.meta.updated_at)?,
        (false, true) => restore(transaction, client, next, read()?)?,
        _ => {}
    }
    Ok(ReferenceCount::change(transaction, client, current.stored_contact(), next.fields.contact_id)?)
}

/// Writes the mails about a version of an appointment.
fn announce_version(
    transaction: &mut Transaction,
    client: ClientScope,
    rules: &ReminderRules,
    occasion: Occasion,
    appointment: &Appointment,
) -> Result<(), StoreError> {
    let Appointment { id, start_time, meta, .. } = appointment;
    let about = (*start_time, appointment.fields.contact_id, meta.updated_at);
    announce(transaction, client, rules, occasion, (*id, meta.version), about)
}

/// Deletes an appointment and its reminders; `days` are the days of its time.
///
/// A conflict if it has changed since its read.
pub fn delete(
    transaction: &mut Transaction,
    client: ClientScope,
    (current, days): (&Appointment, &Days),
    now: Instant,
) -> Result<()> {
    transaction.delete(&client.appointment(current.id), current.stored_version())?;
    let nothing = Timing { start: current.start_time, plan: &ReminderPlan::default() };
    change_plan(transaction, client, current.id, (current.timing(), nothing), now)?;
    if current.status.blocks() {
        remove(transaction, client, current, days, now)?;
    }
    UsageGuard::decrement(transaction, &client.service_guard(current.service_id))?;
    UsageGuard::decrement(transaction, &client.staff_guard(current.staff_id))?;
    Ok(ReferenceCount::change(transaction, client, current.stored_contact(), None)?)
}

/// Frees the time of an appointment.
fn remove(
    transaction: &mut Transaction,
    client: ClientScope,
    appointment: &Appointment,
    days: &Days,
    now: Instant,
) -> Result<()> {
    let mut edits = DayEdits::new(now);
    edits.of(days).removed = Some(appointment.booking());
    edits.write(transaction, client)
}

/// Takes the time of an appointment that had freed it.
fn restore(transaction: &mut Transaction, client: ClientScope, appointment: &Appointment, days: &Days) -> Result<()> {
    let booking = appointment.booking();
    days.require_free(&booking)?;
    let mut edits = DayEdits::new(appointment.meta.updated_at);
    edits.of(days).added = Some(booking);
    edits.write(transaction, client)
}

/// Writes the hold of a session, in a slot of `allocator`, instead of the hold before.
///
/// # Errors
/// `429 too_many_holds`; a conflict if anything has changed since its read.
pub fn hold(
    transaction: &mut Transaction,
    client: ClientScope,
    (allocator, slot): (&SlotAllocator, &ReservedSlot),
    visit: VisitId,
    (hold, previous): (&VisitHold, Option<(&VisitHold, &Days)>),
    now: Instant,
) -> Result<()> {
    let key = client.visit_hold(visit);
    match previous {
        Some((previous, _)) => transaction.replace_or_retry(&key, hold, previous.version)?,
        None => transaction.create_or(&key, hold, Failure::Conflict)?,
    }
    allocator.write_hold(transaction, client, (slot, visit), (hold, previous), now)
}

/// Deletes the hold of a session; `days` are its days.
///
/// A conflict if anything has changed since its read.
pub fn release(
    transaction: &mut Transaction,
    client: ClientScope,
    visit: VisitId,
    (hold, days): (&VisitHold, &Days),
    now: Instant,
) -> Result<()> {
    forget_hold(transaction, client, visit, hold)?;
    let mut edits = DayEdits::new(now);
    edits.of(days).released = Some(*hold);
    edits.write(transaction, client)
}

/// Deletes the item of a session's hold, which a booking replaces.
pub fn forget_hold(
    transaction: &mut Transaction,
    client: ClientScope,
    visit: VisitId,
    hold: &VisitHold,
) -> Result<(), StoreError> {
    let unchanged = Condition::version(hold.version);
    transaction.delete_if(&client.visit_hold(visit), unchanged, Failure::Conflict)
}
