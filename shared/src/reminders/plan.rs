//! Which reminders an appointment has, and when: a pure function.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Recipient, ReminderSettings};
use crate::value::{Instant, TimeZone};

/// The people who are reminded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// The contact.
    pub contact: bool,
    /// The staff member.
    pub staff: bool,
}

impl Recipients {
    /// Each of the people.
    pub fn each(self) -> impl Iterator<Item = Recipient> {
        let contact = self.contact.then_some(Recipient::Contact);
        contact.into_iter().chain(self.staff.then_some(Recipient::Staff))
    }

    const fn is_empty(self) -> bool {
        !self.contact && !self.staff
    }
}

/// One reminder of an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredReminder", into = "StoredReminder")]
pub struct PlannedReminder {
    /// Minutes before the start, as in the settings.
    pub offset: u32,
    /// When it is due: the offset before the start, or another time because of quiet hours.
    pub due: Instant,
    /// Who gets it.
    pub recipients: Recipients,
}

/// A reminder as the appointment stores it, in few bytes: each index holds a copy.
#[derive(Serialize, Deserialize)]
struct StoredReminder {
    #[serde(rename = "o")]
    offset: u32,
    /// Milliseconds since the Unix epoch.
    #[serde(rename = "d")]
    due: i64,
    /// 1 for the contact, 2 for the staff member, 3 for both.
    #[serde(rename = "r")]
    recipients: u8,
}

impl From<PlannedReminder> for StoredReminder {
    fn from(PlannedReminder { offset, due, recipients }: PlannedReminder) -> Self {
        let recipients = u8::from(recipients.contact) | (u8::from(recipients.staff) << 1);
        Self { offset, due: due.unix_millis(), recipients }
    }
}

impl TryFrom<StoredReminder> for PlannedReminder {
    type Error = &'static str;

    fn try_from(StoredReminder { offset, due, recipients }: StoredReminder) -> Result<Self, Self::Error> {
        let recipients = Recipients { contact: recipients & 1 != 0, staff: recipients & 2 != 0 };
        Ok(Self { offset, due: Instant::from_unix_millis(due).ok_or("a time out of range")?, recipients })
    }
}

/// The reminders of an appointment.
///
/// The appointment stores its plan, so that a change can delete the items without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReminderPlan(Vec<PlannedReminder>);

impl ReminderPlan {
    /// The plan for an appointment at `start` that is booked or changed at `now`.
    ///
    /// A reminder is left out after its time, and so is one in quiet hours that can be sent neither after nor
    /// before them. Of several in the same minute, the one with the largest offset remains.
    pub fn new(
        settings: &ReminderSettings,
        start: Instant,
        now: Instant,
        zone: TimeZone,
        recipients: Recipients,
    ) -> Self {
        if !settings.sends_mail() || recipients.is_empty() {
            return Self::default();
        }
        let mut offsets: Vec<_> = settings.offsets().collect();
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        let mut by_minute = BTreeMap::new();
        for offset in offsets {
            let due = start.before(Duration::from_secs(u64::from(offset) * 60));
            if due <= now {
                continue;
            }
            let due = settings.quiet_hours().map_or(Some(due), |quiet| quiet.avoid(due, zone, now, start));
            if let Some(due) = due {
                let minute = due.unix_seconds().div_euclid(60);
                by_minute.entry(minute).or_insert(PlannedReminder { offset, due, recipients });
            }
        }
        Self(by_minute.into_values().collect())
    }

    /// Each item of the plan: the offset, the time and the recipient.
    pub fn items(&self) -> impl Iterator<Item = (u32, Instant, Recipient)> {
        self.0
            .iter()
            .flat_map(|planned| planned.recipients.each().map(|recipient| (planned.offset, planned.due, recipient)))
    }

    /// Whether there are no reminders.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::ValidationErrors;

    const BOTH: Recipients = Recipients { contact: true, staff: true };
    const CONTACT: Recipients = Recipients { contact: true, staff: false };

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn settings(value: serde_json::Value) -> ReminderSettings {
        deserr::deserialize::<_, _, ValidationErrors>(value).unwrap()
    }

    fn due(settings: &ReminderSettings, start: &str, now: &str, recipients: Recipients) -> Vec<(u32, String)> {
        let plan = ReminderPlan::new(settings, at(start), at(now), TimeZone::UTC, recipients);
        plan.items().map(|(offset, due, _)| (offset, due.to_string()[..16].to_owned())).collect()
    }

    #[test]
    fn reminder_is_left_out_after_its_time() {
        let day_and_hour = settings(json!({ "offsets": [1440, 60] }));
        let due = |now| due(&day_and_hour, "2026-03-03T12:00:00Z", now, CONTACT);
        let (day, hour) = ((1440, "2026-03-02T12:00".to_owned()), (60, "2026-03-03T11:00".to_owned()));
        assert_eq!(due("2026-03-01T12:00:00Z"), [day, hour.clone()]);
        assert_eq!(due("2026-03-02T12:00:00Z"), [hour]);
        assert_eq!(due("2026-03-03T11:01:00Z"), [], "booked 59 minutes ahead");
    }

    #[test]
    fn each_recipient_has_an_item_of_its_own() {
        let hour = settings(json!({ "offsets": [60] }));
        let count = |recipients| due(&hour, "2026-03-03T12:00:00Z", "2026-03-01T12:00:00Z", recipients).len();
        assert_eq!([count(BOTH), count(CONTACT), count(Recipients::default())], [2, 1, 0]);
    }

    #[test]
    fn reminders_in_the_same_minute_are_one() {
        let quiet = settings(json!({
            "offsets": [120, 240, 1440], "quietHours": { "start": "20:00", "end": "09:00" },
        }));
        let due = due(&quiet, "2026-03-03T10:00:00Z", "2026-03-01T12:00:00Z", CONTACT);
        assert_eq!(due, [(1440, "2026-03-02T10:00".to_owned()), (240, "2026-03-03T09:00".to_owned())]);
    }

    #[test]
    fn nothing_is_planned_unless_mail_is_sent() {
        for off in [json!({ "enabled": false }), json!({ "channels": [] })] {
            assert_eq!(due(&settings(off), "2026-03-03T12:00:00Z", "2026-03-01T12:00:00Z", BOTH), []);
        }
    }

    #[test]
    fn stored_plan_is_read_again() {
        let plan = ReminderPlan::new(
            &ReminderSettings::default(),
            at("2026-03-03T12:00:00Z"),
            at("2026-03-01T12:00:00Z"),
            TimeZone::UTC,
            BOTH,
        );
        let stored = serde_json::to_value(&plan).unwrap();
        assert_eq!(stored[0], json!({ "o": 1440, "d": 1_772_452_800_000_i64, "r": 3 }));
        assert_eq!(serde_json::from_value::<ReminderPlan>(stored).unwrap(), plan);
    }
}
