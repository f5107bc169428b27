use std::fmt;
use std::str::FromStr;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{KnownFormat, SchemaFormat};

use crate::value::{Instant, InvalidValue, string_value};

/// A calendar date without a time zone: RFC 3339's `full-date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Date(NaiveDate);

impl Date {
    /// The UTC date of an instant.
    pub fn of(instant: Instant) -> Self {
        Self(instant.to_utc().date_naive())
    }

    /// The date as a [`NaiveDate`], for arithmetic.
    pub const fn to_naive(self) -> NaiveDate {
        self.0
    }

    /// The day before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0 - Days::new(1))
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + Days::new(1))
    }

    /// The dates from this one to `last`, both included.
    pub fn through(self, last: Self) -> impl Iterator<Item = Self> {
        self.0.iter_days().map(Self).take_while(move |day| *day <= last)
    }
}

impl From<NaiveDate> for Date {
    fn from(day: NaiveDate) -> Self {
        Self(day)
    }
}

impl FromStr for Date {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let date = text.parse().map(Self).ok();
        // The parser also accepts other formats and years that do not have four digits.
        date.filter(|date| text.len() == 10 && date.to_string() == text)
            .ok_or(InvalidValue::new("invalid_date", "must be a date, such as 2026-12-24"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

string_value!([] Date, "Date", |schema| {
    schema.format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).examples([serde_json::json!("2026-12-24")])
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_accepted() {
        assert_eq!("2024-02-29".parse::<Date>().unwrap().to_string(), "2024-02-29");
        for bad in ["2023-02-29", "2026-1-2", "+2026-01-02", "20260102", "2026-01-02T00:00:00Z", ""] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
    }
}
