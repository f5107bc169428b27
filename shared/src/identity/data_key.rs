use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::KeyError;
use super::seal::{KeyedHash, Sealer, Secret};

/// A key of a deployment, for one kind of data.
///
/// Each function gets only the keys that it needs, so that a leaked key reveals one kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataKey {
    /// Seals cursors of lists.
    Cursors,
    /// Hashes requests that may be repeated.
    Requests,
    /// Hashes emails and source addresses, and seals one-time tokens.
    Users,
    /// Seals queued mail.
    Mail,
    /// Seals tokens in URLs, such as those of calendar feeds.
    Links,
}

impl DataKey {
    /// All keys.
    pub const ALL: [Self; 5] = [Self::Cursors, Self::Requests, Self::Users, Self::Mail, Self::Links];

    /// The environment variable with the key, in Base64.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Cursors => "CURSOR_KEY",
            Self::Requests => "REQUEST_KEY",
            Self::Users => "USER_KEY",
            Self::Mail => "MAIL_KEY",
            Self::Links => "LINK_KEY",
        }
    }
}

/// The data keys of a function.
#[derive(Clone)]
pub struct DataKeys(BTreeMap<DataKey, Arc<Secret>>);

impl DataKeys {
    /// The keys with these values, in Base64.
    pub fn new(keys: &BTreeMap<DataKey, String>) -> Result<Self, KeyError> {
        let secrets = keys.iter().map(|(key, value)| Ok((*key, Arc::new(Secret::new(&BASE64.decode(value)?)?))));
        secrets.collect::<Result<_, KeyError>>().map(Self)
    }

    /// Only some of the keys.
    #[must_use]
    pub fn only(&self, needed: impl Fn(DataKey) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| needed(**key)).map(|(key, secret)| (*key, Arc::clone(secret))).collect())
    }

    /// A sealer for one purpose, with a key derived from a data key.
    pub fn sealer(&self, key: DataKey, purpose: &str) -> Result<Sealer, KeyError> {
        self.secret(key)?.sealer(purpose)
    }

    /// A keyed hash for one purpose, with a key derived from a data key.
    pub fn hasher(&self, key: DataKey, purpose: &str) -> Result<KeyedHash, KeyError> {
        self.secret(key)?.hasher(purpose)
    }

    fn secret(&self, key: DataKey) -> Result<&Secret, KeyError> {
        self.0.get(&key).map(Arc::as_ref).ok_or(KeyError::Unset(key.variable()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_without_a_key_can_neither_seal_nor_hash_with_it() {
        let keys = BTreeMap::from([(DataKey::Mail, BASE64.encode([7; 32]))]);
        let keys = DataKeys::new(&keys).unwrap();
        assert!(keys.sealer(DataKey::Mail, "mail").is_ok());
        let error = keys.sealer(DataKey::Users, "token").err().unwrap();
        assert_eq!(error.to_string(), "USER_KEY is not set");
        assert!(keys.hasher(DataKey::Cursors, "cursor").is_err());
    }

    #[test]
    fn keys_have_different_variables() {
        let variables: std::collections::BTreeSet<_> = DataKey::ALL.map(DataKey::variable).into();
        assert_eq!(variables.len(), DataKey::ALL.len());
    }
}
