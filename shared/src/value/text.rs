use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::value::characters::{is_blank, is_control, is_direction_control, trim};
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
        let text: String = trim(raw).nfc().collect();
        if is_blank(&text) {
            return Err(InvalidValue::new("empty", "must not be empty"));
        }
        if text.chars().count() > MAX {
            return Err(InvalidValue::with("too_long", format!("must be at most {MAX} characters long")));
        }
        if text.chars().any(|c| is_control(c) || is_direction_control(c)) {
            return Err(InvalidValue::new("control_character", "must not contain control characters"));
        }
        Ok(Self(text))
    }
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
        for blank in ["\u{200b}", "\u{200f}", "\u{ad}", "\u{3164}", "\u{fe0f}", " \u{2800} "] {
            assert_eq!(blank.parse::<Text<3>>().unwrap_err().code(), "empty", "{}", blank.escape_unicode());
        }
        for control in ["a\u{202e}b", "a\u{2028}b", "a\u{2029}b", "a\u{85}b", "a\nb"] {
            let error = control.parse::<Text<3>>().unwrap_err();
            assert_eq!(error.code(), "control_character", "{}", control.escape_unicode());
        }
    }
}
