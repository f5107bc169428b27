// Dates are texts such as `2030-03-04`; instants are `Date` objects.

const MINUTE = 60000;
const DAY = 1440 * MINUTE;

const visitorZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const isZone = (zone) => {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: zone }));
  } catch {
    return false;
  }
};

// The local date of an instant.
const dateIn = (zone, instant) => {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  return format.format(instant);
};

// The UTC offset of a zone at an instant, in milliseconds.
const offsetAt = (zone, time) => {
  const options = { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en", options).formatToParts(time).map(({ type, value }) => [type, value]));
  const local = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
  return local - Math.floor(time / 1000) * 1000;
};

// The instant at which a local date begins.
const startOf = (zone, date) => {
  const midnight = Date.parse(`${date}T00:00:00Z`);
  const guess = midnight - offsetAt(zone, midnight);
  return new Date(midnight - offsetAt(zone, guess));
};

// Arithmetic on dates, as if they were in UTC.
const utc = (date) => new Date(`${date}T00:00:00Z`);
const addDays = (date, days) => new Date(utc(date).getTime() + days * DAY).toISOString().slice(0, 10);
const monthOf = (date) => `${date.slice(0, 8)}01`;
const addMonths = (date, months) => {
  const moved = utc(monthOf(date));
  moved.setUTCMonth(moved.getUTCMonth() + months);
  const last = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
  moved.setUTCDate(Math.min(Number(date.slice(8)), last));
  return moved.toISOString().slice(0, 10);
};

// The number of days since the beginning of the week. Weeks begin on Sunday in English and on Monday in German.
const weekdayOf = (language, date) => (utc(date).getUTCDay() + (language === "de" ? 6 : 0)) % 7;

// Formats of one language.
const formats = (language) => {
  const inUtc = (options) => (date) => new Intl.DateTimeFormat(language, { timeZone: "UTC", ...options }).format(utc(date));
  return {
    day: inUtc({ weekday: "long", day: "numeric", month: "long" }),
    month: inUtc({ month: "long", year: "numeric" }),
    weekday: inUtc({ weekday: "short" }),
    longWeekday: inUtc({ weekday: "long" }),
    time: (zone, instant) => new Intl.DateTimeFormat(language, { timeZone: zone, timeStyle: "short" }).format(instant),
    full: (zone, instant) =>
      new Intl.DateTimeFormat(language, { timeZone: zone, dateStyle: "full", timeStyle: "short" }).format(instant),
    price: (value, currency) => new Intl.NumberFormat(language, { style: "currency", currency }).format(value),
  };
};
