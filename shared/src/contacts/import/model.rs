//! Imports, their progress, and their row errors.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::contacts::ImportId;
use crate::contacts::sheet::SheetFormat;
use crate::value::Instant;

/// An import of contacts from a CSV file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// Id.
    pub id: ImportId,
    /// The result so far.
    #[serde(flatten)]
    pub progress: ImportProgress,
    /// The position of the next row in the text, in bytes.
    pub offset: u64,
    /// The line of the next row.
    pub line: u64,
    /// How the text is read.
    pub format: SheetFormat,
    /// The number of pieces of the text.
    pub pieces: usize,
    /// The number of stored row errors.
    #[serde(rename = "faults")]
    pub errors: usize,
    /// Incremented by each step.
    pub version: u64,
    /// The time of creation.
    pub created_at: Instant,
    /// When the item expires, in Unix seconds. DynamoDB deletes it some time later.
    pub ttl: i64,
}

/// The result of an import so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportProgress {
    /// Whether the import is finished.
    pub status: ImportStatus,
    /// The number of rows that created a contact.
    pub created: u64,
    /// The number of rows that changed a contact.
    pub updated: u64,
    /// The number of rows that changed nothing: they have no new values, or errors.
    pub skipped: u64,
}

/// Whether an import is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = ContactImportStatus)]
pub enum ImportStatus {
    /// In progress.
    #[default]
    Running,
    /// Finished.
    Done,
}

/// An error of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ContactImportRowError)]
pub struct RowError {
    /// The line of the file in which the row begins, counted from 1.
    ///
    /// The header is line 1.
    #[schema(minimum = 1, example = 2)]
    pub line: u64,
    /// JSON Pointer (RFC 6901) to the invalid field; empty for the whole row.
    #[schema(example = "/email")]
    pub pointer: String,
    /// Stable error code, for programs.
    #[schema(example = "invalid_email")]
    pub code: Cow<'static, str>,
    /// Description, for people.
    #[schema(example = "must be an email address")]
    pub detail: String,
}

/// The row errors of one step of an import.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportErrors {
    /// The errors, in the order of the file.
    #[serde(rename = "faults")]
    pub errors: Vec<RowError>,
    /// When the item expires, in Unix seconds. DynamoDB deletes it some time later.
    pub ttl: i64,
}

/// A piece of the compressed text of an import.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportText {
    /// The bytes of the piece.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// When the item expires, in Unix seconds. DynamoDB deletes it some time later.
    pub ttl: i64,
}
