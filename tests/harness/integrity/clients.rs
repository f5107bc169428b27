//! The rows of a table, client by client.

use std::collections::BTreeMap;

use serde_json::Value;

use super::place;
use crate::partition::Partition;

/// The rows of one client, by collection and sort key.
pub(super) struct Client<'a> {
    pub(super) prefix: String,
    rows: BTreeMap<String, BTreeMap<String, &'a Value>>,
}

/// All clients, and whoever else has rows, by their prefixes.
pub(super) fn clients(rows: &[Value]) -> BTreeMap<String, Client<'_>> {
    let mut clients = BTreeMap::new();
    for row in rows {
        let (Partition::Scoped { scope, collection }, _, sort) = place(row) else { continue };
        let prefix = scope.prefix();
        let client = clients.entry(prefix.clone()).or_insert_with(|| Client { prefix, rows: BTreeMap::new() });
        client.rows.entry(collection).or_default().insert(sort, row);
    }
    clients
}

impl<'a> Client<'a> {
    /// The names of its collections.
    pub(super) fn collections(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// The rows of a collection, by sort key.
    pub(super) fn all(&self, collection: &str) -> impl Iterator<Item = (&str, &'a Value)> {
        self.rows.get(collection).into_iter().flatten().map(|(sort, row)| (sort.as_str(), *row))
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

    pub(super) fn at(&self, collection: &str, sort: &str, what: impl std::fmt::Display) -> String {
        format!("{}{collection} / {}: {what}", self.prefix, sort.escape_debug())
    }
}

/// Whether a text is among others.
pub(super) fn has_text(texts: &Value, text: &str) -> bool {
    texts.as_array().is_some_and(|texts| texts.iter().any(|one| one == text))
}
