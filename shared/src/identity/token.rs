//! Access tokens and refresh tokens.
//!
//! Access tokens are JWTs that every function verifies by itself (ES256, RFC 9068). Refresh tokens are
//! sealed. Only the auth function has the keys to make them.

use std::collections::HashMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use super::Role;
use super::data_key::DataKey;
use super::home::home_scope;
use super::scope::HomeScope;
use super::seal::{Sealer, Secret};
use crate::value::{AgencyId, ClientId, Instant, SessionId, TenantId, UserId};

const AUDIENCE: &str = "upzento-api";
/// The type that distinguishes access tokens from other JWTs (RFC 9068, 2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// How long an access token is valid, in seconds.
pub const ACCESS_TOKEN_SECONDS: i64 = 15 * 60;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key material has fewer than 32 bytes.
    #[error("key material must have at least 32 bytes")]
    TooShort,
    /// The function does not have the key.
    #[error("{0} is not set")]
    Unset(&'static str),
    /// The key is not base64.
    #[error("not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The JWKS cannot be parsed.
    #[error("not a JSON Web Key Set: {0}")]
    Jwks(#[from] serde_json::Error),
    /// The token library rejected the key.
    #[error("not a P-256 key: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// A key of the set has no `kid`.
    #[error("a key of the JSON Web Key Set has no kid")]
    NoKid,
    /// The cryptography library rejected the key.
    #[error("the key was rejected")]
    Rejected,
}

impl From<aws_lc_rs::error::Unspecified> for KeyError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Rejected
    }
}

/// The keys of a deployment, as the operator stores them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Keys {
    /// The private signing key, PKCS#8 in base64; for the auth function only.
    pub signing: String,
    /// 32 random bytes in base64 that seal refresh tokens; for the auth function only.
    ///
    /// Separate from the signing key, so that a new signing key does not end sessions.
    pub refresh: String,
    /// The public keys as a JSON Web Key Set (RFC 7517).
    ///
    /// For every function; they are also published.
    pub jwks: String,
    /// 32 random bytes in base64 for [`DataKey::Cursors`].
    pub cursors: String,
    /// 32 random bytes in base64 for [`DataKey::Requests`].
    pub requests: String,
    /// 32 random bytes in base64 for [`DataKey::Users`].
    pub users: String,
    /// 32 random bytes in base64 for [`DataKey::Mail`].
    pub mail: String,
    /// 32 random bytes in base64 for [`DataKey::Links`].
    pub links: String,
}

impl Keys {
    /// Generates random keys.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
        let jwk = public_jwk(&EncodingKey::from_ec_der(pair.as_ref()))?;
        Ok(Self {
            signing: BASE64.encode(&pair),
            jwks: serde_json::to_string(&JwkSet { keys: vec![jwk] })?,
            refresh: random()?,
            cursors: random()?,
            requests: random()?,
            users: random()?,
            mail: random()?,
            links: random()?,
        })
    }

    /// The value of a data key.
    pub fn data(&self, key: DataKey) -> &str {
        match key {
            DataKey::Cursors => &self.cursors,
            DataKey::Requests => &self.requests,
            DataKey::Users => &self.users,
            DataKey::Mail => &self.mail,
            DataKey::Links => &self.links,
        }
    }
}

fn random() -> Result<String, KeyError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(BASE64.encode(bytes))
}

/// The public key of a signing key; its `kid` is its thumbprint (RFC 7638).
fn public_jwk(key: &EncodingKey) -> Result<Jwk, KeyError> {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES256)?;
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256)?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(jwk)
}

/// The claims of an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    role: Role,
    #[serde(flatten)]
    home: Home,
    iat: i64,
    exp: i64,
}

/// The home of a user in the claims of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Home {
    #[serde(rename = "tid", skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
    #[serde(rename = "aid", skip_serializing_if = "Option::is_none")]
    agency: Option<AgencyId>,
    #[serde(rename = "cid", skip_serializing_if = "Option::is_none")]
    client: Option<ClientId>,
}

impl Home {
    fn scope(self) -> Option<HomeScope> {
        home_scope(self.tenant, self.agency, self.client)
    }
}

impl From<HomeScope> for Home {
    fn from(scope: HomeScope) -> Self {
        let (tenant, agency, client) = scope.ids();
        Self { tenant, agency, client }
    }
}

/// The user of a request, from a verified access token.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    user: UserId,
    role: Role,
    home: HomeScope,
    session: SessionId,
}

impl Actor {
    /// The user.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The user's role when the token was issued.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The user's home.
    pub const fn home(&self) -> HomeScope {
        self.home
    }

    /// The session that the token belongs to.
    pub const fn session(&self) -> SessionId {
        self.session
    }
}

/// Verifies access tokens with the deployment's public keys.
pub struct Verifier {
    keys: HashMap<String, DecodingKey>,
    rules: Validation,
}

impl Verifier {
    /// A verifier of tokens from `issuer` with the JSON Web Key Set `jwks`.
    pub fn new(issuer: &str, jwks: &str) -> Result<Self, KeyError> {
        let set: JwkSet = serde_json::from_str(jwks)?;
        let mut keys = HashMap::new();
        for jwk in &set.keys {
            let kid = jwk.common.key_id.clone().ok_or(KeyError::NoKid)?;
            keys.insert(kid, DecodingKey::from_jwk(jwk)?);
        }
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // `verify` checks the expiry with the injected clock.
        rules.validate_exp = false;
        Ok(Self { keys, rules })
    }

    /// The actor of a token; `None` if the token is invalid or has expired at `now`.
    pub fn verify(&self, token: &str, now: Instant) -> Option<Actor> {
        let header = decode_header(token).ok()?;
        if header.typ.as_deref() != Some(ACCESS_TOKEN_TYPE) {
            return None;
        }
        let key = self.keys.get(header.kid.as_deref()?)?;
        let claims: Claims = decode(token, key, &self.rules).ok()?.claims;
        if claims.exp <= now.unix_seconds() {
            return None;
        }
        Some(Actor { user: claims.sub, role: claims.role, home: claims.home.scope()?, session: claims.sid })
    }
}

/// Makes tokens; for the auth function only.
pub struct Issuer {
    name: String,
    key: EncodingKey,
    kid: Option<String>,
    refresh: Sealer,
}

/// The claims of a refresh token, which are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RefreshClaims {
    #[serde(flatten)]
    home: Home,
    sub: UserId,
    sid: SessionId,
    generation: u64,
}

/// A refresh token: its session, and its generation in that session.
#[derive(Clone, Copy, Debug)]
pub struct RefreshToken {
    /// The user's home.
    pub home: HomeScope,
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The generation, from 1; each refresh creates the token of the next generation.
    pub generation: u64,
}

impl Issuer {
    /// An issuer with this name and the keys [`Keys::signing`] and [`Keys::refresh`].
    pub fn new(name: &str, signing: &str, refresh: &str) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ec_der(&BASE64.decode(signing)?);
        let kid = public_jwk(&key)?.common.key_id;
        let refresh = Secret::new(&BASE64.decode(refresh)?)?.sealer("refresh token")?;
        Ok(Self { name: name.to_owned(), key, kid, refresh })
    }

    /// Makes an access token for an authenticated user.
    pub fn access(
        &self,
        (user, role): (UserId, Role),
        home: HomeScope,
        session: SessionId,
        now: Instant,
    ) -> Result<String, KeyError> {
        let claims = Claims {
            iss: self.name.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            role,
            home: home.into(),
            iat: now.unix_seconds(),
            exp: now.unix_seconds() + ACCESS_TOKEN_SECONDS,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(ACCESS_TOKEN_TYPE.to_owned());
        header.kid.clone_from(&self.kid);
        Ok(encode(&header, &claims, &self.key)?)
    }

    /// Makes a refresh token.
    pub fn refresh(&self, refresh: RefreshToken) -> Result<String, KeyError> {
        let claims = RefreshClaims {
            home: refresh.home.into(),
            sub: refresh.user,
            sid: refresh.session,
            generation: refresh.generation,
        };
        self.refresh.seal("", &serde_json::to_vec(&claims)?)
    }

    /// Opens a refresh token of this issuer; `None` for any other text.
    pub fn open_refresh(&self, token: &str) -> Option<RefreshToken> {
        let claims: RefreshClaims = serde_json::from_slice(&self.refresh.open("", token)?).ok()?;
        Some(RefreshToken {
            home: claims.home.scope()?,
            user: claims.sub,
            session: claims.sid,
            generation: claims.generation,
        })
    }
}
