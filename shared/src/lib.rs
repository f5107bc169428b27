//! The crate that all functions of Upzento CRM use, in layers.
//!
//! Each layer uses only the modules listed before it: values, booking rules, identity, the table, HTTP, jobs,
//! then one module per feature. A request passes through them in one order: event → router →
//! [`web::Access`] → handler → rule → repository → one DynamoDB call.

pub mod value;

pub mod booking;

pub mod identity;

pub mod table;

pub mod web;

#[cfg(feature = "mailer")]
pub mod mailer;

pub mod jobs;

pub mod tenants;

pub mod mail;

pub mod users;

pub mod contacts;

pub mod deals;

pub mod reminders;

pub mod appointments;

pub mod references;

pub mod widgets;

pub mod lambda;
pub mod modules;
