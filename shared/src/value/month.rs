use std::fmt;

use chrono::Datelike;

use crate::value::{Instant, TimeRange};

/// A calendar month in UTC, written `yyyy-mm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The month of an instant.
    pub fn of(instant: Instant) -> Self {
        let time = instant.to_utc();
        Self { year: time.year(), month: time.month() }
    }

    const fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// The months that a time range overlaps, in order.
pub fn months(range: TimeRange) -> impl Iterator<Item = Month> {
    let first = (range.start < range.end).then(|| Month::of(range.start));
    let end = range.end.to_string();
    // The texts of instants sort in the order of time.
    std::iter::successors(first, move |month| {
        Some(month.next()).filter(|next| format!("{next}-01T00:00:00.000Z") < end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlapped(start: &str, end: &str) -> Vec<String> {
        let range = TimeRange { start: start.parse().unwrap(), end: end.parse().unwrap() };
        months(range).map(|month| month.to_string()).collect()
    }

    #[test]
    fn range_overlaps_the_months_of_its_instants() {
        assert_eq!(overlapped("2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z"), ["2026-01"]);
        assert_eq!(overlapped("2026-01-31T23:59:59Z", "2026-02-01T00:00:00.001Z"), ["2026-01", "2026-02"]);
        assert_eq!(overlapped("2026-11-05T00:00:00Z", "2027-01-05T00:00:00Z"), ["2026-11", "2026-12", "2027-01"]);
        assert!(overlapped("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z").is_empty());
    }
}
