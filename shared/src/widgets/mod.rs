//! Widgets: access of pages on a client's website, and the limits on what visitors do.

mod access;
mod activity;
#[cfg(test)]
pub(crate) mod data_model;
mod keys;
mod manage;
mod origin;
mod session;

pub use access::{WidgetAccess, guard};
pub use activity::{SourceActivity, VisitorSource, too_many_bookings};
pub use manage::{ManageAccess, manage_token};
pub use origin::{OriginDecision, decide_origin, frame_ancestors};
pub use session::{SessionToken, WidgetSession};
