use std::str::FromStr;

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Rejected, string_value};

/// An IANA time zone, such as `America/New_York`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(Tz);

impl TimeZone {
    /// `UTC`, what a client has unless told.
    pub const UTC: Self = Self(Tz::UTC);
}

impl FromStr for TimeZone {
    type Err = Rejected;

    fn from_str(name: &str) -> Result<Self, Rejected> {
        Tz::from_str(name)
            .map(Self)
            .map_err(|_| Rejected::new("invalid_time_zone", "must be an IANA time zone, such as Europe/Paris"))
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
