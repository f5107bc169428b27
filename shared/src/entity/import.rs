use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ImportId;
use crate::value::Instant;

/// Contacts that come in from a CSV file, as far as they have.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// How far it has come.
    #[serde(flatten)]
    pub progress: ImportProgress,
    /// Where the rest of the text begins, in bytes.
    pub offset: u64,
    /// The line of that.
    pub line: u64,
    /// Of how many pieces the text consists.
    pub pieces: usize,
    /// How many faults are kept, which are not all if there are too many.
    pub faults: usize,
    /// One more with each step.
    pub version: u64,
    /// When it was begun.
    pub created_at: Instant,
    /// Unix seconds; DynamoDB deletes the row some time after.
    pub ttl: i64,
}

/// What an import has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportProgress {
    /// Whether it goes on.
    pub status: ImportStatus,
    /// How many rows became a new contact.
    pub created: u64,
    /// How many rows added something to a contact.
    pub updated: u64,
    /// How many rows changed nothing: they said what was known, or they were at fault.
    pub skipped: u64,
}

/// Whether an import goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ImportStatus {
    /// It does: ask again.
    #[default]
    Running,
    /// It is finished.
    Done,
}

/// What is wrong with a field of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportFault)]
pub struct RowFault {
    /// Where in the file the row begins, from 1; the header is a line too.
    #[schema(minimum = 1, example = 2)]
    pub line: u64,
    /// The field at fault (RFC 6901); empty for the whole row.
    #[schema(example = "/email")]
    pub pointer: String,
    /// Stable, for programs.
    #[schema(example = "invalid_email")]
    pub code: Cow<'static, str>,
    /// For people.
    #[schema(example = "must be an email address")]
    pub detail: String,
}

/// What was wrong in some rows of an import.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportFaults {
    /// What, in the order of the rows.
    pub faults: Vec<RowFault>,
    /// Unix seconds; DynamoDB deletes the row some time after.
    pub ttl: i64,
}

/// A piece of the text of an import, compressed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportText {
    /// The piece.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// Unix seconds; DynamoDB deletes the row some time after.
    pub ttl: i64,
}
