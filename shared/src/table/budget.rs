//! The budget of one request: its deadline and its costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// The time for all calls of one request. API Gateway ends a request after 30 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// The deadline and the costs of the calls of one request.
#[derive(Clone, Debug)]
pub struct Budget {
    started: Instant,
    cost: Arc<Cost>,
}

#[derive(Debug, Default)]
struct Cost {
    round_trips: AtomicU64,
    /// In thousandths, because an eventually consistent read costs half a unit.
    read_milli_units: AtomicU64,
    write_milli_units: AtomicU64,
}

impl Budget {
    /// A budget that begins now.
    pub fn start() -> Self {
        Self { started: Instant::now(), cost: Arc::default() }
    }

    /// The same costs with a new deadline, for the next step of a long operation.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self { started: Instant::now(), cost: Arc::clone(&self.cost) }
    }

    /// The time since its start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The number of calls.
    pub fn round_trips(&self) -> u64 {
        self.cost.round_trips.load(Ordering::Relaxed)
    }

    /// The consumed read units.
    pub fn read_units(&self) -> f64 {
        units(&self.cost.read_milli_units)
    }

    /// The consumed write units.
    pub fn write_units(&self) -> f64 {
        units(&self.cost.write_milli_units)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.started + REQUEST_TIMEOUT
    }

    pub(super) fn count_round_trip(&self) {
        self.cost.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_read(&self, consumed: Option<&ConsumedCapacity>) {
        add(&self.cost.read_milli_units, consumed.and_then(ConsumedCapacity::capacity_units));
    }

    pub(super) fn count_write(&self, consumed: &[ConsumedCapacity]) {
        for table in consumed {
            add(&self.cost.write_milli_units, table.capacity_units());
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of units is small, positive and a multiple of one half: the conversion is exact"
)]
fn add(total: &AtomicU64, units: Option<f64>) {
    total.fetch_add((units.unwrap_or_default() * 1000.0) as u64, Ordering::Relaxed);
}

#[allow(clippy::cast_precision_loss, reason = "a number of units is small")]
fn units(total: &AtomicU64) -> f64 {
    total.load(Ordering::Relaxed) as f64 / 1000.0
}
