//! Values that are valid because they exist: each is parsed once, at the edge, and never checked again.
//!
//! A request is parsed with [`deserr`], which reports every field at fault; what comes back from the table was valid when
//! it was written and is read with `serde`, without a second judgement (a rule may become stricter, old rows stay readable).

mod amount;
mod clock;
mod country;
mod currency;
mod date;
mod email;
mod flag;
mod folded;
mod host;
mod id;
mod instant;
mod invalid;
mod lines;
mod month;
mod percent;
mod phone;
mod rank;
mod text;
mod time_range;
mod time_zone;
mod wall_time;
mod web_domain;
mod whole;

use std::str::FromStr;

use deserr::{Deserr, IntoValue, Value, ValuePointerRef, take_cf_content};

pub use amount::Amount;
pub use clock::Clock;
pub use country::Country;
pub use currency::Currency;
pub use date::Date;
pub use email::Email;
pub use flag::QueryBool;
pub use folded::NormalizedText;
pub use host::Host;
pub use id::{Id, IdMaker};
pub use instant::Instant;
pub(crate) use invalid::member;
pub use invalid::{FieldError, InvalidValue, ValidationErrors};
pub use lines::MultilineText;
pub use month::{Month, months};
pub use percent::Percent;
pub use phone::Phone;
pub use rank::Rank;
pub use text::Text;
pub use time_range::{TimeRange, merge, subtract};
pub use time_zone::TimeZone;
pub use wall_time::WallTime;
pub use web_domain::WebDomain;
pub use whole::BoundedInt;

/// A person's, a company's or a thing's name: 1 to 200 characters of any script.
pub type Name = Text<200>;

/// Reads a JSON string into a value that parses itself; the field at fault is named by `location`.
pub(crate) fn parse_string<T, V>(value: Value<V>, location: ValuePointerRef) -> Result<T, ValidationErrors>
where
    T: FromStr<Err = InvalidValue>,
    V: IntoValue,
{
    let text = String::deserialize_from_value(value, location)?;
    text.parse().map_err(|rejected| {
        take_cf_content(<ValidationErrors as deserr::MergeWithError<InvalidValue>>::merge(None, rejected, location))
    })
}

/// Gives a type that parses itself from a string its way in from a request ([`Deserr`]).
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

/// The same for a newtype over a string, with its place in the OpenAPI document.
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
