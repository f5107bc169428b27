use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::{InvalidValue, string_value};

/// One line of text: 1 to `MAX` characters (Unicode scalar values) after trimming, of any script, in Unicode normalisation
/// form C, so that equal texts are equal bytes. It has neither control characters nor those that turn the direction of what
/// is written around it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let text: String = raw.trim_matches(is_blank).nfc().collect();
        if text.is_empty() {
            return Err(InvalidValue::new("empty", "must not be empty"));
        }
        if text.chars().count() > MAX {
            return Err(InvalidValue::with("too_long", format!("must be at most {MAX} characters long")));
        }
        if text.chars().any(|c| c.is_control() || turns_direction(c)) {
            return Err(InvalidValue::new("control_character", "must not contain control characters"));
        }
        Ok(Self(text))
    }
}

/// White space, and the characters that show as nothing.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Embeddings, overrides and isolates (Unicode Standard Annex 9).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_value!([const MAX: usize] Text<MAX>, format!("Text{MAX}"), |schema| schema.min_length(Some(1)).max_length(Some(MAX)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_and_composed() {
        assert_eq!("  Zoe\u{308} ".parse::<Text<9>>().unwrap().to_string(), "Zo\u{eb}");
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!("日本語".parse::<Text<3>>().is_ok());
        assert!("日本語!".parse::<Text<3>>().is_err());
        assert!(" \t ".parse::<Text<3>>().is_err());
        assert!("a\u{0}b".parse::<Text<3>>().is_err());
        assert!("\u{200b}".parse::<Text<3>>().is_err());
        assert!("a\u{202e}".parse::<Text<3>>().is_err());
    }
}
