//! The system as its users see it: events in, answers out, on the real DynamoDB Local.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod contacts;
mod conventions;
mod cost;
mod domains;
mod faults;
mod functions;
mod isolation;
mod local_server;
mod mail;
mod openapi;
mod passwords;
mod permissions;
mod signing_in;
mod tenancy;
mod throttling;
mod user_rules;
mod users;
mod watching;
