//! Emulation of the AWS services that the deployment uses.
//!
//! Each module names the behaviour that it reproduces and the source for it: AWS documentation, or captures of the
//! live service.

pub mod engine;
pub mod function;
pub mod gateway;
pub mod runtime_api;
pub mod stream;
pub mod table;
pub mod template;
