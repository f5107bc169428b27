//! The injected clock.
//!
//! All code reads the time here, so that tests and the local server can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{Duration, Utc};

use super::Instant;

/// The system clock plus an offset, which is zero in production.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The current time, to the millisecond.
    pub fn now(&self) -> Instant {
        let offset = Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed));
        Instant::from(Utc::now() + offset)
    }

    /// Sets the current time to `now`. Time continues to run from there.
    ///
    /// All clones of this clock move with it.
    pub fn set(&self, now: Instant) {
        let offset = now.to_utc() - Utc::now();
        self.offset_ms.store(offset.num_milliseconds(), Ordering::Relaxed);
    }

    /// Moves the clock by a number of seconds; a negative number moves it back.
    pub fn advance(&self, seconds: i64) {
        self.offset_ms.fetch_add(seconds.saturating_mul(1000), Ordering::Relaxed);
    }

    /// Resets the clock to the system time.
    pub fn reset(&self) {
        self.offset_ms.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_clock_continues_to_run() {
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
