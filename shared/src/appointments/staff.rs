use chrono::TimeDelta;
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::appointments::{StaffId, StaffRecord, TimeOffId};
use crate::booking::{Hours, Overrides, WeeklyHours};
use crate::identity::{ClientId, ClientScope};
use crate::table::{Fields, InClient};
use crate::value::{Email, Instant, InvalidValue, Name, TimeRange, TimeZone, ValidationErrors};

/// A staff member: a person who can be booked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = StaffFields, example = json!({
    "name": "Grace Hopper",
    "email": "grace@example.com",
    "timeZone": "Europe/Paris",
    "weeklyHours": [
        { "days": ["mon", "tue", "wed", "thu"], "start": "09:00", "end": "17:00" },
        { "days": ["fri"], "start": "09:00", "end": "13:00" },
    ],
    "overrides": { "2030-12-24": [{ "start": "09:00", "end": "12:00" }], "2030-12-25": [] },
    "active": true,
}))]
pub struct Staff {
    /// The name.
    #[schema(example = "Grace Hopper")]
    pub name: Name,
    /// The email address.
    #[schema(example = "grace@example.com")]
    pub email: Email,
    /// The time zone of the working hours (IANA). Default: the client's time zone.
    #[schema(required = false)]
    pub time_zone: TimeZone,
    /// The weekly working hours.
    #[deserr(default)]
    #[schema(required = false)]
    pub weekly_hours: WeeklyHours,
    /// The working hours of single dates, which replace the weekly hours.
    ///
    /// An empty list is a day off.
    #[deserr(default)]
    #[schema(required = false)]
    pub overrides: Overrides,
    /// Whether the staff member can be booked.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    pub active: bool,
}

impl Staff {
    /// The maximum number of staff members of a client.
    ///
    /// Availability without a staff member reads all of them.
    pub const MAX_PER_CLIENT: u64 = 100;

    /// The working hours.
    pub const fn hours(&self) -> Hours<'_> {
        Hours { time_zone: self.time_zone, weekly: &self.weekly_hours, overrides: &self.overrides }
    }
}

impl Fields for Staff {
    const NAME: &'static str = "Staff";
    type Marker = Self;
    type Scope = ClientScope;
    type Parent = InClient;
}

/// A staff member as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaffRow {
    /// The staff member as the API returns it.
    #[serde(flatten)]
    pub staff: StaffRecord,
    /// The revision of the row.
    ///
    /// 1 when created, incremented by each change, including changes of time off.
    pub revision: u64,
    /// The time off that had not ended when the list last changed.
    #[serde(default)]
    pub off: Vec<Absence>,
    /// The time of the last change of `off`.
    ///
    /// Time off that ended before it is not in the list.
    #[serde(default)]
    pub off_since: Option<Instant>,
    /// The number of calendar feed tokens created so far.
    ///
    /// Only the last token can be valid.
    #[serde(default)]
    pub calendars: u64,
    /// Whether the last token was revoked.
    #[serde(default)]
    pub calendar_revoked: bool,
    /// A random number that seals the recorded response with the staff member's data.
    #[serde(default)]
    pub seal: u64,
}

/// A time-off entry in the row of its staff member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// The id of the time-off entry.
    pub id: TimeOffId,
    /// The time range.
    #[serde(flatten)]
    pub span: TimeRange,
}

impl StaffRow {
    /// The maximum number of time-off entries that have not ended.
    pub const MAX_TIME_OFF: usize = 200;

    /// The row of a new staff member.
    pub fn new(staff: StaffRecord) -> Self {
        Self {
            staff,
            revision: 1,
            off: Vec::new(),
            off_since: None,
            calendars: 0,
            calendar_revoked: false,
            seal: Uuid::new_v4().as_u64_pair().1,
        }
    }

    /// The staff member's id.
    pub const fn id(&self) -> StaffId {
        self.staff.id
    }

    /// The next revision, with another record.
    #[must_use]
    pub fn with_record(&self, staff: StaffRecord) -> Self {
        Self { staff, revision: self.revision + 1, ..self.clone() }
    }

    /// The next revision, in which a time-off entry has this range, or is removed.
    ///
    /// Time off that has ended is dropped.
    #[must_use]
    pub fn with_time_off(&self, id: TimeOffId, span: Option<TimeRange>, now: Instant) -> Self {
        let others = self.off.iter().filter(|absence| absence.id != id).copied();
        let off = others.chain(span.map(|span| Absence { id, span })).filter(|absence| absence.span.end > now);
        Self { off: off.collect(), off_since: Some(now), revision: self.revision + 1, ..self.clone() }
    }

    /// The next revision, with a new calendar feed token.
    ///
    /// Earlier tokens are no longer valid.
    #[must_use]
    pub fn with_new_calendar(&self) -> Self {
        let calendars = self.calendars + 1;
        Self { calendars, calendar_revoked: false, revision: self.revision + 1, ..self.clone() }
    }

    /// The next revision, without a valid calendar feed token.
    #[must_use]
    pub fn with_revoked_calendar(&self) -> Self {
        Self { calendar_revoked: true, revision: self.revision + 1, ..self.clone() }
    }

    /// Whether a calendar feed token is valid.
    pub const fn has_calendar(&self) -> bool {
        self.calendars > 0 && !self.calendar_revoked
    }

    /// Whether the calendar feed token with this number is valid.
    pub const fn accepts_calendar(&self, number: u64) -> bool {
        self.calendars == number && !self.calendar_revoked
    }

    /// The ranges of the time off.
    pub fn time_off(&self) -> Vec<TimeRange> {
        self.off.iter().map(|absence| absence.span).collect()
    }
}

/// A period in which a staff member cannot be booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = TimeOffFields, example = json!({
    "start": "2030-08-05T07:00:00.000Z",
    "end": "2030-08-16T16:00:00.000Z",
    "reason": "Summer holidays",
}))]
pub struct TimeOff {
    /// The start.
    pub start: Instant,
    /// The end, not included.
    pub end: Instant,
    /// The reason.
    #[deserr(default)]
    #[schema(example = "Summer holidays")]
    pub reason: Option<Name>,
}

impl TimeOff {
    /// The maximum length in days of an entry that is checked against bookings.
    ///
    /// The transaction has one part for each day, and at most 100 parts (a limit of DynamoDB).
    const MAX_DAYS: i64 = 90;

    /// Validates the fields together: the end is after the start.
    pub fn check(&self) -> Result<(), ValidationErrors> {
        if self.start < self.end {
            return Ok(());
        }
        Err(ValidationErrors::field("/end", InvalidValue::new("end_not_after_start", "must be after the start")))
    }

    /// Validates the length of a time-off entry that is checked against bookings.
    pub fn check_length(&self) -> Result<(), ValidationErrors> {
        if self.end.to_utc() - self.start.to_utc() <= TimeDelta::days(Self::MAX_DAYS) {
            return Ok(());
        }
        let detail = "must be at most 90 days after the start; split a longer time, or use keepBookings=true";
        Err(ValidationErrors::field("/end", InvalidValue::new("too_long", detail)))
    }

    /// The time range.
    pub const fn range(&self) -> TimeRange {
        TimeRange { start: self.start, end: self.end }
    }
}

impl Fields for TimeOff {
    const NAME: &'static str = "TimeOff";
    type Marker = Self;
    type Scope = (ClientScope, StaffId);
    type Parent = OfStaff;
}

/// Belongs to a staff member of a client.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfStaff {
    /// The client's id.
    pub client_id: ClientId,
    /// The staff member's id.
    pub staff_id: StaffId,
}

impl From<(ClientScope, StaffId)> for OfStaff {
    fn from((client, staff_id): (ClientScope, StaffId)) -> Self {
        Self { client_id: client.id(), staff_id }
    }
}
