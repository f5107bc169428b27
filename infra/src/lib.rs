//! The local server, the emulation of AWS behind it, and the operator's tools.
//!
//! Nothing in this crate is deployed. The integration tests and the benchmark use the same modules.

pub mod aws;
pub mod check;
pub mod local;
pub mod smtp;
