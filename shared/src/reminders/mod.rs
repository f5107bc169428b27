//! Reminders of appointments: settings, the plan of an appointment, and the mails that are due.
//!
//! Each mail is an item, written in the transaction that changes the appointment. The reminders function sends it.

#[cfg(test)]
pub(crate) mod data_model;
mod keys;
mod opt_out;
mod plan;
mod quiet_hours;
mod reminder;
mod settings;
mod writes;

pub use keys::DUE_REMINDERS;
pub use opt_out::{OptOutToken, opt_out_token};
pub use plan::{PlannedReminder, Recipients, ReminderPlan};
pub use quiet_hours::QuietHours;
pub use reminder::{LEASE, Occasion, Recipient, Reminder, ReminderStatus};
pub use settings::{Channel, ReminderSettings};
pub use writes::{ReminderRules, Timing, announce, change_plan};
