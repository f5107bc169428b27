//! One change: all of it or nothing. Each part carries what its failure means to the caller.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::{ConditionCheckBuilder, DeleteBuilder, PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnConsumedCapacity,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::failure::{StoreError, Wait, problem, timely};
use super::item::{Item, encode, key_attributes, value};
use crate::auth::tries::AttemptCounter;
use crate::auth::{HomeScope, Role};
use crate::entity::{Account, ChildCount, ReferenceCount, Session, Status, Tombstones, UserCountChange};
use crate::http::idempotency::Recorded;
use crate::job::Job;
use crate::keys::Key;
use crate::mail::{Mail, QueuedMail};
use crate::value::Instant;
use crate::{App, Problem, Result};

type Attributes = HashMap<String, AttributeValue>;

/// What a part's failed condition means; it is told what lies there instead, if anything does.
type Meaning = Box<dyn FnOnce(Option<Attributes>) -> Result<Failed> + Send>;

/// The most parts of a transaction (a limit of DynamoDB).
pub const MAX_PARTS: usize = 100;

/// Parts of one change, at most [`MAX_PARTS`].
#[must_use = "nothing happens before it is committed"]
pub struct Transaction {
    store: Store,
    parts: Vec<TransactWriteItem>,
    meanings: Vec<Meaning>,
    /// The rows that are required to exist: DynamoDB refuses a transaction that names one twice.
    required: HashSet<(String, String)>,
}

enum Failed {
    Problem(Problem),
    /// The request was answered before.
    Recorded(Recorded),
}

impl Transaction {
    pub(super) fn new(store: Store) -> Self {
        Self { store, parts: Vec::new(), meanings: Vec::new(), required: HashSet::new() }
    }

    /// Writes a row that must be new. Ids are unique, so that it fails only by our own mistake.
    pub fn create<T: Item>(&mut self, key: &Key<T>, value: &T) -> Result<()> {
        self.create_or(key, value, Problem::internal("a new id was not new"))
    }

    /// Writes a row that must be new; `otherwise` says what it means if it is not.
    pub fn create_or<T: Item>(&mut self, key: &Key<T>, value: &T, otherwise: Problem) -> Result<()> {
        let put = self.put(key, value)?.condition_expression("attribute_not_exists(pk)");
        self.add(put, |_| Ok(otherwise))
    }

    /// Writes a row, whatever lies there: for what another row's version guards.
    pub fn write<T: Item>(&mut self, key: &Key<T>, value: &T) -> Result<()> {
        let put = self.put(key, value)?;
        self.add(put, |_| Ok(Problem::internal("an unconditional write failed its condition")))
    }

    /// Writes the next version of an entity: 404 if it is gone, stale if `version` is no longer the current one.
    pub fn replace<T: Item>(&mut self, key: &Key<T>, next: &T, version: u64) -> Result<()> {
        self.replace_or(key, next, version, Problem::not_found)
    }

    /// The same where whoever writes decides anew if the entity is gone, too.
    pub fn replace_anew<T: Item>(&mut self, key: &Key<T>, next: &T, version: u64) -> Result<()> {
        self.replace_or(key, next, version, Problem::stale)
    }

    pub(crate) fn replace_or<T: Item>(
        &mut self,
        key: &Key<T>,
        next: &T,
        version: u64,
        gone: fn() -> Problem,
    ) -> Result<()> {
        let put = self
            .put(key, next)?
            .condition_expression("version = :version")
            .expression_attribute_values(":version", number(version));
        self.add(put, move |there| Ok(there.map_or_else(gone, |_| Problem::stale())))
    }

    /// Writes a mail at the start of a try; `otherwise` says what it means if another try began first.
    pub fn begin_try(&mut self, key: &Key<QueuedMail>, begun: &QueuedMail, otherwise: Problem) -> Result<()> {
        self.put_mail(key, begun, begun.attempts - 1, otherwise)
    }

    /// Writes a mail that nobody is to try any more; `otherwise` says what it means if another try began.
    pub fn give_up(&mut self, key: &Key<QueuedMail>, given_up: &QueuedMail, otherwise: Problem) -> Result<()> {
        self.put_mail(key, given_up, given_up.attempts, otherwise)
    }

    /// Makes a session's next generation good until then; `otherwise` says what it means if another came first. The rest of the
    /// row stays as it is by then.
    pub fn refresh(&mut self, key: &Key<Session>, next: &Session, otherwise: Problem) -> Result<()> {
        let update = self
            .change(key)
            .condition_expression("generation = :before")
            .update_expression("SET generation = :next, expires = :expires, #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":before", number(next.generation - 1))
            .expression_attribute_values(":next", number(next.generation))
            .expression_attribute_values(":expires", AttributeValue::S(next.expires.to_string()))
            .expression_attribute_values(":ttl", number(next.ttl));
        self.add(update, |_| Ok(otherwise))
    }

    /// Keeps a session good under the user's next epoch, which ends the others; `otherwise` says what it means if it is gone.
    pub fn keep_session(&mut self, key: &Key<Session>, epoch: u64, otherwise: Problem) -> Result<()> {
        let update = self
            .change(key)
            .condition_expression("attribute_exists(pk)")
            .update_expression("SET epoch = :epoch")
            .expression_attribute_values(":epoch", number(epoch));
        self.add(update, |_| Ok(otherwise))
    }

    /// Notes on a user's row when they signed in. What the user looks like changes, and so their version and `ETag` do;
    /// `updatedAt` stays, because nobody edited them. `otherwise` says what it means if they have another password or status by
    /// then, or are gone.
    pub fn note_sign_in(&mut self, key: &Key<Account>, read: &Account, at: Instant, otherwise: Problem) -> Result<()> {
        let hash = read.password_hash.clone().unwrap_or_default();
        let update = self
            .change(key)
            .condition_expression("passwordHash = :hash AND #status = :status")
            .update_expression("SET lastLoginAt = :at ADD version :one")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":hash", AttributeValue::S(hash))
            .expression_attribute_values(":status", text(&read.user.status)?)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":at", AttributeValue::S(at.to_string()));
        self.add(update, |_| Ok(otherwise))
    }

    /// Deletes an entity, if it still has the version that was read: 404 if it is gone, stale if it has changed.
    pub fn delete<T>(&mut self, key: &Key<T>, version: u64) -> Result<()> {
        let delete = self
            .deletion(key)
            .condition_expression("version = :version")
            .expression_attribute_values(":version", number(version));
        self.add(delete, |there| Ok(gone_or_stale(there.as_ref())))
    }

    /// Deletes a row that is good once; `otherwise` says what it means if it is gone.
    pub(crate) fn consume<T>(&mut self, key: &Key<T>, otherwise: Problem) -> Result<()> {
        self.add(self.deletion(key).condition_expression("attribute_exists(pk)"), |_| Ok(otherwise))
    }

    /// Deletes a row that may be gone already.
    pub fn remove<T>(&mut self, key: &Key<T>) -> Result<()> {
        self.add(self.deletion(key), |_| Ok(Problem::internal("an unconditional delete failed its condition")))
    }

    /// Requires that a user may still act in a role: a token says what was so when it was made.
    pub fn require_role(&mut self, key: &Key<Account>, role: Role, otherwise: Problem) -> Result<()> {
        let check = self
            .check(key)
            .condition_expression("#role = :role AND #status = :active")
            .expression_attribute_names("#role", "role")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":role", text(&role)?)
            .expression_attribute_values(":active", text(&Status::Active)?);
        self.add(check, |_| Ok(otherwise))
    }

    /// Requires that a user may act; `otherwise` says what it means if they are disabled, or are no user here.
    pub fn require_user(&mut self, key: &Key<Account>, otherwise: Problem) -> Result<()> {
        let check = self
            .check(key)
            .condition_expression("attribute_exists(pk) AND #status <> :disabled")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":disabled", text(&Status::Disabled)?);
        self.add(check, |_| Ok(otherwise))
    }

    /// Requires that a row exists; `otherwise` says what it means if it does not.
    pub fn require<T>(&mut self, key: &Key<T>, otherwise: Problem) -> Result<()> {
        if !self.required.insert((key.pk.clone(), key.sk.clone())) {
            return Ok(());
        }
        let check = self.check(key).condition_expression("attribute_exists(pk)");
        self.add(check, |_| Ok(otherwise))
    }

    /// Writes a row that makes a value unique; `otherwise` is told who has it.
    pub fn claim<T: Item + 'static>(
        &mut self,
        key: &Key<T>,
        claim: &T,
        otherwise: impl FnOnce(&T) -> Problem + Send + 'static,
    ) -> Result<()> {
        let put = self.put(key, claim)?.condition_expression("attribute_not_exists(pk)");
        self.add(put, |there| {
            let there = there.ok_or_else(|| Problem::internal("a claim failed, and nothing is there"))?;
            value(there).map(|claim| otherwise(&claim))
        })
    }

    /// The same where whoever writes decides anew if somebody has the value.
    pub fn claim_anew<T: Item + 'static>(&mut self, key: &Key<T>, claim: &T) -> Result<()> {
        self.claim(key, claim, |_| Problem::stale())
    }

    /// Counts one row more that refers to a contact, and requires that it is there: `otherwise` says what it means if it is not.
    pub fn refer<T>(&mut self, contact: &Key<T>, references: &Key<ReferenceCount>, otherwise: Problem) -> Result<()> {
        self.require(contact, otherwise)?;
        self.add(
            self.change(references).update_expression("ADD n :by").expression_attribute_values(":by", number(1)),
            |_| Ok(Problem::internal("a count without a condition failed")),
        )
    }

    /// Counts `many` rows fewer that refer to a contact.
    pub fn unrefer(&mut self, references: &Key<ReferenceCount>, many: usize) -> Result<()> {
        let update = self
            .change(references)
            .condition_expression("n >= :many")
            .update_expression("SET n = n - :many")
            .expression_attribute_values(":many", number(many));
        self.add(update, |_| Ok(Problem::stale()))
    }

    /// Deletes the count of the rows that refer to a contact, if it is still as it was read.
    pub fn close_references(&mut self, references: &Key<ReferenceCount>, read: &ReferenceCount) -> Result<()> {
        let condition = if read.n == 0 { "attribute_not_exists(pk) OR n = :n" } else { "n = :n" };
        let delete =
            self.deletion(references).condition_expression(condition).expression_attribute_values(":n", number(read.n));
        self.add(delete, |_| Ok(Problem::stale()))
    }

    /// Notes that something is gone to which rows still refer.
    pub fn bury(&mut self, gone: &Key<Tombstones>, id: Uuid) -> Result<()> {
        let update = self.change(gone).update_expression("ADD ids :ids").expression_attribute_values(":ids", set(id));
        self.add(update, |_| Ok(Problem::internal("a change without a condition failed")))
    }

    /// Notes that nothing refers to it any more. `last` says that nothing else is gone: then the row goes. Stale if that is no
    /// longer so, because a row that is left with nothing would stay for ever.
    pub fn forget(&mut self, gone: &Key<Tombstones>, id: Uuid, last: bool) -> Result<()> {
        if last {
            let delete = self.deletion(gone).condition_expression("ids = :ids");
            return self.add(delete.expression_attribute_values(":ids", set(id)), |_| Ok(Problem::stale()));
        }
        let update = self
            .change(gone)
            .condition_expression("contains(ids, :id) AND ids <> :ids")
            .update_expression("DELETE ids :ids")
            .expression_attribute_values(":id", AttributeValue::S(id.to_string()))
            .expression_attribute_values(":ids", set(id));
        self.add(update, |_| Ok(Problem::stale()))
    }

    /// Opens the count of what is below a new scope.
    pub fn open(&mut self, below: &Key<ChildCount>) -> Result<()> {
        self.create(below, &ChildCount::default())
    }

    /// Counts one thing more below a scope, which must exist: 404 otherwise.
    pub fn hold(&mut self, below: &Key<ChildCount>) -> Result<()> {
        self.count(below, 1)
    }

    /// Counts so many things more below a scope, which must exist: 404 otherwise.
    pub fn hold_many(&mut self, below: &Key<ChildCount>, many: u64) -> Result<()> {
        self.count(below, i64::try_from(many).map_err(Problem::internal)?)
    }

    /// Counts one thing less below a scope.
    pub fn let_go(&mut self, below: &Key<ChildCount>) -> Result<()> {
        self.count(below, -1)
    }

    /// Closes the count of a scope that is deleted: `409 not_empty` while anything is below it.
    pub fn close(&mut self, below: &Key<ChildCount>) -> Result<()> {
        let delete =
            self.deletion(below).condition_expression("n = :none").expression_attribute_values(":none", number(0));
        self.add(delete, |there| {
            let not_empty = "It still holds something. Delete that first.";
            Ok(if there.is_some() { Problem::conflict("not_empty", not_empty) } else { Problem::not_found() })
        })
    }

    /// Counts users of a home who come, go, or change. A home without an admin who can act is one where nobody can help the
    /// others: `409 last_admin`, unless it is the very last user who goes, and `last_may_go`.
    pub fn count_users(&mut self, below: &Key<ChildCount>, change: UserCountChange, last_may_go: bool) -> Result<()> {
        let condition = match (change.admins < 0, last_may_go && change.users < 0) {
            (false, _) => "attribute_exists(pk)",
            (true, false) => "#admins > :one",
            (true, true) => "#admins > :one OR #users = :one",
        };
        let mut update = self
            .change(below)
            .condition_expression(condition)
            .update_expression("ADD n :users, #users :users, #admins :admins")
            .expression_attribute_names("#users", "users")
            .expression_attribute_names("#admins", "admins")
            .expression_attribute_values(":users", number(change.users))
            .expression_attribute_values(":admins", number(change.admins));
        if change.admins < 0 {
            update = update.expression_attribute_values(":one", number(1));
        }
        self.add(update, |there| {
            let last_admin = "It is the last admin here who can act. Make somebody else an admin first.";
            Ok(if there.is_some() { Problem::conflict("last_admin", last_admin) } else { Problem::not_found() })
        })
    }

    /// Queues a mail to a user of a home.
    pub fn mail(&mut self, app: &App, home: HomeScope, mail: &Mail) -> Result<()> {
        let now = app.clock().now();
        self.create(&home.mail(app.ids().make()), &QueuedMail::new(app.mails(), mail, now)?)
    }

    /// Counts one try more, if the count that `ends` then is still under way and below `most`.
    pub(crate) fn count_try(
        &mut self,
        key: &Key<AttemptCounter>,
        ends: Instant,
        most: u64,
        otherwise: impl FnOnce(Option<AttemptCounter>) -> Problem + Send + 'static,
    ) -> Result<()> {
        let update = self
            .change(key)
            .condition_expression("ends = :ends AND n < :most")
            .update_expression("ADD n :one")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":ends", AttributeValue::S(ends.to_string()));
        self.add(update, |there| decode_old(there).map(otherwise))
    }

    /// Begins a count, if none is under way.
    pub(crate) fn begin_tries(
        &mut self,
        key: &Key<AttemptCounter>,
        first: &AttemptCounter,
        now: Instant,
        otherwise: impl FnOnce(Option<AttemptCounter>) -> Problem + Send + 'static,
    ) -> Result<()> {
        let put = self
            .put(key, first)?
            .condition_expression("attribute_not_exists(pk) OR ends <= :now")
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()));
        self.add(put, |there| decode_old(there).map(otherwise))
    }

    /// Requires that a count is below `most`, or over.
    pub(crate) fn require_tries(
        &mut self,
        key: &Key<AttemptCounter>,
        most: u64,
        now: Instant,
        otherwise: impl FnOnce(Option<AttemptCounter>) -> Problem + Send + 'static,
    ) -> Result<()> {
        let check = self
            .check(key)
            .condition_expression(BELOW)
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.add(check, |there| decode_old(there).map(otherwise))
    }

    /// Requires the same, and ends the count.
    pub(crate) fn clear_tries(
        &mut self,
        key: &Key<AttemptCounter>,
        most: u64,
        now: Instant,
        otherwise: impl FnOnce(Option<AttemptCounter>) -> Problem + Send + 'static,
    ) -> Result<()> {
        let delete = self
            .deletion(key)
            .condition_expression(BELOW)
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()));
        self.add(delete, |there| decode_old(there).map(otherwise))
    }

    /// Records the answer of a request that may come again.
    pub(crate) fn record(&mut self, key: &Key<Recorded>, record: &Recorded, now: Instant) -> Result<()> {
        // A row past its time counts as deleted: DynamoDB deletes it when it gets round to it.
        let put = self
            .put(key, record)?
            .condition_expression("attribute_not_exists(pk) OR #ttl < :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(now.unix_seconds()));
        self.add_part(put, |there| {
            let there = there.ok_or_else(|| Problem::internal("a record was refused, and nothing is there"))?;
            value(there).map(Failed::Recorded)
        })
    }

    /// Makes the change, or says which part of it could not be. A change of nothing is no call.
    pub async fn commit(self) -> Result<()> {
        match self.commit_or_recorded().await? {
            None => Ok(()),
            Some(_) => Err(Problem::internal("a transaction without a record found one")),
        }
    }

    /// Makes the change, or gives the answer that was recorded for it before.
    pub(crate) async fn commit_or_recorded(self) -> Result<Option<Recorded>> {
        let Self { store, parts, meanings, required: _ } = self;
        if parts.is_empty() {
            return Ok(None);
        }
        let mut wait = Wait::new(store.trace.deadline());
        let mut token = Uuid::new_v4();
        loop {
            match attempt(&store, &parts, token).await? {
                Outcome::Done => return Ok(None),
                Outcome::Cancelled(reasons) => return explain(meanings, reasons),
                Outcome::Contended => token = Uuid::new_v4(),
                // It may yet be done: under another token it would be done twice.
                Outcome::UnderWay => {}
            }
            if !wait.again().await {
                return Err(Problem::unavailable(StoreError::Contended));
            }
        }
    }

    fn put<T: Item>(&self, key: &Key<T>, value: &T) -> Result<PutBuilder> {
        Ok(Put::builder()
            .table_name(&*self.store.table)
            .set_item(Some(encode(key, value)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld))
    }

    /// Writes a job as it goes on; `otherwise` says what it means if somebody else has taken it up.
    pub fn put_job(&mut self, key: &Key<Job>, job: &Job, attempts: u64, otherwise: Problem) -> Result<()> {
        self.put_attempt(key, job, attempts, otherwise)
    }

    /// Deletes a job that is done; `otherwise` says what it means if somebody else has taken it up.
    pub fn end_job(&mut self, key: &Key<Job>, attempts: u64, otherwise: Problem) -> Result<()> {
        let delete = self
            .deletion(key)
            .condition_expression("attempts = :attempts")
            .expression_attribute_values(":attempts", number(attempts));
        self.add(delete, |_| Ok(otherwise))
    }

    fn put_mail(&mut self, key: &Key<QueuedMail>, row: &QueuedMail, attempts: u64, otherwise: Problem) -> Result<()> {
        self.put_attempt(key, row, attempts, otherwise)
    }

    fn put_attempt<T: Item>(&mut self, key: &Key<T>, row: &T, attempts: u64, otherwise: Problem) -> Result<()> {
        let put = self
            .put(key, row)?
            .condition_expression("attempts = :attempts")
            .expression_attribute_values(":attempts", number(attempts));
        self.add(put, |_| Ok(otherwise))
    }

    pub(super) fn deletion<T>(&self, key: &Key<T>) -> DeleteBuilder {
        Delete::builder()
            .table_name(&*self.store.table)
            .set_key(Some(key_attributes(key)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    pub(super) fn check<T>(&self, key: &Key<T>) -> ConditionCheckBuilder {
        ConditionCheck::builder().table_name(&*self.store.table).set_key(Some(key_attributes(key)))
    }

    pub(super) fn change<T>(&self, key: &Key<T>) -> UpdateBuilder {
        Update::builder()
            .table_name(&*self.store.table)
            .set_key(Some(key_attributes(key)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn count(&mut self, below: &Key<ChildCount>, by: i64) -> Result<()> {
        let update = self
            .change(below)
            .condition_expression("attribute_exists(pk)")
            .update_expression("ADD n :by")
            .expression_attribute_values(":by", number(by));
        self.add(update, |_| Ok(Problem::not_found()))
    }

    pub(super) fn add(
        &mut self,
        part: impl Part,
        meaning: impl FnOnce(Option<Attributes>) -> Result<Problem> + Send + 'static,
    ) -> Result<()> {
        self.add_part(part, |there| meaning(there).map(Failed::Problem))
    }

    fn add_part(
        &mut self,
        part: impl Part,
        meaning: impl FnOnce(Option<Attributes>) -> Result<Failed> + Send + 'static,
    ) -> Result<()> {
        self.parts.push(part.build().map_err(Problem::internal)?);
        self.meanings.push(Box::new(meaning));
        Ok(())
    }
}

enum Outcome {
    Done,
    /// At least one condition failed: the reasons, one for each part, in order.
    Cancelled(Vec<CancellationReason>),
    /// Another transaction was at the same rows, or the table is throttled: nothing was done.
    Contended,
    /// An earlier attempt at this very transaction, whose answer was lost, is still at work.
    UnderWay,
}

/// One TransactWriteItems. Attempts with the same token count once, the SDK's own retries too, so that one whose answer was
/// lost does no harm.
async fn attempt(store: &Store, parts: &[TransactWriteItem], token: Uuid) -> Result<Outcome> {
    let request = store
        .client
        .transact_write_items()
        .set_transact_items(Some(parts.to_vec()))
        .client_request_token(token.to_string())
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    store.trace.cost().round_trip();
    match timely(store.trace.deadline(), Box::pin(request.send())).await? {
        Ok(answer) => {
            store.trace.cost().wrote(answer.consumed_capacity());
            Ok(Outcome::Done)
        }
        Err(error) => refused(&error),
    }
}

/// Tells a condition that failed from a collision that passes.
fn refused(error: &SdkError<TransactWriteItemsError>) -> Result<Outcome> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = cancelled.cancellation_reasons();
            let conditions =
                reasons.iter().all(|reason| matches!(reason.code(), None | Some("None" | CONDITION_FAILED)));
            // One part that could not be looked at says nothing about the others: try the whole again.
            if conditions && !reasons.is_empty() {
                Ok(Outcome::Cancelled(reasons.to_vec()))
            } else if reasons.iter().any(|reason| reason.code() == Some("ValidationError")) {
                Err(Problem::internal("a part of a transaction is not valid"))
            } else {
                Ok(Outcome::Contended)
            }
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => Ok(Outcome::UnderWay),
        _ => Err(problem(error)),
    }
}

const CONDITION_FAILED: &str = "ConditionalCheckFailed";

/// What the failed parts mean together: a recorded answer before all else; then that what was read is no longer so, because the
/// other parts were decided on it; then every field at fault at once.
fn explain(meanings: Vec<Meaning>, reasons: Vec<CancellationReason>) -> Result<Option<Recorded>> {
    let failed = meanings.into_iter().zip(reasons).filter(|(_, reason)| reason.code() == Some(CONDITION_FAILED));
    let mut problem: Option<Problem> = None;
    for (meaning, reason) in failed {
        match meaning(reason.item)? {
            Failed::Recorded(recorded) => return Ok(Some(recorded)),
            Failed::Problem(next) => {
                problem = Some(match problem {
                    Some(first) if first.is_stale() => first,
                    Some(first) if !next.is_stale() => first.with_fields_of(next),
                    _ => next,
                });
            }
        }
    }
    Err(problem.unwrap_or_else(|| Problem::internal("a transaction was cancelled for no reason")))
}

/// Of a count: not begun, below its limit, or over.
const BELOW: &str = "attribute_not_exists(pk) OR n < :most OR ends <= :now";

pub(super) fn number(n: impl Copy + ToString) -> AttributeValue {
    AttributeValue::N(n.to_string())
}

fn set(id: Uuid) -> AttributeValue {
    AttributeValue::Ss(vec![id.to_string()])
}

/// What an enum of names is in a row.
fn text(value: &impl Serialize) -> Result<AttributeValue> {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value).map_err(Problem::internal)
}

fn decode_old<T: Item>(there: Option<Attributes>) -> Result<Option<T>> {
    there.map(value).transpose()
}

fn gone_or_stale(there: Option<&Attributes>) -> Problem {
    if there.is_some() { Problem::stale() } else { Problem::not_found() }
}

/// The four kinds of parts that a transaction can have.
pub(super) trait Part {
    fn build(self) -> std::result::Result<TransactWriteItem, BuildError>;
}

macro_rules! part {
    ($builder:ty, $name:ident) => {
        impl Part for $builder {
            fn build(self) -> std::result::Result<TransactWriteItem, BuildError> {
                Ok(TransactWriteItem::builder().$name(<$builder>::build(self)?).build())
            }
        }
    };
}

part!(PutBuilder, put);
part!(UpdateBuilder, update);
part!(DeleteBuilder, delete);
part!(ConditionCheckBuilder, condition_check);
