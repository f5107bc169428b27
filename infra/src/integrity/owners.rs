//! The rows of a table, by whose they are.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::Value;

use super::Row;
use crate::partition::{Partition, Scope};

/// The rows of the platform, a tenant, an agency or a client, by collection and sort key.
pub(super) struct Owner<'a> {
    pub(super) scope: Scope,
    pub(super) prefix: String,
    rows: BTreeMap<&'a str, BTreeMap<&'a str, &'a Value>>,
}

/// Whoever has rows, by their prefixes.
pub(super) fn owners<'a>(rows: &'a [Row<'a>]) -> BTreeMap<String, Owner<'a>> {
    let mut owners = BTreeMap::new();
    for row in rows {
        let Partition::Scoped { scope, collection } = &row.partition else { continue };
        let prefix = scope.prefix();
        let new = || Owner { scope: scope.clone(), prefix: prefix.clone(), rows: BTreeMap::new() };
        let owner = owners.entry(prefix.clone()).or_insert_with(new);
        owner.rows.entry(collection.as_str()).or_default().insert(row.sk, row.value);
    }
    owners
}

impl<'a> Owner<'a> {
    /// The names of its collections.
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

    /// Whether it was deleted, and a job still clears what refers to it.
    pub(super) fn is_gone(&self, id: &str) -> bool {
        self.find("GONE", "IDS").is_some_and(|gone| has_text(&gone["ids"], id))
    }

    /// What belongs to something of this kind that is not there, though no job clears it.
    pub(super) fn strays(&self, kind: &str) -> Vec<String> {
        let strays = self.collections().filter(|collection| {
            belongs_to(collection).is_some_and(|(of, id)| of == kind && !self.has(kind, id))
                && !self.is_cleared(collection)
        });
        strays.flat_map(|collection| self.all(collection).map(|(id, _)| self.at(collection, id, "nobody's"))).collect()
    }

    /// Whether a collection belonged to something that was deleted, and a job still clears it.
    pub(super) fn is_cleared(&self, collection: &str) -> bool {
        let clears = |kind: &str, id: &str| self.all("JOB").any(|(_, job)| text(job, &kind.to_lowercase()) == id);
        belongs_to(collection).is_some_and(|(kind, id)| clears(kind, id))
    }

    pub(super) fn at(&self, collection: &str, sort: &str, what: impl Display) -> String {
        format!("{}{collection} / {}: {what}", self.prefix, sort.escape_debug())
    }
}

/// The kind and the id of that to which a collection belongs, as its name says.
fn belongs_to(collection: &str) -> Option<(&str, &str)> {
    let (kind, rest) = collection.split_once('#')?;
    Some((kind, rest.split_once('#')?.0))
}

/// Whether a text is among others.
pub(super) fn has_text(texts: &Value, text: &str) -> bool {
    texts.as_array().is_some_and(|texts| texts.iter().any(|one| one == text))
}

/// A text attribute of a row; empty if it has none.
pub(super) fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}
