//! HTTP conventions of the API, shared by all modules.
//!
//! Problems, bodies, pages, versions, idempotency, access, and the service around each router.

mod access;
mod app;
mod body;
mod changes;
mod context;
#[cfg(test)]
pub(crate) mod data_model;
mod error_code;
mod idempotency;
mod json;
mod openapi;
pub mod page;
mod path;
mod precondition;
mod problem;
mod response;
mod scope_token;
mod service;
mod source;

pub use access::{Access, Authenticated, Located};
pub use app::{App, Config, StartError, client, variable};
pub use body::{Body, Draft, OptionalBody, Patch, parse};
pub use context::RequestContext;
pub use error_code::ErrorCode;
pub use idempotency::{Create, CsvUpload, IdempotentRequest};
pub use openapi::describe;
pub use page::{Page, Paging, Parameters, RepeatableParameters};
pub use path::{PathId, PathIds};
pub use precondition::{IfMatch, IfNoneMatch};
pub use problem::Problem;
pub use response::{Accepted, Created, Deleted, Document, WithEtag};
pub use scope_token::ScopeToken;
pub(crate) use service::IsHead;
pub use service::{Api, problems, serve, serve_guarded};
pub use source::Source;

/// The result of a step of a request: a value, or the problem to respond with.
pub type Result<T, E = Problem> = std::result::Result<T, E>;
