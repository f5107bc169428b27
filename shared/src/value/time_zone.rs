use std::str::FromStr;

use chrono::{NaiveTime, Offset, SecondsFormat, TimeDelta, TimeZone as _};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Date, Instant, InvalidValue, WallTime, string_value};

/// An IANA time zone, such as `America/New_York`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(Tz);

impl TimeZone {
    /// `UTC`, what a client has unless told.
    pub const UTC: Self = Self(Tz::UTC);

    /// What its calendars show.
    pub fn date_at(self, at: Instant) -> Date {
        at.to_utc().with_timezone(&self.0).date_naive().into()
    }

    /// A moment as it is written there: RFC 3339, with the offset from UTC.
    pub fn written(self, at: Instant) -> String {
        at.to_utc().with_timezone(&self.0).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// By how many seconds its clocks are ahead of UTC.
    pub fn offset_at(self, at: Instant) -> i32 {
        self.0.offset_from_utc_datetime(&at.to_utc().naive_utc()).fix().local_minus_utc()
    }

    /// When its clocks show `time` on `date`. A time that they show twice is the first one; one that they skip is read with the
    /// offset before the gap (RFC 5545, 3.3.5).
    pub fn instant(self, date: Date, time: WallTime) -> Instant {
        let wall = date.to_naive().and_time(NaiveTime::MIN) + TimeDelta::minutes(time.minutes().into());
        let before_gap = || GapInfo::new(&wall, &self.0)?.begin.map(|(_, offset)| offset);
        let offset = self.0.offset_from_local_datetime(&wall).earliest().or_else(before_gap);
        let ahead =
            offset.map_or(TimeDelta::zero(), |offset| TimeDelta::seconds(offset.fix().local_minus_utc().into()));
        (wall - ahead).and_utc().into()
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
