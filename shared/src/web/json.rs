//! JSON without duplicate members (RFC 7493, 2.3) and without rounded numbers.
//!
//! Of two members with the same name, one would be silently ignored, and a number with too many digits would be
//! rounded to binary64.

use std::borrow::Cow;
use std::fmt;

use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Parses a JSON document.
///
/// A number that binary64 cannot represent becomes one that no field accepts, so that the field's own error names it.
pub(super) fn parse(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(&without_inexact_numbers(text)).map(|Document(value)| value)
}

/// The replacement of an inexact number: more than any field accepts.
const OUT_OF_RANGE: &[u8] = b"1e300";

fn without_inexact_numbers(text: &[u8]) -> Cow<'_, [u8]> {
    let mut exact = Cow::Borrowed(text);
    for number in numbers(text).filter(|number| !is_exact(number)).collect::<Vec<_>>().into_iter().rev() {
        let start = number.as_ptr().addr() - text.as_ptr().addr();
        exact.to_mut().splice(start..start + number.len(), OUT_OF_RANGE.iter().copied());
    }
    exact
}

/// The numbers of a JSON text, outside of its strings.
fn numbers(text: &[u8]) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.iter().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9'))?;
            rest = &rest[start..];
            if rest[0] == b'"' {
                rest = after_string(rest);
                continue;
            }
            let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
            let (number, after) = rest.split_at(rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len()));
            rest = after;
            return std::str::from_utf8(number).ok();
        }
    })
}

/// The text after the string at its beginning.
fn after_string(text: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| match byte {
        b'"' if !escaped => true,
        byte => {
            escaped = *byte == b'\\' && !escaped;
            false
        }
    });
    end.map_or(&[], |end| &text[end + 2..])
}

/// Whether a number keeps its value as an integer of 64 bits or as binary64.
///
/// A text that is no number is left to the parser.
fn is_exact(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let Ok(rounded) = number.parse::<f64>() else { return true };
    // Binary64 keeps 15 decimal digits, within its normal range.
    let digits = number.split(['e', 'E']).next().unwrap_or_default();
    let digits = digits.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    (digits <= 15 && (rounded.is_normal() || digits == 0))
        || Number::from_f64(rounded)
            .and_then(|kept| exact_decimal(&kept.to_string()))
            .is_some_and(|kept| exact_decimal(number) == Some(kept))
}

/// The value of a number; `None` if a [`Decimal`] has too few digits for its text.
fn exact_decimal(number: &str) -> Option<Decimal> {
    let mantissa = Decimal::from_str_exact(number.split(['e', 'E']).next()?).ok()?;
    if number.contains(['e', 'E']) { Decimal::from_scientific(number).ok() } else { Some(mantissa) }
}

/// A JSON document without duplicate members.
struct Document(Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict).map(Self)
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a JSON number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Document(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Document(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a repeated member"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn number_is_kept_exactly_or_out_of_range(mantissa in any::<i128>(), scale in 0..=20_u32, cut in 0..=38_u32) {
            let Ok(number) = Decimal::try_from_i128_with_scale(mantissa / 10_i128.pow(cut), scale) else { return Ok(()) };
            let text = format!("{{\"\\\"{number}\":[\"-1.5\\\\\",{number}]}}");
            let document = parse(text.as_bytes()).unwrap();
            let kept = &document.as_object().unwrap().values().next().unwrap()[1];
            let is_kept = kept.to_string().parse::<Decimal>().is_ok_and(|kept| kept == number);
            prop_assert!(is_kept || kept.as_f64() == Some(1e300), "{} became {}", number, kept);
            let digits = number.normalize().mantissa().unsigned_abs().to_string().len();
            prop_assert!(is_kept || digits > 15, "{} has few digits", number);
        }
    }

    #[test]
    fn number_with_too_many_digits_is_out_of_range() {
        for (text, exact) in [
            ("99999999999999.99", false),
            ("0.1000000000000000055511151231257827", false),
            ("1e400", false),
            ("1e-400", false),
            ("0.0", true),
            ("-1.00000000000000000000001", false),
            ("98765621850953.61", true),
            ("9025524313.989195", true),
            ("1250.50", true),
            ("9007199254740993", true),
            ("1.5e3", true),
            ("0.000000000000001", true),
            ("100000000000000000000.0", true),
            // More digits than a Decimal has.
            ("0.10000000000000000000000000000000001", false),
            ("1.00000000000000000001e-20", false),
            // The same binary64, which is written as the first one.
            ("1649935140092624.2", true),
            ("1649935140092624.3", false),
        ] {
            let parsed = parse(text.as_bytes());
            let is_replaced = parsed.is_ok_and(|value| value.as_f64() == Some(1e300));
            assert_eq!(is_replaced, !exact, "{text}");
        }
    }

    #[test]
    fn document_without_repeated_members_is_parsed() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,1.5,"x\u00e9"],"b":{"a":{}}}"#;
        assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn repeated_member_is_rejected_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"a":2}}]"#] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
