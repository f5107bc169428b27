//! Limits of a client: the number of tags, and of imports in progress.
//!
//! The client's child count has both numbers, because the transactions that change them write it anyway.

use crate::identity::ClientScope;
use crate::table::{Condition, Failure, OnFailed, StoreError, Transaction, Update, child_count};
use crate::web::{ErrorCode, Problem};

/// The largest number of tags of a client.
pub const MAX_TAGS: u64 = 1000;

/// The largest number of imports of a client that are in progress.
pub const MAX_IMPORTS: u64 = 4;

/// The time after which a rejected import can be tried again, in seconds.
const IMPORT_RETRY_AFTER: u32 = 60;

/// Counts a new tag; `on_limit` if the client has [`MAX_TAGS`].
pub fn count_tag(
    transaction: &mut Transaction,
    client: ClientScope,
    on_limit: impl Into<Failure>,
) -> Result<(), StoreError> {
    let update = Update::default().add("n", 1_u64).add("tags", 1_u64);
    let on_failed = OnFailed::exists_or(on_limit.into(), Failure::NotFound);
    transaction.update(&child_count(client), update, below("tags", MAX_TAGS), on_failed)
}

/// Counts a deleted tag.
pub fn uncount_tag(transaction: &mut Transaction, client: ClientScope) -> Result<(), StoreError> {
    let update = Update::default().add("n", -1_i64).add("tags", -1_i64);
    transaction.update(&child_count(client), update, Condition::Exists, Failure::NotFound)
}

/// Counts a new import in progress.
///
/// # Errors
/// 429 `too_many_imports` if the client has [`MAX_IMPORTS`].
pub fn begin_import(transaction: &mut Transaction, client: ClientScope) -> Result<(), StoreError> {
    let on_failed = OnFailed::exists_or(too_many_imports().into(), Failure::NotFound);
    let update = Update::default().add("imports", 1_u64);
    transaction.update(&child_count(client), update, below("imports", MAX_IMPORTS), on_failed)
}

/// Counts the contacts that a step of an import created, and whether the step is the last one.
pub(super) fn count_imported(
    transaction: &mut Transaction,
    client: ClientScope,
    created: u64,
    is_done: bool,
) -> Result<(), StoreError> {
    let mut update = Update::default();
    if created > 0 {
        update = update.add("n", created);
    }
    if is_done {
        update = update.add("imports", -1_i64);
    }
    if created == 0 && !is_done {
        return Ok(());
    }
    transaction.update(&child_count(client), update, Condition::Exists, Failure::NotFound)
}

/// `409 too_many_client_tags`: the client has [`MAX_TAGS`].
pub fn too_many_tags() -> Problem {
    Problem::new(ErrorCode::TooManyClientTags, "The client has reached the limit of 1,000 tags.")
}

/// `429 too_many_imports`: the client has [`MAX_IMPORTS`].
pub fn too_many_imports() -> Problem {
    let detail = "The client has 4 imports in progress, which is the maximum. Try again in a minute.";
    Problem::new(ErrorCode::TooManyImports, detail).retry_after(IMPORT_RETRY_AFTER)
}

fn below(field: &'static str, limit: u64) -> Condition {
    Condition::Exists.and(Condition::Absent(field).or(Condition::less(field, limit)))
}
