//! Users: accounts, sessions, one-time tokens and limits on attempts.

pub mod accounts;
pub mod attempts;
#[cfg(test)]
pub(crate) mod data_model;
mod keys;
pub mod one_time_token;
#[cfg(feature = "operator")]
pub mod operator;
pub mod repository;
mod user;
mod user_pointer;

pub use user::{Account, EmailPointer, KnownIp, Profile, Session, User, UserCountChange, UserFields, UserStatus};
pub use user_pointer::{UserPointer, require_assignee, require_current_actor};

pub use crate::value::UserId;
