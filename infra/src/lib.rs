//! What the local server, the tests and the benchmarks stand on: the deployment template, an HTTP API and a Lambda
//! runtime that behave as on AWS, and the engines that stand in for `DynamoDB`.

pub mod engine;
pub mod function;
pub mod gateway;
pub mod integrity;
pub mod local;
pub mod modules;
pub mod partition;
pub mod runtime_api;
pub mod smtp;
pub mod stream;
pub mod table;
pub mod template;
