use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{InvalidValue, string_value};

/// A local time of day, to the minute: `00:00` to `24:00`, the next midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(u16);

const MINUTES_PER_DAY: u16 = 24 * 60;

impl WallTime {
    /// The start of a day.
    pub const MIDNIGHT: Self = Self(0);

    /// The time at a number of minutes after midnight, at most 1440.
    pub const fn from_minutes(minutes: u16) -> Option<Self> {
        if minutes <= MINUTES_PER_DAY { Some(Self(minutes)) } else { None }
    }

    /// The number of minutes after midnight.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for WallTime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        parse(text).ok_or(InvalidValue::new("invalid_time", "must be a time of day, such as 09:30, and at most 24:00"))
    }
}

fn parse(text: &str) -> Option<WallTime> {
    let (hours, minutes) = text.split_once(':')?;
    let [hours, minutes] = [hours, minutes].map(|digits| digits.parse::<u16>().ok());
    let minutes = minutes.filter(|minutes| *minutes < 60)?;
    let time = hours.filter(|hours| *hours <= 24).and_then(|hours| WallTime::from_minutes(hours * 60 + minutes))?;
    // The integer parser also accepts other forms, such as "+9" and "009".
    (time.to_string() == text).then_some(time)
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| serde::de::Error::custom("not a time of day"))
    }
}

string_value!([] WallTime, "WallTime", |schema| schema
    .pattern(Some("^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"))
    .examples([serde_json::json!("09:30")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_minute_of_a_day_is_parsed_from_its_text() {
        for minutes in 0..=MINUTES_PER_DAY {
            let time = WallTime::from_minutes(minutes).unwrap();
            assert_eq!(time.to_string().parse(), Ok(time));
            assert_eq!(serde_json::from_value::<WallTime>(serde_json::json!(time)).unwrap(), time);
        }
        assert_eq!("09:05".parse::<WallTime>().unwrap().minutes(), 9 * 60 + 5);
        assert_eq!("24:00".parse::<WallTime>().unwrap().minutes(), MINUTES_PER_DAY);
    }

    #[test]
    fn other_forms_and_times_are_rejected() {
        for bad in
            ["", "9:00", "09:0", "09:60", "24:01", "25:00", "-1:00", "+9:00", "09:00:00", "0900", " 09:00", "65535:00"]
        {
            assert_eq!(bad.parse::<WallTime>().unwrap_err().code(), "invalid_time", "{bad}");
        }
        assert_eq!(WallTime::from_minutes(MINUTES_PER_DAY + 1), None);
    }
}
