//! How a text stands in a cell.

use std::borrow::Cow;
use std::iter;

/// A text as a cell has it. Spreadsheets take what begins like a formula for one and would run what a stranger wrote into a form
/// ([OWASP, CSV injection](https://owasp.org/www-community/attacks/CSV_Injection)); behind an apostrophe it is text. One that has
/// apostrophes in front already gets one more, so that [`unguarded`] gives every text back.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if begins_like_formula(text.trim_start_matches('\'')) { format!("'{text}").into() } else { text.into() }
}

/// The text that a cell stands for.
pub(super) fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if begins_like_formula(text.trim_start_matches('\'')) => text,
        _ => cell,
    }
}

/// Also in the width of CJK scripts, which some spreadsheets read as the same.
fn begins_like_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// The names of tags as one text: with `;` between, and `\` before one that is in a name.
pub(super) fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| name.replace('\\', r"\\").replace(';', r"\;")).collect::<Vec<_>>().join(";")
}

/// The names that a text joins. Before anything else, `\` is itself: people write it without a second thought.
pub(super) fn split(text: &str) -> impl Iterator<Item = String> {
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
    fn what_begins_like_a_formula_is_guarded() {
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
            assert_eq!(guarded(text), cell);
            assert_eq!(unguarded(cell), text);
        }
        assert_eq!(unguarded("=1+1"), "=1+1", "a file need not guard");
    }

    #[test]
    fn names_are_split_at_semicolons() {
        let names = |text| split(text).collect::<Vec<_>>();
        assert_eq!(names(r"vip; a\;b;;c\\d;C:\dir\"), ["vip", " a;b", "", r"c\d", r"C:\dir\"]);
        assert_eq!(names(""), [""; 0]);
    }

    proptest! {
        #[test]
        fn a_guarded_text_is_given_back(text in "['=+\\-@\t\r\n＝]{0,4}\\PC{0,3}") {
            let cell = guarded(&text);
            prop_assert!(!begins_like_formula(&cell));
            prop_assert_eq!(unguarded(&cell), text.as_str());
        }

        #[test]
        fn names_are_given_back(names in prop::collection::vec(r"([;\\]|\PC){1,6}", 0..5)) {
            let text = joined(names.iter().map(String::as_str));
            prop_assert_eq!(split(&text).collect::<Vec<_>>(), names);
        }
    }
}
