//! How the API looks over HTTP: problems, bodies, pages, versions, repeated requests, and the service around a router.

pub mod answer;
pub mod body;
mod description;
pub mod idempotency;
mod json;
pub mod page;
pub mod path;
pub mod precondition;
pub mod problem;
pub mod service;
mod source;
pub mod trace;

pub use answer::{Accepted, Created, Deleted, WithEtag};
pub use body::{Body, Draft, OptionalBody, Patch, parse};
pub use description::describe;
pub use idempotency::{Create, Creation, Upload};
pub use page::{Page, Paging, Parameters};
pub use path::{PathId, PathIds};
pub use precondition::{IfMatch, IfNoneMatch};
pub use service::{Api, problems, serve};
pub use source::Source;
