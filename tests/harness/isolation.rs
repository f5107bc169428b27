//! The rules that keep tenants apart, as checks over the calls of one API request.
//!
//! Each rule returns what breaks it, one readable line each, and nothing when it holds.

use std::fmt;

use infra::partition::{Partition, Scope};
use uuid::Uuid;

use crate::call::{Call, Key, Touch};

/// The operations that name every item or partition they touch. Everything else, such as `Scan` or `PartiQL`, can
/// reach across partitions.
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

/// The partition with the counters of what a node holds.
const HOLDS: &str = "HOLDS";

/// The partition with the users of a node.
const USER: &str = "USER";

/// Who makes an API request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Where the caller belongs, and so the most that it may see.
    pub home: Home,
}

/// A user's one home.
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
    /// The node of the tree that this home is.
    pub fn scope(&self) -> Scope {
        match *self {
            Self::Platform => Scope::platform(),
            Self::Agency { tenant, agency } => Scope::agency(tenant, agency),
            Self::Client { tenant, agency, client } => Scope::client(tenant, agency, client),
        }
    }
}

/// Every call names the keys it touches, in a way that the recorder can read.
pub fn keyed(calls: &[Call]) -> Vec<String> {
    let mut violations = Vec::new();
    for call in calls {
        if !KEYED_OPERATIONS.contains(&call.operation.as_str()) {
            violations.push(format!("{}: reaches beyond named keys", call.operation));
        }
        if let Some(problem) = &call.unreadable {
            violations.push(format!("{}: cannot be judged: {problem}", call.operation));
        }
    }
    violations
}

/// Every partition key has a known shape.
pub fn well_formed(calls: &[Call]) -> Vec<String> {
    places(calls)
        .filter_map(|place| {
            let problem = place.partition().err()?;
            Some(format!("{place}: unknown shape: {problem}"))
        })
        .collect()
}

/// Global partitions are read and written by exact key only: a query could list what belongs to others. A write that
/// puts an item into such a partition of an index could only serve a query.
pub fn global_by_exact_key(calls: &[Call]) -> Vec<String> {
    places(calls)
        .filter(|place| place.partition() == Ok(Partition::Global) && !place.is_exact())
        .map(|place| format!("{place}: a global partition is for exact keys only"))
        .collect()
}

/// What is due, of all tenants, is nothing that an API request may look at: it may only put there what is its own.
pub fn due_is_only_written(calls: &[Call]) -> Vec<String> {
    places(calls)
        .filter(|place| place.partition() == Ok(Partition::Due) && place.placed_in.is_none())
        .map(|place| format!("{place}: what is due crosses tenants"))
        .collect()
}

/// All scopes of one API request lie on one path from the root of the tree.
pub fn on_one_line(calls: &[Call]) -> Vec<String> {
    let mut deepest = Scope::platform();
    let mut violations = Vec::new();
    for (place, scope, _) in scoped_places(calls) {
        if deepest.contains(&scope) {
            deepest = scope;
        } else if !scope.contains(&deepest) {
            violations.push(format!("{place}: not on one line with {deepest}"));
        }
    }
    violations
}

/// Nothing outside the caller's home is touched, but for the rows about the home that its parent keeps.
pub fn at_home(calls: &[Call], caller: &Caller) -> Vec<String> {
    let home = caller.home.scope();
    scoped_places(calls)
        .filter(|(place, scope, collection)| {
            !home.contains(scope)
                && !is_row_of_line(place, &home)
                && !is_parents_counter(place, scope, collection, &home)
                && !is_user_of_line(place, scope, collection, &home)
        })
        .map(|(place, ..)| format!("{place}: outside the caller's home {home}"))
        .collect()
}

/// At most `max` calls reached the engine, retries included.
pub fn budget(calls: &[Call], max: usize) -> Vec<String> {
    if calls.len() <= max {
        return Vec::new();
    }
    let operations: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
    let (count, list) = (operations.len(), operations.join(", "));
    vec![format!("{count} round trips instead of {max}: {list}")]
}

/// Every rule about keys, for a caller if it is known.
pub(crate) fn violations(calls: &[Call], caller: Option<&Caller>) -> Vec<String> {
    let mut violations = keyed(calls);
    violations.extend(well_formed(calls));
    violations.extend(global_by_exact_key(calls));
    violations.extend(due_is_only_written(calls));
    violations.extend(on_one_line(calls));
    if let Some(caller) = caller {
        violations.extend(at_home(calls, caller));
    }
    violations
}

/// The row about the home, or about a node above it, which may be read and checked but not changed.
fn is_row_of_line(place: &Place<'_>, home: &Scope) -> bool {
    let Some(node) = home.line().find(|node| place.is_row_of(node)) else {
        return false;
    };
    place.is_exact() && (node == *home || !place.touch.is_write())
}

/// A count that the home's parent keeps, such as how many agencies a tenant holds.
fn is_parents_counter(place: &Place<'_>, scope: &Scope, collection: &str, home: &Scope) -> bool {
    place.is_exact() && collection == HOLDS && home.parent().as_ref() == Some(scope)
}

/// A user of a node above the home, who may act in it: whether they are there may be made a condition, and nothing of them be read.
fn is_user_of_line(place: &Place<'_>, scope: &Scope, collection: &str, home: &Scope) -> bool {
    place.touch.action == "ConditionCheckItem" && collection == USER && scope.contains(home)
}

/// A key that a call names, in the table or, for a write, in an index.
struct Place<'a> {
    touch: &'a Touch,
    key: &'a Key,
    /// The index that a write puts the item into.
    placed_in: Option<&'a str>,
}

impl Place<'_> {
    fn partition(&self) -> Result<Partition, String> {
        Partition::parse(&self.key.partition)
    }

    fn is_exact(&self) -> bool {
        self.placed_in.is_none() && self.touch.is_exact()
    }

    fn is_row_of(&self, node: &Scope) -> bool {
        let row = (self.key.partition.as_str(), self.key.sort.as_deref());
        node.row().is_some_and(|(partition, sort)| row == (partition.as_str(), Some(sort.as_str())))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.placed_in {
            Some(index) => write!(f, "{} into {index} {}", self.touch.action, self.key),
            None => self.touch.fmt(f),
        }
    }
}

fn places(calls: &[Call]) -> impl Iterator<Item = Place<'_>> {
    calls.iter().flat_map(|call| &call.touches).flat_map(|touch| {
        let named = touch.key.iter().map(move |key| Place { touch, key, placed_in: None });
        let placed = touch.index_keys.iter().map(move |placed| Place {
            touch,
            key: &placed.key,
            placed_in: Some(&placed.index),
        });
        named.chain(placed)
    })
}

/// The places in somebody's partition, with whose and which.
fn scoped_places(calls: &[Call]) -> impl Iterator<Item = (Place<'_>, Scope, String)> {
    places(calls).filter_map(|place| match place.partition() {
        Ok(Partition::Scoped { scope, collection }) => Some((place, scope, collection)),
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

    /// A call that names one key. A query names no sort key.
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
        Call { operation: action.to_owned(), touches: vec![touch], unreadable: None, answer: None }
    }

    /// A put that also goes into an index.
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
    fn a_request_of_one_client_keeps_every_rule() {
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

    /// A query of a partition of an index.
    fn indexed_query(index: &str, partition: &str) -> Call {
        let mut call = call("Query", partition, "");
        call.touches[0].index = Some(index.to_owned());
        call
    }

    #[test]
    fn a_partition_of_an_index_is_a_clients_as_one_of_the_table_is() {
        let contact = Uuid::from_u128(7);
        for (index, collection) in [
            ("sorted", "CONTACT#NAME".to_owned()),
            ("changed", "CONTACT#CHANGED".to_owned()),
            ("contact", format!("CONTACT#{contact}")),
        ] {
            for caller in [client_user(), agency_user()] {
                let own = [indexed_query(index, &format!("{}{collection}", client()))];
                assert_eq!(violations(&own, Some(&caller)), Vec::<String>::new());
                let foreign = [indexed_query(index, &format!("{}{collection}", Scope::client(T, OTHER, C)))];
                assert_broken(&violations(&foreign, Some(&caller)), "outside the caller's home");
            }
            let nobodys = [indexed_query(index, &collection)];
            assert_broken(&violations(&nobodys, None), "unknown shape");
        }
    }

    #[test]
    fn a_batch_is_of_one_line_and_of_the_callers_home() {
        let mut batch = call("BatchGetItem", &format!("{}TERM", client()), "ada@example.com");
        batch.touches.extend(call("BatchGetItem", &format!("{}CONTACT", client()), "id").touches);
        assert_eq!(violations(&[batch.clone()], Some(&client_user())), Vec::<String>::new());
        let sibling = Scope::client(T, A, OTHER);
        batch.touches.extend(call("BatchGetItem", &format!("{sibling}CONTACT"), "id").touches);
        assert_broken(&violations(&[batch.clone()], None), "not on one line");
        assert_broken(&at_home(&[batch], &client_user()), "outside the caller's home");
    }

    #[test]
    fn a_scan_or_a_statement_is_refused() {
        for operation in ["Scan", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"] {
            let mut call = call(operation, "", "");
            call.touches[0].key = None;
            assert_broken(&violations(&[call], None), "reaches beyond named keys");
        }
    }

    #[test]
    fn a_request_that_cannot_be_read_is_refused() {
        let mut call = call("Query", &format!("{}CONTACT", client()), "");
        call.unreadable = Some("no key condition".to_owned());
        assert_broken(&violations(&[call], None), "no key condition");
    }

    #[test]
    fn a_key_of_unknown_shape_is_refused() {
        let calls = [call("GetItem", "CONTACT", "id")];
        assert_broken(&violations(&calls, None), "unknown shape");
        let calls = [indexed_put(&format!("{}CONTACT", client()), "CONTACT#NAME")];
        assert_broken(&violations(&calls, None), "PutItem into gsi1 CONTACT#NAME");
    }

    #[test]
    fn a_global_partition_is_never_queried_nor_indexed() {
        let calls = [call("Query", "GLOBAL#EMAIL#x", "")];
        assert_broken(&violations(&calls, None), "exact keys only");
        let calls = [indexed_put(&format!("{}CONTACT", client()), "GLOBAL#EMAIL#x")];
        assert_broken(&violations(&calls, None), "exact keys only");
    }

    #[test]
    fn what_is_due_is_put_there_and_never_read() {
        let calls = [indexed_put(&format!("{}MAIL", client()), "DUE#MAIL")];
        assert_eq!(violations(&calls, Some(&client_user())), Vec::<String>::new());
        assert_broken(&violations(&[call("Query", "DUE#MAIL", "")], None), "crosses tenants");
    }

    #[test]
    fn siblings_in_one_request_are_refused_without_a_caller_too() {
        let sibling = Scope::client(T, A, OTHER);
        let calls = [
            call("GetItem", &format!("{}CONTACT", client()), "id"),
            call("GetItem", &format!("{sibling}CONTACT"), "id"),
        ];
        assert_broken(&violations(&calls, None), "not on one line");
    }

    #[test]
    fn an_index_key_counts_as_a_place() {
        let sibling = Scope::client(T, A, OTHER);
        let calls = [indexed_put(&format!("{}CONTACT", client()), &format!("{sibling}CONTACT#NAME"))];
        assert_broken(&on_one_line(&calls), "PutItem into gsi1");
        assert_broken(&at_home(&calls, &client_user()), "outside the caller's home");
    }

    #[test]
    fn the_platform_is_outside_an_agencys_home() {
        let calls = [call("GetItem", "PLATFORM#USER", &OTHER.to_string())];
        assert_broken(&violations(&calls, Some(&agency_user())), "outside the caller's home");
        let platform = Caller { home: Home::Platform };
        assert_eq!(violations(&calls, Some(&platform)), Vec::<String>::new());
    }

    #[test]
    fn the_homes_row_is_touched_by_exact_key_only() {
        let clients = format!("T#{T}#A#{A}#CLIENT");
        let own = [call("UpdateItem", &clients, &C.to_string())];
        assert_eq!(at_home(&own, &client_user()), Vec::<String>::new());
        let all = [call("Query", &clients, "")];
        assert_broken(&at_home(&all, &client_user()), "outside the caller's home");
        let siblings = [call("GetItem", &clients, &OTHER.to_string())];
        assert_broken(&at_home(&siblings, &client_user()), "outside the caller's home");
    }

    #[test]
    fn a_row_further_up_the_line_is_not_written() {
        let agencies = format!("T#{T}#AGENCY");
        let check = [call("ConditionCheckItem", &agencies, &A.to_string())];
        assert_eq!(at_home(&check, &client_user()), Vec::<String>::new());
        let update = [call("UpdateItem", &agencies, &A.to_string())];
        assert_broken(&at_home(&update, &client_user()), "outside the caller's home");
        assert_eq!(at_home(&update, &agency_user()), Vec::<String>::new());
    }

    #[test]
    fn a_user_further_up_the_line_is_a_condition_and_no_more() {
        let users = format!("T#{T}#A#{A}#USER");
        for above in ["PLATFORM#USER", &users] {
            let check = [call("ConditionCheckItem", above, &OTHER.to_string())];
            assert_eq!(at_home(&check, &client_user()), Vec::<String>::new());
            for action in ["GetItem", "Query", "PutItem"] {
                let read = [call(action, above, &OTHER.to_string())];
                assert_broken(&at_home(&read, &client_user()), "outside the caller's home");
            }
        }
        let elsewhere = [call("ConditionCheckItem", &format!("T#{T}#A#{OTHER}#USER"), &OTHER.to_string())];
        assert_broken(&at_home(&elsewhere, &client_user()), "outside the caller's home");
    }

    #[test]
    fn only_the_parents_counters_are_counted() {
        let parents = [call("UpdateItem", &format!("T#{T}#HOLDS"), "AGENCY")];
        assert_eq!(at_home(&parents, &agency_user()), Vec::<String>::new());
        assert_broken(&at_home(&parents, &client_user()), "outside the caller's home");
        let others = [call("UpdateItem", &format!("T#{OTHER}#HOLDS"), "AGENCY")];
        assert_broken(&at_home(&others, &agency_user()), "outside the caller's home");
    }

    #[test]
    fn round_trips_are_counted() {
        let calls = vec![call("GetItem", &format!("{}CONTACT", client()), "id"); 3];
        assert_eq!(budget(&calls, 3), Vec::<String>::new());
        assert_broken(&budget(&calls, 2), "3 round trips instead of 2: GetItem, GetItem, GetItem");
    }
}
