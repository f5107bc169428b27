//! The rows of a table, grouped by scope.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::Value;

use super::Row;
use crate::check::partition::{Partition, Scope};

/// All rows of one scope, by collection and sort key.
///
/// A scope is the platform, a tenant, an agency or a client.
pub(super) struct ScopeRows<'a> {
    pub(super) scope: Scope,
    pub(super) prefix: String,
    rows: BTreeMap<&'a str, BTreeMap<&'a str, &'a Value>>,
}

/// Groups rows by the key prefix of their scope.
pub(super) fn group_by_scope<'a>(rows: &'a [Row<'a>]) -> BTreeMap<String, ScopeRows<'a>> {
    let mut scopes = BTreeMap::new();
    for row in rows {
        let Partition::Scoped { scope, collection } = &row.partition else { continue };
        let prefix = scope.prefix();
        let new = || ScopeRows { scope: scope.clone(), prefix: prefix.clone(), rows: BTreeMap::new() };
        let scope_rows = scopes.entry(prefix.clone()).or_insert_with(new);
        scope_rows.rows.entry(collection.as_str()).or_default().insert(row.sk, row.value);
    }
    scopes
}

impl<'a> ScopeRows<'a> {
    /// Names of the collections.
    pub(super) fn collections(&self) -> impl Iterator<Item = &'a str> {
        self.rows.keys().copied()
    }

    /// The rows of a collection, by sort key.
    pub(super) fn all(&self, collection: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.rows.get(collection).into_iter().flatten().map(|(sort, row)| (*sort, *row))
    }

    pub(super) fn find(&self, collection: &str, sort: &str) -> Option<&'a Value> {
        self.rows.get(collection)?.get(sort).copied()
    }

    pub(super) fn has(&self, collection: &str, sort: &str) -> bool {
        self.find(collection, sort).is_some()
    }

    /// Whether this id was deleted and a job is still removing references to it.
    pub(super) fn has_tombstone(&self, id: &str) -> bool {
        self.find("GONE", "IDS").is_some_and(|tombstones| contains_text(&tombstones["ids"], id))
    }

    /// Reports child rows of missing parents, unless a job is deleting them.
    pub(super) fn orphaned_children(&self, kind: &str) -> Vec<String> {
        let orphaned = self.collections().filter(|collection| {
            parent_of(collection).is_some_and(|(parent, id)| parent == kind && !self.has(kind, id))
                && !self.is_being_deleted(collection)
        });
        let rows = orphaned.flat_map(|collection| self.all(collection).map(move |(id, _)| (collection, id)));
        rows.map(|(collection, id)| self.violation(collection, id, "its parent does not exist")).collect()
    }

    /// Whether a job is still deleting this collection of a deleted parent.
    pub(super) fn is_being_deleted(&self, collection: &str) -> bool {
        let has_job = |kind: &str, id: &str| self.all("JOB").any(|(_, job)| text(job, &kind.to_lowercase()) == id);
        parent_of(collection).is_some_and(|(kind, id)| has_job(kind, id))
    }

    pub(super) fn violation(&self, collection: &str, sort: &str, message: impl Display) -> String {
        format!("{}{collection} / {}: {message}", self.prefix, sort.escape_debug())
    }
}

/// Kind and id of the parent in the name of a child collection.
///
/// For `DEAL#<id>#NOTE`, these are `DEAL` and `<id>`.
fn parent_of(collection: &str) -> Option<(&str, &str)> {
    let (kind, rest) = collection.split_once('#')?;
    Some((kind, rest.split_once('#')?.0))
}

/// Whether a JSON array contains a text.
pub(super) fn contains_text(texts: &Value, text: &str) -> bool {
    texts.as_array().is_some_and(|texts| texts.iter().any(|item| item == text))
}

/// A text attribute of a row, or an empty string.
pub(super) fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}
