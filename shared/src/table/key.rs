//! Keys: the partition and sort key of an item, and its keys in the indexes.
//!
//! Only this layer makes a key, and only from a scope, so that a caller can make keys only in its own scopes.
//! Each module defines the keys of its entities in its `keys.rs`.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use crate::identity::{AgencyScope, ClientScope, HomeScope, PLATFORM_PREFIX, PlatformScope, TenantScope};
use crate::value::{Date, Id, Instant, Month, Rank};

/// A separator that sorts before every character of a text.
///
/// "Ann" followed by the separator sorts before "Ann-Marie".
pub(crate) const SEPARATOR: char = '\u{1}';

/// A scope. Its text is the prefix of all keys in the scope.
pub trait Scope: Copy + Display + Send + Sync {}

impl Scope for PlatformScope {}
impl Scope for TenantScope {}
impl Scope for AgencyScope {}
impl Scope for ClientScope {}
impl Scope for HomeScope {}

/// A part of a key. Parts of a tuple are joined by `#`.
///
/// Ids have a shorter form in keys: 26 characters instead of 36, in the same order.
pub trait KeyPart {
    /// Appends the part to a key.
    fn append(&self, key: &mut String);
}

macro_rules! key_part_by_display {
    ($($type:ty),*) => {$(
        impl KeyPart for $type {
            fn append(&self, key: &mut String) {
                use fmt::Write as _;
                let _ = write!(key, "{self}");
            }
        }
    )*};
}

key_part_by_display!(char, str, String, Date, Instant, Month, Rank);

impl<T> KeyPart for Id<T> {
    fn append(&self, key: &mut String) {
        key.push_str(&self.to_key());
    }
}

impl<P: KeyPart + ?Sized> KeyPart for &P {
    fn append(&self, key: &mut String) {
        (**self).append(key);
    }
}

macro_rules! key_part_of_tuple {
    ($first:ident $(, $rest:ident)+) => {
        impl<$first: KeyPart $(, $rest: KeyPart)+> KeyPart for ($first, $($rest),+) {
            #[allow(non_snake_case, reason = "the names of the type parameters name the fields, too")]
            fn append(&self, key: &mut String) {
                let ($first, $($rest),+) = self;
                $first.append(key);
                $(
                    key.push('#');
                    $rest.append(key);
                )+
            }
        }
    };
}

key_part_of_tuple!(A, B);
key_part_of_tuple!(A, B, C);

/// The text of a key part.
pub(crate) fn key_text(part: impl KeyPart) -> String {
    let mut text = String::new();
    part.append(&mut text);
    text
}

/// The key of an item of type `T`.
pub struct Key<T> {
    pub(super) pk: String,
    pub(super) sk: String,
    entity: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    pub(super) fn new(pk: String, sk: String) -> Self {
        Self { pk, sk, entity: PhantomData }
    }

    /// The key of a global item, which is found by its exact key, without a scope.
    ///
    /// Global items are pointers and counters only.
    pub(crate) fn global(kind: &str, id: impl KeyPart) -> Self {
        Self::new(format!("GLOBAL#{kind}#{}", key_text(id)), AT.to_owned())
    }

    /// The key of a tenant's own item in a collection of the platform.
    pub(crate) fn of_tenant(tenant: TenantScope, collection: impl KeyPart) -> Self {
        Self::new(format!("{PLATFORM_PREFIX}{}", key_text(collection)), key_text(tenant.id()))
    }

    /// The client that the item belongs to; `None` for an item outside of a client.
    ///
    /// Only a scope makes a key, so that a key is evidence of its client.
    pub(crate) fn client(&self) -> Option<ClientScope> {
        ClientScope::of_key(&self.pk)
    }

    /// The sort key, for logs.
    pub fn sort_key(&self) -> &str {
        &self.sk
    }
}

/// The sort key of the only item of a partition.
const AT: &str = "AT";

// Not derived, because a derive would require the same traits of `T`, which is only a marker.
impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        Self::new(self.pk.clone(), self.sk.clone())
    }
}
impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        (&self.pk, &self.sk) == (&other.pk, &other.sk)
    }
}
impl<T> Eq for Key<T> {}

/// A partition of items of one type, ordered by their sort keys.
pub struct Partition<T> {
    pub(super) pk: String,
    entity: PhantomData<fn() -> T>,
}

impl<T> Partition<T> {
    /// A collection in a scope.
    pub(crate) fn new(scope: impl Scope, collection: impl KeyPart) -> Self {
        Self { pk: format!("{scope}{}", key_text(collection)), entity: PhantomData }
    }

    /// The item with this sort key.
    pub(crate) fn item(self, sort_key: impl KeyPart) -> Key<T> {
        Key::new(self.pk, key_text(sort_key))
    }

    /// The only item of the partition.
    pub(crate) fn single(self) -> Key<T> {
        self.item(AT)
    }

    /// The same partition, with its items read as another type.
    ///
    /// The type may have fewer fields.
    pub(crate) fn cast<U>(self) -> Partition<U> {
        Partition { pk: self.pk, entity: PhantomData }
    }

    /// All items of the partition: [`List::from`], for method chains.
    pub(crate) fn all(self) -> List<T> {
        List::from(self)
    }
}

/// An index and the attributes of its key.
#[derive(Debug)]
pub struct Index {
    pub(super) name: &'static str,
    pub(super) pk: &'static str,
    pub(super) sk: &'static str,
}

/// A global index. `DATA-MODEL.md` lists what each index contains.
pub(crate) const GSI1: Index = Index { name: "gsi1", pk: "p1", sk: "s1" };
/// A global index; see [`GSI1`].
pub(crate) const GSI2: Index = Index { name: "gsi2", pk: "p2", sk: "s2" };
/// A global index; see [`GSI1`].
pub(crate) const GSI3: Index = Index { name: "gsi3", pk: "p3", sk: "s3" };
/// A global index; see [`GSI1`].
pub(crate) const GSI4: Index = Index { name: "gsi4", pk: "p4", sk: "s4" };
/// A global index; see [`GSI1`].
pub(crate) const GSI5: Index = Index { name: "gsi5", pk: "p5", sk: "s5" };
/// The index of due items.
///
/// Projects the keys only. No other index has items of several tenants in one partition.
pub(super) const DUE: Index = Index { name: "due", pk: "dp", sk: "ds" };

/// The key of an item in one index.
#[derive(Debug)]
pub struct IndexKey {
    pub(super) index: &'static Index,
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Index {
    /// The key of an item in this index, in a collection of a scope.
    pub(crate) fn key(&'static self, scope: impl Scope, collection: impl KeyPart, sort_key: impl KeyPart) -> IndexKey {
        IndexKey { index: self, pk: format!("{scope}{}", key_text(collection)), sk: key_text(sort_key) }
    }
}

/// Items of one partition, in the order of the table or of an index, within bounds.
pub struct List<T> {
    /// The table's partition with all items of the list.
    pub(super) pk: String,
    /// The index and its partition; `None` for the order of the table.
    pub(super) index: Option<(&'static Index, String)>,
    pub(super) bounds: Bounds,
    entity: PhantomData<fn() -> T>,
}

/// Bounds of the sort keys of a list.
pub(crate) enum Bounds {
    /// No bounds.
    None,
    /// Sort keys with this prefix.
    Prefix(String),
    /// Sort keys that are greater than or equal to this.
    From(String),
    /// Sort keys between these two, both included.
    Between(String, String),
}

impl<T> From<Partition<T>> for List<T> {
    fn from(partition: Partition<T>) -> Self {
        Self { pk: partition.pk, index: None, bounds: Bounds::None, entity: PhantomData }
    }
}

impl<T> List<T> {
    /// The items in the order of an index, of this collection of the scope.
    pub(crate) fn by(mut self, index: &'static Index, scope: impl Scope, collection: impl KeyPart) -> Self {
        self.index = Some((index, format!("{scope}{}", key_text(collection))));
        self
    }

    /// The items with sort keys within bounds.
    pub(crate) fn bounded(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// The key of an item of this list, by its sort key in the table.
    pub(super) fn item(&self, sk: String) -> Key<T> {
        Key::new(self.pk.clone(), sk)
    }

    /// The queried partition; it identifies the list and the scope.
    pub(crate) fn partition(&self) -> &str {
        self.index.as_ref().map_or(&self.pk, |(_, pk)| pk)
    }
}

/// A queue in the index of due items.
///
/// All items of a queue are in partitions of the same collection, such as the jobs of all clients. In the index,
/// a queue is spread over several partitions: a single one would throttle a burst of items, and with them the
/// transactions that write them.
pub struct DueQueue<T> {
    collection: &'static str,
    shard_by: ShardBy,
    entity: PhantomData<fn() -> T>,
}

/// The id that assigns an item of a queue to a partition of the index.
#[derive(Clone, Copy)]
pub(crate) enum ShardBy {
    /// The id of the item's client: all items of a client are in one partition.
    Client,
    /// The id at the beginning of the item's sort key.
    Item,
}

/// The number of partitions of each queue in the index of due items.
const SHARDS: u128 = 16;

impl<T> DueQueue<T> {
    /// A queue of the items of a collection.
    pub(crate) const fn new(collection: &'static str, shard_by: ShardBy) -> Self {
        Self { collection, shard_by, entity: PhantomData }
    }

    /// The key of an item of the index or the stream, if it belongs to this queue.
    pub(crate) fn item(&self, pk: &str, sk: &str) -> Option<Key<T>> {
        let belongs = pk.strip_suffix(self.collection).is_some_and(|scope| scope.ends_with('#'));
        belongs.then(|| Key::new(pk.to_owned(), sk.to_owned()))
    }

    /// The key of an item in the index; none if the item is never due.
    pub(crate) fn index_key(&self, due: Option<Instant>, key: &Key<T>) -> Vec<IndexKey> {
        let pk = self.partition(self.shard_by.shard(key));
        due.map(|due| IndexKey { index: &DUE, pk, sk: format!("{due}#{}", key.sk) }).into_iter().collect()
    }

    /// The partitions of the queue in the index.
    pub(super) fn partitions(&self) -> impl Iterator<Item = String> {
        (0..SHARDS).map(|shard| self.partition(shard))
    }

    /// The name of the partitions of the queue in the index.
    #[cfg(test)]
    pub(super) fn partition_pattern(&self) -> String {
        format!("{}<shard>", self.prefix())
    }

    fn partition(&self, shard: u128) -> String {
        format!("{}{shard:02}", self.prefix())
    }

    fn prefix(&self) -> String {
        format!("DUE#{}#", self.collection)
    }
}

impl ShardBy {
    /// The last bits of the id, which are random (RFC 9562, version 7).
    fn shard<T>(self, key: &Key<T>) -> u128 {
        let uuid = match self {
            Self::Client => key.client().map(|client| client.id().uuid()),
            Self::Item => key.sk.split('#').next().and_then(Id::<T>::from_key).map(Id::uuid),
        };
        uuid.unwrap_or_default().as_u128() % SHARDS
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn parts_of_a_key_are_joined_by_hash_signs() {
        let id: Id<()> = Id::from_uuid(Uuid::nil());
        assert_eq!(key_text(("DEAL", id, "NOTE")), "DEAL#00000000000000000000000000#NOTE");
        assert_eq!(key_text("AT"), "AT");
    }

    #[test]
    fn jobs_of_a_client_share_a_shard_and_all_shards_are_used() {
        let id = |number: u128| Uuid::from_u128(number);
        let agency = PlatformScope::root().tenant(Id::from_uuid(id(1))).agency(Id::from_uuid(id(2)));
        let client = |number| Partition::<()>::new(agency.client(Id::from_uuid(id(number))), "JOB");
        let jobs: DueQueue<()> = DueQueue::new("JOB", ShardBy::Client);
        let mails: DueQueue<()> = DueQueue::new("JOB", ShardBy::Item);
        let item = |number: u128| Id::<()>::from_uuid(id(number));
        let now: Instant = "2026-03-08T06:30:00Z".parse().unwrap();
        let partition = |queue: &DueQueue<()>, key: &Key<()>| queue.index_key(Some(now), key).remove(0).pk;
        for number in 0..64 {
            let shard = format!("DUE#JOB#{:02}", number % SHARDS);
            assert_eq!(partition(&jobs, &client(number).item(item(7))), shard);
            assert_eq!(partition(&mails, &client(7).item(item(number))), shard);
            assert!(jobs.partitions().any(|partition| partition == shard));
        }
        let of_item_3 = client(7).item((item(3), "AT"));
        assert_eq!(partition(&mails, &of_item_3), "DUE#JOB#03", "by the id that begins the sort key");
        assert_eq!(jobs.partitions().count(), 16);
        assert!(jobs.index_key(None, &client(7).item(item(7))).is_empty());
    }

    #[test]
    fn item_of_another_collection_is_not_in_the_queue() {
        let jobs: DueQueue<()> = DueQueue::new("JOB", ShardBy::Client);
        assert!(jobs.item("PLATFORM#JOB", "x").is_some());
        for other in ["PLATFORM#MAIL", "PLATFORM#XJOB", "PLATFORM#JOB#X", "JOB"] {
            assert!(jobs.item(other, "x").is_none(), "{other}");
        }
    }
}
