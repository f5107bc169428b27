//! Time, injected: whatever reads the time reads it here, so that a test or the local server can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{Duration, Utc};

use crate::value::Instant;

/// The clock of a process: the system's, moved by an offset that is zero in production.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Now, to the millisecond.
    pub fn now(&self) -> Instant {
        let offset = Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed));
        Instant::from(Utc::now() + offset)
    }

    /// Makes it `now`, from which time runs on. All clones of this clock move with it.
    pub fn set(&self, now: Instant) {
        let offset = now.to_utc() - Utc::now();
        self.offset_ms.store(offset.num_milliseconds(), Ordering::Relaxed);
    }

    /// Moves the clock by that many seconds, back when negative.
    pub fn advance(&self, seconds: i64) {
        self.offset_ms.fetch_add(seconds.saturating_mul(1000), Ordering::Relaxed);
    }

    /// Back to the system's time.
    pub fn reset(&self) {
        self.offset_ms.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_runs_on_from_there() {
        let clock = Clock::default();
        let spring: Instant = "2026-03-08T06:30:00Z".parse().unwrap();
        clock.set(spring);
        let elapsed = clock.clone().now().to_utc() - spring.to_utc();
        assert!(elapsed >= Duration::zero() && elapsed < Duration::seconds(5));
        clock.advance(3600);
        assert!(clock.now().to_utc() - spring.to_utc() >= Duration::hours(1));
        clock.reset();
        assert!((clock.now().to_utc() - Utc::now()).abs() < Duration::seconds(5));
    }
}
