//! Passwords: Argon2id with the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane), off the async threads.
//!
//! The rules for new ones are those of NIST SP 800-63B, 3.1.1.2: a least length, none about kinds of characters, and none of
//! those that are guessed first.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::value::{InvalidValue, string_value};
use crate::{Problem, Result};

/// A password as it was typed, for comparison with a hash. Normalised (NFKC), so that it does not matter how a keyboard
/// composes a letter; never shown, not even by `Debug`.
#[derive(Clone)]
pub struct Password(String);

/// A password that somebody chooses: at least 12 characters, and not one of those that are guessed first.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

const MIN: usize = 12;

/// Beyond this many characters nothing is hashed: Argon2's own cost does not depend on the length, reading it would.
const MAX: usize = 128;

impl std::str::FromStr for Password {
    type Err = InvalidValue;

    fn from_str(typed: &str) -> std::result::Result<Self, InvalidValue> {
        if typed.chars().take(MAX + 1).count() > MAX {
            return Err(InvalidValue::new("too_long", "must be at most 128 characters long"));
        }
        Ok(Self(typed.nfkc().collect()))
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

// A password is read and never written; the impl exists because a request body is described as a whole.
impl Serialize for Password {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

string_value!([] NewPassword, "NewPassword", |schema| schema
    .description(Some("12 to 128 characters of any kind, and not one of those that are guessed first."))
    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Password)))
    .min_length(Some(MIN))
    .max_length(Some(MAX)));

impl std::str::FromStr for NewPassword {
    type Err = InvalidValue;

    fn from_str(typed: &str) -> std::result::Result<Self, InvalidValue> {
        let password: Password = typed.parse()?;
        // One character may be composed of many, but it is typed as one.
        if typed.chars().count().min(password.0.chars().count()) < MIN {
            return Err(InvalidValue::new("too_short", "must be at least 12 characters long"));
        }
        if is_common(&password.0) {
            return Err(InvalidValue::new(
                "too_common",
                "must not be a password that many have, or that is easily guessed",
            ));
        }
        Ok(Self(password))
    }
}

/// Whether it is among the first hundred thousand guesses of somebody who has lists of common passwords and knows the usual
/// repetitions and rows of keys. It is judged by its beginning, so that looking takes no longer than hashing, whatever it is.
fn is_common(password: &str) -> bool {
    const GUESSES: u64 = 100_000;
    const BEGINNING: usize = 24;
    let beginning: String = password.chars().take(BEGINNING).collect();
    zxcvbn::zxcvbn(&beginning, &["upzento"]).guesses() < GUESSES
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// The PHC string to store for a password.
pub async fn hash(NewPassword(password): NewPassword) -> Result<String> {
    blocking(move || argon2().hash_password(password.0.as_bytes()).map(|hash| hash.to_string()))
        .await?
        .map_err(Problem::internal)
}

/// Whether the password is the one that was hashed. Without a hash it takes as long and says no, so that an answer's time
/// does not tell whether an account exists.
pub async fn verify(password: Password, hash: Option<String>) -> Result<bool> {
    blocking(move || {
        let matches = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS_HASH))
            .is_ok_and(|hash| argon2().verify_password(password.0.as_bytes(), &hash).is_ok());
        matches && hash.is_some()
    })
    .await
}

/// A hash of a random text that nobody has kept, with the parameters of every other: comparing with it takes as long.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$v6mlh+b8ce71QVsyBbQPtw$oeyGNndi/CO+Yg0+DVseUy/7ptM1mtbt2DOMLcRRfL0";

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
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
    async fn a_password_matches_its_own_hash_only() {
        let stored = stored("correct horse").await;
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(&stored), ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert_eq!(parameters(&stored), parameters(NOBODYS_HASH), "nobody's takes as long");
        assert!(verify(password("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!verify(password("correct horsf"), Some(stored)).await.unwrap());
        assert!(!verify(password("anything"), None).await.unwrap());
    }

    #[tokio::test]
    async fn the_same_letters_match_however_they_were_composed() {
        let stored = stored("Zo\u{eb} was here").await;
        assert!(verify(password("Zoe\u{308} was here"), Some(stored)).await.unwrap());
    }

    #[test]
    fn length_is_bounded_before_anything_is_hashed() {
        assert!("x".repeat(128).parse::<Password>().is_ok());
        assert!("x".repeat(129).parse::<Password>().is_err());
        assert!("x".repeat(11).parse::<NewPassword>().is_err());
        assert!("\u{fdfa}".parse::<NewPassword>().is_err(), "18 characters once it is taken apart");
        assert!("éàüöñçßøåæðþ".parse::<NewPassword>().is_ok());
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        let common = [
            "password1234",
            "passwordpassword",
            "123456789012",
            "qwertyuiop12",
            "administrator",
            "!@#$%^&*()_+",
            "Upzentoupzento",
        ];
        for common in common.iter().map(ToString::to_string).chain(["a".repeat(128)]) {
            assert!(common.parse::<NewPassword>().is_err(), "{common}");
        }
        for good in ["correct horse battery staple", "upzento-demo", "all lower case", "7391-5526-8040"] {
            assert!(good.parse::<NewPassword>().is_ok(), "{good}");
        }
    }
}
