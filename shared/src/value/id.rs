//! Typed ids (`UUIDv7`).
//!
//! The compiler distinguishes ids by what they identify: a contact's id is not accepted for a tag's.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use data_encoding::BASE32_DNSSEC;
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::{ContextV7, Timestamp, Uuid};

use super::{Clock, InvalidValue, ValidationErrors, parse_string};

/// The id of a `T`: a UUID, written in lower case with hyphens.
///
/// Ids sort by creation time (RFC 9562, version 7).
pub struct Id<T> {
    uuid: Uuid,
    identifies: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// An id with the given UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, identifies: PhantomData }
    }

    /// The UUID.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The form of the id in keys: base32hex in lower case (RFC 4648, 7).
    ///
    /// It has 26 characters and the sort order of the ids.
    pub fn to_key(self) -> String {
        BASE32_DNSSEC.encode(self.uuid.as_bytes())
    }

    /// The id with this form in keys.
    pub fn from_key(text: &str) -> Option<Self> {
        let bytes = BASE32_DNSSEC.decode(text.as_bytes()).ok()?;
        let id = Self::from_uuid(Uuid::from_slice(&bytes).ok()?);
        // Upper case is decoded too.
        (id.to_key() == text).then_some(id)
    }
}

impl<T> FromStr for Id<T> {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Uuid::try_parse(text)
            .ok()
            .filter(|uuid| uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text)
            .map(Self::from_uuid)
            .ok_or(InvalidValue::new("invalid_id", "must be a UUID in lower case with hyphens"))
    }
}

impl<T> Deserr<ValidationErrors> for Id<T> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        parse_string(value, location)
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.hyphenated().fmt(f)
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from_uuid)
    }
}

impl<T> PartialSchema for Id<T> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))).into()
    }
}

impl<T> ToSchema for Id<T> {}

// Not derived: a derive would require the same traits of `T`, which is only a marker.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

/// Generates ids from the injected clock.
///
/// Within a process, each id is greater than the ones before, also within a millisecond.
#[derive(Clone, Debug)]
pub struct IdMaker {
    clock: Clock,
    context: Arc<Mutex<ContextV7>>,
}

impl IdMaker {
    /// A generator of ids with the time of `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, context: Arc::new(Mutex::new(ContextV7::new())) }
    }

    /// A new id.
    pub fn make<T>(&self) -> Id<T> {
        let now = self.clock.now().to_utc();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let timestamp = Timestamp::from_unix(&*self.context, seconds, now.timestamp_subsec_nanos());
        Id::from_uuid(Uuid::new_v7(timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_only_parsed_from_its_canonical_form() {
        let id: Id<()> = IdMaker::new(Clock::default()).make();
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        for other in [text.to_uppercase(), text.replace('-', ""), format!("{{{text}}}"), String::new()] {
            assert!(other.parse::<Id<()>>().is_err(), "{other}");
        }
    }

    #[test]
    fn key_form_reads_back_and_sorts_as_the_ids_do() {
        let ids = IdMaker::new(Clock::default());
        let made: Vec<Id<()>> = (0..1000).map(|_| ids.make()).collect();
        let keys: Vec<_> = made.iter().map(|id| id.to_key()).collect();
        assert!(keys.is_sorted() && keys.iter().all(|key| key.len() == 26));
        assert_eq!(keys.iter().map(|key| Id::from_key(key).unwrap()).collect::<Vec<_>>(), made);
        for other in ["", "0", &keys[0].to_uppercase(), &made[0].to_string(), &keys[0][1..]] {
            assert!(other == keys[0] || Id::<()>::from_key(other).is_none(), "{other}");
        }
    }

    #[test]
    fn ids_increase_within_a_millisecond() {
        let ids = IdMaker::new(Clock::default());
        let made: Vec<Id<()>> = (0..10_000).map(|_| ids.make()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
