use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::AgencyScope;
use crate::table::{Fields, InAgency};
use crate::value::{Country, Currency, Name, TimeZone, ValidationErrors, marker};

/// A business that an agency works for, with its own CRM data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ClientFields, example = json!({
    "name": "Corner Bakery",
    "timeZone": "Europe/Berlin",
    "currency": "EUR",
    "country": "DE",
}))]
pub struct Client {
    /// The name.
    #[schema(example = "Corner Bakery")]
    pub name: Name,
    /// The time zone.
    #[deserr(default = TimeZone::UTC)]
    #[schema(required = false, default = "UTC")]
    pub time_zone: TimeZone,
    /// The default currency of amounts.
    #[deserr(default = Currency::USD)]
    #[schema(required = false, default = "USD")]
    pub currency: Currency,
    /// The country.
    ///
    /// Phone numbers without a country code belong to this country. If it is not set, they are invalid.
    #[serde(default)]
    #[deserr(default)]
    pub country: Option<Country>,
}

impl Fields for Client {
    const NAME: &'static str = "Client";
    type Marker = marker::Client;
    type Scope = AgencyScope;
    type Parent = InAgency;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stored_client_without_country_is_read() {
        let row = json!({ "name": "Corner Bakery", "timeZone": "UTC", "currency": "USD" });
        assert_eq!(serde_json::from_value::<Client>(row).unwrap().country, None);
    }
}
