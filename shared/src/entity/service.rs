use std::collections::HashSet;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, InClient, StaffId};
use crate::auth::ClientScope;
use crate::booking::{Buffers, SlotRules};
use crate::value::{Amount, BoundedInt, Currency, InvalidValue, Name, ValidationErrors};

/// What a client does for its customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ServiceFields)]
pub struct Service {
    /// What it is called.
    #[schema(example = "Haircut")]
    pub name: Name,
    /// How long it takes, in minutes.
    #[schema(value_type = u32, minimum = 1, maximum = 1440, example = 45)]
    pub duration: BoundedInt<1, 1440>,
    /// What it costs, not below zero, with at most the decimals of its currency.
    #[deserr(default)]
    pub price: Option<Amount>,
    /// In what; the client's currency unless given.
    #[schema(required = false)]
    pub currency: Currency,
    /// How long its staff are busy before it, in minutes.
    #[deserr(default = BoundedInt::LEAST)]
    #[schema(value_type = u32, required = false, minimum = 0, maximum = 1440, default = 0)]
    pub buffer_before: BoundedInt<0, 1440>,
    /// How long its staff are busy after it, in minutes.
    #[deserr(default = BoundedInt::LEAST)]
    #[schema(value_type = u32, required = false, minimum = 0, maximum = 1440, default = 0)]
    pub buffer_after: BoundedInt<0, 1440>,
    /// From one start that is offered to the next, in minutes; the duration unless given.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1440, example = 15)]
    pub slot_interval: Option<BoundedInt<1, 1440>>,
    /// How long before it begins it must be booked, in minutes.
    #[deserr(default = BoundedInt::LEAST)]
    #[schema(value_type = u32, required = false, minimum = 0, maximum = 525_600, default = 0)]
    pub min_notice: BoundedInt<0, 525_600>,
    /// How far ahead it can be booked, in days of 24 hours.
    #[deserr(default = USUAL_HORIZON)]
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 3650, default = 60)]
    pub horizon_days: BoundedInt<1, 3650>,
    /// The staff who offer it; all if none is named.
    #[serde(default)]
    #[deserr(default, try_from(Vec<StaffId>) = distinct -> InvalidValue)]
    #[schema(required = false, max_items = 40)]
    pub staff_ids: Vec<StaffId>,
    /// Whether visitors of the client's website can book it.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    pub bookable_online: bool,
}

/// How far ahead a service can be booked unless told, in days.
const USUAL_HORIZON: BoundedInt<1, 3650> = match BoundedInt::new(60) {
    Some(days) => days,
    None => BoundedInt::LEAST,
};

impl Service {
    /// The most staff that it can name: a change of all of them takes two parts of its transaction each, and a transaction has at most
    /// 100 (a limit of DynamoDB).
    pub const MAX_STAFF: usize = 40;

    /// What is wrong with its fields together: the decimals that the currency has.
    pub fn check(&self) -> Result<(), ValidationErrors> {
        let fault = self.price.and_then(|price| price.fits(self.currency).err());
        fault.map_or(Ok(()), |why| Err(ValidationErrors::field("/price", why)))
    }

    /// Requires that a member of the staff offers it, whom the request names as `staffId`.
    pub fn require_offered_by(&self, staff: StaffId) -> Result<(), ValidationErrors> {
        if self.staff_ids.is_empty() || self.staff_ids.contains(&staff) {
            return Ok(());
        }
        Err(ValidationErrors::field(
            "/staffId",
            InvalidValue::new("not_offered", "must name somebody who offers the service"),
        ))
    }

    /// What decides on its slots.
    pub fn terms(&self) -> SlotRules {
        SlotRules {
            duration: minutes(self.duration),
            slot_interval: minutes(self.slot_interval.unwrap_or(self.duration)),
            buffers: Buffers { before: minutes(self.buffer_before), after: minutes(self.buffer_after) },
            min_notice: self.min_notice.get(),
            horizon_days: minutes(self.horizon_days),
        }
    }
}

impl Fields for Service {
    const NAME: &'static str = "Service";
    type Scope = ClientScope;
    type Parent = InClient;
}

/// All of a service's numbers but its notice have 16 bits.
fn minutes<const MIN: u32, const MAX: u32>(number: BoundedInt<MIN, MAX>) -> u16 {
    u16::try_from(number.get()).unwrap_or(u16::MAX)
}

fn distinct(staff: Vec<StaffId>) -> Result<Vec<StaffId>, InvalidValue> {
    if staff.len() > Service::MAX_STAFF {
        return Err(InvalidValue::new("too_many", "must be at most 40 members of the staff"));
    }
    if staff.iter().collect::<HashSet<_>>().len() < staff.len() {
        return Err(InvalidValue::new("duplicate", "must not name somebody twice"));
    }
    Ok(staff)
}
