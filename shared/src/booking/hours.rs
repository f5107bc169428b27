use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{Datelike, Weekday};
use deserr::take_cf_content;
use deserr::{DeserializeError, Deserr, ErrorKind, IntoValue, Map, MergeWithError, Value, ValueKind, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::{Date, Instant, InvalidValue, TimeZone, ValidationErrors, WallTime};
use crate::value::{TimeRange, merge};

/// When somebody works, by the clocks of where they work.
#[derive(Clone, Copy, Debug)]
pub struct Hours<'a> {
    /// The zone of the clocks.
    pub time_zone: TimeZone,
    /// Each week.
    pub weekly: &'a WeeklyHours,
    /// On dates that are unlike their weekday.
    pub overrides: &'a Overrides,
}

/// From one time of a day to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, deny_unknown_fields, validate = Window::ends_after_its_start -> ValidationErrors)]
pub struct Window {
    start: WallTime,
    end: WallTime,
}

/// The windows of each week, in any order. They may overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(transparent)]
#[schema(max_items = 100)]
#[deserr(error = ValidationErrors, try_from(Vec<WeeklyEntry>) = WeeklyHours::new -> InvalidValue)]
pub struct WeeklyHours(Vec<WeeklyEntry>);

/// A window of some days of each week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, deny_unknown_fields, validate = WeeklyEntry::ends_after_its_start -> ValidationErrors)]
pub struct WeeklyEntry {
    /// Which days.
    #[schema(min_items = 1, max_items = 7)]
    #[deserr(try_from(Vec<Day>) = distinct -> InvalidValue)]
    days: Vec<Day>,
    /// Since when.
    start: WallTime,
    /// Until when.
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

/// The windows of dates on which the weekly hours do not count. A date without a window is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Overrides(BTreeMap<Date, Vec<Window>>);

impl Hours<'_> {
    /// The time in which `within` has some part of it open: windows that overlap or touch are one, also across midnight, and none is
    /// cut to `within`. What merges without an end is known as far as one day around the days of `within`.
    ///
    /// Each bound of a window is resolved on its own ([`TimeZone::instant`]); what then ends before it starts has no time. A date
    /// that the zone skipped does not occur, so it has no hours.
    pub fn windows(&self, within: TimeRange) -> Vec<TimeRange> {
        let zone = self.time_zone;
        let dates = zone.date_at(within.start).previous().through(zone.date_at(within.end).next());
        let mut windows = merge(dates.flat_map(|date| self.on(date)).collect());
        windows.retain(|window| window.overlaps(&within));
        windows
    }

    /// Since when it is open at `at` without a break: `at` itself if it is not. Where that is before `earliest` it does not matter by
    /// how much, which ends the search in hours that never close.
    pub(super) fn opening(&self, at: Instant, earliest: Instant) -> Instant {
        const DAY: Duration = Duration::from_hours(24);
        let mut back = DAY;
        loop {
            let known = TimeRange { start: at.before(back).max(earliest.min(at)), end: at.next() };
            let window = self.windows(known).into_iter().find(|window| window.contains(at));
            let opening = window.map_or(at, |window| window.start);
            if opening > known.start || known.start <= earliest {
                return opening.max(known.start);
            }
            // Twice as far each time, so that all that is looked at is at most twice what was needed.
            back *= 2;
        }
    }

    /// The days of `within` on which the weekly hours do not count.
    pub(super) fn overridden(&self, within: TimeRange) -> Vec<TimeRange> {
        let [first, last] = [within.start, within.end].map(|at| self.time_zone.date_at(at));
        let dates = first.through(last).filter(|date| self.overrides.on(*date).is_some());
        merge(dates.map(|date| self.day(date)).collect())
    }

    /// From the first moment of a date to that of the next one. Empty if the zone skipped it, as Samoa did 2011-12-30.
    fn day(&self, date: Date) -> TimeRange {
        let [start, end] = [date, date.next()].map(|date| self.time_zone.instant(date, WallTime::MIDNIGHT));
        TimeRange { start, end }
    }

    /// The windows of a date.
    fn on(&self, date: Date) -> impl Iterator<Item = TimeRange> {
        let zone = self.time_zone;
        let special = self.overrides.on(date);
        let usual = self.weekly.on(date).filter(move |_| special.is_none());
        let windows = special.unwrap_or_default().iter().copied().chain(usual);
        let occurs = !self.day(date).is_empty();
        windows.filter(move |_| occurs).map(move |window| TimeRange {
            start: zone.instant(date, window.start),
            end: zone.instant(date, window.end),
        })
    }
}

impl Window {
    fn ends_after_its_start(self, at: ValuePointerRef) -> Result<Self, ValidationErrors> {
        if self.start < self.end {
            return Ok(self);
        }
        let why = InvalidValue::new("end_not_after_start", "must be after the start");
        Err(take_cf_content(<ValidationErrors as MergeWithError<InvalidValue>>::merge(None, why, at.push_key("end"))))
    }
}

impl WeeklyHours {
    const MOST: usize = 100;

    fn new(entries: Vec<WeeklyEntry>) -> Result<Self, InvalidValue> {
        if entries.len() > Self::MOST {
            return Err(InvalidValue::new("too_many", "must be at most 100 windows"));
        }
        Ok(Self(entries))
    }

    fn on(&self, date: Date) -> impl Iterator<Item = Window> {
        let day = Day::from(date.to_naive().weekday());
        self.0.iter().filter(move |entry| entry.days.contains(&day)).map(WeeklyEntry::window)
    }
}

impl WeeklyEntry {
    const fn window(&self) -> Window {
        Window { start: self.start, end: self.end }
    }

    fn ends_after_its_start(self, at: ValuePointerRef) -> Result<Self, ValidationErrors> {
        self.window().ends_after_its_start(at).map(|_| self)
    }
}

fn distinct(days: Vec<Day>) -> Result<Vec<Day>, InvalidValue> {
    if days.is_empty() {
        return Err(InvalidValue::new("empty", "must name a day"));
    }
    if days.iter().enumerate().any(|(place, day)| days[..place].contains(day)) {
        return Err(InvalidValue::new("duplicate", "must not name a day twice"));
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
    const MOST_DATES: usize = 366;
    const MOST_WINDOWS: usize = 24;

    fn on(&self, date: Date) -> Option<&[Window]> {
        self.0.get(&date).map(Vec::as_slice)
    }

    fn read<V: IntoValue>(
        name: &str,
        windows: V,
        at: ValuePointerRef,
    ) -> Result<(Date, Vec<Window>), ValidationErrors> {
        let fault = |why| take_cf_content(<ValidationErrors as MergeWithError<InvalidValue>>::merge(None, why, at));
        let date = name.parse().map_err(fault)?;
        let windows = Vec::deserialize_from_value(windows.into_value(), at)?;
        if windows.len() > Self::MOST_WINDOWS {
            return Err(fault(InvalidValue::new("too_many", "must be at most 24 windows")));
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
        if map.len() > Self::MOST_DATES {
            let why = InvalidValue::new("too_many", "must be at most 366 dates");
            return Err(take_cf_content(<ValidationErrors as MergeWithError<InvalidValue>>::merge(
                None, why, location,
            )));
        }
        let mut dates = BTreeMap::new();
        let mut faults = None;
        for (name, windows) in map.into_iter() {
            let at = location.push_key(&name);
            match Self::read(&name, windows, at) {
                Ok((date, windows)) => {
                    dates.insert(date, windows);
                }
                Err(fault) => match ValidationErrors::merge(faults, fault, at) {
                    ControlFlow::Continue(all) => faults = Some(all),
                    ControlFlow::Break(all) => return Err(all),
                },
            }
        }
        faults.map_or(Ok(Self(dates)), Err)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults<T: Deserr<ValidationErrors>>(value: serde_json::Value) -> Vec<(String, String)> {
        let Err(invalid) = deserr::deserialize::<T, _, ValidationErrors>(value) else { return Vec::new() };
        let mut faults: Vec<_> =
            invalid.into_fields().into_iter().map(|fault| (fault.pointer, fault.code.into_owned())).collect();
        faults.sort();
        faults
    }

    fn expected<const N: usize>(faults: [(&str, &str); N]) -> Vec<(String, String)> {
        faults.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())).to_vec()
    }

    #[test]
    fn weekly_hours_are_written_as_they_were_read() {
        let text = json!([
            { "days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:00" },
            { "days": ["sun", "sat"], "start": "00:00", "end": "24:00" },
        ]);
        let hours: WeeklyHours = deserr::deserialize::<_, _, ValidationErrors>(text.clone()).unwrap();
        assert_eq!(json!(hours), text);
        assert_eq!(serde_json::from_value::<WeeklyHours>(text).unwrap(), hours);
    }

    #[test]
    fn each_fault_of_weekly_hours_is_named() {
        let text = json!([
            { "days": ["mon"], "start": "17:00", "end": "09:00" },
            { "days": [], "start": "09:00", "end": "9:30" },
            { "days": ["mon", "mon"], "start": "24:30", "end": "24:00", "until": 1 },
            { "days": ["Monday"], "start": "09:00", "end": "09:00" },
        ]);
        let named = expected([
            ("/0/end", "end_not_after_start"),
            ("/1/days", "empty"),
            ("/1/end", "invalid_time"),
            ("/2/days", "duplicate"),
            ("/2/start", "invalid_time"),
            ("/2/until", "unknown_field"),
            ("/3/days/0", "invalid_value"),
        ]);
        assert_eq!(faults::<WeeklyHours>(text), named);
        let entry = json!({ "days": ["mon"], "start": "09:00", "end": "17:00" });
        assert_eq!(faults::<WeeklyHours>(json!(vec![&entry; 100])), []);
        assert_eq!(faults::<WeeklyHours>(json!(vec![&entry; 101])), expected([("", "too_many")]));
        assert_eq!(faults::<WeeklyHours>(json!({})), expected([("", "wrong_type")]));
    }

    #[test]
    fn overrides_are_kept_in_a_row_as_they_were_read() {
        let text = json!({ "2026-12-24": [{ "start": "09:00", "end": "12:00" }], "2026-12-25": [] });
        let overrides: Overrides = deserr::deserialize::<_, _, ValidationErrors>(text.clone()).unwrap();
        assert_eq!(json!(overrides), text);
        let item = serde_dynamo::to_attribute_value::<_, aws_sdk_dynamodb::types::AttributeValue>(&overrides).unwrap();
        assert_eq!(serde_dynamo::from_attribute_value::<_, Overrides>(item).unwrap(), overrides);
    }

    #[test]
    fn each_fault_of_overrides_is_named() {
        let window = json!({ "start": "09:00", "end": "12:00" });
        let text = json!({
            "2026-12-24": [window, { "start": "12:00", "end": "09:00" }],
            "2026-02-29": [],
            "24/12": [],
            "2026-12-26": { "start": "09:00", "end": "12:00" },
            "2026-12-27": vec![&window; 25],
            "2026-12-28": vec![&window; 24],
        });
        let named = expected([
            ("/2026-02-29", "invalid_date"),
            ("/2026-12-24/1/end", "end_not_after_start"),
            ("/2026-12-26", "wrong_type"),
            ("/2026-12-27", "too_many"),
            ("/24~112", "invalid_date"),
        ]);
        assert_eq!(faults::<Overrides>(text), named);
        let first: Date = "2026-01-01".parse().unwrap();
        let last = Date::from(first.to_naive() + chrono::Days::new(366));
        let mut dates: BTreeMap<_, Vec<Window>> = first.through(last).map(|date| (date, Vec::new())).collect();
        assert_eq!(faults::<Overrides>(json!(dates)), expected([("", "too_many")]));
        dates.pop_first();
        assert_eq!(faults::<Overrides>(json!(dates)), []);
        assert_eq!(faults::<Overrides>(json!([])), expected([("", "wrong_type")]));
    }
}
