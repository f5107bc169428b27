use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::value::{InvalidValue, string_value};

/// One line of text of any script, of 1 to `MAX` characters.
///
/// Characters are Unicode scalar values, counted after trimming. The text is in Unicode normalization form C,
/// so that equal texts have equal bytes. It has no control characters and no characters that change the direction
/// of surrounding text.
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
        if text.chars().any(|c| c.is_control() || is_direction_control(c)) {
            return Err(InvalidValue::new("control_character", "must not contain control characters"));
        }
        Ok(Self(text))
    }
}

/// Whether a character is white space or invisible.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Whether a character changes the direction of text (Unicode Standard Annex 9).
///
/// These are embeddings, overrides and isolates.
fn is_direction_control(c: char) -> bool {
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
    }

    #[test]
    fn blank_and_control_text_is_rejected() {
        assert!(" \t ".parse::<Text<3>>().is_err());
        assert!("a\u{0}b".parse::<Text<3>>().is_err());
        assert!("\u{200b}".parse::<Text<3>>().is_err());
        assert!("a\u{202e}".parse::<Text<3>>().is_err());
    }
}
