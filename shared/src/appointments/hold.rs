//! Holds: starts that visitors of a client's website reserve while they type.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ReservedSlot, ServiceId, StaffId};
use crate::booking::Booking;
use crate::value::{Id, Instant, TimeRange};

/// Marks the id of a hold.
pub enum HoldMarker {}
/// A hold's id.
pub type HoldId = Id<HoldMarker>;
/// Marks the id of a visitor's session.
pub enum VisitMarker {}
/// The id of a visitor's session with a widget.
pub type VisitId = Id<VisitMarker>;

/// How long a start is held.
const HOLD_TIME: Duration = Duration::from_mins(10);

/// A held start in the day of a staff member.
///
/// Until it expires, it blocks its time for all other visitors, with its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The session of the visitor.
    #[serde(rename = "n")]
    pub visit: VisitId,
    /// When the hold expires, in milliseconds since 1970.
    #[serde(rename = "x")]
    expires: i64,
    /// The held time; its id is that of the hold.
    #[serde(flatten)]
    time: Booking,
}

/// The hold of a session, with what its removal and its booking need.
///
/// An item of its own: a session has at most one hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VisitHold {
    /// The hold's id.
    pub id: HoldId,
    /// The service.
    pub service_id: ServiceId,
    /// The staff member.
    pub staff_id: StaffId,
    /// When the hold expires.
    pub expires_at: Instant,
    /// The held time.
    time: Booking,
    /// Incremented by each change of the item.
    pub version: u64,
    /// `expires_at` in Unix seconds, for DynamoDB's time to live.
    ttl: i64,
}

/// Whether holds block their time for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldPolicy {
    /// Holds are ignored: the request is one of a user.
    Ignore,
    /// Live holds block their time, except those of this session: the request is one of a visitor.
    Respect(Option<VisitId>),
}

impl Hold {
    /// Whether the hold has not expired.
    pub fn is_live(&self, now: Instant) -> bool {
        now.unix_millis() < self.expires
    }

    /// The held time.
    pub const fn time(&self) -> &Booking {
        &self.time
    }

    /// Whether the hold blocks its time for a request with this policy.
    pub fn blocks(&self, policy: HoldPolicy, now: Instant) -> bool {
        match policy {
            HoldPolicy::Ignore => false,
            HoldPolicy::Respect(own) => own != Some(self.visit) && self.is_live(now),
        }
    }
}

impl VisitHold {
    /// A hold of a slot; `previous` is the session's hold before.
    pub fn new(id: HoldId, slot: &ReservedSlot, previous: Option<&Self>, now: Instant) -> Self {
        let expires_at = now.after(HOLD_TIME);
        Self {
            id,
            service_id: slot.service,
            staff_id: slot.staff,
            expires_at,
            time: Booking { appointment: Id::from_uuid(id.uuid()), span: slot.span, buffers: slot.buffers },
            version: previous.map_or(1, |previous| previous.version + 1),
            ttl: expires_at.unix_seconds(),
        }
    }

    /// The hold as an entry of a day.
    pub fn in_day(&self, visit: VisitId) -> Hold {
        Hold { visit, expires: self.expires_at.unix_millis(), time: self.time }
    }

    /// The held time without buffers.
    pub const fn span(&self) -> TimeRange {
        self.time.span
    }

    /// The held time.
    pub const fn time(&self) -> &Booking {
        &self.time
    }

    /// Whether the hold has not expired.
    pub fn is_live(&self, now: Instant) -> bool {
        now < self.expires_at
    }
}
