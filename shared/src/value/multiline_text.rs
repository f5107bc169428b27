use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::value::characters::{is_blank, is_control, trim, with_line_feeds};
use crate::value::{InvalidValue, string_value};

/// Text of one or more lines, of 1 to `MAX` characters.
///
/// Characters are Unicode scalar values, counted after trimming, in Unicode normalization form C. The only
/// control characters are line feeds and tabs; other line ends are converted to line feeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MultilineText<const MAX: usize>(String);

impl<const MAX: usize> FromStr for MultilineText<MAX> {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let text: String = trim(&with_line_feeds(raw)).nfc().collect();
        if is_blank(&text) {
            return Err(InvalidValue::new("empty", "must not be empty"));
        }
        if text.chars().count() > MAX {
            return Err(InvalidValue::with("too_long", format!("must be at most {MAX} characters long")));
        }
        if text.chars().any(|c| is_control(c) && !matches!(c, '\n' | '\t')) {
            return Err(InvalidValue::new("control_character", "must not contain control characters"));
        }
        Ok(Self(text))
    }
}

impl<const MAX: usize> fmt::Display for MultilineText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_value!([const MAX: usize] MultilineText<MAX>, format!("MultilineText{MAX}"), |schema| schema.min_length(Some(1)).max_length(Some(MAX)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_and_line_ends_are_normalized() {
        assert_eq!(" a\r\nb\rc\td \n".parse::<MultilineText<9>>().unwrap().to_string(), "a\nb\nc\td");
        assert_eq!("a\u{2028}b\u{2029}c\u{85}d".parse::<MultilineText<9>>().unwrap().to_string(), "a\nb\nc\nd");
    }

    #[test]
    fn empty_long_and_control_text_is_rejected() {
        for (bad, code) in [
            (" \n ", "empty"),
            ("\u{3164}\n\u{ad}", "empty"),
            ("a\u{0}", "control_character"),
            ("0123456789", "too_long"),
        ] {
            assert_eq!(bad.parse::<MultilineText<9>>().unwrap_err().code(), code);
        }
    }
}
