use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{InvalidValue, string_value};

/// A moment in UTC to the millisecond. Its text is RFC 3339 with `Z` and always three decimals, so that texts sort as the
/// moments do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(DateTime<Utc>);

/// The years that an instant is read in. What is computed from it may be some time before or after, and has to have a year of four
/// digits too.
const YEARS: RangeInclusive<i32> = 1..=9998;

impl Instant {
    /// For arithmetic.
    pub const fn to_utc(self) -> DateTime<Utc> {
        self.0
    }

    /// So much later.
    #[must_use]
    pub fn after(self, span: std::time::Duration) -> Self {
        Self(self.0 + span)
    }

    /// So much earlier.
    #[must_use]
    pub fn before(self, span: std::time::Duration) -> Self {
        Self(self.0 - span)
    }

    /// For how long `other` has been over; zero if it is yet to come.
    pub fn since(self, other: Self) -> std::time::Duration {
        (self.0 - other.0).to_std().unwrap_or_default()
    }

    /// The next moment that there is.
    #[must_use]
    pub fn next(self) -> Self {
        self.after(std::time::Duration::from_millis(1))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// The same from milliseconds; `None` beyond the years that there are.
    pub const fn from_unix_millis(millis: i64) -> Option<Self> {
        match DateTime::from_timestamp_millis(millis) {
            Some(moment) => Some(Self(moment)),
            None => None,
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z, as tokens and DynamoDB's time to live count.
    pub const fn unix_seconds(self) -> i64 {
        self.0.timestamp()
    }
}

impl From<DateTime<Utc>> for Instant {
    fn from(moment: DateTime<Utc>) -> Self {
        // In whole milliseconds, a leap second is the next one.
        Self(DateTime::from_timestamp_millis(moment.timestamp_millis()).unwrap_or(moment))
    }
}

impl FromStr for Instant {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let why = "must be an RFC 3339 instant of the years 1 to 9998, such as 2026-03-08T06:30:00Z";
        let moment = DateTime::parse_from_rfc3339(text).ok().map(|moment| Self::from(moment.to_utc()));
        moment.filter(|moment| YEARS.contains(&moment.0.year())).ok_or(InvalidValue::new("invalid_instant", why))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::deserialize(deserializer).map(Self)
    }
}

string_value!([] Instant, "Instant", |schema| schema
    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
    .examples([serde_json::json!("2026-03-08T06:30:00.000Z")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_so_that_texts_sort_as_moments_do() {
        for (read, written) in [
            ("2026-03-08T06:30:00Z", "2026-03-08T06:30:00.000Z"),
            ("2026-03-08t06:30:00.1239+05:45", "2026-03-08T00:45:00.123Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("9998-12-31T23:59:59.999Z", "9998-12-31T23:59:59.999Z"),
            ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500Z"),
        ] {
            let instant: Instant = read.parse().unwrap();
            assert_eq!(instant.to_string(), written);
            assert_eq!(Instant::from_unix_millis(instant.unix_millis()), Some(instant));
        }
    }

    #[test]
    fn what_is_no_instant_or_has_no_year_of_four_digits_is_refused() {
        for no in [
            "2026-03-08",
            "2026-03-08T06:30:00",
            "0000-12-31T23:59:59Z",
            "9999-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
        ] {
            assert_eq!(no.parse::<Instant>().unwrap_err().code(), "invalid_instant", "{no}");
        }
    }
}
