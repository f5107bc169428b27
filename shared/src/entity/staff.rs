use chrono::TimeDelta;
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, InClient, Meta, StaffId, StaffRecord, TimeOffId};
use crate::auth::{ClientId, ClientScope};
use crate::booking::{Hours, Overrides, WeeklyHours};
use crate::value::TimeRange;
use crate::value::{Email, Instant, InvalidValue, Name, TimeZone, ValidationErrors};

/// Somebody who serves a client's customers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = StaffFields)]
pub struct Staff {
    /// What they are called.
    #[schema(example = "Grace Hopper")]
    pub name: Name,
    /// Where they are reached.
    #[schema(example = "grace@example.com")]
    pub email: Email,
    /// Where their clocks are, by which they work; the client's time zone unless given.
    #[schema(required = false)]
    pub time_zone: TimeZone,
    /// When they work.
    #[deserr(default)]
    #[schema(required = false)]
    pub weekly_hours: WeeklyHours,
    /// When they work on single dates, instead of the weekly hours; not at all if nothing is given for one.
    #[deserr(default)]
    #[schema(required = false)]
    pub overrides: Overrides,
    /// Whether they can be booked.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    pub active: bool,
}

impl Staff {
    /// The most members of a client's staff: whoever asks for any of them looks at all of them.
    pub const MOST: u64 = 100;

    /// When they work.
    pub const fn hours(&self) -> Hours<'_> {
        Hours { time_zone: self.time_zone, weekly: &self.weekly_hours, overrides: &self.overrides }
    }
}

impl Fields for Staff {
    const NAME: &'static str = "Staff";
    type Scope = ClientScope;
    type Parent = InClient;
}

/// A member of the staff as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaffRow {
    /// What the API shows of it.
    #[serde(flatten)]
    pub staff: StaffRecord,
    /// 1 when created, one more with each change of the row: what is shown, or when they are off.
    pub revision: u64,
    /// When they are off, as far as that was not over when it last changed.
    #[serde(default)]
    pub off: Vec<Absence>,
    /// When that last changed: what was over by then is not in it.
    #[serde(default)]
    pub off_since: Option<Instant>,
    /// How many tokens of their calendar were given out: the last one is good, if any is.
    #[serde(default)]
    pub calendars: u64,
    /// Whether the last one is revoked.
    #[serde(default)]
    pub calendar_revoked: bool,
}

/// When a member of the staff is off, as their row keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// Of which time off.
    pub id: TimeOffId,
    /// From when to when.
    #[serde(flatten)]
    pub span: TimeRange,
}

impl StaffRow {
    /// The most times off to come.
    pub const MOST_OFF: usize = 200;

    /// A new member of the staff.
    pub const fn new(staff: StaffRecord) -> Self {
        Self { staff, revision: 1, off: Vec::new(), off_since: None, calendars: 0, calendar_revoked: false }
    }

    /// Their id.
    pub const fn id(&self) -> StaffId {
        self.staff.id
    }

    /// The row's next revision, which shows this.
    #[must_use]
    pub fn showing(&self, staff: StaffRecord) -> Self {
        Self { staff, revision: self.revision + 1, ..self.clone() }
    }

    /// The row's next revision, in which a time off is from when to when it says, or not at all. What is over is forgotten.
    #[must_use]
    pub fn off(&self, id: TimeOffId, span: Option<TimeRange>, now: Instant) -> Self {
        let others = self.off.iter().filter(|absence| absence.id != id).copied();
        let off = others.chain(span.map(|span| Absence { id, span })).filter(|absence| absence.span.end > now);
        Self { off: off.collect(), off_since: Some(now), revision: self.revision + 1, ..self.clone() }
    }

    /// The row's next revision, with another token of their calendar, or none.
    #[must_use]
    pub fn with_calendar(&self, given: bool) -> Self {
        let calendars = self.calendars + u64::from(given);
        Self { calendars, calendar_revoked: !given, revision: self.revision + 1, ..self.clone() }
    }

    /// Whether the token of their calendar that was given out as this one is good.
    pub const fn has_calendar(&self, number: u64) -> bool {
        self.calendars == number && !self.calendar_revoked
    }

    /// When they are off.
    pub fn time_off(&self) -> Vec<TimeRange> {
        self.off.iter().map(|absence| absence.span).collect()
    }
}

/// When a member of the staff is not there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimeOff {
    /// Its id.
    pub id: TimeOffId,
    /// Whose it is.
    pub client_id: ClientId,
    /// Who is not there.
    pub staff_id: StaffId,
    /// What its users write.
    #[serde(flatten)]
    pub fields: TimeOffFields,
    /// Its version and times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The fields of a time off that its users write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct TimeOffFields {
    /// From when.
    pub start: Instant,
    /// Until when.
    pub end: Instant,
    /// Why.
    #[deserr(default)]
    #[schema(example = "Holidays")]
    pub reason: Option<Name>,
}

impl TimeOffFields {
    /// The most days that may be looked at for what is booked: the transaction has a part for each, and at most 100 (a limit of
    /// DynamoDB).
    const MOST_DAYS: i64 = 90;

    /// What is wrong with its fields together.
    pub fn check(&self) -> Result<(), ValidationErrors> {
        if self.start < self.end {
            return Ok(());
        }
        Err(ValidationErrors::field("/end", InvalidValue::new("end_not_after_start", "must be after the start")))
    }

    /// What is wrong with it if nothing may be booked then.
    pub fn check_length(&self) -> Result<(), ValidationErrors> {
        if self.end.to_utc() - self.start.to_utc() <= TimeDelta::days(Self::MOST_DAYS) {
            return Ok(());
        }
        let detail = "must be at most 90 days after the start: enter a longer time in parts, or with keepBookings=true";
        Err(ValidationErrors::field("/end", InvalidValue::new("too_long", detail)))
    }

    /// From when to when.
    pub const fn span(&self) -> TimeRange {
        TimeRange { start: self.start, end: self.end }
    }
}

impl TimeOff {
    /// The same time off with other fields, changed now.
    #[must_use]
    pub fn changed(&self, fields: TimeOffFields, now: Instant) -> Self {
        Self { fields, meta: self.meta.changed(now), ..self.clone() }
    }
}

/// How many rows refer to a service or to a member of the staff, and which revision of it is the current one. Whoever books requires
/// that what they read of it still is; it is deleted only when nothing refers to it. Small, so that this costs the same whatever is
/// known of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct UsageGuard {
    /// How many.
    pub n: u64,
    /// Which revision.
    pub revision: u64,
}

/// How many members the staff of a client has.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StaffCount {
    /// How many.
    pub n: u64,
}
