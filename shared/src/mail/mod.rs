//! Queued mails.
//!
//! A mail is an item, written in the transaction of the change that causes it, so that neither exists without the
//! other. The mail function sends the mail and retries failed attempts.

#[cfg(test)]
pub(crate) mod data_model;
mod greeting_name;
mod keys;
mod queued_mail;

pub use greeting_name::GreetingName;
pub use keys::DUE_MAILS;
pub use queued_mail::{Mail, Message, QueuedMail, enqueue};
