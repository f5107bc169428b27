//! Access patterns for `DATA-MODEL.md`, rendered from the keys of the modules.
//!
//! Each module calls its own key functions with the scopes and ids of [`Samples`]. The page shows a placeholder for
//! each scope and id.

use std::any::type_name;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::fmt::Display;

use uuid::Uuid;

use super::entity::{Entity, Layout};
use super::key::{Bounds, DUE, DueQueue, IndexKey, Key, List, SEPARATOR};
use super::scope_items::{agency_pointer, child_count, client_pointer, health};
use crate::identity::{AgencyScope, ClientScope, HomeScope, PlatformScope, TenantScope};
use crate::value::{Date, Id, Instant};

/// One row of the page.
pub(crate) struct AccessPattern {
    /// The use, in words.
    pub(crate) words: &'static str,
    /// The operations of DynamoDB.
    pub(crate) operation: &'static str,
    /// The index; `None` for the table itself.
    pub(crate) index: Option<&'static str>,
    /// The partition key.
    pub(crate) partition: String,
    /// The sort key.
    pub(crate) sort: String,
    /// The bounds of the sort keys, if the list has any.
    pub(crate) bounds: Option<String>,
    /// The type of the items.
    pub(crate) entity: String,
    /// The encoding of the items.
    pub(crate) layout: Layout,
}

/// The operation for an item that is written or checked, but never read.
pub(crate) const TRANSACTION_ONLY: &str = "transaction only";

/// Scopes and ids for keys, and their placeholders.
#[derive(Default)]
pub(crate) struct Samples {
    /// Texts of keys with their placeholders.
    placeholders: RefCell<Vec<(String, String)>>,
    /// The index keys of the sample items: index, partition key, entity.
    index_keys: RefCell<Vec<(&'static str, String, String)>>,
}

impl Samples {
    /// The platform.
    pub(crate) fn platform() -> PlatformScope {
        PlatformScope::root()
    }

    /// A tenant.
    pub(crate) fn tenant(&self) -> TenantScope {
        self.scope(Self::platform().tenant(self.id("tenantId")), "tenant")
    }

    /// An agency.
    pub(crate) fn agency(&self) -> AgencyScope {
        self.scope(self.tenant().agency(self.id("agencyId")), "agency")
    }

    /// A client.
    pub(crate) fn client(&self) -> ClientScope {
        self.scope(self.agency().client(self.id("clientId")), "client")
    }

    /// The home of a user.
    pub(crate) fn home(&self) -> HomeScope {
        self.scope(self.agency().client(self.id("homeId")).into(), "home")
    }

    /// A sample item from its stored fields.
    pub(crate) fn item<T: Entity>(fields: serde_json::Value) -> T {
        serde_json::from_value(fields).unwrap()
    }

    /// The id with a name.
    pub(crate) fn id<T>(&self, name: &str) -> Id<T> {
        let id: Id<T> = Id::from_uuid(Uuid::from_u128(self.number(name)));
        self.placeholder(&id.to_key(), name);
        id
    }

    /// The time with a name, in 2026.
    pub(crate) fn instant(&self, name: &str) -> Instant {
        let instant: Instant = format!("2026-03-08T06:30:00.{:03}Z", self.number(name)).parse().unwrap();
        self.placeholder(&instant, name);
        self.placeholder("2026-03", "month");
        instant
    }

    /// The date with a name.
    pub(crate) fn date(&self, name: &str) -> Date {
        let date: Date = format!("{}-01-01", 2100 + self.number(name)).parse().unwrap();
        self.placeholder(&date, name);
        date
    }

    /// Shows a text of a key as a placeholder.
    pub(crate) fn placeholder(&self, text: &(impl Display + ?Sized), name: &str) {
        self.replace(text.to_string(), format!("<{name}>"));
    }

    fn scope<S: Display>(&self, scope: S, name: &str) -> S {
        self.replace(scope.to_string(), format!("<{name}>#"));
        scope
    }

    fn replace(&self, text: String, placeholder: String) {
        let replacement = (text, placeholder);
        let mut placeholders = self.placeholders.borrow_mut();
        if !placeholders.contains(&replacement) {
            placeholders.push(replacement);
        }
    }

    /// A number for a name, equal for equal names.
    fn number(&self, name: &str) -> u128 {
        let placeholder = format!("<{name}>");
        let placeholders = self.placeholders.borrow();
        let number = placeholders.iter().position(|(_, known)| *known == placeholder).unwrap_or(placeholders.len());
        u128::try_from(number + 1).unwrap()
    }

    /// A key with placeholders.
    ///
    /// Longer texts are replaced first, so that a scope is not shown as its ids.
    pub(crate) fn render(&self, key: &str) -> String {
        let mut placeholders = self.placeholders.borrow().clone();
        placeholders.sort_by_key(|(text, _)| Reverse(text.len()));
        let key = placeholders.iter().fold(key.to_owned(), |key, (text, placeholder)| key.replace(text, placeholder));
        key.replace(SEPARATOR, "\\u{1}")
    }

    /// One item by its key, with the operations that read it or write it.
    pub(crate) fn single<T: Entity>(
        &self,
        words: &'static str,
        operation: &'static str,
        key: &Key<T>,
    ) -> AccessPattern {
        AccessPattern {
            words,
            operation,
            index: None,
            partition: self.render(&key.pk),
            sort: self.render(&key.sk),
            bounds: None,
            entity: entity::<T>(),
            layout: T::LAYOUT,
        }
    }

    /// A list of the table; `item` is the key of one of its items.
    pub(crate) fn query<T: Entity, U: Entity>(
        &self,
        words: &'static str,
        list: impl Into<List<T>>,
        item: &Key<U>,
    ) -> AccessPattern {
        let list = list.into();
        assert!(list.index.is_none() && list.pk == item.pk, "{words}: the item is not in the list");
        let bounds = self.bounds(&list.bounds);
        AccessPattern { bounds, entity: entity::<T>(), layout: T::LAYOUT, ..self.single(words, "Query", item) }
    }

    /// A list of an index; `item` is one of its items.
    pub(crate) fn query_index<T: Entity>(
        &self,
        words: &'static str,
        list: &List<T>,
        item: &T,
        key: &Key<T>,
    ) -> AccessPattern {
        let (index, partition) = list.index.as_ref().unwrap();
        assert_eq!(list.pk, key.pk, "{words}: the item is not in the list");
        let index_keys = self.index_keys_of(item, key);
        let is_read = |key: &&IndexKey| key.index.name == index.name && key.pk == *partition;
        let Some(index_key) = index_keys.iter().find(is_read) else {
            panic!("{words}: the item has no such index key")
        };
        AccessPattern {
            index: Some(index.name),
            partition: self.render(partition),
            sort: self.render(&index_key.sk),
            bounds: self.bounds(&list.bounds),
            ..self.single(words, "Query", key)
        }
    }

    /// The items of a queue that are due; `item` is one of them.
    pub(crate) fn due<T: Entity>(
        &self,
        words: &'static str,
        queue: &DueQueue<T>,
        item: &T,
        key: &Key<T>,
    ) -> AccessPattern {
        for partition in queue.partitions() {
            self.replace(partition, queue.partition_pattern());
        }
        let [IndexKey { pk, sk, .. }] = &self.index_keys_of(item, key)[..] else { panic!("{words}: one index key") };
        let is_in_queue = queue.partitions().any(|partition| partition == *pk);
        assert!(is_in_queue && queue.item(&key.pk, &key.sk).is_some(), "{words}: another queue");
        AccessPattern {
            index: Some(DUE.name),
            partition: self.render(pk),
            sort: self.render(sk),
            bounds: Some("up to now".to_owned()),
            ..self.single(words, "Query", key)
        }
    }

    /// The index keys of the sample items that no pattern reads.
    pub(crate) fn unread_index_keys(&self, patterns: &[AccessPattern]) -> Vec<String> {
        let index_keys = self.index_keys.borrow();
        let unread = index_keys.iter().filter(|(index, partition, entity)| {
            let is_read = |pattern: &AccessPattern| {
                pattern.index == Some(index) && pattern.partition == *partition && pattern.entity == *entity
            };
            !patterns.iter().any(is_read)
        });
        unread.map(|(index, partition, entity)| format!("{entity} in {index} at {partition}")).collect()
    }

    fn index_keys_of<T: Entity>(&self, item: &T, key: &Key<T>) -> Vec<IndexKey> {
        let index_keys = item.index_keys(key);
        let rendered = index_keys.iter().map(|key| (key.index.name, self.render(&key.pk), entity::<T>()));
        self.index_keys.borrow_mut().extend(rendered);
        index_keys
    }

    fn bounds(&self, bounds: &Bounds) -> Option<String> {
        let text = |key: &str| format!("`{}`", self.render(key));
        match bounds {
            Bounds::None => None,
            Bounds::Prefix(prefix) => Some(format!("begins with {}", text(prefix))),
            Bounds::From(from) => Some(format!("from {}", text(from))),
            Bounds::Between(from, to) => Some(format!("from {} to {}", text(from), text(to))),
        }
    }
}

/// The name of a type without the paths: `Record<Tag>`.
fn entity<T>() -> String {
    let name = type_name::<T>();
    let parts = name.split_inclusive(['<', '>', ',', ' ']);
    parts.map(|part| part.rsplit("::").next().unwrap_or(part)).collect()
}

/// The access patterns of the items that every scope has.
pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    vec![
        samples.single("existence and number of children of a tenant", "GetItem", &child_count(samples.tenant())),
        samples.single("existence and number of children of an agency", "GetItem", &child_count(samples.agency())),
        samples.single("existence and number of children of a client", "GetItem", &child_count(samples.client())),
        samples.single("the tenant of an agency", "GetItem", &agency_pointer(samples.id("agencyId"))),
        samples.single("the tenant and the agency of a client", "GetItem", &client_pointer(samples.id("clientId"))),
        samples.single("availability of the table; never exists", "GetItem", &health()),
    ]
}
