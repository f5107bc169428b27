//! A mail about an appointment, as it is stored until it is sent and for a while after that.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use utoipa::ToSchema;

use super::Channel;
use crate::table::Condition;
use crate::value::{AppointmentId, Instant};

/// The reason for a mail about an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Occasion {
    /// The appointment begins soon.
    Reminder,
    /// The appointment was booked.
    Confirmation,
    /// The appointment was moved to another time or to another staff member.
    Moved,
    /// The appointment was cancelled.
    Cancelled,
}

/// The person who gets a mail about an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoStaticStr)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Recipient {
    /// The contact of the appointment.
    Contact,
    /// The staff member.
    Staff,
}

/// What has become of a mail about an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReminderStatus {
    /// It is not due, or a failed attempt is repeated.
    Pending,
    /// It was sent.
    Sent,
    /// It was not sent, because it was no longer wanted or possible; `failure` has the reason.
    Skipped,
    /// It could not be sent; `failure` has the reason.
    Dead,
}

/// How long a worker has a mail to itself.
///
/// Longer than an attempt: the timeout for sending is 10 s, and that of each request to the table 8 s.
pub const LEASE: Duration = Duration::from_mins(1);

/// The number of attempts after which a mail is abandoned.
const MAX_ATTEMPTS: u64 = 8;

/// The pause after the first failed attempt, doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_mins(1);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(30);

/// How long a mail is listed after it was sent or abandoned, in seconds: 90 days.
const KEPT_SECONDS: i64 = 90 * 24 * 60 * 60;

/// A mail about an appointment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reminder {
    /// The reason for the mail.
    pub occasion: Occasion,
    /// The person who gets it.
    pub recipient: Recipient,
    /// The channel.
    pub channel: Channel,
    /// Minutes before the start, as in the settings, for a reminder.
    pub offset: Option<u32>,
    /// The start of the appointment when the mail was written.
    pub start: Instant,
    /// When the mail is due.
    pub due_at: Instant,
    /// When the next attempt is due, or when the lease of the current one ends.
    pub due: Instant,
    /// What has become of it.
    pub status: ReminderStatus,
    /// The number of attempts, including one in progress.
    pub attempts: u64,
    /// When it was sent.
    pub sent_at: Option<Instant>,
    /// Why it was not sent, or why the last attempt failed.
    pub failure: Option<String>,
    /// When DynamoDB may delete it, in Unix seconds.
    pub ttl: Option<i64>,
}

impl Reminder {
    /// A mail that is due at `due`.
    pub(super) const fn new(occasion: Occasion, recipient: Recipient, start: Instant, due: Instant) -> Self {
        Self {
            occasion,
            recipient,
            channel: Channel::Email,
            offset: None,
            start,
            due_at: due,
            due,
            status: ReminderStatus::Pending,
            attempts: 0,
            sent_at: None,
            failure: None,
            ttl: None,
        }
    }

    /// Whether an attempt is due; never during the lease of another worker.
    pub fn is_due(&self, now: Instant) -> bool {
        self.status == ReminderStatus::Pending && self.due <= now
    }

    /// Whether all attempts are used up.
    pub const fn is_exhausted(&self) -> bool {
        self.attempts >= MAX_ATTEMPTS
    }

    /// The condition that the stored item is this one, in the same attempt.
    ///
    /// A move of the appointment replaces the item by one with another start.
    pub fn is_unchanged(&self) -> Condition {
        Condition::equal("attempts", self.attempts).and(Condition::equal("start", self.start))
    }

    /// The mail at the start of an attempt, leased until [`LEASE`] has passed.
    #[must_use]
    pub fn begun(&self, now: Instant) -> Self {
        Self { attempts: self.attempts + 1, due: now.after(LEASE), ..self.clone() }
    }

    /// The sent mail.
    #[must_use]
    pub fn sent(&self, now: Instant) -> Self {
        Self { sent_at: Some(now), failure: None, ..self.settled(ReminderStatus::Sent, now) }
    }

    /// The mail that is not sent, because it is no longer wanted or possible.
    #[must_use]
    pub fn skipped(&self, reason: impl Into<String>, now: Instant) -> Self {
        Self { failure: Some(reason.into()), ..self.settled(ReminderStatus::Skipped, now) }
    }

    /// The abandoned mail.
    #[must_use]
    pub fn dead(&self, reason: impl Into<String>, now: Instant) -> Self {
        Self { failure: Some(reason.into()), ..self.settled(ReminderStatus::Dead, now) }
    }

    /// The mail after a failed attempt: due again after a pause, or abandoned.
    ///
    /// `jitter` is a random number from 0 to 1: the pause is between a half of the full one and the full one.
    #[must_use]
    pub fn failed(&self, reason: impl Into<String>, now: Instant, jitter: f64) -> Self {
        if self.is_exhausted() {
            return self.dead(reason, now);
        }
        let doublings = u32::try_from(self.attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
        let pause = (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
        let pause = pause.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        Self { due: now.after(pause), failure: Some(reason.into()), ..self.clone() }
    }

    fn settled(&self, status: ReminderStatus, now: Instant) -> Self {
        Self { status, ttl: Some(now.unix_seconds() + KEPT_SECONDS), ..self.clone() }
    }
}

/// The place of a mail among those of its appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The reminder with this offset.
    Before(u32),
    /// The mail about this version of the appointment.
    Version(u64),
}

impl Slot {
    /// The sort key: at most one item exists for each appointment, slot, recipient and channel.
    pub(super) fn sort_key(self, recipient: Recipient) -> String {
        let (recipient, channel): (&str, &str) = (recipient.into(), Channel::Email.into());
        match self {
            Self::Before(offset) => format!("BEFORE#{offset:05}#{recipient}#{channel}"),
            Self::Version(version) => format!("VERSION#{version:06}#{recipient}#{channel}"),
        }
    }
}

/// The appointment of a mail, by the sort key.
pub(super) fn appointment_of(sort_key: &str) -> Option<AppointmentId> {
    AppointmentId::from_key(sort_key.split('#').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn reminder() -> Reminder {
        Reminder::new(Occasion::Reminder, Recipient::Contact, at("2026-03-03T12:00:00Z"), at("2026-03-03T11:00:00Z"))
    }

    #[test]
    fn mail_is_due_from_its_time_on_and_again_after_the_lease() {
        let reminder = reminder();
        assert!(!reminder.is_due(at("2026-03-03T10:59:59.999Z")) && reminder.is_due(at("2026-03-03T11:00:00Z")));
        let begun = reminder.begun(at("2026-03-03T11:00:00Z"));
        assert!(!begun.is_due(at("2026-03-03T11:00:59.999Z")) && begun.is_due(at("2026-03-03T11:01:00Z")));
    }

    #[test]
    fn pause_doubles_up_to_half_an_hour_and_has_jitter() {
        let now = at("2026-03-03T11:00:00Z");
        let pause =
            |attempts, jitter| Reminder { attempts, ..reminder() }.failed("timeout", now, jitter).due.since(now);
        let minutes = [1, 2, 3, 4, 5, 6, 7].map(|attempts| pause(attempts, 1.0).as_secs() / 60);
        assert_eq!(minutes, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(2, 0.0), Duration::from_mins(1));
    }

    #[test]
    fn mail_is_abandoned_after_the_eighth_failure() {
        let now = at("2026-03-03T11:00:00Z");
        let mut reminder = reminder();
        for attempt in 1..=8 {
            reminder = reminder.begun(now).failed("timeout", now, 0.5);
            assert_eq!(reminder.status == ReminderStatus::Dead, attempt == 8, "{attempt}");
        }
        assert_eq!(reminder.failure.as_deref(), Some("timeout"));
        assert!(reminder.ttl.is_some() && !reminder.is_due(now.after(Duration::from_hours(24))));
    }

    #[test]
    fn sent_mail_is_never_due_and_has_no_failure() {
        let now = at("2026-03-03T11:00:00Z");
        let sent = reminder().begun(now).failed("timeout", now, 0.5).begun(now).sent(now);
        assert_eq!((sent.status, sent.failure.as_deref()), (ReminderStatus::Sent, None));
        assert!(!sent.is_due(now.after(Duration::from_hours(1))));
    }
}
