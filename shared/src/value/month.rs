use std::fmt;

use chrono::Datelike;

use super::{Instant, TimeRange};

/// A month of the calendar, by UTC: `yyyy-mm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The month in which an instant lies.
    pub fn of(instant: Instant) -> Self {
        let moment = instant.to_utc();
        Self { year: moment.year(), month: moment.month() }
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

/// The months that a stretch of time touches, in order.
pub fn months(span: TimeRange) -> impl Iterator<Item = Month> {
    let first = (span.start < span.end).then(|| Month::of(span.start));
    let end = span.end.to_string();
    // Texts of instants sort as the instants do.
    std::iter::successors(first, move |month| {
        Some(month.next()).filter(|next| format!("{next}-01T00:00:00.000Z") < end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(start: &str, end: &str) -> Vec<String> {
        let span = TimeRange { start: start.parse().unwrap(), end: end.parse().unwrap() };
        months(span).map(|month| month.to_string()).collect()
    }

    #[test]
    fn a_stretch_touches_the_months_in_which_an_instant_of_it_lies() {
        assert_eq!(touched("2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z"), ["2026-01"]);
        assert_eq!(touched("2026-01-31T23:59:59Z", "2026-02-01T00:00:00.001Z"), ["2026-01", "2026-02"]);
        assert_eq!(touched("2026-11-05T00:00:00Z", "2027-01-05T00:00:00Z"), ["2026-11", "2026-12", "2027-01"]);
        assert!(touched("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z").is_empty());
    }
}
