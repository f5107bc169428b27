//! Limits on what visitors with one source address do with the widgets of one client.
//!
//! One item has all counts, and each write of a visitor replaces it in its transaction: concurrent writes are counted one
//! by one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::appointments::{HoldId, VisitHold};
use crate::identity::{ClientScope, DataKey};
use crate::table::{Failure, Key, Store, StoreError, Transaction};
use crate::value::Instant;
use crate::web::{App, ErrorCode, Problem, Result, Source};

/// The maximum number of writes (holds, bookings and leads) within [`WINDOW`].
const MAX_WRITES: u64 = 60;
const WINDOW: Duration = Duration::from_mins(10);

/// The maximum number of live holds.
const MAX_HOLDS: usize = 3;

/// The maximum number of booked appointments in the future.
const MAX_BOOKINGS: usize = 10;

/// What visitors with one source address did with the widgets of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceActivity {
    /// The number of writes since the window began.
    writes: u64,
    /// When the window ends.
    window_ends: Instant,
    /// The live holds, each with its expiry.
    holds: Vec<(HoldId, Instant)>,
    /// The starts of the appointments booked from the address. A cancelled one counts until its start.
    bookings: Vec<Instant>,
    /// Incremented by each change.
    version: u64,
    /// Unix seconds; DynamoDB deletes the item some time later.
    ttl: i64,
}

impl SourceActivity {
    fn none(now: Instant) -> Self {
        let window_ends = now.after(WINDOW);
        Self { writes: 0, window_ends, holds: Vec::new(), bookings: Vec::new(), version: 0, ttl: 0 }
    }

    /// The activity without what has expired, and with one more write.
    ///
    /// # Errors
    /// `429 too_many_attempts` if the address has the maximum number of writes.
    fn with_write(&self, now: Instant) -> Result<Self> {
        let is_new = now >= self.window_ends;
        let (writes, window_ends) = if is_new { (0, now.after(WINDOW)) } else { (self.writes, self.window_ends) };
        if writes >= MAX_WRITES {
            let seconds = u32::try_from(window_ends.since(now).as_secs() + 1).unwrap_or(1);
            let detail = "Too many requests from this address. Try again later.";
            return Err(Problem::new(ErrorCode::TooManyAttempts, detail).retry_after(seconds));
        }
        Ok(Self {
            writes: writes + 1,
            window_ends,
            holds: self.holds.iter().filter(|(_, expires)| now < *expires).copied().collect(),
            bookings: self.bookings.iter().filter(|start| now < **start).copied().collect(),
            version: self.version + 1,
            ttl: 0,
        })
    }

    /// The activity with a hold that replaces another one of the same session.
    ///
    /// # Errors
    /// `429 too_many_holds` if the address has 3 live holds.
    pub fn with_hold(&self, hold: &VisitHold, previous: Option<&VisitHold>, now: Instant) -> Result<Self> {
        let mut next = self.without_hold(previous, now)?;
        if next.holds.len() >= MAX_HOLDS {
            let first = next.holds.iter().map(|(_, expires)| *expires).min().unwrap_or(now);
            let seconds = u32::try_from(first.since(now).as_secs() + 1).unwrap_or(1);
            let detail = "This address holds 3 starts already. Book one, or wait until one expires.";
            return Err(Problem::new(ErrorCode::TooManyHolds, detail).retry_after(seconds));
        }
        next.holds.push((hold.id, hold.expires_at));
        Ok(next)
    }

    /// The activity without a hold.
    pub fn without_hold(&self, hold: Option<&VisitHold>, now: Instant) -> Result<Self> {
        let mut next = self.with_write(now)?;
        next.holds.retain(|(id, _)| hold.is_none_or(|hold| hold.id != *id));
        Ok(next)
    }

    /// The activity with a booking, which replaces a hold.
    ///
    /// # Errors
    /// `409 too_many_bookings` if the address has booked 10 appointments that have not started.
    pub fn with_booking(&self, start: Instant, hold: Option<&VisitHold>, now: Instant) -> Result<Self> {
        let mut next = self.without_hold(hold, now)?;
        if next.bookings.len() >= MAX_BOOKINGS {
            return Err(too_many_bookings("This address has booked the maximum number of appointments (10)."));
        }
        next.bookings.push(start);
        Ok(next)
    }

    /// The activity with a lead.
    pub fn with_lead(&self, now: Instant) -> Result<Self> {
        self.with_write(now)
    }

    /// When nothing of the activity counts any more.
    fn ends(&self) -> Instant {
        let holds = self.holds.iter().map(|(_, expires)| *expires);
        holds.chain(self.bookings.iter().copied()).fold(self.window_ends, Instant::max)
    }
}

/// Too many appointments of one contact, or from one address, have not started yet.
pub fn too_many_bookings(detail: &'static str) -> Problem {
    Problem::new(ErrorCode::TooManyBookings, detail)
}

/// The source address of a visitor, as the key of its activity.
#[derive(Clone)]
pub struct VisitorSource {
    key: Key<SourceActivity>,
}

impl VisitorSource {
    /// The address, hashed with a key, so that the table has no addresses.
    pub fn new(app: &App, client: ClientScope, source: &Source) -> Result<Self> {
        let hash = app.hasher(DataKey::Links, "visitor source")?.hash(&format!("{} {source}", client.id()));
        Ok(Self { key: client.source_activity(&hash) })
    }

    /// Reads the activity.
    pub async fn activity(&self, store: &Store, now: Instant) -> Result<SourceActivity> {
        Ok(store.get(&self.key).await?.unwrap_or_else(|| SourceActivity::none(now)))
    }

    /// Writes the next activity; a conflict if another request has written since the read.
    pub fn write(&self, transaction: &mut Transaction, next: SourceActivity) -> Result<(), StoreError> {
        let next = SourceActivity { ttl: next.ends().unix_seconds(), ..next };
        if next.version == 1 {
            transaction.create_or(&self.key, &next, Failure::Conflict)
        } else {
            transaction.replace_or_retry(&self.key, &next, next.version - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Instant {
        "2026-03-02T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn sixty_writes_are_allowed_within_ten_minutes() {
        let mut activity = SourceActivity::none(now());
        for _ in 0..60 {
            activity = activity.with_lead(now()).unwrap();
        }
        assert_eq!(activity.with_lead(now()).unwrap_err().code(), "too_many_attempts");
        let later = now().after(WINDOW);
        let next = activity.with_lead(later).unwrap();
        assert_eq!((next.writes, next.window_ends, next.version), (1, later.after(WINDOW), 61));
    }

    #[test]
    fn booking_counts_until_its_start() {
        let start = now().after(Duration::from_hours(1));
        let mut activity = SourceActivity::none(now());
        for _ in 0..10 {
            activity = activity.with_booking(start, None, now()).unwrap();
        }
        assert_eq!(activity.with_booking(start, None, now()).unwrap_err().code(), "too_many_bookings");
        assert!(activity.with_booking(start.after(WINDOW), None, start).is_ok());
        assert_eq!(activity.ends(), start);
    }
}
