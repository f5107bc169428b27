//! Tests of the booking rules.
//!
//! They check single rules, time zones, properties, and the results of a minute-by-minute oracle.

mod oracle;
mod properties;
mod rules;
mod scenario;
mod zones;

use serde_json::json;

use super::{Hours, Overrides, WeeklyHours};
use crate::value::{Instant, TimeRange, TimeZone, ValidationErrors};

/// Owns the data that [`Hours`] borrow.
#[derive(Clone, Debug)]
struct Staff {
    time_zone: TimeZone,
    weekly: WeeklyHours,
    overrides: Overrides,
}

impl Staff {
    fn new(zone: &str, weekly: serde_json::Value, overrides: serde_json::Value) -> Self {
        Self {
            time_zone: zone.parse().unwrap(),
            weekly: deserr::deserialize::<_, _, ValidationErrors>(weekly).unwrap(),
            overrides: deserr::deserialize::<_, _, ValidationErrors>(overrides).unwrap(),
        }
    }

    /// A staff member who works on one date only.
    fn on(zone: &str, date: &str, start: &str, end: &str) -> Self {
        Self::new(zone, json!([]), json!({ date: [{ "start": start, "end": end }] }))
    }

    fn hours(&self) -> Hours<'_> {
        Hours { time_zone: self.time_zone, weekly: &self.weekly, overrides: &self.overrides }
    }
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn span(start: &str, end: &str) -> TimeRange {
    TimeRange { start: at(start), end: at(end) }
}
