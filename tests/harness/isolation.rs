//! Tenant isolation rules, checked on the `DynamoDB` calls of one API request.
//!
//! Each rule returns its violations, one readable line each.

use std::fmt;

use infra::check::partition::{Partition, Scope};
use uuid::Uuid;

use crate::call::{Call, Key, Touch};

/// The operations that name every item or partition that they touch.
///
/// All other operations, such as `Scan` or `PartiQL`, can reach across partitions.
const KEYED_OPERATIONS: [&str; 9] = [
    "GetItem",
    "Query",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchGetItem",
    "BatchWriteItem",
    "TransactGetItems",
    "TransactWriteItems",
];

/// The collection with the child counts of a node.
const HOLDS: &str = "HOLDS";

/// The user who makes an API request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The caller's home: the caller may access nothing outside.
    pub home: Home,
}

/// The part of the tree that a user belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// The whole platform.
    Platform,
    /// One agency and its clients.
    Agency {
        /// The agency's tenant.
        tenant: Uuid,
        /// The agency.
        agency: Uuid,
    },
    /// One client.
    Client {
        /// The client's tenant.
        tenant: Uuid,
        /// The client's agency.
        agency: Uuid,
        /// The client.
        client: Uuid,
    },
}

impl Home {
    /// The node of this home.
    pub fn scope(&self) -> Scope {
        match *self {
            Self::Platform => Scope::platform(),
            Self::Agency { tenant, agency } => Scope::agency(tenant, agency),
            Self::Client { tenant, agency, client } => Scope::client(tenant, agency, client),
        }
    }
}

/// Rule: every call names the keys it touches, and the recorder can parse them.
pub fn keyed(calls: &[Call]) -> Vec<String> {
    let mut violations = Vec::new();
    for call in calls {
        if !KEYED_OPERATIONS.contains(&call.operation.as_str()) {
            violations.push(format!("{}: reaches beyond named keys", call.operation));
        }
        if let Some(problem) = &call.unreadable {
            violations.push(format!("{}: cannot be checked: {problem}", call.operation));
        }
    }
    violations
}

/// Rule: every partition key has a known format.
pub fn well_formed(calls: &[Call]) -> Vec<String> {
    accesses(calls)
        .filter_map(|access| {
            let problem = access.partition().err()?;
            Some(format!("{access}: unknown format: {problem}"))
        })
        .collect()
}

/// Rule: global partitions are read and written by exact key only.
///
/// A query could list rows of other tenants, and an index key in a global partition could only serve a query.
pub fn global_by_exact_key(calls: &[Call]) -> Vec<String> {
    accesses(calls)
        .filter(|access| access.partition() == Ok(Partition::Global) && !access.is_exact())
        .map(|access| format!("{access}: a global partition is for exact keys only"))
        .collect()
}

/// Rule: an API request adds rows to the due index and never reads it.
///
/// The index holds the due rows of all tenants.
pub fn due_is_only_written(calls: &[Call]) -> Vec<String> {
    accesses(calls)
        .filter(|access| access.partition() == Ok(Partition::Due) && access.written_index.is_none())
        .map(|access| format!("{access}: the due index crosses tenants"))
        .collect()
}

/// Rule: all scopes of one API request are on one path from the tree's root.
pub fn on_one_path(calls: &[Call]) -> Vec<String> {
    let mut deepest = Scope::platform();
    let mut violations = Vec::new();
    for (access, scope, _) in scoped_accesses(calls) {
        if deepest.contains(&scope) {
            deepest = scope;
        } else if !scope.contains(&deepest) {
            violations.push(format!("{access}: not on one path with {deepest}"));
        }
    }
    violations
}

/// Rule: nothing outside the caller's home is touched.
///
/// Exceptions are the row of the home, the child count of the parent, and reads of the rows and child counts
/// of all ancestors.
pub fn within_home(calls: &[Call], caller: &Caller) -> Vec<String> {
    let home = caller.home.scope();
    scoped_accesses(calls)
        .filter(|(access, scope, collection)| {
            !home.contains(scope)
                && !is_ancestor_row(access, &home)
                && !is_child_count_of_ancestor(access, scope, collection, &home)
        })
        .map(|(access, ..)| format!("{access}: outside the caller's home {home}"))
        .collect()
}

/// Rule: at most `max` calls reach the engine, retries included.
pub fn budget(calls: &[Call], max: usize) -> Vec<String> {
    if calls.len() <= max {
        return Vec::new();
    }
    let operations: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
    let (count, list) = (operations.len(), operations.join(", "));
    vec![format!("{count} round trips instead of {max}: {list}")]
}

/// Checks every rule about keys; the caller's home only if there is a caller.
pub(crate) fn violations(calls: &[Call], caller: Option<&Caller>) -> Vec<String> {
    let mut violations = keyed(calls);
    violations.extend(well_formed(calls));
    violations.extend(global_by_exact_key(calls));
    violations.extend(due_is_only_written(calls));
    violations.extend(on_one_path(calls));
    if let Some(caller) = caller {
        violations.extend(within_home(calls, caller));
    }
    violations
}

/// Whether it is the row of the home or, without a write, the row of an ancestor.
fn is_ancestor_row(access: &KeyAccess<'_>, home: &Scope) -> bool {
    let Some(node) = home.line().find(|node| access.is_row_of(node)) else {
        return false;
    };
    access.is_exact() && (node == *home || !access.touch.is_write())
}

/// Whether it is a child count of the parent or, without a write, an ancestor.
///
/// A request reads it to find out whether the ancestor exists.
fn is_child_count_of_ancestor(access: &KeyAccess<'_>, scope: &Scope, collection: &str, home: &Scope) -> bool {
    let is_parent = home.parent().as_ref() == Some(scope);
    access.is_exact() && collection == HOLDS && (is_parent || (scope.contains(home) && !access.touch.is_write()))
}

/// A key that a call names, or an index key that a write gives to an item.
struct KeyAccess<'a> {
    touch: &'a Touch,
    key: &'a Key,
    /// The index of an index key that is written.
    written_index: Option<&'a str>,
}

impl KeyAccess<'_> {
    fn partition(&self) -> Result<Partition, String> {
        Partition::parse(&self.key.partition)
    }

    fn is_exact(&self) -> bool {
        self.written_index.is_none() && self.touch.is_exact()
    }

    fn is_row_of(&self, node: &Scope) -> bool {
        let row = (self.key.partition.as_str(), self.key.sort.as_deref());
        node.row().is_some_and(|(partition, sort)| row == (partition.as_str(), Some(sort.as_str())))
    }
}

impl fmt::Display for KeyAccess<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written_index {
            Some(index) => write!(f, "{} into {index} {}", self.touch.action, self.key),
            None => self.touch.fmt(f),
        }
    }
}

fn accesses(calls: &[Call]) -> impl Iterator<Item = KeyAccess<'_>> {
    calls.iter().flat_map(|call| &call.touches).flat_map(|touch| {
        let keys = touch.key.iter().map(move |key| KeyAccess { touch, key, written_index: None });
        let index_keys = touch.index_keys.iter().map(move |index_key| KeyAccess {
            touch,
            key: &index_key.key,
            written_index: Some(&index_key.index),
        });
        keys.chain(index_keys)
    })
}

/// The accesses to scoped partitions, with scope and collection.
fn scoped_accesses(calls: &[Call]) -> impl Iterator<Item = (KeyAccess<'_>, Scope, String)> {
    accesses(calls).filter_map(|access| match access.partition() {
        Ok(Partition::Scoped { scope, collection }) => Some((access, scope, collection)),
        Ok(Partition::Global | Partition::Due) | Err(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::IndexKey;

    const T: Uuid = Uuid::from_u128(1);
    const A: Uuid = Uuid::from_u128(2);
    const C: Uuid = Uuid::from_u128(3);
    const OTHER: Uuid = Uuid::from_u128(9);

    fn client() -> Scope {
        Scope::client(T, A, C)
    }

    fn agency_user() -> Caller {
        let home = Home::Agency { tenant: T, agency: A };
        Caller { home }
    }

    fn client_user() -> Caller {
        let home = Home::Client { tenant: T, agency: A, client: C };
        Caller { home }
    }

    /// A call that names one key; a query names no sort key.
    fn call(action: &str, partition: &str, sort: &str) -> Call {
        let sort = (action != "Query").then(|| sort.to_owned());
        let key = Key { partition: partition.to_owned(), sort };
        let touch = Touch {
            action: action.to_owned(),
            table: "table".to_owned(),
            index: None,
            consistent: false,
            key: Some(key),
            index_keys: Vec::new(),
        };
        Call { operation: action.to_owned(), touches: vec![touch], unreadable: None, size: 0, answer: None }
    }

    /// A put of an item with an index key.
    fn indexed_put(partition: &str, index_partition: &str) -> Call {
        let mut call = call("PutItem", partition, "id");
        call.touches[0].index_keys.push(IndexKey {
            index: "gsi1".to_owned(),
            key: Key { partition: index_partition.to_owned(), sort: None },
        });
        call
    }

    #[track_caller]
    fn assert_broken(violations: &[String], expected: &str) {
        let [violation] = violations else {
            panic!("one violation expected: {violations:?}");
        };
        assert!(violation.contains(expected), "{violation}");
    }

    #[test]
    fn request_within_one_client_keeps_every_rule() {
        let contacts = format!("{}CONTACT", client());
        let calls = [
            call("GetItem", &format!("GLOBAL#CLIENT#{C}"), "-"),
            call("GetItem", &format!("T#{T}#A#{A}#CLIENT"), &C.to_string()),
            call("Query", &contacts, ""),
            indexed_put(&contacts, &format!("{}CONTACT#NAME", client())),
        ];
        for caller in [None, Some(client_user()), Some(agency_user())] {
            assert_eq!(violations(&calls, caller.as_ref()), Vec::<String>::new());
        }
    }

    /// A query of an index partition.
    fn indexed_query(index: &str, partition: &str) -> Call {
        let mut call = call("Query", partition, "");
        call.touches[0].index = Some(index.to_owned());
        call
    }

    #[test]
    fn index_partition_is_scoped_like_a_table_partition() {
        let contact = Uuid::from_u128(7);
        for (index, collection) in [
            ("gsi1", "CONTACT#NAME".to_owned()),
            ("gsi2", "CONTACT#UPD".to_owned()),
            ("gsi3", format!("CONTACT#{contact}")),
        ] {
            for caller in [client_user(), agency_user()] {
                let own = [indexed_query(index, &format!("{}{collection}", client()))];
                assert_eq!(violations(&own, Some(&caller)), Vec::<String>::new());
                let foreign = [indexed_query(index, &format!("{}{collection}", Scope::client(T, OTHER, C)))];
                assert_broken(&violations(&foreign, Some(&caller)), "outside the caller's home");
            }
            let unscoped = [indexed_query(index, &collection)];
            assert_broken(&violations(&unscoped, None), "unknown format");
        }
    }

    #[test]
    fn batch_outside_one_path_or_the_callers_home_is_a_violation() {
        let mut batch = call("BatchGetItem", &format!("{}TERM", client()), "ada@example.com");
        batch.touches.extend(call("BatchGetItem", &format!("{}CONTACT", client()), "id").touches);
        assert_eq!(violations(&[batch.clone()], Some(&client_user())), Vec::<String>::new());
        let sibling = Scope::client(T, A, OTHER);
        batch.touches.extend(call("BatchGetItem", &format!("{sibling}CONTACT"), "id").touches);
        assert_broken(&violations(&[batch.clone()], None), "not on one path");
        assert_broken(&within_home(&[batch], &client_user()), "outside the caller's home");
    }

    #[test]
    fn scan_or_statement_is_a_violation() {
        for operation in ["Scan", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"] {
            let mut call = call(operation, "", "");
            call.touches[0].key = None;
            assert_broken(&violations(&[call], None), "reaches beyond named keys");
        }
    }

    #[test]
    fn unparsable_request_is_a_violation() {
        let mut call = call("Query", &format!("{}CONTACT", client()), "");
        call.unreadable = Some("no key condition".to_owned());
        assert_broken(&violations(&[call], None), "no key condition");
    }

    #[test]
    fn key_of_unknown_format_is_a_violation() {
        let calls = [call("GetItem", "CONTACT", "id")];
        assert_broken(&violations(&calls, None), "unknown format");
        let calls = [indexed_put(&format!("{}CONTACT", client()), "CONTACT#NAME")];
        assert_broken(&violations(&calls, None), "PutItem into gsi1 CONTACT#NAME");
    }

    #[test]
    fn query_or_index_key_of_a_global_partition_is_a_violation() {
        let calls = [call("Query", "GLOBAL#EMAIL#x", "")];
        assert_broken(&violations(&calls, None), "exact keys only");
        let calls = [indexed_put(&format!("{}CONTACT", client()), "GLOBAL#EMAIL#x")];
        assert_broken(&violations(&calls, None), "exact keys only");
    }

    #[test]
    fn due_index_is_written_and_never_read() {
        let calls = [indexed_put(&format!("{}MAIL", client()), "DUE#MAIL#07")];
        assert_eq!(violations(&calls, Some(&client_user())), Vec::<String>::new());
        assert_broken(&violations(&[call("Query", "DUE#MAIL#07", "")], None), "the due index crosses tenants");
    }

    #[test]
    fn siblings_in_an_anonymous_request_are_a_violation() {
        let sibling = Scope::client(T, A, OTHER);
        let calls = [
            call("GetItem", &format!("{}CONTACT", client()), "id"),
            call("GetItem", &format!("{sibling}CONTACT"), "id"),
        ];
        assert_broken(&violations(&calls, None), "not on one path");
    }

    #[test]
    fn foreign_index_key_is_a_violation() {
        let sibling = Scope::client(T, A, OTHER);
        let calls = [indexed_put(&format!("{}CONTACT", client()), &format!("{sibling}CONTACT#NAME"))];
        assert_broken(&on_one_path(&calls), "PutItem into gsi1");
        assert_broken(&within_home(&calls, &client_user()), "outside the caller's home");
    }

    #[test]
    fn platform_row_is_outside_an_agencys_home() {
        let calls = [call("GetItem", "PLATFORM#USER", &OTHER.to_string())];
        assert_broken(&violations(&calls, Some(&agency_user())), "outside the caller's home");
        let platform = Caller { home: Home::Platform };
        assert_eq!(violations(&calls, Some(&platform)), Vec::<String>::new());
    }

    #[test]
    fn home_row_is_touched_by_exact_key_only() {
        let clients = format!("T#{T}#A#{A}#CLIENT");
        let own = [call("UpdateItem", &clients, &C.to_string())];
        assert_eq!(within_home(&own, &client_user()), Vec::<String>::new());
        let all = [call("Query", &clients, "")];
        assert_broken(&within_home(&all, &client_user()), "outside the caller's home");
        let siblings = [call("GetItem", &clients, &OTHER.to_string())];
        assert_broken(&within_home(&siblings, &client_user()), "outside the caller's home");
    }

    #[test]
    fn ancestor_row_is_not_written() {
        let agencies = format!("T#{T}#AGENCY");
        let check = [call("ConditionCheckItem", &agencies, &A.to_string())];
        assert_eq!(within_home(&check, &client_user()), Vec::<String>::new());
        let update = [call("UpdateItem", &agencies, &A.to_string())];
        assert_broken(&within_home(&update, &client_user()), "outside the caller's home");
        assert_eq!(within_home(&update, &agency_user()), Vec::<String>::new());
    }

    #[test]
    fn only_the_parents_child_count_is_updated() {
        let parents = [call("UpdateItem", &format!("T#{T}#HOLDS"), "AGENCY")];
        assert_eq!(within_home(&parents, &agency_user()), Vec::<String>::new());
        assert_broken(&within_home(&parents, &client_user()), "outside the caller's home");
        let others = [call("UpdateItem", &format!("T#{OTHER}#HOLDS"), "AGENCY")];
        assert_broken(&within_home(&others, &agency_user()), "outside the caller's home");
    }

    #[test]
    fn round_trips_are_counted() {
        let calls = vec![call("GetItem", &format!("{}CONTACT", client()), "id"); 3];
        assert_eq!(budget(&calls, 3), Vec::<String>::new());
        assert_broken(&budget(&calls, 2), "3 round trips instead of 2: GetItem, GetItem, GetItem");
    }
}
