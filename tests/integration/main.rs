//! The system as its users see it: events in, answers out, on the real DynamoDB Local.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod appointment_lists;
mod appointments;
mod booking_faults;
mod booking_races;
mod checking;
mod contact_jobs;
mod contact_lists;
mod contacts;
mod conventions;
mod cost;
mod deals;
mod domains;
mod export;
mod faults;
mod functions;
mod import;
mod isolation;
mod local_server;
mod mail;
mod openapi;
mod paging;
mod passwords;
mod permissions;
mod pipelines;
mod services;
mod signing_in;
mod staff;
mod tags;
mod tenancy;
mod throttling;
mod transitions;
mod upserts;
mod user_rules;
mod users;
mod watching;
