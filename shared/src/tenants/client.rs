use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::AgencyScope;
use crate::table::{Fields, InAgency};
use crate::tenants::Brand;
use crate::value::{Country, Currency, Language, Name, TimeZone, ValidationErrors, marker};

/// A business that an agency works for, with its own CRM data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ClientFields, example = json!({
    "name": "Corner Bakery",
    "timeZone": "Europe/Berlin",
    "currency": "EUR",
    "country": "DE",
    "language": "de",
    "brand": { "displayName": "Die Bäckerei", "color": "#2f855a", "replyTo": "hallo@bakery.example" },
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
    /// The language of the people that the client serves.
    #[serde(default = "Language::english")]
    #[deserr(default = Language::english())]
    #[schema(required = false, default = "en")]
    pub language: Language,
    /// How the client presents itself.
    #[serde(default)]
    #[deserr(default)]
    pub brand: Option<Brand>,
}

impl Client {
    /// The name that customers see: the one of the brand, or else that of the client.
    pub fn display_name(&self) -> String {
        let of_brand = self.brand.as_ref().and_then(|brand| brand.display_name.as_ref());
        of_brand.map_or_else(|| self.name.to_string(), ToString::to_string)
    }
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
    fn stored_client_without_newer_fields_is_read() {
        let row = json!({ "name": "Corner Bakery", "timeZone": "UTC", "currency": "USD" });
        let client = serde_json::from_value::<Client>(row).unwrap();
        assert_eq!((client.country, client.language, client.brand), (None, Language::english(), None));
    }
}
