use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{Datelike, Weekday};
use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, Map, MergeWithError, Value, ValueKind, ValuePointerRef,
    take_cf_content,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::{Date, InvalidValue, TimeRange, TimeZone, ValidationErrors, WallTime, merge};

/// The working hours of a staff member, in local time.
#[derive(Clone, Copy, Debug)]
pub struct Hours<'a> {
    /// The time zone of the hours.
    pub time_zone: TimeZone,
    /// The hours of each week.
    pub weekly: &'a WeeklyHours,
    /// The hours of single dates, which replace the weekly hours.
    pub overrides: &'a Overrides,
}

/// A window of working time on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, deny_unknown_fields, validate = WorkingPeriod::check_order -> ValidationErrors)]
pub struct WorkingPeriod {
    start: WallTime,
    end: WallTime,
}

/// The working hours of each week. Windows may be in any order and may overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(transparent)]
#[schema(max_items = 100)]
#[deserr(error = ValidationErrors, try_from(Vec<WeeklyEntry>) = WeeklyHours::new -> InvalidValue)]
pub struct WeeklyHours(Vec<WeeklyEntry>);

/// A window of working time on some days of each week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, deny_unknown_fields, validate = WeeklyEntry::check_order -> ValidationErrors)]
pub struct WeeklyEntry {
    /// The days of the week.
    #[schema(min_items = 1, max_items = 7)]
    #[deserr(try_from(Vec<Day>) = distinct -> InvalidValue)]
    days: Vec<Day>,
    /// The start, in local time.
    start: WallTime,
    /// The end, in local time.
    end: WallTime,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "lowercase")]
#[deserr(error = ValidationErrors, rename_all = lowercase)]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// The working hours of single dates, which replace the weekly hours.
///
/// A date with an empty list of windows has no working hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Overrides(BTreeMap<Date, Vec<WorkingPeriod>>);

impl Hours<'_> {
    /// The working windows that overlap `within`.
    ///
    /// Overlapping and adjacent windows are merged, also across midnight, and are not cut to `within`. A
    /// window that never ends is computed up to one day before and after the days of `within`.
    pub fn windows(&self, within: TimeRange) -> Vec<TimeRange> {
        let mut windows = merge(self.windows_by_date(within).concat());
        windows.retain(|window| window.overlaps(&within));
        windows
    }

    /// The working windows of each local date, from one day before to one day after the dates of `within`.
    ///
    /// Overlapping and adjacent windows of one date are merged. Each bound of a window is converted on its own
    /// ([`TimeZone::instant`]); a window that then ends before it starts is empty. A date that the time zone
    /// skipped does not occur, so it has no hours.
    pub(super) fn windows_by_date(&self, within: TimeRange) -> Vec<Vec<TimeRange>> {
        let zone = self.time_zone;
        let dates = zone.date_at(within.start).previous().through(zone.date_at(within.end).next());
        dates.map(|date| merge(self.on(date).collect())).collect()
    }

    /// The days of `within` with overrides.
    pub(super) fn overridden(&self, within: TimeRange) -> Vec<TimeRange> {
        let [first, last] = [within.start, within.end].map(|at| self.time_zone.date_at(at));
        let dates = first.through(last).filter(|date| self.overrides.on(*date).is_some());
        merge(dates.map(|date| self.day(date)).collect())
    }

    /// The time range of a local date.
    ///
    /// Empty if the time zone skipped the date, as Samoa skipped 2011-12-30.
    fn day(&self, date: Date) -> TimeRange {
        let [start, end] = [date, date.next()].map(|date| self.time_zone.instant(date, WallTime::MIDNIGHT));
        TimeRange { start, end }
    }

    /// The windows of a local date.
    fn on(&self, date: Date) -> impl Iterator<Item = TimeRange> {
        let zone = self.time_zone;
        let overridden = self.overrides.on(date);
        let weekly = self.weekly.on(date).filter(move |_| overridden.is_none());
        let windows = overridden.unwrap_or_default().iter().copied().chain(weekly);
        let occurs = !self.day(date).is_empty();
        windows.filter(move |_| occurs).map(move |window| TimeRange {
            start: zone.instant(date, window.start),
            end: zone.instant(date, window.end),
        })
    }
}

impl WorkingPeriod {
    fn check_order(self, location: ValuePointerRef) -> Result<Self, ValidationErrors> {
        if self.start < self.end {
            return Ok(self);
        }
        let detail = "must be after the start; hours that cross midnight are two windows, until 24:00 and from 00:00";
        Err(ValidationErrors::at(location.push_key("end"), InvalidValue::new("end_not_after_start", detail)))
    }
}

impl WeeklyHours {
    const MAX_WINDOWS: usize = 100;

    fn new(entries: Vec<WeeklyEntry>) -> Result<Self, InvalidValue> {
        if entries.len() > Self::MAX_WINDOWS {
            return Err(InvalidValue::new("too_many", "must have at most 100 windows"));
        }
        Ok(Self(entries))
    }

    fn on(&self, date: Date) -> impl Iterator<Item = WorkingPeriod> {
        let day = Day::from(date.to_naive().weekday());
        self.0.iter().filter(move |entry| entry.days.contains(&day)).map(WeeklyEntry::window)
    }
}

impl WeeklyEntry {
    const fn window(&self) -> WorkingPeriod {
        WorkingPeriod { start: self.start, end: self.end }
    }

    fn check_order(self, location: ValuePointerRef) -> Result<Self, ValidationErrors> {
        self.window().check_order(location).map(|_| self)
    }
}

fn distinct(days: Vec<Day>) -> Result<Vec<Day>, InvalidValue> {
    if days.is_empty() {
        return Err(InvalidValue::new("empty", "must name at least one day"));
    }
    if days.iter().enumerate().any(|(index, day)| days[..index].contains(day)) {
        return Err(InvalidValue::new("duplicate", "must not name the same day twice"));
    }
    Ok(days)
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Mon => Self::Mon,
            Weekday::Tue => Self::Tue,
            Weekday::Wed => Self::Wed,
            Weekday::Thu => Self::Thu,
            Weekday::Fri => Self::Fri,
            Weekday::Sat => Self::Sat,
            Weekday::Sun => Self::Sun,
        }
    }
}

impl Overrides {
    const MAX_DATES: usize = 366;
    const MAX_WINDOWS: usize = 24;

    fn on(&self, date: Date) -> Option<&[WorkingPeriod]> {
        self.0.get(&date).map(Vec::as_slice)
    }

    fn parse_entry<V: IntoValue>(
        date: &str,
        windows: V,
        location: ValuePointerRef,
    ) -> Result<(Date, Vec<WorkingPeriod>), ValidationErrors> {
        let date = date.parse().map_err(|error| ValidationErrors::at(location, error))?;
        let windows = Vec::deserialize_from_value(windows.into_value(), location)?;
        if windows.len() > Self::MAX_WINDOWS {
            let why = InvalidValue::new("too_many", "must have at most 24 windows");
            return Err(ValidationErrors::at(location, why));
        }
        Ok((date, windows))
    }
}

impl Deserr<ValidationErrors> for Overrides {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        let Value::Map(map) = value else {
            let kind = ErrorKind::IncorrectValueKind { actual: value, accepted: &[ValueKind::Map] };
            return Err(take_cf_content(ValidationErrors::error::<V>(None, kind, location)));
        };
        if map.len() > Self::MAX_DATES {
            let why = InvalidValue::new("too_many", "must have at most 366 dates");
            return Err(ValidationErrors::at(location, why));
        }
        let mut dates = BTreeMap::new();
        let mut errors = None;
        for (key, windows) in map.into_iter() {
            let entry = location.push_key(&key);
            match Self::parse_entry(&key, windows, entry) {
                Ok((date, windows)) => {
                    dates.insert(date, windows);
                }
                Err(error) => match ValidationErrors::merge(errors, error, entry) {
                    ControlFlow::Continue(all) => errors = Some(all),
                    ControlFlow::Break(all) => return Err(all),
                },
            }
        }
        errors.map_or(Ok(Self(dates)), Err)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The pointers and codes of the errors, sorted.
    fn errors<T: Deserr<ValidationErrors>>(value: serde_json::Value) -> Vec<(String, String)> {
        let Err(invalid) = deserr::deserialize::<T, _, ValidationErrors>(value) else { return Vec::new() };
        let mut errors: Vec<_> =
            invalid.into_fields().into_iter().map(|error| (error.pointer, error.code.into_owned())).collect();
        errors.sort();
        errors
    }

    fn expected<const N: usize>(errors: [(&str, &str); N]) -> Vec<(String, String)> {
        errors.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())).to_vec()
    }

    #[test]
    fn weekly_hours_survive_storage() {
        let value = json!([
            { "days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:00" },
            { "days": ["sun", "sat"], "start": "00:00", "end": "24:00" },
        ]);
        let hours: WeeklyHours = deserr::deserialize::<_, _, ValidationErrors>(value.clone()).unwrap();
        assert_eq!(json!(hours), value);
        assert_eq!(serde_json::from_value::<WeeklyHours>(value).unwrap(), hours);
    }

    #[test]
    fn every_error_in_weekly_hours_is_reported() {
        let value = json!([
            { "days": ["mon"], "start": "17:00", "end": "09:00" },
            { "days": [], "start": "09:00", "end": "9:30" },
            { "days": ["mon", "mon"], "start": "24:30", "end": "24:00", "until": 1 },
            { "days": ["Monday"], "start": "09:00", "end": "09:00" },
        ]);
        let expected_errors = expected([
            ("/0/end", "end_not_after_start"),
            ("/1/days", "empty"),
            ("/1/end", "invalid_time"),
            ("/2/days", "duplicate"),
            ("/2/start", "invalid_time"),
            ("/2/until", "unknown_field"),
            ("/3/days/0", "invalid_value"),
        ]);
        assert_eq!(errors::<WeeklyHours>(value), expected_errors);
        let entry = json!({ "days": ["mon"], "start": "09:00", "end": "17:00" });
        assert_eq!(errors::<WeeklyHours>(json!(vec![&entry; 100])), []);
        assert_eq!(errors::<WeeklyHours>(json!(vec![&entry; 101])), expected([("", "too_many")]));
        assert_eq!(errors::<WeeklyHours>(json!({})), expected([("", "wrong_type")]));
    }

    #[test]
    fn overrides_survive_storage() {
        let value = json!({ "2026-12-24": [{ "start": "09:00", "end": "12:00" }], "2026-12-25": [] });
        let overrides: Overrides = deserr::deserialize::<_, _, ValidationErrors>(value.clone()).unwrap();
        assert_eq!(json!(overrides), value);
        let item = serde_dynamo::to_attribute_value::<_, aws_sdk_dynamodb::types::AttributeValue>(&overrides).unwrap();
        assert_eq!(serde_dynamo::from_attribute_value::<_, Overrides>(item).unwrap(), overrides);
    }

    #[test]
    fn every_error_in_overrides_is_reported() {
        let window = json!({ "start": "09:00", "end": "12:00" });
        let value = json!({
            "2026-12-24": [window, { "start": "12:00", "end": "09:00" }],
            "2026-02-29": [],
            "24/12": [],
            "2026-12-26": { "start": "09:00", "end": "12:00" },
            "2026-12-27": vec![&window; 25],
            "2026-12-28": vec![&window; 24],
        });
        let expected_errors = expected([
            ("/2026-02-29", "invalid_date"),
            ("/2026-12-24/1/end", "end_not_after_start"),
            ("/2026-12-26", "wrong_type"),
            ("/2026-12-27", "too_many"),
            ("/24~112", "invalid_date"),
        ]);
        assert_eq!(errors::<Overrides>(value), expected_errors);
        let first: Date = "2026-01-01".parse().unwrap();
        let last = Date::from(first.to_naive() + chrono::Days::new(366));
        let mut dates: BTreeMap<_, Vec<WorkingPeriod>> = first.through(last).map(|date| (date, Vec::new())).collect();
        assert_eq!(errors::<Overrides>(json!(dates)), expected([("", "too_many")]));
        dates.pop_first();
        assert_eq!(errors::<Overrides>(json!(dates)), []);
        assert_eq!(errors::<Overrides>(json!([])), expected([("", "wrong_type")]));
    }
}
