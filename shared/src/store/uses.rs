//! Services and staff: what refers to them, and that what was read of them is still so.

use super::Transaction;
use super::item::value;
use super::transaction::number;
use crate::entity::{Day, StaffCount, UsageGuard};
use crate::keys::Key;
use crate::{Problem, Result};

impl Transaction {
    /// Opens the count of what refers to something new.
    pub fn open_uses(&mut self, key: &Key<UsageGuard>) -> Result<()> {
        self.create(key, &UsageGuard { n: 0, revision: 1 })
    }

    /// Counts one row more that refers to it; stale if it is no longer the revision that was read, or is gone.
    pub fn use_as_read(&mut self, key: &Key<UsageGuard>, revision: u64) -> Result<()> {
        let update = self
            .change(key)
            .condition_expression("revision = :revision")
            .update_expression("ADD n :one")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":revision", number(revision));
        self.add(update, |_| Ok(Problem::stale()))
    }

    /// Counts one row more that refers to it, whatever it is like; `otherwise` says what it means if it is gone.
    pub fn use_any(&mut self, key: &Key<UsageGuard>, otherwise: Problem) -> Result<()> {
        self.count_uses(key, 1, otherwise)
    }

    /// Counts one row fewer that refers to it.
    pub fn unuse(&mut self, key: &Key<UsageGuard>) -> Result<()> {
        self.count_uses(key, -1, Problem::stale())
    }

    /// Requires that it is still the revision that was read: stale if not.
    pub fn require_revision(&mut self, key: &Key<UsageGuard>, revision: u64) -> Result<()> {
        let check = self
            .check(key)
            .condition_expression("revision = :revision")
            .expression_attribute_values(":revision", number(revision));
        self.add(check, |_| Ok(Problem::stale()))
    }

    /// Makes the next revision the current one: 404 if it is gone, stale if it is no longer the revision that was read.
    pub fn revise(&mut self, key: &Key<UsageGuard>, revision: u64) -> Result<()> {
        let update = self
            .change(key)
            .condition_expression("revision = :revision")
            .update_expression("SET revision = :next")
            .expression_attribute_values(":revision", number(revision))
            .expression_attribute_values(":next", number(revision + 1));
        self.add(update, |there| Ok(there.map_or_else(Problem::not_found, |_| Problem::stale())))
    }

    /// Closes the count of what is deleted: `in_use` while anything refers to it; 404 if it is gone, stale if it is no longer the
    /// revision that was read.
    pub fn close_uses(&mut self, key: &Key<UsageGuard>, revision: u64, in_use: Problem) -> Result<()> {
        let delete = self
            .deletion(key)
            .condition_expression("revision = :revision AND n = :none")
            .expression_attribute_values(":revision", number(revision))
            .expression_attribute_values(":none", number(0));
        self.add(delete, |there| {
            let Some(there) = there else { return Ok(Problem::not_found()) };
            let there: UsageGuard = value(there)?;
            Ok(if there.n > 0 { in_use } else { Problem::stale() })
        })
    }

    /// Counts one member of the staff more, if there are fewer than `most`.
    pub fn join(&mut self, team: &Key<StaffCount>, most: u64, otherwise: Problem) -> Result<()> {
        let update = self
            .change(team)
            .condition_expression("attribute_not_exists(pk) OR n < :most")
            .update_expression("ADD n :one")
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":one", number(1));
        self.add(update, |_| Ok(otherwise))
    }

    /// Counts one member of the staff fewer.
    pub fn leave(&mut self, team: &Key<StaffCount>) -> Result<()> {
        let update =
            self.change(team).update_expression("ADD n :less").expression_attribute_values(":less", number(-1));
        self.add(update, |_| Ok(Problem::internal("a count without a condition failed")))
    }

    /// Writes the next version of a day, if it is still as it was read: stale if not.
    pub fn write_day(&mut self, key: &Key<Day>, read: &Day, next: &Day) -> Result<()> {
        if read.version == 0 { self.claim_anew(key, next) } else { self.replace_anew(key, next, read.version) }
    }

    /// Requires that a day is as it was read: stale if not.
    pub fn require_day(&mut self, key: &Key<Day>, read: &Day) -> Result<()> {
        let check = if read.version == 0 {
            self.check(key).condition_expression("attribute_not_exists(pk)")
        } else {
            let check = self.check(key).condition_expression("version = :version");
            check.expression_attribute_values(":version", number(read.version))
        };
        self.add(check, |_| Ok(Problem::stale()))
    }

    fn count_uses(&mut self, key: &Key<UsageGuard>, by: i64, otherwise: Problem) -> Result<()> {
        let update = self
            .change(key)
            .condition_expression("attribute_exists(pk)")
            .update_expression("ADD n :by")
            .expression_attribute_values(":by", number(by));
        self.add(update, |_| Ok(otherwise))
    }
}
