//! How people write telephone numbers.

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use unicode_normalization::UnicodeNormalization;

use crate::value::characters::{is_invisible, trim};

/// A telephone number as it was written, in plain characters.
///
/// Digits of all scripts are ASCII, white space is a space, dashes are `-`, brackets are parentheses. An optional
/// `+` is the first character besides parentheses.
pub(super) struct Spelling(String);

/// A number at one of its separators.
pub(super) struct Split {
    pub(super) first: Spelling,
    pub(super) second: Spelling,
    /// Whether such a separator often stands between two things.
    pub(super) is_strong: bool,
}

impl Spelling {
    /// Reads text; `None` if it contains anything that numbers are not written with.
    ///
    /// Letters are not digits of a keypad: they belong to a remark or an extension.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = trim(text);
        let text = text.strip_prefix("tel:").unwrap_or(text);
        let mut plain = String::with_capacity(text.len());
        for c in text.chars() {
            match decimal_digit(c) {
                Some(digit) => plain.push(digit),
                // A digit by compatibility only, such as ², is a footnote or a list number.
                None => {
                    for c in std::iter::once(c).nfkc().filter(|c| !is_invisible(*c)) {
                        plain.push(plain_separator(c)?);
                    }
                }
            }
        }
        let plain = plain.trim_matches('\n').trim().replace('\n', "/");
        let number = plain.trim_start_matches(['(', ' ']);
        let rest = number.strip_prefix('+').unwrap_or(number);
        let begins = rest.len() < number.len() || rest.starts_with(|c: char| c.is_ascii_digit());
        (begins && !rest.contains('+') && !rest.ends_with('/') && !is_float(number)).then_some(Self(plain))
    }

    /// Whether the number begins with a plus.
    pub(super) fn has_plus(&self) -> bool {
        self.0.contains('+')
    }

    /// The digits.
    pub(super) fn digits(&self) -> String {
        self.0.chars().filter(char::is_ascii_digit).collect()
    }

    /// The position of a zero in parentheses among the digits.
    ///
    /// It is only dialed within the country, as in `+44 (0)20 7946 0958`.
    pub(super) fn optional_zero(&self) -> Option<usize> {
        let compact = self.0.replace(' ', "");
        compact.find("(0)").map(|at| compact[..at].chars().filter(char::is_ascii_digit).count())
    }

    /// Whether the first digit is a zero.
    pub(super) fn begins_with_zero(&self) -> bool {
        self.digits().starts_with('0')
    }

    /// The number at each separator.
    ///
    /// A dot between digits only may be a decimal point.
    pub(super) fn splits(&self) -> impl Iterator<Item = Split> {
        let is_decimal = split_decimal(&self.0).is_some();
        self.0.char_indices().filter(|(_, c)| !c.is_ascii_digit() && *c != '+').map(move |(at, c)| Split {
            first: Self(self.0[..at].to_owned()),
            second: Self(self.0[at + 1..].to_owned()),
            is_strong: c == '/' || (c == '.' && is_decimal),
        })
    }
}

/// The largest number of digits of a short number, such as one of directory enquiries.
const MAX_SHORT: usize = 6;

/// Whether a number is written as spreadsheets write `1701234567.0`.
fn is_float(number: &str) -> bool {
    split_decimal(number).is_some_and(|(whole, fraction)| whole.len() > MAX_SHORT && matches!(fraction, "0" | "00"))
}

/// The digits before and after the only separator, a dot.
fn split_decimal(number: &str) -> Option<(&str, &str)> {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let parts = number.trim_start_matches('+').split_once('.');
    parts.filter(|(whole, fraction)| is_number(whole) && is_number(fraction))
}

/// The digit of any script as an ASCII digit.
fn decimal_digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let categories = CodePointMapData::<GeneralCategory>::new();
    let is_digit = |code: u32| categories.get32(code) == GeneralCategory::DecimalNumber;
    if !is_digit(c.into()) {
        return None;
    }
    // Decimal digits are encoded in runs from 0 to 9 (The Unicode Standard, 4.6).
    let before = (0..u32::from(c)).rev().take_while(|code| is_digit(*code)).count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

/// The plain form of a character that separates digits, or of the plus.
fn plain_separator(c: char) -> Option<char> {
    match c {
        '+' | '(' | ')' | '.' | '/' => Some(c),
        '[' => Some('('),
        ']' => Some(')'),
        '\u{b7}' => Some('.'),
        '\u{2212}' | '\u{30fc}' => Some('-'),
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        c if c.is_whitespace() => Some(' '),
        c if CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::DashPunctuation => Some('-'),
        _ => None,
    }
}
