//! Folding of content lines (RFC 5545, 3.1).
//!
//! The crate `icalendar` folds between a backslash and the character that it escapes. A strict parser unfolds before it
//! reads escapes, but many calendar programs do not: they drop such an event, or show a part of it.

/// The maximum length of a line, in bytes without its end.
const MAX_LINE: usize = 75;

/// How far before the maximum a better place for a fold is searched for, in bytes.
const MAX_STEP_BACK: usize = 20;

/// Undoes all folds.
pub(super) fn unfold(text: &str) -> String {
    text.replace("\r\n ", "")
}

/// Folds the long lines of a text without folds.
///
/// A fold is never within a character or an escape, and not next to white space if that is possible: some programs
/// remove it.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + text.len() / MAX_LINE * 3);
    for line in text.split_inclusive("\r\n") {
        let (mut rest, end) = line.strip_suffix("\r\n").map_or((line, ""), |line| (line, "\r\n"));
        let mut max = MAX_LINE;
        while rest.len() > max {
            let (first, more) = rest.split_at(fold_position(rest, max));
            folded.push_str(first);
            folded.push_str("\r\n ");
            rest = more;
            // The space before a continuation counts.
            max = MAX_LINE - 1;
        }
        folded.push_str(rest);
        folded.push_str(end);
    }
    folded
}

/// The best position for a fold at most `max` bytes after the start of a longer line.
fn fold_position(line: &str, max: usize) -> usize {
    let possible = |at: &usize| line.is_char_boundary(*at) && !is_within_escape(line, *at);
    let is_white = |c: Option<char>| c.is_some_and(char::is_whitespace);
    let is_good = |at: &usize| !is_white(line[..*at].chars().next_back()) && !is_white(line[*at..].chars().next());
    let candidates = || (max - MAX_STEP_BACK..=max).rev().filter(possible);
    candidates().find(is_good).or_else(|| candidates().next()).unwrap_or(max)
}

/// Whether a backslash before the position escapes the character after it.
fn is_within_escape(line: &str, at: usize) -> bool {
    line.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Content lines with many escapes, white space and characters of all lengths.
    fn lines() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            4 => "[a-z]{1,9}",
            3 => Just("\\n".to_owned()),
            1 => Just("\\,".to_owned()),
            2 => Just("\\\\".to_owned()),
            2 => Just(" ".to_owned()),
            2 => "[é日😀]{1,9}",
        ];
        let line = prop::collection::vec(part, 1..60).prop_map(|parts| format!("X:{}\r\n", parts.concat()));
        prop::collection::vec(line, 1..4).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn folds_are_undone_and_never_within_an_escape(text in lines()) {
            let folded = fold(&text);
            prop_assert_eq!(unfold(&folded), text);
            for line in folded.strip_suffix("\r\n").unwrap().split("\r\n") {
                prop_assert!(line.len() <= MAX_LINE, "{}", line);
                prop_assert!(!is_within_escape(line, line.len()), "{}", line);
            }
        }
    }

    #[test]
    fn fold_is_not_next_to_white_space() {
        let text = format!("X:{} b{}\r\n", "a".repeat(72), "b".repeat(9));
        assert_eq!(fold(&text), format!("X:{}\r\n a b{}\r\n", "a".repeat(71), "b".repeat(9)));
    }

    #[test]
    fn short_lines_are_unchanged() {
        let text = format!("BEGIN:VEVENT\r\nX:{}\r\nEND:VEVENT\r\n", "a".repeat(73));
        assert_eq!(fold(&text), text);
    }
}
