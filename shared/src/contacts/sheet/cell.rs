//! The encoding of text in a cell: formula escaping, and lists of tag names.

use std::borrow::Cow;
use std::iter;

/// Prefixes text that looks like a formula with an apostrophe.
///
/// Spreadsheets would evaluate such text, which may come from a public form ([OWASP, CSV
/// injection](https://owasp.org/www-community/attacks/CSV_Injection)). Text that already has apostrophes before the
/// formula gets one more, so that [`unescape_formula`] restores every text.
pub(super) fn escape_formula(text: &str) -> Cow<'_, str> {
    if looks_like_formula(text.trim_start_matches('\'')) { format!("'{text}").into() } else { text.into() }
}

/// Removes the apostrophe that [`escape_formula`] adds.
pub(super) fn unescape_formula(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if looks_like_formula(text.trim_start_matches('\'')) => text,
        _ => cell,
    }
}

/// Includes full-width characters, which some spreadsheets treat alike.
fn looks_like_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// Joins tag names with `;`. A `\` escapes `;` and `\` in names.
pub(super) fn join_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| name.replace('\\', r"\\").replace(';', r"\;")).collect::<Vec<_>>().join(";")
}

/// Splits joined names.
///
/// A `\` before any other character is literal, as in names that are not escaped.
pub(super) fn split_names(text: &str) -> impl Iterator<Item = String> {
    let mut chars = text.chars().peekable();
    iter::from_fn(move || {
        chars.peek()?;
        let mut name = String::new();
        while let Some(c) = chars.next() {
            match c {
                ';' => break,
                '\\' => name.push(chars.next_if(|c| matches!(c, ';' | '\\')).unwrap_or('\\')),
                c => name.push(c),
            }
        }
        Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_that_looks_like_a_formula_is_escaped() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+33142685300", "'+33142685300"),
            ("@ada", "'@ada"),
            ("-", "'-"),
            ("'=1", "''=1"),
            ("''-x", "'''-x"),
            ("'tis", "'tis"),
            ("'", "'"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(escape_formula(text), cell);
            assert_eq!(unescape_formula(cell), text);
        }
        assert_eq!(unescape_formula("=1+1"), "=1+1", "a file need not escape formulas");
    }

    #[test]
    fn names_are_split_at_unescaped_semicolons() {
        let names = |text| split_names(text).collect::<Vec<_>>();
        assert_eq!(names(r"vip; a\;b;;c\\d;C:\dir\"), ["vip", " a;b", "", r"c\d", r"C:\dir\"]);
        assert_eq!(names(""), [""; 0]);
    }

    proptest! {
        #[test]
        fn unescape_restores_escaped_text(text in "['=+\\-@\t\r\n＝]{0,4}\\PC{0,3}") {
            let cell = escape_formula(&text);
            prop_assert!(!looks_like_formula(&cell));
            prop_assert_eq!(unescape_formula(&cell), text.as_str());
        }

        #[test]
        fn split_restores_joined_names(names in prop::collection::vec(r"([;\\]|\PC){1,6}", 0..5)) {
            let text = join_names(names.iter().map(String::as_str));
            prop_assert_eq!(split_names(&text).collect::<Vec<_>>(), names);
        }
    }
}
