//! Words that depend on the language: dates and times of day.

use chrono::{Datelike, NaiveDateTime};
use shared::value::{Instant, Language, TimeZone};

/// A language of the mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailLanguage {
    English,
    German,
}

const ENGLISH_DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const GERMAN_DAYS: [&str; 7] = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

impl MailLanguage {
    /// The language of the mails for a language tag: German for `de` and its variants, otherwise English.
    pub(crate) fn of(language: &Language) -> Self {
        if language.primary() == "de" { Self::German } else { Self::English }
    }

    /// The language tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// A time in words, with its zone, such as `Monday, 2 March 2026, 10:30 (Europe/Berlin)`.
    pub(crate) fn time(self, at: Instant, zone: TimeZone) -> String {
        let local = local_time(at, zone);
        let (day, month) = (local.weekday().num_days_from_monday() as usize, local.month0() as usize);
        let (date, year, time) = (local.day(), local.year(), local.format("%H:%M"));
        let zone = zone.name();
        match self {
            Self::English => format!("{}, {date} {} {year}, {time} ({zone})", ENGLISH_DAYS[day], ENGLISH_MONTHS[month]),
            Self::German => {
                format!("{}, {date}. {} {year}, {time} Uhr ({zone})", GERMAN_DAYS[day], GERMAN_MONTHS[month])
            }
        }
    }
}

fn local_time(at: Instant, zone: TimeZone) -> NaiveDateTime {
    at.to_utc().naive_utc() + chrono::TimeDelta::seconds(zone.offset_at(at).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_that_of_the_zone() {
        let cases = [
            ("2026-03-28T23:30:00Z", "Europe/Berlin", "Sunday, 29 March 2026, 00:30 (Europe/Berlin)"),
            ("2026-03-29T01:00:00Z", "Europe/Berlin", "Sunday, 29 March 2026, 03:00 (Europe/Berlin)"),
            ("2026-10-25T00:30:00Z", "Europe/Berlin", "Sunday, 25 October 2026, 02:30 (Europe/Berlin)"),
            ("2026-10-25T01:30:00Z", "Europe/Berlin", "Sunday, 25 October 2026, 02:30 (Europe/Berlin)"),
            ("2026-03-02T03:15:00Z", "Asia/Kathmandu", "Monday, 2 March 2026, 09:00 (Asia/Kathmandu)"),
            ("2026-04-04T14:45:00Z", "Australia/Lord_Howe", "Sunday, 5 April 2026, 01:45 (Australia/Lord_Howe)"),
            ("2026-04-04T15:00:00Z", "Australia/Lord_Howe", "Sunday, 5 April 2026, 01:30 (Australia/Lord_Howe)"),
            ("2026-03-02T03:15:00Z", "UTC", "Monday, 2 March 2026, 03:15 (UTC)"),
        ];
        for (at, zone, text) in cases {
            assert_eq!(MailLanguage::English.time(at.parse().unwrap(), zone.parse().unwrap()), text, "{at}");
        }
    }

    #[test]
    fn german_has_its_own_words() {
        let time = MailLanguage::German.time("2026-03-02T09:30:00Z".parse().unwrap(), "Europe/Berlin".parse().unwrap());
        assert_eq!(time, "Montag, 2. März 2026, 10:30 Uhr (Europe/Berlin)");
    }

    #[test]
    fn variants_of_german_are_german_and_all_others_english() {
        let language = |tag: &str| MailLanguage::of(&tag.parse().unwrap()).tag();
        assert_eq!(["de", "de-AT", "en", "fr", "den"].map(language), ["de", "de", "en", "en", "en"]);
    }
}
