//! Contacts, tags and the CSV import: models, keys, repository and jobs.

mod contact;
#[cfg(test)]
pub(crate) mod data_model;
pub mod import;
pub mod jobs;
mod keys;
pub mod limits;
mod national_phone;
mod partial;
mod reference;
pub mod repository;
pub mod sheet;
mod tag;
pub mod tags;
mod tombstones;

pub use contact::{Contact, ContactRow, ImportFingerprint, SearchEntry};
pub use import::{Import, ImportErrors, ImportProgress, ImportStatus, ImportText, RowError};
pub use national_phone::{normalize_patch, normalize_phone};
pub use partial::PartialContact;
pub use reference::{ContactOrigin, ContactReference, ReferenceCount, find_reference, hide_deleted_contacts};
pub use repository::ConflictPolicy;
pub use tag::{Tag, TagAssignment, TagName};
pub use tombstones::{Tombstones, delete_later};

use crate::table::Record;
use crate::value::Id;

/// A contact.
pub type ContactRecord = Record<Contact>;
/// A contact's id.
pub type ContactId = Id<Contact>;
/// A tag.
pub type TagRecord = Record<Tag>;
/// A tag's id.
pub type TagId = Id<Tag>;
/// An import's id.
pub type ImportId = Id<Import>;
