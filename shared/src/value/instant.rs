use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Rejected, string_value};

/// A moment in UTC to the millisecond. Its text is RFC 3339 with `Z` and always three decimals, so that texts sort as the
/// moments do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(DateTime<Utc>);

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
        Self(moment.trunc_subsecs(3))
    }
}

impl FromStr for Instant {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        DateTime::parse_from_rfc3339(text)
            .map(|moment| Self::from(moment.to_utc()))
            .map_err(|_| Rejected::new("invalid_instant", "must be an RFC 3339 instant, such as 2026-03-08T06:30:00Z"))
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
    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime))));
