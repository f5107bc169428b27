//! Strict parser for partition keys.
//!
//! It is independent of the code that writes the keys, so that the consistency check and the isolation tests
//! can verify the scope of each key.

use std::fmt;

use uuid::Uuid;

/// Labels before the ids, from the root of the tree downwards.
const LEVELS: [&str; 3] = ["T", "A", "C"];

/// Shards of each queue in the index of due rows.
pub(super) const SHARDS: u128 = 16;

/// Collections of the child scopes: the row of a scope is stored in its parent.
const CHILD_COLLECTIONS: [&str; 3] = ["TENANT", "AGENCY", "CLIENT"];

/// A scope in the tree platform › tenant › agency › client, as the path of its ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    ids: Vec<Uuid>,
}

impl Scope {
    /// The root of the tree.
    pub fn platform() -> Self {
        Self { ids: Vec::new() }
    }

    /// The scope of a tenant.
    pub fn tenant(tenant: Uuid) -> Self {
        Self { ids: vec![tenant] }
    }

    /// The scope of an agency.
    pub fn agency(tenant: Uuid, agency: Uuid) -> Self {
        Self { ids: vec![tenant, agency] }
    }

    /// The scope of a client.
    pub fn client(tenant: Uuid, agency: Uuid, client: Uuid) -> Self {
        Self { ids: vec![tenant, agency, client] }
    }

    /// Prefix of all partition keys of this scope.
    pub fn prefix(&self) -> String {
        self.to_string()
    }

    /// Whether `other` is this scope or a descendant of it.
    pub fn contains(&self, other: &Self) -> bool {
        other.ids.starts_with(&self.ids)
    }

    /// Whether one of the two scopes contains the other.
    pub fn shares_line_with(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The parent scope, or `None` for the platform.
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.ids.split_last()?;
        Some(Self { ids: parent.to_vec() })
    }

    /// The id of this scope, or `None` for the platform.
    pub fn id(&self) -> Option<Uuid> {
        self.ids.last().copied()
    }

    /// The child scope with this id.
    #[must_use]
    pub fn child(&self, id: Uuid) -> Self {
        Self { ids: self.ids.iter().copied().chain([id]).collect() }
    }

    /// This scope and its ancestors, except the platform, which has no row.
    pub fn line(&self) -> impl Iterator<Item = Self> {
        (1..=self.ids.len()).map(|depth| Self { ids: self.ids[..depth].to_vec() })
    }

    /// Partition and sort key of the row of this scope, or `None` for the platform.
    pub fn row(&self) -> Option<(String, String)> {
        let (id, ancestors) = self.ids.split_last()?;
        let parent = self.parent()?;
        let partition = format!("{}{}", parent.prefix(), CHILD_COLLECTIONS[ancestors.len()]);
        Some((partition, id.to_string()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ids.is_empty() {
            return f.write_str("PLATFORM#");
        }
        for (label, id) in LEVELS.iter().zip(&self.ids) {
            write!(f, "{label}#{id}#")?;
        }
        Ok(())
    }
}

/// A parsed partition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partition {
    /// `GLOBAL#<KIND>` or `GLOBAL#<KIND>#<id>`: a row outside all scopes.
    Global,
    /// `<scope prefix><COLLECTION…>`: rows of one scope.
    Scoped {
        /// The scope.
        scope: Scope,
        /// The part after the prefix, such as `CONTACT`.
        collection: String,
    },
    /// `DUE#<COLLECTION>#<shard>`: index partition of due rows, across all tenants.
    Due,
}

impl Partition {
    /// Parses a partition key. The error describes what is wrong with it.
    pub fn parse(key: &str) -> Result<Self, String> {
        if let Some(kind) = key.strip_prefix("GLOBAL#") {
            check_collection(kind, key)?;
            return Ok(Self::Global);
        }
        if let Some(queue) = key.strip_prefix("DUE#") {
            let (collection, shard) = queue.split_once('#').unwrap_or((queue, ""));
            check_collection(collection, key)?;
            let is_shard = (0..SHARDS).any(|number| format!("{number:02}") == shard);
            return if is_shard { Ok(Self::Due) } else { Err(format!("{key}: {shard:?} is not a shard")) };
        }
        let (scope, collection) = match key.strip_prefix("PLATFORM#") {
            Some(collection) => (Scope::platform(), collection),
            None => tree_prefix(key)?,
        };
        check_collection(collection, key)?;
        Ok(Self::Scoped { scope, collection: collection.to_owned() })
    }
}

/// Parses the scope at the start of a tenant's key.
///
/// Returns the scope and the rest of the key.
fn tree_prefix(key: &str) -> Result<(Scope, &str), String> {
    let mut ids = Vec::new();
    let mut rest = key;
    for level in LEVELS {
        let Some((_, after)) = rest.split_once('#').filter(|(label, _)| *label == level) else {
            break;
        };
        let (id, after) = after.split_once('#').ok_or_else(|| format!("{key}: has no collection after the id"))?;
        ids.push(canonical_uuid(id).ok_or_else(|| format!("{key}: {id} is not an id"))?);
        rest = after;
    }
    if ids.is_empty() {
        return Err(format!("{key}: has no known prefix"));
    }
    Ok((Scope { ids }, rest))
}

/// Parses a UUID in canonical form: two spellings of an id would be two partitions.
fn canonical_uuid(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.to_string() == text).then_some(id)
}

/// Checks that a collection starts with an uppercase label of two letters or more.
///
/// A single letter denotes a level of the tree.
fn check_collection(collection: &str, key: &str) -> Result<(), String> {
    let (label, _) = collection.split_once('#').unwrap_or((collection, ""));
    let is_uppercase = label.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    if label.len() > 1 && is_uppercase && !collection.ends_with('#') {
        Ok(())
    } else {
        Err(format!("{key}: {collection:?} is not a collection"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: &str = "01900000-0000-7000-8000-00000000000a";
    const A: &str = "01900000-0000-7000-8000-00000000000b";

    /// Any scope.
    ///
    /// Uses ids from a small pool, so that equal ids on the same and on different levels are common.
    fn any_scope() -> impl Strategy<Value = Scope> {
        let id = (1..=3_u128).prop_map(Uuid::from_u128);
        prop::collection::vec(id, 0..=3).prop_map(|ids| Scope { ids })
    }

    /// A collection as in keys: a label, sometimes followed by an id and another label.
    fn any_collection() -> impl Strategy<Value = String> {
        "[A-Z][A-Z_]{1,8}(#[0-9a-f]{8}#[A-Z]{2,5})?"
    }

    fn scope_of(key: &str) -> Scope {
        match Partition::parse(key) {
            Ok(Partition::Scoped { scope, .. }) => scope,
            other => panic!("{key}: {other:?}"),
        }
    }

    proptest! {
        #[test]
        fn scope_and_collection_are_parsed_from_a_key(scope in any_scope(), collection in any_collection()) {
            let parsed = Partition::parse(&format!("{scope}{collection}"));
            prop_assert_eq!(parsed, Ok(Partition::Scoped { scope, collection }));
        }

        #[test]
        fn key_is_contained_only_in_its_scope_and_its_ancestors(
            owner in any_scope(),
            other in any_scope(),
            collection in any_collection(),
        ) {
            let key = format!("{owner}{collection}");
            prop_assert_eq!(other.contains(&scope_of(&key)), other.contains_by_level(&owner));
        }

        #[test]
        fn only_prefixes_of_ancestors_are_prefixes(scope in any_scope(), other in any_scope()) {
            let is_prefix = other.prefix().starts_with(&scope.prefix());
            // The platform contains all scopes, but its key prefix is not a prefix of their keys.
            let is_platform = scope == Scope::platform() && other != scope;
            prop_assert_eq!(is_prefix, scope.contains(&other) && !is_platform);
        }

        #[test]
        fn siblings_share_no_line_and_no_prefix(parent in any_scope(), one in 1..9_u128, two in 1..9_u128) {
            prop_assume!(one != two && parent.ids.len() < LEVELS.len());
            let child = |id| Scope { ids: [parent.ids.as_slice(), &[Uuid::from_u128(id)]].concat() };
            prop_assert!(!child(one).shares_line_with(&child(two)));
            prop_assert!(!child(two).prefix().starts_with(&child(one).prefix()));
        }
    }

    impl Scope {
        /// Reference implementation of `contains`, level by level.
        fn contains_by_level(&self, other: &Self) -> bool {
            let has_equal_ids = self.ids.iter().zip(&other.ids).all(|(a, b)| a == b);
            has_equal_ids && self.ids.len() <= other.ids.len()
        }
    }

    #[test]
    fn row_of_a_scope_is_stored_in_its_parent() {
        let (t, a) = (Uuid::parse_str(T).unwrap(), Uuid::parse_str(A).unwrap());
        let row = |partition: &str, sort: &str| Some((partition.to_owned(), sort.to_owned()));
        assert_eq!(Scope::platform().row(), None);
        assert_eq!(Scope::tenant(t).row(), row("PLATFORM#TENANT", T));
        assert_eq!(Scope::agency(t, a).row(), row(&format!("T#{T}#AGENCY"), A));
    }

    #[test]
    fn global_key_has_a_kind() {
        assert_eq!(Partition::parse("GLOBAL#EMAIL#abc"), Ok(Partition::Global));
        assert_eq!(Partition::parse("GLOBAL#HEALTH"), Ok(Partition::Global));
    }

    #[test]
    fn malformed_key_is_rejected() {
        let upper = T.to_uppercase();
        for key in [
            "",
            "CONTACT",
            "GLOBAL#",
            "GLOBAL#EMAIL#",
            "GLOBAL#email#abc",
            "DUE#",
            "DUE#JOB",
            "DUE#JOB#",
            "DUE#JOB#7",
            "DUE#JOB#16",
            "DUE#JOB#007",
            "DUE#job#07",
            "PLATFORM#",
            &format!("T#{T}"),
            &format!("T#{T}#"),
            &format!("T#{T}#contact"),
            &format!("T#{T}#A#{A}#"),
            &format!("T#{T}#C#{A}#CONTACT"),
            &format!("T#{upper}#AGENCY"),
            "T#01900000000070008000000000000000#AGENCY",
            &format!("T##{T}#AGENCY"),
            &format!("A#{A}#CLIENT"),
        ] {
            assert!(Partition::parse(key).is_err(), "{key}");
        }
    }
}
