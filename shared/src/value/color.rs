use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::characters::trim;
use crate::value::{InvalidValue, string_value};

/// An sRGB color as `#rrggbb`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Color(String);

impl Color {
    /// The color as text, such as `#2f855a`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Color {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let color = trim(raw).to_ascii_lowercase();
        let digits = color.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(Self(color));
        }
        Err(InvalidValue::new("invalid_color", "must be a color as #rrggbb, such as #2f855a"))
    }
}

string_value!([] Color, "Color", |schema| schema
    .description(Some("sRGB color as `#rrggbb`."))
    .pattern(Some("^#[0-9A-Fa-f]{6}$"))
    .examples([serde_json::json!("#2f855a")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_has_six_hexadecimal_digits() {
        assert_eq!(" #2F855a ".parse::<Color>().unwrap(), Color("#2f855a".to_owned()));
        for bad in ["", "#", "#fff", "2f855a", "#2f855g", "#2f855a00", "red", "#２f855a", "url(x)"] {
            assert_eq!(bad.parse::<Color>().unwrap_err().code(), "invalid_color", "{bad}");
        }
    }
}
