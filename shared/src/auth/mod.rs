//! Who may see what: tokens, passwords, roles, scopes, and the extractor that alone makes a scope of a request.

mod access;
pub mod account;
mod calendar;
pub mod credential;
#[cfg(feature = "operator")]
pub mod operator;
pub mod password;
mod role;
mod scope;
mod seal;
mod token;
pub mod tries;

pub use access::{Access, Authenticated, Located};
pub use calendar::{CalendarAccess, CalendarQuery, calendar_token};
pub use role::{
    ManageAgencyUsers, ManageClientUsers, ManageClients, ManagePipelines, ManageSchedules, ManageSettings,
    ManageTenancy, Permission, ReadAgency, ReadAgencyUsers, ReadClient, ReadClientUsers, ReadSettings, Role,
    UpdateAgency, UpdateClient, UseCrm,
};
pub use scope::{
    AgencyId, AgencyScope, ClientId, ClientScope, HomeScope, PlatformScope, ScopeIds, TenantId, TenantScope,
};
pub use seal::{KeyedHash, Sealer, Secret};
pub use token::{ACCESS_TOKEN_SECONDS, Actor, Issuer, KeyError, Keys, Refresh, Verifier};

/// A session's id.
pub type SessionId = crate::value::Id<crate::entity::Session>;
