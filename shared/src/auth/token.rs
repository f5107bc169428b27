//! Tokens: access tokens are JWTs that every function verifies by itself (ES256, RFC 9068); refresh tokens are sealed, and
//! only the auth function, which holds the signing key, makes either.

use std::collections::HashMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use super::scope::{AgencyId, ClientId, PlatformScope, TenantId};
use super::seal::{Sealer, Secret};
use super::{HomeScope, Role, SessionId};
use crate::entity::{EmailPointer, User};
use crate::value::Id;
use crate::value::Instant;

const AUDIENCE: &str = "upzento-api";
/// RFC 9068, 2.1: tells an access token from any other JWT.
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// How long an access token is good, in seconds.
pub const ACCESS_TOKEN_SECONDS: i64 = 15 * 60;

/// A key that cannot be used, found at start-up.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Fewer than 32 bytes of key material.
    #[error("key material must have at least 32 bytes")]
    TooShort,
    /// Not what its format says.
    #[error("not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The JWKS does not parse.
    #[error("not a JSON Web Key Set: {0}")]
    Jwks(#[from] serde_json::Error),
    /// The token library refused the key.
    #[error("not a P-256 key: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// A key of the set has no `kid`.
    #[error("a key of the JSON Web Key Set has no kid")]
    NoKid,
    /// The cryptography library refused the key.
    #[error("the key was refused")]
    Refused,
}

impl From<aws_lc_rs::error::Unspecified> for KeyError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Refused
    }
}

/// The keys of one deployment, as the operator stores them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Keys {
    /// The private signing key, PKCS#8 in base64: for the auth function alone.
    pub signing: String,
    /// 32 random bytes in base64, under which refresh tokens are sealed: for the auth function alone. Apart from the signing
    /// key, so that a new one of that ends no session.
    pub refresh: String,
    /// The public keys as a JSON Web Key Set (RFC 7517): for every function, and for the world.
    pub jwks: String,
    /// 32 random bytes in base64, from which the keys for cursors and for hashed emails are derived: for every function.
    pub data: String,
}

impl Keys {
    /// New random keys.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
        let jwk = public_jwk(&EncodingKey::from_ec_der(pair.as_ref()))?;
        Ok(Self {
            signing: BASE64.encode(&pair),
            jwks: serde_json::to_string(&JwkSet { keys: vec![jwk] })?,
            refresh: random()?,
            data: random()?,
        })
    }
}

fn random() -> Result<String, KeyError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(BASE64.encode(bytes))
}

/// The public half of a signing key; its `kid` is its thumbprint (RFC 7638).
fn public_jwk(key: &EncodingKey) -> Result<Jwk, KeyError> {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES256)?;
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256)?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(jwk)
}

/// What an access token says: who acts, from which home, in which session.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Id<User>,
    sid: SessionId,
    role: Role,
    #[serde(flatten)]
    home: Home,
    iat: i64,
    exp: i64,
}

/// A home as a token or a pointer states it; [`Home::scope`] makes the scope of it.
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
        let platform = PlatformScope::root();
        match (self.tenant, self.agency, self.client) {
            (None, None, None) => Some(platform.into()),
            (Some(tenant), Some(agency), None) => Some(platform.tenant(tenant).agency(agency).into()),
            (Some(tenant), Some(agency), Some(client)) => {
                Some(platform.tenant(tenant).agency(agency).client(client).into())
            }
            _ => None,
        }
    }
}

impl From<HomeScope> for Home {
    fn from(scope: HomeScope) -> Self {
        let (tenant, agency, client) = scope.ids();
        Self { tenant, agency, client }
    }
}

impl EmailPointer {
    /// The home of the user to whom it points.
    pub(super) fn home(&self) -> Option<HomeScope> {
        Home { tenant: self.tenant_id, agency: self.agency_id, client: self.client_id }.scope()
    }
}

/// Who acts: what a verified access token said.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    user: Id<User>,
    role: Role,
    home: HomeScope,
    session: SessionId,
}

impl Actor {
    /// The user.
    pub const fn user(&self) -> Id<User> {
        self.user
    }

    /// Their role.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Their home.
    pub const fn home(&self) -> HomeScope {
        self.home
    }

    /// The session whose token it was.
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
    /// For tokens of `issuer`, signed by one of the keys of the set.
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
        // Expiry is judged by the injected clock, below.
        rules.validate_exp = false;
        Ok(Self { keys, rules })
    }

    /// The actor of a token that is ours and good at `now`.
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

/// Makes tokens: the auth function's alone.
pub struct Issuer {
    name: String,
    key: EncodingKey,
    kid: Option<String>,
    refresh: Sealer,
}

/// What a refresh token says, sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RefreshClaims {
    #[serde(flatten)]
    home: Home,
    sub: Id<User>,
    sid: SessionId,
    generation: u64,
}

/// A refresh token that was ours: which session it belongs to, and its place in that session's row of refreshes.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    /// The user's home.
    pub home: HomeScope,
    /// The user.
    pub user: Id<User>,
    /// The session.
    pub session: SessionId,
    /// How many refreshes the session had seen when this token was made, from 1.
    pub generation: u64,
}

impl Issuer {
    /// An issuer called `name`, with [`Keys::signing`] and [`Keys::refresh`].
    pub fn new(name: &str, signing: &str, refresh: &str) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ec_der(&BASE64.decode(signing)?);
        let kid = public_jwk(&key)?.common.key_id;
        let refresh = Secret::new(&BASE64.decode(refresh)?)?.sealer("refresh token")?;
        Ok(Self { name: name.to_owned(), key, kid, refresh })
    }

    /// An access token for a user who has just proved who they are.
    pub fn access(&self, user: &User, home: HomeScope, session: SessionId, now: Instant) -> Result<String, KeyError> {
        let claims = Claims {
            iss: self.name.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user.id,
            sid: session,
            role: user.role,
            home: home.into(),
            iat: now.unix_seconds(),
            exp: now.unix_seconds() + ACCESS_TOKEN_SECONDS,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(ACCESS_TOKEN_TYPE.to_owned());
        header.kid.clone_from(&self.kid);
        Ok(encode(&header, &claims, &self.key)?)
    }

    /// A refresh token.
    pub fn refresh(&self, refresh: Refresh) -> Result<String, KeyError> {
        let claims = RefreshClaims {
            home: refresh.home.into(),
            sub: refresh.user,
            sid: refresh.session,
            generation: refresh.generation,
        };
        self.refresh.seal("", &serde_json::to_vec(&claims)?)
    }

    /// Reads a refresh token that this issuer made; `None` for anything else.
    pub fn open_refresh(&self, token: &str) -> Option<Refresh> {
        let claims: RefreshClaims = serde_json::from_slice(&self.refresh.open("", token)?).ok()?;
        Some(Refresh {
            home: claims.home.scope()?,
            user: claims.sub,
            session: claims.sid,
            generation: claims.generation,
        })
    }
}
