//! Passwords and their hashes.
//!
//! Hashes are Argon2id with the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane), computed outside
//! of the async threads. The rules for new passwords are those of NIST SP 800-63B, 3.1.1.2: a minimum length,
//! no rules about kinds of characters, and no common passwords.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::value::{InvalidValue, string_value};

/// A password to compare with a hash.
///
/// Normalized (NFKC), so that different keyboards produce the same password. `Debug` does not print it.
#[derive(Clone)]
pub struct Password(String);

/// A new password: at least 12 characters, and not a common one.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

/// The minimum number of characters of a new password.
const MIN: usize = 12;

/// The maximum number of characters of a password.
///
/// The cost of Argon2 does not depend on the length, but the cost of reading the password does.
const MAX: usize = 128;

impl std::str::FromStr for Password {
    type Err = InvalidValue;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidValue> {
        if text.chars().take(MAX + 1).count() > MAX {
            return Err(InvalidValue::new("too_long", "must be at most 128 characters long"));
        }
        Ok(Self(text.nfkc().collect()))
    }
}

string_value!([] Password, "Password", |schema| schema
    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Password)))
    .max_length(Some(MAX)));

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

// A password is never written. The impl exists because utoipa requires it of the fields of a request body.
impl Serialize for Password {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

string_value!([] NewPassword, "NewPassword", |schema| schema
    .description(Some("12 to 128 characters of any kind. Common passwords are rejected."))
    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Password)))
    .min_length(Some(MIN))
    .max_length(Some(MAX)));

impl std::str::FromStr for NewPassword {
    type Err = InvalidValue;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidValue> {
        let password: Password = text.parse()?;
        // NFKC can turn one character into several and several into one; the smaller number counts.
        if text.chars().count().min(password.0.chars().count()) < MIN {
            return Err(InvalidValue::new("too_short", "must be at least 12 characters long"));
        }
        if is_common(&password.0) {
            return Err(InvalidValue::new("too_common", "must not be a common or easily guessed password"));
        }
        Ok(Self(password))
    }
}

/// Whether the estimated number of guesses for a password is below 100,000.
///
/// The estimate considers common passwords, repetitions and rows of keys. It only uses the first 24
/// characters, so that it takes no longer than hashing.
fn is_common(password: &str) -> bool {
    const GUESSES: u64 = 100_000;
    const PREFIX: usize = 24;
    let prefix: String = password.chars().take(PREFIX).collect();
    zxcvbn::zxcvbn(&prefix, &["upzento"]).guesses() < GUESSES
}

/// An internal error: a password could not be hashed or verified.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The hash function failed.
    #[error("the hash function failed: {0}")]
    Hash(#[from] argon2::password_hash::Error),
    /// The thread that computed the hash failed.
    #[error("the thread failed: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// Hashes a password, as a PHC string.
pub async fn hash(NewPassword(password): NewPassword) -> Result<String, PasswordError> {
    blocking(move || argon2().hash_password(password.0.as_bytes()).map(|hash| hash.to_string()))
        .await?
        .map_err(PasswordError::from)
}

/// Whether a password matches a hash.
///
/// Without a hash, the result is false after the same time, so that the response time does not reveal whether
/// an account exists.
pub async fn verify(password: Password, hash: Option<String>) -> Result<bool, PasswordError> {
    blocking(move || {
        let matches = PasswordHash::new(hash.as_deref().unwrap_or(DUMMY_HASH))
            .is_ok_and(|hash| argon2().verify_password(password.0.as_bytes(), &hash).is_ok());
        matches && hash.is_some()
    })
    .await
}

/// A hash of a discarded random text, with the same parameters as all other hashes.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$v6mlh+b8ce71QVsyBbQPtw$oeyGNndi/CO+Yg0+DVseUy/7ptM1mtbt2DOMLcRRfL0";

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
    tokio::task::spawn_blocking(work).await.map_err(PasswordError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        text.parse().unwrap()
    }

    async fn stored(text: &str) -> String {
        hash(text.parse().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn password_matches_only_its_own_hash() {
        let stored = stored("correct horse").await;
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(&stored), ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert_eq!(parameters(&stored), parameters(DUMMY_HASH), "the dummy hash takes as long");
        assert!(verify(password("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!verify(password("correct horsf"), Some(stored)).await.unwrap());
        assert!(!verify(password("anything"), None).await.unwrap());
    }

    #[tokio::test]
    async fn password_matches_in_any_unicode_composition() {
        let stored = stored("Zo\u{eb} was here").await;
        assert!(verify(password("Zoe\u{308} was here"), Some(stored)).await.unwrap());
    }

    #[test]
    fn length_is_limited() {
        assert!("x".repeat(128).parse::<Password>().is_ok());
        assert!("x".repeat(129).parse::<Password>().is_err());
        assert!("x".repeat(11).parse::<NewPassword>().is_err());
        assert!("\u{fdfa}".parse::<NewPassword>().is_err(), "one character that is 18 characters in NFKC");
        assert!("éàüöñçßøåæðþ".parse::<NewPassword>().is_ok());
    }

    #[test]
    fn common_password_is_rejected() {
        let common_passwords = [
            "password1234",
            "passwordpassword",
            "123456789012",
            "qwertyuiop12",
            "administrator",
            "!@#$%^&*()_+",
            "Upzentoupzento",
        ];
        for common in common_passwords.iter().map(ToString::to_string).chain(["a".repeat(128)]) {
            assert!(common.parse::<NewPassword>().is_err(), "{common}");
        }
        for strong in ["correct horse battery staple", "upzento-demo", "all lower case", "7391-5526-8040"] {
            assert!(strong.parse::<NewPassword>().is_ok(), "{strong}");
        }
    }
}
