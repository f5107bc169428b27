//! The one definition of blank text and of control characters.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, VariationSelector};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Removes white space and invisible characters from both ends of a text.
///
/// A variation selector is kept, because it belongs to the character before it.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c| is_blank_character(c) && !CodePointSetData::new::<VariationSelector>().contains(c))
}

/// Whether nothing of a text is visible.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_blank_character)
}

/// Whether a character is invisible but neither white space nor a control character.
///
/// These are the characters with the Unicode property `Default_Ignorable_Code_Point`, such as the soft hyphen, the
/// zero-width space and the fillers of Hangul.
pub fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether a character is white space, invisible, or the blank pattern of Braille.
fn is_blank_character(c: char) -> bool {
    c.is_whitespace() || is_invisible(c) || c == '\u{2800}'
}

/// Whether a character controls a device or ends a line.
///
/// Unicode has two line ends that are no control characters: U+2028 and U+2029.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether a character changes the direction of text (Unicode Standard Annex 9).
///
/// These are embeddings, overrides and isolates. In a name they could disguise the text around it.
pub fn is_direction_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character is punctuation or a symbol, such as a hyphen, an apostrophe or a plus sign.
pub fn is_punctuation(c: char) -> bool {
    let separators = GeneralCategoryGroup::Punctuation.union(GeneralCategoryGroup::Symbol);
    separators.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

/// The text with every line end as a line feed.
pub fn with_line_feeds(text: &str) -> String {
    let ends = ['\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
    text.replace("\r\n", "\n").replace(ends, "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_anything_visible_is_blank() {
        for c in [
            ' ', '\t', '\n', '\u{85}', '\u{a0}', '\u{ad}', '\u{34f}', '\u{115f}', '\u{180e}', '\u{200b}', '\u{200f}',
            '\u{2028}', '\u{2060}', '\u{2800}', '\u{3000}', '\u{3164}', '\u{fe0f}', '\u{feff}', '\u{ffa0}',
        ] {
            assert!(is_blank(&c.to_string()), "{}", c.escape_unicode());
        }
        for visible in ["a", ".", "\u{0}", "\u{301}", "\u{915}\u{94d}", " ー "] {
            assert!(!is_blank(visible), "{visible}");
        }
    }

    #[test]
    fn trim_keeps_what_belongs_to_a_visible_character() {
        assert_eq!(trim("\u{feff} \u{3164}Ada\u{200b}\u{200d}Lovelace\u{ad}\n"), "Ada\u{200b}\u{200d}Lovelace");
        assert_eq!(trim(" \u{2764}\u{fe0f} "), "\u{2764}\u{fe0f}");
        assert_eq!(trim("\u{200f}\u{2800}"), "");
    }

    #[test]
    fn every_line_end_becomes_a_line_feed() {
        assert_eq!(with_line_feeds("a\r\nb\rc\u{b}d\u{c}e\u{85}f\u{2028}g\u{2029}h\n"), "a\nb\nc\nd\ne\nf\ng\nh\n");
    }
}
