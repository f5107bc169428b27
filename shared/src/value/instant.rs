use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{InvalidValue, string_value};

/// A point in time in UTC, to the millisecond.
///
/// The text form is RFC 3339 with `Z` and always three decimals, so that texts sort in chronological order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(DateTime<Utc>);

/// The accepted years.
///
/// Instants computed from a parsed one must have a year of four digits too.
const YEARS: RangeInclusive<i32> = 1..=9998;

impl Instant {
    /// The instant as a [`DateTime`], for arithmetic.
    pub const fn to_utc(self) -> DateTime<Utc> {
        self.0
    }

    /// The instant `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }

    /// The instant `duration` earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }

    /// The time from `other` to this instant; zero if `other` is later.
    pub fn since(self, other: Self) -> Duration {
        (self.0 - other.0).to_std().unwrap_or_default()
    }

    /// The next instant: one millisecond later.
    #[must_use]
    pub fn next(self) -> Self {
        self.after(Duration::from_millis(1))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// The instant at a number of milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// `None` if the number is out of range.
    pub const fn from_unix_millis(millis: i64) -> Option<Self> {
        match DateTime::from_timestamp_millis(millis) {
            Some(time) => Some(Self(time)),
            None => None,
        }
    }

    /// The date format of HTTP headers, to the second (RFC 9110, 5.6.7).
    pub fn to_http_date(self) -> String {
        self.0.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Seconds since 1970-01-01T00:00:00Z, as in tokens and DynamoDB's time to live.
    pub const fn unix_seconds(self) -> i64 {
        self.0.timestamp()
    }
}

impl From<DateTime<Utc>> for Instant {
    fn from(time: DateTime<Utc>) -> Self {
        // As a number of milliseconds, a leap second is equal to the second after it.
        Self(DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time))
    }
}

impl FromStr for Instant {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let detail = "must be an RFC 3339 timestamp in the years 1 to 9998, such as 2026-03-08T06:30:00Z";
        let instant = DateTime::parse_from_rfc3339(text).ok().map(|time| Self::from(time.to_utc()));
        instant.filter(|instant| YEARS.contains(&instant.0.year())).ok_or(InvalidValue::new("invalid_instant", detail))
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
    fn instant_is_written_in_utc_with_three_decimals() {
        for (text, written) in [
            ("2026-03-08T06:30:00Z", "2026-03-08T06:30:00.000Z"),
            ("2026-03-08t06:30:00.1239+05:45", "2026-03-08T00:45:00.123Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("9998-12-31T23:59:59.999Z", "9998-12-31T23:59:59.999Z"),
            ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500Z"),
        ] {
            let instant: Instant = text.parse().unwrap();
            assert_eq!(instant.to_string(), written);
            assert_eq!(Instant::from_unix_millis(instant.unix_millis()), Some(instant));
        }
    }

    #[test]
    fn other_formats_and_years_are_rejected() {
        for bad in [
            "2026-03-08",
            "2026-03-08T06:30:00",
            "0000-12-31T23:59:59Z",
            "9999-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
        ] {
            assert_eq!(bad.parse::<Instant>().unwrap_err().code(), "invalid_instant", "{bad}");
        }
    }
}
