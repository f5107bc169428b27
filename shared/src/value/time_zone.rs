use std::str::FromStr;

use chrono::{NaiveTime, Offset, SecondsFormat, TimeDelta, TimeZone as _};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{Date, Instant, InvalidValue, WallTime, string_value};

/// An IANA time zone, such as `America/New_York`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(Tz);

impl TimeZone {
    /// `UTC`, the default of a client.
    pub const UTC: Self = Self(Tz::UTC);

    /// The local date at an instant.
    pub fn date_at(self, at: Instant) -> Date {
        at.to_utc().with_timezone(&self.0).date_naive().into()
    }

    /// An instant in local time: RFC 3339 with the offset from UTC.
    pub fn format(self, at: Instant) -> String {
        at.to_utc().with_timezone(&self.0).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The offset from UTC at an instant, in seconds; positive east of Greenwich.
    pub fn offset_at(self, at: Instant) -> i32 {
        self.0.offset_from_utc_datetime(&at.to_utc().naive_utc()).fix().local_minus_utc()
    }

    /// The instant of a local date and time.
    ///
    /// A time that occurs twice is converted to its first occurrence. A skipped time is converted with the offset
    /// before the gap (RFC 5545, 3.3.5).
    pub fn instant(self, date: Date, time: WallTime) -> Instant {
        let local = date.to_naive().and_time(NaiveTime::MIN) + TimeDelta::minutes(time.minutes().into());
        let before_gap = || GapInfo::new(&local, &self.0)?.begin.map(|(_, offset)| offset);
        let offset = self.0.offset_from_local_datetime(&local).earliest().or_else(before_gap);
        let offset =
            offset.map_or(TimeDelta::zero(), |offset| TimeDelta::seconds(offset.fix().local_minus_utc().into()));
        (local - offset).and_utc().into()
    }
}

impl FromStr for TimeZone {
    type Err = InvalidValue;

    fn from_str(name: &str) -> Result<Self, InvalidValue> {
        Tz::from_str(name)
            .map(Self)
            .map_err(|_| InvalidValue::new("invalid_time_zone", "must be an IANA time zone, such as Europe/Paris"))
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Tz::from_str(&name).map(Self).map_err(serde::de::Error::custom)
    }
}

string_value!([] TimeZone, "TimeZone", |schema| schema.examples([serde_json::json!("Europe/Paris")]));
