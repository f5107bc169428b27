//! Entities: the types that the table stores, and how an item encodes them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::condition::Operand;
use super::error::StoreError;
use super::key::{DUE, IndexKey, Key};
use crate::identity::ClientScope;
use crate::value::{Id, Instant};

/// A type that the table stores.
///
/// The implementation and the keys are in the module's `keys.rs`.
pub trait Entity: Serialize + DeserializeOwned + Send + Sized {
    /// The layout of the item.
    const LAYOUT: Layout = Layout::Flat;

    /// Fields that are stored, but are not part of the entity's JSON.
    ///
    /// The entity skips them when it is serialized, and reads them when it is deserialized.
    fn private_fields(&self) -> Result<Vec<(&'static str, Operand)>, StoreError> {
        Ok(Vec::new())
    }

    /// The keys in the indexes, for the current values.
    fn index_keys(&self, key: &Key<Self>) -> Vec<IndexKey> {
        let _ = key;
        Vec::new()
    }
}

/// How the fields of an entity are stored in its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each field is an attribute.
    Flat,
    /// All fields are in one map attribute.
    ///
    /// Indexes project only this attribute, so that the copy in one index does not contain the keys of other
    /// indexes. Fields that the key contains (`id`, `clientId`) are not stored again.
    Document,
}

/// A type with a version and times.
pub trait Versioned: Serialize {
    /// The version and the times.
    fn meta(&self) -> &Meta;
}

/// The version and the times of an entity.
#[derive(Clone, Copy, Debug, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// 1 when created, incremented by each change; also the `ETag`.
    #[schema(minimum = 1)]
    pub version: u64,
    /// The time of creation.
    pub created_at: Instant,
    /// The time of the last change.
    pub updated_at: Instant,
}

impl Meta {
    /// The metadata of a new entity.
    pub const fn created(now: Instant) -> Self {
        Self { version: 1, created_at: now, updated_at: now }
    }

    /// The metadata of the entity's next version.
    #[must_use]
    pub const fn changed(self, now: Instant) -> Self {
        Self { version: self.version + 1, created_at: self.created_at, updated_at: now }
    }

    /// The metadata of the next version if something changes, else that of the current version.
    ///
    /// A change without effect makes no version: a program that synchronizes in both directions would otherwise
    /// see its own writes as changes, without end.
    #[must_use]
    pub const fn changed_if(self, changes: bool, now: Instant) -> Self {
        if changes { self.changed(now) } else { self }
    }
}

/// The version of the stored format.
///
/// Every item has it, so that a later version can upgrade the item on read.
const SCHEMA_VERSION: u32 = 2;
const SCHEMA_VERSION_ATTRIBUTE: &str = "sv";

/// The attribute with the fields of a [`Layout::Document`].
pub(super) const DOCUMENT: &str = "d";

/// The fields of a [`Layout::Document`] that its key contains.
const ID: &str = "id";
const CLIENT_ID: &str = "clientId";

/// Short names for fields that every [`Layout::Document`] has.
///
/// Each copy of an item in an index is billed by its size, which includes the names.
const STORED_NAMES: [(&str, &str); 3] = [("version", "v"), ("createdAt", "c"), ("updatedAt", "u")];

/// The name of a field in a [`Layout::Document`].
pub(super) fn stored_name(field: &str) -> &str {
    STORED_NAMES.iter().find(|(name, _)| *name == field).map_or(field, |(_, stored)| stored)
}

/// The attributes of an item.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The primary key of an item.
pub(super) fn key_attributes<T>(key: &Key<T>) -> Attributes {
    [("pk".to_owned(), string(key.pk.clone())), ("sk".to_owned(), string(key.sk.clone()))].into()
}

/// The item of an entity.
///
/// Absent values are omitted, because storage is billed by size.
pub(super) fn encode<T: Entity>(key: &Key<T>, value: &T) -> Result<Attributes, StoreError> {
    let mut fields: Attributes = serde_dynamo::aws_sdk_dynamodb_1::to_item(value).map_err(StoreError::internal)?;
    fields.extend(value.private_fields()?.into_iter().map(|(name, value)| (name.to_owned(), value.into_attribute())));
    fields.retain(|_, value| !value.is_null());
    fields.insert(SCHEMA_VERSION_ATTRIBUTE.to_owned(), AttributeValue::N(SCHEMA_VERSION.to_string()));
    let keys = key_attributes(key);
    let mut item = match T::LAYOUT {
        Layout::Flat => fields,
        Layout::Document => {
            let ids = [fields.remove(ID), fields.remove(CLIENT_ID)];
            let ids_of_key = ids_of_key(&keys).map(|ids| ids.map(|(_, id)| Some(id)));
            if ids_of_key != Some(ids) || STORED_NAMES.iter().any(|(_, stored)| fields.contains_key(*stored)) {
                return Err(StoreError::internal(
                    "the key of a document has other ids, or a field has a reserved name",
                ));
            }
            for (name, stored) in STORED_NAMES {
                rename(&mut fields, name, stored);
            }
            [(DOCUMENT.to_owned(), AttributeValue::M(fields))].into()
        }
    };
    item.extend(keys);
    for IndexKey { index, pk, sk } in value.index_keys(key) {
        if matches!(T::LAYOUT, Layout::Flat) && index.name != DUE.name {
            return Err(StoreError::internal("an index without the item's fields"));
        }
        item.insert(index.pk.to_owned(), string(pk));
        item.insert(index.sk.to_owned(), string(sk));
    }
    Ok(item)
}

/// The entity of an item, which must be in the partition `pk`.
///
/// The check guarantees that an incorrect query never returns an item of another tenant.
pub(super) fn decode<T: Entity>(item: Attributes, pk: &str) -> Result<T, StoreError> {
    if text(&item, "pk") != Some(pk) {
        return Err(StoreError::internal("an item of another partition"));
    }
    decode_unchecked(item)
}

/// The entity of an item, without a check of its partition.
pub(super) fn decode_unchecked<T: Entity>(mut item: Attributes) -> Result<T, StoreError> {
    let fields = match T::LAYOUT {
        Layout::Flat => item,
        Layout::Document => {
            let Some(AttributeValue::M(mut fields)) = item.remove(DOCUMENT) else {
                return Err(StoreError::internal("an item without its fields"));
            };
            let ids = ids_of_key(&item).ok_or_else(|| StoreError::internal("an item without ids in its key"))?;
            fields.extend(ids);
            for (name, stored) in STORED_NAMES {
                rename(&mut fields, stored, name);
            }
            fields
        }
    };
    serde_dynamo::aws_sdk_dynamodb_1::from_item(fields).map_err(StoreError::internal)
}

fn rename(fields: &mut Attributes, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

/// The fields that the key of an item contains.
fn ids_of_key(item: &Attributes) -> Option<[(String, AttributeValue); 2]> {
    let client = ClientScope::of_key(text(item, "pk")?)?;
    let id: Id<()> = Id::from_key(text(item, "sk")?)?;
    Some([(ID.to_owned(), string(id.to_string())), (CLIENT_ID.to_owned(), string(client.id().to_string()))])
}

/// A text attribute of an item.
pub(super) fn text<'a>(item: &'a Attributes, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn string(text: String) -> AttributeValue {
    AttributeValue::S(text)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::super::key::{GSI1, Partition};
    use super::*;
    use crate::identity::PlatformScope;

    /// A document with ids of its own, which may differ from those of its key.
    #[derive(Serialize, Deserialize)]
    struct Document {
        #[serde(flatten)]
        fields: serde_json::Value,
    }

    impl Entity for Document {
        const LAYOUT: Layout = Layout::Document;
    }

    #[derive(Serialize, Deserialize)]
    struct Flat {}

    impl Entity for Flat {
        fn index_keys(&self, _: &Key<Self>) -> Vec<IndexKey> {
            vec![GSI1.key(client(), "FLAT", "x")]
        }
    }

    fn id<T>() -> Id<T> {
        Id::from_uuid(uuid::Uuid::from_u128(7))
    }

    fn client() -> ClientScope {
        PlatformScope::root().tenant(id()).agency(id()).client(id())
    }

    fn document(fields: serde_json::Value) -> Result<Attributes, StoreError> {
        encode(&Partition::new(client(), "DOCUMENT").item(id::<Document>()), &Document { fields })
    }

    #[test]
    fn document_is_stored_without_the_ids_of_its_key_and_with_short_names() {
        let stored = document(json!({ "id": id::<()>(), "clientId": id::<()>(), "version": 3, "title": "x" })).unwrap();
        let fields = stored[DOCUMENT].as_m().unwrap();
        let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, [SCHEMA_VERSION_ATTRIBUTE, "title", "v"]);
        let pk = text(&stored, "pk").unwrap().to_owned();
        let read: Document = decode(stored, &pk).unwrap();
        assert_eq!(read.fields["version"], 3);
        assert_eq!(read.fields["clientId"], json!(id::<()>()));
    }

    #[test]
    fn document_with_other_ids_than_its_key_is_not_stored() {
        let other: Id<()> = Id::from_uuid(uuid::Uuid::from_u128(8));
        assert!(document(json!({ "id": other, "clientId": id::<()>() })).is_err());
        assert!(document(json!({ "id": id::<()>() })).is_err());
    }

    #[test]
    fn document_with_a_field_of_a_short_name_is_not_stored() {
        assert!(document(json!({ "id": id::<()>(), "clientId": id::<()>(), "v": "x" })).is_err());
    }

    #[test]
    fn flat_item_is_not_stored_in_an_index_without_its_fields() {
        assert!(encode(&Partition::new(client(), "FLAT").item(id::<()>()), &Flat {}).is_err());
    }
}
