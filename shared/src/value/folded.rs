use std::fmt;
use std::str::FromStr;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

use super::{InvalidValue, string_value};

/// Text as it is searched: one form for all ways to write the same letters, whatever their case, accents, width or ligatures, so
/// that `strasse` finds `Straße` and `lodz` finds `Łódź`. One line, single spaces, no control characters.
///
/// It only ever loses what a searcher may leave out. The vowel signs of Indic scripts, the voicing of kana and the like tell words
/// apart; they stay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NormalizedText(String);

/// As much as somebody types to find something, in characters.
const MAX: usize = 100;

/// What [`NormalizedText::cut`] leaves, in bytes: a sort key has 1024, and the text is not all that is in it.
const MAX_CUT: usize = 300;

impl NormalizedText {
    /// The folded form of `text`, which may be empty.
    pub fn of(text: &str) -> Self {
        let bare: String = text.nfkd().filter(|&c| !is_accent(c) && !is_unseen(c)).collect();
        let one_case = UniCase::new(bare).to_folded_case();
        let mut plain = String::with_capacity(one_case.len());
        for c in one_case.chars() {
            match plain_letters(c) {
                Some(letters) => plain.push_str(letters),
                None => plain.push(c),
            }
        }
        Self(plain.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it begins with `prefix`, as a searcher has typed it so far.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// Its first 300 bytes at most, whole characters: what a sort key has room for.
    pub fn cut(&self) -> &str {
        &self.0[..self.0.floor_char_boundary(MAX_CUT)]
    }
}

/// Combining Diacritical Marks, the block of the accents of Latin, Greek and Cyrillic. Marks of other scripts are in their own
/// blocks.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// What shows as nothing: nobody types it to search. White space that is a control character is white space first.
fn is_unseen(c: char) -> bool {
    (c.is_control() && !c.is_whitespace()) || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// For folded letters with a stroke and ligatures, which Unicode does not decompose, and for punctuation that word processors put
/// in names in place of what is on the keyboard.
fn plain_letters(c: char) -> Option<&'static str> {
    Some(match c {
        'ⱥ' => "a",
        'æ' => "ae",
        'ƀ' => "b",
        'ȼ' => "c",
        'đ' | 'ð' => "d",
        'ɇ' => "e",
        'ǥ' => "g",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ɉ' => "j",
        'ł' | 'ƚ' => "l",
        'ŋ' => "n",
        'ø' => "o",
        'œ' => "oe",
        'ɍ' => "r",
        'ŧ' | 'ⱦ' => "t",
        'þ' => "th",
        'ʉ' => "u",
        'ɏ' => "y",
        'ƶ' => "z",
        '\u{2018}' | '\u{2019}' | '\u{2bb}' | '\u{2bc}' => "'",
        '\u{2010}' | '\u{2013}' => "-",
        _ => return None,
    })
}

impl FromStr for NormalizedText {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let folded = Self::of(raw);
        match folded.0.chars().count() {
            0 => Err(InvalidValue::new("empty", "must not be empty")),
            1..=MAX => Ok(folded),
            _ => Err(InvalidValue::with("too_long", format!("must be at most {MAX} characters long"))),
        }
    }
}

impl fmt::Display for NormalizedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_value!([] NormalizedText, "SearchText", |schema| schema
    .description(Some("Text to search for; case and accents do not matter."))
    .min_length(Some(1))
    .max_length(Some(MAX)));

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fold(text: &str) -> String {
        NormalizedText::of(text).to_string()
    }

    #[test]
    fn letters_lose_case_and_accents() {
        for (text, folded) in [
            ("Sørensen", "sorensen"),
            ("Łódź", "lodz"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("STRAẞE", "strasse"),
            ("Ǿrsted", "orsted"),
            ("Þórður Æsir", "thordur aesir"),
            ("İSTANBUL ılık", "istanbul ilik"),
            ("Nguyễn Đức", "nguyen duc"),
            ("ǅungla", "dzungla"),
            ("ﬁnance №5", "finance no5"),
            ("Ａｄａ　ＬＯＶＥＬＡＣＥ", "ada lovelace"),
            ("Ελληνικά ΟΔΥΣΣΕΎΣ", "ελληνικα οδυσσευσ"),
            ("Чайковский Ёлкин", "чаиковскии елкин"),
            ("O’Brien O'Brien", "o'brien o'brien"),
            ("Jean‐Luc Jean\u{2011}Luc", "jean-luc jean-luc"),
            ("𝓐𝓭𝓪", "ada"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn marks_that_tell_words_apart_stay() {
        for (text, folded) in [
            ("हिन्दी", "हिन्दी"),
            ("தமிழ்", "தமிழ்"),
            ("한국어", "한국어"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("が", "が"),
            ("か\u{3099}", "が"),
            ("ｶﾞｷﾞ", "ガギ"),
            ("ภาษาไทย", "ภาษาไทย".nfkc().collect::<String>().as_str()),
            ("שָׁלוֹם", "שָׁלוֹם"),
            ("محمّد", "محمّد"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn it_is_one_line_of_what_is_seen() {
        assert_eq!(fold("\u{a0} Ada\t\r\n Love\u{ad}lace\u{200b}\0 "), "ada lovelace");
        assert_eq!(fold(" \u{feff}\u{301} "), "");
    }

    #[test]
    fn a_search_has_1_to_100_characters_once_folded() {
        let code = |text: &str| text.parse::<NormalizedText>().map_err(|rejected| rejected.code());
        assert_eq!(code(" \u{301} "), Err("empty"));
        assert_eq!(code(&format!("{}  ", "é".repeat(100))), Ok(NormalizedText("e".repeat(100))));
        assert_eq!(code(&"ß".repeat(51)), Err("too_long"));
    }

    #[test]
    fn a_cut_is_at_most_300_bytes_of_whole_characters() {
        assert_eq!(NormalizedText::of("Ada").cut(), "ada");
        assert_eq!(NormalizedText::of(&"a".repeat(301)).cut().len(), 300);
        assert_eq!(NormalizedText::of(&format!("a{}", "日".repeat(200))).cut().len(), 298);
    }

    #[test]
    fn every_character_is_folded_at_once() {
        // Beyond the first three planes there is nothing to fold.
        for c in ('\0'..='\u{2ffff}').map(String::from) {
            let once = fold(&c);
            assert_eq!(fold(&once), once, "{c:?}");
            assert_eq!(fold(&c.nfd().collect::<String>()), once, "{c:?}, decomposed");
        }
    }

    /// Text that is not all of one kind: letters with all sorts of marks, spaces, any character.
    const TEXTS: &str =
        "([a-zA-ZÀ-ɏΆ-ώЀ-ӿ \\t]|[\u{300}-\u{36f}]|[가-힣\u{1100}-\u{11ff}]|[ぁ-ヿ\u{3099}]|[ऀ-ॿ]|\\PC|.){0,40}";

    proptest! {
        #[test]
        fn folding_again_changes_nothing(text in TEXTS) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn what_was_typed_so_far_finds_the_text(text in TEXTS, at: prop::sample::Index) {
            let whole = NormalizedText::of(&text);
            let so_far: String = whole.as_str().chars().take(at.index(whole.as_str().chars().count() + 1)).collect();
            prop_assert!(whole.starts_with(&NormalizedText::of(&so_far)));
            prop_assert!(whole.cut().starts_with(NormalizedText::of(&so_far).cut()));
        }

        #[test]
        fn what_was_typed_so_far_as_it_is_written_finds_the_text(
            text in "[a-zA-ZÀ-ɏΆ-ώЀ-ӿ ]{1,40}",
            at: prop::sample::Index,
        ) {
            let so_far: String = text.chars().take(at.index(text.chars().count() + 1)).collect();
            prop_assert!(NormalizedText::of(&text).starts_with(&NormalizedText::of(&so_far)));
        }

        #[test]
        fn case_and_accents_do_not_matter(
            text in "[a-zA-ZÀ-ÖØ-öø-ÿĀ-ſΑ-Ωα-ωА-я ]{0,40}",
            accent in prop::char::range('\u{300}', '\u{36f}'),
        ) {
            let folded = fold(&text);
            prop_assert_eq!(&fold(&text.to_uppercase()), &folded);
            prop_assert_eq!(&fold(&text.to_lowercase()), &folded);
            let accented: String = text.chars().flat_map(|c| [c, accent]).collect();
            prop_assert_eq!(&fold(&accented), &folded);
        }
    }
}
