//! Usage guards of services and staff members, and the count of staff members.

use serde::{Deserialize, Serialize};

use crate::table::{Condition, Failure, Key, OnFailed, Operand, StoreError, Transaction, Update};
use crate::value::Instant;
use crate::web::Problem;

/// The reference count and the revision of a service or a staff member.
///
/// A booking requires the revision that it was decided on. A service or staff member is deleted only without
/// references. The guard is an item of its own, so that a booking does not write the whole service or staff
/// member.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct UsageGuard {
    /// The number of references.
    ///
    /// References from appointments and, for a staff member, from services.
    pub n: u64,
    /// The current revision.
    pub revision: u64,
    /// When a staff member was last assigned an appointment.
    #[serde(default, rename = "at", skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<Instant>,
}

/// The number of staff members of a client.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StaffCount {
    /// The number.
    pub n: u64,
}

impl UsageGuard {
    /// Adds the guard of a new service or staff member.
    pub fn create(transaction: &mut Transaction, key: &Key<Self>) -> Result<(), StoreError> {
        transaction.create(key, &Self { n: 0, revision: 1, assigned_at: None })
    }

    /// Counts a new reference.
    ///
    /// A conflict if the revision has changed or the guard was deleted.
    pub fn increment(transaction: &mut Transaction, key: &Key<Self>, revision: u64) -> Result<(), StoreError> {
        Self::add(transaction, key, 1, Self::is(revision), Failure::Conflict)
    }

    /// Counts a new appointment of a staff member, assigned at `now`.
    ///
    /// A conflict if the revision has changed or the guard was deleted.
    pub fn assign(
        transaction: &mut Transaction,
        key: &Key<Self>,
        revision: u64,
        now: Instant,
    ) -> Result<(), StoreError> {
        let update = Update::default().add("n", 1_u64).set("at", Operand::serialize(&now)?);
        transaction.update(key, update, Self::is(revision), Failure::Conflict)
    }

    /// Counts a new reference in any revision; `on_missing` if the guard was deleted.
    pub fn increment_any(
        transaction: &mut Transaction,
        key: &Key<Self>,
        on_missing: impl Into<Failure>,
    ) -> Result<(), StoreError> {
        Self::add(transaction, key, 1, Condition::Exists, on_missing.into())
    }

    /// Counts a removed reference.
    pub fn decrement(transaction: &mut Transaction, key: &Key<Self>) -> Result<(), StoreError> {
        Self::add(transaction, key, -1, Condition::Exists, Failure::Conflict)
    }

    /// Requires that the revision has not changed since its read: a conflict otherwise.
    pub fn require(transaction: &mut Transaction, key: &Key<Self>, revision: u64) -> Result<(), StoreError> {
        transaction.check(key, Self::is(revision), Failure::Conflict)
    }

    /// Advances the guard to the next revision.
    ///
    /// Not found if the guard was deleted; a conflict if the revision has changed.
    pub fn advance(transaction: &mut Transaction, key: &Key<Self>, revision: u64) -> Result<(), StoreError> {
        let update = Update::default().set("revision", revision + 1);
        let on_failed = OnFailed::exists_or(Failure::Conflict, Failure::NotFound);
        transaction.update(key, update, Self::is(revision), on_failed)
    }

    /// Deletes the guard with its owner; `in_use` if it has references.
    pub fn delete(
        transaction: &mut Transaction,
        key: &Key<Self>,
        revision: u64,
        in_use: Problem,
    ) -> Result<(), StoreError> {
        let unused = Self::is(revision).and(Condition::equal("n", 0_u64));
        let on_failed = OnFailed::decide(|existing: Option<Self>| match existing {
            None => Failure::NotFound,
            Some(existing) if existing.n > 0 => in_use.into(),
            Some(_) => Failure::Conflict,
        });
        transaction.delete_if(key, unused, on_failed)
    }

    fn is(revision: u64) -> Condition {
        Condition::equal("revision", revision)
    }

    fn add(
        transaction: &mut Transaction,
        key: &Key<Self>,
        by: i64,
        condition: Condition,
        on_failed: Failure,
    ) -> Result<(), StoreError> {
        transaction.update(key, Update::default().add("n", by), condition, on_failed)
    }
}

impl StaffCount {
    /// Counts a new staff member; `on_full` if there are `max` already.
    pub fn increment(
        transaction: &mut Transaction,
        key: &Key<Self>,
        max: u64,
        on_full: Problem,
    ) -> Result<(), StoreError> {
        let below = Condition::NotExists.or(Condition::less("n", max));
        transaction.update(key, Update::default().add("n", 1_u64), below, Failure::from(on_full))
    }

    /// Counts a deleted staff member.
    pub fn decrement(transaction: &mut Transaction, key: &Key<Self>) -> Result<(), StoreError> {
        transaction.increment(key, "n", -1)
    }
}
