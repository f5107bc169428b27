use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fields, InAgency};
use crate::auth::AgencyScope;
use crate::value::{Country, Currency, Name, TimeZone, ValidationErrors};

/// A business that an agency works for: holds contacts and all else that a CRM keeps.
#[derive(Clone, Debug, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(as = ClientFields)]
pub struct Client {
    /// What it is called.
    #[schema(example = "Corner Bakery")]
    pub name: Name,
    /// Where its clocks are.
    #[deserr(default = TimeZone::UTC)]
    #[schema(required = false, default = "UTC")]
    pub time_zone: TimeZone,
    /// What it counts in unless told otherwise.
    #[deserr(default = Currency::USD)]
    #[schema(required = false, default = "USD")]
    pub currency: Currency,
    /// Where it is: national telephone numbers are read as this country's.
    #[serde(default)]
    #[deserr(default)]
    pub country: Option<Country>,
}

impl Fields for Client {
    const NAME: &'static str = "Client";
    type Scope = AgencyScope;
    type Parent = InAgency;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_from_before_there_were_countries_reads() {
        let row = json!({ "name": "Corner Bakery", "timeZone": "UTC", "currency": "USD" });
        assert_eq!(serde_json::from_value::<Client>(row).unwrap().country, None);
    }
}
