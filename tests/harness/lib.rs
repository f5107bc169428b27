//! What the integration tests stand on: a recorder between the functions and the `DynamoDB` engine, and the rules that
//! every recorded call must keep.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

pub mod call;
mod expression;
pub mod isolation;
pub mod partition;
pub mod recorder;
pub mod schema;
pub mod tag;
