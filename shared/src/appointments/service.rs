use std::collections::HashSet;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::appointments::StaffId;
use crate::booking::{Buffers, SlotRules};
use crate::identity::ClientScope;
use crate::table::{Fields, InClient};
use crate::value::{Amount, BoundedInt, Currency, InvalidValue, Name, ValidationErrors};

/// A service that a client offers to its customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ServiceFields, example = json!({
    "name": "Haircut",
    "duration": 45,
    "price": 39.5,
    "currency": "EUR",
    "bufferBefore": 5,
    "bufferAfter": 10,
    "slotInterval": 15,
    "minNotice": 120,
    "horizonDays": 60,
    "staffIds": [],
    "bookableOnline": true,
}))]
pub struct Service {
    /// The name.
    #[schema(example = "Haircut")]
    pub name: Name,
    /// The duration in minutes.
    #[schema(value_type = u32, minimum = 1, maximum = 1440, example = 45)]
    pub duration: BoundedInt<1, 1440>,
    /// The price: zero or more, with at most the decimals of its currency.
    #[deserr(default)]
    pub price: Option<Amount>,
    /// The currency of the price (ISO 4217). Default: the client's currency.
    #[schema(required = false)]
    pub currency: Currency,
    /// Minutes kept free before each appointment.
    #[deserr(default = BoundedInt::LEAST)]
    #[schema(value_type = u32, required = false, minimum = 0, maximum = 1440, default = 0)]
    pub buffer_before: BoundedInt<0, 1440>,
    /// Minutes kept free after each appointment.
    #[deserr(default = BoundedInt::LEAST)]
    #[schema(value_type = u32, required = false, minimum = 0, maximum = 1440, default = 0)]
    pub buffer_after: BoundedInt<0, 1440>,
    /// Minutes from one offered start to the next. Default: the duration.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1440, example = 15)]
    pub slot_interval: Option<BoundedInt<1, 1440>>,
    /// The minimum notice: minutes between the booking and the start.
    #[deserr(default = BoundedInt::LEAST)]
    #[schema(value_type = u32, required = false, minimum = 0, maximum = 525_600, default = 0)]
    pub min_notice: BoundedInt<0, 525_600>,
    /// The booking horizon: how far ahead a start can be booked, in days of 24 hours.
    #[deserr(default = DEFAULT_HORIZON)]
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 3650, default = 60)]
    pub horizon_days: BoundedInt<1, 3650>,
    /// The staff members who offer the service; all of them if empty.
    #[serde(default)]
    #[deserr(default, try_from(Vec<StaffId>) = distinct -> InvalidValue)]
    #[schema(required = false, max_items = 40)]
    pub staff_ids: Vec<StaffId>,
    /// Whether visitors of the client's website can book the service.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    pub bookable_online: bool,
}

/// The default booking horizon, in days.
const DEFAULT_HORIZON: BoundedInt<1, 3650> = match BoundedInt::new(60) {
    Some(days) => days,
    None => BoundedInt::LEAST,
};

impl Service {
    /// The maximum number of staff members that a service can list.
    ///
    /// Replacing all of them takes two parts of a transaction each, and a transaction has at most 100 (a
    /// limit of DynamoDB).
    pub const MAX_STAFF: usize = 40;

    /// Validates the fields together: the price fits the currency, and the notice is within the horizon.
    pub fn check(&self) -> Result<(), ValidationErrors> {
        let price = self.price.map_or(Ok(()), |price| price.fits(self.currency));
        let price = price.map_err(|invalid| ValidationErrors::field("/price", invalid));
        let notice = if self.min_notice.get() <= self.horizon_days.get() * 24 * 60 {
            Ok(())
        } else {
            let detail = "must not be longer than horizonDays: no start could be booked";
            Err(ValidationErrors::field("/minNotice", InvalidValue::new("beyond_horizon", detail)))
        };
        match (price, notice) {
            (Err(price), Err(notice)) => Err(price.and(notice)),
            (price, notice) => price.and(notice),
        }
    }

    /// Requires that a staff member, the `staffId` of the request, offers the service.
    pub fn require_offered_by(&self, staff: StaffId) -> Result<(), ValidationErrors> {
        if self.staff_ids.is_empty() || self.staff_ids.contains(&staff) {
            return Ok(());
        }
        Err(ValidationErrors::field(
            "/staffId",
            InvalidValue::new("not_offered", "must be a staff member who offers the service"),
        ))
    }

    /// The rules for the slots of the service.
    pub fn slot_rules(&self) -> SlotRules {
        SlotRules {
            duration: to_u16(self.duration),
            slot_interval: to_u16(self.slot_interval.unwrap_or(self.duration)),
            buffers: Buffers { before: to_u16(self.buffer_before), after: to_u16(self.buffer_after) },
            min_notice: self.min_notice.get(),
            horizon_days: to_u16(self.horizon_days),
        }
    }
}

impl Fields for Service {
    const NAME: &'static str = "Service";
    type Marker = Self;
    type Scope = ClientScope;
    type Parent = InClient;
}

/// A number of minutes or days in 16 bits.
///
/// All numbers of a service except the notice fit.
fn to_u16<const MIN: u32, const MAX: u32>(number: BoundedInt<MIN, MAX>) -> u16 {
    u16::try_from(number.get()).unwrap_or(u16::MAX)
}

fn distinct(staff: Vec<StaffId>) -> Result<Vec<StaffId>, InvalidValue> {
    if staff.len() > Service::MAX_STAFF {
        return Err(InvalidValue::new("too_many", "must have at most 40 staff members"));
    }
    if staff.iter().collect::<HashSet<_>>().len() < staff.len() {
        return Err(InvalidValue::new("duplicate", "must not contain duplicates"));
    }
    Ok(staff)
}
