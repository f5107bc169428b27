//! The grammar of partition keys, read back strictly: what a key says about who owns its partition.

use std::fmt;

use uuid::Uuid;

/// The label before an id, from the root of the tree down.
const LEVELS: [&str; 3] = ["T", "A", "C"];

/// The partition that lists the nodes below a node: their rows are stored with their parent.
const NODES: [&str; 3] = ["TENANT", "AGENCY", "CLIENT"];

/// A node of the tree platform › tenant › agency › client, as the path of ids that leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    ids: Vec<Uuid>,
}

impl Scope {
    /// The root of the tree.
    pub fn platform() -> Self {
        Self { ids: Vec::new() }
    }

    /// A tenant.
    pub fn tenant(tenant: Uuid) -> Self {
        Self { ids: vec![tenant] }
    }

    /// An agency of a tenant.
    pub fn agency(tenant: Uuid, agency: Uuid) -> Self {
        Self { ids: vec![tenant, agency] }
    }

    /// A client of an agency.
    pub fn client(tenant: Uuid, agency: Uuid, client: Uuid) -> Self {
        Self { ids: vec![tenant, agency, client] }
    }

    /// What each partition key of this scope begins with.
    pub fn prefix(&self) -> String {
        self.to_string()
    }

    /// Whether `other` is this node or lies below it.
    pub fn contains(&self, other: &Self) -> bool {
        other.ids.starts_with(&self.ids)
    }

    /// Whether one of the two contains the other.
    pub fn shares_line_with(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The node above; `None` for the platform.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.ids.split_last()?;
        Some(Self { ids: above.to_vec() })
    }

    /// The node with this id directly below.
    #[must_use]
    pub fn child(&self, id: Uuid) -> Self {
        Self { ids: self.ids.iter().copied().chain([id]).collect() }
    }

    /// This node and those above it, but for the platform, which has no row.
    pub fn line(&self) -> impl Iterator<Item = Self> {
        (1..=self.ids.len()).map(|depth| Self { ids: self.ids[..depth].to_vec() })
    }

    /// Partition and sort key of the row about this node; `None` for the platform.
    pub fn row(&self) -> Option<(String, String)> {
        let (id, above) = self.ids.split_last()?;
        let parent = self.parent()?;
        let partition = format!("{}{}", parent.prefix(), NODES[above.len()]);
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

/// What a partition key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partition {
    /// `GLOBAL#<KIND>` or `GLOBAL#<KIND>#<id>`: a pointer that belongs to nobody.
    Global,
    /// `<scope prefix><COLLECTION…>`: rows of one node.
    Scoped {
        /// The node.
        scope: Scope,
        /// What follows the prefix, such as `CONTACT`.
        collection: String,
    },
    /// `DUE#<KIND>` of an index: what is due, of all tenants.
    Due,
}

impl Partition {
    /// Reads a partition key, or says what is wrong with it.
    pub fn parse(key: &str) -> Result<Self, String> {
        if let Some(kind) = key.strip_prefix("GLOBAL#") {
            check_collection(kind, key)?;
            return Ok(Self::Global);
        }
        if let Some(kind) = key.strip_prefix("DUE#") {
            check_collection(kind, key)?;
            return Ok(Self::Due);
        }
        let (scope, collection) = match key.strip_prefix("PLATFORM#") {
            Some(collection) => (Scope::platform(), collection),
            None => tree_prefix(key)?,
        };
        check_collection(collection, key)?;
        Ok(Self::Scoped { scope, collection: collection.to_owned() })
    }
}

/// The scope at the start of a key of a tenant, and what follows it.
fn tree_prefix(key: &str) -> Result<(Scope, &str), String> {
    let mut ids = Vec::new();
    let mut rest = key;
    for level in LEVELS {
        let Some((_, after)) = rest.split_once('#').filter(|(label, _)| *label == level) else {
            break;
        };
        let (id, after) = after.split_once('#').ok_or_else(|| format!("{key}: nothing follows the id"))?;
        ids.push(strict_id(id).ok_or_else(|| format!("{key}: {id} is not an id"))?);
        rest = after;
    }
    if ids.is_empty() {
        return Err(format!("{key}: not a partition of anybody's"));
    }
    Ok((Scope { ids }, rest))
}

/// A UUID in the one spelling that keys use: two spellings of an id would be two partitions.
fn strict_id(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.to_string() == text).then_some(id)
}

/// A collection begins with a label in upper case; a single letter would read as a level of the tree.
fn check_collection(collection: &str, key: &str) -> Result<(), String> {
    let (label, _) = collection.split_once('#').unwrap_or((collection, ""));
    let upper = label.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    if label.len() > 1 && upper && !collection.ends_with('#') {
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

    /// Ids from a small pool, so that equal ids at equal and at different levels are common.
    fn any_scope() -> impl Strategy<Value = Scope> {
        let id = (1..=3_u128).prop_map(Uuid::from_u128);
        prop::collection::vec(id, 0..=3).prop_map(|ids| Scope { ids })
    }

    /// A collection as keys spell it: a label and, sometimes, ids and further labels.
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
        fn a_key_says_exactly_whose_it_is(scope in any_scope(), collection in any_collection()) {
            let parsed = Partition::parse(&format!("{scope}{collection}"));
            prop_assert_eq!(parsed, Ok(Partition::Scoped { scope, collection }));
        }

        #[test]
        fn a_key_is_inside_its_line_and_nobody_elses(
            owner in any_scope(),
            other in any_scope(),
            collection in any_collection(),
        ) {
            let key = format!("{owner}{collection}");
            prop_assert_eq!(other.contains(&scope_of(&key)), other.line_has(&owner));
        }

        #[test]
        fn only_an_ancestors_prefix_is_a_prefix(scope in any_scope(), other in any_scope()) {
            let is_prefix = other.prefix().starts_with(&scope.prefix());
            // The platform's rows are apart from everybody's, although it may see everything.
            let apart = scope == Scope::platform() && other != scope;
            prop_assert_eq!(is_prefix, scope.contains(&other) && !apart);
        }

        #[test]
        fn siblings_share_no_line(parent in any_scope(), one in 1..9_u128, two in 1..9_u128) {
            prop_assume!(one != two && parent.ids.len() < LEVELS.len());
            let child = |id| Scope { ids: [parent.ids.as_slice(), &[Uuid::from_u128(id)]].concat() };
            prop_assert!(!child(one).shares_line_with(&child(two)));
            prop_assert!(!child(two).prefix().starts_with(&child(one).prefix()));
        }
    }

    impl Scope {
        /// Containment spelled out level by level, to check the short way against.
        fn line_has(&self, owner: &Self) -> bool {
            let same = self.ids.iter().zip(&owner.ids).all(|(a, b)| a == b);
            same && self.ids.len() <= owner.ids.len()
        }
    }

    #[test]
    fn a_nodes_row_is_stored_with_its_parent() {
        let (t, a) = (Uuid::parse_str(T).unwrap(), Uuid::parse_str(A).unwrap());
        let row = |partition: &str, sort: &str| Some((partition.to_owned(), sort.to_owned()));
        assert_eq!(Scope::platform().row(), None);
        assert_eq!(Scope::tenant(t).row(), row("PLATFORM#TENANT", T));
        assert_eq!(Scope::agency(t, a).row(), row(&format!("T#{T}#AGENCY"), A));
    }

    #[test]
    fn global_keys_have_a_kind() {
        assert_eq!(Partition::parse("GLOBAL#EMAIL#abc"), Ok(Partition::Global));
        assert_eq!(Partition::parse("GLOBAL#HEALTH"), Ok(Partition::Global));
    }

    #[test]
    fn a_key_of_another_shape_is_refused() {
        let upper = T.to_uppercase();
        for key in [
            "",
            "CONTACT",
            "GLOBAL#",
            "GLOBAL#EMAIL#",
            "GLOBAL#email#abc",
            "DUE#",
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
