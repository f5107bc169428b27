//! Values that are valid by construction.
//!
//! Each value is validated once, when a request is parsed.
//!
//! A request is parsed with [`deserr`], which reports every invalid field. A stored value was valid when it was
//! written, and is read with `serde` without another check: existing rows stay readable if a rule becomes
//! stricter.

mod amount;
mod bounded_int;
pub mod characters;
mod clock;
mod color;
mod country;
mod currency;
mod date;
mod email;
mod enumeration;
mod host;
mod https_url;
mod id;
mod ids;
mod instant;
mod language;
mod month;
mod multiline_text;
mod normalized_text;
mod percent;
mod person_name;
mod phone;
mod query_bool;
mod rank;
mod text;
mod time_range;
mod time_zone;
mod validation;
mod wall_time;
mod web_domain;

use std::str::FromStr;

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};

pub use amount::Amount;
pub use bounded_int::BoundedInt;
pub use clock::Clock;
pub use color::Color;
pub use country::Country;
pub use currency::Currency;
pub use date::Date;
pub use email::Email;
#[cfg(test)]
pub(crate) use enumeration::assert_names_agree;
pub(crate) use enumeration::{enum_value, parse_name};
pub use host::Host;
pub use https_url::HttpsUrl;
pub use id::{Id, IdMaker};
pub use ids::{AgencyId, AppointmentId, ClientId, SessionId, TenantId, UserId, marker};
pub use instant::Instant;
pub use language::Language;
pub use month::{Month, months};
pub use multiline_text::MultilineText;
pub use normalized_text::NormalizedText;
pub use percent::Percent;
pub use person_name::PersonName;
pub use phone::Phone;
pub use query_bool::QueryBool;
pub use rank::Rank;
pub use text::Text;
pub use time_range::{TimeRange, merge, subtract};
pub use time_zone::TimeZone;
pub(crate) use validation::member;
pub use validation::{FieldError, InvalidValue, ValidationErrors};
pub use wall_time::WallTime;
pub use web_domain::WebDomain;

/// The name of a person or a thing: 1 to 200 characters of any script.
pub type Name = Text<200>;

/// Parses a JSON string into a value; errors point to `location`.
pub(crate) fn parse_string<T, V>(value: Value<V>, location: ValuePointerRef) -> Result<T, ValidationErrors>
where
    T: FromStr<Err = InvalidValue>,
    V: IntoValue,
{
    let text = String::deserialize_from_value(value, location)?;
    text.parse().map_err(|error| ValidationErrors::at(location, error))
}

/// Implements [`Deserr`] for a type that implements [`FromStr`].
macro_rules! parsed_value {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> deserr::Deserr<$crate::value::ValidationErrors> for $type {
            fn deserialize_from_value<V: deserr::IntoValue>(
                value: deserr::Value<V>,
                location: deserr::ValuePointerRef,
            ) -> std::result::Result<Self, $crate::value::ValidationErrors> {
                $crate::value::parse_string(value, location)
            }
        }
    };
}
pub(crate) use parsed_value;

/// Implements [`Deserr`] and a string schema for a type with [`FromStr`].
macro_rules! string_value {
    ([$($generics:tt)*] $type:ty, $name:expr, |$schema:ident| $describe:expr) => {
        $crate::value::parsed_value!([$($generics)*] $type);

        impl<$($generics)*> utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let $schema = utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String);
                $describe.into()
            }
        }

        impl<$($generics)*> utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
        }
    };
}
pub(crate) use string_value;
