//! Authenticated encryption and keyed hashes, with a key for each purpose.
//!
//! Sealed texts are passed to clients or stored: without the key, they can be neither read nor changed
//! (AES-256-GCM, random nonces).

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;

use crate::identity::KeyError;

/// A secret from which a key for each purpose is derived.
///
/// HKDF-SHA256 (RFC 5869).
pub struct Secret(hkdf::Prk);

impl Secret {
    /// A secret from at least 32 random bytes; fails for fewer.
    pub fn new(material: &[u8]) -> Result<Self, KeyError> {
        if material.len() < 32 {
            return Err(KeyError::TooShort);
        }
        Ok(Self(hkdf::Salt::new(hkdf::HKDF_SHA256, b"upzento").extract(material)))
    }

    /// A sealer for one purpose.
    pub fn sealer(&self, purpose: &str) -> Result<Sealer, KeyError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.derive(purpose)?)?;
        Ok(Sealer(key))
    }

    /// A keyed hash for one purpose.
    pub fn hasher(&self, purpose: &str) -> Result<KeyedHash, KeyError> {
        Ok(KeyedHash(hmac::Key::new(hmac::HMAC_SHA256, &self.derive(purpose)?)))
    }

    fn derive(&self, purpose: &str) -> Result<[u8; 32], KeyError> {
        let mut key = [0; 32];
        self.0.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)?.fill(&mut key)?;
        Ok(key)
    }
}

/// Seals and opens texts.
pub struct Sealer(RandomizedNonceKey);

impl Sealer {
    /// Seals `plain`. The result can be opened only with the same `context`.
    ///
    /// The result is base64url.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<String, KeyError> {
        let mut sealed = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(context), &mut sealed)?;
        Ok(BASE64URL.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    /// Opens a text sealed with the same context; `None` for anything else.
    pub fn open(&self, context: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = BASE64URL.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(context), &mut opened).ok()?;
        Some(plain.to_vec())
    }
}

/// A hash that only the holder of the key can compute (HMAC-SHA256).
pub struct KeyedHash(hmac::Key);

impl KeyedHash {
    /// The hash of a text or of other bytes, as base64url.
    pub fn hash(&self, text: &(impl AsRef<[u8]> + ?Sized)) -> String {
        BASE64URL.encode(hmac::sign(&self.0, text.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealer(purpose: &str) -> Sealer {
        Secret::new(&[7; 32]).unwrap().sealer(purpose).unwrap()
    }

    proptest! {
        #[test]
        fn sealed_text_opens_only_in_its_context(plain: Vec<u8>, context: String, other: String) {
            let sealer = sealer("a");
            let sealed = sealer.seal(&context, &plain).unwrap();
            prop_assert_eq!(sealer.open(&context, &sealed), Some(plain));
            prop_assert!(context == other || sealer.open(&other, &sealed).is_none());
        }

        #[test]
        fn text_that_was_not_sealed_does_not_open(text: String) {
            prop_assert_eq!(sealer("a").open("", &text), None);
        }
    }

    #[test]
    fn flipped_bit_or_other_purpose_does_not_open() {
        let sealed = sealer("a").seal("c", b"plain").unwrap();
        assert_eq!(sealer("b").open("c", &sealed), None);
        let mut bytes = BASE64URL.decode(&sealed).unwrap();
        for index in 0..bytes.len() {
            bytes[index] ^= 1;
            assert_eq!(sealer("a").open("c", &BASE64URL.encode(&bytes)), None, "byte {index}");
            bytes[index] ^= 1;
        }
    }

    #[test]
    fn short_secret_is_rejected() {
        assert!(Secret::new(&[0; 31]).is_err());
    }
}
