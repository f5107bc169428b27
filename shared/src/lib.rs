//! What every function of Upzento CRM shares: who may see what ([`auth`]), where it lies ([`keys`]), how it is read and
//! written ([`store`]), what it is ([`entity`], [`value`]) and how it looks over HTTP ([`http`]).
//!
//! A request takes one way through: event → router → [`auth::Access`] → handler → rules of the entity → [`store`] → one
//! DynamoDB call.

mod app;
pub mod appointments;
pub mod auth;
pub mod belongings;
pub mod booking;
pub mod contacts;
pub mod deals;
pub mod entity;
pub mod event;
pub mod http;
pub mod job;
pub mod keys;
pub mod lambda;
pub mod mail;
pub mod store;
pub mod value;

pub use app::{App, Config, StartError, client, variable};
pub use http::problem::Problem;

/// What a fallible step of a request gives: a value, or the answer that the caller gets instead.
pub type Result<T> = std::result::Result<T, Problem>;
