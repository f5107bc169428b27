//! When a client's reminders are sent, and who gets them.

use std::collections::HashSet;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};
use utoipa::ToSchema;

use super::QuietHours;
use crate::value::{BoundedInt, InvalidValue, ValidationErrors, enum_value};

/// A channel through which reminders are sent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, EnumString, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Channel {
    /// Email.
    Email,
}

enum_value!(Channel);

/// Minutes before the start of an appointment.
type Offset = BoundedInt<5, 43_200>;

/// When a client's reminders are sent, and who gets them.
#[expect(clippy::struct_excessive_bools, reason = "independent settings, as the API has them")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "offsets": [1440, 60],
    "channels": ["EMAIL"],
    "enabled": true,
    "quietHours": { "start": "21:00", "end": "08:00" },
    "staff": false,
    "confirmations": true,
    "notices": true,
}))]
pub struct ReminderSettings {
    /// Minutes before the start of an appointment, all different; each is a reminder.
    #[deserr(default = default_offsets(), try_from(Vec<Offset>) = distinct_offsets -> InvalidValue)]
    #[schema(value_type = Vec<u32>, required = false, max_items = 5, example = json!([1440, 60]))]
    offsets: Vec<Offset>,
    /// The channels of all mails about appointments. Without one, nothing is sent.
    #[deserr(default = vec![Channel::Email], try_from(Vec<Channel>) = distinct_channels -> InvalidValue)]
    #[schema(required = false, max_items = 1)]
    channels: Vec<Channel>,
    /// Whether anything is sent about appointments.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    enabled: bool,
    /// The time of day without reminders, in the contact's time zone or else in the client's.
    #[deserr(default)]
    quiet_hours: Option<QuietHours>,
    /// Whether the staff member gets the same mails as the contact.
    #[deserr(default)]
    #[schema(required = false, default = false)]
    staff: bool,
    /// Whether bookings are confirmed.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    confirmations: bool,
    /// Whether moves and cancellations are announced.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    notices: bool,
}

/// The largest number of offsets.
const MAX_OFFSETS: usize = 5;

/// A day and an hour.
fn default_offsets() -> Vec<Offset> {
    [1440, 60].into_iter().filter_map(Offset::new).collect()
}

fn distinct_offsets(offsets: Vec<Offset>) -> Result<Vec<Offset>, InvalidValue> {
    if offsets.len() > MAX_OFFSETS {
        return Err(InvalidValue::new("too_many", "must be at most 5 offsets"));
    }
    let distinct: HashSet<_> = offsets.iter().map(|offset| offset.get()).collect();
    if distinct.len() < offsets.len() {
        return Err(InvalidValue::new("duplicate", "must not contain an offset twice"));
    }
    Ok(offsets)
}

fn distinct_channels(channels: Vec<Channel>) -> Result<Vec<Channel>, InvalidValue> {
    let distinct: HashSet<_> = channels.iter().collect();
    if distinct.len() < channels.len() {
        return Err(InvalidValue::new("duplicate", "must not contain a channel twice"));
    }
    Ok(channels)
}

impl Default for ReminderSettings {
    /// The settings of a client that has chosen none.
    fn default() -> Self {
        Self {
            offsets: default_offsets(),
            channels: vec![Channel::Email],
            enabled: true,
            quiet_hours: None,
            staff: false,
            confirmations: true,
            notices: true,
        }
    }
}

impl ReminderSettings {
    /// The minutes before the start of each reminder.
    pub(super) fn offsets(&self) -> impl Iterator<Item = u32> {
        self.offsets.iter().map(|offset| offset.get())
    }

    /// The time of day without reminders.
    pub(super) const fn quiet_hours(&self) -> Option<QuietHours> {
        self.quiet_hours
    }

    /// Whether mails are sent about appointments.
    pub fn sends_mail(&self) -> bool {
        self.enabled && self.channels.contains(&Channel::Email)
    }

    /// Whether the staff member gets the same mails as the contact.
    pub const fn includes_staff(&self) -> bool {
        self.staff
    }

    /// Whether bookings are confirmed.
    pub const fn confirms(&self) -> bool {
        self.confirmations
    }

    /// Whether moves and cancellations are announced.
    pub const fn announces_changes(&self) -> bool {
        self.notices
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(value: Value) -> Result<ReminderSettings, Vec<String>> {
        deserr::deserialize::<_, _, ValidationErrors>(value)
            .map_err(|errors| errors.into_fields().iter().map(|error| error.pointer.clone()).collect())
    }

    #[test]
    fn absent_settings_have_their_defaults() {
        assert_eq!(parse(json!({})), Ok(ReminderSettings::default()));
    }

    #[test]
    fn offsets_are_distinct_at_most_five_and_within_a_month() {
        let offsets = |offsets: Value| parse(json!({ "offsets": offsets })).map(|settings| settings.offsets.len());
        assert_eq!(offsets(json!([])), Ok(0));
        assert_eq!(offsets(json!([5, 43_200, 60, 120, 180])), Ok(5));
        for invalid in [json!([60, 60]), json!([5, 6, 7, 8, 9, 10])] {
            assert_eq!(offsets(invalid), Err(vec!["/offsets".to_owned()]));
        }
        assert_eq!(offsets(json!([4, 60, 43_201])), Err(vec!["/offsets/0".to_owned(), "/offsets/2".to_owned()]));
    }

    #[test]
    fn unknown_channel_and_equal_quiet_hours_are_rejected() {
        assert_eq!(parse(json!({ "channels": ["SMS"] })), Err(vec!["/channels/0".to_owned()]));
        let quiet = json!({ "quietHours": { "start": "08:00", "end": "08:00" } });
        assert_eq!(parse(quiet), Err(vec!["/quietHours/end".to_owned()]));
    }

    #[test]
    fn mail_is_sent_only_if_enabled_with_the_channel() {
        let sends = |value| parse(value).unwrap().sends_mail();
        assert!(sends(json!({})));
        assert!(!sends(json!({ "enabled": false })) && !sends(json!({ "channels": [] })));
    }
}
