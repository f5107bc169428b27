//! The encoding of text in a cell: formula escaping, and lists of tag names.

use std::borrow::Cow;
use std::iter;

/// The characters at which a spreadsheet may split a line, whatever the delimiter of the file.
const SEPARATORS: [char; 6] = [',', ';', '\t', '|', '\r', '\n'];

/// Prefixes text that looks like a formula with an apostrophe.
///
/// Spreadsheets would evaluate such text, which may come from a public form ([OWASP, CSV
/// injection](https://owasp.org/www-community/attacks/CSV_Injection)). Text after a separator is prefixed, too: a
/// spreadsheet may split a cell there. Text that already has apostrophes before the formula gets one more, so that
/// [`unescape_formulas`] restores every text.
pub(super) fn escape_formulas(text: &str) -> Cow<'_, str> {
    if !segments(text).any(looks_like_formula) {
        return text.into();
    }
    segments(text)
        .map(|segment| if looks_like_formula(segment) { format!("'{segment}") } else { segment.into() })
        .collect()
}

/// Removes the apostrophes that [`escape_formulas`] adds.
pub(super) fn unescape_formulas(cell: &str) -> Cow<'_, str> {
    let escaped = |segment: &str| segment.starts_with('\'') && looks_like_formula(segment);
    if !segments(cell).any(escaped) {
        return cell.into();
    }
    segments(cell).map(|segment| if escaped(segment) { &segment[1..] } else { segment }).collect()
}

/// The parts of a text between separators. Each part but the last ends with its separator.
fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(SEPARATORS)
}

/// Whether a spreadsheet would evaluate a cell with this text.
///
/// Includes full-width characters, which some spreadsheets treat alike.
fn looks_like_formula(text: &str) -> bool {
    let formula = text.trim_start_matches(['\'', ' ']);
    formula.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// Joins tag names with `;`. A `\` escapes separators, quotes and `\` in names.
pub(super) fn join_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let escape = |name: &str| {
        let escaped = name.chars().flat_map(|c| ESCAPED.contains(&c).then_some('\\').into_iter().chain([c]));
        escaped.collect::<String>()
    };
    names.map(escape).collect::<Vec<_>>().join(";")
}

/// The characters that `\` escapes in a name.
const ESCAPED: [char; 4] = [';', ',', '"', '\\'];

/// Splits joined names at `;` and `,`.
///
/// A name may be in quotes, as in files of Mailchimp. A `\` before any other character is literal, as in names that
/// are not escaped.
pub(super) fn split_names(text: &str) -> impl Iterator<Item = String> {
    let mut chars = text.chars().peekable();
    iter::from_fn(move || {
        chars.peek()?;
        let mut name = String::new();
        let mut is_quoted = false;
        while let Some(c) = chars.next() {
            match c {
                ';' | ',' if !is_quoted => break,
                '\\' => name.push(chars.next_if(|c| ESCAPED.contains(c)).unwrap_or('\\')),
                '"' if is_quoted || name.trim().is_empty() => is_quoted = !is_quoted,
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
            ("a;=1+1", "a;'=1+1"),
            ("a, @b;'-c|d\t+e", "a,' @b;''-c|d\t'+e"),
            ("a;b", "a;b"),
            ("", ""),
        ] {
            assert_eq!(escape_formulas(text), cell);
            assert_eq!(unescape_formulas(cell), text);
        }
        assert_eq!(unescape_formulas("=1+1"), "=1+1", "a file need not escape formulas");
    }

    #[test]
    fn names_are_split_at_unescaped_separators() {
        let names = |text| split_names(text).collect::<Vec<_>>();
        assert_eq!(names(r"vip; a\;b;;c\\d;C:\dir\"), ["vip", " a;b", "", r"c\d", r"C:\dir\"]);
        assert_eq!(names("vip,blog"), ["vip", "blog"]);
        assert_eq!(names(r#""VIP","Blog, daily";5" pipe"#), ["VIP", "Blog, daily", r#"5" pipe"#]);
        assert_eq!(names(r#"a\,b,\"c\""#), ["a,b", r#""c""#]);
        assert_eq!(names(""), [""; 0]);
    }

    proptest! {
        #[test]
        fn unescape_restores_escaped_text(text in "(['=+\\-@;, |\t\r\n＝]|\\PC){0,8}") {
            let cell = escape_formulas(&text);
            for segment in segments(&cell) {
                prop_assert!(!segment.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '＝']), "{segment}");
            }
            prop_assert_eq!(unescape_formulas(&cell), text.as_str());
        }

        #[test]
        fn split_restores_joined_names(names in prop::collection::vec(r#"([;,"\\ ]|\PC){1,6}"#, 0..5)) {
            let text = join_names(names.iter().map(String::as_str));
            prop_assert_eq!(split_names(&text).collect::<Vec<_>>(), names);
        }
    }
}
