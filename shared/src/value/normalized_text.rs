use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

use crate::value::characters::{is_invisible, is_punctuation};
use crate::value::{InvalidValue, string_value};

/// Text normalized for search: without case, optional marks, width variants and ligatures.
///
/// `strasse` finds `Straße` and `lodz` finds `Łódź`. The text is one line with single spaces and without
/// control characters. Only what a search may omit is removed: marks that distinguish words, such as the
/// vowel signs of Indic scripts and the voicing marks of kana, are kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NormalizedText(String);

/// The maximum length of a search, in characters.
const MAX: usize = 100;

/// The maximum length of [`NormalizedText::cut`], in bytes.
///
/// A sort key has at most 1,024 bytes and contains other parts, too.
const MAX_CUT: usize = 300;

impl NormalizedText {
    /// The normalized form of `text`, which may be empty.
    pub fn of(text: &str) -> Self {
        let unaccented: String = text.nfkd().filter(|&c| !is_optional_mark(c) && !is_omitted(c)).collect();
        let folded = UniCase::new(unaccented).to_folded_case();
        let mut plain = String::with_capacity(folded.len());
        for c in folded.chars() {
            match plain_letters(c) {
                Some(letters) => plain.push_str(letters),
                None => plain.push(c),
            }
        }
        Self(plain.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect())
    }

    /// The normalized text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The terms of a search: the parts of the text between spaces, in order, without repetitions.
    pub fn terms(&self) -> Vec<Self> {
        distinct(self.0.split(' ').filter(|term| !term.is_empty()))
    }

    /// The words by which a prefix search finds a name, in order, without repetitions.
    ///
    /// These are the terms of the name, and what follows punctuation inside a term: `jean-luc` is found as `jean-luc`
    /// and as `luc`.
    pub fn words(&self) -> Vec<Self> {
        distinct(self.0.split(' ').flat_map(|term| word_starts(term).map(|start| &term[start..])))
    }

    /// The length in characters.
    pub fn char_count(&self) -> usize {
        self.0.chars().count()
    }

    /// Whether the text starts with `prefix`.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The longest prefix of at most 300 bytes, for use in a sort key.
    pub fn cut(&self) -> &str {
        &self.0[..self.0.floor_char_boundary(MAX_CUT)]
    }
}

fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<NormalizedText> {
    let mut seen = HashSet::new();
    texts.filter(|text| seen.insert(*text)).map(|text| NormalizedText(text.to_owned())).collect()
}

/// The byte positions in a term at which a word starts.
fn word_starts(term: &str) -> impl Iterator<Item = usize> {
    let mut previous = None;
    term.char_indices().filter_map(move |(at, c)| {
        let follows_punctuation = previous.replace(c).is_none_or(is_punctuation);
        (at == 0 || (follows_punctuation && !is_punctuation(c))).then_some(at)
    })
}

/// Whether a character is a mark that everyday writing omits.
///
/// These are the accents of Latin, Greek and Cyrillic (the block Combining Diacritical Marks), the points and
/// cantillation marks of Hebrew, and in Arabic the short vowels, the hamza above or below a letter, the marks of the
/// Quran, and the tatweel, which stretches a word.
fn is_optional_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
            | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
            | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}' | '\u{6e8}' | '\u{6ea}'..='\u{6ed}'
            | '\u{8d3}'..='\u{8e1}' | '\u{8e3}'..='\u{8ff}'
    )
}

/// Whether a character is invisible or a control character. White space separates words and is neither.
fn is_omitted(c: char) -> bool {
    is_invisible(c) || (c.is_control() && !c.is_whitespace())
}

/// The replacement of a case-folded character that Unicode does not decompose.
///
/// These are letters with a stroke, ligatures, the forms that a letter of the Arabic script has in other languages,
/// and the typographic punctuation that word processors substitute for typed characters.
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
        // Alef wasla; alef maksura and the yeh of Persian; the kaf of Persian.
        '\u{671}' => "\u{627}",
        '\u{649}' | '\u{6cc}' => "\u{64a}",
        '\u{6a9}' => "\u{643}",
        '\u{2018}' | '\u{2019}' | '\u{2bb}' | '\u{2bc}' => "'",
        '\u{2010}' | '\u{2013}' => "-",
        _ => return None,
    })
}

impl FromStr for NormalizedText {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let text = Self::of(raw);
        match text.char_count() {
            0 => Err(InvalidValue::new("empty", "must not be empty")),
            1..=MAX => Ok(text),
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
    .description(Some(
        "Text to search for. Case, accents and optional marks (Arabic harakat, Hebrew points, tatweel) are ignored."
    ))
    .min_length(Some(1))
    .max_length(Some(MAX)));

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normalize(text: &str) -> String {
        NormalizedText::of(text).to_string()
    }

    #[test]
    fn optional_marks_of_arabic_and_hebrew_are_removed() {
        for (written, plain) in [
            ("محمّد", "محمد"),
            ("مُحَمَّد", "محمد"),
            ("محـــمد", "محمد"),
            ("علی", "علي"),
            ("موسى", "موسي"),
            ("أحمد", "احمد"),
            ("إبراهيم آل ٱلله", "ابراهيم ال الله"),
            ("کریم", "كريم"),
            ("شيماء رئيس", "شيماء رييس"),
            ("שָׁלוֹם", "שלום"),
            ("\u{fb2a}לום", "שלום"),
            ("בְּרֵאשִׁ֖ית", "בראשית"),
        ] {
            assert_eq!(normalize(written), normalize(plain), "{written}");
        }
        assert_ne!(normalize("شيماء"), normalize("شيما"), "a hamza on the line is a letter");
    }

    #[test]
    fn case_and_accents_are_removed() {
        for (text, normalized) in [
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
            assert_eq!(normalize(text), normalized, "{text}");
        }
    }

    #[test]
    fn marks_that_distinguish_words_are_kept() {
        for (text, normalized) in [
            ("हिन्दी", "हिन्दी"),
            ("தமிழ்", "தமிழ்"),
            ("한국어", "한국어"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("が", "が"),
            ("か\u{3099}", "が"),
            ("ｶﾞｷﾞ", "ガギ"),
            ("ภาษาไทย", "ภาษาไทย".nfkc().collect::<String>().as_str()),
        ] {
            assert_eq!(normalize(text), normalized, "{text}");
        }
    }

    #[test]
    fn invisible_characters_and_line_breaks_are_removed() {
        assert_eq!(normalize("\u{a0} Ada\t\r\n Love\u{ad}lace\u{200b}\0 "), "ada lovelace");
        assert_eq!(normalize(" \u{feff}\u{301} "), "");
    }

    #[test]
    fn terms_are_separated_by_spaces_only() {
        let terms = |text| NormalizedText::of(text).terms().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(terms(" Maria  da Vinci"), ["maria", "da", "vinci"]);
        assert_eq!(terms("Jean-Luc ada@example.com jean-luc"), ["jean-luc", "ada@example.com"]);
        assert_eq!(terms(""), Vec::<String>::new());
    }

    #[test]
    fn words_start_after_spaces_and_punctuation() {
        let words = |text| NormalizedText::of(text).words().iter().map(ToString::to_string).collect::<Vec<_>>();
        for (name, expected) in [
            ("Maria da Vinci", ["maria", "da", "vinci"].as_slice()),
            ("Jean-Luc", &["jean-luc", "luc"]),
            ("O\u{2019}Brien", &["o'brien", "brien"]),
            ("'t Hooft", &["'t", "t", "hooft"]),
            ("(Bob)", &["(bob)", "bob)"]),
            ("Anna Anna-Maria", &["anna", "anna-maria", "maria"]),
            ("José María", &["jose", "maria"]),
            ("हिन्दी", &["हिन्दी"]),
            ("-- -", &["--", "-"]),
            ("", &[]),
        ] {
            assert_eq!(words(name), expected, "{name}");
        }
    }

    #[test]
    fn length_is_checked_after_normalization() {
        let code = |text: &str| text.parse::<NormalizedText>().map_err(|error| error.code());
        assert_eq!(code(" \u{301} "), Err("empty"));
        assert_eq!(code(&format!("{}  ", "é".repeat(100))), Ok(NormalizedText("e".repeat(100))));
        assert_eq!(code(&"ß".repeat(51)), Err("too_long"));
    }

    #[test]
    fn cut_has_at_most_300_bytes_and_whole_characters() {
        assert_eq!(NormalizedText::of("Ada").cut(), "ada");
        assert_eq!(NormalizedText::of(&"a".repeat(301)).cut().len(), 300);
        assert_eq!(NormalizedText::of(&format!("a{}", "日".repeat(200))).cut().len(), 298);
    }

    #[test]
    fn normalization_is_idempotent_for_every_character() {
        // Planes above the third have nothing to normalize.
        for c in ('\0'..='\u{2ffff}').map(String::from) {
            let once = normalize(&c);
            assert_eq!(normalize(&once), once, "{c:?}");
            assert_eq!(normalize(&c.nfd().collect::<String>()), once, "{c:?} decomposed");
        }
    }

    /// Mixed text: letters with marks of several scripts, spaces, any character.
    const TEXTS: &str =
        "([a-zA-ZÀ-ɏΆ-ώЀ-ӿ \\t]|[\u{300}-\u{36f}]|[가-힣\u{1100}-\u{11ff}]|[ぁ-ヿ\u{3099}]|[ऀ-ॿ]|\\PC|.){0,40}";

    proptest! {
        #[test]
        fn normalization_is_idempotent(text in TEXTS) {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }

        #[test]
        fn every_prefix_of_the_normalized_text_matches(text in TEXTS, at: prop::sample::Index) {
            let whole = NormalizedText::of(&text);
            let prefix: String = whole.as_str().chars().take(at.index(whole.as_str().chars().count() + 1)).collect();
            prop_assert!(whole.starts_with(&NormalizedText::of(&prefix)));
            prop_assert!(whole.cut().starts_with(NormalizedText::of(&prefix).cut()));
        }

        #[test]
        fn every_prefix_of_the_original_text_matches(
            text in "[a-zA-ZÀ-ɏΆ-ώЀ-ӿ ]{1,40}",
            at: prop::sample::Index,
        ) {
            let prefix: String = text.chars().take(at.index(text.chars().count() + 1)).collect();
            prop_assert!(NormalizedText::of(&text).starts_with(&NormalizedText::of(&prefix)));
        }

        #[test]
        fn case_and_accents_do_not_change_the_result(
            text in "[a-zA-ZÀ-ÖØ-öø-ÿĀ-ſΑ-Ωα-ωА-я ]{0,40}",
            accent in prop::char::range('\u{300}', '\u{36f}'),
        ) {
            let normalized = normalize(&text);
            prop_assert_eq!(&normalize(&text.to_uppercase()), &normalized);
            prop_assert_eq!(&normalize(&text.to_lowercase()), &normalized);
            let accented: String = text.chars().flat_map(|c| [c, accent]).collect();
            prop_assert_eq!(&normalize(&accented), &normalized);
        }
    }
}
