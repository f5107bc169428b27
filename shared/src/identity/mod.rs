//! Identity: scopes, roles, tokens, passwords, sealing and hashing.
//!
//! Only this layer makes a scope, always from evidence: a verified token, a stored pointer found with a
//! verified token or secret, or the key of the item that triggered a function.

mod data_key;
mod home;
pub mod password;
mod role;
mod scope;
mod seal;
mod token;

pub use data_key::{DataKey, DataKeys};
pub use home::StoredHome;
pub use role::{
    ManageAgencyUsers, ManageClientUsers, ManageClients, ManagePipelines, ManageSchedules, ManageSettings,
    ManageTenancy, Permission, ReadAgency, ReadAgencyUsers, ReadClient, ReadClientUsers, ReadSettings, Role,
    UpdateAgency, UpdateClient, UseCrm,
};
pub(crate) use scope::PLATFORM_PREFIX;
pub use scope::{AgencyScope, ClientScope, HomeScope, PlatformScope, ScopeIds, TenantScope};
pub use seal::{KeyedHash, Sealer, Secret};
pub use token::{ACCESS_TOKEN_SECONDS, Actor, Issuer, KeyError, Keys, RefreshToken, Verifier};

pub use crate::value::{AgencyId, ClientId, SessionId, TenantId};
